//! Gathers write sets into batches, one under way at a time.

use crate::limits::{BATCH_BYTES_MAX, BATCH_SETS_MAX};
use crate::{CommitError, Key, Write, WriteSet};
use std::collections::VecDeque;

/// What is committed together: in order, whole for each owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Counts the lane's batches from 1; after a cut connection it tells whether one was committed.
    pub number: u64,
    /// Several of one owner stand in the order of their tickets.
    pub sets: Vec<WriteSet>,
}

/// A queue of write sets before one writing connection of the store.
#[derive(Debug, Default)]
pub struct Lane {
    waiting: VecDeque<WriteSet>,
    batches: u64,
    is_busy: bool,
}

impl Lane {
    /// An empty lane.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write set behind all others. What may wait here is bounded by the gates before the entities: one
    /// set at most for each event admitted.
    pub fn push(&mut self, set: WriteSet) {
        self.waiting.push_back(set);
    }

    /// The next batch, if there is something to commit and nothing under way.
    pub fn next_batch(&mut self) -> Option<Batch> {
        if self.is_busy || self.waiting.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let mut sets = Vec::new();
        while sets.len() < BATCH_SETS_MAX && bytes < BATCH_BYTES_MAX {
            let Some(set) = self.waiting.pop_front() else { break };
            bytes += set.writes.iter().map(Write::bytes).sum::<usize>();
            sets.push(set);
        }
        self.batches += 1;
        self.is_busy = true;
        Some(Batch { number: self.batches, sets })
    }

    /// The batch under way is finished: for each owner whose sets were refused, the sets of that owner that wait
    /// here are refused with them, since they were made by an entity that is no more.
    pub fn finished(&mut self, refused: &[(Key, CommitError)]) {
        self.is_busy = false;
        if !refused.is_empty() {
            self.waiting.retain(|set| refused.iter().all(|(key, _)| *key != set.owner));
        }
    }

    /// How many sets wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
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
