//! The store as plain maps: for hosts that keep nothing, for the simulator, and as the model that the engines are
//! compared with. It shares no code with their layout.

mod handle;
mod members;

pub use handle::MemoryBackend;

use crate::backend::{self, Having, Refusal, by_owner};
use crate::register::LaneId;
use crate::row::{OwnedRow, Owner, Row};
use bytes::Bytes;
use members::Members;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use stentor_engine::{
    Append, Batch, Collection, CommitError, Expect, Key, LogId, LogRow, Query, Record, Rows, Write, WriteSet,
};

type Names<T> = BTreeMap<Box<str>, T>;

/// Everything stored. A clone is a snapshot.
///
/// It is a register of members too, and may be written by several of them, each in a lane of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    owners: BTreeMap<Owner, Stored>,
    members: Members,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stored {
    collections: Names<Names<(u64, Bytes)>>,
    log: BTreeMap<LogId, Bytes>,
    tail: LogId,
}

impl Memory {
    /// Nothing stored.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a batch, but for the owners returned. No lane and no epoch is checked: for a store without members.
    pub fn commit(&mut self, batch: &Batch) -> Vec<Refusal> {
        self.commit_unless(batch, |_| false)
    }

    /// Applies a member's batch, but for the owners returned; see [`crate::Shared::backend`].
    pub fn commit_in(&mut self, lane: LaneId, batch: &Batch) -> Vec<Refusal> {
        if let Err(refused) = self.members.advance(lane, batch) {
            return refused;
        }
        let (table, ignores_epochs) = (Arc::clone(&self.members.table), self.members.ignores_epochs());
        let refused = self.commit_unless(batch, |set| {
            let owner = table.owner(set.owner.slot());
            (owner.member, owner.epoch) != (Some(lane.member), set.epoch) && !ignores_epochs
        });
        self.members.answered(lane, &refused);
        refused
    }

    fn commit_unless(&mut self, batch: &Batch, is_fenced: impl Fn(&WriteSet) -> bool) -> Vec<Refusal> {
        let mut refused = Vec::new();
        let fenced: HashSet<&Key> =
            batch.sets.iter().filter(|set| is_fenced(set)).map(|set| &set.owner).collect();
        for (owner, sets) in by_owner(batch) {
            if fenced.contains(owner) {
                refused.push((owner.clone(), CommitError::Fenced));
                continue;
            }
            let stored = self.owners.entry(Owner::from(owner)).or_default();
            let writes = || sets.iter().flat_map(|set| set.iter());
            match stored.check(owner, writes()) {
                Ok(()) => writes().for_each(|write| stored.write(write)),
                Err(error) => refused.push((owner.clone(), error)),
            }
        }
        refused
    }

    /// The answer to one question.
    pub fn query(&self, owner: &Key, query: &Query) -> Rows {
        match self.owners.get(&Owner::from(owner)) {
            Some(stored) => stored.query(query),
            None => Stored::default().query(query),
        }
    }

    /// Every row, ordered by owner.
    pub fn rows(&self) -> impl Iterator<Item = OwnedRow> + '_ {
        self.owners
            .iter()
            .flat_map(|(owner, stored)| stored.rows().map(move |row| OwnedRow { owner: owner.clone(), row }))
    }

    /// Puts a row of an export.
    pub fn restore(&mut self, row: OwnedRow) {
        self.owners.entry(row.owner).or_default().restore(row.row);
    }
}

