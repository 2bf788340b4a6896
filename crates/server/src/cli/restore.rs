//! `stentor restore`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use stentor_store::postgres::Postgres;
use stentor_store::{ImportError, Summary};

use super::files::failure;
use super::output::{Failure, Output};
use crate::config::Config;
use crate::control::{ControlClient, ControlErrorKind};
use crate::member;

/// Makes the store of `config` anew from the backup at `path`.
pub(super) fn run(config: &Config, path: &Path, output: &Output) -> Result<(), Failure> {
    // The store's own lock would refuse as well; this says what to do.
    if ControlClient::connect(&config.control.socket).is_ok() {
        return Err(Failure::new(
            ControlErrorKind::Conflict,
            "the server is running: end it with `stentor stop` first",
        ));
    }
    let file = File::open(path).map_err(|error| failure(path, &error))?;
    let input = BufReader::new(file);
    let (place, imported) = match config.store.embedded() {
        Some(store) => {
            if let Some(parent) = config.store.path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            (config.store.path.display().to_string(), stentor_store::import(&store, input))
        }
        None => (config.store.url.clone().unwrap_or_default(), restore_shared(config, input)?),
    };
    let summary = imported.map_err(|error| not_imported(error, path, &place))?;
    let data = serde_json::json!({ "rows": summary.rows, "store": place });
    output.print(&data, |_| vec![format!("{place}: {} rows", summary.rows)])
}

fn not_imported(error: ImportError, path: &Path, place: &str) -> Failure {
    let (kind, message) = match error {
        ImportError::NotEmpty(store) => (
            ControlErrorKind::Conflict,
            format!(
                "{} is not empty, and a backup makes a new store: move that away, or name another by store.path",
                store.display()
            ),
        ),
        ImportError::HasRows => (
            ControlErrorKind::Conflict,
            format!(
                "{place} has accounts already, and a backup makes a new store: name another database by store.url"
            ),
        ),
        ImportError::Line { line: 1, reason } => {
            let message = format!("{}: this is no backup of Stentor ({reason})", path.display());
            (ControlErrorKind::Refused, message)
        }
        error => (ControlErrorKind::Fault, format!("{}: {error}", path.display())),
    };
    Failure::new(kind, message)
}

/// Into the store of a cluster of which no member lives: nobody else could write to it meanwhile.
fn restore_shared(config: &Config, input: impl BufRead) -> Result<Result<Summary, ImportError>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(ControlErrorKind::Unavailable, format!("store: {error}"))
    };
    let database = member::database(config).map_err(|error| failed(&error))?;
    let postgres = Postgres::open(&database).map_err(|error| failed(&error))?;
    let mut backend = postgres.alone().map_err(|error| failed(&error))?;
    Ok(stentor_store::restore(&mut *backend, input))
}
