//! Faults of members, of what lies between them, and of the store: when each begins and ends.

use crate::network::StoreState;
use crate::process::Process;
use crate::stage::{Happening, Place, Stage};

/// Something goes wrong, or is right again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process of this incarnation, or whichever runs, dies.
    Kill(usize, Option<u32>),
    /// It is started.
    Start(usize),
    /// It stands still for so long.
    Pause(usize, u64),
    /// It goes on.
    Continue(Place),
    /// It leaves by plan.
    Drain(usize),
    /// The connections between two processes break.
    Cut(usize, usize),
    /// Two processes cannot reach each other, for so long.
    Part(usize, usize, u64),
    /// They can.
    Rejoin(usize, usize),
    /// A process cannot reach the store, for so long.
    Storeless(usize, u64),
    /// It can.
    Stored(usize),
    /// The store fares so, for so long.
    Store(StoreState, u64),
    /// The store is up.
    StoreUp,
}

impl Stage {
    /// Plans the faults of a run of several members, so that they overlap: in `from..to`.
    pub(crate) fn plan_faults(&mut self, from: u64, to: u64) {
        let members = self.plan.members as u64;
        let time = to.saturating_sub(from);
        let kill = Fault::Kill(self.random.below(members) as usize, None);
        let at = from + self.random.below(time / 2);
        self.queue.after(at, Happening::Fault(kill));
        for _ in 0..self.plan.faults {
            let random = &mut self.random;
            let one = random.below(members) as usize;
            let other = (one + 1 + random.below(members - 1) as usize) % members as usize;
            let long = random.between(500, 15_000);
            let fault = match random.below(8) {
                0 => Fault::Kill(one, None),
                1 | 2 => Fault::Pause(one, long),
                3 => Fault::Cut(one, other),
                4 => Fault::Part(one, other, long),
                5 => Fault::Storeless(one, long),
                6 => Fault::Store(StoreState::Failing, long),
                _ => Fault::Store(StoreState::Slow(random.between(100, 3_000)), long),
            };
            let at = from + random.below(time);
            self.queue.after(at, Happening::Fault(fault));
        }
    }

    /// Plans that members leave, each to come back, while nothing goes wrong: in `from..to`.
    pub(crate) fn plan_drains(&mut self, from: u64, to: u64) {
        self.is_calm = true;
        for _ in 0..2 * self.plan.members {
            let at = from + self.random.below(to.saturating_sub(from));
            let drain = Fault::Drain(self.random.below(self.plan.members as u64) as usize);
            self.queue.after(at, Happening::Fault(drain));
        }
    }

    /// What of a fault concerns the network and the store alone. Each ends some time.
    pub(crate) fn trouble(&mut self, fault: Fault) {
        self.trace(|| format!("{fault:?}"));
        self.coverage.faults += u64::from(matches!(
            fault,
            Fault::Cut(..) | Fault::Part(..) | Fault::Storeless(..) | Fault::Store(..)
        ));
        match fault {
            Fault::Cut(a, b) => {
                for connection in self.network.between(a, b) {
                    self.coverage.cuts += 1;
                    self.cut(connection);
                }
            }
            Fault::Part(a, b, long) => {
                self.coverage.partitions += 1;
                self.network.part(a, b);
                self.queue.after(long, Happening::Fault(Fault::Rejoin(a, b)));
            }
            Fault::Storeless(at, long) => {
                self.coverage.partitions += 1;
                self.network.storeless.insert(at);
                self.queue.after(long, Happening::Fault(Fault::Stored(at)));
            }
            Fault::Stored(at) => {
                self.network.storeless.remove(&at);
            }
            Fault::Store(state, long) => {
                self.coverage.outages += 1;
                self.network.store = state;
                self.queue.after(long, Happening::Fault(Fault::StoreUp));
            }
            Fault::StoreUp => self.network.store = StoreState::Up,
            Fault::Kill(..)
            | Fault::Start(_)
            | Fault::Pause(..)
            | Fault::Continue(_)
            | Fault::Drain(_)
            | Fault::Rejoin(..) => {}
        }
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
