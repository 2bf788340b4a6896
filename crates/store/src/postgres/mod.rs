//! PostgreSQL, or what speaks its protocol: the store that the members of a cluster share, or that of one server.
//!
//! - `sql/`: the tables, and the statement that commits a batch. A batch is one statement, one round trip; why it is safe
//!   stands in `docs/decisions/0012-postgresql.md`.
//! - `statement.rs`: of that statement, what a batch needs. `fold.rs`, `rows.rs`: a batch as its parameters.
//! - `lane.rs`, `reader.rs`, `export.rs`, `restore.rs`: the backend. `register.rs`: leases and the table.
//! - `session.rs`: a connection that is made again when it was lost; `config.rs`: where, and by which TLS.
//!
//! Every lane, reader and handle has a connection of its own: five for a member.

mod config;
mod export;
mod fold;
mod lane;
mod migrate;
mod names;
mod reader;
mod register;
mod restore;
mod rows;
mod session;
mod statement;

pub use config::{PostgresConfig, PostgresError};

use crate::backend::{Backend, Fault};
use crate::register::{LaneId, Register, Shared};
use config::Target;
use lane::PostgresLane;
use session::{Live, Purpose, Session, Trouble, outside};
use std::fmt;
use std::sync::Arc;
use stentor_engine::{MemberId, RegisterReply, RegisterRequest};
use tokio_postgres::Error;

/// A store in a PostgreSQL database. Clones have connections of their own.
pub struct Postgres {
    target: Arc<Target>,
    register: Option<Session>,
}

impl Postgres {
    /// Connects, and makes the tables or brings them up to date. Waits for a database that is not there as long as
    /// [`PostgresConfig::patience`] says.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub fn open(config: &PostgresConfig) -> Result<Self, PostgresError> {
        let target = Arc::new(Target::of(config)?);
        let mut session = Session::new(Arc::clone(&target), Purpose::Register)?;
        outside(|| migrate::run(&mut session, &target))?;
        Ok(Self { target, register: Some(session) })
    }

    /// The store of a server that is no cluster: no slots and no epochs are checked, and batches are not numbered by the
    /// caller. Whoever opened it so before is shut out, with
    /// [`CommitError::Fenced`](stentor_engine::CommitError::Fenced), and so is this one once another opens it, or a
    /// member joins.
    ///
    /// # Errors
    /// [`PostgresError::HasMembers`], or the database failed.
    pub fn alone(&self) -> Result<Box<dyn Backend>, PostgresError> {
        let mut session = Session::new(Arc::clone(&self.target), Purpose::Lane)?;
        let taken = outside(|| session.retry(self.target.patience, take_alone));
        let taken = taken.map_err(|trouble| self.failed(&trouble))?;
        let lane = LaneId { member: MemberId(register::ALONE.unsigned_abs()), lane: 0 };
        let moves = taken.map_err(PostgresError::HasMembers)?;
        Ok(Box::new(PostgresLane::alone(Arc::clone(&self.target), session, lane, moves)))
    }

    /// The secret of all who open this store, which the first of them offered: whoever comes later gets that one.
    ///
    /// # Errors
    /// The database failed, or holds something that is no such secret.
    pub fn secret(&self, offered: [u8; 32]) -> Result<[u8; 32], PostgresError> {
        let mut session = Session::new(Arc::clone(&self.target), Purpose::Register)?;
        let agreed = outside(|| {
            session.retry(self.target.patience, async |live| {
                let agree = "UPDATE cluster SET secret = coalesce(secret, $1) RETURNING secret";
                live.client.query_one(agree, &[&offered.as_slice()]).await?.try_get::<_, Vec<u8>>(0)
            })
        });
        let agreed = agreed.map_err(|trouble| self.failed(&trouble))?;
        agreed.try_into().map_err(|_| PostgresError::Database {
            place: self.target.place.clone(),
            reason: "the secret in its table \"cluster\" does not have 32 bytes".to_owned(),
        })
    }

    /// The store is that of this cluster from now on, unless another one has members in it. Who joins says so first.
    ///
    /// # Errors
    /// [`PostgresError::OtherCluster`], or the database failed.
    pub fn claim(&self, cluster: &str) -> Result<(), PostgresError> {
        let mut session = Session::new(Arc::clone(&self.target), Purpose::Register)?;
        let kept = outside(|| {
            session.retry(self.target.patience, async |live| {
                let claim = "WITH claimed AS (
                                 UPDATE cluster SET name = $1
                                 WHERE name IS NULL OR name = $1 OR NOT EXISTS (SELECT 1 FROM members)
                                 RETURNING name
                             )
                             SELECT coalesce((SELECT name FROM claimed), (SELECT name FROM cluster))";
                live.client.query_one(claim, &[&cluster]).await?.try_get::<_, String>(0)
            })
        });
        let kept = kept.map_err(|trouble| self.failed(&trouble))?;
        if kept == cluster { Ok(()) } else { Err(PostgresError::OtherCluster(kept)) }
    }

    fn failed(&self, trouble: &Trouble) -> PostgresError {
        PostgresError::Database { place: self.target.place.clone(), reason: trouble.to_string() }
    }
}

/// Counts a new owner of the lane; or names a member.
async fn take_alone(live: &mut Live) -> Result<Result<i64, String>, Error> {
    let transaction = live.client.transaction().await?;
    // As whoever joins does.
    transaction.query_one("SELECT version FROM cluster FOR UPDATE", &[]).await?;
    if let Some(row) = transaction.query_opt("SELECT name FROM members ORDER BY id LIMIT 1", &[]).await? {
        return Ok(Err(row.try_get(0)?));
    }
    let take = "INSERT INTO lanes AS l (member, lane, number, moves, fenced, conflict) \
                VALUES ($1, 0, 0, 1, '{}', '{}') \
                ON CONFLICT (member, lane) DO UPDATE SET number = 0, moves = l.moves + 1 RETURNING moves";
    let moves = transaction.query_one(take, &[&register::ALONE]).await?.try_get(0)?;
    transaction.commit().await?;
    Ok(Ok(moves))
}

impl Clone for Postgres {
    fn clone(&self) -> Self {
        Self { target: Arc::clone(&self.target), register: None }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("place", &self.target.place).finish_non_exhaustive()
    }
}

impl Register for Postgres {
    fn ask(&mut self, request: &RegisterRequest) -> RegisterReply {
        let session = match &mut self.register {
            Some(session) => session,
            place => match Session::new(Arc::clone(&self.target), Purpose::Register) {
                Ok(session) => place.insert(session),
                Err(error) => return RegisterReply::Failed(error.to_string()),
            },
        };
        outside(|| register::ask(session, request))
    }
}

impl Shared for Postgres {
    fn backend(&self, lane: LaneId) -> Result<Box<dyn Backend>, Fault> {
        Ok(Box::new(PostgresLane::member(Arc::clone(&self.target), lane)?))
    }
}
