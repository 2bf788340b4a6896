//! A timer for what is looked at often and seldom due.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// By less it is not moved.
const TOLERANCE: Duration = Duration::from_millis(1);

/// See the module. It is put forward, but never back: each move costs tokio a system call and a return from the next, and
/// most of the time what it is for is done by something else before.
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self { sleep: Box::pin(sleep(Duration::ZERO)), at: Instant::now() }
    }

    /// Goes off after so long, or before.
    pub(super) fn within(&mut self, wait: Duration) {
        let at = Instant::now() + wait;
        if at + TOLERANCE < self.at || self.sleep.is_elapsed() {
            self.sleep.as_mut().reset(at);
            self.at = at;
        }
    }

    /// Whether it has gone off; it is to be set again then.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(context)
    }
}
