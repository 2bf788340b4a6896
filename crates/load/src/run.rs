//! One run: groups of clients enter, work at the same moment, and leave, while the server's use of processor and
//! memory is read at the points between.

use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, watch};

use crate::link::{Link, LinkError, Next};
use crate::live::ProgressLine;
use crate::process::{self, Process};
use crate::tally::Tally;
use crate::target::Target;

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

    /// What each process of the server uses at this moment.
    pub(crate) fn usage(&self) -> Vec<Process> {
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
    /// Sees each stanza that a client (the full JID) reads while nothing is to be done, until all leave.
    fn witness(&self) -> impl FnMut(&str, &str) + Send + use<Self> {
        |_, _| {}
    }
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
pub(crate) enum Event {
    Entered { is_in: bool },
    Finished,
}

/// What was measured.
pub(crate) struct Measured {
    pub(crate) duration: Duration,
    /// Before the first login, when the work began, and when it ended.
    pub(crate) before: Vec<Process>,
    pub(crate) start: Vec<Process>,
    pub(crate) end: Vec<Process>,
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
    let (mut witness, leaving) = (group.witness(), phase.clone());
    let witness = |jid: &str, text: &str| {
        if *leaving.borrow() != Phase::Leave {
            witness(jid, text);
        }
    };
    tokio::select! {
        _ = phase.wait_for(|phase| *phase == wanted) => {}
        () = drain(group.links(), run, witness) => {}
    }
}

/// Reads and answers what arrives, for ever. A connection that breaks is counted and dropped; the others go on.
pub(crate) async fn drain(links: &mut Vec<Link>, run: &Run, mut witness: impl FnMut(&str, &str)) {
    let mut text = String::new();
    loop {
        let mut broken = links.iter_mut().map(|link| read(link, run, &mut text, &mut witness)).zip(0..);
        let broken = match broken.find_map(|(read, index)| read.err().map(|error| (index, error))) {
            Some(broken) => broken,
            None => match progress_of_each(links).await {
                Ok(()) => continue,
                Err(broken) => broken,
            },
        };
        run.tally.error(&broken.1);
        links.remove(broken.0);
    }
}

/// Takes all that one connection has brought.
fn read(
    link: &mut Link,
    run: &Run,
    text: &mut String,
    witness: &mut impl FnMut(&str, &str),
) -> Result<(), LinkError> {
    loop {
        match link.next(text)? {
            Next::Element => {
                Tally::add(&run.tally.stanzas_read, 1);
                witness(&link.jid, text);
            }
            Next::Nothing => return Ok(()),
            Next::End => return Err(LinkError::Closed),
        }
    }
}

/// Waits until one of `links` has read something, writing what is due on all of them. Pending output never
/// keeps a link from reading, so a server that pushes back cannot lock the clients up.
pub(crate) async fn progress(links: &mut [Link]) -> Result<(), LinkError> {
    progress_of_each(links).await.map_err(|(_, error)| error)
}

/// [`progress`], with the place of the link that broke.
async fn progress_of_each(links: &mut [Link]) -> Result<(), (usize, LinkError)> {
    std::future::poll_fn(|cx| {
        let mut is_ready = false;
        for (index, link) in links.iter_mut().enumerate() {
            is_ready |= link.poll_progress(cx).map_err(|error| (index, error))?.is_ready();
        }
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}
