//! What was received for this user and no client has taken yet: the log entries of the way `in`.

use super::User;
use super::entry::{Entry, For, Way};
use crate::user::collection::SEEN;
use bytes::Bytes;
use core::ops::RangeBounds;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use stentor_engine::{
    Append, Confirm, Effects, Event, Forward, ForwardName, Key, LogId, Now, Outcome, Planted, StreamId,
};
use stentor_xmpp::{Condition, Stanza};

/// Entries that a client has and that stay for others of the account; beyond, the oldest go, and who lags loses its
/// claim. What is under way to a client it gets all the same, unless its user is lost.
pub(super) const TAKEN_MAX: usize = 1_000;
/// The key of the record of those, in the collection `state`.
pub(crate) const TAKEN: &str = "taken";
/// Senders whose last forward is remembered.
const SENDERS_MAX: usize = 10_000;

/// Received and not settled, by position in the log.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(super) waiting: BTreeMap<LogId, Waiting>,
    /// How many of them were taken.
    taken: usize,
    /// Of them, how many were since that was put on record.
    unrecorded: usize,
    /// There is a record of some.
    is_recorded: bool,
    /// Bytes of those that were not.
    bytes: usize,
    seen: HashMap<Key, Seen>,
}

#[derive(Debug)]
pub(super) struct Waiting {
    bytes: usize,
    /// Resources to which it was sent that may still acknowledge it.
    pub(super) holders: u32,
    /// A client has it, and another for which it is has yet to read it, or to acknowledge it.
    is_taken: bool,
    /// The resource that it is for; nobody else's as long as that is here.
    pub(super) named: Option<Box<str>>,
    /// It is the error of a message that this user sent.
    pub(super) is_error: bool,
    /// Where it stands in the stream of this user's own that brought it.
    counted: Option<(StreamId, u64)>,
}

impl Waiting {
    /// Whether nobody has been sent it, or nobody who may still acknowledge it.
    pub(super) fn is_free(&self) -> bool {
        self.holders == 0 && !self.is_taken
    }
}

/// Entries that were taken, at rest: runs of what waited then, by the first and the last of each.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Taken {
    v: u8,
    runs: Vec<(u64, u64)>,
}

/// The last forward taken from a sender: what it says of earlier ones follows from their order.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    v: u8,
    id: u64,
    /// Unconfirmed ones that were refused, so that a repeat gets the same answer.
    refused: Vec<(u64, String)>,
}

impl Inbox {
    /// Takes up an entry of the log, which is so long.
    pub(crate) fn recover(&mut self, id: LogId, entry: &Entry, bytes: usize) {
        let whom = match entry.way {
            Way::In(whom) | Way::Own(whom, _) => whom,
            Way::Out(_) => return,
        };
        let named = entry.stanza.to().and_then(|to| to.resource()).filter(|_| whom == For::Named);
        let (named, counted) = (named.map(Into::into), entry.way.counted());
        let is_error = entry.stanza.is_error();
        self.waiting.insert(id, Waiting { bytes, holders: 0, is_taken: false, named, is_error, counted });
        self.bytes += bytes;
    }

    /// Takes up a record of [`SEEN`].
    pub(crate) fn recover_seen(&mut self, sender: Key, value: &[u8]) -> bool {
        let seen = serde_json::from_slice::<Seen>(value).ok().filter(|seen| seen.v == 1);
        seen.map(|seen| self.seen.insert(sender, seen)).is_some()
    }

    /// Takes up what was on record as taken, of the entries that are here.
    pub(crate) fn recover_taken(&mut self, value: &[u8]) {
        let record = serde_json::from_slice::<Taken>(value).ok().filter(|record| record.v == 1);
        for (first, last) in record.into_iter().flat_map(|record| record.runs) {
            // A range must not end before it begins.
            let ids: Vec<LogId> =
                self.waiting.range(LogId(first)..).map(|(id, _)| *id).take_while(|id| id.0 <= last).collect();
            ids.into_iter().for_each(|id| self.take(id));
        }
        (self.unrecorded, self.is_recorded) = (0, true);
    }

