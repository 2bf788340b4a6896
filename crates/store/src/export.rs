//! Backup and restore: the whole store as text, independent of any engine.
//!
//! Version 1 is UTF-8, one JSON object a line: first `{"stentor_export":1}`, then the rows (`record`, `entry`,
//! `removed`, `tail`), each with its owner, last `{"end":{"rows":…,"sha256":…}}`, whose hash is that of all
//! bytes before this line. A value stands as text where it is UTF-8, as base64 where it is not. Unknown members
//! are refused: a newer version says so in its first line.

use crate::backend::{Backend, Fault, Reader};
use crate::directory::{Directory, sync_directory};
use crate::limits::{
    ENTRY_KEYS_MAX, EXPORT_LINE_BYTES_MAX, KEY_BYTES_MAX, RESTORE_ROWS_MAX, VALUE_BYTES_MAX,
};
use crate::row::{OwnedRow, Owner, Row};
use crate::store::{Config, Engine, OpenError, Store, open_backend};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, BufRead, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use stentor_engine::LogId;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    StentorExport(u32),
    Record(Owned<RecordLine>),
    Entry(Owned<EntryLine>),
    Removed(Owned<RemovedLine>),
    Tail(Owned<TailLine>),
    End(End),
}

#[derive(Serialize, Deserialize)]
struct Owned<T> {
    kind: char,
    owner: Box<str>,
    #[serde(flatten)]
    row: T,
}

#[derive(Serialize, Deserialize)]
struct RecordLine {
    collection: Box<str>,
    key: Box<str>,
    version: u64,
    #[serde(flatten)]
    value: Value,
}

#[derive(Serialize, Deserialize)]
struct EntryLine {
    id: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<Box<str>>,
    #[serde(flatten)]
    value: Value,
}

#[derive(Serialize, Deserialize)]
struct RemovedLine {
    id: u64,
    keys: Vec<Box<str>>,
}

