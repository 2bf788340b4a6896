//! What is done with an event for an entity: handed to it here, sent to the member that owns its slot, or held while
//! the slot is coming or going.
//!
//! One for each arbiter, which asks it before every event. A slot that has become ours is *gathering* until every
//! other member has had its sessions attach: until then only attachments go in, since whatever else is decided
//! depends on who is there. A slot that is to be moved is *quiescing*: nothing goes in until it is another's. What is for
//! a slot of nobody, as all are before the first table, waits for the table that gives it to somebody.

use crate::arbiter::is_overtaken;
use crate::limits::HELD_EVENTS_MAX;
use std::collections::{BTreeSet, HashMap, HashSet};
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
    /// Slots of ours that are not simply open, and slots of nobody for which something waits.
    held: HashMap<Slot, Held>,
    waiting: usize,
    /// Slots of ours whose owner of before gave them away.
    given: BTreeSet<Slot>,
}

impl Slots {
    /// With the first table, in which every slot of ours is open.
    pub fn new(me: MemberId, table: Arc<Table>) -> Self {
        Self { me, table, held: HashMap::new(), waiting: 0, given: BTreeSet::new() }
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
        let (gathers, is_given) = (self.gathers(slot), self.given.contains(&slot));
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
                let lives = before.member.is_some_and(|member| table.member(member).is_some());
                if lives && after.epoch.0 == before.epoch.0 + 1 {
                    self.given.insert(slot);
                }
            }
        }
        let is_gone = |member: &MemberId| table.member(*member).is_none();
        moved.gone = self.table.members().keys().copied().filter(is_gone).collect();
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

    /// A member is gone: what its sessions say is not heard any more.
    pub fn gone(&mut self, member: MemberId) {
        for held in self.held.values_mut() {
            let before = held.events.len();
            held.events.retain(|(_, event)| event.session().is_none_or(|session| session.member != member));
            self.waiting -= before - held.events.len();
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr, SocketAddr};
    use stentor_engine::{Ask, Command, MemberInfo, SessionKey, TableChange};
    use stentor_xmpp::{BareJid, Stanza};

    const ME: MemberId = MemberId(1);
    const OTHER: MemberId = MemberId(2);

    fn key() -> Key {
        Key::User(BareJid::parse("romeo@example.org").unwrap())
    }

    fn event(number: u64) -> Event {
        Event::Command(Ask(number), Command::Describe)
    }

    fn numbers(events: &[(Key, Event)]) -> Vec<u64> {
        let number = |event: &Event| match event {
            Event::Command(Ask(number), _) => *number,
            _ => 0,
        };
        events.iter().map(|(_, event)| number(event)).collect()
    }

    /// The table in which the slot of [`key`] is a member's, the next version.
    fn next(table: &Table, member: MemberId) -> Arc<Table> {
        let mut table = table.clone();
        let change = TableChange {
            base: table.version(),
            moves: vec![(key().slot(), member)],
            ..TableChange::default()
        };
        table.apply(&change).expect("made from this version");
        Arc::new(table)
    }

    fn began() -> Arc<Table> {
        let mut table = Table::empty();
        for id in [ME, OTHER] {
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
            let name = id.0.to_string().into();
            let info =
                MemberInfo { name, link: address, gossip: address, weight: 1, wire: (1, 1), settings: 0 };
            table.join(id, info);
        }
        Arc::new(table)
    }

    #[test]
    fn what_nobody_owns_waits_for_whoever_will_and_what_another_owns_goes_there() {
        for owner in [OTHER, ME] {
            let mut slots = Slots::new(ME, began());
            assert!(matches!(slots.admit(&key(), event(1)), Admission::Held));
            assert!(!slots.gathers(key().slot()) && slots.quiesce([key().slot()]).is_empty());
            assert_eq!(numbers(&slots.gathered([key().slot()])), [0; 0], "it is nobody's");
            let table = next(slots.table(), owner);
            let moved = slots.install(table);
            assert!(moved.slots.contains(&key().slot()) && moved.lost.is_empty());
            assert_eq!((numbers(&moved.released), slots.waiting()), (vec![1], 0));
            match slots.admit(&key(), event(1)) {
                Admission::Held => assert!(owner == ME && slots.gathers(key().slot())),
                Admission::There(there, Epoch(1), _) => assert_eq!((there, owner), (OTHER, OTHER)),
                other => panic!("{other:?}"),
            }
            assert_eq!(slots.is_current(&key(), Epoch(1)), owner == ME);
        }
    }

    #[test]
    fn while_it_is_gathering_only_what_ends_something_goes_in() {
        let mut slots = Slots::new(ME, began());
        let table = next(slots.table(), ME);
        slots.install(table);
        let session = SessionKey { member: OTHER, arbiter: 0, serial: 1 };
        assert!(matches!(slots.admit(&key(), event(1)), Admission::Held));
        let gone = Event::Session(session, FromSession::Gone);
        assert!(matches!(slots.admit(&key(), gone), Admission::Here(Epoch(1), _)));
        assert!(matches!(slots.admit(&key(), event(2)), Admission::Held));
        assert_eq!(slots.waiting(), 2);
        assert!(slots.gathers(key().slot()));
        assert_eq!(numbers(&slots.gathered([key().slot()])), [1, 2]);
        assert!(!slots.gathers(key().slot()));
        assert!(matches!(slots.admit(&key(), event(3)), Admission::Here(Epoch(1), _)));
        assert_eq!(slots.waiting(), 0);
    }

    #[test]
    fn what_sessions_of_a_member_that_is_gone_have_said_is_not_heard() {
        let mut slots = Slots::new(ME, began());
        let table = next(slots.table(), ME);
        slots.install(table);
        let bind = |member| {
            let session = SessionKey { member, arbiter: 0, serial: 1 };
            Event::Session(session, FromSession::Bind { resource: "x".into(), peer: None })
        };
        for event in [bind(OTHER), event(1), bind(ME)] {
            assert!(matches!(slots.admit(&key(), event), Admission::Held));
        }
        slots.gone(OTHER);
        assert_eq!(slots.waiting(), 2);
        assert_eq!(numbers(&slots.gathered([key().slot()])), [1, 0]);
    }

    #[test]
    fn what_waits_for_a_slot_that_moves_goes_after_it() {
        let mut slots = Slots::new(ME, began());
        let table = next(slots.table(), ME);
        slots.install(table);
        assert_eq!(slots.quiesce([key().slot()]), [], "it is gathering");
        slots.gathered([key().slot()]);
        assert_eq!(slots.quiesce([key().slot()]), [key().slot()]);
        assert!(!slots.gathers(key().slot()));
        assert!(matches!(slots.admit(&key(), event(1)), Admission::Held));
        assert!(matches!(slots.admit(&key(), Event::Timer(7)), Admission::Held));
        assert_eq!(numbers(&slots.gathered([key().slot()])), [0; 0], "it is not gathering");
        let table = next(slots.table(), OTHER);
        let moved = slots.install(table);
        assert_eq!(numbers(&moved.released), [1], "a timer stays");
        assert!(moved.lost.contains(&key().slot()));
        assert!(matches!(slots.admit(&key(), event(2)), Admission::There(OTHER, Epoch(2), _)));
        assert!(slots.is_stale(key().slot(), Epoch(1)) && !slots.is_stale(key().slot(), Epoch(2)));
    }

    #[test]
    fn what_waits_for_a_slot_that_stays_after_all_goes_in_once_it_is_gathered_anew() {
        let mut slots = Slots::new(ME, began());
        let table = next(slots.table(), ME);
        slots.install(table);
        slots.gathered([key().slot()]);
        slots.quiesce([key().slot()]);
        assert!(matches!(slots.admit(&key(), event(1)), Admission::Held));
        let moved = slots.install(next(slots.table(), ME));
        assert!(moved.lost.contains(&key().slot()) && moved.slots.contains(&key().slot()));
        let (key, event) = moved.released.into_iter().next().expect("what waited");
        assert!(matches!(slots.admit(&key, event), Admission::Held));
        assert_eq!(numbers(&slots.gathered([key.slot()])), [1]);
        assert!(matches!(slots.admit(&key, self::event(2)), Admission::Here(Epoch(2), _)));
    }

    #[test]
    fn presence_that_waits_for_a_slot_does_not_go_after_it() {
        for owner in [OTHER, ME] {
            let mut slots = Slots::new(ME, began());
            slots.install(next(slots.table(), ME));
            slots.gathered([key().slot()]);
            slots.quiesce([key().slot()]);
            let presence = Event::Relay(Stanza::parse("<presence/>").unwrap());
            for event in [event(1), presence] {
                assert!(matches!(slots.admit(&key(), event), Admission::Held));
            }
            let moved = slots.install(next(slots.table(), owner));
            let stays = usize::from(owner == ME);
            assert_eq!((moved.released.len(), moved.declined.len()), (1 + stays, 1 - stays));
            assert_eq!(slots.waiting(), 0);
        }
    }

    #[test]
    fn an_older_table_changes_nothing() {
        let mut slots = Slots::new(ME, began());
        let older = Arc::clone(slots.table());
        let newer = next(&older, ME);
        slots.install(newer);
        assert!(slots.install(older).slots.is_empty());
        assert_eq!(slots.ours(key().slot()), Some(Epoch(1)));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut slots = Slots::new(ME, began());
        let table = next(slots.table(), ME);
        slots.install(table);
        for number in 0..HELD_EVENTS_MAX as u64 {
            assert!(matches!(slots.admit(&key(), event(number)), Admission::Held));
        }
        assert!(matches!(slots.admit(&key(), event(0)), Admission::Refused(_)));
    }
}
