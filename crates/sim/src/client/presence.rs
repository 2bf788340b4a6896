//! What a client says of its presence, and is told of others'.

use super::{Client, account};
use crate::presence::Stay;
use crate::stage::Stage;
use stentor_xml::ElementBuilder;
use stentor_xmpp::{BareJid, Jid, PresenceType, Stanza, ns};

impl Client {
    pub(super) fn announce(&mut self, kind: PresenceType, priority: i8, stage: &mut Stage) {
        let mut stanza = Stanza::presence(kind);
        if priority != 0 {
            let priority = ElementBuilder::new("priority", ns::CLIENT).text(&priority.to_string());
            stanza.push(&priority.build());
        }
        if kind == PresenceType::Unavailable || priority < 0 {
            self.period += 1;
            self.is_ready = false;
        }
        self.is_available = kind == PresenceType::Available;
        self.name_stay(&mut stanza, stage);
        self.takes_messages = self.is_available && priority >= 0;
        self.unheard += u32::from(self.is_available);
        self.send(None, stanza, stage);
    }

    /// It says whether it is available: a presence that says so names its stay.
    fn name_stay(&mut self, stanza: &mut Stanza, stage: &mut Stage) {
        if !self.is_available {
            return self.ends_stay(stage);
        }
        let stay = *self.stay.get_or_insert_with(|| stage.presence.begins(self.index, self.account));
        stanza.push(&ElementBuilder::new("status", ns::CLIENT).text(&stay.to_string()).build());
    }

    /// It may not be available any more.
    pub(super) fn ends_stay(&mut self, stage: &mut Stage) {
        if self.stay.take().is_some() {
            stage.presence.ends(self.index);
        }
    }

    /// Somebody is available.
    pub(super) fn told_there(&mut self, from: &Jid, stanza: &Stanza) {
        let status = stanza.child("status", ns::CLIENT);
        if let Some(stay) = status.and_then(|status| Stay::parse(&status.text())) {
            self.gone.remove(from.as_str());
            self.view.insert(from.as_str().into(), stay);
        }
    }

    /// Somebody is not; a whole account, if the address is bare.
    pub(super) fn told_gone(&mut self, from: &Jid, stage: &mut Stage) {
        let now = stage.queue.now();
        let is_meant = |jid: &str| jid == from.as_str() || jid.split('/').next() == Some(from.as_str());
        let over: Vec<_> = self.view.extract_if(.., |jid, _| is_meant(jid)).collect();
        for (_, stay) in &over {
            stage.presence.told(now, (self.index, self.account), *stay, &mut stage.coverage);
        }
        if !from.is_bare() && !self.gone.insert(from.as_str().into()) {
            stage.coverage.told_again += 1;
        }
    }

    pub(super) fn subscribe(&mut self, stage: &mut Stage) {
        use PresenceType::{Subscribe, Subscribed, Unsubscribe, Unsubscribed};
        let random = &mut stage.random;
        let kind = *random
            .pick(&[Subscribe, Subscribe, Subscribed, Unsubscribe, Unsubscribed])
            .unwrap_or(&Subscribe);
        let number = random.below(stage.plan.accounts);
        if matches!(kind, Unsubscribe | Unsubscribed) {
            stage.presence.estranged(self.account, number);
        }
        self.send_subscription(kind, &account(number), stage);
    }

    pub(super) fn send_subscription(&mut self, kind: PresenceType, contact: &BareJid, stage: &mut Stage) {
        stage.coverage.subscriptions += 1;
        let mut stanza = Stanza::presence(kind);
        stanza.set_to(Some(contact.to_jid()));
        self.send(None, stanza, stage);
    }
}
