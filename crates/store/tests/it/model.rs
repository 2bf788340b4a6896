//! Any sequence of batches leaves every engine with what the maps in memory have, also after it is opened again.

use crate::engines::*;
use crate::postgres::Server;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stentor_engine::{Batch, Collection, Expect, Key, Query, Write, WriteSet};
use stentor_store::{Engine, Having, Memory, OwnedRow, Owner, Row};

const OWNERS: [&str; 4] = ["a@b.org", "a@b.orga", "b.org", "aa@b.org"];
const COLLECTIONS: [Collection; 2] = [Collection("c"), Collection("cc")];
const NAMES: [&str; 5] = ["", "a", "aa", "a\0", "b"];
const CASES: u32 = 16;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(usize, Vec<Change>)>),
    Reopen,
}

/// Ids are near the tail, so that most appends are taken and amendments find something.
#[derive(Clone, Debug)]
enum Change {
    Put(usize, usize, String, Expected),
    Delete(usize, usize),
    Append(i8, String),
    Amend(u8, Option<String>),
    Erase,
}

#[derive(Clone, Debug)]
enum Expected {
    Any,
    Absent,
    Version(u64),
}

fn changes() -> impl Strategy<Value = Change> {
    let value = || "[a-c]{0,3}";
    let expected = prop_oneof![
        6 => Just(Expected::Any),
        1 => Just(Expected::Absent),
        2 => (0..4u64).prop_map(Expected::Version),
    ];
    prop_oneof![
        8 => (0..2usize, 0..5usize, value(), expected).prop_map(|(c, k, v, e)| Change::Put(c, k, v, e)),
        3 => (0..2usize, 0..5usize).prop_map(|(c, k)| Change::Delete(c, k)),
        12 => (prop_oneof![9 => 1..3i8, 1 => -1..1i8], value()).prop_map(|(id, v)| Change::Append(id, v)),
        8 => (0..6u8, proptest::option::of(value())).prop_map(|(id, v)| Change::Amend(id, v)),
        1 => Just(Change::Erase),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let set = (0..OWNERS.len(), vec(changes(), 1..5));
    vec(prop_oneof![12 => vec(set, 0..8).prop_map(Step::Commit), 1 => Just(Step::Reopen)], 1..40)
}

#[test]
fn fjall() {
    compare(|| Bench::new(Engine::Fjall));
}

#[test]
fn sled() {
    compare(|| Bench::new(Engine::Sled));
}

#[test]
fn postgres() {
    let Some(server) = Server::shared() else { return };
    compare(|| Bench::postgres(server));
}

fn compare(new: impl Fn() -> Bench) {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            let (mut bench, mut model) = (new(), Memory::new());
            for step in steps {
                match step {
                    Step::Reopen => bench.reopen(),
                    Step::Commit(sets) => {
                        let sets = written(&model, &sets);
                        let refused = bench.commit(sets.clone());
                        prop_assert_eq!(refused, model.commit(&Batch { number: 0, sets }));
                    }
                }
                check_answers(&mut bench, &model)?;
            }
            bench.reopen();
            check_answers(&mut bench, &model)?;
            check_rows(&mut bench, &model)?;
            check_owners(&mut bench, &model)
        })
        .unwrap();
}

fn written(model: &Memory, sets: &[(usize, Vec<Change>)]) -> Vec<WriteSet> {
    let mut tails: Vec<u64> = OWNERS.iter().map(|owner| tail(model, &user(owner))).collect();
    sets.iter()
        .map(|(owner, changes)| {
            let tail = &mut tails[*owner];
            set(&user(OWNERS[*owner]), changes.iter().map(|change| write(change, tail)).collect())
        })
        .collect()
}

fn tail(model: &Memory, owner: &Key) -> u64 {
    match model.query(owner, &Query::Tail) {
        stentor_engine::Rows::Tail(id) => id.0,
        rows => panic!("{rows:?}"),
    }
}

fn write(change: &Change, tail: &mut u64) -> Write {
    match change {
        Change::Put(collection, key, value, expected) => {
            let expect = match expected {
                Expected::Any => Expect::Any,
                Expected::Absent => Expect::Absent,
                Expected::Version(version) => Expect::Version(*version),
            };
            put(COLLECTIONS[*collection], NAMES[*key], value, expect)
        }
        Change::Delete(collection, key) => delete(COLLECTIONS[*collection], NAMES[*key]),
        Change::Append(further, value) => {
            *tail = tail.saturating_add_signed((*further).into());
            append(*tail, value)
        }
        Change::Amend(back, value) => {
            let id = tail.saturating_sub((*back).into());
            value.as_ref().map_or_else(|| remove(id), |value| amend(id, value))
        }
        Change::Erase => {
            *tail = 0;
            Write::Erase
        }
    }
}

fn check_answers(bench: &mut Bench, model: &Memory) -> Result<(), TestCaseError> {
    let mut queries = vec![Query::Tail, before(None, 3), after(2, 2), before(Some(5), 2)];
    for collection in COLLECTIONS {
        queries.extend([records(collection, None, 9), records(collection, Some("a"), 2)]);
        queries.extend(NAMES.map(|name| record(collection, name)));
    }
    let reader = bench.backend().reader();
    for owner in OWNERS.map(user) {
        let answers = reader.query(&owner, &queries);
        for (query, answer) in queries.iter().zip(answers) {
            prop_assert_eq!(answer, model.query(&owner, query), "{:?} {:?}", owner, query);
        }
    }
    Ok(())
}

/// Every row, whatever the order within an owner.
fn check_rows(bench: &mut Bench, model: &Memory) -> Result<(), TestCaseError> {
    let mut rows = Vec::new();
    let all = bench.backend().reader().rows(&mut |row| {
        rows.push(row);
        true
    });
    prop_assert_eq!(all, Ok(()));
    prop_assert_eq!(sorted(rows), sorted(model.rows().collect()));
    Ok(())
}

/// Page by page, as an export of the same rows has them.
fn check_owners(bench: &mut Bench, model: &Memory) -> Result<(), TestCaseError> {
    let reader = bench.backend().reader();
    for having in [Having::Entry, Having::Record(COLLECTIONS[0]), Having::Record(COLLECTIONS[1])] {
        let mut expected: Vec<Owner> = Vec::new();
        for OwnedRow { owner, row } in model.rows() {
            let is_had = match (&row, having) {
                (Row::Entry { .. }, Having::Entry) => true,
                (Row::Record { collection, .. }, Having::Record(wanted)) => **collection == *wanted.0,
                _ => false,
            };
            if is_had && expected.last() != Some(&owner) {
                expected.push(owner);
            }
        }
        let mut owners: Vec<Owner> = Vec::new();
        loop {
            let page = reader.owners(owners.last(), 2, having).unwrap();
            let is_last = page.len() < 2;
            owners.extend(page);
            if is_last {
                break;
            }
        }
        prop_assert_eq!(owners, expected, "{:?}", having);
    }
    Ok(())
}

fn sorted(rows: Vec<OwnedRow>) -> Vec<String> {
    let mut rows: Vec<_> = rows.into_iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}
