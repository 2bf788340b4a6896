//! What an entity is.

use crate::{Effects, Epoch, Event, Key, Planted, Query, Rows};

/// The time at which an event is handled, as told by whoever drives the entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Milliseconds on a clock that only goes forward, since an arbitrary start.
    pub monotonic: u64,
    /// Milliseconds since 1970-01-01 UTC, for stamps that people and clients read; may jump.
    pub unix: u64,
}

/// Something with state: takes one event at a time, answers with effects, never waits.
pub trait Entity: Sized {
    /// What every entity of this kind is given: settings, the hosts.
    type Context;

    /// An entity that has not been loaded, in this epoch of its slot, and the questions whose answers
    /// [`Entity::loaded`] needs, in order.
    fn new(key: Key, epoch: Epoch, context: &Self::Context) -> (Self, Vec<Query>);

    /// Takes its state from the store's answers. Called once, before any event.
    fn loaded(&mut self, now: Now, rows: Vec<Rows>, effects: &mut Effects);

    /// Handles one event.
    fn handle(&mut self, now: Now, event: Event, effects: &mut Effects);

    /// It goes, and nothing takes its place for now: whoever depends on it is told by `effects`, of which only the
    /// sends are carried out.
    fn abandon(self, effects: &mut Effects);

    /// The store refused a commit, or a bug stopped it, and it is loaded afresh: whoever must attach again is told by
    /// `effects`, of which only the sends are carried out. Gives back what its successor is to hear first.
    fn hand_over(self, effects: &mut Effects) -> Vec<Event>;

    /// Its slot is to be given to another member. What its successor must know beyond what is written is written now.
    fn retire(&mut self, now: Now, effects: &mut Effects);

    /// Whether it can be dropped now and loaded again at its next event with nothing lost.
    fn is_idle(&self) -> bool;

    /// Bugs that are switched on.
    fn planted(&self) -> Planted {
        Planted::default()
    }
}
