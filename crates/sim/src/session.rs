//! A session as the server has it, but for sockets and negotiation: the attachment, the window, when it asks and
//! when it answers.

mod asking;
mod attaching;

use crate::queue::End;
use crate::stage::{FromClient, FromServer, Happening, Stage};
use std::collections::VecDeque;
use stentor_cluster::EndReason;
use stentor_engine::{Asking, Attachment, Event, FromSession, Key, SessionKey, Slot, ToSession};

/// Outbound stanzas after which the user is told that they were passed on.
const UNREPORTED_MAX: u64 = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    key: SessionKey,
    client: usize,
    /// Longest time until the client reads what has arrived.
    slow: u64,
    user: Key,
    attachment: Option<Attachment>,
    /// Read and not yet taken.
    input: VecDeque<FromClient>,
    /// The user has been asked something without which it does not go on.
    is_waiting: bool,
    /// It attaches to another user, and has no answer yet.
    is_attaching: bool,
    /// How often it did.
    attached: u64,
    is_owed: bool,
    /// When the user was asked what it has not answered.
    asked: u64,
    is_requested: bool,
    is_timed: bool,
    was_heard: bool,
    /// Since the last look; and whether it was asked then.
    is_active: bool,
    was_asked: bool,
    requests: u64,
    watched: Option<u64>,
    is_closing: bool,
    /// It has asked for a resource, and has no answer yet.
    asking: Option<Asking>,
    is_over: bool,
    /// Its stream was managed when it ended.
    was_managed: bool,
    outbound: u64,
    reported: u64,
    /// How many of those it wrote were of an earlier attachment.
    before: u64,
}

