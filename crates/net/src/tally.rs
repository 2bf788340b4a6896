//! Counts that are forgotten after a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Counts by key, each for `window` from its first. There are at most `keys_max`; beyond, some other is forgotten.
#[derive(Debug)]
pub(crate) struct Tallies<K> {
    counts: HashMap<K, (u32, Instant)>,
    window: Duration,
    keys_max: usize,
}

impl<K: Clone + Eq + Hash> Tallies<K> {
    pub(crate) fn new(window: Duration, keys_max: usize) -> Self {
        Self { counts: HashMap::new(), window, keys_max }
    }

    /// How many there were within the window.
    pub(crate) fn count(&self, key: &K, now: Instant) -> u32 {
        match self.counts.get(key) {
            Some((count, since)) if now.saturating_duration_since(*since) < self.window => *count,
            _ => 0,
        }
    }

    /// One more.
    pub(crate) fn add(&mut self, key: K, now: Instant) {
        let count = self.count(&key, now);
        if count > 0 {
            if let Some((count, _)) = self.counts.get_mut(&key) {
                *count = count.saturating_add(1);
            }
            return;
        }
        if self.counts.len() >= self.keys_max && !self.counts.contains_key(&key) {
            // Looking for the oldest would cost time that whoever fills the map is after.
            let other = self.counts.keys().next().cloned();
            other.and_then(|other| self.counts.remove(&other));
        }
        self.counts.insert(key, (1, now));
    }

    /// One less.
    pub(crate) fn take_back(&mut self, key: &K) {
        if let Some((count, _)) = self.counts.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_end_with_their_window_and_are_bounded() {
        let begun = Instant::now();
        let mut tallies = Tallies::new(Duration::from_secs(60), 3);
        let at = |seconds| begun + Duration::from_secs(seconds);
        for n in 1..=5 {
            tallies.add("a", at(n));
            assert_eq!(tallies.count(&"a", at(n)), n as u32);
        }
        tallies.take_back(&"a");
        tallies.take_back(&"nobody");
        assert_eq!(tallies.count(&"a", at(60)), 4);
        assert_eq!(tallies.count(&"a", at(61)), 0);
        tallies.add("a", at(61));
        assert_eq!(tallies.count(&"a", at(61)), 1);
        for key in ["b", "c", "d", "e"] {
            tallies.add(key, at(61));
            assert!(tallies.len() <= 3);
        }
        assert_eq!(tallies.count(&"e", at(61)), 1);
    }
}
