//! A member that drains and has given away all slots still gets what others send by older tables, and gives it back. It
//! has drained once each of them has gone over to a table by which nothing is its own.

use super::awaited::Awaited;
use std::collections::BTreeSet;
use stentor_engine::MemberId;

#[derive(Debug)]
struct Asked {
    version: u64,
    awaited: Awaited,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Parting(Option<Asked>);

impl Parting {
    /// By this version nothing is its own, which these members are told. False if it was before.
    pub(super) fn begin(&mut self, now: u64, version: u64, waiting: BTreeSet<MemberId>) -> bool {
        let is_first = self.0.is_none();
        if is_first {
            self.0 = Some(Asked { version, awaited: Awaited::new(now, waiting) });
        }
        is_first
    }

    /// Something is its own.
    pub(super) fn stay(&mut self) {
        self.0 = None;
    }

    /// A member goes by this version, and all that it said by an older one is here.
    pub(super) fn handed_over(&mut self, member: MemberId, version: u64) {
        if let Some(asked) = self.0.as_mut().filter(|asked| version >= asked.version) {
            asked.awaited.answered(member);
        }
    }

    /// A member is gone, or not linked any more: nothing comes from it.
    pub(super) fn gone(&mut self, member: MemberId) {
        self.handed_over(member, u64::MAX);
    }

    /// Whether nobody is waited for, or not any longer.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.0.as_ref().is_some_and(|asked| asked.awaited.is_over(now))
    }

    /// When waiting ends at the latest.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.0.as_ref().map(|asked| asked.awaited.deadline())
    }
}
