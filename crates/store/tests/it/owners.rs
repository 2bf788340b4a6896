//! Owners by what they have: a case of the conformance suite.

use crate::engines::*;
use stentor_engine::{Collection, Expect, Write};
use stentor_store::limits::LOG_ID_MAX;
use stentor_store::{Having, Owner};

pub(crate) fn cases(bench: &mut Bench) {
    listing(bench);
    by_slot(bench);
}

fn listing(bench: &mut Bench) {
    let roster = || put(ROSTER, "x", "v", Expect::Any);
    for (owner, writes) in [
        ("b.org", vec![append(1, "v")]),
        ("a@b.org", vec![append(1, "v"), append(2, "v"), roster()]),
        ("a@b.orga", vec![put(Collection("rosterx"), "x", "v", Expect::Any), append(LOG_ID_MAX, "v")]),
        // An entry and a record that are gone.
        ("aa@b.org", vec![append(1, "v"), remove(1), roster(), delete(ROSTER, "x")]),
        ("é@b.org", vec![put(ROSTER, "", "", Expect::Any)]),
        ("gone@b.org", vec![roster(), append(1, "v"), Write::Erase]),
    ] {
        bench.write(&user(owner), writes);
    }
    let (record, entry) = (Having::Record(ROSTER), Having::Entry);
    for (after, limit, having, expected) in [
        (None, 9, record, &["a@b.org", "é@b.org"][..]),
        (None, 9, entry, &["a@b.org", "a@b.orga", "b.org"]),
        (None, 9, Having::Record(Collection("rosterx")), &["a@b.orga"]),
        (None, 9, Having::Record(Collection("roste")), &[]),
        (None, 0, entry, &[]),
        (None, 1, entry, &["a@b.org"]),
        (None, 1, record, &["a@b.org"]),
        (Some("a@b.org"), 1, entry, &["a@b.orga"]),
        (Some("a@b.org"), 9, record, &["é@b.org"]),
        (Some("a@b.orgA"), 2, entry, &["a@b.orga", "b.org"]),
        (Some("é@b.org"), 9, record, &[]),
    ] {
        let after = after.map(|after| Owner { kind: b'u', address: after.into() });
        let owners = bench.backend().reader().owners(after.as_ref(), limit, having).unwrap();
        let owners: Vec<&str> = owners.iter().map(|owner| &*owner.address).collect();
        assert_eq!(owners, expected, "{}: {after:?} {limit} {having:?}", bench.name);
        bench.reopen();
    }
}

fn by_slot(bench: &mut Bench) {
    let owners: Vec<String> = (0..40).map(|n| format!("u{n:02}@example.net")).collect();
    for owner in &owners {
        bench.write(&user(owner), vec![append(1, "v")]);
    }
    bench.write(&user("none@example.org"), vec![put(ROSTER, "x", "v", Expect::Any)]);
    bench.reopen();
    let slots: Vec<_> = owners.iter().step_by(2).map(|owner| user(owner).slot()).collect();
    let all: Vec<_> = owners.iter().filter(|owner| slots.contains(&user(owner).slot())).collect();
    for (slots, after, limit, having, expected) in [
        (&slots[..], None, 99, Having::Entry, &all[..]),
        (&slots, None, 3, Having::Entry, &all[..3]),
        (&slots, Some(all[2]), 3, Having::Entry, &all[3..6]),
        (&slots, Some(all[all.len() - 1]), 3, Having::Entry, &[]),
        (&slots, None, 0, Having::Entry, &[]),
        (&[], None, 9, Having::Entry, &[]),
        (&slots, None, 9, Having::Record(ROSTER), &[]),
    ] {
        let after = after.map(|after| Owner { kind: b'u', address: after.as_str().into() });
        let owners = bench.backend().reader().owners_of(slots, after.as_ref(), limit, having).unwrap();
        let owners: Vec<&str> = owners.iter().map(|owner| &*owner.address).collect();
        assert_eq!(owners, expected, "{}: {after:?} {limit} {having:?}", bench.name);
    }
}
