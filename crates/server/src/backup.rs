//! Backups as files: the store's export, for its owner's eyes only.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use stentor_store::Store;

use crate::control::{BackupReport, ControlError, ControlErrorKind};

/// Writes an export of `store` to a new file; what is not whole is removed again. Blocks.
pub(crate) fn write(store: &Store, path: PathBuf) -> Result<BackupReport, ControlError> {
    let failed =
        |kind, error: &dyn std::fmt::Display| ControlError::new(kind, format!("{}: {error}", path.display()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let what =
                "there is a file of that name, and nothing is written over: name another, or move it away";
            failed(ControlErrorKind::Conflict, &what)
        }
        _ => failed(ControlErrorKind::Refused, &error),
    })?;
    match export(store, &mut file) {
        Ok((rows, bytes)) => Ok(BackupReport { path, rows, bytes }),
        Err(error) => {
            // Without its last line no restore takes it; that it is in the way would still be a nuisance.
            let _ = std::fs::remove_file(&path);
            Err(failed(ControlErrorKind::Fault, &error))
        }
    }
}

fn export(store: &Store, file: &mut File) -> Result<(u64, u64), stentor_store::ExportError> {
    let summary = store.export(file)?;
    file.sync_all()?;
    Ok((summary.rows, file.metadata()?.len()))
}
