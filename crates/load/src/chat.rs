//! Pairs of clients that send each other messages, at a rate or flat out.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::check::{Arrivals, Identity};
use crate::due::Due;
use crate::element;
use crate::link::{Link, LinkError, Next};
use crate::run::{Group, Run, progress};
use crate::tally::Tally;

/// How the messages of a run are made and sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Under way in one direction of one pair, at most.
    pub(crate) window: u64,
    /// Between two messages of one direction; `None` is flat out.
    pub(crate) interval: Option<Duration>,
    /// Of the text, in bytes.
    pub(crate) body_bytes: usize,
    /// Address the contact's resource, not the account.
    pub(crate) is_to_full_jid: bool,
    /// Pairs in the run.
    pub(crate) pairs: u32,
}

/// Text to fill bodies with.
const FILLER: &str =
    "the quick brown fox jumps over the lazy dog and then it rests for a while in the shade ";

/// Two clients; each sends to the other.
pub(crate) struct Pair {
    style: Style,
    accounts: [u32; 2],
    number: u32,
    links: Vec<Link>,
    flows: Vec<Flow>,
    body: String,
}

/// One direction of a pair. The client with its index in the pair sends.
struct Flow {
    sender: u32,
    to: String,
    quota: u64,
    sent: u64,
    arrivals: Arrivals,
    due: Due,
    next_due: Instant,
    refused: u64,
}

impl Pair {
    pub(crate) fn new(number: u32, first_account: u32, style: Style) -> Self {
        let accounts = [first_account + 2 * number, first_account + 2 * number + 1];
        let body = FILLER.chars().cycle().take(style.body_bytes).collect();
        Self { style, accounts, number, links: Vec::new(), flows: Vec::new(), body }
    }

    /// Puts into the output what the window and the rate let pass.
    fn send_due(&mut self, run: &Run, now: Instant) {
        for (flow, link) in self.flows.iter_mut().zip(&mut self.links) {
            while flow.sent < flow.quota && flow.under_way() < self.style.window {
                let mut due = now;
                if let Some(interval) = self.style.interval {
                    if flow.next_due > now {
                        break;
                    }
                    due = flow.next_due;
                    flow.next_due += interval;
                }
                flow.send(link, run, due, &self.body);
            }
            if flow.sent >= flow.quota {
                link.ask_for_the_rest();
            }
        }
    }

    /// The moment of the next message by the rate.
    fn next_due(&self) -> Option<Instant> {
        self.style.interval?;
        self.flows.iter().filter(|flow| flow.sent < flow.quota).map(|flow| flow.next_due).min()
    }

    /// Takes what was read; whether a message of this pair was among it.
    fn receive(&mut self, run: &Run, text: &mut String) -> Result<bool, LinkError> {
        let mut is_progress = false;
        for (index, link) in self.links.iter_mut().enumerate() {
            loop {
                match link.next(text)? {
                    Next::Element => is_progress |= receive(&mut self.flows, index, text, run, &self.body),
                    Next::Nothing => break,
                    Next::End => return Err(LinkError::Closed),
                }
            }
        }
        Ok(is_progress)
    }

    /// Nothing is awaited from the server.
    fn is_idle(&self) -> bool {
        self.flows.iter().all(|flow| flow.under_way() == 0)
            && self.links.iter().all(|link| link.unacknowledged() == 0)
    }

    fn is_done(&self) -> bool {
        self.flows.iter().all(|flow| flow.sent >= flow.quota) && self.is_idle()
    }
}

