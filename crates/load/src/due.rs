//! When messages were due.

use std::collections::VecDeque;
use std::time::Instant;

/// When each message of a flow was due, until it arrives.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// From the `first`th message on; `None` once it arrived.
    at: VecDeque<Option<Instant>>,
    first: u64,
}

impl Due {
    /// The next message was due then.
    pub(crate) fn push(&mut self, due: Instant) {
        self.at.push_back(Some(due));
    }

    /// When the `n`th message was due; once for each.
    pub(crate) fn take(&mut self, n: u64) -> Option<Instant> {
        let place = n.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let due = place.and_then(|at| self.at.get_mut(at)).and_then(Option::take);
        while let Some(None) = self.at.front() {
            self.at.pop_front();
            self.first += 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once() {
        let (mut due, now) = (Due::default(), Instant::now());
        (0..3).for_each(|_| due.push(now));
        let found = [1, 0, 0, 1, 2, 2, 9].map(|n| due.take(n).is_some());
        assert_eq!(found, [true, true, false, false, true, false, false]);
        due.push(now);
        assert_eq!((due.take(3), due.at.len()), (Some(now), 0));
    }
}
