//! The lane's thread and the readers, over a backend whose commits are let through one by one.

use crate::engines::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use stentor_engine::{Batch, CommitError, Expect, Key, Query, Refused, Rows, WriteSet};
use stentor_store::limits::SETS_WAITING_MAX;
use stentor_store::{
    Backend, Committed, Completion, Config, Engine, Fault, MemoryBackend, OwnedRow, Question, Reader,
    Refusal, Store,
};

/// Tells of each batch, and waits to be told what to do.
struct Gated {
    memory: MemoryBackend,
    failure: Option<String>,
    begun: Sender<usize>,
    go: Receiver<Go>,
}

enum Go {
    Commit,
    Fail,
    Panic,
}

impl Backend for Gated {
    fn commit(&mut self, batch: &Batch) -> Vec<Refusal> {
        self.begun.send(batch.sets.len()).unwrap();
        match self.go.recv().unwrap() {
            Go::Commit => self.memory.commit(batch),
            Go::Fail => {
                self.failure = Some("disk".to_owned());
                let error = CommitError::Store("disk".to_owned());
                batch.sets.iter().map(|set| (set.owner.clone(), error.clone())).collect()
            }
            Go::Panic => panic!("as planned"),
        }
    }
    fn reader(&self) -> Box<dyn Reader> {
        self.memory.reader()
    }
    fn failure(&self) -> Option<String> {
        self.failure.clone()
    }
    fn restore(&mut self, rows: Vec<OwnedRow>) -> Result<(), Fault> {
        self.memory.restore(rows)
    }
}

#[derive(Debug, PartialEq)]
enum Heard {
    Committed(Vec<(Key, u64, bool)>),
    Room,
}

struct Ear(Mutex<Sender<Heard>>);

impl Completion for Ear {
    fn committed(&self, results: Vec<Committed>) {
        let results = results.into_iter().map(|set| (set.owner, set.ticket, set.result.is_ok())).collect();
        self.0.lock().unwrap().send(Heard::Committed(results)).unwrap();
    }
    fn room(&self) {
        self.0.lock().unwrap().send(Heard::Room).unwrap();
    }
}

fn listen(store: &Store, arbiter: u16) -> Receiver<Heard> {
    let (heard, ear) = channel();
    store.register(arbiter, Arc::new(Ear(Mutex::new(heard))));
    ear
}

fn gated() -> (Store, Receiver<usize>, Sender<Go>) {
    let ((begun, begins), (go, goes)) = (channel(), channel());
    let backend = Gated { memory: MemoryBackend::new(), failure: None, begun, go: goes };
    (Store::over(Box::new(backend)).unwrap(), begins, go)
}

fn numbered(owner: &Key, ticket: u64) -> WriteSet {
    WriteSet { ticket, ..set(owner, vec![append(ticket, "x")]) }
}

fn ask(store: &Store, owner: &Key, queries: Vec<Query>) -> Vec<Rows> {
    let (answer, answered) = channel();
    let reply = Box::new(move |rows| answer.send(rows).unwrap());
    let question = Question { arbiter: 0, owner: owner.clone(), queries, reply };
    assert!(store.query(question).is_ok());
    answered.recv().unwrap()
}

#[test]
fn a_batch_is_what_came_while_the_one_before_was_under_way() {
    let (store, begins, go) = gated();
    let (first, second) = (listen(&store, 0), listen(&store, 3));
    let (romeo, juliet) = (user("romeo@example.org"), user("juliet@example.org"));
    store.write(0, numbered(&romeo, 1)).unwrap();
    assert_eq!(begins.recv(), Ok(1));
    for ticket in 2..=4 {
        store.write(0, numbered(&romeo, ticket)).unwrap();
    }
    store.write(3, numbered(&juliet, 1)).unwrap();
    go.send(Go::Commit).unwrap();
    assert_eq!(first.recv(), Ok(Heard::Committed(vec![(romeo.clone(), 1, true)])));
    assert_eq!(begins.recv(), Ok(4));
    assert_eq!(ask(&store, &romeo, vec![Query::Tail]), [is_tail(1)], "not what is under way");
    go.send(Go::Commit).unwrap();
    // One message for each arbiter.
    let results = (2..=4).map(|ticket| (romeo.clone(), ticket, true)).collect();
    assert_eq!(first.recv(), Ok(Heard::Committed(results)));
    assert_eq!(second.recv(), Ok(Heard::Committed(vec![(juliet.clone(), 1, true)])));
    assert_eq!(ask(&store, &romeo, vec![Query::Tail, before(None, 1)]), [is_tail(4), is_log(&[(4, "x")])]);
    store.close();
    assert!(first.try_recv().is_err());
}

#[test]
fn a_refused_owner_has_every_set_answered_and_may_come_again() {
    let (store, begins, go) = gated();
    let heard = listen(&store, 0);
    let (romeo, juliet) = (user("romeo@example.org"), user("juliet@example.org"));
    store.write(0, WriteSet { ticket: 1, ..set(&romeo, vec![append(0, "conflict")]) }).unwrap();
    begins.recv().unwrap();
    store.write(0, numbered(&romeo, 2)).unwrap();
    store.write(0, numbered(&juliet, 1)).unwrap();
    go.send(Go::Commit).unwrap();
    assert_eq!(heard.recv(), Ok(Heard::Committed(vec![(romeo.clone(), 1, false)])));
    go.send(Go::Commit).unwrap();
    let results = vec![(romeo.clone(), 2, false), (juliet, 1, true)];
    assert_eq!(heard.recv(), Ok(Heard::Committed(results)));
    store.write(0, numbered(&romeo, 3)).unwrap();
    assert_eq!(heard.recv(), Ok(Heard::Committed(vec![(romeo.clone(), 3, false)])));
    store.write(0, numbered(&romeo, 1)).unwrap();
    go.send(Go::Commit).unwrap();
    assert_eq!(heard.recv(), Ok(Heard::Committed(vec![(romeo, 1, true)])));
    store.close();
}

