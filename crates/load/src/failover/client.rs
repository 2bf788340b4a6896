//! One client: it chats, loses its connection, comes back.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Field, Flow, RESOURCE, Style, locked};
use crate::check::{Arrival, Identity};
use crate::element;
use crate::link::{Link, LinkError, Next};
use crate::resume::Return;
use crate::run::Run;
use crate::tally::Tally;

/// Between two attempts to come back.
const BACKOFF: Duration = Duration::from_millis(100);

/// One of a pair.
pub(super) struct Client<'a> {
    pub(super) run: &'a Run,
    pub(super) field: &'a Field,
    pub(super) account: u32,
    /// The partner's bare JID and account.
    pub(super) to: String,
    pub(super) partner: u32,
    pub(super) sends: &'a Mutex<Flow>,
    pub(super) receives: &'a Mutex<Flow>,
    pub(super) style: Style,
    pub(super) next_due: Instant,
    pub(super) quota: u64,
    pub(super) deadline: Option<Instant>,
    pub(super) link: Link,
    /// When an acknowledgement was asked for that has not come.
    pub(super) asked: Option<Instant>,
    /// On a stream that is not the first: what the first one got without saying so comes again.
    pub(super) is_afresh: bool,
    /// When the connection was lost, until all that was sent on it is acknowledged.
    pub(super) returning: Option<Instant>,
}

/// Announces the client, and asks whether that was handled.
pub(super) fn send_presence(link: &mut Link) {
    link.stanza().extend_from_slice(b"<presence/>");
    link.stanza_done();
    link.ask_for_the_rest();
}

