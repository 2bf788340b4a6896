//! Gathers write sets into batches, one under way at a time.

use crate::limits::{BATCH_BYTES_MAX, BATCH_SETS_MAX};
use crate::{CommitError, Epoch, Key, Write, WriteSet};
use std::collections::{HashMap, VecDeque};

/// What is committed together: in order, whole for each owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Counts the lane's batches from 1; after a cut connection it tells whether one was committed.
    pub number: u64,
    /// Several of one owner stand in the order of their tickets.
    pub sets: Vec<WriteSet>,
}

/// What became of a write set. Each that was pushed has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled<T = ()> {
    /// What it was pushed with.
    pub tag: T,
    /// Whose it was.
    pub owner: Key,
    /// In which epoch of its slot it was written.
    pub epoch: Epoch,
    /// Its ticket.
    pub ticket: u64,
    /// Durable, or refused with all later ones of this entity.
    pub result: Result<(), CommitError>,
}

/// A queue of write sets before one writing connection of the store. Each carries a tag of its driver's, by which
/// the driver knows whom to tell.
///
/// An owner that was refused is refused until it is loaded afresh, which is known by its ticket 1: a set that the
/// entity had issued before it learned of the refusal must not be taken after a hole.
#[derive(Debug)]
pub struct Lane<T = ()> {
    waiting: VecDeque<(T, WriteSet)>,
    under_way: Vec<(T, Key, Epoch, u64)>,
    refused: HashMap<Key, CommitError>,
    batches: u64,
    is_busy: bool,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: Vec::new(),
            refused: HashMap::new(),
            batches: 0,
            is_busy: false,
        }
    }
}

impl Lane {
    /// [`Lane::push_tagged`] for a driver that needs no tag.
    pub fn push(&mut self, set: WriteSet) -> Option<Settled> {
        self.push_tagged((), set)
    }
}

impl<T> Lane<T> {
    /// An empty lane.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write set behind all others; or answers at once, if its entity has been refused. What may wait here
    /// is bounded by the gates before the entities: one set at most for each event admitted.
    pub fn push_tagged(&mut self, tag: T, set: WriteSet) -> Option<Settled<T>> {
        if let Some(error) = self.refused.get(&set.owner) {
            if set.ticket != 1 {
                let result = Err(error.clone());
                return Some(settled(tag, set, result));
            }
            self.refused.remove(&set.owner);
        }
        self.waiting.push_back((tag, set));
        None
    }

    /// The next batch, if there is something to commit and nothing under way.
    pub fn next_batch(&mut self) -> Option<Batch> {
        if self.is_busy || self.waiting.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let mut sets = Vec::new();
        while sets.len() < BATCH_SETS_MAX && bytes < BATCH_BYTES_MAX {
            let Some((tag, set)) = self.waiting.pop_front() else { break };
            bytes += set.writes.iter().map(Write::bytes).sum::<usize>();
            self.under_way.push((tag, set.owner.clone(), set.epoch, set.ticket));
            sets.push(set);
        }
        self.batches += 1;
        self.is_busy = true;
        Some(Batch { number: self.batches, sets })
    }

    /// The batch under way is finished: for each owner whose sets were refused, the sets of that owner that wait
    /// here are refused with them, since they were made by an entity that is no more. What became of all of these
    /// is returned, in the order in which they were pushed.
    pub fn finished(&mut self, refused: &[(Key, CommitError)]) -> Vec<Settled<T>> {
        self.is_busy = false;
        self.refused.extend(refused.iter().cloned());
        let batch = self.under_way.drain(..);
        if refused.is_empty() {
            return batch
                .map(|(tag, owner, epoch, ticket)| Settled { tag, owner, epoch, ticket, result: Ok(()) })
                .collect();
        }
        let fate = |owner: &Key| self.refused.get(owner).map_or(Ok(()), |error| Err(error.clone()));
        let mut told: Vec<_> = batch
            .map(|(tag, owner, epoch, ticket)| Settled { tag, result: fate(&owner), owner, epoch, ticket })
            .collect();
        for (tag, set) in std::mem::take(&mut self.waiting) {
            match fate(&set.owner) {
                Ok(()) => self.waiting.push_back((tag, set)),
                result => told.push(settled(tag, set, result)),
            }
        }
        told
    }

