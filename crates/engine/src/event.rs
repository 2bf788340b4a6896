//! What entities and sessions tell each other. Named for what is asked or what happened.

use crate::{Attach, Key, LogId, MemberId, OutboundCopy, Rows, SessionKey, Snapshot, TakenOver};
use bytes::Bytes;
use core::net::IpAddr;
use std::fmt;
use stentor_xmpp::{Counter, FullJid, Stanza, StanzaError, StreamError};

/// What reaches an entity.
#[derive(Debug)]
pub enum Event {
    /// From a session that holds an attachment here, or asks for one.
    Session(SessionKey, FromSession),
    /// A stanza that must not be lost: named, and answered by [`Event::Confirm`] once its fate is durable.
    Forward(Forward),
    /// The fate of a forward of ours.
    Confirm(Confirm),
    /// A stanza for which nothing is promised: presence, iq, messages that are not kept.
    Relay(Stanza),
    /// The answer to queries of ours.
    Rows(u64, Vec<Rows>),
    /// The keys of a password that was to be derived, as JSON; none if it cannot be a password.
    Derived(u64, Option<Bytes>),
    /// A timer of ours has run out.
    Timer(u64),
    /// Administration asks.
    Command(Ask, Command),
    /// Before all others: this entity was loaded in the place of one that was lost.
    TakenOver(TakenOver),
    /// To an entity that was loaded while its slot gathered: every member has had its sessions attach.
    Gathered,
    /// A member is gone, with all the sessions that it accepted.
    MemberGone {
        /// Which.
        member: MemberId,
        /// It had given away this entity's slot, and was lost since: what it sent back to others then, since the slot was
        /// another's already, may not have reached them.
        gave: bool,
    },
}

impl Event {
    /// Whether a full gate refuses it. What ends something under way is always admitted: it is bounded by what began
    /// it, and refusing it would lock full entities against each other, or leave sessions that are gone.
    pub fn is_gated(&self) -> bool {
        match self {
            Self::Session(_, FromSession::Gone | FromSession::Detached { .. }) => false,
            Self::Session(..) | Self::Forward(_) | Self::Relay(_) | Self::Command(..) => true,
            Self::Confirm(_)
            | Self::Rows(..)
            | Self::Derived(..)
            | Self::Timer(_)
            | Self::TakenOver(_)
            | Self::Gathered
            | Self::MemberGone { .. } => false,
        }
    }

    /// The session that says it.
    pub fn session(&self) -> Option<SessionKey> {
        match self {
            Self::Session(session, _) => Some(*session),
            _ => None,
        }
    }
}

/// The name of a forward: who sends it and where it stands in the sender's log, which is also the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForwardName {
    /// Whose outbox it is in.
    pub sender: Key,
    /// Its position there. One sender's forwards to one target have increasing ids.
    pub id: LogId,
}

/// A stanza on its way from an outbox.
#[derive(Clone, Debug)]
pub struct Forward {
    /// Its name.
    pub name: ForwardName,
    /// The unconfirmed forward before it to the same target. The receiver takes this one only if it has that
    /// one, so order holds through losses and take-overs.
    pub previous: Option<LogId>,
    /// The stanza, `from` stamped.
    pub stanza: Stanza,
}

/// The receiver's answer to a [`Forward`]; the same for each repeat.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// Of which.
    pub id: LogId,
    /// Who answers.
    pub target: Key,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stands in the receiver's log, or was handled where nothing is to be kept.
    Accepted,
    /// The receiver refused it; the sender's user gets this error, once.
    Refused(StanzaError),
    /// The one before it is missing: send from there again.
    Gap,
}

/// A resumable stream (XEP-0198), named by 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u128);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl StreamId {
    /// Reads what `Display` wrote; nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        canonical.then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

/// What a session tells its user. `attachment` is the number that the user gave it; events of an older one are
/// refused.
#[derive(Debug)]
pub enum FromSession {
    /// Authenticated, wants a resource (RFC 6120 7). Answered by `Bound` or `BindRefused`.
    Bind {
        /// What the client asks for, or what the stream made for it.
        resource: Box<str>,
        /// Where the client is, for administration.
        peer: Option<IpAddr>,
    },
    /// Authenticated, wants a stream back (XEP-0198 5). Answered by `Resumed` or `ResumeFailed`.
    Resume {
        /// Which.
        stream: StreamId,
        /// What the client has handled.
        h: Counter,
        /// Where the client is, for administration.
        peer: Option<IpAddr>,
    },
    /// The user that had the resource was lost. Answered by `Attached`, or by `End` if the resource is another's.
    Attach(Box<Attach>),
    /// Stanzas, numbered from 1 since the resource was bound, without holes.
    Inbound {
        /// Whose.
        attachment: u64,
        /// The number of the first.
        first: u64,
        /// In order.
        stanzas: Vec<Stanza>,
    },
    /// The stanza with this number was dealt with by the session itself: malformed, or about the stream.
    Passed {
        /// Whose.
        attachment: u64,
        /// Its number, after all before it.
        number: u64,
        /// What answers it, if it is answered.
        answer: Option<Stanza>,
    },
    /// `<enable/>` (XEP-0198 3). Answered by `ManagementEnabled`.
    EnableManagement {
        /// Whose.
        attachment: u64,
        /// The stream's name from now on.
        stream: StreamId,
        /// Whether the client wants to resume it.
        resume: bool,
        /// Seconds for which the client would like it kept.
        max: Option<u32>,
    },
    /// `<r/>`: answered by `Answer` once all that came before it is handled, and durable where that was promised.
    Request {
        /// Whose.
        attachment: u64,
    },
    /// `<a/>`: what the client has handled.
    Acknowledged {
        /// Whose.
        attachment: u64,
        /// Its count.
        h: Counter,
    },
    /// All outbound stanzas up to this number, counted from 1 since the attachment, were given to the kernel.
    Flushed {
        /// Whose.
        attachment: u64,
        /// The number.
        outbound: u64,
    },
    /// The connection is gone before the answer to `Bind` or `Resume` came: whatever the answer was.
    Gone,
    /// The stream is gone.
    Detached {
        /// Whose.
        attachment: u64,
        /// Whether it can be resumed: the connection was lost, the stream was not closed.
        resumable: bool,
    },
}