#[derive(Serialize, Deserialize)]
struct TailLine {
    id: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Value {
    Value(String),
    Base64(String),
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct End {
    rows: u64,
    sha256: String,
}

/// What an export or an import went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records, log entries, removed entries and tails.
    pub rows: u64,
}

/// Why an export is not complete; it has no trailer then, and no import takes it.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What is written to failed.
    #[error("the export could not be written: {0}")]
    Write(#[from] io::Error),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] Fault),
}

/// Why an import failed. [`import`] leaves no store behind; [`restore`] leaves one that must be thrown away.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is a store already, or other files.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The store was to be restored into one that has rows.
    #[error("the store is not empty")]
    HasRows,
    /// Memory is kept nowhere.
    #[error("nothing can be imported into the engine memory")]
    Memory,
    /// The new store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What is read, or the directory, failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The engine failed.
    #[error(transparent)]
    Store(#[from] Fault),
    /// A line is not of this format.
    #[error("line {line}: {reason}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The export ends early: it was cut off.
    #[error("the export is cut off after line {0}: its last line is missing")]
    Truncated(u64),
    /// The last line does not agree with those before it.
    #[error("the export is damaged: its rows are not those that its last line tells of")]
    Damaged,
}

impl Store {
    /// Writes one consistent state of the store, while it is in use. Blocks. (On sled, which has no snapshots,
    /// commits wait until it is done.)
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn export(&self, to: &mut dyn Write) -> Result<Summary, ExportError> {
        self.with_reader(|reader| export(reader, to))
    }
}

/// [`Store::export`] over a reader of one's own.
///
/// # Errors
/// See [`ExportError`].
pub fn export(reader: &dyn Reader, to: &mut dyn Write) -> Result<Summary, ExportError> {
    let mut out = Hashing { to: BufWriter::new(to), hash: Sha256::new() };
    write_line(&mut out, &Line::StentorExport(VERSION))?;
    let (mut rows, mut failed) = (0, None);
    reader.rows(&mut |row| match write_line(&mut out, &Line::from(row)) {
        Ok(()) => {
            rows += 1;
            true
        }
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let sha256 = hex(&out.hash.clone().finalize());
    write_line(&mut out, &Line::End(End { rows, sha256 }))?;
    out.to.flush()?;
    Ok(Summary { rows })
}

/// Makes a new store of an export, of whatever engine each is. The directory must not exist, or be empty; it
/// appears whole or not at all.
///
/// # Errors
/// See [`ImportError`]; there is no store then.
pub fn import(config: &Config, from: impl BufRead) -> Result<Summary, ImportError> {
    if config.engine == Engine::Memory {
        return Err(ImportError::Memory);
    }
    let is_taken = fs::read_dir(&config.directory).is_ok_and(|mut files| files.next().is_some());
    if is_taken || config.directory.is_file() {
        return Err(ImportError::NotEmpty(config.directory.clone()));
    }
    let mut name = config.directory.clone().into_os_string();
    name.push(".importing");
    let draft = PathBuf::from(name);
    discard(&draft, config)?;
    let imported = import_draft(&draft, config, from);
    if imported.is_err() {
        // The reason of the failure matters more than that of this one.
        let _ = fs::remove_dir_all(&draft);
    }
    imported
}

/// Removes what an interrupted import left, unless one is at work there.
fn discard(draft: &Path, config: &Config) -> Result<(), ImportError> {
    if draft.exists() {
        let lock = Directory::open(draft, config.engine.name());
        match lock {
            Err(error @ crate::directory::DirectoryError::InUse(_)) => {
                return Err(OpenError::from(error).into());
            }
            Ok(_) | Err(_) => fs::remove_dir_all(draft)?,
        }
    }
    Ok(())
}

fn import_draft(draft: &Path, config: &Config, from: impl BufRead) -> Result<Summary, ImportError> {
    let mut backend = open_backend(&Config { directory: draft.to_owned(), ..config.clone() })?;
    let summary = restore(&mut *backend, from)?;
    drop(backend);
    fs::rename(draft, &config.directory)?;
    let parent = config.directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_directory(parent.unwrap_or(Path::new(".")))?;
    Ok(summary)
}

/// Puts an export into an open store that has nothing.
///
/// # Errors
/// See [`ImportError`]. Except after [`ImportError::HasRows`] the store has some of the rows.
pub fn restore(backend: &mut dyn Backend, from: impl BufRead) -> Result<Summary, ImportError> {
    let mut is_empty = true;
    backend.reader().rows(&mut |_| {
        is_empty = false;
        false
    })?;
    if !is_empty {
        return Err(ImportError::HasRows);
    }
    let mut lines = Lines { from, hash: Sha256::new(), line: 0 };
    match lines.next()? {
        Some((Line::StentorExport(VERSION), _)) => {}
        Some((Line::StentorExport(version), _)) => {
            return Err(lines.fault(format!("version {version} of the format, where {VERSION} is known")));
        }
        _ => return Err(lines.fault("this is no export".to_owned())),
    }
    let (mut rows, mut waiting) = (0, Vec::new());
    loop {
        let Some((line, hash_before)) = lines.next()? else { return Err(ImportError::Truncated(lines.line)) };
        if let Line::End(end) = line {
            if end != (End { rows, sha256: hex(&hash_before.finalize()) }) {
                return Err(ImportError::Damaged);
            }
            break;
        }
        waiting.push(OwnedRow::try_from(line).map_err(|reason| lines.fault(reason.to_owned()))?);
        rows += 1;
        if waiting.len() == RESTORE_ROWS_MAX {
            backend.restore(std::mem::take(&mut waiting))?;
        }
    }
    if lines.next()?.is_some() {
        return Err(lines.fault("something stands after the end".to_owned()));
    }
    backend.restore(waiting)?;
    Ok(Summary { rows })
}

struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn write_line(to: &mut impl Write, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    to.write_all(&text)
}

struct Lines<R> {
    from: R,
    hash: Sha256,
    line: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line, and the hash of all before it.
    fn next(&mut self) -> Result<Option<(Line, Sha256)>, ImportError> {
        let mut text = Vec::new();
        let length = (&mut self.from).take(EXPORT_LINE_BYTES_MAX as u64).read_until(b'\n', &mut text)?;
        if length == 0 {
            return Ok(None);
        }
        self.line += 1;
        if text.last() != Some(&b'\n') {
            return match length {
                EXPORT_LINE_BYTES_MAX => Err(self.fault("it is too long".to_owned())),
                _ => Err(ImportError::Truncated(self.line)),
            };
        }
        let before = self.hash.clone();
        self.hash.update(&text);
        let line = serde_json::from_slice(&text).map_err(|error| self.fault(error.to_string()))?;
        Ok(Some((line, before)))
    }

    fn fault(&self, reason: String) -> ImportError {
        ImportError::Line { line: self.line, reason }
    }
}

impl From<OwnedRow> for Line {
    fn from(OwnedRow { owner: Owner { kind, address: owner }, row }: OwnedRow) -> Self {
        let kind = char::from(kind);
        match row {
            Row::Record { collection, key, version, value } => {
                let row = RecordLine { collection, key, version, value: value.into() };
                Self::Record(Owned { kind, owner, row })
            }
            Row::Entry { id, keys, value } => {
                Self::Entry(Owned { kind, owner, row: EntryLine { id: id.0, keys, value: value.into() } })
            }
            Row::Removed { id, keys } => {
                Self::Removed(Owned { kind, owner, row: RemovedLine { id: id.0, keys } })
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
            Line::Entry(Owned { kind, owner, row: EntryLine { id, keys, value } }) => {
                (kind, owner, Row::Entry { id: LogId(id), keys, value: value.try_into()? })
            }
            Line::Removed(Owned { kind, owner, row: RemovedLine { id, keys } }) => {
                (kind, owner, Row::Removed { id: LogId(id), keys })
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
    let longest = |keys: &[Box<str>]| keys.iter().map(|key| key.len()).max().unwrap_or(0);
    let (name_bytes, keys, value_bytes) = match row {
        Row::Record { collection, .. } if collection.contains('\0') => {
            return Err("the collection has a NUL");
        }
        Row::Record { collection, key, value, .. } => (collection.len() + key.len(), 0, value.len()),
        Row::Entry { keys, value, .. } => (longest(keys), keys.len(), value.len()),
        Row::Removed { keys, .. } => (longest(keys), keys.len(), 0),
        Row::Tail(_) => (0, 0, 0),
    };
    if address.len() + name_bytes + 8 > KEY_BYTES_MAX
        || keys > ENTRY_KEYS_MAX
        || value_bytes > VALUE_BYTES_MAX
    {
        return Err("a name or value is too long, or an entry has too many keys");
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
