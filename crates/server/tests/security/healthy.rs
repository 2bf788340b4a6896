//! The client that everybody else is to be spared for: it talks to itself all the while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::server::{Server, address, wait_for};

/// See the module.
pub(crate) struct Healthy {
    times: Arc<Mutex<Vec<Duration>>>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Healthy {
    pub(crate) fn start(server: &Server) -> Self {
        server.account("healthy@example.org");
        let mut client = Client::online(server, address("healthy"), "healthy@example.org/phone");
        let times = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (taken, ends) = (Arc::clone(&times), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                // A headline, of which nothing is kept.
                let begun = Instant::now();
                client.send(
                    "<message to='healthy@example.org/phone' type='headline'><body>well</body></message>",
                );
                client.until("<body>well</body>");
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
                std::thread::park_timeout(Duration::from_millis(2));
            }
        });
        Self { times, is_over, thread }
    }

    /// Waits until it has talked so often since this was last asked. In what time 99 of 100 of its messages came back:
    /// to be shown, for times belong to a machine.
    pub(crate) fn has_talked(&self, count: usize) -> Duration {
        let times = || self.times.lock().unwrap_or_else(PoisonError::into_inner);
        wait_for("the healthy client", || self.thread.is_finished() || times().len() >= count);
        assert!(!self.thread.is_finished(), "the healthy client is served no more");
        let mut times = std::mem::take(&mut *times());
        times.sort_unstable();
        times[times.len() * 99 / 100]
    }

    pub(crate) fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}
