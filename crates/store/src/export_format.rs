//! The form of an export: text, independent of any engine.
//!
//! Version 1 is UTF-8, one JSON object a line: first `{"stentor_export":1}`, then the rows (`record`, `entry`,
//! `tail`), each with its owner, last `{"end":{"rows":…,"sha256":…}}`, whose hash is that of all
//! bytes before this line. A value stands as text where it is UTF-8, as base64 where it is not. Another kind of line
//! is refused: a version that has one says so in its first line.

use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::row::{OwnedRow, Owner, Row};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stentor_engine::LogId;

pub(crate) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Line {
    StentorExport(u32),
    Record(Owned<RecordLine>),
    Entry(Owned<EntryLine>),
    Tail(Owned<TailLine>),
    End(End),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Owned<T> {
    pub(crate) kind: char,
    pub(crate) owner: Box<str>,
    #[serde(flatten)]
    pub(crate) row: T,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RecordLine {
    pub(crate) collection: Box<str>,
    pub(crate) key: Box<str>,
    pub(crate) version: u64,
    #[serde(flatten)]
    pub(crate) value: Value,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct EntryLine {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) value: Value,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TailLine {
    pub(crate) id: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Value {
    Value(String),
    Base64(String),
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    pub(crate) rows: u64,
    pub(crate) sha256: String,
}

impl From<OwnedRow> for Line {
    fn from(OwnedRow { owner: Owner { kind, address: owner }, row }: OwnedRow) -> Self {
        let kind = char::from(kind);
        match row {
            Row::Record { collection, key, version, value } => {
                let row = RecordLine { collection, key, version, value: value.into() };
                Self::Record(Owned { kind, owner, row })
            }
            Row::Entry { id, value } => {
                Self::Entry(Owned { kind, owner, row: EntryLine { id: id.0, value: value.into() } })
            }
            Row::Tail(id) => Self::Tail(Owned { kind, owner, row: TailLine { id: id.0 } }),
        }
    }
}

impl TryFrom<Line> for OwnedRow {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Self, Self::Error> {
        let (kind, address, row) = match line {
            Line::Record(Owned { kind, owner, row: RecordLine { collection, key, version, value } }) => {
                (kind, owner, Row::Record { collection, key, version, value: value.try_into()? })
            }
            Line::Entry(Owned { kind, owner, row: EntryLine { id, value } }) => {
                (kind, owner, Row::Entry { id: LogId(id), value: value.try_into()? })
            }
            Line::Tail(Owned { kind, owner, row: TailLine { id } }) => (kind, owner, Row::Tail(LogId(id))),
            Line::StentorExport(_) | Line::End(_) => return Err("it is no row"),
        };
        if !kind.is_ascii_alphabetic() {
            return Err("the kind of the owner is no letter");
        }
        if address.contains('\0') {
            return Err("the owner has a NUL");
        }
        check(&address, &row)?;
        Ok(Self { owner: Owner { kind: kind as u8, address }, row })
    }
}

/// The limits that a write has as well.
fn check(address: &str, row: &Row) -> Result<(), &'static str> {
    let (name_bytes, value_bytes) = match row {
        Row::Record { collection, .. } if collection.contains('\0') => {
            return Err("the collection has a NUL");
        }
        Row::Record { collection, key, value, .. } => (collection.len() + key.len(), value.len()),
        Row::Entry { value, .. } => (0, value.len()),
        Row::Tail(_) => (0, 0),
    };
    if address.len() + name_bytes + 8 > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX {
        return Err("a name or value is too long");
    }
    Ok(())
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        match std::str::from_utf8(&value) {
            Ok(text) => Self::Value(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(&value)),
        }
    }
}

impl TryFrom<Value> for Bytes {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::Value(text) => Ok(text.into()),
            Value::Base64(text) => Ok(STANDARD.decode(text).map_err(|_| "its value is no base64")?.into()),
        }
    }
}

/// As `sha256sum` prints it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
