//! What is done with an event for an entity: handed to it here, sent to the member that owns its slot, or held while
//! the slot is coming or going.
//!
//! One for each arbiter, which asks it before every event. A slot that has become ours is *gathering* until every
//! other member has had its sessions attach: until then only attachments go in, since whatever else is decided
//! depends on who is there. A slot that is to be moved is *quiescing*: nothing goes in until it is another's. What is for
//! a slot of nobody, as all are before the first table, waits for the table that gives it to somebody.

use crate::arbiter::is_overtaken;
use crate::limits::HELD_EVENTS_MAX;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use stentor_engine::{Epoch, Event, FromSession, Key, MemberId, Slot, Table, TakenOver};

/// What is to be done with an event.
#[derive(Debug)]
pub enum Admission {
    /// The entity is here, in this epoch of its slot.
    Here(Epoch, Event),
    /// It is at another member, in this epoch of its slot.
    There(MemberId, Epoch, Event),
    /// It waits here until the slot is gathered, or another's.
    Held,
    /// It would wait, but so many do already. The caller gives the stated answer.
    Refused(Event),
}

/// What a new table means for one arbiter.
#[derive(Debug, Default)]
pub struct Moved {
    /// Slots with another owner than before: sessions of their users attach anew.
    pub slots: HashSet<Slot>,
    /// Of them, those that were ours: their entities are over, and nothing of them may leave.
    pub lost: BTreeSet<Slot>,
    /// Events that were held for them: they are to be admitted anew, in order. Without timers, which mean nothing to any
    /// other entity than that which set them.
    pub released: Vec<(Key, Event)>,
    /// Events that were held for slots that are another's now, behind which they would come [too late](is_overtaken): they
    /// are to be [declined](crate::declined).
    pub declined: Vec<(Key, Event)>,
    /// Members that are in the table no more.
    pub gone: BTreeSet<MemberId>,
}

