//! The two shapes of the store: records and logs. What an entity may ask of it and what comes back.

use crate::{Epoch, Key};
use bytes::Bytes;

/// A position in an owner's log: unique and increasing, assigned by the owner before the batch (the last + 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub u64);

impl LogId {
    /// The one after it.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A named set of records of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Collection(pub &'static str);

/// What a record must be for a write to it to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever it is.
    Any,
    /// There is none.
    Absent,
    /// It has this version.
    Version(u64),
}

/// One change to what an owner has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Puts a record; its version becomes one more than it was, from 1.
    Put {
        /// Where.
        collection: Collection,
        /// Its name there.
        key: Box<str>,
        /// Versioned XML or JSON.
        value: Bytes,
        /// What it must have been.
        expect: Expect,
    },
    /// Removes a record; one that is not there is no fault.
    Delete {
        /// Where.
        collection: Collection,
        /// Its name there.
        key: Box<str>,
    },
    /// Appends to the log.
    Append(Append),
    /// Replaces the value of a log entry, or takes the entry out (`None`); an entry that is not there is no fault.
    Amend {
        /// Which.
        id: LogId,
        /// The new value, or none to remove it.
        value: Option<Bytes>,
    },
    /// Removes everything of this owner: records and log.
    Erase,
}

/// A log entry to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Its id, greater than any before in this log.
    pub id: LogId,
    /// Versioned XML.
    pub value: Bytes,
}

/// All that one event of one entity wrote; committed whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteSet {
    /// Whose.
    pub owner: Key,
    /// Of the owner's slot, as this member owns it.
    pub epoch: Epoch,
    /// Counts the owner's write sets since it was loaded, from 1.
    pub ticket: u64,
    /// In order.
    pub writes: Vec<Write>,
}

/// Why an owner's write sets were not committed; none of them in the batch was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A record was not what [`Expect`] said, or a log id was not greater than the last: another one wrote.
    #[error("another writer was there before")]
    Conflict,
    /// The owner's slot is another member's by now, or this member was fenced: what was written here is no more.
    #[error("another member owns the slot")]
    Fenced,
    /// The engine failed (disk full, I/O error). Nothing more may be acknowledged until a commit succeeds.
    #[error("the store failed: {0}")]
    Store(String),
}

/// A question to the store about one owner. It sees all earlier writes of its entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// One record: [`Rows::Record`].
    Record {
        /// Where.
        collection: Collection,
        /// Its name there.
        key: Box<str>,
    },
    /// Records of a collection in the order of their names: [`Rows::Records`].
    Records {
        /// Where.
        collection: Collection,
        /// Only those after this name.
        after: Option<Box<str>>,
        /// At most so many.
        limit: u32,
    },
    /// Entries of the log with an id greater than `after`, oldest first: [`Rows::Log`].
    LogAfter {
        /// The id before the first.
        after: LogId,
        /// At most so many.
        limit: u32,
    },
    /// Entries of the log with an id less than `before` (all if none), newest first: [`Rows::Log`].
    LogBefore {
        /// The id after the first.
        before: Option<LogId>,
        /// At most so many.
        limit: u32,
    },
    /// The greatest log id ever used by this owner, also if its entry was removed: [`Rows::Tail`].
    Tail,
}

/// A record as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name in the collection.
    pub key: Box<str>,
    /// Counts its puts since it was last absent, from 1.
    pub version: u64,
    /// What was put.
    pub value: Bytes,
}

/// A log entry as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its position.
    pub id: LogId,
    /// What was appended.
    pub value: Bytes,
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// To [`Query::Record`].
    Record(Option<Record>),
    /// To [`Query::Records`].
    Records(Vec<Record>),
    /// To the queries of a log.
    Log(Vec<LogRow>),
    /// To [`Query::Tail`]; zero if the log was never written.
    Tail(LogId),
    /// The engine failed; what was asked is unknown.
    Failed(String),
}
