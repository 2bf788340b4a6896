//! All rows of one state, through cursors of one transaction, each in the order of owners.

use super::config::Target;
use super::names;
use super::session::{Purpose, Session, Trouble, outside};
use crate::backend::Fault;
use crate::row::{OwnedRow, Row};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use stentor_engine::LogId;
use tokio_postgres::types::FromSql;

/// Rows that are fetched at once: few, for a value may be long.
const FETCHED: &str = "64";

const OWNERS: &str = "SELECT owner, name, tail FROM owners ORDER BY owner";
const ENTRIES: &str = "SELECT owner, id, value FROM log ORDER BY owner, id";
const RECORDS: &str = "SELECT owner, collection, coalesce(long_key, key), version, value FROM records \
                       ORDER BY owner, collection, key";

struct Cursor {
    name: &'static str,
    waiting: VecDeque<tokio_postgres::Row>,
    is_ended: bool,
}

/// See [`crate::Reader::rows`].
pub(super) fn rows(target: &Arc<Target>, each: &mut dyn FnMut(OwnedRow) -> bool) -> Result<(), Fault> {
    let io = |error: std::io::Error| Fault::Engine(error.to_string());
    let mut session = Session::new(Arc::clone(target), Purpose::Reader).map_err(io)?;
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
         DECLARE owners_all CURSOR FOR {OWNERS}; DECLARE entries_all CURSOR FOR {ENTRIES}; \
         DECLARE records_all CURSOR FOR {RECORDS}"
    );
    outside(|| session.retry(target.patience, async |live| live.client.batch_execute(&begin).await))
        .map_err(fault)?;
    let [mut owners, mut entries, mut records] =
        ["owners_all", "entries_all", "records_all"].map(Cursor::new);
    while let Some(row) = owners.next(&mut session, target)? {
        let stored: Vec<u8> = get(&row, 0)?;
        let owner = names::parsed(get(&row, 1)?).ok_or(Fault::Corrupt("the name of an owner"))?;
        let mut give = |row: Row| each(OwnedRow { owner: owner.clone(), row });
        while let Some(row) = entries.next_of(&stored, &mut session, target)? {
            if !give(Row::Entry { id: id(&row, 1)?, value: value(&row, 2)? }) {
                return Ok(());
            }
        }
        while let Some(row) = records.next_of(&stored, &mut session, target)? {
            let (collection, key) = (text(get(&row, 1)?), text(get(&row, 2)?));
            let version = get::<i64>(&row, 3)?.unsigned_abs();
            if !give(Row::Record { collection, key, version, value: value(&row, 4)? }) {
                return Ok(());
            }
        }
        let tail = id(&row, 2)?;
        if tail > LogId(0) && !give(Row::Tail(tail)) {
            return Ok(());
        }
    }
    Ok(())
}

impl Cursor {
    fn new(name: &'static str) -> Self {
        Self { name, waiting: VecDeque::new(), is_ended: false }
    }

    fn fill(&mut self, session: &mut Session, target: &Target) -> Result<(), Fault> {
        if !self.waiting.is_empty() || self.is_ended {
            return Ok(());
        }
        let sql = format!("FETCH {FETCHED} FROM {}", self.name);
        // Not a second time: the transaction is gone with the connection.
        let fetch = || session.run(target.answer_time, async |live| live.client.query(&sql, &[]).await);
        self.waiting.extend(outside(fetch).map_err(fault)?);
        self.is_ended = self.waiting.is_empty();
        Ok(())
    }

    fn next(&mut self, session: &mut Session, target: &Target) -> Result<Option<tokio_postgres::Row>, Fault> {
        self.fill(session, target)?;
        Ok(self.waiting.pop_front())
    }

    /// The next row, if it is this owner's.
    fn next_of(
        &mut self,
        owner: &[u8],
        session: &mut Session,
        target: &Target,
    ) -> Result<Option<tokio_postgres::Row>, Fault> {
        self.fill(session, target)?;
        match self.waiting.front() {
            Some(row) if get::<&[u8]>(row, 0)? == owner => Ok(self.waiting.pop_front()),
            _ => Ok(None),
        }
    }
}

fn fault(trouble: Trouble) -> Fault {
    Fault::Engine(trouble.to_string())
}

fn get<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, at: usize) -> Result<T, Fault> {
    row.try_get(at).map_err(|error| Fault::Engine(error.to_string()))
}

fn id(row: &tokio_postgres::Row, at: usize) -> Result<LogId, Fault> {
    Ok(LogId(get::<i64>(row, at)?.unsigned_abs()))
}

fn value(row: &tokio_postgres::Row, at: usize) -> Result<Bytes, Fault> {
    Ok(Bytes::copy_from_slice(get(row, at)?))
}

fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}
