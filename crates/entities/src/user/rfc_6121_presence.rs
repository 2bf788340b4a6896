//! RFC 6121 section 4: presence. Broadcast, probes, directed presence, priorities.

use super::User;
use super::owed::{AGAIN, THERE};
use super::resource::{Available, Source};
use std::collections::BTreeSet;
use std::sync::Arc;
use stentor_engine::{Effects, Event, Key, Now};
use stentor_xmpp::{BareJid, Condition, Jid, PresenceType, Stanza};

/// Entities to whom a resource may send directed presence that it must take back.
const DIRECTED_MAX: usize = 1_000;

impl User {
    /// A resource says that it is available, or how (4.2, 4.4).
    pub(crate) fn becomes_available(
        &mut self,
        now: Now,
        index: usize,
        stanza: Stanza,
        effects: &mut Effects,
    ) {
        let Some(available) = Available::of(stanza.clone()) else {
            return self.refuse(index, &stanza, Condition::BadRequest, effects);
        };
        let priority = available.priority;
        let Some(resource) = self.resources.get_mut(index) else { return };
        let is_initial = resource.presence.is_none();
        let took_messages = resource.takes_messages();
        resource.presence = Some(Box::new(available));
        self.ended.retain(|ended| *ended != resource.jid);
        if priority >= 0 && !took_messages {
            resource.reached = self.tail;
        }
        resource.show(effects);
        self.record_online(now, index, is_initial, effects);
        self.broadcast(&stanza, effects);
        if is_initial {
            self.probe_contacts(index, effects);
            self.show_own(index, effects);
            self.offer_requests(index, effects);
        }
        if is_initial || (priority >= 0 && !took_messages) {
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
        let is_by_client = stanza.is_some();
        if is_by_client {
            resource.show(effects);
        }
        let stanza =
            stanza.unwrap_or_else(|| bare_presence(PresenceType::Unavailable, resource.jid.clone().into()));
        self.record_online(now, index, false, effects);
        if was_available && is_by_client {
            // 4.5.2: also to the resource that said it.
            let mut own = stanza.clone();
            own.set_to(Some(self.jid.to_jid()));
            self.reply(index, &own, effects);
        }
        self.take_back(now, &stanza, was_available, directed, effects);
    }

    /// Tells those who have presence of a resource that it is gone.
    pub(crate) fn take_back(
        &mut self,
        now: Now,
        stanza: &Stanza,
        was_available: bool,
        directed: Option<Arc<BTreeSet<Jid>>>,
        effects: &mut Effects,
    ) {
        if was_available {
            self.note_ended(stanza);
            self.broadcast(stanza, effects);
            self.note_last_activity(now, stanza, effects);
        }
        for to in directed.iter().flat_map(|directed| directed.iter()) {
            if was_available && self.sees_presence(to) {
                // A subscriber by now, who has been told.
                continue;
            }
            let mut stanza = stanza.clone();
            stanza.set_to(Some(to.clone()));
            self.route(stanza, effects);
        }
    }

    /// To every contact that is subscribed (4.2.2, 4.4.2, 4.5.2), and to the user's own available resources.
    pub(crate) fn broadcast(&mut self, stanza: &Stanza, effects: &mut Effects) {
        self.send_to(self.roster.subscribers(), stanza, effects);
        let mut own = stanza.clone();
        own.set_to(Some(self.jid.to_jid()));
        self.reply_to_available(&own, effects);
    }

    /// Asks each contact to whom the user is subscribed (4.3.1).
    fn probe_contacts(&self, index: usize, effects: &mut Effects) {
        let Some(resource) = self.resources.get(index) else { return };
        let probe = bare_presence(PresenceType::Probe, resource.jid.clone().into());
        self.send_to(self.roster.subscriptions(), &probe, effects);
    }

    /// The same to each contact.
    pub(crate) fn send_to<'a>(
        &self,
        contacts: impl Iterator<Item = &'a BareJid>,
        stanza: &Stanza,
        effects: &mut Effects,
    ) {
        for contact in contacts {
            let mut stanza = stanza.clone();
            stanza.set_to(Some(contact.to_jid()));
            self.route(stanza, effects);
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

    /// Whether presence is broadcast to this entity's account: it is subscribed, or it is the user.
    pub(crate) fn sees_presence(&self, entity: &Jid) -> bool {
        let bare = entity.to_bare();
        let is_subscribed = || self.roster.get(&bare).is_some_and(|item| item.subscription.state.is_from());
        self.account.is_some() && (bare == self.jid || is_subscribed())
    }

    /// A contact asks (4.3.2), or somebody to whom presence was sent directly (4.6.6).
    pub(crate) fn probed(&mut self, now: Now, probe: &Stanza, effects: &mut Effects) {
        let Some(from) = probe.from() else { return };
        let asked = probe.to().and_then(Jid::resource);
        let answers = if self.sees_presence(from) {
            match asked {
                // Its clients know since when, if nobody is here.
                None if probe.id() == Some(THERE) => self.shown().collect(),
                None if probe.id() == Some(AGAIN) => self.shown().chain(self.ended()).collect(),
                None => self.whole_presence(probe),
                Some(name) => self.mere_presence(probe, |resource| resource.name() == name),
            }
        } else {
            self.mere_presence(probe, |resource| {
                resource.has_shown_itself(from) && asked == Some(resource.name())
            })
        };
        for mut answer in answers {
            answer.set_to(Some(from.clone()));
            let is_contact = self.roster.get(&from.to_bare()).is_some();
            if answer.presence_type() == PresenceType::Unsubscribed && is_contact {
                // It changes what the other side stores, so it must not overtake what was approved before it.
                answer.set_to(Some(from.to_bare().to_jid()));
                self.send_subscription(now, answer, effects);
            } else {
                self.route(answer, effects);
            }
        }
    }

    fn shown(&self) -> impl Iterator<Item = Stanza> {
        self.resources.iter().filter_map(|resource| Some(resource.presence.as_ref()?.stanza.clone()))
    }

    /// What each available resource last said (4.3.2, 4); if there is none, since when (3).
    fn whole_presence(&self, probe: &Stanza) -> Vec<Stanza> {
        let presences: Vec<Stanza> = self.shown().collect();
        if !presences.is_empty() {
            return presences;
        }
        let mut away = bare_presence(PresenceType::Unavailable, self.jid.to_jid());
        away.set_id(probe.id());
        if let Some((at, _)) = &self.last_activity {
            crate::xep_0203_delay::stamp(&mut away, self.jid.as_str(), *at);
        }
        vec![away]
    }

    /// That one resource is there, and nothing else of it (4.3.2 of a full JID, 4.6.6). If it may not be known or is
    /// not there, the answer is that of an account that does not exist (4.3.2, 1).
    fn mere_presence(&self, probe: &Stanza, is_meant: impl Fn(&super::Resource) -> bool) -> Vec<Stanza> {
        let from = probe.from();
        if let Some(resource) = self.resources.iter().find(|resource| is_meant(resource)) {
            let is_there =
                resource.presence.is_some() || from.is_some_and(|from| resource.has_shown_itself(from));
            let kind = if is_there { PresenceType::Available } else { PresenceType::Unavailable };
            return vec![bare_presence(kind, resource.jid.clone().into())];
        }
        let is_known = from.is_some_and(|from| self.sees_presence(from));
        let kind = if is_known { PresenceType::Unavailable } else { PresenceType::Unsubscribed };
        let mut answer = bare_presence(kind, self.jid.to_jid());
        if let (true, Some(to)) = (is_known, probe.to()) {
            answer.set_from(Some(to.clone()));
        }
        answer.set_id(probe.id());
        vec![answer]
    }

    /// Presence of a contact, or directed at this user (8.5.2.1.2, 8.5.3.1).
    pub(crate) fn notified(&mut self, stanza: &Stanza, effects: &mut Effects) {
        if let (PresenceType::Unavailable, Some(from)) = (stanza.presence_type(), stanza.from()) {
            // 4.6.1: who is gone need not be told when we go.
            for resource in &mut self.resources {
                if resource.forget_directed(from) {
                    resource.show(effects);
                }
            }
        }
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
    pub(crate) fn sent_directed(&mut self, now: Now, index: usize, stanza: Stanza, effects: &mut Effects) {
        let Some(to) = stanza.to().cloned() else { return };
        let (is_subscribed, is_served) = (self.sees_presence(&to), self.hosts.get(to.domain()).is_some());
        let Some(resource) = self.resources.get_mut(index) else { return };
        if stanza.presence_type() == PresenceType::Unavailable {
            if resource.forget_directed(&to) {
                resource.show(effects);
                self.record_online(now, index, true, effects);
            }
        } else {
            let gets_broadcast = is_subscribed && resource.presence.is_some();
            if !gets_broadcast && is_served {
                if !resource.note_directed(to, DIRECTED_MAX) {
                    return self.refuse(index, &stanza, Condition::ResourceConstraint, effects);
                }
                resource.show(effects);
                self.record_online(now, index, true, effects);
            }
        }
        self.relay_or_refuse(index, stanza, effects);
    }

    /// Sends the present state of every available resource to a contact that has just been approved, or takes it
    /// back (3.1.6, 3.2.2).
    pub(crate) fn show_to(&self, contact: &BareJid, is_available: bool, effects: &mut Effects) {
        for resource in &self.resources {
            let Some(presence) = &resource.presence else { continue };
            let mut stanza = if is_available {
                presence.stanza.clone()
            } else {
                bare_presence(PresenceType::Unavailable, resource.jid.clone().into())
            };
            stanza.set_to(Some(contact.to_jid()));
            effects.send(Key::User(contact.clone()), Event::Relay(stanza));
        }
    }
}

/// Presence that says nothing but its type.
pub(crate) fn bare_presence(kind: PresenceType, from: Jid) -> Stanza {
    let mut stanza = Stanza::presence(kind);
    stanza.set_from(Some(from));
    stanza
}
