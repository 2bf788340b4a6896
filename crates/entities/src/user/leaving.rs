//! What goes with a user that ends, for the one that is loaded in its place.

use super::User;
use std::collections::VecDeque;
use stentor_engine::{Attach, Effects, Event, Expected, SessionKey, Snapshot, TakenOver, ToSession};
use stentor_xmpp::{PresenceType, Stanza};

impl User {
    /// What sessions would hand over of managed streams, for the next owner of the slot; and their sessions, of those that
    /// do not wait to be resumed.
    pub fn streams(&self) -> Vec<(Option<SessionKey>, Attach)> {
        self.resources.iter().filter_map(|resource| resource.managed(|| self.taken_in_log())).collect()
    }

    /// What the successor of this user is to hear first; its sessions are told to attach.
    pub(crate) fn left(self, effects: &mut Effects) -> Vec<Event> {
        let (mut expected, attachments, mut gathers) = (Vec::new(), self.attachments, false);
        for resource in self.resources {
            if let Some(session) = resource.session {
                effects.session(session, ToSession::Reattach);
            }
            let (session, snapshot) = (resource.session, resource.snapshot());
            expected.push(Expected { session, jid: resource.jid, snapshot });
        }
        for jid in self.ended {
            let mut presence = Stanza::presence(PresenceType::Available);
            presence.set_from(Some(jid.clone().into()));
            let snapshot = Snapshot { presence: Some(presence), ..Snapshot::default() };
            expected.push(Expected { session: None, jid, snapshot });
        }
        let mut events = VecDeque::new();
        if let Some(gathering) = self.gathering {
            gathers = gathering.is_open;
            expected.extend(gathering.expected.into_iter().chain(gathering.gone));
            events = gathering.deferred;
        }
        events.push_front(Event::TakenOver(TakenOver {
            gathers,
            is_given: false,
            attachments,
            resources: expected,
        }));
        events.into()
    }
}
