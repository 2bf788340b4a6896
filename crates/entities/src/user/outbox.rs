//! What this user sent and nobody has confirmed: the log entries of the way `out`, and the forwards they make.

use super::User;
use super::entry::{Entry, For, Way};
use super::resent::Mark;
use crate::UserLimits;
use std::collections::BTreeMap;
use stentor_engine::{
    Append, Confirm, Effects, Event, Forward, ForwardName, Key, LogId, Now, Outcome, Planted, StreamId,
};
use stentor_xmpp::{Stanza, StanzaError};

/// Milliseconds after which a forward that nobody confirmed is sent again.
const REPEAT_AFTER: u64 = 5_000;
/// Milliseconds for which further gaps are taken to be from before the last repeat.
const GAP_PAUSE: u64 = 1_000;
/// Messages that were refused and wait for room for their errors. Those who refused them remember each, in a record that
/// they write with every message.
const REFUSED_MAX: usize = 64;

/// Forwards by their position in the log.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    unsettled: BTreeMap<LogId, Unsettled>,
    /// Bytes of their stanzas.
    bytes: usize,
    /// How many of them were refused.
    refused: usize,
    pub is_repeat_due: bool,
    /// Entries of the log that are to be removed with a later write.
    pub settled: Vec<Settled>,
}

/// What stands in the log of a message that was confirmed, or whose error stands there.
#[derive(Debug)]
pub(crate) struct Settled {
    pub id: LogId,
    /// By which it would be recognised if it were sent again.
    pub mark: Option<Mark>,
    /// Which stanza of which stream it was.
    pub counted: Option<(StreamId, u64)>,
}

#[derive(Debug)]
struct Unsettled {
    target: Key,
    stanza: Stanza,
    counted: Option<(StreamId, u64)>,
    mark: Option<Mark>,
    /// When it was last sent, on the monotonic clock, zero if it was not since it was loaded; and whether that was
    /// again.
    sent: u64,
    is_repeated: bool,
    /// Why it was refused. There was no room for the error; it is not forwarded again, and its target remembers.
    refused: Option<Box<StanzaError>>,
}

impl Outbox {
    /// Whether it takes nothing more from clients.
    pub(crate) fn is_full(&self, limits: &UserLimits) -> bool {
        self.unsettled.len() >= limits.outbox_max
            || self.bytes >= limits.outbox_bytes_max
            || self.refused >= REFUSED_MAX
    }

    /// Whether nothing is under way. What was refused waits in the log as well as here.
    pub(crate) fn is_quiet(&self) -> bool {
        self.unsettled.len() == self.refused
    }

    fn insert(&mut self, id: LogId, entry: Unsettled) {
        self.bytes += entry.stanza.size();
        self.unsettled.insert(id, entry);
    }

    fn remove(&mut self, id: LogId) -> Option<Unsettled> {
        let entry = self.unsettled.remove(&id)?;
        self.bytes -= entry.stanza.size();
        self.refused -= usize::from(entry.refused.is_some());
        Some(entry)
    }

    /// The oldest that was refused, and why.
    fn first_refused(&self) -> Option<(LogId, StanzaError)> {
        let mut entries = self.unsettled.iter().filter(|_| self.refused > 0);
        entries.find_map(|(id, entry)| Some((*id, StanzaError::clone(entry.refused.as_ref()?))))
    }

    /// Takes up an entry found in the log.
    pub(crate) fn recover(
        &mut self,
        id: LogId,
        target: Key,
        stanza: Stanza,
        counted: Option<(StreamId, u64)>,
        mark: Option<Mark>,
    ) {
        let entry = Unsettled { target, stanza, counted, mark, sent: 0, is_repeated: false, refused: None };
        self.insert(id, entry);
    }

    fn previous(&self, id: LogId, target: &Key) -> Option<LogId> {
        self.unsettled.range(..id).rev().find(|(_, entry)| entry.target == *target).map(|(id, _)| *id)
    }
}

impl User {
    fn previous(&self, id: LogId, target: &Key) -> Option<LogId> {
        let is_named = !self.hosts.planted.is_on(Planted::FORWARD_WITHOUT_PREDECESSOR);
        is_named.then(|| self.outbox.previous(id, target)).flatten()
    }

