//! What an engine must do: commit a batch, answer questions, give all out and take it in again.

use crate::limits::{KEY_BYTES_MAX, LOG_ID_MAX, OWNERS_PAGE, VALUE_BYTES_MAX};
use crate::row::{OwnedRow, Owner, Row};
use std::collections::{HashMap, HashSet};
use stentor_engine::{Batch, Collection, CommitError, Key, Query, Rows, Slot, Write};

/// An owner whose sets in a batch were not committed, and why.
pub type Refusal = (Key, CommitError);

/// The engine failed, or a row is not what was once written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A call to the engine failed. What it was to do is not done, or unknown.
    #[error("{0}")]
    Engine(String),
    /// A row cannot be read: another format, or damage. Others are not touched.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(&'static str),
}

/// The writing side of one engine. Blocks; belongs on a thread of its own.
pub trait Backend: Send {
    /// Commits a batch: when this returns, what was not refused is durable.
    ///
    /// An owner one of whose writes is in conflict is refused with all its sets in the batch; the others' are
    /// committed. If the engine fails, every owner is refused with [`CommitError::Store`], and so is every later
    /// batch until the store is opened anew: after a failed fsync the pages are gone from the kernel, so a second
    /// try proves nothing. Whether the batch is there after reopening is unknown, but it is there whole or not at all.
    fn commit(&mut self, batch: &Batch) -> Vec<Refusal>;

    /// A reader, for a thread of its own.
    fn reader(&self) -> Box<dyn Reader>;

    /// Why nothing is committed any more, if so.
    fn failure(&self) -> Option<String>;

    /// Puts rows of an export into a store that had nothing, durable on return. Order does not matter.
    ///
    /// # Errors
    /// The engine failed; some of the rows may be there.
    fn restore(&mut self, rows: Vec<OwnedRow>) -> Result<(), Fault>;
}

/// The reading side. Sees what is committed, and nothing of a batch that failed.
pub trait Reader: Send {
    /// The answers, in order, all from one state of the store.
    fn query(&self, owner: &Key, queries: &[Query]) -> Vec<Rows>;

    /// Gives every row of one state of the store, ordered by owner, until `each` answers false.
    ///
    /// # Errors
    /// The engine failed or a row is corrupt; what was given is incomplete.
    fn rows(&self, each: &mut dyn FnMut(OwnedRow) -> bool) -> Result<(), Fault>;

    /// Owners that have what is asked for, in the order of [`Owner`], those after `after` if it is given, at most
    /// `limit`; fewer means that there are no more. An engine that can skip an owner's other rows does so: this goes
    /// through all of them.
    ///
    /// # Errors
    /// The engine failed or a row that was read is corrupt.
    fn owners(&self, after: Option<&Owner>, limit: usize, having: Having) -> Result<Vec<Owner>, Fault> {
        let mut owners: Vec<Owner> = Vec::new();
        if limit == 0 {
            return Ok(owners);
        }
        self.rows(&mut |OwnedRow { owner, row }| {
            let is_new = owners.last() != Some(&owner) && after.is_none_or(|after| owner > *after);
            if is_new && having.is(&row) {
                owners.push(owner);
            }
            owners.len() < limit
        })?;
        Ok(owners)
    }

    /// [`Reader::owners`] of some slots. An engine that knows owners by their slots does not go through the others:
    /// this does.
    ///
    /// # Errors
    /// The engine failed or a row that was read is corrupt.
    fn owners_of(
        &self,
        slots: &[Slot],
        after: Option<&Owner>,
        limit: usize,
        having: Having,
    ) -> Result<Vec<Owner>, Fault> {
        let slots: HashSet<Slot> = slots.iter().copied().collect();
        let mut found = Vec::new();
        let mut after = after.cloned();
        while found.len() < limit {
            let page = self.owners(after.as_ref(), OWNERS_PAGE, having)?;
            let is_last = page.len() < OWNERS_PAGE;
            after = page.last().cloned();
            found.extend(page.into_iter().filter(|owner| slots.contains(&owner.slot())));
            if is_last {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

/// What an owner has at least one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Having {
    /// A record of a collection.
    Record(Collection),
    /// A log entry that was not removed.
    Entry,
}

impl Having {
    /// Whether this row is one.
    fn is(self, row: &Row) -> bool {
        match (self, row) {
            (Self::Record(Collection(wanted)), Row::Record { collection, .. }) => **collection == *wanted,
            (Self::Entry, Row::Entry { .. }) => true,
            _ => false,
        }
    }
}

/// What no backend takes: the entity that wrote this has a fault, and is refused alone.
pub(crate) fn check(owner: &Key, write: &Write) -> Result<(), CommitError> {
    let owner_bytes = owner.parts().1.len();
    let name_bytes = match write {
        Write::Put { collection, key, .. } | Write::Delete { collection, key } => {
            if collection.0.contains('\0') {
                return Err(CommitError::Store("the name of a collection has a NUL".to_owned()));
            }
            collection.0.len() + key.len()
        }
        Write::Append(append) if append.id.0 > LOG_ID_MAX => {
            return Err(CommitError::Store("the id of an entry is too great".to_owned()));
        }
        Write::Append(_) | Write::Amend { .. } | Write::Erase => 0,
    };
    // Eight bytes for what the layout puts between them.
    if owner_bytes + name_bytes + 8 > KEY_BYTES_MAX {
        return Err(CommitError::Store("a key is too long".to_owned()));
    }
    if write.bytes() > VALUE_BYTES_MAX {
        return Err(CommitError::Store("a value is too long".to_owned()));
    }
    Ok(())
}

/// The sets of each owner, in order, owners by their first set.
pub(crate) fn by_owner(batch: &Batch) -> Vec<(&Key, Vec<&[Write]>)> {
    let mut index = HashMap::with_capacity(batch.sets.len());
    let mut owners: Vec<(&Key, Vec<&[Write]>)> = Vec::with_capacity(batch.sets.len());
    for set in &batch.sets {
        let at = *index.entry(&set.owner).or_insert_with(|| {
            owners.push((&set.owner, Vec::new()));
            owners.len() - 1
        });
        if let Some((_, sets)) = owners.get_mut(at) {
            sets.push(&set.writes);
        }
    }
    owners
}
