//! The clock by which leases hold: it goes on while the system sleeps, and nobody sets it.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Linux has one that counts the time in which the system was suspended; elsewhere leases hold on that of the process.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Since the system started.
pub(super) fn now() -> Duration {
    let now = clock_gettime(CLOCK);
    // Neither is ever negative on this clock.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The same, in milliseconds, as stewards and links count.
pub(super) fn now_ms() -> u64 {
    u64::try_from(now().as_millis()).unwrap_or(u64::MAX)
}
