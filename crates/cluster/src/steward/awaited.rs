//! Members that are waited for, but not for ever.

use crate::limits::GATHER_MS;
use std::collections::BTreeSet;
use stentor_engine::MemberId;

/// See the module.
#[derive(Debug)]
pub(super) struct Awaited {
    members: BTreeSet<MemberId>,
    /// A member that is not reached is not waited for longer.
    until: u64,
}

impl Awaited {
    /// From now on these are waited for.
    pub(super) fn new(now: u64, members: BTreeSet<MemberId>) -> Self {
        Self { members, until: now + GATHER_MS }
    }

    /// One has answered, or is gone.
    pub(super) fn answered(&mut self, member: MemberId) {
        self.members.remove(&member);
    }

    /// Whether it is waited for.
    pub(super) fn contains(&self, member: MemberId) -> bool {
        self.members.contains(&member)
    }

    /// Whether nobody is waited for, or not any longer.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.members.is_empty() || now >= self.until
    }

    /// Those that have not answered.
    pub(super) fn into_members(self) -> Vec<MemberId> {
        self.members.into_iter().collect()
    }

    /// This process stood still for so long, and may have been answered meanwhile.
    pub(super) fn postpone(&mut self, by: u64) {
        self.until += by;
    }

    /// When waiting ends at the latest.
    pub(super) fn deadline(&self) -> u64 {
        self.until
    }
}
