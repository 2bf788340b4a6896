//! The reading side: a connection of its own, made at the first question.

use super::config::Target;
use super::export;
use super::names;
use super::session::{Live, Purpose, Session, Trouble, outside};
use crate::backend::{Fault, Having, Reader};
use crate::row::{OwnedRow, Owner};
use bytes::Bytes;
use futures_util::future::{join_all, join3};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use stentor_engine::{Collection, Key, LogId, LogRow, Query, Record, Rows, Slot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, Statement};

const RECORD: &str =
    "SELECT key, long_key, version, value FROM records WHERE owner = $1 AND collection = $2 AND key = $3";
const RECORDS: &str = "SELECT key, long_key, version, value FROM records \
                       WHERE owner = $1 AND collection = $2 AND key >= $3 ORDER BY key LIMIT $4";
const LOG_AFTER: &str = "SELECT id, value FROM log WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3";
const LOG_BEFORE: &str = "SELECT id, value FROM log WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
const TAIL: &str = "SELECT tail FROM owners WHERE owner = $1";

const OWNERS_WITH_ENTRY: &str = "SELECT name FROM owners o WHERE owner > $1 \
    AND EXISTS (SELECT 1 FROM log l WHERE l.owner = o.owner) ORDER BY owner LIMIT $2";
const OWNERS_WITH_RECORD: &str = "SELECT name FROM owners o WHERE owner > $1 \
    AND EXISTS (SELECT 1 FROM records r WHERE r.owner = o.owner AND r.collection = $3) ORDER BY owner LIMIT $2";
const OWNERS_OF_WITH_ENTRY: &str = "SELECT name FROM owners o WHERE owner > $1 AND slot = ANY ($3) \
    AND EXISTS (SELECT 1 FROM log l WHERE l.owner = o.owner) ORDER BY owner LIMIT $2";
const OWNERS_OF_WITH_RECORD: &str = "SELECT name FROM owners o WHERE owner > $1 AND slot = ANY ($3) \
    AND EXISTS (SELECT 1 FROM records r WHERE r.owner = o.owner AND r.collection = $4) ORDER BY owner LIMIT $2";

/// Queries that are sent without waiting for answers. Of more, `join_all` does not poll all before it lets others go on.
const PIPELINED_MAX: usize = 30;

type Parameter<'a> = Box<dyn ToSql + Sync + 'a>;

pub(super) struct PostgresReader {
    target: Arc<Target>,
    /// Also if a call panicked: it makes a new connection then.
    session: Mutex<Option<Session>>,
}

impl PostgresReader {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self { target, session: Mutex::new(None) }
    }

    fn with<R: Send>(
        &self,
        call: impl FnOnce(&mut Session) -> Result<R, Trouble> + Send,
    ) -> Result<R, Trouble> {
        outside(|| {
            let mut place = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let io = |error: std::io::Error| Trouble::Refused(error.to_string());
            let mut session = match place.take() {
                Some(session) => session,
                None => Session::new(Arc::clone(&self.target), Purpose::Reader).map_err(io)?,
            };
            let answer = call(&mut session);
            *place = Some(session);
            answer
        })
    }

    fn page(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Owner>, Fault> {
        let rows = self.with(|session| {
            session.retry(self.target.patience, async |live| {
                let statement = live.prepared(sql).await?;
                live.client.query(&statement, parameters).await
            })
        });
        let rows = rows.map_err(|trouble| Fault::Engine(trouble.to_string()))?;
        let owner = |row: &Row| names::parsed(row.try_get(0).unwrap_or_default());
        let owners: Option<Vec<_>> = rows.iter().map(owner).collect();
        owners.ok_or(Fault::Corrupt("the name of an owner"))
    }
}

impl Reader for PostgresReader {
    fn query(&self, owner: &Key, queries: &[Query]) -> Vec<Rows> {
        let (kind, address) = owner.parts();
        let name = names::name(kind, address);
        let owner = names::owner(&name);
        let asked: Vec<Asked<'_>> = queries.iter().map(|query| Asked::of(&owner, query)).collect();
        let answers = self
            .with(|session| session.retry(self.target.patience, async |live| answers(live, &asked).await));
        match answers {
            Ok(answers) => queries.iter().zip(&answers).map(|(query, rows)| read(query, rows)).collect(),
            Err(trouble) => queries.iter().map(|_| Rows::Failed(trouble.to_string())).collect(),
        }
    }

    fn rows(&self, each: &mut dyn FnMut(OwnedRow) -> bool) -> Result<(), Fault> {
        export::rows(&self.target, each)
    }

    fn owners(&self, after: Option<&Owner>, limit: usize, having: Having) -> Result<Vec<Owner>, Fault> {
        let (after, limit) = (position(after), count(limit));
        match having {
            Having::Entry => self.page(OWNERS_WITH_ENTRY, &[&after, &limit]),
            Having::Record(Collection(name)) => {
                self.page(OWNERS_WITH_RECORD, &[&after, &limit, &name.as_bytes()])
            }
        }
    }

