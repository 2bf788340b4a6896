//! What is stored, apart from how an engine lays it out: the form of an export.

use bytes::Bytes;
use stentor_engine::{Key, LogId, Slot};

/// The name of an owner as text: its kind's letter, then the address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The letter of [`Key::parts`].
    pub kind: u8,
    /// The address.
    pub address: Box<str>,
}

impl Owner {
    /// The slot that it hashes to.
    pub fn slot(&self) -> Slot {
        Slot::of(self.kind, &self.address)
    }
}

impl From<&Key> for Owner {
    fn from(key: &Key) -> Self {
        let (kind, address) = key.parts();
        Self { kind, address: address.into() }
    }
}

/// A row and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRow {
    /// Whose.
    pub owner: Owner,
    /// What.
    pub row: Row,
}

/// One thing stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A record.
    Record {
        /// Its collection.
        collection: Box<str>,
        /// Its name there.
        key: Box<str>,
        /// Its version.
        version: u64,
        /// Its value.
        value: Bytes,
    },
    /// A log entry.
    Entry {
        /// Its position.
        id: LogId,
        /// Its value.
        value: Bytes,
    },
    /// The greatest id that the log ever had.
    Tail(LogId),
}
