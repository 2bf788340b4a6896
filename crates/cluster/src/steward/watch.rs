//! What is seen of the leases of others: a counter that has been read, and read again, unchanged, for longer than a
//! lease, is that of a member that is dead or stopped.

use crate::limits::{FENCE_STAGGER_MAX, FENCE_STAGGER_MS, FRESH_MS, OBSERVATION_GAP_MS, SILENT_MS};
use std::collections::BTreeMap;
use stentor_engine::MemberId;

#[derive(Debug)]
struct Seen {
    counter: u64,
    /// When it was first read. Its member renewed before, so its lease is counted from before.
    since: u64,
    /// How often it was seen to change.
    renewals: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: BTreeMap<MemberId, Seen>,
    /// When the last reading was asked for: nothing is known of what came after.
    asked: u64,
    /// When it was answered.
    answered: u64,
}

impl Watch {
    /// All counters, as they were read by a question that was sent at `asked` and answered at `now`.
    pub(super) fn read(&mut self, asked: u64, now: u64, counters: &[(MemberId, u64)]) {
        if now.saturating_sub(self.answered) > OBSERVATION_GAP_MS {
            self.restart();
        }
        (self.asked, self.answered) = (asked, now);
        let mut before = core::mem::take(&mut self.seen);
        for (member, counter) in counters {
            let seen = match before.remove(member) {
                Some(seen) if seen.counter == *counter => seen,
                Some(seen) => {
                    Seen { counter: *counter, since: now, renewals: seen.renewals.saturating_add(1) }
                }
                None => Seen { counter: *counter, since: now, renewals: 0 },
            };
            self.seen.insert(*member, seen);
        }
    }

    /// A reading failed: the observation begins anew.
    pub(super) fn restart(&mut self) {
        self.seen.clear();
    }

    /// The observation of this member begins anew: it was not as it seemed.
    pub(super) fn forget(&mut self, member: MemberId) {
        self.seen.remove(&member);
    }

    /// How often a member was seen to renew.
    pub(super) fn renewals(&self, member: MemberId) -> u32 {
        self.seen.get(&member).map_or(0, |seen| seen.renewals)
    }

    /// Whether a member may be fenced as far as this counter says, and by which counter.
    pub(super) fn silent(&self, member: MemberId) -> Option<u64> {
        self.silent_for(member, SILENT_MS)
    }

    /// The same for who is to act only if so many live members that come before have not.
    pub(super) fn silent_behind(&self, member: MemberId, before: usize) -> Option<u64> {
        let before = (before as u64).min(FENCE_STAGGER_MAX);
        self.silent_for(member, SILENT_MS + FENCE_STAGGER_MS * before)
    }

    fn silent_for(&self, member: MemberId, period: u64) -> Option<u64> {
        let seen = self.seen.get(&member)?;
        (self.asked >= seen.since + period).then_some(seen.counter)
    }

    /// Whether a member was seen to renew its lease, of late.
    pub(super) fn is_fresh(&self, member: MemberId) -> bool {
        self.seen.get(&member).is_some_and(|seen| seen.renewals > 0 && self.asked < seen.since + FRESH_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: MemberId = MemberId(2);

    /// Whether a member may be fenced after these readings: when each was sent and answered, and the counter.
    fn is_silent(readings: impl IntoIterator<Item = (u64, u64, Option<u64>)>) -> bool {
        let mut watch = Watch::default();
        for (asked, answered, counter) in readings {
            match counter {
                Some(counter) => watch.read(asked, answered, &[(OTHER, counter)]),
                None => watch.restart(),
            }
        }
        watch.silent(OTHER).is_some()
    }

    /// A reading each half second.
    fn each(until: u64, counter: impl Fn(u64) -> Option<u64>) -> Vec<(u64, u64, Option<u64>)> {
        (0..=until).step_by(500).map(|now| (now, now + 10, counter(now))).collect()
    }

    #[test]
    fn only_what_was_watched_all_the_time_is_silent() {
        assert!(is_silent(each(4_000, |_| Some(7))));
        assert!(!is_silent(each(3_000, |_| Some(7))), "not long enough");
        assert!(!is_silent(each(4_000, |now| Some(now / 2_000))), "it renewed");
        assert!(!is_silent(each(4_000, |now| (now != 2_000).then_some(7))), "a reading failed");
        assert!(is_silent(each(6_000, |now| (now != 2_000).then_some(7))), "and then none did");
        assert!(!is_silent([(0, 10, Some(7)), (10_000, 10_010, Some(7))]), "this process stood still");
        assert!(
            !is_silent([(0, 10, Some(7)), (500, 10_000, Some(7)), (10_000, 10_010, Some(7))]),
            "the store did"
        );
    }
}