impl Moved {
    fn release(&mut self, events: Vec<(Key, Event)>, is_ours: bool) {
        for (key, event) in events {
            match event {
                Event::Timer(_) => {}
                event if !is_ours && is_overtaken(&event) => self.declined.push((key, event)),
                event => self.released.push((key, event)),
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Gathers,
    Quiesces,
    IsNobodys,
}

#[derive(Debug)]
struct Held {
    why: Why,
    events: Vec<(Key, Event)>,
}

impl Held {
    fn new(why: Why) -> Self {
        Self { why, events: Vec::new() }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Slots {
    me: MemberId,
    table: Arc<Table>,
    /// Slots of ours that are not simply open, and slots of nobody for which something waits. The first member has all of
    /// them here at once, and keeps no room for as many.
    held: BTreeMap<Slot, Held>,
    waiting: usize,
    /// Slots of ours whose owner of before gave them away, and who that was, while it may yet be lost.
    given: BTreeMap<Slot, Option<MemberId>>,
}

impl Slots {
    /// With the first table, in which every slot of ours is open.
    pub fn new(me: MemberId, table: Arc<Table>) -> Self {
        Self { me, table, held: BTreeMap::new(), waiting: 0, given: BTreeMap::new() }
    }

    /// The table as this arbiter knows it.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// This member.
    pub fn me(&self) -> MemberId {
        self.me
    }

    /// The epoch of a slot that is ours.
    pub fn ours(&self, slot: Slot) -> Option<Epoch> {
        let owner = self.table.owner(slot);
        (owner.member == Some(self.me)).then_some(owner.epoch)
    }

    /// What to do with an event for an entity. Those that an entity causes for itself (rows, timers) do not come here.
    pub fn admit(&mut self, key: &Key, event: Event) -> Admission {
        let slot = key.slot();
        let owner = self.table.owner(slot);
        match (owner.member, self.held.get(&slot).map(|held| held.why)) {
            (Some(member), _) if member != self.me => Admission::There(member, owner.epoch, event),
            (Some(_), None) => Admission::Here(owner.epoch, event),
            (Some(_), Some(Why::Gathers)) if attaches(&event) => Admission::Here(owner.epoch, event),
            _ if self.waiting >= HELD_EVENTS_MAX => Admission::Refused(event),
            _ => {
                self.waiting += 1;
                let held = self.held.entry(slot).or_insert_with(|| Held::new(Why::IsNobodys));
                held.events.push((key.clone(), event));
                Admission::Held
            }
        }
    }

    /// What an entity that is loaded in the slot now is to hear first, if there is something; if it gathers, the entity is
    /// to hear [`Event::Gathered`] when [`Slots::gathered`] opens the slot.
    pub fn taken_over(&self, slot: Slot) -> Option<TakenOver> {
        let (gathers, is_given) = (self.gathers(slot), self.given.contains_key(&slot));
        (gathers || is_given).then(|| TakenOver { gathers, is_given, ..TakenOver::default() })
    }

    /// Whether the slot is ours and gathers.
    pub fn gathers(&self, slot: Slot) -> bool {
        self.held.get(&slot).is_some_and(|held| held.why == Why::Gathers)
    }

    /// Whether the slot is ours and about to move.
    pub fn quiesces(&self, slot: Slot) -> bool {
        self.held.get(&slot).is_some_and(|held| held.why == Why::Quiesces)
    }

    /// Whether an event that came from another member was sent to what is ours: its sender's table said so by this
    /// epoch. If not, it goes back, and is sent again by a newer table.
    pub fn is_current(&self, key: &Key, epoch: Epoch) -> bool {
        self.ours(key.slot()) == Some(epoch)
    }

    /// Whether what is said in this epoch of a slot is said by an owner of before.
    pub fn is_stale(&self, slot: Slot, epoch: Epoch) -> bool {
        epoch < self.table.owner(slot).epoch
    }

    /// A newer table. Slots that become ours by it are gathering.
    pub fn install(&mut self, table: Arc<Table>) -> Moved {
        let mut moved = Moved::default();
        if table.version() <= self.table.version() {
            return moved;
        }
        for slot in Slot::all() {
            let (before, after) = (self.table.owner(slot), table.owner(slot));
            if before == after {
                continue;
            }
            moved.slots.insert(slot);
            if before.member == Some(self.me) {
                moved.lost.insert(slot);
            }
            if let Some(held) = self.held.remove(&slot) {
                self.waiting -= held.events.len();
                moved.release(held.events, after.member == Some(self.me));
            }
            self.given.remove(&slot);
            if after.member == Some(self.me) {
                self.held.insert(slot, Held::new(Why::Gathers));
                // Nobody but an owner gives away what is a living member's.
                let giver = before.member.filter(|member| table.member(*member).is_some());
                if giver.is_some() && after.epoch.0 == before.epoch.0 + 1 {
                    self.given.insert(slot, giver);
                }
            }
        }
        for (id, member) in self.table.members() {
            if table.member(*id).is_none() {
                moved.gone.insert(*id);
                if member.is_draining {
                    // It left once everybody had what it had to say.
                    self.given.values_mut().for_each(|giver| *giver = giver.filter(|giver| giver != id));
                }
            }
        }
        self.table = table;
        moved
    }

    /// Everybody has handed over what he had of these slots: what was held goes in, in order.
    pub fn gathered(&mut self, slots: impl IntoIterator<Item = Slot>) -> Vec<(Key, Event)> {
        let mut released = Vec::new();
        for slot in slots {
            if self.gathers(slot)
                && let Some(held) = self.held.remove(&slot)
            {
                self.waiting -= held.events.len();
                released.extend(held.events);
            }
        }
        released
    }

    /// These slots are to be moved: of those that are ours and open, nothing goes in any more. Which they are.
    pub fn quiesce(&mut self, slots: impl IntoIterator<Item = Slot>) -> Vec<Slot> {
        let mut begun = Vec::new();
        for slot in slots {
            if self.ours(slot).is_some() && !self.held.contains_key(&slot) {
                self.held.insert(slot, Held::new(Why::Quiesces));
                begun.push(slot);
            }
        }
        begun
    }

    /// A member is gone: what its sessions say is not heard any more. Slots that it had given to us, if it was lost: they
    /// count as given no more.
    pub fn gone(&mut self, member: MemberId) -> BTreeSet<Slot> {
        for held in self.held.values_mut() {
            let before = held.events.len();
            held.events.retain(|(_, event)| event.session().is_none_or(|session| session.member != member));
            self.waiting -= before - held.events.len();
        }
        self.given.extract_if(.., |_, giver| *giver == Some(member)).map(|(slot, _)| slot).collect()
    }

    /// Events that wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}

/// A session that another owner had says what it holds.
fn attaches(event: &Event) -> bool {
    use FromSession::{Attach, Detached, Gone};
    matches!(event, Event::Session(_, Attach(_) | Gone | Detached { .. }))
}
