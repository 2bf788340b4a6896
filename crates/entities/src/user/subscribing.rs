//! RFC 6121 section 3: subscription requests, approvals and cancellations, sent and received. The states and their
//! tables are in [`super::rfc_6121_subscription`]; here is what they lead to.

use super::User;
use super::rfc_6121_subscription::{Notify, Subscription, SubscriptionType};
use super::roster::Item;
use stentor_engine::{Effects, Event, Key, Now};
use stentor_xmpp::{BareJid, Condition, Kind, PresenceType, Stanza};

/// Requests that may wait for the user's answer, apart from those of contacts on the roster; others are ignored
/// (3.1.3: against exhaustion by many who ask).
const REQUESTS_MAX: usize = 500;
/// Bytes of a request that is stored whole; of a longer one, only that it was made.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

impl User {
    /// One of our own clients subscribes, approves, cancels (A.2).
    pub(crate) fn sent_subscription(
        &mut self,
        now: Now,
        index: usize,
        kind: SubscriptionType,
        mut stanza: Stanza,
        effects: &mut Effects,
    ) {
        let Some(contact) = stanza.to().map(|to| to.to_bare()) else { return };
        if contact == self.jid {
            // 4.2.2: one is subscribed to oneself.
            return;
        }
        if self.hosts.get(contact.domain()).is_none() {
            return self.refuse(index, &stanza, Condition::RemoteServerNotFound, effects);
        }
        if contact.local().is_none() {
            // 3.1.2: the server has no presence.
            return self.refuse(index, &stanza, Condition::ServiceUnavailable, effects);
        }
        let known = self.roster.get(&contact);
        let is_new = known.is_none_or(|item| !item.is_visible());
        let item = known.cloned().unwrap_or_else(|| Item::new(contact.clone()));
        let change = item.subscription.outbound(kind);
        let limits = &self.hosts.limits;
        let is_full =
            is_new && change.subscription.needs_item() && self.roster.visible() >= limits.roster_items_max;
        if is_full || (change.route && self.outbox.is_full(limits)) {
            return self.refuse(index, &stanza, Condition::ResourceConstraint, effects);
        }
        // 3.1.2: from bare JID to bare JID. Only now: an error goes to the full JID that sent it (RFC 6120 8.3.1).
        stanza.set_from(Some(self.jid.to_jid()));
        stanza.set_to(Some(contact.to_jid()));
        if change.notify == Some(Notify::Unavailable) {
            self.show_to(&contact, false, effects);
        }
        if change.route {
            self.send_subscription(now, stanza, effects);
        }
        self.move_to(item, change.subscription, change.push, effects);
        if change.notify == Some(Notify::Available) && !self.keeps_subscriptions() {
            self.show_to(&contact, true, effects);
        }
    }

    /// A contact subscribes, approves, cancels (A.3).
    pub(crate) fn received_subscription(
        &mut self,
        now: Now,
        kind: SubscriptionType,
        stanza: &Stanza,
        effects: &mut Effects,
    ) {
        let Some(contact) = stanza.from().map(|from| from.to_bare()) else { return };
        if self.account.is_none() {
            // 8.5.1: in silence, as it looks where the request waits for an answer.
            return;
        }
        let mut stanza = stanza.clone();
        // 3.1.3: as if it were sent to the bare JID.
        stanza.set_to(Some(self.jid.to_jid()));
        let mut item = self.roster.get(&contact).cloned().unwrap_or_else(|| Item::new(contact.clone()));
        let change = item.subscription.inbound(kind);
        if change.deliver && kind == SubscriptionType::Subscribe {
            if !item.is_visible() && self.roster.requests() >= REQUESTS_MAX {
                return;
            }
            if stanza.size() > REQUEST_BYTES_MAX {
                stanza.remove(|_| true);
            }
            item.request = Some(text(&stanza));
        }
        if change.notify == Some(Notify::Unavailable) {
            self.show_to(&contact, false, effects);
        }
        if let Some(reply) = change.reply {
            self.tell(now, &contact, reply, effects);
        }
        match (change.deliver, kind) {
            (true, SubscriptionType::Subscribe) => self.reply_to_available(&stanza, effects),
            (true, _) => self.reply_to_interested(&stanza, effects),
            (false, _) => {}
        }
        self.move_to(item, change.subscription, change.push, effects);
        if change.notify == Some(Notify::Available) && !self.keeps_subscriptions() {
            self.show_to(&contact, true, effects);
        }
    }

