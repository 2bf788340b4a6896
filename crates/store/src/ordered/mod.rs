//! The backend over any engine that has one ordered table of bytes with atomic, durable batches.

#[cfg(feature = "fjall")]
pub(crate) mod fjall;
mod layout;
mod read;
#[cfg(feature = "sled")]
pub(crate) mod sled;
mod staged;
#[cfg(test)]
mod tests;

use crate::backend::{Backend, Fault, Having, Reader, Refusal, by_owner};
use crate::row::{OwnedRow, Owner, Row};
use layout::{Keys, Place};
use staged::Staged;
use std::collections::{BTreeMap, HashSet};
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, OnceLock};
use stentor_engine::{Batch, CommitError, Key, Query, Rows};

/// Rows to put (or to remove: none), by key.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// From where to where.
pub(crate) type Span<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Up,
    Down,
}

/// An engine's ordered table of bytes. A clone is another handle of the same.
pub(crate) trait Table: Clone + Send + 'static {
    type View<'a>: View
    where
        Self: 'a;

    /// One committed state to read.
    fn view(&self) -> Self::View<'_>;

    /// Applies all of it, or nothing, and returns when it is durable.
    fn apply(&self, changes: Changes) -> Result<(), Fault>;
}

/// One state of a table.
pub(crate) trait View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// Visits the rows of a span until told to stop.
    fn scan(&self, span: Span<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Fault>;
}

/// What is done with each row of a scan: its key and its value.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Fault> + 'a;

/// The writing side, and by its clones the reading side.
#[derive(Clone)]
pub(crate) struct Ordered<T> {
    table: T,
    /// Set once, by a commit that failed.
    failure: Arc<OnceLock<String>>,
}

impl<T: Table> Ordered<T> {
    pub(crate) fn new(table: T) -> Self {
        Self { table, failure: Arc::new(OnceLock::new()) }
    }

    /// What the batch changes, and who is left out of it.
    fn stage(&self, batch: &Batch) -> (Changes, Vec<Refusal>) {
        let view = self.table.view();
        let (mut changes, mut refused) = (Changes::new(), Vec::new());
        for (owner, sets) in by_owner(batch) {
            let mut staged = Staged::new(&view, owner);
            match sets.iter().flat_map(|set| set.iter()).try_for_each(|write| staged.write(write)) {
                Ok(()) => changes.extend(staged.into_changes()),
                Err(error) => refused.push((owner.clone(), error)),
            }
        }
        (changes, refused)
    }

    fn apply(&self, changes: Changes) -> Result<(), Fault> {
        if let Some(failure) = self.failure.get() {
            return Err(Fault::Engine(failure.clone()));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.table.apply(changes).inspect_err(|fault| {
            tracing::error!(%fault, "a commit failed: the store takes nothing more until it is opened anew");
            // Only the first reason is kept.
            let _ = self.failure.set(fault.to_string());
        })
    }
}

impl<T: Table> Backend for Ordered<T> {
    fn commit(&mut self, batch: &Batch) -> Vec<Refusal> {
        let (changes, refused) = self.stage(batch);
        match self.apply(changes) {
            Ok(()) => refused,
            Err(fault) => {
                let owners: HashSet<&Key> = batch.sets.iter().map(|set| &set.owner).collect();
                let error = CommitError::Store(fault.to_string());
                owners.into_iter().map(|owner| (owner.clone(), error.clone())).collect()
            }
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    fn restore(&mut self, rows: Vec<OwnedRow>) -> Result<(), Fault> {
        let mut changes = Changes::new();
        for OwnedRow { owner, row } in rows {
            let keys = Keys::from(&owner);
            let mut put = |place: Place<'_>, value| changes.insert(keys.row(place), Some(value));
            match row {
                Row::Record { collection, key, version, value } => {
                    put(Place::Record(&collection, &key), layout::record_value(version, &value));
                }
                Row::Entry { id, value } => {
                    put(Place::Log(id), layout::entry_value(&value));
                }
                Row::Tail(id) => {
                    put(Place::Tail, layout::id_value(id));
                }
            }
        }
        self.apply(changes)
    }
}

impl<T: Table> Reader for Ordered<T> {
    fn query(&self, owner: &Key, queries: &[Query]) -> Vec<Rows> {
        // After a failed commit an engine may show what is not durable.
        if let Some(failure) = self.failure.get() {
            return queries.iter().map(|_| Rows::Failed(failure.clone())).collect();
        }
        let (view, keys) = (self.table.view(), Keys::from(owner));
        let answer = |query| read::query(&view, &keys, query);
        queries
            .iter()
            .map(|query| answer(query).unwrap_or_else(|fault| Rows::Failed(fault.to_string())))
            .collect()
    }

    fn rows(&self, each: &mut dyn FnMut(OwnedRow) -> bool) -> Result<(), Fault> {
        if let Some(failure) = self.failure.get() {
            return Err(Fault::Engine(failure.clone()));
        }
        read::rows(&self.table.view(), each)
    }
    fn owners(&self, after: Option<&Owner>, limit: usize, having: Having) -> Result<Vec<Owner>, Fault> {
        if let Some(failure) = self.failure.get() {
            return Err(Fault::Engine(failure.clone()));
        }
        read::owners(&self.table.view(), after, limit, having)
    }
}
