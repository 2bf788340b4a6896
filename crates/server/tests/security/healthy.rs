//! The client that everybody else is to be spared for: it talks to itself all the while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::server::{Server, address, wait_for};

/// Who it is. It has an account of its own.
pub(crate) const HEALTHY: &str = "healthy@example.org/phone";

/// See the module. It ends with the row, and has then to have been served to the last.
pub(crate) struct Healthy {
    times: Arc<Mutex<Vec<Duration>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// What it took before the row began.
    alone: Duration,
}

impl Healthy {
    pub(crate) fn start(server: &Server) -> Self {
        server.account("healthy@example.org");
        let mut client = Client::online(server, address("healthy"), HEALTHY);
        let times = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (taken, ends) = (Arc::clone(&times), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let begun = Instant::now();
                client.talk_to_itself(HEALTHY);
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
                std::thread::park_timeout(Duration::from_millis(2));
            }
        });
        let mut healthy = Self { times, is_over, thread: Some(thread), alone: Duration::ZERO };
        healthy.alone = healthy.has_talked(100);
        healthy
    }

    /// Waits until it has talked so often since this was last asked. In what time 99 of 100 of its messages came back:
    /// to be shown, for times belong to a machine.
    pub(crate) fn has_talked(&self, count: usize) -> Duration {
        let times = || self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = || self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        wait_for("the healthy client", || is_over() || times().len() >= count);
        assert!(!is_over(), "the healthy client is served no more");
        let mut times = std::mem::take(&mut *times());
        times.sort_unstable();
        times[times.len() * 99 / 100]
    }
}

impl Drop for Healthy {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let within = self.has_talked(1);
            println!("a healthy client: 99 of 100 within {within:?}, by itself within {:?}", self.alone);
        }
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()),
            "it was served to the last"
        );
    }
}
