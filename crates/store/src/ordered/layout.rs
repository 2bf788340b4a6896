//! How rows lie in an engine that has one ordered table of bytes.
//!
//! A key is the owner's kind letter, its address, a NUL, the letter of the table, and the rest:
//!
//! | table | rest of the key | value, after the byte of the format |
//! |---|---|---|
//! | `l`, the log | id, 8 bytes big-endian | the entry's value |
//! | `r`, records | collection, NUL, name | version, 8 bytes big-endian, the record's value |
//! | `t`, the tail | nothing | id, 8 bytes big-endian |
//!
//! An address has no NUL (RFC 7622 forbids control characters), nor has the name of a collection, so no owner's rows
//! lie among another's, whatever their names begin with.

use crate::backend::Fault;
use crate::row::Owner;
use bytes::{BufMut, Bytes};
use stentor_engine::{Key, LogId};

/// The format of values that is written; the first byte of each.
const FORMAT: u8 = 1;

/// Which of an owner's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Log(LogId),
    Record(&'a str, &'a str),
    Tail,
}

/// Makes the keys of one owner's rows.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: Vec<u8>,
}

impl From<&Key> for Keys {
    fn from(key: &Key) -> Self {
        let (kind, address) = key.parts();
        Self::new(kind, address)
    }
}

impl From<&Owner> for Keys {
    fn from(owner: &Owner) -> Self {
        Self::new(owner.kind, &owner.address)
    }
}

impl Keys {
    fn new(kind: u8, address: &str) -> Self {
        let mut prefix = Vec::with_capacity(address.len() + 2);
        prefix.push(kind);
        prefix.extend_from_slice(address.as_bytes());
        prefix.push(0);
        Self { prefix }
    }

    /// What every row of this owner begins with.
    pub(crate) fn all(&self) -> &[u8] {
        &self.prefix
    }

    /// The first key that is behind all of them.
    pub(crate) fn end(&self) -> Vec<u8> {
        after_prefix(self.prefix.clone())
    }

    /// The key of a row.
    pub(crate) fn row(&self, place: Place<'_>) -> Vec<u8> {
        let (letter, parts): (u8, [&[u8]; 3]) = match place {
            Place::Log(LogId(id)) => {
                let mut row = Vec::with_capacity(self.prefix.len() + 9);
                row.extend_from_slice(&self.prefix);
                row.push(b'l');
                row.put_u64(id);
                return row;
            }
            Place::Record(collection, key) => (b'r', [collection.as_bytes(), b"\0", key.as_bytes()]),
            Place::Tail => (b't', [b"", b"", b""]),
        };
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut row = Vec::with_capacity(self.prefix.len() + 1 + length);
        row.extend_from_slice(&self.prefix);
        row.push(letter);
        parts.iter().for_each(|part| row.extend_from_slice(part));
        row
    }
}

/// The first key after all that begin with `prefix`, for prefixes that end in a byte below 255, as all here do.
pub(crate) fn after_prefix(mut prefix: Vec<u8>) -> Vec<u8> {
    if let Some(last) = prefix.last_mut() {
        *last = last.saturating_add(1);
    }
    prefix
}

/// Takes the key of a row apart.
pub(crate) fn parse(row: &[u8]) -> Result<(Owner, Place<'_>), Fault> {
    let (owner, rest) = split_nul(row).ok_or(Fault::Corrupt("a key without an owner"))?;
    let (kind, address) = owner.split_first().ok_or(Fault::Corrupt("a key without a kind"))?;
    let (letter, rest) = rest.split_first().ok_or(Fault::Corrupt("a key without a table"))?;
    let place = match letter {
        b'l' => Place::Log(number(rest)?),
        b'r' => {
            let (collection, key) = split_nul(rest).ok_or(Fault::Corrupt("a record without a collection"))?;
            Place::Record(text(collection)?, text(key)?)
        }
        b't' if rest.is_empty() => Place::Tail,
        _ => return Err(Fault::Corrupt("a key of an unknown table")),
    };
    Ok((Owner { kind: *kind, address: text(address)?.into() }, place))
}

fn split_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Corrupt("a name that is not UTF-8"))
}

fn number(bytes: &[u8]) -> Result<LogId, Fault> {
    let bytes = bytes.try_into().map_err(|_| Fault::Corrupt("an id that is not eight bytes"))?;
    Ok(LogId(u64::from_be_bytes(bytes)))
}

/// The value of a row that is a log id.
pub(crate) fn id_value(LogId(id): LogId) -> Vec<u8> {
    let mut row = vec![FORMAT];
    row.put_u64(id);
    row
}

/// Reads [`id_value`].
pub(crate) fn read_id(row: &[u8]) -> Result<LogId, Fault> {
    number(unframed(row)?)
}

/// The value of a record's row.
pub(crate) fn record_value(version: u64, value: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(9 + value.len());
    row.push(FORMAT);
    row.put_u64(version);
    row.extend_from_slice(value);
    row
}

/// Reads [`record_value`]: the version and the value.
pub(crate) fn read_record(row: &[u8]) -> Result<(u64, Bytes), Fault> {
    let (version, value) =
        unframed(row)?.split_first_chunk::<8>().ok_or(Fault::Corrupt("a record without a version"))?;
    Ok((u64::from_be_bytes(*version), Bytes::copy_from_slice(value)))
}

/// The value of a log entry's row.
pub(crate) fn entry_value(value: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + value.len());
    row.push(FORMAT);
    row.extend_from_slice(value);
    row
}

/// Reads [`entry_value`].
pub(crate) fn read_entry(row: &[u8]) -> Result<Bytes, Fault> {
    unframed(row).map(Bytes::copy_from_slice)
}

fn unframed(row: &[u8]) -> Result<&[u8], Fault> {
    match row.split_first() {
        Some((&FORMAT, rest)) => Ok(rest),
        Some(_) => Err(Fault::Corrupt("a row of another format")),
        None => Err(Fault::Corrupt("an empty row")),
    }
}