/// Checks one stanza that the client with that index in the pair read. Whether it was one of this run's.
fn receive(flows: &mut [Flow], receiver: usize, text: &str, run: &Run, body: &str) -> bool {
    Tally::add(&run.tally.stanzas_read, 1);
    let identity = element::attribute(text, "id").and_then(Identity::parse);
    let Some(identity) = identity.filter(|identity| identity.run == run.number) else { return false };
    let Some(index) = flows.iter().position(|flow| flow.sender == identity.sender) else { return false };
    let Some(flow) = flows.get_mut(index) else { return false };
    if element::attribute(text, "type") == Some("error") {
        flow.refused += 1;
        Tally::add(&run.tally.refused, 1);
    } else if index == receiver || element::text(text, "body") != Some(body) {
        Tally::add(&run.tally.corrupted, 1);
    } else {
        run.tally.arrival(flow.arrivals.note(identity.n, flow.sent));
        if let Some(due) = flow.due.take(identity.n) {
            run.tally.latency(due.elapsed());
        }
    }
    true
}

impl Flow {
    /// Sent, and neither arrived nor refused.
    fn under_way(&self) -> u64 {
        self.arrivals.lost(self.sent).saturating_sub(self.refused)
    }

    fn send(&mut self, link: &mut Link, run: &Run, due: Instant, body: &str) {
        let identity = Identity { run: run.number, sender: self.sender, stream: 0, n: self.sent };
        self.sent += 1;
        self.due.push(due);
        Tally::add(&run.tally.sent, 1);
        let to = &self.to;
        // Writing to a Vec cannot fail.
        let _ = write!(
            link.stanza(),
            "<message type='chat' to='{to}' id='{identity}'><body>{body}</body>\
             <active xmlns='http://jabber.org/protocol/chatstates'/>\
             <request xmlns='urn:xmpp:receipts'/></message>"
        );
        link.stanza_done();
    }
}

impl Group for Pair {
    async fn enter(&mut self, run: &Run) -> Result<(), LinkError> {
        for account in self.accounts {
            let mut link = run.log_in(account, Some("load")).await?;
            link.stanza().extend_from_slice(b"<presence/>");
            link.stanza_done();
            link.ask_for_the_rest();
            self.links.push(link);
        }
        Ok(())
    }

