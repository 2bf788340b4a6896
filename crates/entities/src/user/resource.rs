//! A resource: one client of the user, connected or waiting to resume its stream.

use crate::UserLimits;
use bytes::Bytes;
use core::net::IpAddr;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stentor_engine::{
    Attach, Effects, LogId, Managed, OutboundCopy, SessionKey, Snapshot, StreamId, ToSession,
};
use stentor_xmpp::{Counter, FullJid, Jid, Stanza, StreamManagementError, Unacknowledged};

/// Outbound stanzas to a session that it has not given to the kernel; beyond, kept messages stay in the log until
/// the session has caught up.
const UNFLUSHED_MAX: u64 = 256;

/// And their bytes, far below what a session holds for a client that does not read.
const UNFLUSHED_BYTES_MAX: usize = 256 * 1024;

/// A client of the user.
#[derive(Debug)]
pub(crate) struct Resource {
    pub jid: FullJid,
    /// When it was bound, milliseconds since 1970 UTC.
    pub since: u64,
    pub attachment: u64,
    /// The number that the attachment had with the user in whose place this one was loaded; else the same. Of two
    /// sessions that claim a resource, the one with the greater is the newer.
    pub origin: u64,
    /// Where the client is.
    pub peer: Option<IpAddr>,
    /// None while the stream waits to be resumed.
    pub session: Option<SessionKey>,
    /// Inbound stanzas handled since the bind.
    pub handled: u64,
    /// Of them, stanzas and bytes since the session was last told.
    pub untold: (u64, usize),
    /// Counts the requests that the server sent it.
    requests: u64,
    /// Outbound stanzas of this attachment, and how many of them the session is known to have passed on.
    sent: u64,
    flushed: u64,
    /// The sizes of those between the two, and their sum.
    unflushed: VecDeque<u32>,
    unflushed_bytes: usize,
    pub management: Option<Box<Management>>,
    pub presence: Option<Box<Available>>,
    /// There is a record of it, of what others see.
    pub is_recorded: bool,
    /// It asked for the roster, so it gets pushes (RFC 6121 2.1.6).
    pub is_interested: bool,
    /// To whom it sent presence that they would not have got by subscription (RFC 6121 4.6).
    pub directed: Option<Arc<BTreeSet<Jid>>>,
    /// It gets errors that nobody else has taken, though it does not take messages: they leave no room for its own.
    pub takes_errors: bool,
    pub reading: Reading,
    /// The last entry of the log that it was given or passed by. What comes after it is for this resource whoever else
    /// has it; of what is before, only what nobody has.
    pub reached: LogId,
}

/// How kept messages reach a resource, of those that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As they come.
    Live,
    /// From the log until nothing waits for it there. The first entry of the page that was asked for, if one was.
    CatchingUp(Option<LogId>),
}

/// Presence of an available resource.
#[derive(Debug)]
pub(crate) struct Available {
    /// As last sent by the client, `from` stamped, without `to`.
    pub stanza: Stanza,
    pub priority: i8,
}

impl Available {
    /// None if its priority is none (RFC 6121 4.7.2.3: an integer between -128 and +127).
    pub(crate) fn of(stanza: Stanza) -> Option<Self> {
        let priority = match stanza.text_of("priority") {
            None => 0,
            Some(priority) => priority.trim().parse().ok()?,
        };
        Some(Self { stanza, priority })
    }
}

/// What XEP-0198 adds.
#[derive(Debug)]
pub(crate) struct Management {
    pub stream: StreamId,
    pub is_resumable: bool,
    /// It was told to end, since its client lets too much pile up.
    pub is_overfull: bool,
    /// Its client knows its name, and may ask for it even if it cannot be resumed any more.
    pub is_named: bool,
    /// Seconds for which it waits.
    pub max: u32,
    /// Inbound stanzas before `<enable/>`.
    pub unmanaged: u64,
    /// What the client has not acknowledged.
    pub queue: Unacknowledged<Pending>,
    /// How many of its stanzas are written as handled, in the log or on record.
    pub durable: u64,
    /// How many the record says, which outlives entries of the log.
    pub recorded: u64,
    /// The attachment that resumed it last or has its resource instead, if that is on record.
    pub superseded_by: u64,
}

impl Management {
    /// Management begins, after `unmanaged` inbound stanzas.
    pub(crate) fn new(stream: StreamId, is_resumable: bool, max: u32, unmanaged: u64) -> Self {
        let queue = Unacknowledged::new();
        Self {
            stream,
            is_resumable,
            is_named: is_resumable,
            is_overfull: false,
            max,
            unmanaged,
            queue,
            durable: 0,
            recorded: 0,
            superseded_by: 0,
        }
    }
}

