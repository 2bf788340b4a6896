//! What a client is told, and what it does about it at once.

use super::{Client, Phase, Stream};
use crate::history::Delivery;
use crate::stage::{FromClient, FromServer, Id, Stage, ToMember};
use stentor_xmpp::{Counter, FullJid, IqType, Kind, PresenceType, Stanza, ns};

impl Client {
    /// Reads something; or later, while it is silent or slow.
    pub(crate) fn read(&mut self, connection: u64, what: FromServer, stage: &mut Stage) {
        let Some((_, phase)) = self.connection.filter(|(own, _)| *own == connection) else { return };
        if matches!(what, FromServer::Closed) {
            // It may be long until it reads that.
            self.note_lost(phase, stage);
        }
        self.inbox.push_back(what);
        self.read_on(stage);
    }

    pub(super) fn read_on(&mut self, stage: &mut Stage) {
        while stage.queue.now() >= self.silent_until
            && let Some(what) = self.inbox.pop_front()
            && let Some(connection) = self.connection()
        {
            self.take(connection, what, stage);
        }
    }

    fn take(&mut self, connection: u64, what: FromServer, stage: &mut Stage) {
        stage.trace(|| format!("client {} reads {what:?}", self.index));
        match what {
            FromServer::Bound(jid) => self.bound(jid, stage),
            FromServer::BindRefused => self.lose(stage),
            FromServer::Resumed(h) => {
                stage.coverage.resumes += 1;
                self.connection = Some((connection, Phase::Bound));
                self.lost = None;
                self.handled(h, "resumed", stage);
                let waiting: Vec<Stanza> = self
                    .stream
                    .iter()
                    .flat_map(|stream| stream.unacknowledged.iter().map(|(_, stanza)| stanza.clone()))
                    .collect();
                stage.coverage.resent += waiting.len() as u64;
                waiting.into_iter().for_each(|stanza| self.write(FromClient::Stanza(stanza), stage));
            }
            FromServer::Failed(h) => self.failed(h, stage),
            FromServer::Enabled(id) => {
                if let Some(stream) = &mut self.stream {
                    stream.is_managed = true;
                    stream.id = id;
                }
            }
            FromServer::Stanza(bytes, number) => {
                if number > 0 {
                    stage.about(self.place, 0, ToMember::Flushed(connection, number));
                }
                if let Some(stream) = self.stream.as_mut().filter(|stream| stream.is_managed) {
                    stream.handled += 1;
                }
                self.stanza(&bytes, stage);
            }
            FromServer::Request => {
                if stage.is_ending || stage.random.chance(self.habits.answers) {
                    self.acknowledge(stage);
                }
            }
            FromServer::Acknowledge(h) => self.handled(h, "a", stage),
            FromServer::Closed => self.gone(connection, stage),
        }
    }

    /// A connection is gone.
    pub(crate) fn gone(&mut self, connection: u64, stage: &mut Stage) {
        if let Some((_, phase)) = self.connection.take_if(|(own, _)| *own == connection) {
            self.is_ready = false;
            self.note_lost(phase, stage);
            if self.stream.as_ref().is_some_and(|stream| stream.id.is_none()) {
                self.give_up_stream(stage);
            }
        }
    }

    pub(super) fn note_lost(&mut self, phase: Phase, stage: &Stage) {
        if phase == Phase::Bound {
            self.lost.get_or_insert(stage.queue.now());
        }
    }

    fn bound(&mut self, jid: FullJid, stage: &mut Stage) {
        let Some((_, phase)) = &mut self.connection else { return };
        *phase = Phase::Bound;
        (self.lost, self.closes) = (None, false);
        self.streams += 1;
        self.period += 1;
        self.stream = Some(Stream { number: self.streams, ..Stream::default() });
        self.jid = Some(jid);
        self.is_ready = false;
        self.is_shown = false;
        self.unheard = 0;
        if self.habits.is_hasty {
            self.announce(PresenceType::Available, 0, stage);
        }
        if self.habits.manages {
            self.write(FromClient::Enable(self.habits.resumes), stage);
            if let Some(stream) = &mut self.stream {
                stream.is_counting = true;
            }
        }
        self.ask_for_roster(stage);
        if !self.habits.is_hasty {
            self.announce(PresenceType::Available, 0, stage);
        }
        for (id, stanza, is_doubtful) in std::mem::take(&mut self.again) {
            stage.coverage.resent += 1;
            stage.history.resend(id, self.streams, is_doubtful);
            self.send(Some(id), stanza, stage);
        }
    }

