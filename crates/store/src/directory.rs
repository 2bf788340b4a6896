//! The directory that a store lives in: private, locked, and marked with its engine and format.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Read, write and search for its user alone: it has messages and password hashes.
const MODE: u32 = 0o700;
const MARKER: &str = "store.json";
const LOCK: &str = "lock";
/// The layout of rows that this program reads and writes.
const FORMAT: u32 = 2;

/// Why a directory cannot be used. Nothing in it was changed but its mode.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It was made by another engine.
    #[error("{} was made by the engine {found}, not {asked}", path.display())]
    OtherEngine {
        /// Which directory.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// What was asked for.
        asked: &'static str,
    },
    /// A newer version of the program made it, or something else.
    #[error("{} is not a store that this version can read: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

/// An open store's directory. It is unlocked when this is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    lock: File,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Marker {
    format: u32,
    engine: String,
}

impl Directory {
    /// Creates it if it is not there, and takes the lock.
    pub(crate) fn open(path: &Path, engine: &'static str) -> Result<Self, DirectoryError> {
        let failed = |error| DirectoryError::Io { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(MODE).create(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed)?;
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DirectoryError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let directory = Self { path: path.to_owned(), lock };
        directory.check_marker(engine)?;
        Ok(directory)
    }

    /// Where the engine has its files.
    pub(crate) fn files(&self) -> PathBuf {
        self.path.join("rows")
    }

    fn check_marker(&self, engine: &'static str) -> Result<(), DirectoryError> {
        let path = self.path.join(MARKER);
        let failed = |error| DirectoryError::Io { path: path.clone(), error };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.mark(engine).map_err(failed);
            }
            Err(error) => return Err(failed(error)),
        };
        let unreadable = |reason| DirectoryError::Unreadable { path: path.clone(), reason };
        let marker: Marker = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if marker.format != FORMAT {
            return Err(unreadable(format!("format {}, where {FORMAT} is known", marker.format)));
        }
        if marker.engine != engine {
            let (path, found) = (self.path.clone(), marker.engine);
            return Err(DirectoryError::OtherEngine { path, found, asked: engine });
        }
        Ok(())
    }

    /// Written under another name first, so that a crash leaves no half of it.
    fn mark(&self, engine: &str) -> io::Result<()> {
        let text = serde_json::to_vec(&Marker { format: FORMAT, engine: engine.to_owned() })?;
        let draft = self.path.join("store.json.new");
        let mut file = File::create(&draft)?;
        file.write_all(&text)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&draft, self.path.join(MARKER))?;
        DirBuilder::new().recursive(true).mode(MODE).create(self.files())?;
        sync_directory(&self.path)?;
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_directory)
    }
}

/// Not left to closing the file: a process just forked may have it as well, until it becomes another program.
impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "a store's directory could not be unlocked");
        }
    }
}

/// Makes the names of the files in it durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
