//! fjall: a log-structured merge tree. A batch is one record of its journal, synced by `fdatasync`; readers have
//! snapshots. After a failed sync it refuses all further writes itself.

use super::{Changes, Order, Span, Table, View};
use crate::backend::Fault;
use crate::directory::Directory;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A handle of the open database.
#[derive(Clone)]
pub(crate) struct Fjall {
    database: Database,
    rows: Keyspace,
    /// Unlocked when the last handle goes, so after the engine is closed: fields are dropped in this order.
    _directory: Arc<Directory>,
}

impl Fjall {
    /// Opens or creates it in the directory's folder for engine files.
    pub(crate) fn open(directory: Directory, cache_bytes: u64) -> Result<Self, Fault> {
        let database =
            Database::builder(directory.files()).cache_size(cache_bytes).worker_threads(1).open()?;
        let rows = database.keyspace("rows", KeyspaceCreateOptions::default)?;
        Ok(Self { database, rows, _directory: Arc::new(directory) })
    }
}

impl Table for Fjall {
    type View<'a> = FjallView<'a>;

    fn view(&self) -> FjallView<'_> {
        FjallView { snapshot: self.database.snapshot(), rows: &self.rows }
    }

    fn apply(&self, changes: Changes) -> Result<(), Fault> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(&self.rows, key, value),
                None => batch.remove(&self.rows, key),
            }
        }
        Ok(batch.commit()?)
    }
}

/// A snapshot of all rows.
pub(crate) struct FjallView<'a> {
    snapshot: Snapshot,
    rows: &'a Keyspace,
}

impl View for FjallView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.snapshot.get(self.rows, key)?.map(|value| value.to_vec()))
    }

    fn scan(&self, span: Span<'_>, order: Order, visit: &mut super::Visit<'_>) -> Result<(), Fault> {
        let mut range = self.snapshot.range::<&[u8], _>(self.rows, span);
        let mut next = || if order == Order::Up { range.next() } else { range.next_back() };
        while let Some(guard) = next() {
            let (key, value) = guard.into_inner()?;
            if let ControlFlow::Break(()) = visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }
}

impl From<fjall::Error> for Fault {
    fn from(error: fjall::Error) -> Self {
        Self::Engine(error.to_string())
    }
}