/// A stanza that was sent and is not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub bytes: Bytes,
    pub source: Source,
}

impl Pending {
    /// As a session keeps it.
    pub(crate) fn copy(&self) -> OutboundCopy {
        OutboundCopy { stanza: self.bytes.clone(), entry: self.source.entry() }
    }
}

/// Where a stanza to a client comes from, and so what becomes of it if the client never takes it.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The log has it.
    Log(LogId),
    /// A message that only memory has, and whether a client took it: it goes into the log if none did.
    Memory(Arc<AtomicBool>),
    /// Presence, answers, pushes: it goes with the stream.
    Passing,
}

impl Source {
    /// The entry of the log that it is.
    fn entry(&self) -> Option<LogId> {
        match self {
            Self::Log(id) => Some(*id),
            Self::Memory(_) | Self::Passing => None,
        }
    }

    /// A client has it.
    pub(crate) fn taken(&self) {
        if let Self::Memory(is_taken) = self {
            is_taken.store(true, Ordering::Relaxed);
        }
    }

    /// Whether this was the last that kept a message from being lost.
    pub(crate) fn is_last(is_taken: &Arc<AtomicBool>) -> bool {
        !is_taken.load(Ordering::Relaxed) && Arc::strong_count(is_taken) == 1
    }
}