    /// Appends a stanza to the log, which is the outbox, and forwards it once that is durable.
    pub(crate) fn keep(
        &mut self,
        now: Now,
        target: Key,
        stanza: Stanza,
        counted: Option<(StreamId, u64)>,
        mark: Option<Mark>,
        effects: &mut Effects,
    ) {
        if let Some(mark) = mark {
            self.accepted.add(now.unix, mark);
        }
        let id = self.next_id();
        let entry = Entry { at: now.unix, way: Way::Out(counted), stanza };
        effects.append(Append { id, value: entry.to_bytes() });
        let previous = self.previous(id, &target);
        let stanza = entry.stanza;
        let entry = Unsettled {
            target: target.clone(),
            stanza: stanza.clone(),
            counted,
            mark,
            sent: now.monotonic,
            is_repeated: false,
            refused: None,
        };
        self.outbox.insert(id, entry);
        let name = ForwardName { sender: self.key.clone(), id };
        effects.send(target, Event::Forward(Forward { name, previous, stanza }));
        self.schedule_repeat(effects);
    }

    /// The fate of one of our forwards.
    pub(crate) fn confirmed(&mut self, now: Now, confirm: Confirm, effects: &mut Effects) {
        match confirm.outcome {
            Outcome::Gap => self.repeat_after_gap(now, &confirm.target, effects),
            Outcome::Accepted => {
                if let Some(entry) = self.outbox.remove(confirm.id) {
                    let (id, mark, counted) = (confirm.id, entry.mark, entry.counted);
                    self.outbox.settled.push(Settled { id, mark, counted });
                    self.subscription_arrived(&entry.stanza, effects);
                }
            }
            Outcome::Refused(error) => {
                if let Some(entry) = self.outbox.unsettled.get_mut(&confirm.id)
                    && entry.refused.replace(Box::new(error)).is_none()
                {
                    self.outbox.refused += 1;
                    self.bounce_refused(now, effects);
                }
            }
        }
    }

    /// Gives clients the errors of kept stanzas that were refused, one each, as far as there is room. An error is as safe
    /// as the stanza was: written with what settles the stanza, and there until a client has it. Until then the stanza
    /// takes its sender's room; after a crash it is forwarded again, and refused again alike.
    pub(crate) fn bounce_refused(&mut self, now: Now, effects: &mut Effects) {
        while let Some((id, error)) = self.outbox.first_refused() {
            let Some(entry) = self.outbox.unsettled.get(&id) else { return };
            let reply = entry.stanza.error_reply(error);
            if reply.as_ref().is_some_and(|reply| !self.has_room_for_error(reply.size())) {
                return;
            }
            let Some(entry) = self.outbox.remove(id) else { return };
            // Removed with the write that appends the error.
            self.settle(id, entry.counted);
            if let Some(mark) = entry.mark {
                self.accepted.forget(mark);
            }
            if let Some(reply) = reply {
                self.take_in(now, reply, Way::In(For::Named), effects);
            }
        }
    }

    /// One is missing there. Each that followed it says so; all are sent again at the first word, and then not
    /// before that can have been taken: gaps must not multiply.
    fn repeat_after_gap(&mut self, now: Now, target: &Key, effects: &mut Effects) {
        let missing = self.outbox.unsettled.values().find(|entry| entry.target == *target);
        if missing.is_some_and(|entry| !entry.is_repeated || entry.sent + GAP_PAUSE <= now.monotonic) {
            self.repeat(now, Some(target), effects);
        }
    }

    /// Forwards again whatever has waited too long, or all for one target.
    pub(crate) fn repeat(&mut self, now: Now, only: Option<&Key>, effects: &mut Effects) {
        let is_due = |entry: &Unsettled| match only {
            Some(target) => entry.target == *target,
            None if entry.refused.is_some() => false,
            None => entry.sent == 0 || entry.sent + REPEAT_AFTER <= now.monotonic,
        };
        let due: Vec<LogId> =
            self.outbox.unsettled.iter().filter(|(_, e)| is_due(e)).map(|(id, _)| *id).collect();
        for id in due {
            let Some(entry) = self.outbox.unsettled.get_mut(&id) else { continue };
            entry.sent = now.monotonic;
            entry.is_repeated = true;
            let (target, stanza) = (entry.target.clone(), entry.stanza.clone());
            let previous = self.previous(id, &target);
            let name = ForwardName { sender: self.key.clone(), id };
            effects.send(target, Event::Forward(Forward { name, previous, stanza }));
        }
        self.schedule_repeat(effects);
    }

    fn schedule_repeat(&mut self, effects: &mut Effects) {
        if !self.outbox.is_quiet() && !self.outbox.is_repeat_due {
            self.outbox.is_repeat_due = true;
            effects.timer(REPEAT_AFTER, super::timer::REPEAT);
        }
    }
}
