//! `stentor restore`

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use stentor_store::ImportError;

use super::output::{Failure, Output};
use crate::config::Config;
use crate::control::ControlClient;

/// Makes the store of `config` anew from the backup at `path`.
pub(super) fn run(config: &Config, path: &Path, output: &Output) -> Result<(), Failure> {
    // The store's own lock would refuse as well; this says what to do.
    if ControlClient::connect(&config.control.socket).is_ok() {
        return Err(Failure::new("the server is running: end it with `stentor stop` first"));
    }
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(|error| failed(&error))?;
    if let Some(parent) = config.store.path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let store = config.store.embedded().ok_or_else(|| {
        Failure::new(
            "a cluster's data is its database's: it is backed up and restored with the database's own tools",
        )
    })?;
    let imported = stentor_store::import(&store, BufReader::new(file));
    let summary = imported.map_err(|error| match error {
        ImportError::NotEmpty(store) => Failure::new(format!(
            "{} is not empty, and a backup makes a new store: move that away, or name another by store.path",
            store.display()
        )),
        ImportError::Line { line: 1, reason } => failed(&format!("this is no backup of Stentor ({reason})")),
        error => failed(&error),
    })?;
    let data = serde_json::json!({ "rows": summary.rows, "store": config.store.path.display().to_string() });
    output.print(&data, |_| vec![format!("{}: {} rows", config.store.path.display(), summary.rows)])
}