impl Client<'_> {
    /// Chats until the quota is reached and all has arrived, through any loss of its connection.
    pub(super) async fn work(&mut self) -> Result<(), LinkError> {
        let result = loop {
            match self.chat().await {
                Ok(()) => break Ok(()),
                Err(error) => {
                    if let Err(error) = self.come_back(&error).await {
                        break Err(error);
                    }
                }
            }
        };
        locked(self.sends).is_over = true;
        result
    }

    /// Chats until all is done, or the connection is lost.
    async fn chat(&mut self) -> Result<(), LinkError> {
        let mut text = String::new();
        let mut last_read = Instant::now();
        let mut last_progress = last_read;
        loop {
            let now = Instant::now();
            if self.field.is_over() || self.deadline.is_some_and(|deadline| now >= deadline) {
                self.quota = 0;
            }
            self.send_due(now);
            self.note_acknowledgement(now);
            if self.is_done() || now > last_progress + self.run.patience {
                return Ok(());
            }
            if self.link.is_ack_awaited() && now > last_read + self.field.plan.silence {
                return Err(LinkError::Silent(self.field.plan.silence.as_secs()));
            }
            // The partner's messages are no reason to wake up, but its end is, which nothing else tells.
            let wake =
                self.next_due.max(now + Duration::from_millis(1)).min(now + Duration::from_millis(200));
            match tokio::time::timeout_at(wake.into(), self.link.progress()).await {
                Ok(result) => {
                    result?;
                    last_read = Instant::now();
                    if self.receive(&mut text)? {
                        last_progress = last_read;
                    }
                }
                Err(_) if !self.is_over() => last_progress = Instant::now(),
                Err(_) => {}
            }
        }
    }

    /// How long an acknowledgement takes, on one connection.
    fn note_acknowledgement(&mut self, now: Instant) {
        if self.link.is_ack_awaited() {
            self.asked.get_or_insert(now);
        } else if let Some(asked) = self.asked.take() {
            self.field.acknowledged(asked);
        }
    }

    /// Neither of the two sends any more.
    fn is_over(&self) -> bool {
        locked(self.sends).sent >= self.quota && locked(self.receives).is_over
    }

    /// Whether nothing is to be sent, and nothing is awaited.
    fn is_done(&mut self) -> bool {
        let is_all_sent = locked(self.sends).sent >= self.quota;
        if is_all_sent {
            self.link.ask_for_the_rest();
        }
        let is_all_acknowledged = self.link.unacknowledged() == 0;
        let mut sends = locked(self.sends);
        sends.is_over |= is_all_sent && is_all_acknowledged;
        let is_over = sends.is_over;
        drop(sends);
        let receives = locked(self.receives);
        let is_done = is_over && receives.is_over && receives.under_way() == 0;
        drop(receives);
        self.field.are_all_done(&self.link.jid, is_done)
    }

    /// Puts into the output what the window and the rate let pass.
    fn send_due(&mut self, now: Instant) {
        let mut flow = locked(self.sends);
        while flow.sent < self.quota && self.next_due <= now && self.link.unacknowledged() < self.style.window
        {
            let n = flow.sent;
            flow.sent += 1;
            flow.due.push(self.next_due);
            self.next_due += self.style.interval;
            Tally::add(&self.run.tally.sent, 1);
            let identity = Identity { run: self.run.number, sender: self.account, stream: 0, n };
            let origin = if self.style.has_origin_ids {
                format!("<origin-id xmlns='urn:xmpp:sid:0' id='{identity}'/>")
            } else {
                String::new()
            };
            // Writing to a Vec cannot fail.
            let _ = write!(
                self.link.stanza(),
                "<message type='chat' to='{}' id='{identity}'><body>on it goes</body>{origin}</message>",
                self.to
            );
            self.link.stanza_done();
        }
    }

    /// Takes what was read; whether it brings the end nearer.
    fn receive(&mut self, text: &mut String) -> Result<bool, LinkError> {
        let unacknowledged = self.link.unacknowledged();
        let mut is_progress = false;
        loop {
            match self.link.next(text)? {
                Next::Element => is_progress |= self.take(text),
                Next::Nothing => break,
                Next::End => return Err(LinkError::Closed),
            }
        }
        if self.link.unacknowledged() == 0
            && let Some(lost) = self.returning.take()
        {
            self.field.settled(lost);
        }
        Ok(is_progress || self.link.unacknowledged() != unacknowledged)
    }

    /// Checks one stanza; whether it was a message of this run.
    fn take(&mut self, text: &str) -> bool {
        let tally = &self.run.tally;
        Tally::add(&tally.stanzas_read, 1);
        let kind = element::attribute(text, "type");
        self.field.reads(&self.link.jid, text);
        let identity = element::attribute(text, "id").and_then(Identity::parse);
        let Some(identity) = identity.filter(|identity| identity.run == self.run.number) else {
            return false;
        };
        if kind == Some("error") && identity.sender == self.account {
            locked(self.sends).refused += 1;
            Tally::add(&tally.refused, 1);
        } else if identity.sender != self.partner {
            Tally::add(&tally.corrupted, 1);
        } else {
            let mut flow = locked(self.receives);
            let sent = flow.sent;
            match flow.arrivals.note(identity.n, sent) {
                // Its stream ended before it could say that it got this one (XEP-0198 5: a failed resumption).
                Arrival::Doubled if self.is_afresh && element::descendant(text, "delay").is_some() => {
                    self.field.repeated();
                }
                arrival => tally.arrival(arrival),
            }
            if let Some(due) = flow.due.take(identity.n) {
                tally.latency(due.elapsed());
            }
        }
        true
    }

    /// The connection is lost: comes back at another server, by and by at each.
    async fn come_back(&mut self, error: &LinkError) -> Result<(), LinkError> {
        let lost = Instant::now();
        self.asked = None;
        Tally::add(&self.run.tally.lost_connections, 1);
        let stays_away = self.field.lost(&self.link.jid, self.account, error, lost);
        while stays_away && lost.elapsed() < self.field.plan.away && !self.field.is_told(&self.link.jid) {
            tokio::time::sleep(BACKOFF).await;
        }
        let (began, target) = (Instant::now(), &self.run.target);
        let jid = self.link.jid.clone();
        let mut suspended = self.link.suspend();
        let mut server = target.home(self.account);
        loop {
            server = (server + 1) % target.servers.len();
            let coming = target.come_back(server, self.account, RESOURCE, &mut suspended);
            let limit = self.field.plan.attempt;
            let result = match tokio::time::timeout(limit, coming).await {
                Ok(result) => result,
                Err(_) => Err(LinkError::Timeout(limit.as_secs())),
            };
            match result {
                Ok((link, how)) => {
                    self.link = link;
                    self.returned(lost, how, stays_away);
                    return Ok(());
                }
                Err(error) if began.elapsed() > self.field.plan.give_up => {
                    self.link.jid = jid;
                    return Err(error);
                }
                Err(error) => self.field.attempt_failed(&error),
            }
            tokio::time::sleep(BACKOFF).await;
        }
    }

    /// On another connection: sends again what another stream needs.
    fn returned(&mut self, lost: Instant, how: Return, stayed_away: bool) {
        Tally::add(&self.run.tally.came_back, 1);
        self.field.returned(&self.link.jid, lost, &how, stayed_away);
        self.returning = (!stayed_away).then_some(lost);
        let Return::Refused { unsent, .. } = how else { return };
        self.is_afresh = true;
        send_presence(&mut self.link);
        for stanza in unsent {
            self.link.stanza().extend_from_slice(&stanza);
            self.link.stanza_done();
        }
        self.link.ask_for_the_rest();
    }
}
