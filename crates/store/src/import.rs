//! Restore: a new store of an export, of whatever engine each is.

use crate::backend::{Backend, Fault};
use crate::directory::{Directory, DirectoryError, sync_directory};
use crate::export::Summary;
use crate::export_format::{End, Line, VERSION, hex};
use crate::limits::{EXPORT_LINE_BYTES_MAX, RESTORE_ROWS_MAX};
use crate::row::OwnedRow;
use crate::store::{Config, Engine, OpenError, open_backend};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

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
            Err(error @ DirectoryError::InUse(_)) => {
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
