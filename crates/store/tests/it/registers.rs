//! What every store that members share must do alike: leases, the table, and who may write. Each case starts from
//! nothing.

use crate::engines::{ROSTER, is_record, put, record, set, user};
use crate::members::*;
use crate::postgres::Server;
use stentor_engine::{
    Batch, CommitError, Epoch, Expect, Key, Member, MemberId, Owner, RegisterReply, RegisterRequest, Slot,
    Table, TableChange, WriteSet,
};
use stentor_store::MemoryBackend;
use stentor_store::postgres::Postgres;

const CASES: &[(&str, fn(&mut Bench))] = &[
    ("nothing is there at first", nothing),
    ("a member joins by a new id", joining),
    ("a name in use is told", names),
    ("a lease is renewed until it is fenced", renewing),
    ("a change from another version is refused", stale_changes),
    ("a change is refused when a lease went on", renewed_meanwhile),
    ("slots move, each in the next epoch", moving),
    ("a member drains", draining),
    ("many slots move at once", moving_all),
    ("a batch is committed once", once),
    ("a batch that is not the next is refused", gaps),
    ("fencing ends the lane", fencing),
    ("who was never a member has no lane", strangers),
    ("a set of an older epoch is refused alone", epochs),
    ("another's slot is refused", others),
    ("one set of an older epoch refuses its owner", one_of_two),
    ("a batch of many slots", many_slots),
    ("two members write side by side", side_by_side),
    ("one change is first", races),
];

#[test]
fn suite() {
    for (case, run) in CASES {
        println!("memory: {case}");
        let memory = MemoryBackend::new();
        let (shared, other) = (Box::new(memory.clone()), Box::new(memory));
        run(&mut Bench { name: "memory", shared, other });
    }
}

#[test]
fn on_postgres() {
    let Some(server) = Server::shared() else { return };
    for (case, run) in CASES {
        println!("postgres: {case}");
        let postgres = Postgres::open(&server.config()).unwrap();
        let (shared, other) = (Box::new(postgres.clone()), Box::new(postgres));
        run(&mut Bench { name: "postgres", shared, other });
    }
}

fn nothing(bench: &mut Bench) {
    bench.check(RegisterRequest::Table, RegisterReply::Table(Table::empty()));
    bench.check(RegisterRequest::Leases, RegisterReply::Leases { version: 0, counters: vec![] });
    bench.check(RegisterRequest::Renew(MemberId(1)), RegisterReply::Fenced);
}

fn joining(bench: &mut Bench) {
    let first = bench.ask(RegisterRequest::Join(info("one")));
    let RegisterReply::Joined { member: one, version: 1 } = first else { panic!("{first:?}") };
    let two = bench.join("two");
    assert!(two > one);
    let table = bench.table();
    assert_eq!(table.version(), 2);
    let member = |name| Member { info: info(name), is_draining: false };
    assert_eq!(table.members().iter().collect::<Vec<_>>(), [(&one, &member("one")), (&two, &member("two"))]);
    assert_eq!(table.owner(slot(7)), Owner { member: None, epoch: Epoch(0) });
    let counters = vec![(one, 1), (two, 1)];
    bench.check(RegisterRequest::Leases, RegisterReply::Leases { version: 2, counters });
    // Both handles see the same.
    assert_eq!(bench.other.ask(&RegisterRequest::Table), RegisterReply::Table(table));
}

fn names(bench: &mut Bench) {
    let one = bench.join("one");
    bench.check(RegisterRequest::Renew(one), RegisterReply::Renewed { version: 1 });
    let taken = RegisterReply::NameInUse { member: one, counter: 2 };
    bench.check(RegisterRequest::Join(info("one")), taken);
    assert_eq!(bench.table().version(), 1);
    bench.change(TableChange { removed: vec![one], ..TableChange::default() });
    let again = bench.join("one");
    assert!(again > one, "an id is never given again");
}