    fn owners_of(
        &self,
        slots: &[Slot],
        after: Option<&Owner>,
        limit: usize,
        having: Having,
    ) -> Result<Vec<Owner>, Fault> {
        let slots: Vec<i32> = slots.iter().map(|slot| slot.number().into()).collect();
        let (after, limit) = (position(after), count(limit));
        match having {
            Having::Entry => self.page(OWNERS_OF_WITH_ENTRY, &[&after, &limit, &slots]),
            Having::Record(Collection(name)) => {
                self.page(OWNERS_OF_WITH_RECORD, &[&after, &limit, &slots, &name.as_bytes()])
            }
        }
    }
}

/// The owner that a page begins after; nothing sorts before the empty name.
fn position(after: Option<&Owner>) -> Vec<u8> {
    after.map(|owner| names::owner(&names::name(owner.kind, &owner.address)).into_owned()).unwrap_or_default()
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A query as SQL.
struct Asked<'a> {
    sql: &'static str,
    parameters: Vec<Parameter<'a>>,
}

impl<'a> Asked<'a> {
    fn of(owner: &'a [u8], query: &'a Query) -> Self {
        let (sql, mut parameters): (_, Vec<Parameter<'a>>) = match query {
            Query::Record { collection, key } => {
                (RECORD, vec![Box::new(collection.0.as_bytes()), bytes(names::key(key))])
            }
            Query::Records { collection, after, limit } => {
                // The first string after another one is that with one zero more.
                let from = after.as_ref().map(|after| [&*names::key(after), &[0]].concat());
                let from: Parameter<'a> = Box::new(from.unwrap_or_default());
                (RECORDS, vec![Box::new(collection.0.as_bytes()), from, Box::new(i64::from(*limit))])
            }
            Query::LogAfter { after, limit } => {
                let after = i64::try_from(after.0).unwrap_or(i64::MAX);
                (LOG_AFTER, vec![Box::new(after), Box::new(i64::from(*limit))])
            }
            Query::LogBefore { before, limit } => {
                let before = before.map_or(i64::MAX, |id| i64::try_from(id.0).unwrap_or(i64::MAX));
                (LOG_BEFORE, vec![Box::new(before), Box::new(i64::from(*limit))])
            }
            Query::Tail => (TAIL, vec![]),
        };
        parameters.insert(0, Box::new(owner));
        Self { sql, parameters }
    }
}

fn bytes<'a>(name: Cow<'a, [u8]>) -> Parameter<'a> {
    Box::new(name)
}

/// Several are asked in one transaction, of one state; all in one round trip.
async fn answers(live: &mut Live, asked: &[Asked<'_>]) -> Result<Vec<Vec<Row>>, Error> {
    let mut statements: Vec<(Statement, &[Parameter<'_>])> = Vec::with_capacity(asked.len());
    for Asked { sql, parameters } in asked {
        statements.push((live.prepared(sql).await?, parameters));
    }
    let client = &live.client;
    let query = async |(statement, parameters): &(Statement, &[Parameter<'_>])| {
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| &**value).collect();
        client.query(statement, &parameters).await
    };
    if let [one] = &statements[..] {
        return Ok(vec![query(one).await?]);
    }
    let begin = client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    if statements.len() > PIPELINED_MAX {
        begin.await?;
        let mut answers = Vec::with_capacity(statements.len());
        for statement in &statements {
            answers.push(query(statement).await?);
        }
        client.batch_execute("COMMIT").await?;
        return Ok(answers);
    }
    // They are sent in the order in which they are polled first.
    let queries = join_all(statements.iter().map(query));
    let (begun, answers, ended) = join3(begin, queries, client.batch_execute("COMMIT")).await;
    begun.and(ended)?;
    answers.into_iter().collect()
}

fn read(query: &Query, rows: &[Row]) -> Rows {
    let read = match query {
        Query::Record { .. } => rows.first().map(record).transpose().map(Rows::Record),
        Query::Records { .. } => rows.iter().map(record).collect::<Result<_, _>>().map(Rows::Records),
        Query::LogAfter { .. } | Query::LogBefore { .. } => {
            rows.iter().map(log_row).collect::<Result<_, _>>().map(Rows::Log)
        }
        Query::Tail => rows.first().map_or(Ok(LogId(0)), |row| row.try_get(0).map(id)).map(Rows::Tail),
    };
    read.unwrap_or_else(|error| Rows::Failed(error.to_string()))
}

fn record(row: &Row) -> Result<Record, Error> {
    let version: i64 = row.try_get(2)?;
    Ok(Record { key: key(row)?, version: version.unsigned_abs(), value: value(row, 3)? })
}

fn log_row(row: &Row) -> Result<LogRow, Error> {
    Ok(LogRow { id: id(row.try_get(0)?), value: value(row, 1)? })
}

fn id(id: i64) -> LogId {
    LogId(id.unsigned_abs())
}

fn value(row: &Row, at: usize) -> Result<Bytes, Error> {
    row.try_get(at).map(Bytes::copy_from_slice)
}

/// Of the first two columns. What is stored was a string once.
fn key(row: &Row) -> Result<Box<str>, Error> {
    let (short, long): (&[u8], Option<&[u8]>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(String::from_utf8_lossy(long.unwrap_or(short)).into())
}
