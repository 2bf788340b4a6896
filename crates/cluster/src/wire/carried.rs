//! What a link carries.

use crate::PeerMessage;
use bytes::Bytes;
use stentor_engine::{Ask, Epoch, Event, Key, LogId, Reply, SessionKey, Slot, ToSession};
use stentor_xmpp::{Jid, Stanza};

/// Who sends an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An entity in this slot, in this epoch of it: what comes from an older one than is known is dropped.
    Entity(Slot, Epoch),
    /// A session of the sending member, or its administration: of one incarnation, as the link is.
    Member,
}

/// From one member to another.
#[derive(Debug)]
pub enum Carried {
    /// To an entity.
    Event {
        /// From whom.
        source: Source,
        /// To whom.
        target: Key,
        /// In which epoch of its slot, as the sender knows it.
        epoch: Epoch,
        /// What. Only what leaves a member: from sessions, forwards, confirmations, relays, commands.
        event: Event,
    },
    /// The same relay to many.
    Relays(Relays),
    /// To a session of the receiving member.
    Session {
        /// The slot and epoch of the entity that says it.
        source: (Slot, Epoch),
        /// Which session.
        session: SessionKey,
        /// What.
        message: ToSession,
    },
    /// The same stanza to many sessions.
    Outbounds(Outbounds),
    /// The answer to an [`Event::Command`]; the ask is the receiving member's.
    Reply {
        /// To which ask.
        ask: Ask,
        /// The answer.
        reply: Reply,
    },
    /// An event whose target is not the sender's in that epoch: it is to be routed again, by a table of this version
    /// or a later one.
    Returned {
        /// As it was.
        source: Source,
        /// As it was.
        target: Key,
        /// As it was.
        epoch: Epoch,
        /// As it was.
        event: Event,
        /// The table by which it was returned.
        version: u64,
    },
    /// About the cluster.
    Peer(PeerMessage),
    /// Administration asks the member itself, in the JSON of the control protocol.
    Question {
        /// Finds back with the answer.
        id: u64,
        /// Opaque here.
        body: Bytes,
    },
    /// The answer to a question.
    Answer {
        /// That of the question.
        id: u64,
        /// Opaque here.
        body: Bytes,
    },
}

/// One stanza to many users of a member, that differs by `to` alone: presence, above all.
#[derive(Debug)]
pub struct Relays {
    /// The entity that sends it.
    pub source: Source,
    /// Its `to` means nothing.
    pub stanza: Stanza,
    /// To whom, each with the epoch of the slot of the user that the address belongs to.
    pub to: Vec<(Jid, Epoch)>,
}

impl Relays {
    /// Each as the event that it would have been alone.
    pub fn into_events(self) -> impl ExactSizeIterator<Item = (Key, Epoch, Event)> {
        let stanza = self.stanza;
        self.to.into_iter().map(move |(to, epoch)| {
            let key = Key::User(to.to_bare());
            let mut stanza = stanza.clone();
            stanza.set_to(Some(to));
            (key, epoch, Event::Relay(stanza))
        })
    }
}

/// One stanza to many sessions of a member, to each the same bytes.
#[derive(Debug)]
pub struct Outbounds {
    /// The slot and epoch of the entity that sends it.
    pub source: (Slot, Epoch),
    /// As it goes onto the wire.
    pub stanza: Bytes,
    /// The entry of the entity's log that it is, if it is one; and the first that may be in the log.
    pub entry: (Option<LogId>, LogId),
    /// To which sessions, and the number of each attachment.
    pub to: Vec<(SessionKey, u64)>,
}

impl Outbounds {
    /// Each as the message that it would have been alone.
    pub fn into_messages(self) -> impl ExactSizeIterator<Item = (SessionKey, ToSession)> {
        let (stanza, (entry, waiting)) = (self.stanza, self.entry);
        self.to.into_iter().map(move |(session, attachment)| {
            (session, ToSession::Outbound { attachment, stanza: stanza.clone(), entry, waiting })
        })
    }
}
