//! One run: groups of clients enter, work at the same moment, and leave, while the server's use of processor and
//! memory is read at the points between.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::check::Arrival;
use crate::link::{Link, LinkError, Next, progress};
use crate::process::{self, Usage};
use crate::target::Target;

/// Longer latencies count as this long.
const LATENCY_MICROSECONDS_MAX: u64 = 600_000_000;
/// Different error texts kept; more are counted together.
const ERROR_TEXTS_MAX: usize = 20;
/// Quiet is not waited for longer than this.
const SETTLE_MAX: Duration = Duration::from_secs(60);

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
    latency: Mutex<Histogram<u64>>,
    errors: Mutex<BTreeMap<String, u64>>,
    pub(crate) tls: Mutex<Option<String>>,
}

impl Tally {
    fn new() -> Self {
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
        let text = error.to_string();
        let is_known = errors.len() < ERROR_TEXTS_MAX || errors.contains_key(&text);
        *errors.entry(if is_known { text } else { "other errors".to_owned() }).or_default() += 1;
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn latencies(&self) -> Histogram<u64> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What all groups of a run share.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    /// Drawn anew for each run.
    pub(crate) number: u32,
    pub(crate) target: Target,
    pub(crate) tally: Tally,
    /// Logins under way at once.
    pub(crate) logins: Semaphore,
    /// The server's processes.
    pub(crate) server: Vec<u32>,
    /// With nothing arriving for so long, what was lost is lost.
    pub(crate) patience: Duration,
    /// Nothing must arrive for so long before the work begins.
    pub(crate) settle: Duration,
    pub(crate) is_quiet: bool,
    /// How often the work is done, or for how long.
    pub(crate) quota: Quota,
}

/// When a group has done its work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Quota {
    /// So many operations in all groups together.
    Operations(u64),
    For(Duration),
}

impl Run {
    pub(crate) fn new(
        name: &'static str,
        target: Target,
        options: &crate::cli::Common,
    ) -> std::io::Result<Self> {
        let mut number = [0; 4];
        getrandom::fill(&mut number).map_err(std::io::Error::other)?;
        Ok(Self {
            name,
            number: u32::from_ne_bytes(number),
            target,
            tally: Tally::new(),
            logins: Semaphore::new(options.login_concurrency.max(1)),
            server: options.server_pid.clone(),
            patience: options.patience.0,
            settle: options.settle.0,
            is_quiet: options.quiet,
            quota: options.quota(),
        })
    }

    /// Logs one client in, in its turn, and counts it.
    pub(crate) async fn log_in(&self, account: u32, resource: Option<&str>) -> Result<Link, LinkError> {
        let _turn = self.logins.acquire().await.map_err(|_| LinkError::Closed)?;
        let link = self.target.log_in(account, resource).await.inspect_err(|_| {
            Tally::add(&self.tally.failed_logins, 1);
        })?;
        Tally::add(&self.tally.logged_in, 1);
        let mut tls = self.tally.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if tls.is_none() {
            *tls = link.tls_name();
        }
        drop(tls);
        Ok(link)
    }

    fn usage(&self) -> Usage {
        process::usage(&self.server).unwrap_or_default()
    }

    /// One of `parts` equal shares of the quota's operations, the first ones taking what is left over.
    pub(crate) fn share(&self, part: u64, parts: u64) -> u64 {
        match self.quota {
            Quota::Operations(count) => count / parts + u64::from(part < count % parts),
            Quota::For(_) => u64::MAX,
        }
    }

    /// When the work ends by the clock.
    pub(crate) fn deadline(&self, start: Instant) -> Option<Instant> {
        match self.quota {
            Quota::Operations(_) => None,
            Quota::For(duration) => start.checked_add(duration),
        }
    }
}

/// Clients that one task drives together: the two of a pair, the contacts of one another, a single one.
pub(crate) trait Group: Send + 'static {
    /// Logs the clients in.
    fn enter(&mut self, run: &Run) -> impl Future<Output = Result<(), LinkError>> + Send;
    /// Does what is measured, until the quota is reached.
    fn work(&mut self, run: &Run) -> impl Future<Output = Result<(), LinkError>> + Send;
    /// Adds to the tally what is known at the end only.
    fn settle_accounts(&mut self, _run: &Run) {}
    /// The clients' connections.
    fn links(&mut self) -> &mut Vec<Link>;
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Enter,
    Work,
    Leave,
}

/// What a group tells of itself.
enum Event {
    Entered { is_in: bool },
    Finished,
}

/// What was measured.
pub(crate) struct Measured {
    pub(crate) duration: Duration,
    /// Before the first login, when the work began, and when it ended.
    pub(crate) before: Usage,
    pub(crate) start: Usage,
    pub(crate) end: Usage,
    pub(crate) generator_cpu: Duration,
}

