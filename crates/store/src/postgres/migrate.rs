//! The tables, and how they come from one version to the next.

use super::config::{PostgresError, Target};
use super::session::{Live, Session, Trouble};
use tokio_postgres::Error;

/// Each brings the tables from the version before it to its own, counted from 1.
const MIGRATIONS: &[&str] = &[include_str!("sql/0001.sql"), include_str!("sql/0002.sql")];

/// A name as SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Makes the tables, or brings them up to date; several members may do so at once.
pub(super) fn run(session: &mut Session, target: &Target) -> Result<(), PostgresError> {
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    let failed = |trouble: Trouble| PostgresError::Database {
        place: target.place.clone(),
        reason: trouble.to_string(),
    };
    // Two who make a schema or a table at once are told so as a breach of uniqueness, even where `IF NOT EXISTS` is said.
    let mut tries = 0..3;
    loop {
        match session.retry(target.patience, async |live| make_versions(live, &target.schema).await) {
            Ok(()) => break,
            Err(trouble) if tries.next().is_none() => return Err(failed(trouble)),
            Err(_) => {}
        }
    }
    let found = session.retry(target.patience, async |live| migrate(live).await).map_err(failed)?;
    if found > known { Err(PostgresError::Newer { found, known }) } else { Ok(()) }
}

async fn make_versions(live: &mut Live, schema: &str) -> Result<(), Error> {
    let is_there = "SELECT 1 FROM schema_version";
    if live.client.simple_query(is_there).await.is_ok() {
        return Ok(());
    }
    // Whoever was given a schema may not be allowed to make one, not even one that is there.
    let named = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1";
    let is_made = live.client.query_opt(named, &[&schema]).await?.is_some();
    let schema = quoted(schema);
    let make = if is_made { String::new() } else { format!("CREATE SCHEMA IF NOT EXISTS {schema};") };
    let sql = format!(
        "{make}
         CREATE TABLE IF NOT EXISTS {schema}.schema_version (
             is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), version integer NOT NULL
         );
         INSERT INTO {schema}.schema_version (version) VALUES (0) ON CONFLICT DO NOTHING"
    );
    live.client.batch_execute(&sql).await
}

/// The version that was found. One does it, the others wait for it.
async fn migrate(live: &mut Live) -> Result<i32, Error> {
    let transaction = live.client.transaction().await?;
    let row = transaction.query_one("SELECT version FROM schema_version FOR UPDATE", &[]).await?;
    let found: i32 = row.try_get(0)?;
    let done = usize::try_from(found).unwrap_or_default();
    for (version, sql) in (1i32..).zip(MIGRATIONS).skip(done) {
        transaction.batch_execute(sql).await?;
        transaction.execute("UPDATE schema_version SET version = $1", &[&version]).await?;
        tracing::info!(version, "the tables of the database were brought to a new version");
    }
    transaction.commit().await?;
    Ok(found)
}
