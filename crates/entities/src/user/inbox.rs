//! What was received for this user and no client has taken yet: the log entries of the way `in`.

use super::User;
use super::entry::{Entry, For, Way};
use super::resource::{Reading, Source};
use crate::user::collection::SEEN;
use crate::user::xep_0359_stanza_ids;
use crate::xep_0203_delay;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use stentor_engine::{
    Append, Confirm, Effects, Event, Forward, ForwardName, Key, LogId, LogRow, Now, Outcome, Planted, Query,
    StreamId,
};
use stentor_xmpp::{Condition, Stanza};

/// Entries read at a time by a resource that catches up.
const PAGE: u32 = 50;
/// Senders whose last forward is remembered.
const SENDERS_MAX: usize = 10_000;

/// Received and not settled, by position in the log.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: BTreeMap<LogId, Waiting>,
    bytes: usize,
    seen: HashMap<Key, Seen>,
}

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    /// Resources to which it was sent that may still acknowledge it.
    holders: u32,
    /// The resource that it is for; nobody else's as long as that is here.
    named: Option<Box<str>>,
    /// Where it stands in the stream of this user's own that brought it.
    counted: Option<(StreamId, u64)>,
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
        self.waiting.insert(id, Waiting { bytes, holders: 0, named, counted });
        self.bytes += bytes;
    }

    /// Takes up a record of [`SEEN`].
    pub(crate) fn recover_seen(&mut self, sender: Key, value: &[u8]) -> bool {
        let seen = serde_json::from_slice::<Seen>(value).ok().filter(|seen| seen.v == 1);
        seen.map(|seen| self.seen.insert(sender, seen)).is_some()
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// An entry that cannot be read is not offered again. It stays in the log.
    fn forget(&mut self, id: LogId) {
        if let Some(waiting) = self.waiting.remove(&id) {
            self.bytes -= waiting.bytes;
        }
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
        self.inbox.waiting.len() < limits.offline_messages_max
            && self.inbox.bytes + bytes <= limits.offline_bytes_max
    }

    /// The same for the error of a message of this user's own, which must not be lost because others sent much.
    pub(crate) fn has_room_for_error(&self, bytes: usize) -> bool {
        let limits = &self.hosts.limits;
        self.inbox.waiting.len() < limits.offline_messages_max + limits.outbox_max
            && self.inbox.bytes + bytes <= 2 * limits.offline_bytes_max
    }

    /// Appends a message to the log, and hands it to those resources that take messages as they come.
    pub(crate) fn take_in(&mut self, now: Now, stanza: Stanza, way: Way, effects: &mut Effects) {
        let id = self.append_in(now, &stanza, way, effects);
        let bytes = self.stamped(id, &stanza).to_bytes();
        let takers: Vec<usize> = (0..self.resources.len()).filter(|index| self.is_for(id, *index)).collect();
        for index in takers {
            let Some(resource) = self.resources.get_mut(index) else { break };
            if resource.reading == Reading::Live && resource.is_behind() {
                // A slow client falls back to the log, so that live never overtakes backlog.
                resource.reading = Reading::CatchingUp(None);
            }
            if resource.reading == Reading::Live {
                self.hand_out(index, id, bytes.clone(), effects);
            }
        }
    }

    fn append_in(&mut self, now: Now, stanza: &Stanza, way: Way, effects: &mut Effects) -> LogId {
        let id = self.next_id();
        let entry = Entry { at: now.unix, way, stanza: stanza.clone() };
        let value = entry.to_bytes();
        self.inbox.recover(id, &entry, value.len());
        effects.append(Append { id, keys: Vec::new(), value });
        id
    }

    /// Whether an entry that waits is for this resource.
    fn is_for(&self, id: LogId, index: usize) -> bool {
        let (Some(waiting), Some(resource)) = (self.inbox.waiting.get(&id), self.resources.get(index)) else {
            return false;
        };
        match waiting.named.as_deref() {
            Some(name) if name == resource.name() => true,
            Some(name) if self.resources.iter().any(|other| other.name() == name) => false,
            _ => resource.takes_messages(),
        }
    }

    /// The oldest entry for this resource that nobody has been sent, or nobody who may still acknowledge it.
    fn next_for(&self, index: usize) -> Option<LogId> {
        let free = self.inbox.waiting.iter().filter(|(_, waiting)| waiting.holders == 0);
        free.map(|(id, _)| *id).find(|id| self.is_for(*id, index))
    }

    /// As a client gets it: with the id by which the archive and any later delivery name it.
    fn stamped(&self, id: LogId, stanza: &Stanza) -> Stanza {
        let mut stanza = stanza.clone();
        if !stanza.is_error() {
            xep_0359_stanza_ids::stamp(&mut stanza, &self.jid, id);
        }
        stanza
    }

    /// Sends an entry to a resource, which holds it until it is acknowledged.
    fn hand_out(&mut self, index: usize, id: LogId, bytes: Bytes, effects: &mut Effects) {
        let Some(resource) = self.resources.get_mut(index) else { return };
        if resource.deliver(bytes, Source::Log(id), effects) {
            self.taken(id);
        } else if let Some(waiting) = self.inbox.waiting.get_mut(&id) {
            waiting.holders += 1;
        }
        self.check_queue(index, effects);
    }

    /// A client has it: the entry is settled.
    pub(crate) fn taken(&mut self, id: LogId) {
        if let Some(waiting) = self.inbox.waiting.remove(&id) {
            self.inbox.bytes -= waiting.bytes;
            self.settle(id, waiting.counted);
        }
    }

    /// A resource that held an entry is gone without acknowledging it. It waits again.
    pub(crate) fn given_back(&mut self, id: LogId) {
        if let Some(waiting) = self.inbox.waiting.get_mut(&id) {
            waiting.holders = waiting.holders.saturating_sub(1);
        }
    }

    /// Every resource reads what waits for it, oldest first.
    pub(crate) fn offer_waiting(&mut self, effects: &mut Effects) {
        for index in 0..self.resources.len() {
            self.begin_reading(index, effects);
        }
    }

    /// A resource begins with what waits for it, before it takes anything as it comes.
    pub(crate) fn begin_reading(&mut self, index: usize, effects: &mut Effects) {
        if let Some(resource) = self.resources.get_mut(index)
            && resource.reading == Reading::Live
        {
            resource.reading = Reading::CatchingUp(None);
            self.read_on(index, effects);
        }
    }

    /// Asks for the next page of a resource that catches up, or ends its catching up.
    pub(crate) fn read_on(&mut self, index: usize, effects: &mut Effects) {
        if self.resources.get(index).is_none_or(|resource| resource.reading != Reading::CatchingUp(None)) {
            return;
        }
        let next = self.next_for(index);
        let Some(resource) = self.resources.get_mut(index) else { return };
        match next {
            None => resource.reading = Reading::Live,
            Some(id) if resource.session.is_some() && !resource.is_behind() => {
                resource.reading = Reading::CatchingUp(Some(id));
                let after = LogId(id.0.saturating_sub(1));
                effects.query(resource.attachment, vec![Query::LogAfter { after, limit: PAGE }]);
            }
            // It goes on once the session has passed on what it has, or the stream is resumed.
            Some(_) => {}
        }
    }

    /// A page of the log for the resource with this attachment; none if it could not be read.
    pub(crate) fn page(&mut self, attachment: u64, rows: Option<&[LogRow]>, effects: &mut Effects) {
        let Some(index) = self.resources.iter().position(|r| r.attachment == attachment) else { return };
        let Some(resource) = self.resources.get_mut(index) else { return };
        let asked = match resource.reading {
            Reading::CatchingUp(asked) => asked,
            Reading::Live => None,
        };
        for row in rows.into_iter().flatten() {
            let is_free = self.inbox.waiting.get(&row.id).is_some_and(|waiting| waiting.holders == 0);
            if is_free && self.is_for(row.id, index) {
                self.hand_out_row(index, row, effects);
            }
        }
        if let (Some(asked), Some(rows)) = (asked, rows)
            && rows.iter().all(|row| row.id != asked)
        {
            self.inbox.forget(asked);
        }
        if let Some(resource) = self.resources.get_mut(index)
            && asked.is_some()
        {
            resource.reading = Reading::CatchingUp(None);
            self.read_on(index, effects);
        }
    }

    fn hand_out_row(&mut self, index: usize, row: &LogRow, effects: &mut Effects) {
        let Ok(entry) = Entry::parse(&row.value) else { return self.inbox.forget(row.id) };
        let mut stanza = self.stamped(row.id, &entry.stanza);
        xep_0203_delay::stamp(&mut stanza, self.jid.domain(), entry.at);
        self.hand_out(index, row.id, stanza.to_bytes(), effects);
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