    async fn work(&mut self, run: &Run) -> Result<(), LinkError> {
        let start = Instant::now();
        let deadline = run.deadline(start);
        let flows = u64::from(self.style.pairs) * 2;
        for (index, sender) in (0..).zip(self.accounts) {
            let number = u64::from(self.number) * 2 + index;
            let other = 1 - usize::try_from(index).unwrap_or(0);
            let to = match self.links.get(other) {
                Some(link) if self.style.is_to_full_jid => link.jid.clone(),
                _ => run.target.bare_jid(self.accounts.get(other).copied().unwrap_or(sender)),
            };
            // Spread over the interval, so that the clients do not all send at the same moment.
            let offset = self
                .style
                .interval
                .map_or(Duration::ZERO, |interval| interval.mul_f64(number as f64 / flows as f64));
            self.flows.push(Flow {
                sender,
                to,
                quota: run.share(number, flows),
                sent: 0,
                arrivals: Arrivals::default(),
                due: Due::default(),
                next_due: start + offset,
                refused: 0,
            });
        }
        let mut text = String::new();
        let mut last_progress = start;
        let timer = tokio::time::sleep(run.patience);
        tokio::pin!(timer);
        loop {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                self.flows.iter_mut().for_each(|flow| flow.quota = flow.sent);
            }
            self.send_due(run, now);
            if self.is_idle() {
                last_progress = now;
            }
            if self.is_done() || now > last_progress + run.patience {
                return Ok(());
            }
            let next = self
                .next_due()
                .unwrap_or(last_progress + run.patience)
                .min(deadline.unwrap_or(now + run.patience));
            timer.as_mut().reset((next.max(now) + Duration::from_micros(100)).into());
            tokio::select! {
                result = progress(&mut self.links) => {
                    result?;
                    if self.receive(run, &mut text)? { last_progress = Instant::now(); }
                }
                () = &mut timer => {}
            }
        }
    }

    fn settle_accounts(&mut self, run: &Run) {
        Tally::add(&run.tally.lost, self.flows.iter().map(Flow::under_way).sum());
        Tally::add(
            &run.tally.unacknowledged,
            self.links.iter().map(|link| u64::from(link.unacknowledged())).sum(),
        );
    }

    fn links(&mut self) -> &mut Vec<Link> {
        &mut self.links
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn run() -> Run {
        let arguments =
            ["stentor-load", "chat", "--domain", "localhost", "--connect", "127.0.0.1:1", "--insecure"];
        let Command::Chat { common, .. } = Cli::parse_from(arguments).command else { panic!("not chat") };
        Run::new("chat", common.target().unwrap(), &common).unwrap()
    }

    fn flow(sender: u32, sent: u64, now: Instant) -> Flow {
        let mut due = Due::default();
        (0..sent).for_each(|_| due.push(now));
        Flow {
            sender,
            to: String::new(),
            quota: sent,
            sent,
            arrivals: Arrivals::default(),
            due,
            next_due: now,
            refused: 0,
        }
    }

    /// Three messages were sent each way by clients 4 and 5, and client 5 reads `texts`, where RUN stands for
    /// the run's number: (received, lost, doubled, out of order, corrupted, refused).
    fn check(texts: &[&str], expected: (u64, u64, u64, u64, u64, u64)) {
        let run = run();
        let now = Instant::now();
        let mut flows = [flow(4, 3, now), flow(5, 3, now)];
        for text in texts {
            receive(&mut flows, 1, &text.replace("RUN", &format!("{:08x}", run.number)), &run, "hi");
        }
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &run.tally;
        let found = (
            load(&tally.received),
            flows[0].under_way(),
            load(&tally.doubled),
            load(&tally.out_of_order),
            load(&tally.corrupted),
            load(&tally.refused),
        );
        assert_eq!(found, expected, "{texts:?}");
    }

    #[test]
    fn planted_faults_are_seen() {
        let [zero, one, two] = [
            "<message id='load-RUN-4-0-0' type='chat'><body>hi</body></message>",
            "<message id='load-RUN-4-0-1' type='chat'><body>hi</body></message>",
            "<message id='load-RUN-4-0-2' type='chat'><body>hi</body></message>",
        ];
        check(&[zero, one, two], (3, 0, 0, 0, 0, 0));
        check(&[zero, two], (2, 1, 0, 0, 0, 0));
        check(&[zero, one, one, two, zero], (3, 0, 2, 0, 0, 0));
        check(&[one, zero, two], (3, 0, 0, 1, 0, 0));
        let changed = "<message id='load-RUN-4-0-1' type='chat'><body>ho</body></message>";
        check(&[zero, changed, two], (2, 1, 0, 0, 1, 0));
        let never_sent = "<message id='load-RUN-4-0-3' type='chat'><body>hi</body></message>";
        check(&[zero, one, two, never_sent], (3, 0, 0, 0, 1, 0));
        let own = "<message id='load-RUN-5-0-0' type='chat'><body>hi</body></message>";
        check(&[zero, one, two, own], (3, 0, 0, 0, 1, 0));
        let refused = "<message id='load-RUN-5-0-0' type='error'><body>hi</body></message>";
        check(&[zero, one, two, refused], (3, 0, 0, 0, 0, 1));
        let of_another_run = "<message id='load-xRUN-4-0-0' type='chat'><body>hi</body></message>";
        check(&[of_another_run, "<presence/>", zero, one, two], (3, 0, 0, 0, 0, 0));
    }

    #[test]
    fn a_refused_message_is_not_lost() {
        let run = run();
        let mut flows = [flow(4, 1, Instant::now()), flow(5, 1, Instant::now())];
        let text = format!("<message id='load-{:08x}-4-0-0' type='error'/>", run.number);
        assert!(receive(&mut flows, 0, &text, &run, "hi"));
        assert_eq!((flows[0].under_way(), flows[1].under_way()), (0, 1));
    }
}
