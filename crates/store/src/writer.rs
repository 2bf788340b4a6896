//! The lane's thread: takes what waits, commits it, reports it; no timer, so a batch is what came while the one
//! before it was under way.

use crate::backend::{Backend, Refusal};
use crate::queue::Queue;
use crate::store::{Arbiters, Committed, shielded};
use std::collections::HashSet;
use stentor_engine::limits::BATCH_SETS_MAX;
use stentor_engine::{Batch, CommitError, Key, Lane, Settled, WriteSet};

/// Until the queue is closed and empty.
pub(crate) fn run(backend: Box<dyn Backend>, sets: &Queue<(u16, WriteSet)>, arbiters: &Arbiters) {
    let mut writer = Writer { backend, arbiters, is_broken: false };
    let mut lane = Lane::new();
    let mut taken = Vec::new();
    loop {
        let is_idle = lane.waiting() == 0;
        // No more than the next batch: what waits beyond it stays in the queue, which is bounded.
        let room = BATCH_SETS_MAX.saturating_sub(lane.waiting());
        match sets.take(room, is_idle, &mut taken) {
            Some(refused) => arbiters.room(refused),
            None if is_idle => break,
            None => {}
        }
        let mut settled: Vec<_> =
            taken.drain(..).filter_map(|(tag, set)| lane.push_tagged(tag, set)).collect();
        if let Some(batch) = lane.next_batch() {
            let refused = writer.commit(&batch);
            settled.extend(lane.finished(&refused));
        }
        report(settled, arbiters);
    }
}

struct Writer<'a> {
    backend: Box<dyn Backend>,
    arbiters: &'a Arbiters,
    is_broken: bool,
}

impl Writer<'_> {
    /// An engine that panics has failed for good: what it holds in memory may be anything.
    fn commit(&mut self, batch: &Batch) -> Vec<Refusal> {
        const PANICKED: &str = "the engine panicked";
        if !self.is_broken {
            if let Some(refused) = shielded(|| self.backend.commit(batch)) {
                if let Some(reason) = (!refused.is_empty()).then(|| self.backend.failure()).flatten() {
                    self.arbiters.failed(reason);
                }
                return refused;
            }
            self.is_broken = true;
            self.arbiters.failed(PANICKED.to_owned());
        }
        let owners: HashSet<&Key> = batch.sets.iter().map(|set| &set.owner).collect();
        let error = CommitError::Store(PANICKED.to_owned());
        owners.into_iter().map(|owner| (owner.clone(), error.clone())).collect()
    }
}

/// One message to each arbiter that has a result.
fn report(settled: Vec<Settled<u16>>, arbiters: &Arbiters) {
    let mut messages: Vec<(u16, Vec<Committed>)> = Vec::new();
    for Settled { tag, owner, epoch, ticket, result } in settled {
        let committed = Committed { owner, epoch, ticket, result };
        match messages.iter_mut().find(|(arbiter, _)| *arbiter == tag) {
            Some((_, results)) => results.push(committed),
            None => messages.push((tag, vec![committed])),
        }
    }
    for (arbiter, results) in messages {
        match arbiters.get(arbiter) {
            Some(completion) => {
                shielded(|| completion.committed(results));
            }
            None => tracing::error!(arbiter, "results for an arbiter that is not registered"),
        }
    }
}
