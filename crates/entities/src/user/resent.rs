//! Messages that a client sends again on a new stream, since it never learned that they were accepted: recognised by
//! recipient, origin-id (XEP-0359) and payload. The last few are remembered for a day, in memory while the user is
//! here; written when its last client goes, and beside that as far as the log still has them.

use super::User;
use super::collection::STATE;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use stentor_engine::{Effects, Now};
use stentor_xmpp::{Jid, Stanza, ns};

/// Messages of one account that are remembered: more than a session may have unconfirmed on several streams.
const MARKS_MAX: usize = 256;
/// Milliseconds for which they are.
const KEPT: u64 = 24 * 3_600 * 1_000;
/// The record's name in [`STATE`].
pub(crate) const RECORD: &str = "sent";

/// What was accepted lately, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    marks: VecDeque<Mark>,
    is_changed: bool,
}

/// A message, by what it said and when: milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Mark {
    hash: u64,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u8,
    marks: VecDeque<Mark>,
}

impl Accepted {
    fn has(&self, hash: u64, now: Now) -> bool {
        self.marks.iter().any(|mark| mark.hash == hash && mark.at + KEPT > now.unix)
    }

    fn add(&mut self, hash: u64, at: u64) {
        if self.marks.len() >= MARKS_MAX {
            self.marks.pop_front();
        }
        self.marks.push_back(Mark { hash, at });
        self.is_changed = true;
    }

    /// Takes up an entry of the log, if it is a message that can be recognised.
    pub(crate) fn recover(&mut self, stanza: &Stanza, at: u64) {
        if let Some(hash) = hash(stanza)
            && self.marks.iter().all(|mark| mark.hash != hash)
        {
            self.add(hash, at);
        }
    }

    /// Takes up the record; one that cannot be read says nothing.
    pub(crate) fn recover_record(&mut self, value: &[u8]) {
        let stored = serde_json::from_slice::<Stored>(value).ok().filter(|stored| stored.v == 1);
        for mark in stored.into_iter().flat_map(|stored| stored.marks) {
            self.add(mark.hash, mark.at);
        }
        self.is_changed = false;
    }
}

impl User {
    /// Whether this was accepted before; if not, it is from now on.
    pub(crate) fn is_resent(&mut self, now: Now, stanza: &Stanza) -> bool {
        let Some(hash) = hash(stanza) else { return false };
        let is_known = self.accepted.has(hash, now);
        if !is_known {
            self.accepted.add(hash, now.unix);
        }
        is_known
    }

    /// It was refused in the end, so it may be tried again.
    pub(crate) fn forget_sent(&mut self, stanza: &Stanza) {
        if let Some(hash) = hash(stanza) {
            self.accepted.marks.retain(|mark| mark.hash != hash);
            self.accepted.is_changed = true;
        }
    }

    /// Writes what is remembered, since the user may now be unloaded.
    pub(crate) fn write_accepted(&mut self, now: Now, effects: &mut Effects) {
        if !std::mem::take(&mut self.accepted.is_changed) {
            return;
        }
        self.accepted.marks.retain(|mark| mark.at + KEPT > now.unix);
        let stored = Stored { v: 1, marks: self.accepted.marks.clone() };
        if let Ok(value) = serde_json::to_vec(&stored) {
            effects.put(STATE, RECORD, value);
        }
    }
}

/// FNV-1a over all that a client sends again as it was, none without an origin-id. Whoever makes two of their own
/// messages collide loses one of their own.
fn hash(stanza: &Stanza) -> Option<u64> {
    stanza.children().find(|child| child.is("origin-id", ns::STANZA_IDS))?;
    let to = stanza.to().map_or("", Jid::as_str);
    let header = [to, stanza.message_type().name().unwrap_or_default(), stanza.id().unwrap_or_default()];
    let payload = stanza.children().filter(|child| !child.is("delay", ns::DELAY)).map(|child| child.bytes);
    let bytes = header.into_iter().chain(payload).flat_map(|text| text.bytes().chain([0xff]));
    Some(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}
