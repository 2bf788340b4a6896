//! The run while it goes on: a line for people, and waiting for the clients.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::process::Usage;
use crate::run::{Event, Run};

/// Quiet is not waited for longer than this.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// The line that tells a person how the run goes: rewritten on a terminal, one more elsewhere.
pub(crate) struct ProgressLine<'a> {
    run: &'a Run,
    is_terminal: bool,
    ticks: tokio::time::Interval,
    started: Instant,
    work_began: Option<Instant>,
    last: Option<(Instant, u64, Duration)>,
}

impl<'a> ProgressLine<'a> {
    pub(crate) fn new(run: &'a Run) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { run, is_terminal, ticks, started: Instant::now(), work_began: None, last: None }
    }

    pub(crate) fn work_began(&mut self, at: Instant) {
        self.work_began = Some(at);
    }

    /// Waits for an event of each of `count` groups.
    pub(crate) async fn until_all(
        &mut self,
        inbox: &mut mpsc::UnboundedReceiver<Event>,
        count: usize,
        mut on_event: impl FnMut(&Event),
    ) {
        let mut seen = 0;
        while seen < count {
            tokio::select! {
                Some(event) = inbox.recv() => { on_event(&event); seen += 1; }
                _ = self.ticks.tick() => self.print(),
            }
        }
    }

    /// Waits until nothing has been read for the run's settling time.
    pub(crate) async fn until_quiet(&mut self) {
        let read = || self.run.tally.stanzas_read.load(Ordering::Relaxed);
        let began = Instant::now();
        let (mut last, mut since) = (read(), began);
        while since.elapsed() < self.run.settle && began.elapsed() < SETTLE_MAX {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if read() != last {
                (last, since) = (read(), Instant::now());
            }
        }
    }

    fn print(&mut self) {
        if self.run.is_quiet {
            return;
        }
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (tally, now) = (&self.run.tally, Instant::now());
        let usage = Usage::total(&self.run.usage());
        let done = if self.work_began.is_some() {
            load(&tally.received).max(load(&tally.sent))
        } else {
            load(&tally.logged_in)
        };
        let (mut rate, mut share) = (0.0, 0.0);
        if let Some((then, done_then, cpu_then)) = self.last {
            let seconds = (now - then).as_secs_f64().max(1e-3);
            rate = done.saturating_sub(done_then) as f64 / seconds;
            share = 100.0 * usage.cpu.saturating_sub(cpu_then).as_secs_f64() / seconds;
        }
        self.last = Some((now, done, usage.cpu));
        let mut line = format!(
            "{} {:4.0} s  logged in {}  sent {}  received {}  {rate:.0}/s  doubled {}  out of order {}",
            self.run.name,
            self.started.elapsed().as_secs_f64(),
            load(&tally.logged_in),
            load(&tally.sent),
            load(&tally.received),
            load(&tally.doubled),
            load(&tally.out_of_order),
        );
        let lost = load(&tally.lost_connections);
        if lost > 0 {
            line.push_str(&format!("  connections lost {lost}, back {}", load(&tally.came_back)));
        }
        if usage.processes > 0 {
            let mebibytes = usage.resident_bytes >> 20;
            line.push_str(&format!("  server {share:.0} % cpu, {mebibytes} MiB"));
        }
        let (begin, end) = if self.is_terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let _ = write!(std::io::stderr(), "{begin}{line}{end}");
    }

    pub(crate) fn finish(&mut self) {
        if self.is_terminal && !self.run.is_quiet {
            let _ = writeln!(std::io::stderr());
        }
    }
}
