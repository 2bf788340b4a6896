//! Presence that may have been lost. It stands in no log, so it goes with the member that has it, and is refused where
//! there is no room for it: on a full link, or at the gate of a user that has too much to do. Who may have missed some is
//! told anew what is so by then, and asked what he says; once, a moment later, and not everybody at once.
//!
//! Both by the same rule: a refused stanza makes one contact owed, a take-over all of them. What is refused again is owed
//! again, so presence converges once there is room.

use super::rfc_6121_presence::bare_presence;
use super::{User, timer};
use std::collections::VecDeque;
use stentor_engine::{Effects, Now};
use stentor_xmpp::{BareJid, Condition, FullJid, Jid, PresenceType, Stanza, ns};

/// The id of probes by which a user asks once more: who is asked says then also which of his resources ended lately.
pub(crate) const AGAIN: &str = "once-more";
/// The id of those by which he asks no more than who is there.
pub(crate) const THERE: &str = "who-is-there";
/// Milliseconds until a contact for whom there was no room is told and asked, and as long again over which users are
/// spread.
const OWED_AFTER: u64 = 2_000;
/// Milliseconds over which those whose owner was lost are spread.
const EXCHANGE_WITHIN: u64 = 4_000;
/// Milliseconds within which a contact may say again that a resource is gone: because it is asked, or because its owner died
/// and the next cannot know who has heard it. Longer than a record of it stays ([`super::online`]).
const AGAIN_WITHIN: u64 = 150_000;
/// Milliseconds within which the loss of the member that gave a slot away makes the slot one that was lost: longer than it
/// takes until a member that hangs is fenced.
pub(crate) const GIVEN_LATELY: u64 = 30_000;
/// Resources of which that is borne in mind.
const GONE_MAX: usize = 256;
/// Resources that ended of which contacts are told once more that they did.
const ENDED_MAX: usize = 8;

/// Contacts with whom that is done together; if all were, those that found no room would be the same each time.
const PAID_AT_ONCE: usize = 16;

/// Contacts with which presence is to be exchanged once more, in turn: no more than are on the roster.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    contacts: VecDeque<BareJid>,
    is_due: bool,
    /// The owner before was lost, and it is to be exchanged with all of them.
    is_exchange_due: bool,
}

impl Owed {
    /// Whether nobody is waited for.
    pub(crate) fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }
}

/// Of whom clients were told lately that they are gone, so that they are told once.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// When, by the monotonic clock, of whom, and to whom.
    told: VecDeque<(u64, FullJid, Jid)>,
}

impl Gone {
    /// Whether clients know it by now; presence from anybody is to be shown to this.
    pub(crate) fn knows(&mut self, now: Now, presence: &Stanza) -> bool {
        let is_over = |(at, ..): &mut (u64, FullJid, Jid)| *at + AGAIN_WITHIN <= now.monotonic;
        while self.told.pop_front_if(is_over).is_some() {}
        let Some((from, to)) = presence.from().and_then(Jid::to_full).zip(presence.to()) else {
            return false;
        };
        match presence.presence_type() {
            PresenceType::Available => self.told.retain(|(_, told, _)| *told != from),
            PresenceType::Unavailable => {
                let mut told = self.told.iter().filter(|(_, told, _)| *told == from);
                if told.any(|(_, _, whom)| whom.is_bare() || whom == to) {
                    return true;
                }
                if self.told.len() >= GONE_MAX {
                    self.told.pop_front();
                }
                self.told.push_back((now.monotonic, from, to.clone()));
            }
            _ => {}
        }
        false
    }
}

impl User {
    /// Whether this says that there was no room for presence to, or a probe of, a contact; it is no business of clients.
    pub(crate) fn owes(&mut self, stanza: &Stanza, effects: &mut Effects) -> bool {
        let is_of_room = stanza.presence_type() == PresenceType::Error
            && stanza.child("error", ns::CLIENT).is_some_and(|error| {
                error.children().any(|child| child.name() == Condition::ResourceConstraint.name())
            });
        let contact = stanza.from().filter(|_| is_of_room).map(Jid::to_bare);
        let Some(contact) = contact.filter(|contact| self.roster.get(contact).is_some()) else {
            return false;
        };
        if !self.owed.contacts.contains(&contact) {
            self.owed.contacts.push_back(contact);
        }
        self.pay_later(effects);
        true
    }

    fn pay_later(&mut self, effects: &mut Effects) {
        if !self.owed.is_empty() && !std::mem::replace(&mut self.owed.is_due, true) {
            effects.timer(OWED_AFTER + u64::from(self.jid_number()) % OWED_AFTER, timer::OWED);
        }
    }