fn renewing(bench: &mut Bench) {
    let (one, two) = (bench.join("one"), bench.join("two"));
    for _ in 0..3 {
        bench.check(RegisterRequest::Renew(one), RegisterReply::Renewed { version: 2 });
    }
    let counters = vec![(one, 4), (two, 1)];
    bench.check(RegisterRequest::Leases, RegisterReply::Leases { version: 2, counters });
    bench.change(TableChange { removed: vec![one], ..TableChange::default() });
    bench.check(RegisterRequest::Renew(one), RegisterReply::Fenced);
    bench.check(RegisterRequest::Renew(two), RegisterReply::Renewed { version: 3 });
    bench.check(RegisterRequest::Leases, RegisterReply::Leases { version: 3, counters: vec![(two, 2)] });
}

fn stale_changes(bench: &mut Bench) {
    let one = bench.join("one");
    for base in [0, 2, u64::MAX >> 1] {
        let change = TableChange { base, moves: vec![(slot(1), one)], ..TableChange::default() };
        bench.check(RegisterRequest::Change(change), RegisterReply::Stale { version: 1 });
    }
    assert_eq!(bench.table().owner(slot(1)), Owner { member: None, epoch: Epoch(0) });
}

fn renewed_meanwhile(bench: &mut Bench) {
    let (one, two) = (bench.join("one"), bench.join("two"));
    bench.give(one, [slot(1), slot(2)]);
    bench.check(RegisterRequest::Renew(one), RegisterReply::Renewed { version: 3 });
    let fence = |member, counter| TableChange {
        base: 3,
        removed: vec![one],
        unchanged: vec![(member, counter)],
        moves: vec![(slot(1), two)],
        ..TableChange::default()
    };
    for (member, counter) in [(one, 1), (one, 3), (MemberId(one.0 + 99), 1)] {
        let change = RegisterRequest::Change(fence(member, counter));
        bench.check(change, RegisterReply::Stale { version: 3 });
    }
    bench.check(RegisterRequest::Renew(one), RegisterReply::Renewed { version: 3 });
    bench.check(RegisterRequest::Change(fence(one, 3)), RegisterReply::Changed { version: 4 });
    bench.check(RegisterRequest::Renew(one), RegisterReply::Fenced);
    let table = bench.table();
    assert_eq!(table.member(one), None);
    assert_eq!(table.owner(slot(1)), Owner { member: Some(two), epoch: Epoch(2) });
    // What was not given out is still his who is gone.
    assert_eq!(table.owner(slot(2)), Owner { member: Some(one), epoch: Epoch(1) });
}

fn moving(bench: &mut Bench) {
    let (one, two) = (bench.join("one"), bench.join("two"));
    let last = slot(Slot::COUNT - 1);
    bench.give(one, [slot(0), last]);
    bench.give(two, [last]);
    bench.give(one, [last, slot(1)]);
    let table = bench.table();
    assert_eq!(table.version(), 5);
    for (slot, member, epoch) in
        [(slot(0), Some(one), 1), (slot(1), Some(one), 1), (slot(2), None, 0), (last, Some(one), 3)]
    {
        assert_eq!(table.owner(slot), Owner { member, epoch: Epoch(epoch) }, "{}: {slot:?}", bench.name);
    }
}

fn draining(bench: &mut Bench) {
    let (one, two) = (bench.join("one"), bench.join("two"));
    bench.change(TableChange { draining: Some(one), ..TableChange::default() });
    // A member that is not there is none that drains.
    bench.change(TableChange { draining: Some(MemberId(two.0 + 1)), ..TableChange::default() });
    let table = bench.table();
    assert!(table.member(one).unwrap().is_draining && !table.member(two).unwrap().is_draining);
    bench.check(RegisterRequest::Renew(one), RegisterReply::Renewed { version: 4 });
}

fn moving_all(bench: &mut Bench) {
    let (one, two) = (bench.join("one"), bench.join("two"));
    bench.give(one, Slot::all());
    let moves = Slot::all().map(|slot| (slot, two)).collect();
    bench.change(TableChange { removed: vec![one], moves, ..TableChange::default() });
    let table = bench.table();
    let owned = Owner { member: Some(two), epoch: Epoch(2) };
    assert!(Slot::all().all(|slot| table.owner(slot) == owned));
    assert_eq!(table.slots_of(two).count(), usize::from(Slot::COUNT));
}

