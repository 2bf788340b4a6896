//! Backup: one consistent state of the whole store, in the form of [`crate::export_format`]. It has everything, and
//! password verifiers with it: whoever makes the file makes it private.

use crate::backend::{Fault, Reader};
use crate::export_format::{End, Line, VERSION, hex};
use crate::store::Store;
use sha2::{Digest, Sha256};
use std::io::{self, BufWriter, Write};

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