    /// Those who may have missed something are told and asked, each in full before the next.
    pub(crate) fn pay(&mut self, effects: &mut Effects) {
        self.owed.is_due = false;
        let count = PAID_AT_ONCE.min(self.owed.contacts.len());
        let paid: Vec<BareJid> = self.owed.contacts.drain(..count).collect();
        for contact in paid {
            self.exchange_again(Some(&contact), effects);
        }
        self.pay_later(effects);
    }

    /// What this user and its contacts sent each other may have been lost with the owner before. Not all users of a slot
    /// say it at once.
    pub(crate) fn exchange_soon(&mut self, effects: &mut Effects) {
        if self.exchange_later(effects) {
            // Whoever has come from elsewhere was not told by this user.
            self.gone = Gone::default();
        }
    }

    /// The same, to clients who were told by this user who is gone. Whether there are any.
    pub(crate) fn exchange_later(&mut self, effects: &mut Effects) -> bool {
        let is_due = self.hosts.is_clustered && self.resources.iter().any(|r| r.presence.is_some());
        if is_due {
            self.owed.is_exchange_due = true;
            effects.timer(u64::from(self.jid_number()) % EXCHANGE_WITHIN, timer::PROBE);
        }
        is_due
    }

    /// It is time to exchange presence with all contacts, since the owner before was lost.
    pub(crate) fn exchange_if_due(&mut self, effects: &mut Effects) {
        if std::mem::take(&mut self.owed.is_exchange_due) {
            self.exchange_again(None, effects);
        }
    }

    /// The slot is to be given away. Whatever is owed is paid now: the next owner asks only who is there.
    pub(crate) fn pay_all(&mut self, effects: &mut Effects) {
        for contact in std::mem::take(&mut self.owed.contacts) {
            if !self.owed.is_exchange_due {
                self.exchange_again(Some(&contact), effects);
            }
        }
        self.exchange_if_due(effects);
    }

    fn jid_number(&self) -> u32 {
        self.jid.as_str().bytes().fold(0, |number, byte| number.wrapping_mul(31).wrapping_add(byte.into()))
    }

    /// Tells this contact, or all, what is so of each resource, and asks for theirs. Where the slot was given to this owner,
    /// all are not told again who is gone: that was heard, but by one for whom there was no room. Who is there is said also
    /// then, since it changes nothing, and that there was once no room to say it may have been lost with the owner before.
    pub(crate) fn exchange_again(&self, with: Option<&BareJid>, effects: &mut Effects) {
        let is_meant = |contact: &&BareJid| with.is_none_or(|with| with == *contact);
        let available = || self.resources.iter().filter_map(|r| Some((&r.jid, r.presence.as_ref()?)));
        let is_heard = |ended: &FullJid| with.is_none() && self.online.is_heard(ended.resource());
        let gone = self.ended.iter().filter(|ended| !is_heard(ended));
        for stanza in available().map(|(_, presence)| presence.stanza.clone()).chain(gone.map(is_gone)) {
            self.send_to(self.roster.subscribers().filter(is_meant), &stanza, effects);
        }
        let id = if self.given_at.is_some() && with.is_none() { THERE } else { AGAIN };
        for (jid, _) in available() {
            let mut probe = bare_presence(PresenceType::Probe, jid.clone().into());
            probe.set_id(Some(id));
            self.send_to(self.roster.subscriptions().filter(is_meant), &probe, effects);
        }
    }

    /// Whether clients know what this says: that somebody is gone, of whom they were told lately. A server alone says
    /// nothing twice.
    pub(crate) fn is_said_again(&mut self, now: Now, presence: &Stanza) -> bool {
        self.hosts.is_clustered && self.gone.knows(now, presence)
    }

    /// That resources which ended lately did.
    pub(crate) fn ended(&self) -> impl Iterator<Item = Stanza> {
        self.ended.iter().map(is_gone)
    }

    /// A resource that was available is not any more, as contacts are told by this.
    pub(crate) fn note_ended(&mut self, unavailable: &Stanza) {
        let Some(jid) = unavailable.from().and_then(Jid::to_full) else { return };
        self.ended.retain(|ended| *ended != jid);
        if self.ended.len() >= ENDED_MAX {
            self.ended.remove(0);
        }
        self.ended.push(jid);
    }
}

fn is_gone(resource: &FullJid) -> Stanza {
    bare_presence(PresenceType::Unavailable, resource.clone().into())
}