#[test]
fn a_full_queue_gives_back_and_tells_when_there_is_room() {
    let (store, begins, go) = gated();
    let (heard, other) = (listen(&store, 0), listen(&store, 1));
    let romeo = user("romeo@example.org");
    store.write(0, numbered(&romeo, 1)).unwrap();
    begins.recv().unwrap();
    let mut taken = 1;
    let given_back = loop {
        match store.write(0, numbered(&romeo, taken + 1)) {
            Ok(()) => taken += 1,
            Err(given_back) => break given_back,
        }
    };
    assert_eq!(given_back, (Refused::Full, numbered(&romeo, taken + 1)));
    assert_eq!(taken, SETS_WAITING_MAX as u64 + 1);
    assert_eq!(store.waiting(), (SETS_WAITING_MAX, 0));
    go.send(Go::Commit).unwrap();
    assert!(matches!(heard.recv(), Ok(Heard::Committed(_))));
    assert_eq!(heard.recv(), Ok(Heard::Room));
    store.write(0, given_back.1).unwrap();
    assert!(other.try_recv().is_err(), "it was not refused");
    drop(begins);
    drop(go);
    drop(store);
}

#[test]
fn closing_commits_what_was_taken() {
    let (store, begins, go) = gated();
    let heard = listen(&store, 0);
    let romeo = user("romeo@example.org");
    store.write(0, numbered(&romeo, 1)).unwrap();
    begins.recv().unwrap();
    store.write(0, numbered(&romeo, 2)).unwrap();
    let closing = std::thread::spawn({
        let store = store.clone();
        move || store.close()
    });
    let nurse = user("nurse@example.org");
    let mut batches = 2;
    while store.write(0, numbered(&nurse, 1)).is_ok() {
        batches += 1;
        std::thread::yield_now();
    }
    // At most one for each set; the writer has ended before it needs them all.
    for _ in 0..batches {
        let _ = go.send(Go::Commit);
    }
    closing.join().unwrap();
    assert_eq!(heard.recv(), Ok(Heard::Committed(vec![(romeo.clone(), 1, true)])));
    match heard.recv() {
        Ok(Heard::Committed(results)) => assert_eq!(results[0], (romeo.clone(), 2, true)),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.write(0, numbered(&romeo, 3)), Err((Refused::Closed, numbered(&romeo, 3))));
}

#[test]
fn an_engine_that_fails_or_panics_refuses_every_set() {
    for (how, reason) in [(Go::Fail, "disk"), (Go::Panic, "the engine panicked")] {
        let (store, _begins, go) = gated();
        assert_eq!(store.failure(), None);
        let heard = listen(&store, 0);
        let romeo = user("romeo@example.org");
        store.write(0, numbered(&romeo, 1)).unwrap();
        go.send(how).unwrap();
        assert_eq!(heard.recv(), Ok(Heard::Committed(vec![(romeo.clone(), 1, false)])));
        assert_eq!(store.failure().as_deref(), Some(reason));
        drop(go);
        store.write(0, numbered(&romeo, 2)).unwrap();
        assert_eq!(heard.recv(), Ok(Heard::Committed(vec![(romeo, 2, false)])));
        store.close();
    }
}

#[test]
fn an_export_while_in_use_is_of_one_state() {
    for engine in [Engine::Memory, Engine::Fjall, Engine::Sled] {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&Config::new(engine, directory.path())).unwrap();
        let heard = listen(&store, 0);
        let owners = [user("a@example.org"), user("b@example.org"), user("z@example.org")];
        // Every batch adds to all of them alike.
        let writing = std::thread::spawn({
            let (store, owners) = (store.clone(), owners.clone());
            move || {
                for ticket in 1..=200 {
                    let value = ticket.to_string();
                    let writes = vec![append(ticket, &value), put(ROSTER, "n", &value, Expect::Any)];
                    for owner in &owners {
                        store.write(0, WriteSet { ticket, ..set(owner, writes.clone()) }).unwrap();
                    }
                }
            }
        });
        for _ in 0..5 {
            let mut text = Vec::new();
            store.export(&mut text).unwrap();
            let mut copy = MemoryBackend::new();
            stentor_store::restore(&mut copy, &text[..]).unwrap();
            for owner in &owners {
                let rows = copy.reader().query(owner, &[Query::Tail, record(ROSTER, "n")]);
                match &rows[..] {
                    [Rows::Tail(tail), Rows::Record(Some(record))] => {
                        assert_eq!(record.value, tail.0.to_string(), "{}", engine.name());
                        assert_eq!(record.version, tail.0, "{}", engine.name());
                    }
                    rows => assert_eq!(rows, [is_tail(0), Rows::Record(None)], "{}", engine.name()),
                }
            }
        }
        writing.join().unwrap();
        let mut left = 600;
        while left > 0 {
            match heard.recv().unwrap() {
                Heard::Committed(results) => left -= results.iter().filter(|(_, _, is_ok)| *is_ok).count(),
                Heard::Room => {}
            }
        }
        assert_eq!(ask(&store, &owners[0], vec![Query::Tail]), [is_tail(200)]);
        store.close();
    }
}
