//! How kept messages reach the resources: as they come, or from the log.
//!
//! A resource has a mark, the last entry that it was given or passed by. What comes after the mark is its own: it gets
//! each entry, whoever else has it. What is before the mark it gets only if nobody has it: what waited before the
//! resource took messages, and what another that ended gave back. So every resource gets what comes while it is there,
//! however slowly it reads; and of what waited each entry goes to one.
//!
//! An entry that a client has stays in the log for others that have yet to read it, or to acknowledge it: should the owner
//! be lost before their sessions got it, they get it from the next one.

use super::User;
use super::entry::{Entry, Way};
use super::resource::{Reading, Resource, Source};
use crate::user::xep_0359_stanza_ids;
use crate::xep_0203_delay;
use bytes::Bytes;
use core::ops::RangeBounds;
use stentor_engine::{Effects, LogId, LogRow, Now, Query};
use stentor_xmpp::Stanza;

/// Entries read at a time by a resource that catches up.
const PAGE: u32 = 50;

impl User {
    /// Appends a message to the log, and hands it to those resources that take messages as they come.
    pub(crate) fn take_in(&mut self, now: Now, stanza: Stanza, way: Way, effects: &mut Effects) {
        let id = self.append_in(now, &stanza, way, effects);
        let bytes = self.stamped(id, &stanza).to_bytes();
        let takers: Vec<usize> = (0..self.resources.len()).filter(|index| self.is_for(id, *index)).collect();
        // First of all: what one takes stays for those that have yet to read it.
        for index in &takers {
            // A slow client falls back to the log, so that live never overtakes backlog.
            if let Some(resource) = self.resources.get_mut(*index)
                && resource.reading == Reading::Live
                && resource.is_behind(&self.hosts.limits)
            {
                resource.reading = Reading::CatchingUp(None);
            }
        }
        for index in takers {
            if self.resources.get(index).is_some_and(|resource| resource.reading == Reading::Live) {
                self.hand_out(index, id, bytes.clone(), effects);
            }
        }
        self.settle_one(id);
    }

    /// Whether an entry that waits is for this resource.
    fn is_for(&self, id: LogId, index: usize) -> bool {
        let (Some(waiting), Some(resource)) = (self.inbox.waiting.get(&id), self.resources.get(index)) else {
            return false;
        };
        match waiting.named.as_deref() {
            Some(name) if name == resource.name() => true,
            Some(name) if self.resources.iter().any(|other| other.name() == name) => false,
            _ => resource.takes_messages() || (waiting.is_error && resource.takes_errors),
        }
    }

    /// Whether it is one that the resource is to get now.
    fn is_due(&self, id: LogId, index: usize) -> bool {
        let reached = self.resources.get(index).map_or(LogId(0), |resource| resource.reached);
        let is_open = id > reached || self.inbox.waiting.get(&id).is_some_and(|waiting| waiting.is_free());
        is_open && self.is_for(id, index)
    }

    /// The oldest entry that the resource is to get.
    fn next_for(&self, index: usize) -> Option<LogId> {
        self.inbox.waiting.keys().copied().find(|id| self.is_due(*id, index))
    }

    /// As a client gets it: with the id by which the archive and any later delivery name it.
    fn stamped(&self, id: LogId, stanza: &Stanza) -> Stanza {
        let mut stanza = stanza.clone();
        if !stanza.is_error() {
            xep_0359_stanza_ids::stamp(&mut stanza, &self.jid, id);
        }
        stanza
    }

    /// Sends an entry to a resource, which holds it until it is acknowledged. It is not settled yet: others may be about
    /// to hold it.
    fn hand_out(&mut self, index: usize, id: LogId, bytes: Bytes, effects: &mut Effects) {
        let oldest = self.oldest_in_log();
        let Some(resource) = self.resources.get_mut(index) else { return };
        resource.reached = id.max(resource.reached);
        if resource.deliver_entry(bytes, Source::Log(id), oldest, effects) {
            self.inbox.take(id);
        } else if let Some(waiting) = self.inbox.waiting.get_mut(&id) {
            waiting.holders += 1;
        }
    }

    /// No entry that a client was given or may be given is before this one; all that were are out of the log.
    fn oldest_in_log(&self) -> LogId {
        let waiting = self.inbox.waiting.first_key_value().map(|(id, _)| *id);
        let settled = self.settled.iter().map(|(id, _)| *id).min();
        waiting.into_iter().chain(settled).min().unwrap_or(self.tail)
    }

    /// Entries that clients have and that may still be in the log.
    pub(crate) fn taken_in_log(&self) -> Vec<LogId> {
        let settled = self.settled.iter().map(|(id, _)| *id);
        let mut taken: Vec<LogId> = settled.chain(self.inbox.taken()).collect();
        taken.sort_unstable();
        taken
    }

    /// A client that held it has acknowledged it: the entry is settled, once nobody else has yet to.
    pub(crate) fn taken(&mut self, id: LogId) {
        self.given_back(id);
        self.inbox.take(id);
        self.settle_one(id);
    }

    fn settle_one(&mut self, id: LogId) {
        self.settle_within(id..=id);
    }

    /// Settles what was taken and is out of everybody's hands.
    pub(crate) fn settle_taken(&mut self) {
        self.settle_within(..);
    }

    fn settle_within(&mut self, range: impl RangeBounds<LogId>) {
        if self.gathering.is_some() {
            return;
        }
        let lagging = self.resources.iter().filter(|resource| resource.reading != Reading::Live);
        let lagging = lagging.map(|resource| resource.reached).min();
        for (id, counted) in self.inbox.sweep(range, lagging) {
            self.settle(id, counted);
        }
    }

    /// A resource does not hold an entry any more. It waits again, if nobody has it.
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
        let is_reading = |resource: &Resource| resource.reading == Reading::CatchingUp(None);
        if self.gathering.is_some() || !self.resources.get(index).is_some_and(is_reading) {
            return;
        }
        let next = self.next_for(index);
        let Some(resource) = self.resources.get_mut(index) else { return };
        match next {
            None => {
                resource.reading = Reading::Live;
                resource.reached = self.tail;
                self.settle_taken();
            }
            Some(id) if resource.session.is_some() && !resource.is_behind(&self.hosts.limits) => {
                resource.reading = Reading::CatchingUp(Some(id));
                let after = LogId(id.0.saturating_sub(1));
                effects.query(resource.attachment, vec![Query::LogAfter { after, limit: PAGE }]);
            }
            // It goes on once the session has passed on what it has, or the client has acknowledged some, or the
            // stream is resumed.
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
            if self.resources.get(index).is_none_or(|resource| resource.is_behind(&self.hosts.limits)) {
                break;
            }
            if self.is_due(row.id, index) {
                self.hand_out_row(index, row, effects);
            }
        }
        self.settle_taken();
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
}
