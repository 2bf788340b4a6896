//! What was said in slots that are to move, on its way to other members.
//!
//! A slot whose entities have ended is quiet once the others have what these said: they are asked behind it (`Passing`), and
//! each answers (`Passed`). So nothing that its owner said comes behind the table that moves it, by which it would be dropped
//! as said by an owner of before; and whoever takes the slot may rely on it that others have heard what they were told.

use super::awaited::Awaited;
use stentor_engine::{MemberId, Slot};

#[derive(Debug)]
struct Asked {
    slots: Vec<Slot>,
    awaited: Awaited,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Passing {
    /// Slots of which nothing is under way here.
    ended: Vec<Slot>,
    /// One question at a time, for all that there are by then.
    asked: Option<Asked>,
    /// The number of the last question.
    number: u64,
}

impl Passing {
    /// The entities of a slot have ended.
    pub(super) fn ended(&mut self, slot: Slot) {
        self.ended.push(slot);
    }

    /// The next question, if one is due to these members.
    pub(super) fn ask(&mut self, now: u64, members: impl Iterator<Item = MemberId>) -> Option<u64> {
        if self.ended.is_empty() || self.asked.is_some() {
            return None;
        }
        let slots = core::mem::take(&mut self.ended);
        self.asked = Some(Asked { slots, awaited: Awaited::new(now, members.collect()) });
        self.number += 1;
        Some(self.number)
    }

    /// A member has answered.
    pub(super) fn passed(&mut self, member: MemberId, number: u64) {
        if number == self.number {
            self.gone(member);
        }
    }

    /// A member is gone.
    pub(super) fn gone(&mut self, member: MemberId) {
        if let Some(asked) = &mut self.asked {
            asked.awaited.answered(member);
        }
    }

    /// A slot is not ours any more.
    pub(super) fn lost(&mut self, slot: Slot) {
        let asked = self.asked.iter_mut().map(|asked| &mut asked.slots);
        asked.chain([&mut self.ended]).for_each(|slots| slots.retain(|other| *other != slot));
    }

    /// Slots that are quiet now, once each.
    pub(super) fn take(&mut self, now: u64) -> Vec<Slot> {
        self.asked.take_if(|asked| asked.awaited.is_over(now)).map(|asked| asked.slots).unwrap_or_default()
    }

    /// When waiting ends at the latest.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.asked.as_ref().map(|asked| asked.awaited.deadline())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::GATHER_MS;

    const NEAR: MemberId = MemberId(2);
    const FAR: MemberId = MemberId(3);

    #[test]
    fn a_slot_is_quiet_once_all_have_what_was_said_in_it() {
        let [one, two, three] = [1, 2, 3].map(|number| Slot::new(number).expect("a slot"));
        let mut passing = Passing::default();
        assert_eq!(passing.ask(0, [NEAR].into_iter()), None);
        passing.ended(one);
        assert_eq!(passing.ask(0, [NEAR, FAR].into_iter()), Some(1));
        passing.ended(two);
        passing.ended(three);
        assert_eq!(passing.ask(0, [NEAR, FAR].into_iter()), None, "one at a time");
        passing.passed(NEAR, 1);
        assert_eq!(passing.take(0), []);
        passing.gone(FAR);
        assert_eq!((passing.take(0), passing.take(0)), (vec![one], vec![]), "once");
        passing.lost(three);
        assert_eq!(passing.ask(5, [NEAR].into_iter()), Some(2));
        passing.passed(NEAR, 1);
        assert_eq!((passing.take(5), passing.deadline()), (vec![], Some(5 + GATHER_MS)));
        assert_eq!(passing.take(5 + GATHER_MS), [two], "not for ever");
        passing.ended(one);
        assert_eq!(passing.ask(9, [].into_iter()), Some(3));
        assert_eq!(passing.take(9), [one], "there is nobody");
    }
}
