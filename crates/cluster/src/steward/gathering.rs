//! Slots that have become ours, and who has not handed over yet what he had of them.
//!
//! Who gains slots by a table tells all others which version he has (`Version`); each answers (`HandedOver`) once its
//! own sessions have attached by that version or a later one. So nobody needs to have seen each version, and the
//! bookkeeping is a set of members for each version that gave us slots, not for each slot.

use super::awaited::Awaited;
use std::collections::{BTreeMap, BTreeSet};
use stentor_engine::{MemberId, Slot};

#[derive(Debug)]
struct Gained {
    slots: BTreeSet<Slot>,
    awaited: Awaited,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Gathering(BTreeMap<u64, Gained>);

impl Gathering {
    /// Slots became ours by this version; these members have sessions that may have to attach by it.
    pub(super) fn gained(
        &mut self,
        now: u64,
        version: u64,
        slots: BTreeSet<Slot>,
        waiting: BTreeSet<MemberId>,
    ) {
        if !slots.is_empty() {
            self.0.insert(version, Gained { slots, awaited: Awaited::new(now, waiting) });
        }
    }

    /// A slot is another's, or ours anew.
    pub(super) fn lost(&mut self, slot: Slot) {
        for gained in self.0.values_mut() {
            gained.slots.remove(&slot);
        }
    }

    /// A member has handed over all that moved by this version or an earlier one.
    pub(super) fn handed_over(&mut self, member: MemberId, version: u64) {
        for gained in self.0.range_mut(..=version).map(|(_, gained)| gained) {
            gained.awaited.answered(member);
        }
    }

    /// A member is gone, with what it had.
    pub(super) fn gone(&mut self, member: MemberId) {
        self.handed_over(member, u64::MAX);
    }

    /// This process stood still for so long.
    pub(super) fn postpone(&mut self, by: u64) {
        self.0.values_mut().for_each(|gained| gained.awaited.postpone(by));
    }

    /// The slots for which nobody is waited for any more, and who had not handed over.
    pub(super) fn complete(&mut self, now: u64) -> Vec<(Vec<Slot>, Vec<MemberId>)> {
        let complete = self.0.extract_if(.., |_, gained| gained.awaited.is_over(now));
        let complete =
            complete.map(|(_, gained)| (gained.slots.into_iter().collect(), gained.awaited.into_members()));
        complete.filter(|(slots, _): &(Vec<Slot>, _)| !slots.is_empty()).collect()
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.0.values().any(|gained| gained.slots.contains(&slot))
    }

    /// The newest version for which a member is waited for.
    pub(super) fn waits_for(&self, member: MemberId) -> Option<u64> {
        self.0.iter().rev().find(|(_, gained)| gained.awaited.contains(member)).map(|(version, _)| *version)
    }

    /// When waiting ends at the latest.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.0.values().map(|gained| gained.awaited.deadline()).min()
    }
}
