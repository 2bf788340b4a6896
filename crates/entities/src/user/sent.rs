//! Stanzas from the user's own clients: where each goes.

use super::User;
use super::entry::{For, Way};
use super::resent::Mark;
use super::resource::Source;
use super::rfc_6121_subscription::SubscriptionType;
use stentor_engine::{Effects, Event, Key, Now, ToSession};
use stentor_xmpp::{Condition, IqType, Jid, Kind, PresenceType, Stanza, StreamCondition, StreamError};

/// Inbound stanzas handled without telling the session; its window is several times as large.
const UNTOLD_STANZAS_MAX: u64 = 16;
/// Bytes of the same.
const UNTOLD_BYTES_MAX: usize = 32 * 1024;

/// Where a stanza is to go.
enum Destination {
    /// This account, or this server on its behalf.
    Own,
    /// A served domain itself.
    Server,
    /// An account of a served domain.
    Local(Key),
    /// A domain that is not served here.
    Remote,
}

impl User {
    /// Stanzas of one read, numbered from `first`. Those handled before, replayed by a session, are passed over.
    pub(crate) fn inbound(
        &mut self,
        now: Now,
        index: usize,
        first: u64,
        stanzas: Vec<Stanza>,
        effects: &mut Effects,
    ) {
        let Some(attachment) = self.resources.get(index).map(|r| r.attachment) else { return };
        if self.has_hole(index, first, effects) {
            return;
        }
        let mut is_told = false;
        for (number, stanza) in (first..).zip(stanzas) {
            // A stanza may end a resource (its own conflict, a removed account).
            let Some(index) = self.resources.iter().position(|r| r.attachment == attachment) else { return };
            let Some(resource) = self.resources.get_mut(index) else { return };
            if number <= resource.handled {
                continue;
            }
            resource.handled = number;
            resource.untold.0 += 1;
            resource.untold.1 += stanza.size();
            is_told |= stanza.kind() != Kind::Message;
            self.sent(now, index, stanza, effects);
            if self.is_held_back(attachment, number) {
                return;
            }
        }
        let index = self.resources.iter().position(|r| r.attachment == attachment);
        if let Some(index) = index {
            self.tell_handled(index, is_told, effects);
        }
    }

    /// Whether stanzas before this one never came, since the gate before this user refused them. What comes after a
    /// hole is not taken: the client sends all of it again once it has resumed.
    fn has_hole(&self, index: usize, number: u64, effects: &mut Effects) -> bool {
        let has_hole = self.resources.get(index).is_none_or(|resource| number > resource.handled + 1);
        if let (true, Some(session)) =
            (has_hole, self.resources.get(index).and_then(|resource| resource.session))
        {
            effects.session(session, ToSession::End(StreamCondition::ResourceConstraint.into()));
        }
        has_hole
    }

    /// Opens the session's window again, now and then; at once behind what a session would otherwise hand over to the
    /// next user though it was handled, and no log can tell.
    pub(crate) fn tell_handled(&mut self, index: usize, is_told: bool, effects: &mut Effects) {
        let Some(resource) = self.resources.get_mut(index) else { return };
        if is_told || resource.untold.0 >= UNTOLD_STANZAS_MAX || resource.untold.1 >= UNTOLD_BYTES_MAX {
            resource.untold = (0, 0);
            let (attachment, inbound) = (resource.attachment, resource.handled);
            if let Some(session) = resource.session {
                effects.session(session, ToSession::Confirmed { attachment, inbound });
            }
        }
    }

    /// A stanza that the session dealt with itself.
    pub(crate) fn passed(
        &mut self,
        index: usize,
        number: u64,
        answer: Option<&Stanza>,
        effects: &mut Effects,
    ) {
        if self.has_hole(index, number, effects) {
            return;
        }
        let Some(resource) = self.resources.get_mut(index) else { return };
        if number > resource.handled {
            resource.handled = number;
            resource.untold.0 += 1;
            if let Some(answer) = answer {
                self.reply(index, answer, effects);
            }
            self.tell_handled(index, true, effects);
        }
    }