/// What a user tells a session.
#[derive(Debug)]
pub enum ToSession {
    /// The resource is the session's.
    Bound {
        /// Number of the attachment.
        attachment: u64,
        /// The address of the resource.
        jid: FullJid,
    },
    /// No resource.
    BindRefused(StanzaError),
    /// The stream goes on here.
    Resumed(Resumed),
    /// The stream is not to be had (XEP-0198 5); the client may bind.
    ResumeFailed {
        /// What of it was handled, if it is known.
        handled: Option<Counter>,
    },
    /// The user goes on with the resource: to [`FromSession::Attach`].
    Attached {
        /// The number of the attachment from now on; outbound stanzas are counted anew.
        attachment: u64,
        /// Inbound stanzas up to this number are handled, or are being handled from what the session handed over.
        inbound: u64,
    },
    /// The resource has changed: to be kept for [`FromSession::Attach`].
    Snapshot {
        /// Whose.
        attachment: u64,
        /// All of it.
        snapshot: Box<Snapshot>,
    },
    /// Management is on; stanzas after this are counted.
    ManagementEnabled {
        /// The stream's name, if it can be resumed.
        resumable: Option<StreamId>,
        /// Seconds for which it is kept after its connection is lost.
        max: u32,
    },
    /// Inbound stanzas up to this number are handled, and durable where that was promised.
    Confirmed {
        /// Whose.
        attachment: u64,
        /// The number.
        inbound: u64,
    },
    /// What `<a/>` may say.
    Answer {
        /// Whose.
        attachment: u64,
        /// As `Confirmed`.
        inbound: u64,
    },
    /// A stanza for the client.
    Outbound {
        /// Whose.
        attachment: u64,
        /// As it goes onto the wire.
        stanza: Bytes,
        /// The entry of the user's log that it is, if it is one.
        entry: Option<LogId>,
        /// No entry before this one is in the log any more.
        waiting: LogId,
    },
    /// The user's entity was loaded afresh: attach again and hand over what was not confirmed, or ask again.
    Reattach,
    /// The stream ends.
    End(StreamError),
}

/// A stream that goes on with another session: what [`crate::Attachment::resumed`] begins with.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// Number of the attachment.
    pub attachment: u64,
    /// The address of the resource.
    pub jid: FullJid,
    /// What the resource is, and its stream, which is managed. Not told apart: a session that has to attach before it
    /// knows this would hand over a stream that nobody manages.
    pub snapshot: Box<Snapshot>,
    /// Inbound stanzas since the bind that are handled and durable.
    pub handled: u64,
    /// The last outbound stanza that the client has acknowledged.
    pub acknowledged: Counter,
    /// Those behind it, to be sent again in order.
    pub again: Vec<OutboundCopy>,
    /// Entries of the log that clients have taken and that may still stand there.
    pub taken: Vec<LogId>,
}

/// Who asked, so that the answer finds back; given by whoever drives the entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ask(pub u64);

/// What administration asks of a user.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make the account, with these credentials (JSON as `stentor_auth` writes it).
    CreateAccount(Bytes),
    /// Replace the credentials; ends all sessions but the one named by this resource.
    SetCredentials(Bytes, Option<Box<str>>),
    /// Remove the account and all it has.
    RemoveAccount,
    /// Put a contact on the roster with the subscription `both`, as a migration or a demonstration needs it.
    AddContact {
        /// Who.
        jid: stentor_xmpp::BareJid,
        /// The name shown.
        name: String,
    },
    /// Who is connected.
    Sessions,
    /// How much the account has.
    Describe,
    /// End the sessions with this resource, or all.
    Kick(Option<Box<str>>, String),
    /// Write what is only in memory and may be written lazily; then answer.
    Settle,
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done, and durable.
    Done,
    /// There is no such account, or no such session.
    NotFound,
    /// There is one already.
    Exists,
    /// The store could not be read; nothing was done.
    Failed,
    /// To [`Command::Sessions`].
    Sessions(Vec<SessionInfo>),
    /// To [`Command::Describe`].
    Account {
        /// Items on the roster.
        contacts: u64,
        /// Messages that wait for a client.
        waiting: u64,
    },
}

/// One resource of a user, as administration sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its address.
    pub jid: FullJid,
    /// Whether a stream is connected to it now (else it waits to be resumed).
    pub is_connected: bool,
    /// Priority of its presence, if it is available.
    pub priority: Option<i8>,
    /// Whether XEP-0198 is on.
    pub is_managed: bool,
    /// When it was bound, milliseconds since 1970 UTC.
    pub since: u64,
    /// Where its client is, while it is connected.
    pub peer: Option<IpAddr>,
}
