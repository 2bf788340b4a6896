//! The session's half of an attachment to its user: numbers, and copies that make either side expendable.

use crate::limits::{INBOUND_BYTES_MAX, INBOUND_STANZAS_MAX, TAKEN_KEPT};
use crate::{
    Attach, FromSession, LogId, Managed, OutboundCopy, Resumed, Snapshot, StreamId, ToSession, Unconfirmed,
};
use bytes::Bytes;
use core::net::IpAddr;
use std::collections::VecDeque;
use stentor_xmpp::{Counter, FullJid, Kind, Stanza, StreamManagementError, Unacknowledged};

/// What a session without a resource has asked for. It is asked again if the user is lost before it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asking {
    /// A resource.
    Bind(Box<str>),
    /// A stream of before, of which the client has handled so much.
    Resume(StreamId, Counter),
}

impl Asking {
    /// The question.
    pub fn event(&self, peer: Option<IpAddr>) -> FromSession {
        match self {
            Self::Bind(resource) => FromSession::Bind { resource: resource.clone(), peer },
            Self::Resume(stream, h) => FromSession::Resume { stream: *stream, h: *h, peer },
        }
    }

    /// Whether this answers it. What was asked again may be answered twice.
    pub fn is_answered_by(&self, message: &ToSession) -> bool {
        use ToSession::{BindRefused, Bound, ResumeFailed};
        match self {
            Self::Bind(_) => matches!(message, Bound { .. } | BindRefused(_)),
            Self::Resume(..) => matches!(message, ToSession::Resumed(_) | ResumeFailed { .. }),
        }
    }
}

/// An inbound stanza that the user has not confirmed.
#[derive(Debug)]
struct Inbound {
    /// None of messages where the stream is not managed: nothing is promised to another, and nobody could tell which of
    /// them were taken.
    copy: Option<Unconfirmed>,
    bytes: usize,
}

/// `<enable/>` that the user has not answered. Nothing is read until it has.
#[derive(Clone, Copy, Debug)]
struct Enabling {
    stream: StreamId,
    resume: bool,
    max: Option<u32>,
    /// Inbound stanzas before it.
    unmanaged: u64,
}

/// What a managed stream adds.
#[derive(Debug)]
struct Outbound {
    stream: Option<StreamId>,
    /// Inbound stanzas before `<enable/>`, which its counter leaves out.
    unmanaged: u64,
    copies: Unacknowledged<OutboundCopy>,
}

/// What a session holds for the resource that it is attached to.
#[derive(Debug)]
pub struct Attachment {
    number: u64,
    jid: FullJid,
    received: u64,
    confirmed: u64,
    inbound: VecDeque<Inbound>,
    inbound_bytes: usize,
    enabling: Option<Box<Enabling>>,
    managed: Option<Box<Outbound>>,
    snapshot: Box<Snapshot>,
    /// Entries that the client has, oldest first, of which it is not known that they have left the log.
    taken: VecDeque<LogId>,
}

impl Attachment {
    /// A resource just bound.
    pub fn bound(number: u64, jid: FullJid) -> Self {
        Self {
            number,
            jid,
            received: 0,
            confirmed: 0,
            inbound: VecDeque::new(),
            inbound_bytes: 0,
            enabling: None,
            managed: None,
            snapshot: Box::default(),
            taken: VecDeque::new(),
        }
    }

    /// A stream that goes on. What was not acknowledged is counted as sent.
    pub fn resumed(resumed: &Resumed) -> Self {
        let mut copies = Unacknowledged::starting_at(resumed.acknowledged);
        for copy in &resumed.again {
            copies.push(copy.clone(), copy.stanza.len());
        }
        let managed =
            |Managed { stream, unmanaged, .. }| Outbound { stream: Some(stream), unmanaged, copies };
        let mut attachment = Self::bound(resumed.attachment, resumed.jid.clone());
        attachment.received = resumed.handled;
        attachment.confirmed = resumed.handled;
        attachment.managed = resumed.snapshot.management.map(managed).map(Box::new);
        attachment.snapshot = resumed.snapshot.clone();
        attachment.taken = resumed.taken.iter().copied().collect();
        attachment
    }

    /// The number that the user gave it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The resource.
    pub fn jid(&self) -> &FullJid {
        &self.jid
    }

    /// Numbers stanzas from the client and keeps copies.
    pub fn receive(&mut self, stanzas: Vec<Stanza>) -> FromSession {
        let first = self.received + 1;
        let keeps = self.managed.is_some() || self.enabling.is_some();
        for stanza in &stanzas {
            let bytes = stanza.size();
            self.received += 1;
            self.inbound_bytes += bytes;
            let is_copied = keeps || stanza.kind() != Kind::Message;
            let copy = is_copied.then(|| Unconfirmed::Stanza(stanza.clone()));
            self.inbound.push_back(Inbound { copy, bytes });
        }
        FromSession::Inbound { attachment: self.number, first, stanzas }
    }

    /// Numbers a stanza that the session deals with itself; the user counts it in its place.
    pub fn passed(&mut self, answer: Option<Stanza>) -> FromSession {
        self.received += 1;
        let copy = Some(Unconfirmed::Passed(answer.clone()));
        self.inbound.push_back(Inbound { copy, bytes: 0 });
        FromSession::Passed { attachment: self.number, number: self.received, answer }
    }

    /// How many more stanzas may be received now.
    pub fn room(&self) -> usize {
        if self.inbound_bytes >= INBOUND_BYTES_MAX {
            return 0;
        }
        INBOUND_STANZAS_MAX.saturating_sub(self.inbound.len())
    }