impl Stored {
    /// Whether all of these would be taken, one after the other.
    fn check<'a>(&self, owner: &Key, writes: impl Iterator<Item = &'a Write>) -> Result<(), CommitError> {
        let mut versions = BTreeMap::new();
        let (mut tail, mut is_erased) = (self.tail, false);
        for write in writes {
            backend::check(owner, write)?;
            match write {
                Write::Put { collection, key, expect, .. } => {
                    let stored = if is_erased { 0 } else { self.version(collection.0, key) };
                    let version = versions.entry((collection.0, &**key)).or_insert(stored);
                    let is_expected = match expect {
                        Expect::Any => true,
                        Expect::Absent => *version == 0,
                        Expect::Version(expected) => *version == *expected && *version != 0,
                    };
                    if !is_expected {
                        return Err(CommitError::Conflict);
                    }
                    *version += 1;
                }
                Write::Delete { collection, key } => {
                    versions.insert((collection.0, &**key), 0);
                }
                Write::Append(append) if append.id <= tail => return Err(CommitError::Conflict),
                Write::Append(append) => tail = append.id,
                Write::Amend { .. } => {}
                Write::Erase => {
                    versions.clear();
                    (tail, is_erased) = (LogId(0), true);
                }
            }
        }
        Ok(())
    }

    /// Zero if there is no such record.
    fn version(&self, collection: &str, key: &str) -> u64 {
        self.collections.get(collection).and_then(|names| names.get(key)).map_or(0, |(version, _)| *version)
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::Put { collection, key, value, .. } => {
                let version = self.version(collection.0, key) + 1;
                let names = self.collections.entry(collection.0.into()).or_default();
                names.insert(key.clone(), (version, value.clone()));
            }
            Write::Delete { collection, key } => {
                if let Some(names) = self.collections.get_mut(collection.0) {
                    names.remove(key);
                }
            }
            Write::Append(append) => self.append(append),
            Write::Amend { id, value } => self.amend(*id, value.as_ref()),
            Write::Erase => *self = Self::default(),
        }
    }

    fn append(&mut self, append: &Append) {
        self.log.insert(append.id, append.value.clone());
        self.tail = append.id;
    }

    fn amend(&mut self, id: LogId, value: Option<&Bytes>) {
        match value {
            Some(value) => {
                self.log.entry(id).and_modify(|stored| *stored = value.clone());
            }
            None => {
                self.log.remove(&id);
            }
        }
    }

    fn query(&self, query: &Query) -> Rows {
        match query {
            Query::Record { collection, key } => Rows::Record(
                self.collections
                    .get(collection.0)
                    .and_then(|names| names.get_key_value(key))
                    .map(|(key, stored)| record(key, stored)),
            ),
            Query::Records { collection, after, limit } => {
                let names = self.collections.get(collection.0).into_iter().flatten();
                let wanted = names.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
                Rows::Records(wanted.take(*limit as usize).map(|(key, stored)| record(key, stored)).collect())
            }
            Query::LogAfter { after, limit } => {
                let entries = self.log.range((Bound::Excluded(*after), Bound::Unbounded)).map(log_row);
                Rows::Log(entries.take(*limit as usize).collect())
            }
            Query::LogBefore { before, limit } => {
                let end = before.map_or(Bound::Unbounded, Bound::Excluded);
                let entries = self.log.range((Bound::Unbounded, end)).rev();
                Rows::Log(entries.map(log_row).take(*limit as usize).collect())
            }
            Query::Tail => Rows::Tail(self.tail),
        }
    }

    fn has(&self, having: Having) -> bool {
        match having {
            Having::Record(Collection(name)) => {
                self.collections.get(name).is_some_and(|names| !names.is_empty())
            }
            Having::Entry => !self.log.is_empty(),
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let records = self.collections.iter().flat_map(|(collection, names)| {
            names.iter().map(|(key, (version, value))| Row::Record {
                collection: collection.clone(),
                key: key.clone(),
                version: *version,
                value: value.clone(),
            })
        });
        let entries = self.log.iter().map(|(&id, value)| Row::Entry { id, value: value.clone() });
        let tail = (self.tail > LogId(0)).then_some(Row::Tail(self.tail));
        entries.chain(records).chain(tail)
    }

    fn restore(&mut self, row: Row) {
        match row {
            Row::Record { collection, key, version, value } => {
                self.collections.entry(collection).or_default().insert(key, (version, value));
            }
            Row::Entry { id, value } => {
                self.log.insert(id, value);
                self.tail = self.tail.max(id);
            }
            Row::Tail(id) => self.tail = self.tail.max(id),
        }
    }
}

fn record(key: &str, (version, value): &(u64, Bytes)) -> Record {
    Record { key: key.into(), version: *version, value: value.clone() }
}

fn log_row((id, value): (&LogId, &Bytes)) -> LogRow {
    LogRow { id: *id, value: value.clone() }
}