impl Resource {
    /// Just bound.
    pub(crate) fn new(jid: FullJid, session: Option<SessionKey>, attachment: u64, since: u64) -> Self {
        Self {
            jid,
            since,
            attachment,
            origin: attachment,
            peer: None,
            session,
            handled: 0,
            untold: (0, 0),
            requests: 0,
            sent: 0,
            flushed: 0,
            unflushed: VecDeque::new(),
            unflushed_bytes: 0,
            management: None,
            presence: None,
            is_recorded: false,
            is_interested: false,
            directed: None,
            takes_errors: false,
            reading: Reading::Live,
            reached: LogId(0),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.jid.resource()
    }

    /// Priority of its presence if it is available.
    pub(crate) fn priority(&self) -> Option<i8> {
        self.presence.as_ref().map(|available| available.priority)
    }

    /// Whether others see it.
    pub(crate) fn is_shown(&self) -> bool {
        self.presence.is_some() || self.directed.as_ref().is_some_and(|directed| !directed.is_empty())
    }

    /// Whether messages to the bare JID reach it (RFC 6121 8.5.2.1: available, priority not negative).
    pub(crate) fn takes_messages(&self) -> bool {
        self.priority().is_some_and(|priority| priority >= 0)
    }

    /// Sends a stanza to the client, or keeps it until the stream is resumed.
    pub(crate) fn deliver(&mut self, bytes: Bytes, source: Source, effects: &mut Effects) {
        self.deliver_entry(bytes, source, LogId::default(), effects);
    }

    /// The same of what may be an entry of the log, in which nothing before `waiting` stands any more. It is settled
    /// (true) by this alone where the stream is not managed.
    pub(crate) fn deliver_entry(
        &mut self,
        bytes: Bytes,
        source: Source,
        waiting: LogId,
        effects: &mut Effects,
    ) -> bool {
        let entry = source.entry();
        let is_settled = self.management.is_none();
        if is_settled {
            source.taken();
        }
        if let Some(management) = &mut self.management {
            management.queue.push(Pending { bytes: bytes.clone(), source }, bytes.len());
        }
        if let Some(session) = self.session {
            self.sent += 1;
            let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.unflushed.push_back(size);
            self.unflushed_bytes += size as usize;
            let attachment = self.attachment;
            effects.session(session, ToSession::Outbound { attachment, stanza: bytes, entry, waiting });
        }
        is_settled
    }

    /// The session has passed on so many of this attachment.
    pub(crate) fn flushed(&mut self, outbound: u64) {
        while self.flushed < outbound.min(self.sent) {
            self.flushed += 1;
            self.unflushed_bytes -= self.unflushed.pop_front().unwrap_or(0) as usize;
        }
        if self.unflushed.is_empty() {
            self.unflushed = VecDeque::new();
        }
    }

    /// Whether its session or its client is behind, so that kept messages wait in the log: until the session has
    /// passed more on, or the client has acknowledged more.
    pub(crate) fn is_behind(&self, limits: &UserLimits) -> bool {
        let is_full = self.management.as_ref().is_some_and(|management| {
            management.queue.len() >= limits.unacknowledged_stanzas_max
                || management.queue.bytes() >= limits.unacknowledged_bytes_max
        });
        is_full || self.sent - self.flushed >= UNFLUSHED_MAX || self.unflushed_bytes >= UNFLUSHED_BYTES_MAX
    }

    /// A new session takes over; numbers of outbound stanzas begin again.
    pub(crate) fn attach(&mut self, session: SessionKey, attachment: u64) {
        self.session = Some(session);
        self.attachment = attachment;
        self.origin = attachment;
        self.sent = 0;
        self.flushed = 0;
        self.unflushed = VecDeque::new();
        self.unflushed_bytes = 0;
        if self.reading != Reading::Live {
            // A page that is still to come is for the old attachment.
            self.reading = Reading::CatchingUp(None);
        }
    }

    /// The client has handled all up to `h`; gives back what was settled by that.
    pub(crate) fn acknowledged(&mut self, h: Counter) -> Result<Vec<Source>, StreamManagementError> {
        let mut settled = Vec::new();
        if let Some(management) = &mut self.management {
            management.queue.acknowledge(h, |pending| settled.push(pending.source))?;
        }
        Ok(settled)
    }

    /// Stanzas handled since `<enable/>`, as XEP-0198 counts them; the durable count once the present event is.
    pub(crate) fn counter(&self) -> Option<(StreamId, u64)> {
        self.management.as_ref().map(|m| (m.stream, self.handled.saturating_sub(m.unmanaged)))
    }

    /// The count of the stanza that is going into the log, whose entry will say so.
    pub(crate) fn logged(&mut self) -> Option<(StreamId, u64)> {
        let counter = self.counter();
        if let (Some(management), Some((_, count))) = (&mut self.management, counter) {
            management.durable = count;
        }
        counter
    }

    /// An id for a request of the server to this client.
    pub(crate) fn next_iq_id(&mut self) -> String {
        self.requests += 1;
        format!("{:x}-{:x}", self.attachment, self.requests)
    }

    /// Whether it sent presence to this entity, or to its account, directly (RFC 6121 4.6).
    pub(crate) fn has_shown_itself(&self, to: &Jid) -> bool {
        let to_bare = || to.to_bare().to_jid();
        self.directed.as_ref().is_some_and(|directed| directed.contains(to) || directed.contains(&to_bare()))
    }

    /// Notes that presence was sent to `to` directly.
    pub(crate) fn note_directed(&mut self, to: Jid, most: usize) -> bool {
        let directed = Arc::make_mut(self.directed.get_or_insert_default());
        (directed.len() < most || directed.contains(&to)) && {
            directed.insert(to);
            true
        }
    }

    /// Presence sent to `to` directly is taken back, or needs not to be. Whether there was any.
    pub(crate) fn forget_directed(&mut self, to: &Jid) -> bool {
        let directed = self.directed.as_mut().filter(|directed| directed.contains(to));
        directed.is_some_and(|directed| Arc::make_mut(directed).remove(to))
    }

    /// What a user that knows nothing of it has to know.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let managed = |management: &Management| Managed {
            stream: management.stream,
            is_resumable: management.is_resumable,
            max: management.max,
            unmanaged: management.unmanaged,
        };
        Snapshot {
            since: self.since,
            presence: self.presence.as_ref().map(|presence| presence.stanza.clone()),
            is_interested: self.is_interested,
            directed: self.directed.clone(),
            management: self.management.as_deref().map(managed),
            reached: self.reached,
        }
    }

    /// Its session, and what that would hand over of it, if its stream is managed; without a session, if it waits to be
    /// resumed.
    pub(crate) fn managed(&self, taken: impl FnOnce() -> Vec<LogId>) -> Option<(Option<SessionKey>, Attach)> {
        let management = self.management.as_ref().filter(|m| m.is_resumable || self.session.is_some())?;
        let attach = Attach {
            attachment: self.attachment,
            jid: self.jid.clone(),
            peer: self.peer,
            snapshot: self.snapshot(),
            confirmed: self.handled,
            unconfirmed: Vec::new(),
            acknowledged: management.queue.acknowledged(),
            unacknowledged: management.queue.iter().map(Pending::copy).collect(),
            taken: taken(),
        };
        Some((self.session, attach))
    }

    /// Takes up what such a user was told.
    pub(crate) fn restore(&mut self, snapshot: Snapshot) {
        self.since = if snapshot.since == 0 { self.since } else { snapshot.since };
        self.presence = snapshot.presence.and_then(Available::of).map(Box::new);
        self.is_interested = snapshot.is_interested;
        self.directed = snapshot.directed;
        self.reached = snapshot.reached;
    }

    /// Has the session keep what it is now.
    pub(crate) fn show(&self, effects: &mut Effects) {
        if let Some(session) = self.session {
            let (attachment, snapshot) = (self.attachment, Box::new(self.snapshot()));
            effects.session(session, ToSession::Snapshot { attachment, snapshot });
        }
    }
}
