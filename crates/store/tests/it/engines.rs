//! The engines under test, and short ways to write down what is written and asked.

use crate::postgres::Server;
use bytes::Bytes;
use stentor_engine::{
    Append, Batch, Collection, CommitError, Epoch, Expect, Key, LogId, LogRow, Query, Record, Rows, Write,
    WriteSet,
};
use stentor_store::postgres::Postgres;
use stentor_store::{Backend, Config, Engine, MemoryBackend, open_backend};
use stentor_xmpp::BareJid;
use tempfile::TempDir;

/// An engine that can be closed and opened again.
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    stored: Stored,
    backend: Option<Box<dyn Backend>>,
    batches: u64,
}

enum Stored {
    Memory(MemoryBackend),
    Files(Config, #[expect(dead_code, reason = "it goes with this")] TempDir),
    Postgres(Box<Postgres>),
}

impl Bench {
    pub(crate) fn all() -> Vec<Self> {
        [Engine::Memory, Engine::Fjall, Engine::Sled].map(Self::new).into()
    }

    pub(crate) fn new(engine: Engine) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(engine, directory.path().join("store"));
        Self::of(
            engine.name(),
            match engine {
                Engine::Memory => Stored::Memory(MemoryBackend::new()),
                Engine::Fjall | Engine::Sled => Stored::Files(config, directory),
            },
        )
    }

    /// Tables of its own.
    pub(crate) fn postgres(server: &Server) -> Self {
        Self::of("postgres", Stored::Postgres(Box::new(Postgres::open(&server.config()).unwrap())))
    }

    fn of(name: &'static str, stored: Stored) -> Self {
        let mut bench = Self { name, stored, backend: None, batches: 0 };
        bench.reopen();
        bench
    }

    pub(crate) fn reopen(&mut self) {
        self.backend = None;
        self.backend = Some(match &self.stored {
            Stored::Memory(memory) => Box::new(memory.clone()),
            Stored::Files(config, _) => {
                open_backend(config).unwrap_or_else(|error| panic!("{}: {error}", self.name))
            }
            Stored::Postgres(postgres) => postgres.alone().unwrap(),
        });
    }

    pub(crate) fn backend(&mut self) -> &mut dyn Backend {
        &mut **self.backend.as_mut().unwrap()
    }

    /// Commits one batch; returns who was refused.
    pub(crate) fn commit(&mut self, sets: Vec<WriteSet>) -> Vec<(Key, CommitError)> {
        self.batches += 1;
        let batch = Batch { number: self.batches, sets };
        self.backend().commit(&batch)
    }

    /// Commits writes of one owner that must not be refused.
    pub(crate) fn write(&mut self, owner: &Key, writes: Vec<Write>) {
        let refused = self.commit(vec![set(owner, writes)]);
        assert_eq!(refused, [], "{}", self.name);
    }

    pub(crate) fn ask(&mut self, owner: &Key, query: Query) -> Rows {
        let mut rows = self.backend().reader().query(owner, &[query]);
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    }

    pub(crate) fn check(&mut self, what: &str, owner: &Key, query: Query, expected: Rows) {
        let answer = self.ask(owner, query.clone());
        assert_eq!(answer, expected, "{}: {what}: {query:?}", self.name);
    }
}

pub(crate) fn user(address: &str) -> Key {
    Key::User(BareJid::parse(address).unwrap())
}

pub(crate) fn set(owner: &Key, writes: Vec<Write>) -> WriteSet {
    WriteSet { owner: owner.clone(), epoch: Epoch(1), ticket: 1, writes }
}

pub(crate) const ROSTER: Collection = Collection("roster");

pub(crate) fn put(collection: Collection, key: &str, value: &str, expect: Expect) -> Write {
    Write::Put { collection, key: key.into(), value: Bytes::copy_from_slice(value.as_bytes()), expect }
}

pub(crate) fn delete(collection: Collection, key: &str) -> Write {
    Write::Delete { collection, key: key.into() }
}

pub(crate) fn append(id: u64, value: &str) -> Write {
    Write::Append(Append { id: LogId(id), value: Bytes::copy_from_slice(value.as_bytes()) })
}

pub(crate) fn amend(id: u64, value: &str) -> Write {
    let value = Some(Bytes::copy_from_slice(value.as_bytes()));
    Write::Amend { id: LogId(id), value }
}

pub(crate) fn remove(id: u64) -> Write {
    Write::Amend { id: LogId(id), value: None }
}

pub(crate) fn record(collection: Collection, key: &str) -> Query {
    Query::Record { collection, key: key.into() }
}

pub(crate) fn records(collection: Collection, after: Option<&str>, limit: u32) -> Query {
    Query::Records { collection, after: after.map(Into::into), limit }
}

pub(crate) fn after(id: u64, limit: u32) -> Query {
    Query::LogAfter { after: LogId(id), limit }
}

pub(crate) fn before(id: Option<u64>, limit: u32) -> Query {
    Query::LogBefore { before: id.map(LogId), limit }
}

pub(crate) fn is_record(key: &str, version: u64, value: &str) -> Rows {
    Rows::Record(Some(row(key, version, value)))
}

pub(crate) fn row(key: &str, version: u64, value: &str) -> Record {
    Record { key: key.into(), version, value: Bytes::copy_from_slice(value.as_bytes()) }
}

pub(crate) fn is_log(rows: &[(u64, &str)]) -> Rows {
    let row = |(id, value): &(u64, &str)| LogRow {
        id: LogId(*id),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    Rows::Log(rows.iter().map(row).collect())
}

pub(crate) fn is_tail(id: u64) -> Rows {
    Rows::Tail(LogId(id))
}