    /// How many were taken, and stay, that no record says; or one, if a record says what is gone.
    pub(super) fn unrecorded(&self) -> usize {
        if self.taken == 0 { usize::from(self.is_recorded) } else { self.unrecorded }
    }

    /// What to put on record; nothing if there is to be none.
    pub(super) fn record_taken(&mut self) -> Option<String> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut goes_on = false;
        for (id, waiting) in &self.waiting {
            match runs.last_mut().filter(|_| goes_on) {
                Some((_, last)) if waiting.is_taken => *last = id.0,
                None if waiting.is_taken => runs.push((id.0, id.0)),
                _ => {}
            }
            goes_on = waiting.is_taken;
        }
        (self.unrecorded, self.is_recorded) = (0, !runs.is_empty());
        (!runs.is_empty()).then(|| serde_json::json!(Taken { v: 1, runs }).to_string())
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() - self.taken
    }

    /// An entry that cannot be read is not offered again. It stays in the log.
    pub(super) fn forget(&mut self, id: LogId) {
        self.take(id);
        if self.waiting.remove(&id).is_some() {
            self.taken -= 1;
        }
    }

    /// Those that stay for others.
    pub(super) fn taken(&self) -> impl Iterator<Item = LogId> {
        self.waiting.iter().filter(|(_, waiting)| waiting.is_taken).map(|(id, _)| *id)
    }

    /// A client has it; it stays only for others that have yet to.
    pub(super) fn take(&mut self, id: LogId) {
        if let Some(waiting) = self.waiting.get_mut(&id).filter(|waiting| !waiting.is_taken) {
            waiting.is_taken = true;
            self.bytes -= waiting.bytes;
            self.taken += 1;
            self.unrecorded += 1;
        }
    }

    /// Removes of a range what was taken, and nobody has yet to acknowledge or to read: there are resources that have yet
    /// to read what is after `lagging`. And of all what is more than the account has room for, oldest first.
    pub(super) fn sweep(
        &mut self,
        range: impl RangeBounds<LogId>,
        lagging: Option<LogId>,
    ) -> Vec<(LogId, Option<(StreamId, u64)>)> {
        if self.taken == 0 {
            return Vec::new();
        }
        let is_settled = |id: &LogId, waiting: &mut Waiting| {
            waiting.is_taken && waiting.holders == 0 && lagging.is_none_or(|lagging| *id <= lagging)
        };
        let mut swept: Vec<_> = self.waiting.extract_if(range, is_settled).collect();
        let excess = (self.taken - swept.len()).saturating_sub(TAKEN_MAX);
        if excess > 0 {
            swept.extend(self.waiting.extract_if(.., |_, waiting| waiting.is_taken).take(excess));
        }
        self.taken -= swept.len();
        if self.taken == 0 {
            self.unrecorded = 0;
        }
        swept.into_iter().map(|(id, waiting)| (id, waiting.counted)).collect()
    }

    fn seen(&self, name: &ForwardName, previous: Option<LogId>) -> Sight {
        let seen = self.seen.get(&name.sender);
        let last = seen.map_or(0, |seen| seen.id);
        if name.id.0 <= last {
            let refused = seen.and_then(|seen| seen.refused.iter().find(|(id, _)| *id == name.id.0));
            return Sight::Before(refused.map(|(_, condition)| condition.clone()));
        }
        if previous.is_some_and(|previous| previous.0 > last) { Sight::Gap } else { Sight::New }
    }
}

/// What a receiver knows of a forward.
enum Sight {
    New,
    /// The one before it is missing.
    Gap,
    /// Taken before; refused with this condition, or accepted.
    Before(Option<String>),
}

