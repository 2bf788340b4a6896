//! What every engine must do alike. Each case starts from nothing.

use crate::engines::*;
use crate::owners;
use crate::postgres::Server;
use bytes::Bytes;
use stentor_engine::{Append, Collection, CommitError, Expect, LogId, LogRow, Query, Rows, Write};
use stentor_store::limits::{KEY_BYTES_MAX, LOG_ID_MAX};

/// In the order in which a reader would want to learn of them.
const CASES: &[(&str, fn(&mut Bench))] = &[
    ("nothing is there at first", nothing),
    ("records have versions", versions),
    ("records are expected", expectations),
    ("records are listed by name", listing),
    ("a log is read forward, backward and by page", paging),
    ("log ids only grow", log_ids),
    ("entries are amended and removed", amending),
    ("erase leaves nothing", erasing),
    ("a refused owner is split off whole", splitting),
    ("sets of one owner apply in order", ordering),
    ("writes see those before them in the batch", seeing),
    ("owners whose names begin alike are apart", alike),
    ("owners are listed by what they have", owners::cases),
    ("values are any bytes", any_bytes),
    ("long names are refused, alone", long_names),
    ("readers live beside commits", living_readers),
];

#[test]
fn suite() {
    for engine in Bench::all().iter().map(|bench| bench.name) {
        for (case, run) in CASES {
            let mut bench = Bench::all().into_iter().find(|bench| bench.name == engine).unwrap();
            println!("{engine}: {case}");
            run(&mut bench);
        }
    }
}

#[test]
fn on_postgres() {
    let Some(server) = Server::shared() else { return };
    for (case, run) in CASES {
        println!("postgres: {case}");
        run(&mut Bench::postgres(server));
    }
}

fn nothing(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    for _ in 0..2 {
        for (query, expected) in [
            (record(ROSTER, "x"), Rows::Record(None)),
            (records(ROSTER, None, 9), Rows::Records(vec![])),
            (after(0, 9), is_log(&[])),
            (after(u64::MAX, 9), is_log(&[])),
            (before(None, 9), is_log(&[])),
            (before(Some(0), 9), is_log(&[])),
            (Query::Tail, is_tail(0)),
        ] {
            bench.check("empty", &romeo, query, expected);
        }
        // Neither of these finds anything, and neither is a fault.
        bench.write(&romeo, vec![delete(ROSTER, "x"), remove(1), amend(1, "x"), Write::Erase]);
        bench.reopen();
    }
    assert_eq!(bench.commit(vec![]), []);
}

fn versions(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    for (value, version) in [("one", 1), ("two", 2), ("", 3)] {
        bench.write(&romeo, vec![put(ROSTER, "juliet", value, Expect::Any)]);
        bench.check("counted", &romeo, record(ROSTER, "juliet"), is_record("juliet", version, value));
        bench.reopen();
        bench.check("kept", &romeo, record(ROSTER, "juliet"), is_record("juliet", version, value));
    }
    bench.check("another collection", &romeo, record(Collection("vcard"), "juliet"), Rows::Record(None));
    bench.write(&romeo, vec![delete(ROSTER, "juliet")]);
    bench.check("deleted", &romeo, record(ROSTER, "juliet"), Rows::Record(None));
    bench.write(&romeo, vec![put(ROSTER, "juliet", "again", Expect::Any)]);
    bench.check("from 1 again", &romeo, record(ROSTER, "juliet"), is_record("juliet", 1, "again"));
}

fn expectations(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    // What is expected, and whether it is taken: version 0, then 1, 2, absent.
    for (expect, is_taken) in [
        (Expect::Version(0), false),
        (Expect::Version(1), false),
        (Expect::Absent, true),
        (Expect::Absent, false),
        (Expect::Version(2), false),
        (Expect::Version(0), false),
        (Expect::Version(1), true),
        (Expect::Version(1), false),
        (Expect::Version(2), true),
        (Expect::Any, true),
    ] {
        let refused = bench.commit(vec![set(&romeo, vec![put(ROSTER, "a", "v", expect)])]);
        let expected = if is_taken { vec![] } else { vec![(romeo.clone(), CommitError::Conflict)] };
        assert_eq!(refused, expected, "{}: {expect:?}", bench.name);
        bench.reopen();
    }
    bench.check("four were taken", &romeo, record(ROSTER, "a"), is_record("a", 4, "v"));
}