    /// The user has handled all up to `inbound`.
    pub fn confirmed(&mut self, inbound: u64) {
        while self.confirmed < inbound {
            let Some(copy) = self.inbound.pop_front() else { break };
            self.inbound_bytes -= copy.bytes;
            self.confirmed += 1;
        }
        if self.inbound.is_empty() {
            self.inbound = VecDeque::new();
        }
    }

    /// Whether everything received is confirmed, so that an `<a/>` says all there is to say.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed == self.received
    }

    /// `<enable/>` was read: stanzas after it are counted. None if it was before.
    pub fn enable(&mut self, stream: StreamId, resume: bool, max: Option<u32>) -> Option<FromSession> {
        if self.enabling.is_none() && self.managed.is_none() {
            self.enabling = Some(Box::new(Enabling { stream, resume, max, unmanaged: self.received }));
            return self.asks_to_enable();
        }
        None
    }

    /// What is asked of the user, again, if `<enable/>` is not answered.
    pub fn asks_to_enable(&self) -> Option<FromSession> {
        let Enabling { stream, resume, max, .. } = *self.enabling.as_deref()?;
        Some(FromSession::EnableManagement { attachment: self.number, stream, resume, max })
    }

    /// The user has turned management on: stanzas sent after this are counted.
    pub fn enabled(&mut self, stream: Option<StreamId>) {
        if let Some(enabling) = self.enabling.take() {
            let (unmanaged, copies) = (enabling.unmanaged, Unacknowledged::new());
            self.managed = Some(Box::new(Outbound { stream, unmanaged, copies }));
        }
    }

    /// Whether stanzas are counted.
    pub fn is_managed(&self) -> bool {
        self.managed.is_some()
    }

    /// The name under which the stream can be resumed.
    pub fn stream(&self) -> Option<StreamId> {
        self.managed.as_ref().and_then(|m| m.stream)
    }

    /// What `<a/>` says: stanzas handled since `<enable/>` (XEP-0198 4), modulo 2^32.
    pub fn handled(&self) -> Counter {
        let unmanaged = self.managed.as_ref().map_or(self.confirmed, |m| m.unmanaged);
        Counter(self.confirmed.saturating_sub(unmanaged) as u32)
    }

    /// Counts a stanza that goes to the client, and keeps a copy. It is an entry of the log, or none; nothing before
    /// `waiting` is in the log any more.
    pub fn sent(&mut self, stanza: &Bytes, entry: Option<LogId>, waiting: LogId) {
        while self.taken.pop_front_if(|taken| *taken < waiting).is_some() {}
        self.snapshot.reached = self.snapshot.reached.max(entry.unwrap_or_default());
        match (&mut self.managed, entry) {
            (Some(managed), _) => {
                managed.copies.push(OutboundCopy { stanza: stanza.clone(), entry }, stanza.len());
            }
            (None, Some(entry)) => self.took(entry),
            (None, None) => {}
        }
    }

    fn took(&mut self, entry: LogId) {
        if self.taken.len() >= TAKEN_KEPT {
            self.taken.pop_front();
        }
        self.taken.push_back(entry);
    }

    /// `<a/>` was read.
    ///
    /// # Errors
    /// The client acknowledged what was not sent: the stream must end.
    pub fn acknowledged(&mut self, h: Counter) -> Result<(), StreamManagementError> {
        let Some(managed) = &mut self.managed else { return Ok(()) };
        let mut taken = Vec::new();
        managed.copies.acknowledge(h, |copy| taken.extend(copy.entry))?;
        taken.into_iter().for_each(|entry| self.took(entry));
        Ok(())
    }

    /// Stanzas and bytes sent that the client has not acknowledged.
    pub fn unacknowledged(&self) -> (usize, usize) {
        self.managed.as_ref().map_or((0, 0), |m| (m.copies.len(), m.copies.bytes()))
    }

    /// The user says what it has to know of the resource if it is lost.
    pub fn note(&mut self, snapshot: Box<Snapshot>) {
        let reached = self.snapshot.reached.max(snapshot.reached);
        self.snapshot = snapshot;
        self.snapshot.reached = reached;
    }

    /// The user is lost, or the resource has another: all that the next has to know. None if the stream is not managed
    /// and messages are under way on it, of which nobody can tell whether they were taken: it cannot go on.
    pub fn attach(&self, peer: Option<IpAddr>) -> Option<FromSession> {
        let unconfirmed = self.inbound.iter().map(|inbound| inbound.copy.clone()).collect::<Option<_>>()?;
        let copies = self.managed.as_ref().map(|managed| &managed.copies);
        let mut snapshot = (*self.snapshot).clone();
        if copies.is_none() {
            // The user that is lost had turned it on, and its answer did not come: it is asked for again.
            snapshot.management = None;
        }
        Some(FromSession::Attach(Box::new(Attach {
            attachment: self.number,
            jid: self.jid.clone(),
            peer,
            snapshot,
            confirmed: self.confirmed,
            unconfirmed,
            acknowledged: copies.map_or_else(Counter::default, Unacknowledged::acknowledged),
            unacknowledged: copies.into_iter().flat_map(Unacknowledged::iter).cloned().collect(),
            taken: self.taken.iter().copied().collect(),
        })))
    }

    /// The user goes on under this number, and has handled all up to `inbound`.
    pub fn attached(&mut self, number: u64, inbound: u64) {
        self.number = number;
        self.confirmed(inbound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_before_is_not_taken_for_the_answer() {
        let resume = Asking::Resume(StreamId(1), Counter(0));
        let failed = ToSession::ResumeFailed { handled: None };
        assert!(resume.is_answered_by(&failed));
        assert!(!Asking::Bind("x".into()).is_answered_by(&failed));
    }
}
