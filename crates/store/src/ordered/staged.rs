//! The writes of one owner before they are committed: seen by each other, dropped together.

use super::layout::{self, Keys, Place};
use super::{Changes, Order, View};
use crate::backend::{Fault, check};
use std::ops::{Bound, ControlFlow};
use stentor_engine::{Append, CommitError, Expect, Key, LogId, Write};

/// One owner's changes over a state of the table.
pub(super) struct Staged<'a, V> {
    view: &'a V,
    owner: &'a Key,
    keys: Keys,
    changes: Changes,
}

/// A write set is refused as a whole, so where it stopped does not matter.
impl From<Fault> for CommitError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.to_string())
    }
}

impl<'a, V: View> Staged<'a, V> {
    pub(super) fn new(view: &'a V, owner: &'a Key) -> Self {
        Self { view, owner, keys: Keys::from(owner), changes: Changes::new() }
    }

    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// Adds a write.
    ///
    /// # Errors
    /// It is refused; what was staged is to be dropped.
    pub(super) fn write(&mut self, write: &Write) -> Result<(), CommitError> {
        check(self.owner, write)?;
        match write {
            Write::Put { collection, key, value, expect } => {
                let place = Place::Record(collection.0, key);
                let stored = self.get(place)?.map(|row| layout::read_record(&row)).transpose()?;
                let version = stored.map_or(0, |(version, _)| version);
                let is_expected = match expect {
                    Expect::Any => true,
                    Expect::Absent => version == 0,
                    Expect::Version(expected) => version == *expected && version != 0,
                };
                if !is_expected {
                    return Err(CommitError::Conflict);
                }
                self.put(place, layout::record_value(version.saturating_add(1), value));
            }
            Write::Delete { collection, key } => self.remove(Place::Record(collection.0, key)),
            Write::Append(append) => self.append(append)?,
            Write::Amend { id, value } => self.amend(*id, value.as_deref())?,
            Write::Erase => self.erase()?,
        }
        Ok(())
    }

    fn append(&mut self, append: &Append) -> Result<(), CommitError> {
        let tail = self.id(Place::Tail)?.unwrap_or_default();
        if append.id <= tail {
            return Err(CommitError::Conflict);
        }
        self.put(Place::Log(append.id), layout::entry_value(&append.value));
        self.put(Place::Tail, layout::id_value(append.id));
        Ok(())
    }

    fn amend(&mut self, id: LogId, value: Option<&[u8]>) -> Result<(), Fault> {
        match value {
            None => self.remove(Place::Log(id)),
            Some(value) if self.get(Place::Log(id))?.is_some() => {
                self.put(Place::Log(id), layout::entry_value(value));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// All of it in one commit, keys only: it costs memory by the owner's rows, not by their values.
    fn erase(&mut self) -> Result<(), Fault> {
        self.changes.values_mut().for_each(|value| *value = None);
        let end = self.keys.end();
        let changes = &mut self.changes;
        self.view.scan((Bound::Included(self.keys.all()), Bound::Excluded(&end)), Order::Up, &mut |key, _| {
            changes.insert(key.to_vec(), None);
            Ok(ControlFlow::Continue(()))
        })
    }

    fn get(&self, place: Place<'_>) -> Result<Option<Vec<u8>>, Fault> {
        let key = self.keys.row(place);
        match self.changes.get(&key) {
            Some(staged) => Ok(staged.clone()),
            None => self.view.get(&key),
        }
    }

    fn id(&self, place: Place<'_>) -> Result<Option<LogId>, Fault> {
        self.get(place)?.map(|row| layout::read_id(&row)).transpose()
    }

    fn put(&mut self, place: Place<'_>, value: Vec<u8>) {
        self.changes.insert(self.keys.row(place), Some(value));
    }

    fn remove(&mut self, place: Place<'_>) {
        self.changes.insert(self.keys.row(place), None);
    }
}
