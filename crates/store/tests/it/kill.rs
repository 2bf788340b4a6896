//! Killed under load at any moment, an engine opens again with all that was acknowledged, and whole sets.
//!
//! This shows crashes of the process; the page cache survives those. What a power cut leaves rests on the `fdatasync`
//! that ends every commit.

use crate::engines::*;
use crate::postgres::Server;
use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use stentor_engine::{CommitError, Expect, Key, LogId, Query, Rows, WriteSet};
use stentor_store::postgres::{Postgres, PostgresConfig};
use stentor_store::{Backend, Committed, Completion, Config, Engine, Reader, Store, open_backend};

/// A directory, or a URL.
const PLACE: &str = "STENTOR_STORE_KILL_PLACE";
const ENGINE: &str = "STENTOR_STORE_KILL_ENGINE";
const OWNERS: u64 = 7;
const ROUNDS: u64 = 8;

fn open(engine: &str, place: &str) -> Box<dyn Backend> {
    let engine = match engine {
        "fjall" => Engine::Fjall,
        "sled" => Engine::Sled,
        _ => return Postgres::open(&PostgresConfig::new(place)).unwrap().alone().unwrap(),
    };
    open_backend(&Config::new(engine, place)).unwrap()
}

fn owner(n: u64) -> Key {
    user(&format!("u{}@example.org", n % OWNERS))
}

/// The n-th set of an owner: rows of every kind that must appear together.
fn nth(n: u64, ticket: u64) -> WriteSet {
    let id = n / OWNERS + 1;
    let value = format!("{id}:{}", "x".repeat((n % 900) as usize));
    let mut writes = vec![append(id, &value), put(ROSTER, "n", &id.to_string(), Expect::Any)];
    if id.is_multiple_of(3) {
        writes.push(remove(id - 1));
    }
    WriteSet { ticket, ..set(&owner(n), writes) }
}

/// Prints what is durable, as it is told.
struct Printer;

impl Completion for Printer {
    fn committed(&self, results: Vec<Committed>) {
        let mut out = std::io::stdout().lock();
        for Committed { owner, ticket, result, .. } in results {
            assert_eq!(result, Ok::<(), CommitError>(()));
            writeln!(out, "ack {} {ticket}", owner.jid()).unwrap();
        }
        out.flush().unwrap();
    }
    fn room(&self) {}
}

/// Not a test of its own: the process that is killed. Does nothing unless it was started by [`survives`].
#[test]
fn child() {
    let (Ok(place), Ok(engine)) = (env::var(PLACE), env::var(ENGINE)) else { return };
    let store = Store::over(open(&engine, &place)).unwrap();
    store.register(0, Arc::new(Printer));
    // The test's own name stands on this line.
    println!();
    // Every owner goes on from its own tail; tickets are log ids here.
    let tails: Vec<u64> = (0..OWNERS).map(|n| tail(&store, &owner(n))).collect();
    let mut n = 0;
    loop {
        for (of, tail) in tails.iter().enumerate() {
            let id = tail + n;
            let mut set = nth(id * OWNERS + of as u64, id + 1);
            while let Err((_, given_back)) = store.write(0, set) {
                set = given_back;
                std::thread::yield_now();
            }
        }
        n += 1;
    }
}

fn tail(store: &Store, owner: &Key) -> u64 {
    let (answer, answered) = std::sync::mpsc::channel();
    let reply = Box::new(move |rows: Vec<Rows>| answer.send(rows).unwrap());
    let queries = vec![Query::Tail];
    let question = stentor_store::Question { arbiter: 0, owner: owner.clone(), queries, reply };
    assert!(store.query(question).is_ok());
    match answered.recv().unwrap()[..] {
        [Rows::Tail(LogId(id))] => id,
        ref rows => panic!("{rows:?}"),
    }
}

#[test]
fn fjall_survives() {
    survives("fjall", tempfile::tempdir().unwrap().path().to_str().unwrap());
}

#[test]
fn sled_survives() {
    survives("sled", tempfile::tempdir().unwrap().path().to_str().unwrap());
}

#[test]
fn postgres_survives() {
    let Some(server) = Server::shared() else { return };
    survives("postgres", &server.url);
}

fn survives(engine: &str, place: &str) {
    let mut acknowledged = BTreeMap::new();
    for round in 0..ROUNDS {
        // A moment that differs each round: after so many acknowledgements.
        let lines = if round == 0 { 0 } else { 37 * round * round + 11 };
        run_and_kill(engine, place, lines, &mut acknowledged);
        let backend = open(engine, place);
        let reader = backend.reader();
        for n in 0..OWNERS {
            let least = acknowledged.get(&owner(n).jid().to_string()).copied().unwrap_or(0);
            check_whole(engine, &*reader, n, least);
        }
    }
    assert_eq!(acknowledged.len() as u64, OWNERS, "every owner was acknowledged");
}

fn run_and_kill(engine: &str, place: &str, lines: u64, acknowledged: &mut BTreeMap<String, u64>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(PLACE, place)
        .env(ENGINE, engine)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = 0;
    let mut is_killed = false;
    // What it had printed when it was killed counts as well.
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if seen >= lines && !is_killed {
            child.kill().unwrap();
            is_killed = true;
        }
        let line = line.unwrap();
        let Some(ack) = line.strip_prefix("ack ") else { continue };
        // The last line may have been cut.
        let Some((owner, Ok(ticket))) = ack.split_once(' ').map(|(owner, ticket)| (owner, ticket.parse()))
        else {
            continue;
        };
        let known = acknowledged.entry(owner.to_owned()).or_insert(0);
        *known = (*known).max(ticket);
        seen += 1;
    }
    assert!(is_killed, "it ended by itself");
    child.wait().unwrap();
}

/// The log of an owner is exactly that of its first sets, at least those acknowledged.
fn check_whole(name: &str, reader: &dyn Reader, n: u64, least: u64) {
    let owner = owner(n);
    let queries = [Query::Tail, after(0, u32::MAX), record(ROSTER, "n")];
    let rows = reader.query(&owner, &queries);
    let [Rows::Tail(LogId(tail)), Rows::Log(log), Rows::Record(record)] = &rows[..] else {
        panic!("{name}: {rows:?}")
    };
    assert!(*tail >= least, "{name}: {owner:?}: {least} was acknowledged, {tail} is there");
    if *tail == 0 {
        assert!(log.is_empty() && record.is_none());
        return;
    }
    let expected: Vec<u64> = (1..=*tail).filter(|id| !((id + 1).is_multiple_of(3) && id < tail)).collect();
    let found: Vec<u64> = log.iter().map(|row| row.id.0).collect();
    assert_eq!(found, expected, "{name}: {owner:?}");
    for row in log {
        assert!(row.value.starts_with(format!("{}:", row.id.0).as_bytes()));
    }
    let record = record.as_ref().unwrap();
    assert_eq!((record.version, &record.value[..]), (*tail, tail.to_string().as_bytes()));
}
