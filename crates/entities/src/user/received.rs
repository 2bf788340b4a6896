//! Stanzas from other entities: what becomes of them here, by RFC 6121 8.5.

use super::User;
use super::entry::{For, Way};
use super::resent::Mark;
use super::resource::Source;
use super::rfc_6121_delivery::{Addressed, Available, Delivery, of_message};
use super::rfc_6121_subscription::SubscriptionType;
use std::sync::Arc;
use stentor_engine::{Effects, Now, Outcome};
use stentor_xmpp::{Condition, IqType, Kind, MessageType, PresenceType, Stanza, ns};

impl User {
    /// Decides one stanza. `is_kept`: it stands in an outbox, and the outcome is what its sender is told;
    /// otherwise a refusal goes back as an error stanza.
    pub(crate) fn received(
        &mut self,
        now: Now,
        stanza: Stanza,
        is_kept: bool,
        effects: &mut Effects,
    ) -> Outcome {
        let outcome = match stanza.kind() {
            Kind::Message => self.received_message(now, &stanza, is_kept, effects),
            Kind::Presence => self.received_presence(now, &stanza, effects),
            Kind::Iq => self.received_iq(now, &stanza, effects),
        };
        if let (Outcome::Refused(error), false) = (&outcome, is_kept)
            && let Some(reply) = stanza.error_reply(error.clone())
        {
            self.route(reply, effects);
        }
        outcome
    }

    fn addressed(&self, stanza: &Stanza) -> (Addressed, Option<usize>) {
        let Some(name) = stanza.to().and_then(|to| to.resource()) else { return (Addressed::Bare, None) };
        match self.resources.iter().position(|resource| resource.name() == name) {
            Some(index) => (Addressed::Match, Some(index)),
            None => (Addressed::NoMatch, None),
        }
    }

    fn available(&self) -> Available {
        let priorities = || self.resources.iter().filter_map(|resource| resource.priority());
        match priorities().max() {
            None => Available::None,
            Some(i8::MIN..=-1) => Available::Negative,
            Some(_) => Available::NonNegative,
        }
    }

    fn decided(&self, stanza: &Stanza) -> (Delivery, Option<usize>) {
        let (addressed, index) = self.addressed(stanza);
        (of_message(stanza.message_type(), addressed, self.available()), index)
    }

    /// A message of the resource at `index` to its own account, to be kept: one entry is outbox, delivery decision
    /// and what waits, so nothing is forwarded and nothing confirmed.
    pub(crate) fn sent_to_self(
        &mut self,
        now: Now,
        index: usize,
        stanza: Stanza,
        mark: Option<Mark>,
        effects: &mut Effects,
    ) {
        let whom = match self.decided(&stanza).0 {
            Delivery::Named => For::Named,
            Delivery::All | Delivery::Offline => For::Any,
            Delivery::Ignore => return,
            Delivery::Refuse => {
                return self.refuse_kept(now, index, &stanza, Condition::ServiceUnavailable, effects);
            }
        };
        if !self.has_room(stanza.size()) {
            return self.refuse_kept(now, index, &stanza, Condition::ServiceUnavailable, effects);
        }
        let counted = self.resources.get_mut(index).and_then(|resource| resource.logged());
        if let Some(mark) = mark {
            // At once, since what stands for it here waits for clients.
            self.accepted.add(now.unix, mark);
            self.accepted.record(now, &[mark], effects);
        }
        self.take_in(now, stanza, Way::Own(whom, counted), effects);
    }

    fn received_message(
        &mut self,
        now: Now,
        stanza: &Stanza,
        is_kept: bool,
        effects: &mut Effects,
    ) -> Outcome {
        if self.account.is_none() {
            // RFC 6121 8.5.1: an error rather than silence, so that no message vanishes; table 1, its headlines.
            return match stanza.message_type() {
                MessageType::Error | MessageType::Headline => Outcome::Accepted,
                _ => refused(Condition::ServiceUnavailable),
            };
        }
        let (delivery, index) = self.decided(stanza);
        match delivery {
            Delivery::Refuse => return refused(Condition::ServiceUnavailable),
            Delivery::Ignore => return Outcome::Accepted,
            Delivery::Offline if !super::xep_0334_hints::is_kept(stanza) => return Outcome::Accepted,
            _ => {}
        }
        if is_kept || delivery == Delivery::Offline {
            if !self.has_room(stanza.size()) {
                // XEP-0160 3: a full queue refuses, before anything is appended.
                return refused(Condition::ServiceUnavailable);
            }
            let whom = if delivery == Delivery::Named { For::Named } else { For::Any };
            self.take_in(now, stanza.clone(), Way::In(whom), effects);
            return Outcome::Accepted;
        }
        let bytes = stanza.to_bytes();
        let source = if super::xep_0334_hints::is_kept(stanza) {
            Source::Memory(Arc::default())
        } else {
            Source::Passing
        };
        for taker in 0..self.resources.len() {
            let Some(resource) = self.resources.get_mut(taker) else { break };
            let is_meant = index.map_or_else(|| resource.takes_messages(), |named| named == taker);
            if is_meant {
                resource.deliver(bytes.clone(), source.clone(), effects);
                self.check_queue(taker, effects);
            }
        }
        Outcome::Accepted
    }

    fn received_presence(&mut self, now: Now, stanza: &Stanza, effects: &mut Effects) -> Outcome {
        let kind = stanza.presence_type();
        match SubscriptionType::from_presence(kind) {
            // RFC 6121 8.5.3.2.2.
            Some(subscription)
                if subscription != SubscriptionType::Subscribe
                    && self.addressed(stanza).0 == Addressed::NoMatch => {}
            Some(subscription) => self.received_subscription(now, subscription, stanza, effects),
            None if kind == PresenceType::Probe => self.probed(now, stanza, effects),
            None if self.owes(stanza, effects) || self.is_said_again(now, stanza) => {}
            None => self.notified(stanza, effects),
        }
        Outcome::Accepted
    }

    fn received_iq(&mut self, now: Now, stanza: &Stanza, effects: &mut Effects) -> Outcome {
        let is_request = matches!(stanza.iq_type(), IqType::Get | IqType::Set);
        match self.addressed(stanza) {
            (Addressed::Match, Some(index)) if !is_request || self.may_ask(index, stanza) => {
                self.reply(index, stanza, effects);
                Outcome::Accepted
            }
            // RFC 6121 8.5.2.1.3: the server answers for the account.
            (Addressed::Bare, _) if is_request => self.serve_other(now, stanza, effects),
            (Addressed::Bare, _) => Outcome::Accepted,
            _ if is_request => refused(Condition::ServiceUnavailable),
            _ => Outcome::Accepted,
        }
    }

    /// RFC 6121 8.5.3.1: requests reach a client from those who know that it is there, by a subscription or by
    /// directed presence. Rosters are changed by the server alone, so nobody's client is pushed one by another.
    fn may_ask(&self, index: usize, stanza: &Stanza) -> bool {
        let (Some(from), Some(resource)) = (stanza.from(), self.resources.get(index)) else { return false };
        !stanza.has_child("query", ns::ROSTER)
            && (self.sees_presence(from) || resource.has_shown_itself(from))
    }

    /// Hands a stanza to the resource that it names, if that is still here.
    pub(crate) fn deliver_to_named(&mut self, stanza: Stanza, effects: &mut Effects) {
        if let (Addressed::Match, Some(index)) = self.addressed(&stanza) {
            self.reply(index, &stanza, effects);
        }
    }
}

/// Refused with an error condition.
pub(crate) fn refused(condition: Condition) -> Outcome {
    Outcome::Refused(condition.into())
}
