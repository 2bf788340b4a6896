//! Sessions themselves: logins one after the other, and clients that are there and do nothing.

use std::time::{Duration, Instant};

use crate::link::{Link, LinkError};
use crate::mesh::Mesh;
use crate::run::{Group, Quota, Run, drain};
use crate::tally::Tally;

/// One account that logs in and out, again and again.
pub(crate) struct Logins {
    pub(crate) account: u32,
    pub(crate) number: u64,
    pub(crate) workers: u64,
    /// Between two logins of this account; `None` is flat out.
    pub(crate) interval: Option<Duration>,
    pub(crate) no_links: Vec<Link>,
}

impl Group for Logins {
    async fn enter(&mut self, run: &Run) -> Result<(), LinkError> {
        // The first login stretches the password; later ones find the result in the cache.
        run.log_in(self.account, None).await?.close().await;
        Ok(())
    }

    async fn work(&mut self, run: &Run) -> Result<(), LinkError> {
        let start = Instant::now();
        let deadline = run.deadline(start);
        let part = self.number as f64 / self.workers as f64;
        let mut due = start + self.interval.map_or(Duration::ZERO, |interval| interval.mul_f64(part));
        for _ in 0..run.share(self.number, self.workers) {
            let mut began = Instant::now();
            if let Some(interval) = self.interval {
                // Late logins count from when they were due: a slow server must not slow its own measure.
                began = due;
                tokio::time::sleep_until(due.into()).await;
                due += interval;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            Tally::add(&run.tally.sent, 1);
            match run.log_in(self.account, None).await {
                Ok(mut link) => {
                    run.tally.latency(began.elapsed());
                    Tally::add(&run.tally.received, 1);
                    let _ = tokio::time::timeout(Duration::from_secs(5), link.close()).await;
                }
                Err(error) => run.tally.error(&error),
            }
        }
        Ok(())
    }

    fn links(&mut self) -> &mut Vec<Link> {
        &mut self.no_links
    }
}

/// Contacts of one another that are available and silent.
pub(crate) struct Idle(pub(crate) Mesh);

impl Group for Idle {
    async fn enter(&mut self, run: &Run) -> Result<(), LinkError> {
        self.0.enter(run).await
    }

    async fn work(&mut self, run: &Run) -> Result<(), LinkError> {
        let duration = match run.quota {
            Quota::For(duration) => duration,
            Quota::Operations(_) => Duration::ZERO,
        };
        let _ = tokio::time::timeout(duration, drain(&mut self.0.links, run, |_, _| {})).await;
        Ok(())
    }

    fn links(&mut self) -> &mut Vec<Link> {
        &mut self.0.links
    }
}
