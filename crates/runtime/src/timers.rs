//! The arbiter's one timer wheel.

use std::task::{Context, Poll};
use std::time::Duration;
use stentor_engine::{Epoch, Key};
use tokio_util::time::DelayQueue;

/// Whom a timer is for.
#[derive(Debug)]
pub(crate) enum Timer {
    /// An entity, which knows what the token means, and the epoch in which it asked.
    Entity(Key, Epoch, u64),
    /// An entity that had nothing to do.
    Idle(Key),
    /// A session, by its serial.
    Session(u64, u64),
}

/// Timers of one arbiter.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    wheel: DelayQueue<Timer>,
}

impl Timers {
    /// Runs out after so long.
    pub(crate) fn insert(&mut self, after: Duration, timer: Timer) {
        self.wheel.insert(timer, after);
    }

    /// The next that has run out.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Timer> {
        match self.wheel.poll_expired(context) {
            Poll::Ready(Some(expired)) => Poll::Ready(expired.into_inner()),
            // An empty wheel wakes its poller when something is inserted.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