    /// How many sets wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

fn settled<T>(tag: T, set: WriteSet, result: Result<(), CommitError>) -> Settled<T> {
    Settled { tag, owner: set.owner, epoch: set.epoch, ticket: set.ticket, result }
}

impl Write {
    /// Bytes of the value that it writes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Put { value, .. } => value.len(),
            Self::Append(append) => append.value.len(),
            Self::Amend { value, .. } => value.as_ref().map_or(0, |v| v.len()),
            Self::Delete { .. } | Self::Erase => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;
    use stentor_xmpp::BareJid;

    fn set(name: &str, ticket: u64) -> WriteSet {
        WriteSet { owner: key(name), epoch: Epoch(1), ticket, writes: vec![Write::Erase] }
    }

    fn key(name: &str) -> Key {
        Key::User(BareJid::parse(&format!("{name}@example.org")).unwrap())
    }

    fn told(settled: &[Settled]) -> Vec<(String, u64, bool)> {
        let local = |owner: &Key| owner.jid().local().unwrap_or_default().to_owned();
        settled.iter().map(|set| (local(&set.owner), set.ticket, set.result.is_ok())).collect()
    }

    fn expected(rows: &[(&str, u64, bool)]) -> Vec<(String, u64, bool)> {
        rows.iter().map(|(name, ticket, is_ok)| ((*name).to_owned(), *ticket, *is_ok)).collect()
    }

    #[test]
    fn one_batch_at_a_time_in_order() {
        let mut lane = Lane::new();
        assert_eq!(lane.next_batch(), None);
        lane.push(set("a", 1));
        lane.push(set("b", 1));
        assert_eq!(lane.next_batch(), Some(Batch { number: 1, sets: vec![set("a", 1), set("b", 1)] }));
        lane.push(set("a", 2));
        assert_eq!(lane.next_batch(), None, "one is under way");
        assert_eq!(told(&lane.finished(&[])), expected(&[("a", 1, true), ("b", 1, true)]));
        assert_eq!(lane.next_batch(), Some(Batch { number: 2, sets: vec![set("a", 2)] }));
        assert_eq!(told(&lane.finished(&[])), expected(&[("a", 2, true)]));
    }

    #[test]
    fn a_batch_is_bounded_in_sets_and_bytes() {
        let mut lane = Lane::new();
        for ticket in 1..=BATCH_SETS_MAX as u64 + 1 {
            lane.push(set("a", ticket));
        }
        assert_eq!(lane.next_batch().map(|batch| batch.sets.len()), Some(BATCH_SETS_MAX));
        assert_eq!(lane.waiting(), 1);

        let mut lane = Lane::new();
        for ticket in 1..=3 {
            let value = Some(vec![0; BATCH_BYTES_MAX / 2].into());
            let writes = vec![Write::Amend { id: crate::LogId(1), value }];
            lane.push(WriteSet { owner: key("a"), epoch: Epoch(1), ticket, writes });
        }
        assert_eq!(lane.next_batch().map(|batch| batch.sets.len()), Some(2));
    }

    #[test]
    fn a_refused_owner_is_refused_until_it_is_loaded_afresh() {
        let mut lane = Lane::new();
        lane.push(set("a", 1));
        lane.push(set("b", 1));
        lane.next_batch();
        lane.push(set("a", 2));
        lane.push(set("b", 2));
        let settled = lane.finished(&[(key("a"), CommitError::Conflict)]);
        assert_eq!(told(&settled), expected(&[("a", 1, false), ("b", 1, true), ("a", 2, false)]));

        // Issued before the entity learned of it.
        let late = lane.push(set("a", 3)).expect("an answer at once");
        assert_eq!((late.ticket, late.result), (3, Err(CommitError::Conflict)));
        // The one loaded after it.
        assert_eq!(lane.push(set("a", 1)), None);
        assert_eq!(lane.push(set("a", 2)), None);
        assert_eq!(lane.next_batch().map(|batch| batch.sets.len()), Some(3));
        assert_eq!(told(&lane.finished(&[])), expected(&[("b", 2, true), ("a", 1, true), ("a", 2, true)]));
    }

    #[test]
    fn a_fresh_entity_may_be_refused_again() {
        let mut lane = Lane::new();
        for _ in 0..2 {
            assert_eq!(lane.push(set("a", 1)), None);
            lane.next_batch();
            let settled = lane.finished(&[(key("a"), CommitError::Conflict)]);
            assert_eq!(told(&settled), expected(&[("a", 1, false)]));
        }
    }
}
