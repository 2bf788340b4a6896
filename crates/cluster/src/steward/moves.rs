//! Slots of ours that are on their way to other members.

use crate::limits::{MOVES_MAX, QUIET_MS};
use std::collections::BTreeMap;
use stentor_engine::{MemberId, Slot};

#[derive(Debug)]
struct Moving {
    to: MemberId,
    is_quiet: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Moves {
    moving: BTreeMap<Slot, Moving>,
    /// When the first of those that are quiet became so.
    quiet_since: Option<u64>,
}

impl Moves {
    /// Where slots are to be now, all of ours that are to be elsewhere: which of them begin to quiesce, as many as may. One
    /// that quiesces and is to stay after all moves to ourselves: users of it have ended, and only a take-over brings
    /// their sessions back to them.
    pub(super) fn want(&mut self, me: MemberId, wanted: &BTreeMap<Slot, MemberId>) -> Vec<Slot> {
        for (slot, moving) in &mut self.moving {
            moving.to = wanted.get(slot).copied().unwrap_or(me);
        }
        let mut begin = Vec::new();
        for (slot, to) in wanted {
            if self.moving.len() >= MOVES_MAX {
                break;
            }
            if !self.moving.contains_key(slot) {
                self.moving.insert(*slot, Moving { to: *to, is_quiet: false });
                begin.push(*slot);
            }
        }
        begin
    }

    /// Nothing of the slot is under way.
    pub(super) fn quiet(&mut self, now: u64, slot: Slot) {
        if let Some(moving) = self.moving.get_mut(&slot) {
            moving.is_quiet = true;
            self.quiet_since.get_or_insert(now);
        }
    }

    /// A slot is not ours any more.
    pub(super) fn lost(&mut self, slot: Slot) {
        self.moving.remove(&slot);
        self.forget_quiet();
    }

    /// What may be moved now: nothing, while others may soon go with it.
    pub(super) fn ready(&self, now: u64) -> Vec<(Slot, MemberId)> {
        let is_time = self.deadline().is_some_and(|deadline| now >= deadline);
        if !is_time && self.moving.values().any(|moving| !moving.is_quiet) {
            return Vec::new();
        }
        self.moving
            .iter()
            .filter(|(_, moving)| moving.is_quiet)
            .map(|(slot, moving)| (*slot, moving.to))
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.moving.is_empty()
    }

    /// When those that are quiet are moved without the others.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.quiet_since.map(|since| since + QUIET_MS)
    }

    fn forget_quiet(&mut self) {
        if !self.moving.values().any(|moving| moving.is_quiet) {
            self.quiet_since = None;
        }
    }
}
