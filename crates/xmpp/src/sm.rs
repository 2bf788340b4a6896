//! Stream management (XEP-0198 1.6): the counters, and the queue of what the peer has not acknowledged. The
//! elements and the life of a stream are with who owns the stream.

use std::collections::VecDeque;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A count of handled or sent stanzas, modulo 2^32 (XEP-0198 4): after 2^32 - 1 comes 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Counter(pub u32);

impl Counter {
    /// One more.
    #[must_use]
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// `n` more.
    #[must_use]
    pub fn plus(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// How far `self` is ahead of `earlier`, modulo 2^32.
    pub fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Reads an `h` attribute (XML Schema `unsignedInt`).
impl FromStr for Counter {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.trim().parse().map(Self)
    }
}

/// The peer acknowledged what was not sent (XEP-0198 7, `handled-count-too-high`). It ends the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("acknowledged {h}, but only {sent} were sent")]
pub struct StreamManagementError {
    /// The count that the peer named.
    pub h: u32,
    /// The count of what was sent.
    pub sent: u32,
}

/// Items, numbered from 1, that the peer has not acknowledged, oldest first. How many and how large they may
/// become is for the owner to limit: [`len`](Self::len) and [`bytes`](Self::bytes) say.
#[derive(Debug, Clone)]
pub struct Unacknowledged<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    acknowledged: Counter,
}

impl<T> Default for Unacknowledged<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Unacknowledged<T> {
    /// Nothing sent, nothing acknowledged.
    pub fn new() -> Self {
        Self::starting_at(Counter::default())
    }

    /// Empty, with all up to `acknowledged` sent and acknowledged before (a resumed stream).
    pub fn starting_at(acknowledged: Counter) -> Self {
        Self { items: VecDeque::new(), bytes: 0, acknowledged }
    }

    /// Adds an item that is being sent and counts for `bytes`; returns its number.
    pub fn push(&mut self, item: T, bytes: usize) -> Counter {
        self.items.push_back((item, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.sent()
    }

    /// Drops all up to `h`, giving each to `settled`, oldest first. Naming the last `h` again is no error.
    ///
    /// # Errors
    /// An `h` beyond what was sent; the queue is as before. One behind the last `h` is refused as well: it cannot
    /// be told from one 2^32 ahead.
    pub fn acknowledge(
        &mut self,
        h: Counter,
        mut settled: impl FnMut(T),
    ) -> Result<(), StreamManagementError> {
        let sent = self.sent();
        let count = h.since(self.acknowledged);
        if count > sent.since(self.acknowledged) {
            return Err(StreamManagementError { h: h.0, sent: sent.0 });
        }
        self.acknowledged = h;
        for _ in 0..count {
            let Some((item, bytes)) = self.items.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(bytes);
            settled(item);
        }
        Ok(())
    }

    /// How many are unacknowledged.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether all is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Their bytes, as `push` was told.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the last item pushed.
    pub fn sent(&self) -> Counter {
        // Counts are modulo 2^32 all along; that many items fit no memory.
        self.acknowledged.plus(self.items.len() as u32)
    }

    /// The last `h`.
    pub fn acknowledged(&self) -> Counter {
        self.acknowledged
    }

    /// The unacknowledged, oldest first: what is sent again after a resumption.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        self.items.iter().map(|(item, _)| item)
    }
}

impl<T> IntoIterator for Unacknowledged<T> {
    type Item = T;
    type IntoIter = std::iter::Map<std::collections::vec_deque::IntoIter<(T, usize)>, fn((T, usize)) -> T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter().map(|(item, _)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `pushed` items on a stream where `start` were acknowledged before, then acknowledges each of `hs`.
    /// Expected: what was settled and the error, if any, after each.
    fn check(start: u32, pushed: u32, hs: &[u32], expected: &[Result<u32, (u32, u32)>]) {
        let mut queue = Unacknowledged::starting_at(Counter(start));
        for n in 1..=pushed {
            assert_eq!(queue.push(n, 10), Counter(start).plus(n), "start {start}");
        }
        let mut next = 1;
        for (h, expected) in hs.iter().zip(expected) {
            let mut settled = 0;
            let outcome = queue.acknowledge(Counter(*h), |item| {
                assert_eq!(item, next, "oldest first: start {start}, h {h}");
                next += 1;
                settled += 1;
            });
            let outcome = outcome.map(|()| settled).map_err(|e| (e.h, e.sent));
            assert_eq!(outcome, *expected, "XEP-0198 4, 7: start {start}, h {h}");
            assert_eq!(queue.bytes(), queue.len() * 10);
            assert_eq!(queue.sent(), Counter(start).plus(pushed), "what was sent does not change");
        }
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), (next..=pushed).collect::<Vec<_>>());
        assert_eq!(queue.into_iter().count() as u32, pushed + 1 - next);
    }

    #[test]
    fn acknowledgements() {
        const MAX: u32 = u32::MAX;
        check(0, 5, &[0, 3, 3, 5], &[Ok(0), Ok(3), Ok(0), Ok(2)]);
        // XEP-0198 7: more than was sent; the example's own numbers.
        check(0, 8, &[10, 8], &[Err((10, 8)), Ok(8)]);
        check(0, 0, &[1, 0], &[Err((1, 0)), Ok(0)]);
        // Going back.
        check(0, 5, &[4, 3, 5], &[Ok(4), Err((3, 5)), Ok(1)]);
        check(7, 2, &[6, 0, 9], &[Err((6, 9)), Err((0, 9)), Ok(2)]);
        // XEP-0198 4: from 2^32 - 1 back to 0.
        check(MAX - 1, 4, &[MAX, 0, 1, 2], &[Ok(1), Ok(1), Ok(1), Ok(1)]);
        check(MAX - 1, 4, &[1, MAX, 3, 2], &[Ok(3), Err((MAX, 2)), Err((3, 2)), Ok(1)]);
        check(MAX, 1, &[1, 0], &[Err((1, 0)), Ok(1)]);
    }

    #[test]
    fn counters() {
        assert_eq!(Counter(u32::MAX).next(), Counter(0));
        assert_eq!(Counter(3).since(Counter(u32::MAX)), 4);
        for (text, expected) in
            [("0", Some(0)), ("4294967295", Some(u32::MAX)), ("4294967296", None), ("-1", None), ("", None)]
        {
            assert_eq!(text.parse::<Counter>().ok(), expected.map(Counter), "{text}");
        }
    }
}