fn listing(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    let names = ["", "a", "a\0b", "aa", "b", "é", "日本"];
    let writes = names.iter().rev().map(|name| put(ROSTER, name, name, Expect::Any)).collect();
    bench.write(&romeo, writes);
    // Collections whose names begin alike, before and after.
    for (collection, key) in [("roste", "r"), ("rosterx", "a"), ("", "roster")] {
        bench.write(&romeo, vec![put(Collection(collection), key, "no", Expect::Any)]);
    }
    let rows = |names: &[&str]| Rows::Records(names.iter().map(|name| row(name, 1, name)).collect());
    for (after, limit, expected) in [
        (None, 99, &names[..]),
        (None, 7, &names[..]),
        (None, 2, &names[..2]),
        (None, 0, &[]),
        (Some(""), 2, &names[1..3]),
        (Some("a"), 99, &names[2..]),
        (Some("a\0"), 1, &names[2..3]),
        (Some("aaa"), 99, &names[4..]),
        (Some("日本"), 99, &[]),
        (Some("\u{10ffff}"), 99, &[]),
    ] {
        bench.check("page", &romeo, records(ROSTER, after, limit), rows(expected));
    }
}

fn paging(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    // Ids whose order as bytes would be another if they were not big-endian.
    let ids = [1, 2, 255, 256, 65_536, LOG_ID_MAX];
    for id in ids {
        bench.write(&romeo, vec![append(id, &format!("entry {id}"))]);
    }
    bench.reopen();
    let texts: Vec<_> = ids.iter().map(|id| (*id, format!("entry {id}"))).collect();
    let up: Vec<_> = texts.iter().map(|(id, text)| (*id, &**text)).collect();
    let down: Vec<_> = up.iter().rev().copied().collect();
    for (query, expected) in [
        (after(0, 99), &up[..]),
        (after(0, 2), &up[..2]),
        (after(2, 2), &up[2..4]),
        (after(3, 1), &up[2..3]),
        (after(256, 99), &up[4..]),
        (after(LOG_ID_MAX, 99), &[]),
        (after(u64::MAX, 99), &[]),
        (after(0, 0), &[]),
        (before(None, 99), &down[..]),
        (before(None, 1), &down[..1]),
        (before(Some(LOG_ID_MAX), 2), &down[1..3]),
        (before(Some(u64::MAX), 1), &down[..1]),
        (before(Some(256), 99), &down[3..]),
        (before(Some(3), 1), &down[4..5]),
        (before(Some(1), 99), &[]),
        (before(Some(0), 99), &[]),
        (before(None, 0), &[]),
    ] {
        bench.check("page", &romeo, query, is_log(expected));
    }
    bench.check("the last", &romeo, Query::Tail, is_tail(LOG_ID_MAX));
}

fn log_ids(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    for (id, is_taken) in [(0, false), (5, true), (5, false), (4, false), (6, true), (100, true), (99, false)]
    {
        let refused = bench.commit(vec![set(&romeo, vec![append(id, "x")])]);
        assert_eq!(refused.is_empty(), is_taken, "{}: id {id}", bench.name);
        bench.reopen();
    }
    bench.write(&romeo, vec![remove(100), remove(6)]);
    bench.reopen();
    bench.check("removed ids count", &romeo, Query::Tail, is_tail(100));
    let refused = bench.commit(vec![set(&romeo, vec![append(100, "x")])]);
    assert_eq!(refused, [(romeo, CommitError::Conflict)]);
}

fn amending(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    bench.write(&romeo, vec![append(1, "one"), append(2, "two"), append(4, "four")]);
    bench.write(&romeo, vec![amend(1, "ONE"), amend(3, "never was"), amend(4, "")]);
    bench.reopen();
    bench.check("amended", &romeo, after(0, 9), is_log(&[(1, "ONE"), (2, "two"), (4, "")]));
    bench.write(&romeo, vec![remove(2), remove(4), amend(2, "not back"), amend(4, "not back")]);
    bench.reopen();
    bench.check("removed for good", &romeo, after(0, 9), is_log(&[(1, "ONE")]));
    bench.check("backward", &romeo, before(None, 9), is_log(&[(1, "ONE")]));
    bench.check("so does the tail", &romeo, Query::Tail, is_tail(4));
}

