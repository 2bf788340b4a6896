//! A rate limit that holds a client back and never ends its stream.

use std::time::Duration;

use crate::limits::{RATE_BURST_BYTES, RATE_BYTES_PER_SECOND};

/// A token bucket over bytes. What was read is always accepted; the answer is how long to read no more.
///
/// Time is a [`Duration`] since any fixed moment, of a clock that does not go back; if it does, no time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    bytes_per_second: u32,
    burst_bytes: u32,
    /// Bytes that may be read now, times 10^9. Negative: a debt, while reading is held. It saturates at more than
    /// 9 GB either way.
    level: i64,
    updated: Duration,
}

const NANO: i64 = 1_000_000_000;

/// The fullest bucket fits.
const _: () = assert!(u32::MAX as i64 <= i64::MAX / NANO);

impl RateLimit {
    /// A full bucket. Both figures count as 1 at least.
    pub fn new(bytes_per_second: u32, burst_bytes: u32, now: Duration) -> Self {
        let burst_bytes = burst_bytes.max(1);
        Self {
            bytes_per_second: bytes_per_second.max(1),
            burst_bytes,
            level: i64::from(burst_bytes) * NANO,
            updated: now,
        }
    }

    /// The defaults of [`crate::limits`] for clients.
    pub fn for_client(now: Duration) -> Self {
        Self::new(RATE_BYTES_PER_SECOND, RATE_BURST_BYTES, now)
    }

    /// Takes `bytes` that were read at `now`; answers how long not to read again. Zero: read on.
    pub fn take(&mut self, bytes: usize, now: Duration) -> Duration {
        self.refill(now);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.level = self.level.saturating_sub(bytes.saturating_mul(NANO));
        self.delay()
    }

    /// How many bytes can be read at `now` without a delay: a bound for the next read.
    pub fn available(&mut self, now: Duration) -> usize {
        self.refill(now);
        usize::try_from((self.level / NANO).max(0)).unwrap_or(usize::MAX)
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.updated);
        self.updated = self.updated.max(now);
        let passed = i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX);
        let gained = passed.saturating_mul(i64::from(self.bytes_per_second));
        self.level = self.level.saturating_add(gained).min(i64::from(self.burst_bytes) * NANO);
    }

    fn delay(&self) -> Duration {
        let debt = self.level.min(0).unsigned_abs();
        Duration::from_nanos(debt.div_ceil(u64::from(self.bytes_per_second)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_burst_passes_and_a_debt_is_waited_for() {
        let mut rate = RateLimit::new(10_000, 50_000, ms(0));
        // (bytes, at, delay)
        for (bytes, at, delay) in [
            (50_000, ms(0), ms(0)),
            (1, ms(0), Duration::from_micros(100)),
            (9_999, ms(0), ms(1_000)),
            (0, ms(1_000), ms(0)),
            (10_000, ms(2_000), ms(0)),
            (20_000, ms(2_000), ms(2_000)),
            (0, ms(3_000), ms(1_000)),
            (50_000, ms(600_000), ms(0)), // A pause refills to the burst, no further.
            (10_000, ms(600_000), ms(1_000)),
            (0, ms(5), ms(1_000)), // A clock that goes back.
        ] {
            assert_eq!(rate.take(bytes, at), delay, "{bytes} at {at:?}");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut rate = RateLimit::new(0, 0, ms(0));
        assert!(rate.take(usize::MAX, ms(0)) > ms(1_000));
        rate.take(usize::MAX, Duration::MAX);
        assert_eq!(RateLimit::new(u32::MAX, u32::MAX, ms(0)).available(Duration::MAX), u32::MAX as usize);
    }

    #[test]
    fn in_the_long_run_the_rate_holds() {
        let mut rate = RateLimit::for_client(ms(0));
        let (mut now, mut sent) = (Duration::ZERO, 0_u64);
        while sent < 10_000_000 {
            let delay = rate.take(4_096, now);
            sent += 4_096;
            now += delay;
        }
        let allowed = now.as_secs_f64() * f64::from(RATE_BYTES_PER_SECOND) + f64::from(RATE_BURST_BYTES);
        assert!((allowed - sent as f64).abs() < 2.0, "{sent} bytes in {now:?}");
    }
}
