//! The arbiter's one timer wheel.

use smallvec::SmallVec;
use std::collections::HashMap;
use std::task::{Context, Poll};
use std::time::Duration;
use stentor_engine::{Epoch, Key};
use tokio_util::time::{DelayQueue, delay_queue};

/// Whom a timer is for.
#[derive(Debug)]
pub(crate) enum Timer {
    /// An entity, which knows what the token means, and the epoch in which it asked.
    Entity(Key, Epoch, u64),
    /// An entity that had nothing to do.
    Idle(Key),
    /// A session, by its serial.
    Session(u64, u64),
    /// Sessions ended a while ago.
    Ended,
}

/// Timers of one arbiter.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    wheel: DelayQueue<Timer>,
    /// Those of sessions, which go with them: connections that come and go leave nothing behind.
    of_sessions: HashMap<u64, SmallVec<[delay_queue::Key; 2]>>,
}

/// Room for timers that is kept however few there are.
const ROOM_MIN: usize = 1_024;

impl Timers {
    /// Runs out after so long.
    pub(crate) fn insert(&mut self, after: Duration, timer: Timer) {
        let session = if let Timer::Session(serial, _) = timer { Some(serial) } else { None };
        let key = self.wheel.insert(timer, after);
        if let Some(serial) = session {
            self.of_sessions.entry(serial).or_default().push(key);
        }
    }

    /// The next that has run out.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Timer> {
        match self.wheel.poll_expired(context) {
            Poll::Ready(Some(expired)) => {
                if let Timer::Session(serial, _) = expired.get_ref()
                    && let Some(keys) = self.of_sessions.get_mut(serial)
                {
                    keys.retain(|key| *key != expired.key());
                }
                Poll::Ready(expired.into_inner())
            }
            // An empty wheel wakes its poller when something is inserted.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// The session is gone.
    pub(crate) fn forget(&mut self, serial: u64) {
        for key in self.of_sessions.remove(&serial).unwrap_or_default() {
            self.wheel.try_remove(&key);
        }
        // After a crowd: what it took is given back. Each time there must have been as many to make room for.
        if self.wheel.capacity() > 4 * self.wheel.len().max(ROOM_MIN) {
            self.wheel.compact();
            self.of_sessions.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// S020.
    #[tokio::test(start_paused = true)]
    async fn timers_go_with_their_session() {
        let mut timers = Timers::default();
        for serial in 0..5_000 {
            timers.insert(Duration::from_secs(30), Timer::Session(serial, 0));
            timers.insert(Duration::from_secs(1 + serial % 2), Timer::Session(serial, 1));
            timers.insert(Duration::from_secs(300), Timer::Session(serial, 2));
        }
        (1..5_000).for_each(|serial| timers.forget(serial));
        assert_eq!((timers.wheel.len(), timers.of_sessions.len()), (3, 1));
        assert!(timers.wheel.capacity() <= 4 * ROOM_MIN, "{}", timers.wheel.capacity());
        // Those who stay are told all, in time; also of what came behind.
        timers.insert(Duration::from_secs(60), Timer::Session(7, 3));
        let mut told = Vec::new();
        for _ in 0..4 {
            match poll_fn(|context| timers.poll(context)).await {
                Timer::Session(serial, token) => told.push((serial, token)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(told, [(0, 1), (0, 0), (7, 3), (0, 2)]);
        timers.forget(0);
        timers.forget(7);
        assert_eq!(timers.of_sessions.len(), 0);
    }
}