    /// The server has handled all up to `h` of the stream.
    fn handled(&mut self, h: Counter, what: &str, stage: &mut Stage) {
        let Some(stream) = &mut self.stream else { return };
        let h = u64::from(h.0);
        if h < stream.acknowledged || h > stream.sent {
            let (before, sent) = (stream.acknowledged, stream.sent);
            let client = self.index;
            return stage
                .history
                .violate(format!("client {client} got <{what} h='{h}'/> after {before}, of {sent} sent"));
        }
        for _ in stream.acknowledged..h {
            if let Some((Some(id), _)) = stream.unacknowledged.pop_front() {
                stage.history.acknowledge(id);
            }
        }
        stream.acknowledged = h;
    }

    /// Its user must have kept a stream for which it comes back in time, wherever that user has been meanwhile.
    fn check_kept(&self, stage: &mut Stage) {
        let Some(lost) = self.lost.filter(|_| !self.closes) else { return };
        let (away, kept) = (stage.queue.now() - lost, u64::from(stage.plan.resume_seconds) * 1_000);
        let may_fail = stage.coverage.refused_commits + stage.coverage.full > 0;
        // Clocks differ, and the question is on its way for a while.
        if stage.is_calm && !may_fail && away + 10_000 < kept {
            stage.history.violate(format!(
                "client {} was away for {away} ms, and its stream was not kept",
                self.index
            ));
        }
    }

    fn failed(&mut self, h: Option<Counter>, stage: &mut Stage) {
        self.check_kept(stage);
        match h {
            Some(h) => {
                stage.coverage.failed_resumes += 1;
                self.handled(h, "failed", stage);
            }
            None => {
                stage.coverage.unknown_resumes += 1;
                if stage.plan.keeps {
                    // Nothing was kept of it, so nothing can have been acknowledged.
                    self.handled(Counter(0), "failed", stage);
                }
            }
        }
        let is_known = h.is_some() || stage.plan.keeps;
        if let Some(stream) = self.stream.take() {
            let waiting = stream.unacknowledged.into_iter();
            self.again.extend(waiting.filter_map(|(id, stanza)| Some((id?, stanza, !is_known))));
        }
        self.is_available = false;
        self.ends_stay(stage);
        self.is_ready = false;
        self.write(FromClient::Bind(self.habits.resource.clone()), stage);
    }

    fn stanza(&mut self, bytes: &[u8], stage: &mut Stage) {
        let parsed = std::str::from_utf8(bytes).ok().and_then(|text| Stanza::parse(text).ok());
        let Some(stanza) = parsed else {
            let text = String::from_utf8_lossy(bytes);
            return stage.history.violate(format!("client {} cannot read {text}", self.index));
        };
        match stanza.kind() {
            Kind::Message => self.message(&stanza, bytes, stage),
            Kind::Presence => self.presence(&stanza, stage),
            Kind::Iq => self.iq(&stanza, stage),
        }
    }

    fn message(&mut self, stanza: &Stanza, bytes: &[u8], stage: &mut Stage) {
        let Some(stream) = &self.stream else { return };
        let Some(id) = Id::find(bytes) else { return };
        let is_delayed = stanza.has_child("delay", ns::DELAY);
        let delivery = Delivery { id, client: self.index, stream: stream.number, is_delayed };
        if stanza.is_error() {
            stage.history.error(delivery, &mut stage.coverage);
        } else {
            stage.history.receive(delivery, &mut stage.coverage);
        }
    }

    fn presence(&mut self, stanza: &Stanza, stage: &mut Stage) {
        let Some(from) = stanza.from() else { return };
        let is_own = self.jid.as_ref().is_some_and(|jid| jid.as_str() == from.as_str());
        match stanza.presence_type() {
            PresenceType::Available if is_own => {
                self.unheard = self.unheard.saturating_sub(1);
                // What it was told before it was unavailable is old; all is told anew after this.
                if !std::mem::replace(&mut self.is_shown, true) {
                    self.view.clear();
                    self.gone.clear();
                }
                self.is_ready = self.unheard == 0 && self.takes_messages;
            }
            PresenceType::Unavailable if is_own => self.is_shown = false,
            PresenceType::Available => self.told_there(from, stanza),
            PresenceType::Unavailable => self.told_gone(from, stage),
            PresenceType::Subscribe if !stage.is_ending && stage.random.chance(800) => {
                let contact = from.to_bare();
                self.send_subscription(PresenceType::Subscribed, &contact, stage);
            }
            _ => {}
        }
    }

    fn iq(&mut self, stanza: &Stanza, stage: &mut Stage) {
        if let Some(query) = stanza.child("query", ns::ROSTER) {
            if stanza.iq_type() == IqType::Result {
                self.roster.clear();
            }
            for item in query.children() {
                let Some(jid) = item.attribute("jid") else { continue };
                match item.attribute("subscription") {
                    Some("remove") | None => self.roster.remove(jid),
                    Some(subscription) => self.roster.insert(jid.into(), subscription.into()),
                };
            }
        }
        if stanza.iq_type() == IqType::Set {
            self.send(None, stanza.result_reply(None), stage);
        }
    }
}
