//! What was taken already is not taken again: a window over the numbers of each sender's datagrams.

use std::collections::BTreeMap;

use stentor_engine::MemberId;

use super::Refusal;
use crate::limits::GOSSIP_SENDERS_MAX;

/// How far behind the highest number another one may be, as RFC 4303 3.4.3 has it.
const WIDTH: u64 = 128;

/// The numbers taken from each sender.
#[derive(Debug, Default)]
pub(super) struct Replay {
    senders: BTreeMap<MemberId, Window>,
}

#[derive(Debug)]
struct Window {
    highest: u64,
    /// Bit n: whether `highest - n` was taken.
    taken: u128,
}

impl Replay {
    /// Takes a number, once.
    ///
    /// # Errors
    /// It was taken before, or may have been; or there are more senders than any cluster has.
    pub(super) fn take(&mut self, sender: MemberId, number: u64) -> Result<(), Refusal> {
        let count = self.senders.len();
        let Some(window) = self.senders.get_mut(&sender) else {
            if count >= GOSSIP_SENDERS_MAX {
                return Err(Refusal::Stranger);
            }
            self.senders.insert(sender, Window { highest: number, taken: 1 });
            return Ok(());
        };
        if let Some(ahead) = number.checked_sub(window.highest).filter(|ahead| *ahead > 0) {
            window.taken = if ahead < WIDTH { window.taken << ahead | 1 } else { 1 };
            window.highest = number;
            return Ok(());
        }
        let behind = window.highest - number;
        if behind >= WIDTH || window.taken >> behind & 1 == 1 {
            return Err(Refusal::Replayed);
        }
        window.taken |= 1 << behind;
        Ok(())
    }

    /// Forgets all senders but some.
    pub(super) fn retain(&mut self, keep: impl Fn(MemberId) -> bool) {
        self.senders.retain(|sender, _| keep(*sender));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_taken_once_in_any_order() {
        let mut replay = Replay::default();
        let a = MemberId(1);
        for number in [10, 12, 11, 200, 73, 199] {
            assert_eq!(replay.take(a, number), Ok(()), "{number}");
            assert_eq!(replay.take(a, number), Err(Refusal::Replayed), "{number}");
        }
        // 10 is out of the window by now, as is all that may have been taken without being known.
        for number in [0, 10, 13, 72, 73, 200] {
            assert_eq!(replay.take(a, number), Err(Refusal::Replayed), "{number}");
        }
        assert_eq!(replay.take(a, u64::MAX), Ok(()));
        assert_eq!(replay.take(a, u64::MAX), Err(Refusal::Replayed));
        assert_eq!(replay.take(a, u64::MAX - 127), Ok(()));
        assert_eq!(replay.take(a, u64::MAX - 128), Err(Refusal::Replayed));
        assert_eq!(replay.take(MemberId(2), 10), Ok(()), "each sender has its own");
    }

    #[test]
    fn senders_are_bounded() {
        let mut replay = Replay::default();
        for sender in 0..GOSSIP_SENDERS_MAX as u64 {
            assert_eq!(replay.take(MemberId(sender), 1), Ok(()));
        }
        assert_eq!(replay.take(MemberId(u64::MAX), 1), Err(Refusal::Stranger));
        replay.retain(|sender| sender.0 != 0);
        assert_eq!(replay.take(MemberId(u64::MAX), 1), Ok(()));
    }
}