impl User {
    /// A named stanza from another entity: decided once, answered as often as it is asked.
    pub(crate) fn forwarded(&mut self, now: Now, forward: Forward, effects: &mut Effects) {
        let Forward { name, previous, stanza } = forward;
        if self.account.is_none() {
            // Always the same answer, so nothing is remembered, least of all for whoever does not exist.
            let outcome = self.received(now, stanza, true, effects);
            return self.confirm(name, outcome, effects);
        }
        let mut sight = self.inbox.seen(&name, previous);
        if self.hosts.planted.is_on(Planted::SKIP_THE_DEDUPE) {
            sight = Sight::New;
        }
        let outcome = match sight {
            Sight::Gap => Outcome::Gap,
            Sight::Before(None) => Outcome::Accepted,
            Sight::Before(Some(name)) => {
                Outcome::Refused(Condition::from_name(&name).unwrap_or(Condition::UndefinedCondition).into())
            }
            Sight::New => {
                let outcome = self.received(now, stanza, true, effects);
                self.note_seen(&name, previous, &outcome, effects);
                outcome
            }
        };
        self.confirm(name, outcome, effects);
    }

    fn confirm(&self, name: ForwardName, outcome: Outcome, effects: &mut Effects) {
        let confirm = Confirm { id: name.id, target: self.key.clone(), outcome };
        effects.send(name.sender, Event::Confirm(confirm));
    }

    fn note_seen(
        &mut self,
        name: &ForwardName,
        previous: Option<LogId>,
        outcome: &Outcome,
        effects: &mut Effects,
    ) {
        if self.inbox.seen.len() >= SENDERS_MAX && !self.inbox.seen.contains_key(&name.sender) {
            // The sender with the oldest position is the least likely to repeat; nothing is lost, at worst doubled.
            let oldest = self.inbox.seen.iter().min_by_key(|(_, seen)| seen.id).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.inbox.seen.remove(&oldest);
                effects.delete(SEEN, oldest.jid().as_str());
            }
        }
        let seen = self.inbox.seen.entry(name.sender.clone()).or_default();
        seen.v = 1;
        seen.id = name.id.0;
        if previous.is_none() {
            seen.refused.clear();
        }
        if let Outcome::Refused(error) = outcome {
            seen.refused.push((name.id.0, error.condition.name().to_owned()));
        }
        if let Ok(value) = serde_json::to_vec(seen) {
            effects.put(SEEN, name.sender.jid().as_str(), value);
        }
    }

    /// Whether one more message of so many bytes may wait here.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let limits = &self.hosts.limits;
        self.inbox.len() < limits.offline_messages_max && self.inbox.bytes + bytes <= limits.offline_bytes_max
    }

    /// The same for the error of a message of this user's own, which must not be lost because others sent much.
    pub(crate) fn has_room_for_error(&self, bytes: usize) -> bool {
        let limits = &self.hosts.limits;
        self.inbox.len() < limits.offline_messages_max + limits.outbox_max + limits.errors_max
            && self.inbox.bytes + bytes <= 2 * limits.offline_bytes_max
    }

    /// Appends a message to the log.
    pub(crate) fn append_in(&mut self, now: Now, stanza: &Stanza, way: Way, effects: &mut Effects) -> LogId {
        let id = self.next_id();
        let entry = Entry { at: now.unix, way, stanza: stanza.clone() };
        let value = entry.to_bytes();
        self.inbox.recover(id, &entry, value.len());
        effects.append(Append { id, value });
        id
    }

    /// A message that only memory had and whose client went: into the log, from where others read it, or back to
    /// its sender if that is full. It is read anew from what was sent, which is rare, rather than held twice.
    pub(crate) fn store_returned(&mut self, now: Now, bytes: &Bytes, effects: &mut Effects) {
        let Some(stanza) = std::str::from_utf8(bytes).ok().and_then(|text| Stanza::parse(text).ok()) else {
            return;
        };
        if self.has_room(stanza.size()) {
            self.append_in(now, &stanza, Way::In(For::Any), effects);
        } else if let Some(error) = stanza.error_reply(Condition::ServiceUnavailable.into()) {
            self.route(error, effects);
        }
    }
}
