//! What was sent, acknowledged, delivered and refused, and what of it the disk has: the books that every promise is
//! checked against.

use crate::coverage::Coverage;
use crate::stage::{Id, Position};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use stentor_engine::{
    Batch, CommitError, Epoch, Event, ForwardName, Key, LogId, MemberId, Outcome, Slot, Write,
};
use stentor_store::{LaneId, Memory};
use stentor_xmpp::{BareJid, Jid};

/// One kept message.
#[derive(Debug, Default)]
struct Sent {
    from: Option<BareJid>,
    /// The stream of its client on which it was sent last.
    stream: u64,
    to: Option<Jid>,
    /// It was refused, and its error stood in the sender's log.
    is_refused: bool,
    is_acknowledged: bool,
    /// Clients of the sender, and their streams, that were told of an error.
    errors: BTreeSet<(usize, u64)>,
    /// Given to a stream without management, of which nothing is known.
    is_handed_over: bool,
    /// Sent again by a client that could not know what was handled.
    is_doubtful: bool,
    /// The streams of each client that got it.
    received: BTreeMap<usize, BTreeSet<u64>>,
    /// Clients that were ready for it when it was sent, each with the period in which it was.
    awaited: Vec<(usize, u64)>,
    /// Entries in durable logs.
    entries: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct History {
    keeps: bool,
    messages: BTreeMap<Id, Sent>,
    /// Acknowledged, and in nobody's hands yet.
    open: BTreeSet<Id>,
    /// Who had sessions since the member started; whether one took messages without management.
    connected: BTreeMap<BareJid, bool>,
    entries: HashMap<Position, Id>,
    /// The last first delivery without delay, by sending client, its stream, and receiving client.
    order: BTreeMap<(usize, u64, usize), u64>,
    forwarded: BTreeSet<ForwardName>,
    confirmed: BTreeSet<ForwardName>,
    /// The last batch of each lane that was committed.
    lanes: BTreeMap<LaneId, u64>,
    /// Who wrote last in each slot.
    writers: BTreeMap<Slot, (Epoch, MemberId)>,
    violation: Option<String>,
    is_dirty: bool,
}

impl Sent {
    fn has_arrived(&self) -> bool {
        !self.received.is_empty() || !self.errors.is_empty() || self.is_handed_over
    }

    /// What was settled and is nowhere else may be on its way to a stream without management.
    fn note_handed_over(&mut self, connected: &BTreeMap<BareJid, bool>) {
        self.is_handed_over |= self.may_be_handed_over(connected);
    }

    /// A stream without management is promised nothing, so what is for it is settled as soon as it is on its way
    /// there; every stream begins as one, but only a hasty client takes messages to its bare JID then.
    fn may_be_handed_over(&self, connected: &BTreeMap<BareJid, bool>) -> bool {
        let (Some(from), Some(to)) = (&self.from, &self.to) else { return false };
        if self.is_refused {
            return connected.contains_key(from);
        }
        connected.get(&to.to_bare()).is_some_and(|is_unmanaged| *is_unmanaged || !to.is_bare())
    }
}

/// A delivery as a client saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub id: Id,
    pub client: usize,
    /// Counts the streams of the client.
    pub stream: u64,
    pub is_delayed: bool,
}

impl History {
    pub(crate) fn new(keeps: bool) -> Self {
        Self {
            keeps,
            messages: BTreeMap::new(),
            open: BTreeSet::new(),
            connected: BTreeMap::new(),
            entries: HashMap::new(),
            order: BTreeMap::new(),
            forwarded: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            lanes: BTreeMap::new(),
            writers: BTreeMap::new(),
            violation: None,
            is_dirty: false,
        }
    }

