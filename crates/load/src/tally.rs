//! What the clients of a run count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::check::Arrival;
use crate::link::LinkError;

/// Longer latencies count as this long.
const LATENCY_MICROSECONDS_MAX: u64 = 600_000_000;
/// Different error texts kept; more are counted together.
const ERROR_TEXTS_MAX: usize = 20;

/// What the clients of a run count together.
pub(crate) struct Tally {
    pub(crate) logged_in: AtomicU64,
    pub(crate) failed_logins: AtomicU64,
    /// Stanzas with an identity.
    pub(crate) sent: AtomicU64,
    /// Different ones that arrived, at each receiver.
    pub(crate) received: AtomicU64,
    /// All stanzas read: quiet is when this stands still.
    pub(crate) stanzas_read: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) doubled: AtomicU64,
    pub(crate) out_of_order: AtomicU64,
    /// Arrived changed, or never sent.
    pub(crate) corrupted: AtomicU64,
    /// Came back as an error.
    pub(crate) refused: AtomicU64,
    /// Not acknowledged at the end, with stream management.
    pub(crate) unacknowledged: AtomicU64,
    /// Of a failover, by clients.
    pub(crate) lost_connections: AtomicU64,
    pub(crate) came_back: AtomicU64,
    latency: Mutex<Histogram<u64>>,
    /// By what they have in common: the first one's text, and how many there were.
    errors: Mutex<BTreeMap<String, (String, u64)>>,
    pub(crate) tls: Mutex<Option<String>>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        let latency = Histogram::new_with_bounds(1, LATENCY_MICROSECONDS_MAX, 3)
            .expect("1 to 6e8 at 3 digits are bounds that a histogram takes");
        Self {
            logged_in: zero(),
            failed_logins: zero(),
            sent: zero(),
            received: zero(),
            stanzas_read: zero(),
            lost: zero(),
            doubled: zero(),
            out_of_order: zero(),
            corrupted: zero(),
            refused: zero(),
            unacknowledged: zero(),
            lost_connections: zero(),
            came_back: zero(),
            latency: Mutex::new(latency),
            errors: Mutex::new(BTreeMap::new()),
            tls: Mutex::new(None),
        }
    }

    /// Counts `more`.
    pub(crate) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// Counts what an arrival was.
    pub(crate) fn arrival(&self, arrival: Arrival) {
        match arrival {
            Arrival::InOrder => Self::add(&self.received, 1),
            Arrival::OutOfOrder => {
                Self::add(&self.received, 1);
                Self::add(&self.out_of_order, 1);
            }
            Arrival::Doubled => Self::add(&self.doubled, 1),
            Arrival::NeverSent => Self::add(&self.corrupted, 1),
        }
    }

    pub(crate) fn latency(&self, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(microseconds.max(1));
    }

    pub(crate) fn error(&self, error: &LinkError) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut common = error.in_common();
        let mut text = error.to_string();
        if errors.len() >= ERROR_TEXTS_MAX && !errors.contains_key(&common) {
            (common, text) = ("other errors".to_owned(), "other errors".to_owned());
        }
        errors.entry(common).or_insert((text, 0)).1 += 1;
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn latencies(&self) -> Histogram<u64> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_that_lack_are_told_together() {
        let tally = Tally::new();
        for number in 4..=30 {
            tally.error(&LinkError::NotAuthorized { jid: format!("load{number}@example.org") });
        }
        (1..=30).for_each(|seconds| tally.error(&LinkError::Timeout(seconds)));
        let errors = tally.errors();
        let lacking = "login: not-authorized: no such account, or it has another password; `stentor-load prepare` makes \
                       accounts; the first was load4@example.org";
        assert_eq!((errors.get(lacking), errors.get("other errors")), (Some(&27), Some(&11)));
        assert_eq!(errors.len(), ERROR_TEXTS_MAX + 1);
    }
}
