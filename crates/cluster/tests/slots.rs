//! Events for slots that come and go.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use stentor_cluster::limits::HELD_EVENTS_MAX;
use stentor_cluster::{Admission, Slots};
use stentor_engine::{
    Ask, Command, Epoch, Event, FromSession, Key, MemberId, MemberInfo, SessionKey, Table, TableChange,
};
use stentor_xmpp::{BareJid, Stanza};

const ME: MemberId = MemberId(1);
const OTHER: MemberId = MemberId(2);

fn key() -> Key {
    Key::User(BareJid::parse("romeo@example.org").expect("an address"))
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
    let change =
        TableChange { base: table.version(), moves: vec![(key().slot(), member)], ..TableChange::default() };
    table.apply(&change).expect("made from this version");
    Arc::new(table)
}

fn began() -> Arc<Table> {
    let mut table = Table::empty();
    for id in [ME, OTHER] {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
        let name = id.0.to_string().into();
        let info = MemberInfo { name, link: address, gossip: address, weight: 1, wire: (1, 1), settings: 0 };
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

/// That is so as long as whoever gave it away lives, or if that left in order.
#[test]
fn a_slot_whose_giver_is_lost_is_given_no_more() {
    for (leaves, is_given) in [(false, false), (true, true)] {
        let mut slots = Slots::new(ME, began());
        slots.install(next(slots.table(), OTHER));
        let moved = next(slots.table(), ME);
        slots.install(moved);
        slots.gathered([key().slot()]);
        let slot_is_given = |slots: &Slots| slots.taken_over(key().slot()).is_some_and(|over| over.is_given);
        assert!(slot_is_given(&slots));
        let mut table = Table::clone(slots.table());
        let draining = leaves.then_some(OTHER);
        let changes = [
            TableChange { draining, ..TableChange::default() },
            TableChange { removed: vec![OTHER], ..TableChange::default() },
        ];
        for change in changes {
            let base = table.version();
            table.apply(&TableChange { base, ..change }).unwrap();
            slots.install(Arc::new(table.clone()));
        }
        assert_eq!(slots.gone(OTHER).contains(&key().slot()), !is_given);
        assert_eq!(slot_is_given(&slots), is_given);
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
