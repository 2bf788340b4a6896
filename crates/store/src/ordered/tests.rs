//! What the engines are seldom seen to do: fail, and give rows that nobody wrote.

use super::{Changes, Order, Ordered, Span, Table, View, Visit};
use crate::backend::{Backend, Fault, Having};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use stentor_engine::{
    Append, Batch, Collection, CommitError, Epoch, Expect, Key, LogId, Query, Rows, Write, WriteSet,
};
use stentor_xmpp::BareJid;

#[derive(Clone, Default)]
struct Map {
    rows: Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>,
    /// Counts down the commits that succeed, if set.
    fails_after: Arc<Mutex<Option<u32>>>,
    commits: Arc<Mutex<u32>>,
}

impl Table for Map {
    type View<'a> = BTreeMap<Vec<u8>, Vec<u8>>;

    fn view(&self) -> Self::View<'_> {
        self.rows.lock().unwrap().clone()
    }

    /// As an fsync that fails: what was written can be seen all the same.
    fn apply(&self, changes: Changes) -> Result<(), Fault> {
        *self.commits.lock().unwrap() += 1;
        let mut rows = self.rows.lock().unwrap();
        for (key, value) in changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        match &mut *self.fails_after.lock().unwrap() {
            Some(0) => Err(Fault::Engine("fsync: EIO".to_owned())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl View for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(Self::get(self, key).cloned())
    }

    fn scan(&self, span: Span<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Fault> {
        let mut range = self.range::<[u8], _>(span);
        while let Some((key, value)) = if order == Order::Up { range.next() } else { range.next_back() } {
            if let ControlFlow::Break(()) = visit(key, value)? {
                break;
            }
        }
        Ok(())
    }
}

const COLLECTION: Collection = Collection("c");

fn user(address: &str) -> Key {
    Key::User(BareJid::parse(address).unwrap())
}

fn batch(owners: &[&str], id: u64) -> Batch {
    let set = |owner: &&str| {
        let value = "value".into();
        let put = Write::Put { collection: COLLECTION, key: "r".into(), value, expect: Expect::Any };
        let append = Write::Append(Append { id: LogId(id), value: "value".into() });
        WriteSet { owner: user(owner), epoch: Epoch(1), ticket: id, writes: vec![put, append] }
    };
    Batch { number: id, sets: owners.iter().map(set).collect() }
}

fn questions() -> Vec<Query> {
    vec![
        Query::Record { collection: COLLECTION, key: "r".into() },
        Query::Records { collection: COLLECTION, after: None, limit: 9 },
        Query::LogAfter { after: LogId(0), limit: 9 },
        Query::LogBefore { before: None, limit: 9 },
        Query::Tail,
    ]
}

/// A sync that failed once is never tried again and called good.
#[test]
fn after_a_failure_nothing_is_committed_or_answered_until_opened_anew() {
    let table = Map { fails_after: Arc::new(Mutex::new(Some(1))), ..Map::default() };
    let mut backend = Ordered::new(table.clone());
    let reader = backend.reader();
    assert_eq!(backend.commit(&batch(&["a@x.org"], 1)), []);
    let error = CommitError::Store("fsync: EIO".to_owned());
    let mut refused = backend.commit(&batch(&["a@x.org", "b@x.org"], 2));
    refused.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(refused, [(user("a@x.org"), error.clone()), (user("b@x.org"), error.clone())]);
    assert_eq!(backend.failure(), Some("fsync: EIO".to_owned()));

    // The disk is well again; what it took or not is unknown.
    *table.fails_after.lock().unwrap() = None;
    assert_eq!(backend.commit(&batch(&["c@x.org"], 1)), [(user("c@x.org"), error)]);
    assert_eq!(*table.commits.lock().unwrap(), 2, "the engine was not asked again");
    for rows in reader.query(&user("a@x.org"), &questions()) {
        assert_eq!(rows, Rows::Failed("fsync: EIO".to_owned()));
    }
    assert_eq!(reader.rows(&mut |_| true), Err(Fault::Engine("fsync: EIO".to_owned())));
    assert_eq!(reader.owners(None, 9, Having::Entry), Err(Fault::Engine("fsync: EIO".to_owned())));

    let mut reopened = Ordered::new(table);
    assert_eq!(reopened.commit(&batch(&["c@x.org"], 1)), []);
}

/// Any row may be damaged: the answer says so, the owner is refused, the others go on, and nothing panics.
#[test]
fn a_damaged_row_is_a_fault_of_its_owner_alone() {
    let table = Map::default();
    Ordered::new(table.clone()).commit(&batch(&["a@x.org", "b@x.org"], 1));
    let whole = table.view();
    let mut seen = 0;
    for (key, value) in whole.iter().filter(|(key, _)| key.starts_with(b"ua@x.org")) {
        for damaged in damages(value) {
            // The value itself is guarded by the engine's checksums alone.
            let framing = value.len() - if value.ends_with(b"value") { 5 } else { 0 };
            let is_readable = damaged.len() >= framing && damaged[0] == value[0];
            *table.rows.lock().unwrap() = whole.clone();
            table.rows.lock().unwrap().insert(key.clone(), damaged);
            let mut backend = Ordered::new(table.clone());
            let answers = backend.reader().query(&user("a@x.org"), &questions());
            let failed = answers.iter().filter(|rows| matches!(rows, Rows::Failed(_))).count();
            if !is_readable {
                assert!(failed > 0, "{key:?}");
                seen += 1;
            }
            for rows in backend.reader().query(&user("b@x.org"), &questions()) {
                assert!(!matches!(rows, Rows::Failed(_)));
            }
            let _ = backend.reader().rows(&mut |_| true);
            let _ = backend.reader().owners(None, 9, Having::Entry);
            let refused = backend.commit(&batch(&["a@x.org", "b@x.org"], 2));
            assert!(refused.iter().all(|(owner, _)| *owner == user("a@x.org")), "{refused:?}");
            assert_eq!(backend.failure(), None);
        }
    }
    assert!(seen > 20, "{seen}");
}

/// Cut at every byte, and every byte changed.
fn damages(value: &[u8]) -> Vec<Vec<u8>> {
    let cut = (0..value.len()).map(|end| value[..end].to_vec());
    let changed = (0..value.len()).flat_map(|at| {
        [1, 0x80, 0xff].map(|bits| {
            let mut changed = value.to_vec();
            changed[at] ^= bits;
            changed
        })
    });
    cut.chain(changed).filter(|damaged| damaged != value).collect()
}

/// Keys that nobody wrote end an export, and do not panic.
#[test]
fn a_strange_key_is_a_fault() {
    for key in ["", "u", "\0", "\0\0", "ua\0", "ua\0l", "ua\0l1234567", "ua\0x", "ua\0tt", "ua\0rc"] {
        let table = Map::default();
        table.rows.lock().unwrap().insert(key.into(), vec![1, 0, 0, 0, 0, 0, 0, 0, 0]);
        let answer = Ordered::new(table).reader().rows(&mut |_| true);
        assert!(matches!(answer, Err(Fault::Corrupt(_))), "{key:?}: {answer:?}");
    }
}

/// What an owner has beside what is asked for costs nothing: a row that would be a fault is not read.
#[test]
fn listing_owners_skips_their_rows() {
    let table = Map::default();
    let mut backend = Ordered::new(table.clone());
    backend.commit(&batch(&["a@x.org", "b@x.org", "c@x.org"], 1));
    table.rows.lock().unwrap().insert("ub@x.org\0x".into(), vec![]);
    let reader = backend.reader();
    assert!(reader.rows(&mut |_| true).is_err());
    for having in [Having::Entry, Having::Record(COLLECTION)] {
        let owners = reader.owners(None, 9, having).unwrap();
        let owners: Vec<&str> = owners.iter().map(|owner| &*owner.address).collect();
        assert_eq!(owners, ["a@x.org", "b@x.org", "c@x.org"]);
    }
}