fn once(bench: &mut Bench) {
    let (_, mut lane) = bench.only_member();
    let juliet = user("juliet@example.org");
    assert_eq!(lane.commit(vec![entry(&romeo(), 1, 1)]), []);
    let sets = vec![
        WriteSet { ..set(&romeo(), vec![put(ROSTER, "n", "v", Expect::Any)]) },
        WriteSet { ..set(&juliet, vec![put(ROSTER, "n", "v", Expect::Version(7))]) },
    ];
    let refused = lane.commit(sets.clone());
    assert_eq!(refused, [(juliet, CommitError::Conflict)], "{}", bench.name);
    // As after an answer that was lost.
    let again = lane.backend.commit(&Batch { number: lane.number, sets });
    assert_eq!(again, refused, "{}", bench.name);
    let rows = lane.backend.reader().query(&romeo(), &[record(ROSTER, "n")]);
    assert_eq!(rows, [is_record("n", 1, "v")], "{}", bench.name);
    assert_eq!(lane.commit(vec![entry(&romeo(), 1, 2)]), []);
    assert_eq!(lane.backend.failure(), None);
}

fn gaps(bench: &mut Bench) {
    let (_, mut lane) = bench.only_member();
    for _ in 0..3 {
        let id = lane.number + 1;
        assert_eq!(lane.commit(vec![entry(&romeo(), 1, id)]), []);
    }
    for number in [0, 1, 2, 5] {
        let refused = lane.backend.commit(&Batch { number, sets: vec![entry(&romeo(), 1, 9)] });
        assert!(matches!(refused[..], [(_, CommitError::Store(_))]), "{}: {number}: {refused:?}", bench.name);
        assert_eq!(lane.tail(&romeo()), 3, "{}", bench.name);
    }
}

fn fencing(bench: &mut Bench) {
    let (one, mut lane) = bench.only_member();
    let two = bench.join("two");
    assert_eq!(lane.commit(vec![entry(&romeo(), 1, 1)]), []);
    // Even of slots that nobody was given since.
    bench.change(TableChange { removed: vec![one], ..TableChange::default() });
    let other = user("juliet@example.org");
    let sets = vec![entry(&romeo(), 1, 2), entry(&other, 1, 1), entry(&romeo(), 1, 3)];
    let mut refused = lane.commit(sets.clone());
    refused.sort_by_key(|(owner, _)| owner.clone());
    let all = [(other.clone(), CommitError::Fenced), (romeo(), CommitError::Fenced)];
    assert_eq!(refused, all, "{}", bench.name);
    assert!(lane.backend.failure().is_some(), "{}", bench.name);
    let mut heir = bench.lane(two);
    assert_eq!((heir.tail(&romeo()), heir.tail(&other)), (1, 0), "{}", bench.name);
    // Nor by another handle of the same lane.
    let mut lane = bench.lane(one);
    assert_eq!(lane.commit(sets).len(), 2, "{}", bench.name);
    bench.give(two, [romeo().slot()]);
    assert_eq!(heir.commit(vec![entry(&romeo(), 2, 2)]), [], "{}", bench.name);
    assert_eq!(heir.backend.failure(), None);
}

fn strangers(bench: &mut Bench) {
    bench.only_member();
    let mut lane = bench.lane(MemberId(1_000_000));
    assert_eq!(lane.commit(vec![entry(&romeo(), 1, 1)]), [(romeo(), CommitError::Fenced)]);
    assert_eq!(lane.tail(&romeo()), 0);
}

fn epochs(bench: &mut Bench) {
    let (one, mut lane) = bench.only_member();
    let juliet = user("juliet@example.org");
    assert_ne!(romeo().slot(), juliet.slot());
    bench.give(one, [romeo().slot()]);
    for epoch in [0, 1, 3] {
        let id = lane.number + 1;
        let refused = lane.commit(vec![entry(&romeo(), epoch, id), entry(&juliet, 1, id)]);
        assert_eq!(refused, [(romeo(), CommitError::Fenced)], "{}: {epoch}", bench.name);
    }
    assert_eq!((lane.tail(&romeo()), lane.tail(&juliet)), (0, 3), "{}", bench.name);
    assert_eq!(lane.commit(vec![entry(&romeo(), 2, 1)]), []);
    assert_eq!(lane.backend.failure(), None);
}

