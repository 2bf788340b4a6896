//! What commands write: never over what exists, and secrets for their owner alone.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::output::Failure;
use crate::control::ControlErrorKind;

/// How long a certificate is valid that is made here. Whoever trusts it does so by its fingerprint or by the file that
/// has it, and would have to do it anew with each one.
pub(super) const VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A certificate is valid from a day ago, for those whose clock is slow.
pub(super) const CLOCK_TOLERANCE: Duration = Duration::from_secs(86_400);

/// Before anything is written: half of it would be in the way of the next try. `hint` is what else can be done.
pub(super) fn refuse_existing<'a>(
    files: impl Iterator<Item = &'a PathBuf>,
    hint: &str,
) -> Result<(), Failure> {
    let existing: Vec<_> = files.filter(|file| file.symlink_metadata().is_ok()).collect();
    if existing.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<_> = existing.iter().map(|file| format!("{}: exists", file.display())).collect();
    lines.push(format!("nothing is written over: move away what is there, or {hint}"));
    Err(Failure::new(ControlErrorKind::Conflict, lines.join("\n")))
}

/// Why a file could not be used.
pub(super) fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(ControlErrorKind::of(error), format!("{}: {error}", path.display()))
}

/// Creates a folder that only its owner may enter; one that is there stays as it is.
pub(super) fn create_private_folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| failure(path, &error))
}

/// Writes a new file.
pub(super) fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|error| failure(path, &error))
}