    /// A promise is broken. The first is what counts.
    pub(crate) fn violate(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(crate) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    fn message(&mut self, id: Id) -> &mut Sent {
        self.messages.entry(id).or_default()
    }

    /// A client sends a message for the first time.
    pub(crate) fn send(&mut self, id: Id, stream: u64, from: BareJid, to: Jid, awaited: Vec<(usize, u64)>) {
        let message = self.message(id);
        message.stream = stream;
        message.from = Some(from);
        message.to = Some(to);
        message.awaited = awaited;
    }

    /// The owner of these accounts may take sessions for gone that are not: what was for them may be given to others
    /// alone.
    pub(crate) fn parted(&mut self, is_concerned: impl Fn(&BareJid) -> bool) {
        for message in self.messages.values_mut() {
            if message.to.as_ref().is_some_and(|to| is_concerned(&to.to_bare())) {
                message.awaited.clear();
            }
        }
    }

    /// A client sends it again on another stream.
    pub(crate) fn resend(&mut self, id: Id, stream: u64, is_doubtful: bool) {
        let message = self.message(id);
        message.stream = stream;
        message.is_doubtful |= is_doubtful;
        if message.is_acknowledged {
            self.violate(format!("{id} was sent again though it was acknowledged: the checker is wrong"));
        }
    }

    /// The server said so.
    pub(crate) fn acknowledge(&mut self, id: Id) {
        self.message(id).is_acknowledged = true;
        self.open.insert(id);
        self.is_dirty = true;
    }

    /// A session begins.
    pub(crate) fn connected(&mut self, user: &Key, is_unmanaged: bool) {
        *self.connected.entry(user.jid().clone()).or_default() |= is_unmanaged;
    }

    /// A session got it for a stream without management.
    pub(crate) fn handed_over(&mut self, stanza: &[u8]) {
        if let Some(id) = Id::find(stanza) {
            self.message(id).is_handed_over = true;
        }
    }

    /// A client got a message.
    pub(crate) fn receive(&mut self, delivery: Delivery, coverage: &mut Coverage) {
        let Delivery { id, client, stream, is_delayed } = delivery;
        coverage.delivered += 1;
        coverage.delayed += u64::from(is_delayed);
        let Some(message) = self.messages.get_mut(&id) else {
            return self.violate(format!("client {client} got {id}, which was never sent"));
        };
        let before = message.received.entry(client).or_default();
        let (is_first, is_first_here) = (before.is_empty(), before.insert(stream));
        let (is_doubtful, sent_on) = (message.is_doubtful, message.stream);
        // Where only memory has messages, one that is on its way to a stream that ends is answered with an error.
        if !message.errors.is_empty() && !message.is_doubtful && self.keeps {
            return self.violate(format!("client {client} got {id}, and its sender got an error"));
        }
        if is_first {
            let last = self.order.entry((id.client, sent_on, client)).or_default();
            if is_delayed || is_doubtful {
                return;
            }
            if *last >= id.n {
                let last = *last;
                return self.violate(format!("client {client} got {id} after {last}"));
            }
            *last = id.n;
        } else if !is_first_here && (!is_doubtful || self.keeps) {
            self.violate(format!("client {client} got {id} twice in stream {stream}"));
        } else if !is_delayed && !is_doubtful {
            self.violate(format!("client {client} got {id} again in stream {stream}, without a delay"));
        } else {
            coverage.given_back += 1;
        }
    }

    /// A client got an error for what it sent.
    pub(crate) fn error(&mut self, delivery: Delivery, coverage: &mut Coverage) {
        let Delivery { id, client, stream, is_delayed } = delivery;
        coverage.errors += 1;
        let message = self.message(id);
        let is_first = !message.errors.iter().any(|(other, _)| *other == client);
        let is_first_here = message.errors.insert((client, stream));
        if message.is_doubtful {
            return;
        }
        // Where only memory has messages, one that was got and not acknowledged goes back if there is no room.
        if !message.received.is_empty() && self.keeps {
            self.violate(format!("{id} has an error though somebody got it"));
        } else if !is_first_here || !(is_first || is_delayed) {
            self.violate(format!("client {client} got a second error for {id} in stream {stream}"));
        }
    }

    /// An entity lets something go.
    pub(crate) fn sent(&mut self, to: &Key, event: &Event, coverage: &mut Coverage) {
        let confirm = match event {
            Event::Forward(forward) => {
                coverage.repeats += u64::from(!self.forwarded.insert(forward.name.clone()));
                return;
            }
            Event::Confirm(confirm) => confirm,
            Event::Relay(stanza) if stanza.is_error() => {
                // Where nothing is kept, the error of a client that is gone goes nowhere.
                if let Some(id) = Id::find(&stanza.to_bytes()) {
                    self.message(id).is_handed_over = true;
                }
                return;
            }
            _ => return,
        };
        if confirm.outcome == Outcome::Gap {
            coverage.gaps += 1;
            return;
        }
        let name = ForwardName { sender: to.clone(), id: confirm.id };
        coverage.dedupe_hits += u64::from(!self.confirmed.insert(name));
    }

    /// Whether the batch was committed before.
    pub(crate) fn is_repeated(&self, lane: LaneId, number: u64) -> bool {
        self.lanes.get(&lane).is_some_and(|last| *last >= number)
    }

    /// A batch is in the shared store, but for these owners.
    pub(crate) fn committed_in(
        &mut self,
        lane: LaneId,
        batch: &Batch,
        refused: &[(Key, CommitError)],
        coverage: &mut Coverage,
    ) {
        self.lanes.insert(lane, batch.number);
        let mut taken = batch.clone();
        taken.sets.retain(|set| !refused.iter().any(|(owner, _)| *owner == set.owner));
        for (owner, error) in refused {
            match error {
                CommitError::Fenced => coverage.fenced += 1,
                // Whoever wrote before is known: he was fenced, or was this member.
                error => self.violate(format!("the store refused a write of {}: {error}", owner.jid())),
            }
        }
        for set in &taken.sets {
            let (slot, writer) = (set.owner.slot(), (set.epoch, lane.member));
            let last = *self.writers.entry(slot).or_insert(writer);
            if set.epoch < last.0 || set.epoch == last.0 && lane.member != last.1 {
                self.violate(format!("{slot:?} was written in {writer:?} after {last:?}"));
            }
            self.writers.insert(slot, writer);
        }
        self.durable(&taken);
    }

    /// A batch is on the disk.
    pub(crate) fn durable(&mut self, batch: &Batch) {
        // Taken out meanwhile: a copy for each batch would cost a crowd much.
        let connected = std::mem::take(&mut self.connected);
        for set in &batch.sets {
            for write in &set.writes {
                match write {
                    Write::Append(append) => {
                        self.enter(set.owner.clone(), append.id, &append.value);
                    }
                    Write::Amend { id, value: None, .. } => {
                        let place = (set.owner.clone(), *id);
                        if let Some(id) = self.entries.remove(&place) {
                            let message = self.message(id);
                            message.entries = message.entries.saturating_sub(1);
                            if message.is_refused
                                || message.to.as_ref().is_some_and(|to| to.to_bare() == *set.owner.jid())
                            {
                                message.note_handed_over(&connected);
                            }
                            self.is_dirty = true;
                        }
                    }
                    _ => {}
                }
            }
        }
        self.connected = connected;
    }

    fn enter(&mut self, owner: Key, at: LogId, value: &[u8]) {
        let Some(id) = Id::find(value) else { return };
        self.entries.insert((owner, at), id);
        let is_error = value.windows(13).any(|part| part == b" type='error'");
        let message = self.message(id);
        message.entries += 1;
        message.is_refused |= is_error;
    }

    /// What a crash left.
    pub(crate) fn recover(&mut self, disk: &Memory) {
        self.entries.clear();
        self.messages.values_mut().for_each(|message| message.entries = 0);
        for row in disk.rows() {
            let stentor_store::Row::Entry { id, value, .. } = row.row else { continue };
            if let Ok(jid) = BareJid::parse(&row.owner.address) {
                self.enter(Key::User(jid), id, &value);
            }
        }
        self.connected.clear();
        self.is_dirty = true;
    }

    /// After a step: whatever was acknowledged is kept, or has arrived.
    pub(crate) fn check(&mut self) {
        if !std::mem::take(&mut self.is_dirty) || !self.keeps {
            return;
        }
        let mut lost = None;
        let messages = &self.messages;
        self.open.retain(|id| {
            let Some(message) = messages.get(id) else { return false };
            let is_over = message.has_arrived();
            if !is_over && message.entries == 0 {
                lost = Some(*id);
            }
            !is_over
        });
        if let Some(id) = lost {
            let to = self.message(id).to.clone();
            self.violate(format!("{id} to {to:?} was acknowledged and is nowhere"));
        }
    }

    /// When all is quiet: everything acknowledged has arrived, nothing is in limbo.
    pub(crate) fn conclude(&mut self, may_lose: bool, is_ready: impl Fn(usize, u64) -> bool) {
        let mut violations = Vec::new();
        for (id, message) in &self.messages {
            let has_arrived = message.has_arrived();
            if message.is_acknowledged && !has_arrived && !may_lose {
                violations.push(format!("{id} to {:?} was acknowledged and nobody got it", message.to));
            }
            if has_arrived && message.errors.is_empty() && !message.is_refused && !may_lose {
                for (client, period) in &message.awaited {
                    if is_ready(*client, *period) && !message.received.contains_key(client) {
                        violations.push(format!("client {client} was ready for {id} and never got it"));
                    }
                }
            }
            if message.entries > 0 {
                violations.push(format!("{id} is still in {} logs", message.entries));
            }
        }
        for violation in violations {
            self.violate(violation);
        }
    }

    /// Counts for the books.
    pub(crate) fn count(&self, coverage: &mut Coverage) {
        coverage.messages += self.messages.len() as u64;
        coverage.acknowledged +=
            self.messages.values().filter(|message| message.is_acknowledged).count() as u64;
    }
}

#[cfg(test)]
mod tests;