fn others(bench: &mut Bench) {
    let (_, mut lane) = bench.only_member();
    let two = bench.join("two");
    bench.give(two, [romeo().slot()]);
    for epoch in [1, 2] {
        let refused = lane.commit(vec![entry(&romeo(), epoch, 1)]);
        assert_eq!(refused, [(romeo(), CommitError::Fenced)], "{}: {epoch}", bench.name);
    }
    assert_eq!(bench.lane(two).commit(vec![entry(&romeo(), 2, 1)]), [], "{}", bench.name);
    assert_eq!(lane.tail(&romeo()), 1);
}

fn one_of_two(bench: &mut Bench) {
    let (one, mut lane) = bench.only_member();
    bench.give(one, [romeo().slot()]);
    let refused = lane.commit(vec![entry(&romeo(), 2, 1), entry(&romeo(), 1, 2)]);
    assert_eq!(refused, [(romeo(), CommitError::Fenced)], "{}", bench.name);
    assert_eq!(lane.tail(&romeo()), 0);
}

fn many_slots(bench: &mut Bench) {
    let (one, mut lane) = bench.only_member();
    let owners: Vec<Key> = (0..250).map(|n| user(&format!("u{n}@example.org"))).collect();
    // Those of odd slots have moved on.
    let is_moved = |slot: Slot| slot.number() % 2 == 1;
    bench.give(one, Slot::all().filter(|slot| is_moved(*slot)));
    let mut refused = lane.commit(owners.iter().map(|owner| entry(owner, 1, 1)).collect());
    refused.sort_by_key(|(owner, _)| owner.clone());
    let mut expected: Vec<_> = owners
        .iter()
        .filter(|owner| is_moved(owner.slot()))
        .map(|owner| (owner.clone(), CommitError::Fenced))
        .collect();
    expected.sort_by_key(|(owner, _)| owner.clone());
    assert_eq!(refused, expected, "{}", bench.name);
    for owner in &owners {
        assert_eq!(lane.tail(owner), u64::from(!is_moved(owner.slot())), "{}: {owner:?}", bench.name);
    }
}

fn side_by_side(bench: &mut Bench) {
    let (one, two) = (bench.join("one"), bench.join("two"));
    bench.give(one, Slot::all().filter(|slot| slot.number() % 2 == 0));
    bench.give(two, Slot::all().filter(|slot| slot.number() % 2 == 1));
    let owners: Vec<Key> = (0..16).map(|n| user(&format!("u{n}@example.org"))).collect();
    let lanes = [bench.lane(one), bench.lane(two)];
    std::thread::scope(|scope| {
        for (odd, mut lane) in (0..).zip(lanes) {
            let mine: Vec<&Key> = owners.iter().filter(|owner| owner.slot().number() % 2 == odd).collect();
            scope.spawn(move || {
                for id in 1..=10 {
                    assert_eq!(lane.commit(mine.iter().map(|owner| entry(owner, 1, id)).collect()), []);
                }
            });
        }
    });
    let lane = bench.lane(one);
    assert!(owners.iter().all(|owner| lane.tail(owner) == 10), "{}", bench.name);
}

fn races(bench: &mut Bench) {
    let (one, two) = (bench.join("one"), bench.join("two"));
    let change = |to| {
        RegisterRequest::Change(TableChange { base: 2, moves: vec![(slot(1), to)], ..TableChange::default() })
    };
    let Bench { shared, other, .. } = bench;
    let replies = std::thread::scope(|scope| {
        let first = scope.spawn(|| shared.ask(&change(one)));
        let second = scope.spawn(|| other.ask(&change(two)));
        [first.join().unwrap(), second.join().unwrap()]
    });
    let changed = RegisterReply::Changed { version: 3 };
    let winners: Vec<_> = replies.iter().map(|reply| *reply == changed).collect();
    assert!(winners == [true, false] || winners == [false, true], "{}: {replies:?}", bench.name);
    assert!(replies.contains(&RegisterReply::Stale { version: 3 }), "{}: {replies:?}", bench.name);
    let owner = if winners[0] { one } else { two };
    assert_eq!(bench.table().owner(slot(1)), Owner { member: Some(owner), epoch: Epoch(1) });
}
