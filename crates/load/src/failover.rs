//! Chat while somebody takes a member of the cluster away. Clients that lose their connection come back at another
//! server, resume their stream (XEP-0198 5) or send again what the server says it has not got, and chat on; at the
//! end each message must have arrived once, in order, wherever its two clients were meanwhile.

mod client;
mod field;
mod outcome;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::check::Arrivals;
use crate::due::Due;
use crate::link::{Link, LinkError};
use crate::run::{Group, Run};
use crate::tally::Tally;

use client::Client;
pub(crate) use field::{Field, Plan};
pub(crate) use outcome::Outcome;

/// The resource of each client.
const RESOURCE: &str = "load";

/// How the clients chat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Of one client's messages, at most so many are not acknowledged.
    pub(crate) window: u32,
    /// Between two messages of one client.
    pub(crate) interval: Duration,
    /// Clients in the run.
    pub(crate) clients: u32,
    /// Messages have an id by which a server recognises what is sent again (XEP-0359).
    pub(crate) has_origin_ids: bool,
}

/// Two clients that chat, each on its own: one may be away while the other goes on.
pub(crate) struct Pair {
    number: u32,
    accounts: [u32; 2],
    style: Style,
    field: Arc<Field>,
    links: Vec<Link>,
    flows: [Mutex<Flow>; 2],
}

/// One direction of a pair: what its sender sent, and what of that arrived.
#[derive(Debug, Default)]
struct Flow {
    sent: u64,
    arrivals: Arrivals,
    due: Due,
    /// Came back as errors.
    refused: u64,
    /// The sender sends nothing more.
    is_over: bool,
}

impl Flow {
    /// Sent, and neither arrived nor refused.
    fn under_way(&self) -> u64 {
        self.arrivals.lost(self.sent).saturating_sub(self.refused)
    }
}

/// With what a panic elsewhere left: the counts of a flow hold at any moment.
fn locked(flow: &Mutex<Flow>) -> std::sync::MutexGuard<'_, Flow> {
    flow.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pair {
    pub(crate) fn new(number: u32, first_account: u32, style: Style, field: Arc<Field>) -> Self {
        let accounts = [first_account + 2 * number, first_account + 2 * number + 1];
        Self { number, accounts, style, field, links: Vec::new(), flows: Default::default() }
    }
}

impl Group for Pair {
    async fn enter(&mut self, run: &Run) -> Result<(), LinkError> {
        for account in self.accounts {
            let mut link = run.log_in(account, Some(RESOURCE)).await?;
            if !link.is_resumable() {
                let answer = "it does not let streams be resumed".to_owned();
                return Err(LinkError::Refused { stage: "stream management", answer });
            }
            let contacts = crate::mesh::contacts(&mut link).await?;
            self.field.knows(&link.jid, &contacts);
            client::send_presence(&mut link);
            self.links.push(link);
        }
        Ok(())
    }

    async fn work(&mut self, run: &Run) -> Result<(), LinkError> {
        let start = Instant::now();
        let deadline = run.deadline(start);
        let ([first, second], [to_second, to_first]) = (self.accounts, &self.flows);
        let links = std::mem::take(&mut self.links);
        let mut clients: Vec<_> = links
            .into_iter()
            .zip([(first, second, to_second, to_first), (second, first, to_first, to_second)])
            .zip(self.number * 2..)
            .map(|((link, (account, partner, sends, receives)), number)| {
                // Spread over the interval, so that the clients do not all send at the same moment.
                let part = f64::from(number) / f64::from(self.style.clients);
                Client {
                    run,
                    field: &self.field,
                    account,
                    to: run.target.bare_jid(partner),
                    partner,
                    sends,
                    receives,
                    style: self.style,
                    next_due: start + self.style.interval.mul_f64(part),
                    quota: run.share(number.into(), self.style.clients.into()),
                    deadline,
                    link,
                    asked: None,
                    is_afresh: false,
                    returning: None,
                }
            })
            .collect();
        let [first, second] = clients.as_mut_slice() else { return Err(LinkError::Closed) };
        let results: (Result<_, _>, Result<_, _>) = tokio::join!(first.work(), second.work());
        self.links = clients.into_iter().map(|client| client.link).collect();
        results.0.and(results.1)
    }

    fn settle_accounts(&mut self, run: &Run) {
        for ((flow, from), to) in self.flows.iter().zip(self.accounts).zip(self.accounts.iter().rev()) {
            let flow = locked(flow);
            if flow.under_way() > 0 {
                Tally::add(&run.tally.lost, flow.under_way());
                let (from, to) = (run.target.bare_jid(from), run.target.bare_jid(*to));
                self.field.missed(&from, &to, flow.arrivals.missing(flow.sent));
            }
        }
        let unacknowledged = self.links.iter().map(|link| u64::from(link.unacknowledged()));
        Tally::add(&run.tally.unacknowledged, unacknowledged.sum());
    }

    fn witness(&self) -> impl FnMut(&str, &str) + Send + use<> {
        let field = self.field.clone();
        move |jid: &str, text: &str| field.reads(jid, text)
    }

    fn links(&mut self) -> &mut Vec<Link> {
        &mut self.links
    }
}
