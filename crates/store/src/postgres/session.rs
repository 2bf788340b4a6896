//! A connection to the database that is made again when it was lost, for callers that wait.
//!
//! It belongs to a runtime of its own, which runs while a call is under way: there is nothing to do in between.

use super::config::Target;
use super::migrate;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Statement};

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a member may stand still in the middle of a change: less than a lease holds.
const IDLE_TIME_MAX: Duration = Duration::from_secs(2);
/// The first and the longest pause before a next try.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long the server may take to hear that a connection is given up.
const GOODBYE_TIME_MAX: Duration = Duration::from_millis(200);

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// Nothing was done, and the next try may succeed: there is no connection, or the database says so.
    #[error("{0}")]
    NotDone(String),
    /// The connection was lost, or no answer came: whether anything was done is unknown.
    #[error("{0}")]
    Unknown(String),
    /// Nothing was done, nor would it be the next time.
    #[error("{0}")]
    Refused(String),
}

impl Trouble {
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Commits.
    Lane,
    /// Answers about members.
    Register,
    /// Reads.
    Reader,
}

pub(super) struct Session {
    target: Arc<Target>,
    purpose: Purpose,
    live: Option<Live>,
    /// None once dropped.
    runtime: Option<Runtime>,
}

/// An open connection.
pub(super) struct Live {
    pub(super) client: Client,
    statements: HashMap<&'static str, Statement>,
    driver: JoinHandle<()>,
}

impl Live {
    /// A statement, prepared once for each connection.
    pub(super) async fn prepared(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

impl Session {
    /// Does not connect yet.
    pub(super) fn new(target: Arc<Target>, purpose: Purpose) -> std::io::Result<Self> {
        let runtime = Some(Builder::new_current_thread().enable_all().build()?);
        Ok(Self { target, purpose, live: None, runtime })
    }

    /// Runs `call` on a connection, at most for `time`.
    pub(super) fn run<R>(
        &mut self,
        time: Duration,
        call: impl AsyncFnOnce(&mut Live) -> Result<R, Error>,
    ) -> Result<R, Trouble> {
        let gone = || Trouble::Refused("the store was closed".to_owned());
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        let (target, purpose, live) = (&self.target, self.purpose, &mut self.live);
        runtime.block_on(async {
            // The server may have closed it while nobody looked.
            for _ in 0..2 {
                yield_now().await;
            }
            if live.as_ref().is_some_and(|live| live.client.is_closed()) {
                *live = None;
            }
            let open = match live {
                Some(open) => open,
                None => live.insert(connect(target, purpose).await?),
            };
            let answer = match timeout(time, call(open)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => Err(trouble(&error)),
                Err(_) => Err(Trouble::Unknown(format!("no answer within {} s", time.as_secs()))),
            };
            // Whatever is half done on it ends with it.
            *live = None;
            answer
        })
    }

    /// Runs `call`, which may be repeated, until it succeeds or is refused, or for about `time`.
    pub(super) fn retry<R>(
        &mut self,
        time: Duration,
        mut call: impl AsyncFnMut(&mut Live) -> Result<R, Error>,
    ) -> Result<R, Trouble> {
        let mut pause = Pause::until(time);
        loop {
            match self.run(self.target.answer_time, &mut call) {
                Err(trouble) if !trouble.is_final() && pause.wait(&trouble) => {}
                answer => return answer,
            }
        }
    }
}

/// The times between tries, each twice as long as the one before.
pub(super) struct Pause {
    next: Duration,
    end: Instant,
}

impl Pause {
    pub(super) fn until(time: Duration) -> Self {
        Self { next: PAUSE.0, end: Instant::now() + time }
    }

    /// Waits; or says at once that the time is over.
    #[expect(
        clippy::disallowed_methods,
        reason = "the thread is there to wait for the database; no arbiter's is"
    )]
    pub(super) fn wait(&mut self, trouble: &Trouble) -> bool {
        if Instant::now() + self.next > self.end {
            return false;
        }
        // What happens all the time under load is not worth a word.
        if self.next > PAUSE.0 {
            tracing::warn!(reason = %trouble, "the database does not answer as it should; trying again");
        }
        std::thread::sleep(self.next);
        self.next = (self.next * 2).min(PAUSE.1);
        true
    }
}

async fn connect(target: &Target, purpose: Purpose) -> Result<Live, Trouble> {
    let too_long = |_| Trouble::NotDone("the database cannot be reached: it does not answer".to_owned());
    let connecting = async {
        let (client, connection) = target.config.connect(target.tls.clone()).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        let live = Live { client, statements: HashMap::new(), driver };
        settle(&live.client, target, purpose).await?;
        Ok(live)
    };
    match timeout(CONNECT_TIME_MAX, connecting).await.map_err(too_long)? {
        Ok(live) => Ok(live),
        Err(error) => Err(match trouble(&error) {
            Trouble::Unknown(reason) => Trouble::NotDone(format!("the database cannot be reached: {reason}")),
            trouble => trouble,
        }),
    }
}

/// Settings of the connection. Whatever the database's own are, an answered commit is on its disk.
async fn settle(client: &Client, target: &Target, purpose: Purpose) -> Result<(), Error> {
    let time = target.answer_time.as_millis();
    let mut settings = format!(
        "SET search_path TO {}; SET statement_timeout = {time}; SET client_min_messages = warning; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local');",
        migrate::quoted(&target.schema)
    );
    if purpose == Purpose::Register {
        // A member that is paused in the middle of a change must not hold up the others.
        settings += &format!("SET idle_in_transaction_session_timeout = {};", IDLE_TIME_MAX.as_millis());
    }
    client.batch_execute(&settings).await?;
    // Every statement goes by keys through indexes, whatever the tables' size was when it was planned. What an engine
    // does not know of these, it does not need.
    let planner = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
                   SET enable_hashjoin = off; SET enable_mergejoin = off";
    match client.batch_execute(planner).await {
        Err(error) if error.as_db_error().is_none() => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn trouble(error: &Error) -> Trouble {
    let Some(said) = error.as_db_error() else {
        let reason = match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        return match error.is_closed() || std::error::Error::source(error).is_some_and(is_io) {
            true => Trouble::Unknown(reason),
            false => Trouble::Refused(reason),
        };
    };
    let code = said.code();
    let reason = format!("{} ({})", said.message(), code.code());
    // Serialization, deadlock, another one first; timeouts; the server stops, starts or is a stand-by; it lacks room.
    let may_pass = matches!(code.code().get(..2), Some("40" | "53" | "55" | "57" | "58"))
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION;
    match code.code().get(..2) {
        Some("08") => Trouble::Unknown(reason),
        // It may have been committed when the server was told to stop.
        Some("57") if *code != SqlState::CANNOT_CONNECT_NOW => Trouble::Unknown(reason),
        _ if may_pass => Trouble::NotDone(reason),
        _ => Trouble::Refused(reason),
    }
}

fn is_io(source: &(dyn std::error::Error + 'static)) -> bool {
    source.is::<std::io::Error>()
}

/// Runs what waits for a connection: elsewhere, if this thread belongs to a runtime, which must not wait.
pub(super) fn outside<R: Send>(call: impl FnOnce() -> R + Send) -> R {
    if Handle::try_current().is_err() {
        return call();
    }
    std::thread::scope(|scope| match scope.spawn(call).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(Live { client, driver, .. }) = self.live.take() {
            drop(client);
            outside(|| runtime.block_on(async { timeout(GOODBYE_TIME_MAX, driver).await.is_ok() }));
        }
        runtime.shutdown_background();
    }
}
