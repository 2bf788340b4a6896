//! The session's half of an attachment to its user: numbers, and copies that make either side expendable.

use crate::limits::{INBOUND_BYTES_MAX, INBOUND_STANZAS_MAX};
use crate::{FromSession, StreamId};
use bytes::Bytes;
use std::collections::VecDeque;
use stentor_xmpp::{Counter, FullJid, Stanza, StreamManagementError, Unacknowledged};

/// A copy of an inbound stanza that the user has not confirmed.
#[derive(Debug)]
struct Inbound {
    /// Kept only where the stream is managed: nothing is promised to another, so nothing is replayed for it.
    stanza: Option<Stanza>,
    bytes: usize,
}

/// What a managed stream adds.
#[derive(Debug)]
struct Outbound {
    stream: Option<StreamId>,
    /// Inbound stanzas before `<enable/>`, which its counter leaves out.
    unmanaged: u64,
    copies: Unacknowledged<Bytes>,
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
    enabling: Option<u64>,
    managed: Option<Box<Outbound>>,
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
        }
    }

    /// A stream that goes on: see [`crate::ToSession::Resumed`]. What was not acknowledged is counted as sent.
    pub fn resumed(
        number: u64,
        jid: FullJid,
        stream: StreamId,
        (handled, unmanaged): (u64, u64),
        acknowledged: Counter,
        again: &[Bytes],
    ) -> Self {
        let mut copies = Unacknowledged::starting_at(acknowledged);
        for stanza in again {
            copies.push(stanza.clone(), stanza.len());
        }
        let managed = Outbound { stream: Some(stream), unmanaged, copies };
        let mut attachment = Self::bound(number, jid);
        attachment.received = handled;
        attachment.confirmed = handled;
        attachment.managed = Some(Box::new(managed));
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
            self.inbound.push_back(Inbound { stanza: keeps.then(|| stanza.clone()), bytes });
        }
        FromSession::Inbound { attachment: self.number, first, stanzas }
    }

    /// Numbers a stanza that the session deals with itself; the user counts it in its place.
    pub fn passed(&mut self, answer: Option<Stanza>) -> FromSession {
        self.received += 1;
        self.inbound.push_back(Inbound { stanza: None, bytes: 0 });
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

    /// `<enable/>` was read: stanzas after it are counted. False if it was before.
    pub fn enable(&mut self) -> bool {
        let is_first = self.enabling.is_none() && self.managed.is_none();
        if is_first {
            self.enabling = Some(self.received);
        }
        is_first
    }

    /// The user has turned management on: stanzas sent after this are counted.
    pub fn enabled(&mut self, stream: Option<StreamId>) {
        if let Some(unmanaged) = self.enabling.take() {
            self.managed = Some(Box::new(Outbound { stream, unmanaged, copies: Unacknowledged::new() }));
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

    /// Counts a stanza that goes to the client, and keeps a copy.
    pub fn sent(&mut self, stanza: &Bytes) {
        if let Some(managed) = &mut self.managed {
            managed.copies.push(stanza.clone(), stanza.len());
        }
    }

    /// `<a/>` was read.
    ///
    /// # Errors
    /// The client acknowledged what was not sent: the stream must end.
    pub fn acknowledged(&mut self, h: Counter) -> Result<(), StreamManagementError> {
        match &mut self.managed {
            Some(managed) => managed.copies.acknowledge(h, drop),
            None => Ok(()),
        }
    }

    /// Stanzas and bytes sent that the client has not acknowledged.
    pub fn unacknowledged(&self) -> (usize, usize) {
        self.managed.as_ref().map_or((0, 0), |m| (m.copies.len(), m.copies.bytes()))
    }

    /// Copies of what is not confirmed, for a user that was loaded afresh: the number of the first, and all in
    /// order.
    pub fn unconfirmed(&self) -> (u64, Vec<Stanza>) {
        (self.confirmed + 1, self.inbound.iter().filter_map(|copy| copy.stanza.clone()).collect())
    }
}
