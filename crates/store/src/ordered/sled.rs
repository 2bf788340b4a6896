//! sled 0.34: a page log. Its `flush` hands pages to the device without a barrier (`sync_file_range`), so a power
//! cut could take what was acknowledged; every commit is followed by an `fdatasync` of our own on its log file.
//! Pages beyond a quarter of a segment (128 KiB) are files of their own, which sled does not sync at all: those that
//! are new are synced before the log. With many large values that is slow.

use super::{Changes, Order, Span, Table, View};
use crate::backend::Fault;
use crate::directory::{Directory, sync_directory};
use sled::{Batch, Db};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// How often, and how long apart, opening is tried while the file is still held: two seconds.
const OPEN_TRIES: u32 = 200;
const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// A handle of the open database.
#[derive(Clone)]
pub(crate) struct Sled {
    database: Db,
    /// The page log, to be synced.
    log: Arc<File>,
    /// The directory of large pages.
    blobs: PathBuf,
    /// sled has no snapshots and shows writes before they are durable: a commit has this for itself. Inside are the
    /// large pages that are durable.
    gate: Arc<RwLock<HashSet<OsString>>>,
    /// Unlocked when the last handle goes, so after the engine is closed: fields are dropped in this order.
    _directory: Arc<Directory>,
}

impl Sled {
    /// Opens or creates it in the directory's folder for engine files.
    pub(crate) fn open(directory: Directory, cache_bytes: u64) -> Result<Self, Fault> {
        let files = directory.files();
        let database = open_unlocked(&files, cache_bytes)?;
        let log = File::open(files.join("db"))?;
        log.sync_all()?;
        // The names of files that it has just created.
        sync_directory(&files)?;
        let (blobs, gate) = (files.join("blobs"), Arc::default());
        Ok(Self { database, log: Arc::new(log), blobs, gate, _directory: Arc::new(directory) })
    }

    /// They are written once and removed, never changed.
    fn sync_blobs(&self, durable: &mut HashSet<OsString>) -> io::Result<()> {
        let mut found = HashSet::new();
        let mut is_new = false;
        for file in fs::read_dir(&self.blobs)? {
            let file = file?;
            if !durable.contains(&file.file_name()) {
                match File::open(file.path()) {
                    Ok(blob) => blob.sync_data()?,
                    // Removed since: nothing refers to it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                is_new = true;
            }
            found.insert(file.file_name());
        }
        *durable = found;
        if is_new { sync_directory(&self.blobs) } else { Ok(()) }
    }
}

/// sled's own threads may hold its file for a moment after it was closed. No other process does: the directory is
/// locked by this one.
fn open_unlocked(files: &Path, cache_bytes: u64) -> Result<Db, sled::Error> {
    // Nothing is written but by commits, and they flush.
    let config = sled::Config::new().path(files).cache_capacity(cache_bytes).flush_every_ms(None);
    for _ in 0..OPEN_TRIES {
        match config.open() {
            // The message tells it; the kind is `Other`.
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {}
            opened => return opened,
        }
        #[expect(clippy::disallowed_methods, reason = "opening a store blocks, and is not for an arbiter")]
        std::thread::sleep(OPEN_PAUSE);
    }
    config.open()
}

impl Table for Sled {
    type View<'a> = SledView<'a>;

    fn view(&self) -> SledView<'_> {
        let guard = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        SledView { database: &self.database, _guard: guard }
    }

    fn apply(&self, changes: Changes) -> Result<(), Fault> {
        let mut durable_blobs = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.database.apply_batch(batch)?;
        self.database.flush()?;
        self.sync_blobs(&mut durable_blobs)?;
        Ok(self.log.sync_data()?)
    }
}

/// All rows; no commit is applied while it lives.
pub(crate) struct SledView<'a> {
    database: &'a Db,
    _guard: RwLockReadGuard<'a, HashSet<OsString>>,
}

impl View for SledView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.database.get(key)?.map(|value| value.to_vec()))
    }

    fn scan(&self, span: Span<'_>, order: Order, visit: &mut super::Visit<'_>) -> Result<(), Fault> {
        let mut range = self.database.range::<&[u8], _>(span);
        let mut next = || if order == Order::Up { range.next() } else { range.next_back() };
        while let Some(row) = next() {
            let (key, value) = row?;
            if let ControlFlow::Break(()) = visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }
}

impl From<sled::Error> for Fault {
    fn from(error: sled::Error) -> Self {
        Self::Engine(error.to_string())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Engine(error.to_string())
    }
}
