//! RFC 6121 section 3: subscription requests, approvals and cancellations, sent and received. The states and their
//! tables are in [`super::rfc_6121_subscription`]; here is what they lead to.

use super::User;
use super::rfc_6121_subscription::{Notify, Subscription, SubscriptionType};
use super::roster::Item;
use stentor_engine::{Effects, Event, Key, Now};
use stentor_xmpp::{BareJid, Condition, Stanza};

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
        if contact == self.jid || contact.local().is_none() {
            return;
        }
        if self.hosts.get(contact.domain()).is_none() {
            return self.refuse(index, &stanza, Condition::RemoteServerNotFound, effects);
        }
        // 3.1.2: from bare JID to bare JID.
        stanza.set_from(Some(self.jid.to_jid()));
        stanza.set_to(Some(contact.to_jid()));
        let Some(item) = self.item_or_new(&contact) else {
            return self.refuse(index, &stanza, Condition::ResourceConstraint, effects);
        };
        let change = item.subscription.outbound(kind);
        if change.notify == Some(Notify::Unavailable) {
            self.show_to(&contact, false, effects);
        }
        if change.route {
            self.send_subscription(now, stanza, effects);
        }
        self.move_to(item, change.subscription, change.push, effects);
        if change.notify == Some(Notify::Available) {
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
            if kind == SubscriptionType::Subscribe {
                // 8.5.1: nobody will ever approve.
                self.tell(now, &contact, SubscriptionType::Unsubscribed, effects);
            }
            return;
        }
        let Some(mut item) = self.item_or_new(&contact) else { return };
        let change = item.subscription.inbound(kind);
        if change.subscription.state.is_pending_in() && kind == SubscriptionType::Subscribe {
            item.request = Some(text(stanza));
        }
        if change.notify == Some(Notify::Unavailable) {
            self.show_to(&contact, false, effects);
        }
        if let Some(reply) = change.reply {
            self.tell(now, &contact, reply, effects);
        }
        if change.deliver {
            let mut stanza = stanza.clone();
            stanza.set_to(Some(self.jid.to_jid()));
            self.reply_to_interested(&stanza, effects);
        }
        self.move_to(item, change.subscription, change.push, effects);
        if change.notify == Some(Notify::Available) {
            self.show_to(&contact, true, effects);
        }
    }

    fn item_or_new(&self, contact: &BareJid) -> Option<Item> {
        match self.roster.get(contact) {
            Some(item) => Some(item.clone()),
            None => {
                (self.roster.len() < self.hosts.limits.roster_items_max).then(|| Item::new(contact.clone()))
            }
        }
    }

    fn move_to(&mut self, mut item: Item, next: Subscription, is_pushed: bool, effects: &mut Effects) {
        let is_same = item.subscription == next;
        item.subscription = next;
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
    fn send_subscription(&mut self, now: Now, stanza: Stanza, effects: &mut Effects) {
        let Some(to) = stanza.to().map(|to| to.to_bare()) else { return };
        if self.hosts.get(to.domain()).is_none() {
            return;
        }
        let keeps = self.host.as_ref().is_some_and(|host| host.keep);
        let target = Key::User(to);
        if keeps && self.account.is_some() {
            self.keep(now, target, stanza, None, effects);
        } else {
            effects.send(target, Event::Relay(stanza));
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

    /// Requests and answers go to every resource that is available or has asked for the roster (3.1.3, 3.1.6).
    fn reply_to_interested(&mut self, stanza: &Stanza, effects: &mut Effects) {
        for index in 0..self.resources.len() {
            if self.resources.get(index).is_some_and(|r| r.presence.is_some() || r.is_interested) {
                self.reply(index, stanza, effects);
            }
        }
    }
}

fn text(stanza: &Stanza) -> Box<str> {
    String::from_utf8_lossy(&stanza.to_bytes()).into()
}