impl Session {
    pub(crate) fn new(key: SessionKey, client: usize, slow: u64, user: Key) -> Self {
        Self {
            key,
            client,
            slow,
            user,
            attachment: None,
            input: VecDeque::new(),
            is_waiting: false,
            is_attaching: false,
            attached: 0,
            is_owed: false,
            asked: 0,
            is_requested: false,
            is_timed: false,
            was_heard: false,
            is_active: true,
            was_asked: false,
            requests: 0,
            watched: None,
            is_closing: false,
            asking: None,
            is_over: false,
            was_managed: false,
            outbound: 0,
            reported: 0,
            before: 0,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The slot of its user.
    pub(crate) fn slot(&self) -> Slot {
        self.user.slot()
    }

    fn tell_user(&self, event: FromSession, stage: &mut Stage) {
        stage.trace(|| format!("session {} -> {}: {event:?}", self.key.serial, self.user.jid()));
        stage.said.push((self.user.clone(), Event::Session(self.key, event)));
    }

    fn write(&self, what: FromServer, stage: &mut Stage) {
        let slow = if stage.is_ending { 0 } else { self.slow };
        let delay = stage.random.below(stage.plan.network_most + slow + 1);
        let serial = self.key.serial;
        let what = Happening::Client(self.client, serial, what);
        stage.queue.send(stage.here.at, End::Session(serial), End::Client(serial), delay, what);
    }

    /// The client wrote something.
    pub(crate) fn read(&mut self, what: FromClient, stage: &mut Stage) {
        self.was_heard = true;
        self.is_active = true;
        self.input.push_back(what);
        self.go_on(stage);
    }

    /// Takes what can be taken.
    fn go_on(&mut self, stage: &mut Stage) {
        while !self.is_over && !self.is_waiting && !self.is_attaching && !self.is_closing {
            let room = self.attachment.as_ref().map_or(1, Attachment::room);
            if room == 0 {
                break;
            }
            let mut stanzas = Vec::new();
            while stanzas.len() < room
                && let Some(FromClient::Stanza(_)) = self.input.front()
                && let Some(FromClient::Stanza(stanza)) = self.input.pop_front()
            {
                stanzas.push(stanza);
            }
            if !stanzas.is_empty() {
                if let Some(attachment) = &mut self.attachment {
                    let event = attachment.receive(stanzas);
                    self.tell_user(event, stage);
                }
                continue;
            }
            let Some(what) = self.input.pop_front() else { break };
            self.take(what, stage);
        }
    }

    fn take(&mut self, what: FromClient, stage: &mut Stage) {
        let attachment = self.attachment.as_ref().map_or(0, Attachment::number);
        match what {
            FromClient::Open { .. } | FromClient::Stanza(_) => {}
            FromClient::Bind(resource) => {
                let made = u128::from(stage.random.next());
                let resource = resource.unwrap_or_else(|| format!("{made:032x}").into());
                self.ask(Asking::Bind(resource), stage);
            }
            FromClient::Resume(stream, h) => {
                self.ask(Asking::Resume(stream, h), stage);
            }
            FromClient::Enable(resume) => {
                let Some(attached) = &mut self.attachment else { return };
                let stream = stentor_engine::StreamId(u128::from(stage.random.next()));
                if let Some(event) = attached.enable(stream, resume, None) {
                    self.is_waiting = true;
                    self.tell_user(event, stage);
                }
            }
            FromClient::Request => {
                if !std::mem::replace(&mut self.is_owed, true) {
                    self.asked = stage.queue.now();
                    self.tell_user(FromSession::Request { attachment }, stage);
                }
            }
            FromClient::Acknowledge(h) => {
                self.is_requested = false;
                let Some(attached) = &mut self.attachment else { return };
                if let Err(error) = attached.acknowledged(h) {
                    stage.history.violate(format!("client {} acknowledged wrongly: {error}", self.client));
                }
                self.tell_user(FromSession::Acknowledged { attachment, h }, stage);
            }
            FromClient::Close => {
                self.is_closing = true;
                self.tell_user(FromSession::Request { attachment }, stage);
            }
        }
    }

    /// The user tells something.
    pub(crate) fn user(&mut self, message: ToSession, stage: &mut Stage) {
        stage.trace(|| format!("{} -> session {}: {}", self.user.jid(), self.key.serial, shown(&message)));
        if self.is_over {
            if let ToSession::Outbound { stanza, .. } = &message
                && !self.was_managed
            {
                stage.history.handed_over(stanza);
            }
            return;
        }
        let answers = matches!(
            message,
            ToSession::Bound { .. }
                | ToSession::BindRefused(_)
                | ToSession::Resumed(_)
                | ToSession::ResumeFailed { .. }
        );
        if answers && self.asking.take_if(|asking| asking.is_answered_by(&message)).is_none() {
            // It was asked again, and this was answered before.
            return;
        }
        match message {
            ToSession::Outbound { attachment, stanza, entry, waiting } => {
                let Some(attached) = self.attachment.as_mut().filter(|a| a.number() == attachment) else {
                    return;
                };
                attached.sent(&stanza, entry, waiting);
                if !attached.is_managed() {
                    stage.history.handed_over(&stanza);
                }
                self.outbound += 1;
                self.write(FromServer::Stanza(stanza, self.outbound), stage);
                self.consider_request(stage);
            }
            ToSession::Confirmed { attachment, inbound } => {
                if let Some(attached) = self.attachment.as_mut().filter(|a| a.number() == attachment) {
                    attached.confirmed(inbound);
                }
            }
            ToSession::Answer { attachment, inbound } => self.answer(attachment, inbound, stage),
            ToSession::Bound { attachment, jid } => {
                self.is_waiting = false;
                self.attachment = Some(Attachment::bound(attachment, jid.clone()));
                self.write(FromServer::Bound(jid), stage);
            }
            ToSession::BindRefused(_) => {
                self.is_waiting = false;
                self.write(FromServer::BindRefused, stage);
            }
            ToSession::Resumed(resumed) => {
                self.is_waiting = false;
                stage.holds(self.client, self.asked);
                let attached = Attachment::resumed(&resumed);
                self.write(FromServer::Resumed(attached.handled()), stage);
                self.attachment = Some(attached);
                for copy in resumed.again {
                    self.write(FromServer::Stanza(copy.stanza, 0), stage);
                }
                self.consider_request(stage);
            }
            ToSession::ResumeFailed { handled } => {
                self.is_waiting = false;
                self.write(FromServer::Failed(handled), stage);
            }
            ToSession::ManagementEnabled { resumable, .. } => {
                self.is_waiting = false;
                if let Some(attached) = &mut self.attachment {
                    attached.enabled(resumable);
                }
                self.write(FromServer::Enabled(resumable), stage);
            }
            ToSession::Snapshot { attachment, snapshot } => {
                if let Some(attached) = self.attachment.as_mut().filter(|a| a.number() == attachment) {
                    attached.note(snapshot);
                }
            }
            ToSession::Attached { attachment, inbound } => self.attached(attachment, inbound, stage),
            ToSession::Reattach => self.attach(stage),
            ToSession::End(_) => {
                stage.coverage.replaced += 1;
                self.detach(EndReason::Told, stage);
                self.end(stage);
            }
        }
        self.go_on(stage);
    }

    fn ask(&mut self, asking: Asking, stage: &mut Stage) {
        self.is_waiting = true;
        self.asked = stage.queue.now();
        self.tell_user(asking.event(None), stage);
        self.asking = Some(asking);
    }

    fn answer(&mut self, attachment: u64, inbound: u64, stage: &mut Stage) {
        let Some(attached) = self.attachment.as_mut().filter(|a| a.number() == attachment) else { return };
        if std::mem::take(&mut self.is_owed) {
            stage.holds(self.client, self.asked);
        }
        attached.confirmed(inbound);
        if attached.is_managed() {
            let handled = attached.handled();
            self.write(FromServer::Acknowledge(handled), stage);
        }
        if self.is_closing {
            self.detach(EndReason::Closed, stage);
            self.end(stage);
        }
    }

    /// The kernel took what was written up to this stanza.
    pub(crate) fn flushed(&mut self, outbound: u64, stage: &mut Stage) {
        if self.is_over || outbound < self.reported + UNREPORTED_MAX {
            return;
        }
        self.reported = outbound;
        if let Some(attachment) = self.attachment.as_ref().map(Attachment::number) {
            let outbound = outbound.saturating_sub(self.before);
            self.tell_user(FromSession::Flushed { attachment, outbound }, stage);
        }
    }

    /// The connection is gone, or as good as gone.
    pub(crate) fn lose(&mut self, stage: &mut Stage) {
        if !self.is_over {
            self.detach(EndReason::Lost, stage);
            self.end(stage);
        }
    }

    fn detach(&mut self, why: EndReason, stage: &mut Stage) {
        if let Some(attachment) = self.attachment.take() {
            self.was_managed = attachment.is_managed();
            stage.ended = Some((self.user.clone(), attachment, why));
        } else if self.asking.take().is_some() {
            self.tell_user(FromSession::Gone, stage);
        }
    }

    fn end(&mut self, stage: &mut Stage) {
        self.is_over = true;
        self.input.clear();
        self.write(FromServer::Closed, stage);
    }
}

/// Short enough to read a trace.
fn shown(message: &ToSession) -> String {
    match message {
        ToSession::Outbound { attachment, stanza, .. } => {
            format!("Outbound {attachment} {}", String::from_utf8_lossy(stanza))
        }
        message => format!("{message:?}"),
    }
}
