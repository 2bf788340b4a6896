//! What a batch does to one owner, as one change of each row: one statement can do no more to a row. Whatever one write
//! makes of another in the same batch is decided here, and what they expect is turned into what must be stored before.

use crate::backend;
use crate::limits::LOG_ID_MAX;
use crate::postgres::names::COLLECTION_BYTES_MAX;
use bytes::Bytes;
use std::collections::BTreeMap;
use stentor_engine::{Append, Collection, CommitError, Expect, Key, LogId, Write};

/// An owner's writes, folded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folded<'a> {
    /// By collection and name.
    pub(super) records: BTreeMap<(&'a str, &'a str), Cell<'a>>,
    /// All that is stored goes, but for what is written here.
    pub(super) is_erased: bool,
    /// The first id that is appended to the stored log, whose last must be lower.
    pub(super) first: Option<LogId>,
    /// The last id that is appended, or zero.
    pub(super) tail: LogId,
    /// What is appended, or none if it is removed again.
    pub(super) entries: BTreeMap<LogId, Option<&'a Bytes>>,
    /// The next value of stored entries, or none to remove them.
    pub(super) amended: BTreeMap<LogId, Option<&'a Bytes>>,
}

/// A record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    /// What version must be stored, zero for none; or it does not matter.
    pub(super) expected: Option<u64>,
    pub(super) version: Version,
    pub(super) change: Change<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// So many more than the stored one, which is zero if there is none.
    Added(u64),
    /// This one, whatever is stored; zero if there is none.
    Known(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    None,
    Put(&'a Bytes),
    Delete,
}

impl<'a> Folded<'a> {
    /// Folds all writes of an owner.
    ///
    /// # Errors
    /// They are in conflict with each other, or one of them is none that a backend takes.
    pub(super) fn of(owner: &Key, writes: impl Iterator<Item = &'a Write>) -> Result<Self, CommitError> {
        let mut folded = Self::default();
        for write in writes {
            check(owner, write)?;
            folded.add(write)?;
        }
        Ok(folded)
    }

    /// Whether anything is stored of the owner afterwards, by what is known here.
    pub(super) fn is_kept(&self) -> bool {
        self.tail > LogId(0) || self.records.values().any(|cell| matches!(cell.change, Change::Put(_)))
    }

    fn add(&mut self, write: &'a Write) -> Result<(), CommitError> {
        match write {
            Write::Put { collection, key, value, expect } => {
                let cell = self.cell(*collection, key);
                cell.expect(*expect)?;
                cell.version = match cell.version {
                    Version::Added(n) => Version::Added(n + 1),
                    Version::Known(n) => Version::Known(n + 1),
                };
                cell.change = Change::Put(value);
            }
            Write::Delete { collection, key } => {
                let cell = self.cell(*collection, key);
                cell.version = Version::Known(0);
                cell.change = Change::Delete;
            }
            Write::Append(append) => self.append(append)?,
            Write::Amend { id, value } => self.amend(*id, value.as_ref()),
            Write::Erase => self.erase(),
        }
        Ok(())
    }

    fn cell(&mut self, collection: Collection, key: &'a str) -> &mut Cell<'a> {
        let version = if self.is_erased { Version::Known(0) } else { Version::Added(0) };
        let cell = Cell { expected: None, version, change: Change::None };
        self.records.entry((collection.0, key)).or_insert(cell)
    }

    fn append(&mut self, append: &'a Append) -> Result<(), CommitError> {
        if append.id <= self.tail {
            return Err(CommitError::Conflict);
        }
        if !self.is_erased && self.first.is_none() {
            self.first = Some(append.id);
        }
        self.tail = append.id;
        self.entries.insert(append.id, Some(&append.value));
        Ok(())
    }

    fn amend(&mut self, id: LogId, value: Option<&'a Bytes>) {
        let entry = match self.entries.get_mut(&id) {
            Some(entry) => entry,
            None if self.is_erased => return,
            None => self.amended.entry(id).or_insert(value),
        };
        // What was removed does not come back.
        if entry.is_some() {
            *entry = value;
        }
    }

    fn erase(&mut self) {
        for cell in self.records.values_mut() {
            cell.version = Version::Known(0);
            cell.change = Change::None;
        }
        // What was expected before it still is.
        let (records, first) = (std::mem::take(&mut self.records), self.first);
        *self = Self { records, first, is_erased: true, ..Self::default() };
    }
}

impl Cell<'_> {
    fn expect(&mut self, expect: Expect) -> Result<(), CommitError> {
        let wanted = match expect {
            Expect::Any => return Ok(()),
            Expect::Absent => 0,
            Expect::Version(0) => return Err(CommitError::Conflict),
            Expect::Version(version) => version,
        };
        let is_so = match self.version {
            Version::Known(version) => version == wanted,
            Version::Added(added) => match wanted.checked_sub(added) {
                // A record that was put is not absent.
                Some(stored) => *self.expected.get_or_insert(stored) == stored,
                None => false,
            },
        };
        if is_so { Ok(()) } else { Err(CommitError::Conflict) }
    }
}

fn check(owner: &Key, write: &Write) -> Result<(), CommitError> {
    backend::check(owner, write)?;
    let collection = match write {
        Write::Put { collection, .. } | Write::Delete { collection, .. } => collection.0,
        Write::Append(_) | Write::Amend { .. } | Write::Erase => "",
    };
    if collection.len() > COLLECTION_BYTES_MAX {
        return Err(CommitError::Store("the name of a collection is too long".to_owned()));
    }
    Ok(())
}

const _: () = assert!(
    LOG_ID_MAX < i64::MAX as u64,
    "ids are stored as numbers with a sign, below that which stands for none"
);

#[cfg(test)]
mod tests {
    use super::*;

    const C: Collection = Collection("c");

    fn put(expect: Expect) -> Write {
        Write::Put { collection: C, key: "k".into(), value: Bytes::from_static(b"v"), expect }
    }

    fn delete() -> Write {
        Write::Delete { collection: C, key: "k".into() }
    }

    fn fold(writes: &[Write]) -> Result<Folded<'_>, CommitError> {
        let mut folded = Folded::default();
        writes.iter().try_for_each(|write| folded.add(write))?;
        Ok(folded)
    }

    #[test]
    fn what_is_expected_later_is_expected_of_what_is_stored() {
        use Version::{Added, Known};
        let (any, absent, version) = (Expect::Any, Expect::Absent, Expect::Version);
        for (writes, expected) in [
            (vec![put(any)], Some((None, Added(1)))),
            (vec![put(any), put(version(3))], Some((Some(2), Added(2)))),
            (vec![put(any), put(version(1))], Some((Some(0), Added(2)))),
            (vec![put(absent), put(version(1))], Some((Some(0), Added(2)))),
            (vec![put(absent), put(version(2))], None),
            (vec![put(version(4)), put(version(5))], Some((Some(4), Added(2)))),
            (vec![put(any), put(absent)], None),
            (vec![put(version(0))], None),
            (vec![delete(), put(absent), put(version(1))], Some((None, Known(2)))),
            (vec![put(version(7)), delete(), put(any)], Some((Some(7), Known(1)))),
            (vec![put(version(7)), Write::Erase, put(absent)], Some((Some(7), Known(1)))),
            (vec![put(version(7)), Write::Erase, put(version(8))], None),
            (vec![Write::Erase, put(version(1))], None),
        ] {
            let folded = fold(&writes).ok().map(|folded| {
                let cell = &folded.records[&("c", "k")];
                (cell.expected, cell.version)
            });
            assert_eq!(folded, expected, "{writes:?}");
        }
    }
}
