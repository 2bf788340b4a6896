//! The rule: nothing leaves before what it depends on is durable.

use crate::{
    Effects, Entity, Epoch, Event, Key, Now, Planted, Query, Reply, Rows, Sent, ToSession, WriteSet,
};
use std::collections::VecDeque;
use stentor_xmpp::{Kind, PresenceType, Stanza};

/// What the driver of a shell is to carry out, in order.
#[derive(Debug)]
pub enum Output {
    /// Commit this, and say [`Shell::committed`] with its ticket, or drop the shell if it is refused.
    Write(WriteSet),
    /// Deliver this.
    Sent(Sent),
    /// Return the token as an event after so many milliseconds.
    Timer(u64, u64),
    /// Answer these questions by [`Shell::loaded`].
    Load(Vec<Query>),
}

/// An entity with the rule around it. Knows no clock, no store and no other entity.
#[derive(Debug)]
pub struct Shell<E> {
    key: Key,
    epoch: Epoch,
    entity: E,
    /// Events that came before the entity was loaded; none once it is.
    loading: Option<VecDeque<Event>>,
    issued: u64,
    durable: u64,
    held: VecDeque<(u64, Sent)>,
    queries: u32,
}

impl<E: Entity> Shell<E> {
    /// Around a new entity, in this epoch of its slot; puts out the questions that load it.
    pub fn new(key: Key, epoch: Epoch, context: &E::Context, out: &mut Vec<Output>) -> Self {
        let (entity, queries) = E::new(key.clone(), context);
        out.push(Output::Load(queries));
        Self {
            key,
            epoch,
            entity,
            loading: Some(VecDeque::new()),
            issued: 0,
            durable: 0,
            held: VecDeque::new(),
            queries: 0,
        }
    }

    /// Whose it is.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The entity, to look at.
    pub fn entity(&self) -> &E {
        &self.entity
    }

    /// The answers to [`Output::Load`]: the entity is made, and handles what waited for it.
    pub fn loaded(&mut self, now: Now, rows: Vec<Rows>, out: &mut Vec<Output>) {
        let Some(waiting) = self.loading.take() else { return };
        let mut effects = Effects::new();
        self.entity.loaded(now, rows, &mut effects);
        self.carry_out(effects, out);
        for event in waiting {
            self.handle(now, event, out);
        }
    }

    /// One event. The entity handles it at once, while commits are under way.
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Vec<Output>) {
        if let Some(waiting) = &mut self.loading {
            waiting.push_back(event);
            return;
        }
        if matches!(event, Event::Rows(..) | Event::Derived(..)) {
            self.queries = self.queries.saturating_sub(1);
        }
        let mut effects = Effects::new();
        self.entity.handle(now, event, &mut effects);
        self.carry_out(effects, out);
    }

    /// All write sets up to `ticket` are durable: lets go what waited for them.
    pub fn committed(&mut self, ticket: u64, out: &mut Vec<Output>) {
        self.durable = self.durable.max(ticket);
        while let Some((_, sent)) = self.held.pop_front_if(|(after, _)| *after <= self.durable) {
            out.push(Output::Sent(sent));
        }
    }

    /// A write set was refused: the entity goes with all that it had not let go.
    pub fn abandon(self, out: &mut Vec<Output>) {
        for (_, sent) in self.held {
            match sent {
                // That somebody is gone holds whatever the store says, and the entity will not say it again.
                Sent::Event(_, Event::Relay(ref stanza)) if is_unavailable(stanza) => {
                    out.push(Output::Sent(sent))
                }
                // What it was told is not so, or it still waits to be told.
                Sent::Session(session, _) => {
                    out.push(Output::Sent(Sent::Session(session, ToSession::Reattach)))
                }
                Sent::Reply(ask, _) => out.push(Output::Sent(Sent::Reply(ask, Reply::Failed))),
                Sent::Event(..) | Sent::Query(..) | Sent::Derive(..) => {}
            }
        }
        let mut effects = Effects::new();
        self.entity.abandon(&mut effects);
        out.extend(effects.sent.into_iter().map(Output::Sent));
    }

    /// Whether it may be dropped: loaded, nothing held, nothing asked, nothing to lose.
    pub fn may_stop(&self) -> bool {
        self.is_quiet() && self.entity.is_idle()
    }

    /// Whether nothing is under way: loaded, nothing held, nothing asked, every write durable.
    pub fn is_quiet(&self) -> bool {
        self.loading.is_none() && self.held.is_empty() && self.is_durable() && self.queries == 0
    }

    /// How many write sets it has put out.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// How many of them are not committed.
    pub fn pending(&self) -> u64 {
        self.issued - self.durable
    }

    fn is_durable(&self) -> bool {
        self.issued == self.durable
    }

    fn carry_out(&mut self, effects: Effects, out: &mut Vec<Output>) {
        if !effects.writes.is_empty() {
            self.issued += 1;
            let (owner, epoch, ticket) = (self.key.clone(), self.epoch, self.issued);
            out.push(Output::Write(WriteSet { owner, epoch, ticket, writes: effects.writes }));
        }
        for sent in effects.sent {
            if matches!(sent, Sent::Query(..) | Sent::Derive(..)) {
                self.queries += 1;
            }
            if self.is_durable() || self.entity.planted().is_on(Planted::ACKNOWLEDGE_BEFORE_COMMIT) {
                out.push(Output::Sent(sent));
            } else {
                self.held.push_back((self.issued, sent));
            }
        }
        out.extend(effects.timers.into_iter().map(|(after, token)| Output::Timer(after, token)));
    }
}

fn is_unavailable(stanza: &Stanza) -> bool {
    stanza.kind() == Kind::Presence && stanza.presence_type() == PresenceType::Unavailable
}