fn erasing(bench: &mut Bench) {
    let (romeo, juliet) = (user("romeo@example.org"), user("juliet@example.org"));
    let everything = || vec![put(ROSTER, "a", "1", Expect::Any), append(7, "x"), append(8, "y"), remove(7)];
    bench.write(&romeo, everything());
    bench.write(&juliet, everything());
    bench.reopen();
    let mut writes = vec![put(ROSTER, "b", "gone with it", Expect::Any), Write::Erase];
    writes.extend([append(1, "after"), put(ROSTER, "a", "after", Expect::Absent)]);
    bench.write(&romeo, writes);
    for _ in 0..2 {
        bench.check("records", &romeo, records(ROSTER, None, 9), Rows::Records(vec![row("a", 1, "after")]));
        bench.check("log", &romeo, after(0, 9), is_log(&[(1, "after")]));
        bench.check("tail", &romeo, Query::Tail, is_tail(1));
        bench.check("another's", &juliet, record(ROSTER, "a"), is_record("a", 1, "1"));
        bench.check("another's", &juliet, after(0, 9), is_log(&[(8, "y")]));
        bench.reopen();
    }
    bench.write(&romeo, vec![Write::Erase]);
    bench.check("all", &romeo, Query::Tail, is_tail(0));
    bench.check("all", &romeo, records(ROSTER, None, 9), Rows::Records(vec![]));
}

fn splitting(bench: &mut Bench) {
    let (romeo, juliet, nurse) =
        (user("romeo@example.org"), user("juliet@example.org"), user("nurse@example.org"));
    bench.write(&juliet, vec![append(5, "before")]);
    let refused = bench.commit(vec![
        set(&juliet, vec![put(ROSTER, "a", "lost", Expect::Any), append(6, "lost")]),
        set(&romeo, vec![append(1, "kept")]),
        set(&juliet, vec![put(ROSTER, "b", "lost", Expect::Any), append(5, "conflict")]),
        set(&nurse, vec![put(ROSTER, "a", "conflict", Expect::Version(3))]),
        set(&romeo, vec![append(2, "kept")]),
        set(&juliet, vec![append(9, "lost")]),
    ]);
    assert_eq!(refused, [(juliet.clone(), CommitError::Conflict), (nurse.clone(), CommitError::Conflict)]);
    for _ in 0..2 {
        bench.check("others", &romeo, after(0, 9), is_log(&[(1, "kept"), (2, "kept")]));
        bench.check("none of its sets", &juliet, after(0, 9), is_log(&[(5, "before")]));
        bench.check("none of its sets", &juliet, records(ROSTER, None, 9), Rows::Records(vec![]));
        bench.check("none of its sets", &nurse, records(ROSTER, None, 9), Rows::Records(vec![]));
        bench.reopen();
    }
    bench.write(&juliet, vec![append(6, "afresh")]);
}

fn ordering(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    let sets = (1..=50)
        .map(|n| {
            let writes = vec![append(n, &n.to_string()), put(ROSTER, "a", &n.to_string(), Expect::Any)];
            set(&romeo, writes)
        })
        .collect();
    assert_eq!(bench.commit(sets), []);
    bench.reopen();
    bench.check("the last one stands", &romeo, record(ROSTER, "a"), is_record("a", 50, "50"));
    bench.check("and the last entry", &romeo, before(None, 1), is_log(&[(50, "50")]));
}

fn seeing(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    let refused = bench.commit(vec![
        set(&romeo, vec![put(ROSTER, "a", "1", Expect::Absent), append(1, "1")]),
        set(&romeo, vec![put(ROSTER, "a", "2", Expect::Version(1)), amend(1, "2")]),
        set(&romeo, vec![delete(ROSTER, "a"), put(ROSTER, "a", "3", Expect::Absent), remove(1)]),
        set(&romeo, vec![put(ROSTER, "a", "4", Expect::Version(1)), append(2, "2"), remove(1)]),
    ]);
    assert_eq!(refused, []);
    bench.check("put twice since", &romeo, record(ROSTER, "a"), is_record("a", 2, "4"));
    bench.check("gone", &romeo, after(0, 9), is_log(&[(2, "2")]));
}