/// Lets the groups enter, work and leave.
pub(crate) async fn conduct<G: Group>(run: &Arc<Run>, groups: Vec<G>) -> Measured {
    let before = run.usage();
    let (phase, _) = watch::channel(Phase::Enter);
    let (events, mut inbox) = mpsc::unbounded_channel();
    let count = groups.len();
    let tasks: Vec<_> = groups
        .into_iter()
        .map(|group| tokio::spawn(act(group, run.clone(), phase.subscribe(), events.clone())))
        .collect();
    let mut line = ProgressLine::new(run);
    let mut entered = 0;
    line.until_all(&mut inbox, count, |event| {
        entered += usize::from(matches!(event, Event::Entered { is_in: true }))
    })
    .await;
    line.until_quiet().await;

    let (start, start_generator, began) = (run.usage(), process::own_cpu(), Instant::now());
    line.work_began(began);
    let _ = phase.send(Phase::Work);
    let mut ended = began;
    line.until_all(&mut inbox, entered, |_| ended = Instant::now()).await;
    let (end, end_generator) = (run.usage(), process::own_cpu());
    let _ = phase.send(Phase::Leave);
    for task in tasks {
        let _ = task.await;
    }
    line.finish();
    Measured {
        duration: ended - began,
        before,
        start,
        end,
        generator_cpu: end_generator.saturating_sub(start_generator),
    }
}

/// One group's way through the run.
async fn act<G: Group>(
    mut group: G,
    run: Arc<Run>,
    mut phase: watch::Receiver<Phase>,
    events: mpsc::UnboundedSender<Event>,
) {
    let entered = group.enter(&run).await;
    let _ = events.send(Event::Entered { is_in: entered.is_ok() });
    if let Err(error) = entered {
        run.tally.error(&error);
        return;
    }
    hold(&mut group, &run, &mut phase, Phase::Work).await;
    if let Err(error) = group.work(&run).await {
        run.tally.error(&error);
    }
    group.settle_accounts(&run);
    let _ = events.send(Event::Finished);
    hold(&mut group, &run, &mut phase, Phase::Leave).await;
    for link in group.links() {
        // A server that does not answer the end of a stream is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(5), link.close()).await;
    }
}

/// Reads and answers what arrives until the phase comes.
async fn hold<G: Group>(group: &mut G, run: &Run, phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    let error = tokio::select! {
        _ = phase.wait_for(|phase| *phase == wanted) => return,
        error = drain(group.links(), run) => error,
    };
    run.tally.error(&error);
    let _ = phase.wait_for(|phase| *phase == wanted).await;
}

/// Reads and answers what arrives, until a connection breaks.
pub(crate) async fn drain(links: &mut [Link], run: &Run) -> LinkError {
    let mut text = String::new();
    loop {
        for link in links.iter_mut() {
            loop {
                match link.next(&mut text) {
                    Ok(Next::Element) => Tally::add(&run.tally.stanzas_read, 1),
                    Ok(Next::Nothing) => break,
                    Ok(Next::End) => return LinkError::Closed,
                    Err(error) => return error,
                }
            }
        }
        if links.is_empty() {
            std::future::pending::<()>().await;
        }
        if let Err(error) = progress(links).await {
            return error;
        }
    }
}

/// The line that tells a person how the run goes: rewritten on a terminal, now and then elsewhere.
struct ProgressLine<'a> {
    run: &'a Run,
    is_terminal: bool,
    ticks: tokio::time::Interval,
    started: Instant,
    work_began: Option<Instant>,
    last: Option<(Instant, u64, Duration)>,
}

impl<'a> ProgressLine<'a> {
    fn new(run: &'a Run) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let mut ticks = tokio::time::interval(Duration::from_secs(if is_terminal { 1 } else { 5 }));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { run, is_terminal, ticks, started: Instant::now(), work_began: None, last: None }
    }

    fn work_began(&mut self, at: Instant) {
        self.work_began = Some(at);
    }

    /// Waits for an event of each of `count` groups.
    async fn until_all(
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
    async fn until_quiet(&mut self) {
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
        let usage = self.run.usage();
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
            "{} {:4.0} s  logged in {}  sent {}  received {}  {rate:.0}/s  lost so far {}  doubled {}  out of order {}",
            self.run.name,
            self.started.elapsed().as_secs_f64(),
            load(&tally.logged_in),
            load(&tally.sent),
            load(&tally.received),
            load(&tally.lost),
            load(&tally.doubled),
            load(&tally.out_of_order),
        );
        if usage.processes > 0 {
            let mebibytes = usage.resident_bytes >> 20;
            line.push_str(&format!("  server {share:.0} % cpu, {mebibytes} MiB"));
        }
        let (begin, end) = if self.is_terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let _ = write!(std::io::stderr(), "{begin}{line}{end}");
    }

    fn finish(&mut self) {
        if self.is_terminal && !self.run.is_quiet {
            let _ = writeln!(std::io::stderr());
        }
    }
}
