//! RFC 6121 section 4: presence. Broadcast, probes, directed presence, priorities.

use super::User;
use super::resource::{Available, Reading, Source};
use stentor_engine::{Effects, Event, Key, Now};
use stentor_xmpp::{Condition, Jid, PresenceType, Stanza};

/// Entities to whom a resource may send directed presence that it must take back.
const DIRECTED_MAX: usize = 1_000;

impl User {
    /// A resource says that it is available, or how (4.2, 4.4).
    pub(crate) fn becomes_available(&mut self, index: usize, stanza: Stanza, effects: &mut Effects) {
        let priority = match stanza.text_of("priority").map(|text| text.trim().parse::<i8>()) {
            None => 0,
            Some(Ok(priority)) => priority,
            // 4.7.2.3: an integer between -128 and +127.
            Some(Err(_)) => return self.refuse(index, &stanza, Condition::BadRequest, effects),
        };
        let Some(resource) = self.resources.get_mut(index) else { return };
        let is_initial = resource.presence.is_none();
        let took_messages = resource.takes_messages();
        resource.presence = Some(Box::new(Available { stanza: stanza.clone(), priority }));
        self.broadcast(&stanza, effects);
        if is_initial {
            self.probe_contacts(index, effects);
            self.show_own(index, effects);
            self.offer_requests(index, effects);
        }
        if priority < 0 {
            if let Some(resource) = self.resources.get_mut(index) {
                resource.reading = Reading::Off;
            }
        } else if !took_messages {
            self.begin_reading(index, effects);
        }
    }

    /// A resource says that it is unavailable, or is gone (4.5).
    pub(crate) fn becomes_unavailable(
        &mut self,
        now: Now,
        index: usize,
        stanza: Option<Stanza>,
        effects: &mut Effects,
    ) {
        let Some(resource) = self.resources.get_mut(index) else { return };
        let directed = resource.directed.take();
        let was_available = resource.presence.take().is_some();
        resource.reading = Reading::Off;
        let stanza = stanza.unwrap_or_else(|| {
            let mut stanza = Stanza::presence(PresenceType::Unavailable);
            stanza.set_from(Some(resource.jid.clone().into()));
            stanza
        });
        if was_available {
            self.broadcast(&stanza, effects);
            // 4.5.2: the resource itself is told as well, if it only became unavailable.
            self.note_last_activity(now, &stanza, effects);
        }
        for to in directed.into_iter().flat_map(|directed| directed.into_iter()) {
            let mut stanza = stanza.clone();
            stanza.set_to(Some(to));
            self.route(stanza, effects);
        }
    }

    /// To every contact that is subscribed (4.2.2, 4.4.2, 4.5.2), and to the user's own available resources.
    fn broadcast(&mut self, stanza: &Stanza, effects: &mut Effects) {
        for contact in self.roster.subscribers() {
            let mut stanza = stanza.clone();
            stanza.set_to(Some(contact.to_jid()));
            self.route(stanza, effects);
        }
        let mut own = stanza.clone();
        own.set_to(Some(self.jid.to_jid()));
        self.reply_to_available(&own, effects);
    }

    /// Asks each contact to whom the user is subscribed (4.3.1).
    fn probe_contacts(&mut self, index: usize, effects: &mut Effects) {
        let Some(from) = self.resources.get(index).map(|r| Jid::from(r.jid.clone())) else { return };
        for contact in self.roster.subscriptions() {
            let mut probe = Stanza::presence(PresenceType::Probe);
            probe.set_from(Some(from.clone()));
            probe.set_to(Some(contact.to_jid()));
            self.route(probe, effects);
        }
    }

    /// Shows a resource that has become available the user's others (4.2.2).
    fn show_own(&mut self, index: usize, effects: &mut Effects) {
        let others = self.resources.iter().enumerate().filter(|(other, _)| *other != index);
        let presences: Vec<Stanza> =
            others.filter_map(|(_, other)| other.presence.as_ref().map(|p| p.stanza.clone())).collect();
        for mut presence in presences {
            presence.set_to(Some(self.jid.to_jid()));
            self.reply(index, &presence, effects);
        }
    }

