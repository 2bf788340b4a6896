//! What a session keeps so that its user is expendable, and hands to the next that is loaded in its place.

use crate::{LogId, SessionKey, StreamId};
use bytes::Bytes;
use core::net::IpAddr;
use std::collections::BTreeSet;
use std::sync::Arc;
use stentor_xmpp::{Counter, FullJid, Jid, Stanza};

/// What a user has to know of a resource to go on with it. Shares what it is made of.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When the resource was bound, milliseconds since 1970 UTC; zero if that is not known.
    pub since: u64,
    /// The presence that it last broadcast, `from` stamped, if it is available.
    pub presence: Option<Stanza>,
    /// It asked for the roster, so it gets pushes.
    pub is_interested: bool,
    /// To whom it sent presence directly that has to be taken back.
    pub directed: Option<Arc<BTreeSet<Jid>>>,
    /// What XEP-0198 adds.
    pub management: Option<Managed>,
    /// The last entry of the log that it was given or passed by.
    pub reached: LogId,
}

/// A stream that is managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Managed {
    /// Its name.
    pub stream: StreamId,
    /// Whether it can be resumed.
    pub is_resumable: bool,
    /// Seconds for which it is kept after its connection is lost.
    pub max: u32,
    /// Inbound stanzas before `<enable/>`.
    pub unmanaged: u64,
}

/// A session that asks the user that was loaded in its user's place to go on with its resource.
#[derive(Debug)]
pub struct Attach {
    /// The number that the attachment had.
    pub attachment: u64,
    /// The resource.
    pub jid: FullJid,
    /// Where the client is, for administration.
    pub peer: Option<IpAddr>,
    /// The resource as it was last known.
    pub snapshot: Snapshot,
    /// Inbound stanzas up to this number were confirmed.
    pub confirmed: u64,
    /// Those after it, in order.
    pub unconfirmed: Vec<Unconfirmed>,
    /// What the client of a managed stream has acknowledged.
    pub acknowledged: Counter,
    /// What it was sent after that, in order.
    pub unacknowledged: Vec<OutboundCopy>,
    /// Entries of the log that it has taken and that may still stand there.
    pub taken: Vec<LogId>,
}

/// An inbound stanza that its user has not confirmed.
#[derive(Clone, Debug)]
pub enum Unconfirmed {
    /// For the user.
    Stanza(Stanza),
    /// The session dealt with it; what answers it, if it is answered.
    Passed(Option<Stanza>),
}

/// An outbound stanza that the client has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundCopy {
    /// As it goes onto the wire.
    pub stanza: Bytes,
    /// The entry of the user's log that it is, if it is one.
    pub entry: Option<LogId>,
}

/// What a user that is lost leaves to the one that is loaded in its place.
#[derive(Clone, Debug, Default)]
pub struct TakenOver {
    /// Its slot gathers: sessions of which nobody knows may attach, until [`crate::Event::Gathered`].
    pub gathers: bool,
    /// The member that owned it before lives, and gave it away: others have all that was said to them in it.
    pub is_given: bool,
    /// The last number that it gave to an attachment: answers to what it asked the store may still come.
    pub attachments: u64,
    /// Its resources.
    pub resources: Vec<Expected>,
}

/// A resource of a user that is lost, for the user that is loaded in its place.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The session that is expected to attach; none if nobody can go on with the resource.
    pub session: Option<SessionKey>,
    /// Its address.
    pub jid: FullJid,
    /// The resource as it was, so that contacts hear that it is gone if the session never comes.
    pub snapshot: Snapshot,
}
