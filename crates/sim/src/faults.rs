//! Faults of members, of what lies between them, and of the store: when they come, and which overlap.

use crate::network::StoreState;
use crate::process::Process;
use crate::stage::{Happening, Place, Stage};
use std::collections::BTreeMap;

/// Something that goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The process is dead.
    Kill(usize),
    /// It stands still.
    Pause(usize),
    /// The connections between two processes, the lower first, are broken, and not both ends know.
    Cut(usize, usize),
    /// The two cannot reach each other.
    Part(usize, usize),
    /// A process cannot reach the store.
    Storeless(usize),
    /// The store is away, or slow.
    Store,
}

/// What befalls processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Something goes wrong that can; and so much more after it, each while the one before goes on.
    Wrong { then: u64 },
    /// Some member dies.
    Death,
    /// This incarnation dies.
    Crash(Place),
    /// A process is started.
    Start(usize),
    /// It goes on.
    Continue(Place),
    /// One leaves by plan, to come back, if it can.
    Drain,
    /// What was wrong with the network or the store is right again.
    Right(Fault),
}

/// The faults of a run that begin while the one before goes on, the first among them.
const CHAIN: u64 = 5;
/// From one of them to the next, at most.
const CHAIN_STEP: u64 = 3_000;
/// Draws of a fault until one is found that can begin.
const DRAWS: u64 = 100;

/// What is wrong now, and whether something else was wrong at the same time.
#[derive(Debug, Default)]
pub(crate) struct Faults(BTreeMap<Fault, bool>);

impl Faults {
    pub(crate) fn is_on(&self, fault: Fault) -> bool {
        self.0.contains_key(&fault)
    }

    /// Whether anything is wrong.
    pub(crate) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// How many overlap now that did not before.
    fn begin(&mut self, fault: Fault) -> u64 {
        let alone = self.0.values_mut().filter(|overlaps| !**overlaps);
        let count = alone.map(|overlaps| *overlaps = true).count() as u64;
        let overlaps = !self.0.is_empty();
        self.0.insert(fault, overlaps);
        count + u64::from(overlaps)
    }

    /// It is over, if it was not.
    pub(crate) fn end(&mut self, fault: Fault) {
        self.0.remove(&fault);
    }

    /// All are over.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Stage {
    /// Plans the faults of a run of several members, some of which overlap, and that members leave amid them: in
    /// `from..to`.
    pub(crate) fn plan_faults(&mut self, from: u64, to: u64) {
        let time = to.saturating_sub(from);
        // The chain comes to its end before all is healed.
        let chain_time = CHAIN * CHAIN_STEP;
        let chain = from + self.random.below(time.saturating_sub(chain_time));
        let mut befalls = |from, most, fate| {
            let at = from + self.random.below(most);
            self.queue.after(at, Happening::Fate(fate));
        };
        befalls(from, time / 2, Fate::Death);
        befalls(chain, 1, Fate::Wrong { then: CHAIN - 1 });
        (CHAIN..self.plan.faults).for_each(|_| befalls(from, time, Fate::Wrong { then: 0 }));
        (0..self.plan.drains).for_each(|_| befalls(chain, chain_time, Fate::Drain));
    }

    /// Plans that members leave, each to come back, while nothing goes wrong: in `from..to`.
    pub(crate) fn plan_drains(&mut self, from: u64, to: u64) {
        self.is_calm = true;
        for _ in 0..2 * self.plan.members {
            let at = from + self.random.below(to.saturating_sub(from));
            self.queue.after(at, Happening::Fate(Fate::Drain));
        }
    }

    /// A fault that can begin now, by what is said of those of processes.
    pub(crate) fn draw_fault(&mut self, can_begin: impl Fn(&Self, Fault) -> bool) -> Option<Fault> {
        let members = self.plan.members as u64;
        (0..DRAWS).find_map(|_| {
            let random = &mut self.random;
            let one = random.below(members) as usize;
            let other = (one + 1 + random.below(members - 1) as usize) % members as usize;
            let (low, high) = (one.min(other), one.max(other));
            let fault = match random.below(8) {
                0 => Fault::Kill(one),
                1 | 2 => Fault::Pause(one),
                3 => Fault::Cut(low, high),
                4 => Fault::Part(low, high),
                5 => Fault::Storeless(one),
                _ => Fault::Store,
            };
            (!self.faults.is_on(fault) && can_begin(self, fault)).then_some(fault)
        })
    }

    /// A fault begins. Whoever says so sees to it that it ends.
    pub(crate) fn begins(&mut self, fault: Fault) {
        self.trace(|| format!("{fault:?}"));
        self.coverage.faults += 1;
        self.coverage.overlapping += self.faults.begin(fault);
        self.coverage.faults_amid += u64::from(self.draining.is_some());
    }

    /// What of a fault concerns the network and the store alone; how long it lasts.
    pub(crate) fn trouble(&mut self, fault: Fault) -> u64 {
        let mut long = self.random.between(500, 15_000);
        match fault {
            Fault::Cut(a, b) => {
                long = 1;
                for connection in self.network.between(a, b) {
                    self.coverage.cuts += 1;
                    long = self.cut(connection).max(long);
                }
            }
            Fault::Part(a, b) => {
                self.coverage.partitions += 1;
                self.network.part(a, b);
            }
            Fault::Storeless(at) => {
                self.coverage.partitions += 1;
                self.network.storeless.insert(at);
            }
            Fault::Store => {
                self.coverage.outages += 1;
                let slow = StoreState::Slow(self.random.between(100, 3_000));
                self.network.store = if self.random.chance(500) { StoreState::Failing } else { slow };
            }
            Fault::Kill(_) | Fault::Pause(_) => {}
        }
        self.queue.after(long, Happening::Fate(Fate::Right(fault)));
        long
    }

    /// What a crash leaves of a disk.
    pub(crate) fn crash_disk(&mut self, process: &Process) {
        let pending = self.disk.pending();
        let kept = self.random.below(pending as u64 + 1) as usize;
        self.trace(|| format!("a crash: {kept} of {pending} batches survive"));
        self.coverage.crashes += 1;
        self.coverage.kept_batches += kept as u64;
        self.coverage.lost_batches += (pending - kept) as u64;
        if let Some(batch) = process.member().and_then(|member| member.batch()).filter(|_| kept > 0) {
            self.history.durable(batch);
        }
        self.disk.crash(kept);
        self.history.recover(self.disk.durable());
    }
}

/// The longest way from one fault of a chain to the next, where the first lasts so long.
pub(crate) fn chain_step(long: u64) -> u64 {
    long.min(CHAIN_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_that_overlaps_is_counted_once() {
        let mut faults = Faults::default();
        assert_eq!(faults.begin(Fault::Kill(0)), 0);
        assert_eq!(faults.begin(Fault::Store), 2);
        assert_eq!(faults.begin(Fault::Pause(1)), 1);
        faults.end(Fault::Kill(0));
        faults.end(Fault::Store);
        faults.end(Fault::Pause(1));
        assert_eq!(faults.begin(Fault::Kill(0)), 0);
        faults.end(Fault::Kill(0));
        assert_eq!(faults.begin(Fault::Store), 0);
    }
}