    /// A contact asks (4.3.2).
    pub(crate) fn probed(&mut self, probe: &Stanza, effects: &mut Effects) {
        let Some(from) = probe.from().cloned() else { return };
        let answer = |mut presence: Stanza, effects: &mut Effects| {
            presence.set_to(Some(from.clone()));
            self.route(presence, effects);
        };
        let is_allowed = self.account.is_some()
            && (from.to_bare() == self.jid
                || self.roster.get(&from.to_bare()).is_some_and(|i| i.subscription.state.is_from()));
        if !is_allowed {
            // The same for a stranger and for an account that does not exist.
            let mut refusal = Stanza::presence(PresenceType::Unsubscribed);
            refusal.set_from(Some(self.jid.to_jid()));
            return answer(refusal, effects);
        }
        let mut is_anyone = false;
        for presence in self.resources.iter().filter_map(|resource| resource.presence.as_ref()) {
            is_anyone = true;
            answer(presence.stanza.clone(), effects);
        }
        if !is_anyone {
            let mut away = Stanza::presence(PresenceType::Unavailable);
            away.set_from(Some(self.jid.to_jid()));
            answer(away, effects);
        }
    }

    /// Presence of a contact, or directed at this user (8.5.2.1.2, 8.5.3.1).
    pub(crate) fn notified(&mut self, stanza: &Stanza, effects: &mut Effects) {
        match stanza.to().and_then(Jid::resource) {
            None => self.reply_to_available(stanza, effects),
            Some(name) => {
                if let Some(index) = self.resources.iter().position(|resource| resource.name() == name) {
                    self.reply(index, stanza, effects);
                }
            }
        }
    }

    /// To every resource that is available, whatever its priority.
    pub(crate) fn reply_to_available(&mut self, stanza: &Stanza, effects: &mut Effects) {
        let bytes = stanza.to_bytes();
        for index in 0..self.resources.len() {
            let Some(resource) = self.resources.get_mut(index) else { break };
            if resource.presence.is_some() {
                resource.deliver(bytes.clone(), Source::Passing, effects);
                self.check_queue(index, effects);
            }
        }
    }

    /// Presence to somebody in particular (4.6).
    pub(crate) fn sent_directed(&mut self, index: usize, stanza: Stanza, effects: &mut Effects) {
        let Some(to) = stanza.to().cloned() else { return };
        let Some(resource) = self.resources.get_mut(index) else { return };
        if stanza.presence_type() == PresenceType::Unavailable {
            if let Some(directed) = &mut resource.directed {
                directed.remove(&to);
            }
        } else {
            let is_subscribed =
                self.roster.get(&to.to_bare()).is_some_and(|item| item.subscription.state.is_from());
            let gets_broadcast = is_subscribed && resource.presence.is_some();
            if !gets_broadcast && !resource.note_directed(to, DIRECTED_MAX) {
                return self.refuse(index, &stanza, Condition::ResourceConstraint, effects);
            }
        }
        self.relay_or_refuse(index, stanza, effects);
    }

    /// Sends the present state of every available resource to a contact that has just been approved, or takes it
    /// back (3.1.6, 3.2.2).
    pub(crate) fn show_to(&self, contact: &stentor_xmpp::BareJid, is_available: bool, effects: &mut Effects) {
        for resource in &self.resources {
            let Some(presence) = &resource.presence else { continue };
            let mut stanza = if is_available {
                presence.stanza.clone()
            } else {
                let mut stanza = Stanza::presence(PresenceType::Unavailable);
                stanza.set_from(Some(resource.jid.clone().into()));
                stanza
            };
            stanza.set_to(Some(contact.to_jid()));
            effects.send(Key::User(contact.clone()), Event::Relay(stanza));
        }
    }
}
