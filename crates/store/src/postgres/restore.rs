//! Rows of an export, put into a store that has nothing.

use super::names;
use super::rows::number;
use super::session::Live;
use crate::backend::Fault;
use crate::limits::{KEY_BYTES_MAX, LOG_ID_MAX};
use crate::row::{OwnedRow, Row};
use stentor_engine::LogId;
use tokio_postgres::Error;

const OWNER: &str = "INSERT INTO owners AS o (owner, name, slot, tail) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (owner) DO UPDATE SET tail = greatest(o.tail, excluded.tail)";
const RECORD: &str = "INSERT INTO records (owner, collection, key, long_key, version, value) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (owner, collection, key) DO UPDATE SET version = excluded.version, value = excluded.value";
const ENTRY: &str = "INSERT INTO log (owner, id, value) VALUES ($1, $2, $3) \
                     ON CONFLICT (owner, id) DO UPDATE SET value = excluded.value";

/// Rows that fit.
pub(super) struct Restored {
    rows: Vec<OwnedRow>,
}

impl Restored {
    /// # Errors
    /// A name is longer, or an id greater, than this engine takes.
    pub(super) fn of(rows: Vec<OwnedRow>) -> Result<Self, Fault> {
        for OwnedRow { owner, row } in &rows {
            let (id, bytes) = match row {
                Row::Record { collection, key, .. } if collection.len() <= names::COLLECTION_BYTES_MAX => {
                    (LogId(0), key.len())
                }
                Row::Record { .. } => return Err(Fault::Corrupt("the name of a collection is too long")),
                Row::Entry { id, .. } | Row::Tail(id) => (*id, 0),
            };
            if id.0 > LOG_ID_MAX {
                return Err(Fault::Corrupt("the id of an entry is too great"));
            }
            if owner.address.len() + bytes > KEY_BYTES_MAX {
                return Err(Fault::Corrupt("a key is too long"));
            }
        }
        Ok(Self { rows })
    }

    /// All of them, in one transaction.
    pub(super) async fn put(&self, live: &mut Live) -> Result<(), Error> {
        let transaction = live.client.transaction().await?;
        for OwnedRow { owner, row } in &self.rows {
            let name = names::name(owner.kind, &owner.address);
            let stored = names::owner(&name);
            let tail = match row {
                Row::Record { .. } => LogId(0),
                Row::Entry { id, .. } | Row::Tail(id) => *id,
            };
            let slot = i32::from(owner.slot().number());
            transaction.execute(OWNER, &[&&*stored, &name, &slot, &number(tail.0)]).await?;
            match row {
                Row::Record { collection, key, version, value } => {
                    let (collection, short) = (collection.as_bytes(), names::key(key));
                    let (long, version) = (names::long_key(key), number(*version));
                    let value: &[u8] = value;
                    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
                        [&&*stored, &collection, &&*short, &long, &version, &value];
                    transaction.execute(RECORD, &values).await?;
                }
                Row::Entry { id, value } => {
                    let value: &[u8] = value;
                    transaction.execute(ENTRY, &[&&*stored, &number(id.0), &value]).await?;
                }
                Row::Tail(_) => {}
            }
        }
        transaction.commit().await
    }
}
