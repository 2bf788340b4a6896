//! Memory that forgets what was not synced: the disk of the simulator.

use crate::backend::Refusal;
use crate::memory::Memory;
use crate::register::{LaneId, Register};
use std::collections::VecDeque;
use stentor_engine::{Batch, Key, Planted, Query, RegisterReply, RegisterRequest, Rows};

/// What was applied, and what of it a crash leaves.
#[derive(Clone, Debug, Default)]
pub struct Unsynced {
    applied: Memory,
    durable: Memory,
    pending: VecDeque<(Option<LaneId>, Batch)>,
}

impl Unsynced {
    /// Nothing stored.
    pub fn new() -> Self {
        Self::default()
    }

    /// Switches bugs on.
    pub fn plant(&mut self, planted: Planted) {
        self.applied.plant(planted);
        self.durable.plant(planted);
    }

    /// Applies a batch that is not durable yet, but for the owners returned. It may be acknowledged after
    /// [`Unsynced::sync`] only.
    pub fn write(&mut self, batch: Batch) -> Vec<Refusal> {
        self.push(None, batch)
    }

    /// [`Unsynced::write`] of a member in its lane.
    pub fn write_in(&mut self, lane: LaneId, batch: Batch) -> Vec<Refusal> {
        self.push(Some(lane), batch)
    }

    fn push(&mut self, lane: Option<LaneId>, batch: Batch) -> Vec<Refusal> {
        let refused = commit(&mut self.applied, lane, &batch);
        self.pending.push_back((lane, batch));
        refused
    }

    /// Makes all that was applied durable.
    pub fn sync(&mut self) {
        self.keep(self.pending.len());
    }

    /// Batches that are not durable.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// A crash: of the batches that were not synced the first `kept` reached the disk all the same.
    pub fn crash(&mut self, kept: usize) {
        self.keep(kept);
        self.pending.clear();
        self.applied = self.durable.clone();
    }

    /// The answer to one question, from what was applied.
    pub fn query(&self, owner: &Key, query: &Query) -> Rows {
        self.applied.query(owner, query)
    }

    /// What was applied.
    pub fn applied(&self) -> &Memory {
        &self.applied
    }

    /// What a crash would leave at least.
    pub fn durable(&self) -> &Memory {
        &self.durable
    }

    /// The same batches on the same state have the same refusals.
    fn keep(&mut self, batches: usize) {
        for (lane, batch) in self.pending.drain(..batches.min(self.pending.len())) {
            commit(&mut self.durable, lane, &batch);
        }
    }
}

fn commit(memory: &mut Memory, lane: Option<LaneId>, batch: &Batch) -> Vec<Refusal> {
    match lane {
        Some(lane) => memory.commit_in(lane, batch),
        None => memory.commit(batch),
    }
}

/// What it answers is durable, and with it all that was applied before: a database has one log.
impl Register for Unsynced {
    fn ask(&mut self, request: &RegisterRequest) -> RegisterReply {
        self.sync();
        self.durable.ask(request);
        self.applied.ask(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use stentor_engine::{Append, CommitError, Epoch, LogId, Write, WriteSet};
    use stentor_xmpp::BareJid;

    fn append(id: u64) -> Batch {
        let append = Append { id: LogId(id), value: Bytes::new() };
        let set =
            WriteSet { owner: owner(), epoch: Epoch(1), ticket: id, writes: vec![Write::Append(append)] };
        Batch { number: id, sets: vec![set] }
    }

    fn owner() -> Key {
        Key::User(BareJid::parse("romeo@example.org").unwrap())
    }

    #[test]
    fn a_crash_leaves_what_was_synced_and_perhaps_the_next() {
        for kept in 0..4 {
            let mut disk = Unsynced::new();
            assert_eq!(disk.write(append(1)), []);
            disk.sync();
            assert_eq!(disk.write(append(2)), []);
            assert_eq!(disk.write(append(2)), [(owner(), CommitError::Conflict)]);
            assert_eq!(disk.write(append(3)), []);
            assert_eq!(disk.query(&owner(), &Query::Tail), Rows::Tail(LogId(3)));
            disk.crash(kept);
            let tail = [1, 2, 2, 3][kept];
            assert_eq!(disk.query(&owner(), &Query::Tail), Rows::Tail(LogId(tail)), "{kept} kept");
            assert_eq!((disk.pending(), disk.applied()), (0, disk.durable()));
        }
    }
}