    /// One stanza of the resource at `index`.
    pub(crate) fn sent(&mut self, now: Now, index: usize, mut stanza: Stanza, effects: &mut Effects) {
        let Some(resource) = self.resources.get(index) else { return };
        // RFC 6120 8.1.2.1: the server stamps the full JID, whatever the client wrote.
        stanza.set_from(Some(resource.jid.clone().into()));
        match stanza.kind() {
            Kind::Message => self.sent_message(now, index, stanza, effects),
            Kind::Presence => self.sent_presence(now, index, stanza, effects),
            Kind::Iq => self.sent_iq(now, index, stanza, effects),
        }
    }

    fn destination(&self, to: Option<&Jid>) -> Destination {
        let Some(to) = to else { return Destination::Own };
        if self.hosts.get(to.domain()).is_none() {
            return Destination::Remote;
        }
        match to.local() {
            None => Destination::Server,
            Some(_) if to.is_bare() && to.to_bare() == self.jid => Destination::Own,
            Some(_) => Destination::Local(Key::User(to.to_bare())),
        }
    }

    fn sent_message(&mut self, now: Now, index: usize, mut stanza: Stanza, effects: &mut Effects) {
        if stanza.to().is_none() {
            // RFC 6120 10.3.1: as if sent to the sender's bare JID.
            stanza.set_to(Some(self.jid.to_jid()));
        }
        super::xep_0359_stanza_ids::strip_forged(&mut stanza, &self.hosts);
        let keeps = self.host.as_ref().is_some_and(|host| host.keep);
        let is_kept = keeps && super::xep_0334_hints::is_kept(&stanza);
        let mark = if is_kept { Mark::of(&stanza) } else { None };
        if mark.is_some_and(|mark| self.accepted.has(now, mark)) {
            return;
        }
        let is_full = is_kept && self.outbox.is_full(&self.hosts.limits);
        let target = match self.destination(stanza.to()) {
            Destination::Own | Destination::Local(_) if is_full => Err(Condition::ResourceConstraint),
            Destination::Own => Ok(self.key.clone()),
            Destination::Local(key) => Ok(key),
            Destination::Server => Err(Condition::ServiceUnavailable),
            Destination::Remote => Err(Condition::RemoteServerNotFound),
        };
        let target = match target {
            Ok(target) => target,
            Err(condition) if is_kept => return self.refuse_kept(now, index, &stanza, condition, effects),
            Err(condition) => return self.refuse(index, &stanza, condition, effects),
        };
        if !is_kept {
            return effects.send(target, Event::Relay(stanza));
        }
        if target == self.key {
            return self.sent_to_self(now, index, stanza, mark, effects);
        }
        let counted = self.resources.get_mut(index).and_then(|resource| resource.logged());
        self.keep(now, target, stanza, counted, mark, effects);
    }

    /// Refuses a message that would have been kept, by an error that is. Without room for that, the message of a
    /// managed stream is not handled at all: its client sends it again once it has acknowledged the errors that it has.
    pub(crate) fn refuse_kept(
        &mut self,
        now: Now,
        index: usize,
        stanza: &Stanza,
        condition: Condition,
        effects: &mut Effects,
    ) {
        if let Some(reply) = stanza.error_reply(condition.into()) {
            let is_managed = self.resources.get(index).is_some_and(|resource| resource.management.is_some());
            if self.has_room_for_error(reply.size()) {
                self.take_in(now, reply, Way::In(For::Named), effects);
            } else if is_managed {
                return self.hold_back(index, effects);
            } else {
                self.deliver_to_named(reply, effects);
            }
        }
        // With the error: a client that learns of the one must learn of the other.
        self.note_handled(now, index, effects);
    }