fn alike(bench: &mut Bench) {
    let addresses = ["a.org", "a@a.org", "a@a.orga", "aa@a.org", "a@aa.org"];
    for (n, address) in addresses.iter().enumerate() {
        let n = n as u64 + 1;
        let writes = vec![put(ROSTER, "k", address, Expect::Absent), append(n, address)];
        bench.write(&user(address), writes);
    }
    for (n, address) in addresses.iter().enumerate() {
        let (owner, n) = (user(address), n as u64 + 1);
        bench.check("records", &owner, records(ROSTER, None, 9), Rows::Records(vec![row("k", 1, address)]));
        bench.check("forward", &owner, after(0, 9), is_log(&[(n, address)]));
        bench.check("backward", &owner, before(None, 9), is_log(&[(n, address)]));
        bench.check("tail", &owner, Query::Tail, is_tail(n));
    }
    bench.write(&user("a@a.org"), vec![Write::Erase]);
    for address in ["a.org", "a@a.orga", "aa@a.org", "a@aa.org"] {
        bench.check("not erased", &user(address), record(ROSTER, "k"), is_record("k", 1, address));
    }
}

fn any_bytes(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    let all: Bytes = (0..=255).cycle().take(300_000).collect::<Vec<u8>>().into();
    let append = Append { id: LogId(1), value: all.clone() };
    let put = Write::Put { collection: ROSTER, key: "k".into(), value: all.clone(), expect: Expect::Any };
    bench.write(&romeo, vec![Write::Append(append), put]);
    bench.reopen();
    let log = Rows::Log(vec![LogRow { id: LogId(1), value: all.clone() }]);
    bench.check("log", &romeo, after(0, 1), log);
    match bench.ask(&romeo, record(ROSTER, "k")) {
        Rows::Record(Some(record)) => assert_eq!(record.value, all),
        rows => panic!("{}: {rows:?}", bench.name),
    }
}

fn long_names(bench: &mut Bench) {
    let (romeo, juliet) = (user("romeo@example.org"), user("juliet@example.org"));
    let long = "x".repeat(KEY_BYTES_MAX);
    for write in [
        put(ROSTER, &long, "", Expect::Any),
        delete(ROSTER, &long),
        put(Collection("a\0b"), "", "", Expect::Any),
        append(LOG_ID_MAX + 1, ""),
    ] {
        let refused = bench.commit(vec![set(&romeo, vec![write]), set(&juliet, vec![delete(ROSTER, "a")])]);
        assert!(
            matches!(&refused[..], [(owner, CommitError::Store(_))] if *owner == romeo),
            "{}: {refused:?}",
            bench.name
        );
    }
    assert_eq!(bench.backend().failure(), None);
    let fits = "x".repeat(KEY_BYTES_MAX / 2);
    bench.write(&romeo, vec![put(ROSTER, &fits, "v", Expect::Any)]);
    bench.check("a long name", &romeo, record(ROSTER, &fits), is_record(&fits, 1, "v"));
    // Engines whose keys are shorter tell them apart all the same.
    let alike = ["a", "b"].map(|end| format!("{}{end}", "y".repeat(KEY_BYTES_MAX / 4)));
    bench.write(&romeo, alike.iter().map(|name| put(ROSTER, name, "v", Expect::Absent)).collect());
    for name in &alike {
        bench.check("names that begin alike", &romeo, record(ROSTER, name), is_record(name, 1, "v"));
    }
    bench.check("one that is not there", &romeo, record(ROSTER, &alike[0][1..]), Rows::Record(None));
    bench.check("an impossible question", &romeo, record(ROSTER, &long), Rows::Record(None));
}

fn living_readers(bench: &mut Bench) {
    let romeo = user("romeo@example.org");
    let reader = bench.backend().reader();
    for id in 1..=3 {
        bench.write(&romeo, vec![append(id, "x")]);
        let rows = reader.query(&romeo, &[Query::Tail, before(None, 1)]);
        assert_eq!(rows, [is_tail(id), is_log(&[(id, "x")])], "{}", bench.name);
    }
}
