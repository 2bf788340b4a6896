//! Contacts that change their presence: each change goes to all other members of the mesh.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::check::{Arrivals, Identity};
use crate::element;
use crate::link::{Link, LinkError, Next};
use crate::mesh::Mesh;
use crate::run::{Group, Run, progress};
use crate::tally::Tally;

/// A mesh with what each member sent.
pub(crate) struct Presences {
    mesh: Mesh,
    senders: Vec<Sender>,
    window: u64,
    /// Between two changes of one client; `None` is flat out.
    interval: Option<Duration>,
    /// Clients in the run.
    clients: u32,
    first_of_run: u32,
}

/// What one member sent and where it arrived.
struct Sender {
    account: u32,
    quota: u64,
    sent: u64,
    /// At each member; the sender's own copy is not counted.
    arrivals: Vec<Arrivals>,
    /// When each change was due and how many contacts have yet to get it, from the `first_due`th on.
    due: VecDeque<(Instant, usize)>,
    first_due: u64,
    next_due: Instant,
}

impl Presences {
    pub(crate) fn new(
        mesh: Mesh,
        first_of_run: u32,
        clients: u32,
        window: u64,
        interval: Option<Duration>,
    ) -> Self {
        Self { mesh, senders: Vec::new(), window, interval, clients, first_of_run }
    }

    fn send_due(&mut self, run: &Run, now: Instant) {
        for (index, (sender, link)) in self.senders.iter_mut().zip(&mut self.mesh.links).enumerate() {
            while sender.sent < sender.quota && sender.under_way(index) < self.window {
                let mut due = now;
                if let Some(interval) = self.interval {
                    if sender.next_due > now {
                        break;
                    }
                    due = sender.next_due;
                    sender.next_due += interval;
                }
                sender.send(link, run, due);
            }
            if sender.sent >= sender.quota {
                link.ask_for_the_rest();
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.interval?;
        self.senders.iter().filter(|sender| sender.sent < sender.quota).map(|sender| sender.next_due).min()
    }

    fn receive(&mut self, run: &Run, text: &mut String) -> Result<bool, LinkError> {
        let mut is_progress = false;
        for (index, link) in self.mesh.links.iter_mut().enumerate() {
            loop {
                match link.next(text)? {
                    Next::Element => is_progress |= receive(&mut self.senders, index, text, run),
                    Next::Nothing => break,
                    Next::End => return Err(LinkError::Closed),
                }
            }
        }
        Ok(is_progress)
    }

    fn is_idle(&self) -> bool {
        self.senders.iter().enumerate().all(|(index, sender)| sender.under_way(index) == 0)
            && self.mesh.links.iter().all(|link| link.unacknowledged() == 0)
    }

    fn is_done(&self) -> bool {
        self.senders.iter().all(|sender| sender.sent >= sender.quota) && self.is_idle()
    }
}

/// Checks one stanza that the member with that index read. Whether it was a presence of this run.
fn receive(senders: &mut [Sender], receiver: usize, text: &str, run: &Run) -> bool {
    Tally::add(&run.tally.stanzas_read, 1);
    if element::name(text) != "presence" {
        return false;
    }
    let identity = element::text(text, "status").and_then(Identity::parse);
    let Some(identity) = identity.filter(|identity| identity.run == run.number) else { return false };
    let sender = senders.iter_mut().enumerate().find(|(_, sender)| sender.account == identity.sender);
    let Some((index, sender)) = sender else {
        Tally::add(&run.tally.corrupted, 1);
        return true;
    };
    // RFC 6121 4.4.2: the server sends a client's presence back to it as well.
    if index == receiver {
        return false;
    }
    if let Some(arrivals) = sender.arrivals.get_mut(receiver) {
        run.tally.arrival(arrivals.note(identity.n, sender.sent));
        sender.note_latency(identity.n, run);
    }
    true
}

impl Sender {
    /// Changes that some contact has not got, the sender being the member with that index.
    fn under_way(&self, own: usize) -> u64 {
        let others = self.arrivals.iter().enumerate().filter(|(index, _)| *index != own);
        others.map(|(_, arrivals)| arrivals.lost(self.sent)).max().unwrap_or(0)
    }

    fn send(&mut self, link: &mut Link, run: &Run, due: Instant) {
        let identity = Identity { run: run.number, sender: self.account, stream: 0, n: self.sent };
        let show = if self.sent.is_multiple_of(2) { "<show>away</show>" } else { "" };
        self.sent += 1;
        self.due.push_back((due, self.arrivals.len() - 1));
        Tally::add(&run.tally.sent, 1);
        let _ = write!(link.stanza(), "<presence>{show}<status>{identity}</status></presence>");
        link.stanza_done();
    }

    fn note_latency(&mut self, n: u64, run: &Run) {
        let place = n.checked_sub(self.first_due).and_then(|at| usize::try_from(at).ok());
        if let Some((due, waiting)) = place.and_then(|at| self.due.get_mut(at)) {
            *waiting = waiting.saturating_sub(1);
            run.tally.latency(due.elapsed());
        }
        while let Some((_, 0)) = self.due.front() {
            self.due.pop_front();
            self.first_due += 1;
        }
    }
}

impl Group for Presences {
    async fn enter(&mut self, run: &Run) -> Result<(), LinkError> {
        self.mesh.enter(run).await
    }

    async fn work(&mut self, run: &Run) -> Result<(), LinkError> {
        let start = Instant::now();
        let deadline = run.deadline(start);
        for account in self.mesh.accounts() {
            let number = account - self.first_of_run;
            let part = f64::from(number) / f64::from(self.clients);
            self.senders.push(Sender {
                account,
                quota: run.share(number.into(), self.clients.into()),
                sent: 0,
                arrivals: self.mesh.accounts().map(|_| Arrivals::default()).collect(),
                due: VecDeque::new(),
                first_due: 0,
                next_due: start + self.interval.map_or(Duration::ZERO, |interval| interval.mul_f64(part)),
            });
        }
        let mut text = String::new();
        let mut last_progress = start;
        let timer = tokio::time::sleep(run.patience);
        tokio::pin!(timer);
        loop {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                self.senders.iter_mut().for_each(|sender| sender.quota = sender.sent);
            }
            if self.is_idle() {
                last_progress = now;
            }
            self.send_due(run, now);
            if self.is_done() || now > last_progress + run.patience {
                return Ok(());
            }
            let stalled = last_progress + run.patience;
            let next = self.next_due().unwrap_or(stalled).min(deadline.unwrap_or(stalled));
            timer.as_mut().reset((next.max(now) + Duration::from_micros(100)).into());
            tokio::select! {
                result = progress(&mut self.mesh.links) => {
                    result?;
                    if self.receive(run, &mut text)? { last_progress = Instant::now(); }
                }
                () = &mut timer => {}
            }
        }
    }

    fn settle_accounts(&mut self, run: &Run) {
        for (own, sender) in self.senders.iter().enumerate() {
            let others = sender.arrivals.iter().enumerate().filter(|(index, _)| *index != own);
            Tally::add(&run.tally.lost, others.map(|(_, arrivals)| arrivals.lost(sender.sent)).sum());
        }
        let unacknowledged = self.mesh.links.iter().map(|link| u64::from(link.unacknowledged()));
        Tally::add(&run.tally.unacknowledged, unacknowledged.sum());
    }

    fn links(&mut self) -> &mut Vec<Link> {
        &mut self.mesh.links
    }
}