    fn move_to(&mut self, mut item: Item, next: Subscription, is_pushed: bool, effects: &mut Effects) {
        let is_same = item.subscription == next;
        item.subscription = next;
        // What clients were shown stays on the roster until they remove it, also if nothing came of a request.
        item.is_listed |= next.needs_item();
        if !next.state.is_pending_in() {
            item.request = None;
        }
        if item.is_empty() {
            if self.roster.get(&item.jid).is_some() {
                self.forget_item(&item.jid, effects);
            }
        } else if !is_same || is_pushed || self.roster.get(&item.jid).is_none() {
            self.change_item(item, is_pushed, effects);
        }
    }

    /// Ends the subscriptions both ways (2.5.2), for a contact that is taken off the roster.
    pub(crate) fn leave(&mut self, now: Now, contact: &BareJid, effects: &mut Effects) {
        let Some(subscription) = self.roster.get(contact).map(|item| item.subscription) else { return };
        if subscription.state.is_from() {
            self.show_to(contact, false, effects);
        }
        for kind in subscription.removal() {
            self.tell(now, contact, kind, effects);
        }
    }

    /// Sends a contact a request or an answer in the user's name.
    fn tell(&mut self, now: Now, contact: &BareJid, kind: SubscriptionType, effects: &mut Effects) {
        let mut stanza = Stanza::presence(kind.into());
        stanza.set_from(Some(self.jid.to_jid()));
        stanza.set_to(Some(contact.to_jid()));
        self.send_subscription(now, stanza, effects);
    }

    /// Requests and answers change what both sides store, so they take the way of kept stanzas.
    pub(crate) fn send_subscription(&mut self, now: Now, stanza: Stanza, effects: &mut Effects) {
        let Some(to) = stanza.to().map(|to| to.to_bare()) else { return };
        if self.hosts.get(to.domain()).is_none() {
            return;
        }
        let target = Key::User(to);
        if self.keeps_subscriptions() {
            self.keep(now, target, stanza, None, None, effects);
        } else {
            effects.send(target, Event::Relay(stanza));
        }
    }

    fn keeps_subscriptions(&self) -> bool {
        self.account.is_some() && self.host.as_ref().is_some_and(|host| host.keep)
    }

    /// A kept request or answer has come to the contact. Presence follows an approval (3.1.5) only now: until the
    /// contact has it, those of its clients that become available do not ask, and what was sent before is not for
    /// them.
    pub(crate) fn subscription_arrived(&self, stanza: &Stanza, effects: &mut Effects) {
        let is_approval =
            stanza.kind() == Kind::Presence && stanza.presence_type() == PresenceType::Subscribed;
        if let Some(to) = stanza.to().filter(|to| is_approval && self.sees_presence(to)) {
            self.show_to(&to.to_bare(), true, effects);
        }
    }

    /// Requests that nobody has answered yet are shown to a resource that becomes available (3.1.3).
    pub(crate) fn offer_requests(&mut self, index: usize, effects: &mut Effects) {
        let waiting = self.roster.iter().filter_map(|item| item.request.as_deref());
        let requests: Vec<Stanza> = waiting.filter_map(|request| Stanza::parse(request).ok()).collect();
        for request in requests {
            self.reply(index, &request, effects);
        }
    }

    /// Answers and cancellations go to every resource that has asked for the roster (3.1.6, 3.2.3, 3.3.3).
    fn reply_to_interested(&mut self, stanza: &Stanza, effects: &mut Effects) {
        for index in 0..self.resources.len() {
            if self.resources.get(index).is_some_and(|resource| resource.is_interested) {
                self.reply(index, stanza, effects);
            }
        }
    }
}

fn text(stanza: &Stanza) -> Box<str> {
    String::from_utf8_lossy(&stanza.to_bytes()).into()
}
