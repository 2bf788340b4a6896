//! Slots of ours that are on their way to other members.

use crate::limits::{MOVES_MAX, QUIET_MS};
use std::collections::BTreeMap;
use stentor_engine::{MemberId, Slot};

#[derive(Debug)]
struct Moving {
    to: MemberId,
    /// In which it was told to quiesce.
    round: u64,
    is_quiet: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Moves {
    moving: BTreeMap<Slot, Moving>,
    /// Counts what slots were told to quiesce together.
    round: u64,
    /// When the first of those that are quiet became so.
    quiet_since: Option<u64>,
}

impl Moves {
    /// Where slots are to be now, all of ours that are to be elsewhere: which of them begin to quiesce, as many as may,
    /// and which are to stay after all.
    pub(super) fn want(&mut self, wanted: &BTreeMap<Slot, MemberId>) -> (Vec<Slot>, Vec<Slot>) {
        let mut stay = Vec::new();
        self.moving.retain(|slot, moving| match wanted.get(slot) {
            Some(to) => {
                moving.to = *to;
                true
            }
            None => {
                stay.push(*slot);
                false
            }
        });
        let mut begin = Vec::new();
        self.round += 1;
        for (slot, to) in wanted {
            if self.moving.len() >= MOVES_MAX {
                break;
            }
            if !self.moving.contains_key(slot) {
                self.moving.insert(*slot, Moving { to: *to, round: self.round, is_quiet: false });
                begin.push(*slot);
            }
        }
        self.forget_quiet();
        (begin, stay)
    }

    /// Nothing of the slot is under way since that round. What is said of an earlier one crossed that it stays.
    pub(super) fn quiet(&mut self, now: u64, slot: Slot, round: u64) {
        if let Some(moving) = self.moving.get_mut(&slot).filter(|moving| moving.round == round) {
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

    /// The round that [`Moves::want`] has begun last.
    pub(super) fn round(&self) -> u64 {
        self.round
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_an_earlier_round_moves_nothing() {
        let (slot, to) = (Slot::new(7).expect("a slot"), MemberId(2));
        let mut moves = Moves::default();
        let wanted = BTreeMap::from([(slot, to)]);
        assert_eq!(moves.want(&wanted), (vec![slot], Vec::new()));
        let first = moves.round();
        // It stays, and then is to move after all, before anybody has heard of either.
        assert_eq!(moves.want(&BTreeMap::new()), (Vec::new(), vec![slot]));
        assert_eq!(moves.want(&wanted), (vec![slot], Vec::new()));
        moves.quiet(0, slot, first);
        assert!(moves.ready(QUIET_MS).is_empty());
        moves.quiet(0, slot, moves.round());
        assert_eq!(moves.ready(0), [(slot, to)]);
    }
}