    /// The last stanza of a resource was not handled after all, and its stream ends: it can be resumed, and whoever does
    /// that acknowledges what it has got. The session cannot just wait, since acknowledgements come behind the stanza.
    /// A client that can resume no stream, and acknowledges nothing before it sends again, gets no further.
    fn hold_back(&mut self, index: usize, effects: &mut Effects) {
        let Some(resource) = self.resources.get_mut(index) else { return };
        resource.handled = resource.handled.saturating_sub(1);
        resource.takes_errors = true;
        if let Some(session) = resource.session {
            let text = "too many errors wait for your acknowledgement";
            let error = StreamError::new(StreamCondition::ResourceConstraint).with_text(text);
            effects.session(session, ToSession::End(error));
        }
        self.begin_reading(index, effects);
    }

    /// Whether the stanza with this number was not handled after all, and so none after it can be.
    pub(crate) fn is_held_back(&self, attachment: u64, number: u64) -> bool {
        self.resources.iter().any(|r| r.attachment == attachment && r.handled < number)
    }

    fn sent_presence(&mut self, now: Now, index: usize, stanza: Stanza, effects: &mut Effects) {
        let kind = stanza.presence_type();
        let subscription = SubscriptionType::from_presence(kind);
        match (kind, stanza.to().is_some(), subscription) {
            (_, true, Some(subscription)) => {
                self.sent_subscription(now, index, subscription, stanza, effects)
            }
            (PresenceType::Available, false, _) => self.becomes_available(now, index, stanza, effects),
            (PresenceType::Unavailable, false, _) => {
                self.becomes_unavailable(now, index, Some(stanza), effects)
            }
            (PresenceType::Available | PresenceType::Unavailable, true, _) => {
                self.sent_directed(now, index, stanza, effects);
            }
            // RFC 6121 4.3: clients ought not to probe; an error's destination is its business.
            (_, true, None) => self.relay_or_refuse(index, stanza, effects),
            (_, false, _) => self.refuse(index, &stanza, Condition::BadRequest, effects),
        }
    }

    fn sent_iq(&mut self, now: Now, index: usize, stanza: Stanza, effects: &mut Effects) {
        let is_request = matches!(stanza.iq_type(), IqType::Get | IqType::Set);
        match self.destination(stanza.to()) {
            Destination::Own | Destination::Server if is_request => self.serve(now, index, &stanza, effects),
            Destination::Own | Destination::Server => {}
            Destination::Local(target) => effects.send(target, Event::Relay(stanza)),
            Destination::Remote => self.refuse(index, &stanza, Condition::RemoteServerNotFound, effects),
        }
    }

    /// Sends a stanza that is not kept on its way.
    pub(crate) fn relay_or_refuse(&mut self, index: usize, stanza: Stanza, effects: &mut Effects) {
        match self.destination(stanza.to()) {
            Destination::Own => effects.send(self.key.clone(), Event::Relay(stanza)),
            Destination::Local(target) => effects.send(target, Event::Relay(stanza)),
            Destination::Server => {}
            Destination::Remote => self.refuse(index, &stanza, Condition::RemoteServerNotFound, effects),
        }
    }

    /// Answers a stanza of the resource at `index` with an error, if it may be answered.
    pub(crate) fn refuse(
        &mut self,
        index: usize,
        stanza: &Stanza,
        condition: Condition,
        effects: &mut Effects,
    ) {
        if let Some(reply) = stanza.error_reply(condition.into()) {
            self.reply(index, &reply, effects);
        }
    }

    /// Sends what answers the resource at `index`, and goes with its stream.
    pub(crate) fn reply(&mut self, index: usize, reply: &Stanza, effects: &mut Effects) {
        if let Some(resource) = self.resources.get_mut(index) {
            resource.deliver(reply.to_bytes(), Source::Passing, effects);
        }
        self.check_queue(index, effects);
    }

    /// To another entity, or to nobody if its domain is not served here.
    pub(crate) fn route(&self, stanza: Stanza, effects: &mut Effects) {
        if let Destination::Local(target) = self.destination(stanza.to()) {
            effects.send(target, Event::Relay(stanza));
        } else if stanza.to().is_some_and(|to| to.to_bare() == self.jid) {
            effects.send(self.key.clone(), Event::Relay(stanza));
        }
    }
}
