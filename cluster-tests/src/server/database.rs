//! A PostgreSQL of a test's own.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lib/postgres.sh");

/// A database that ends, and whose files go, once its input is closed: also when this process is killed.
pub(super) struct Database {
    pub(super) address: SocketAddr,
    pub(super) user: String,
    pub(super) name: String,
    pub(super) password: String,
    child: Child,
}

impl Database {
    pub(super) fn start() -> Result<Self, String> {
        // Another user than this one may run it, who must be able to go there.
        let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir();
        let folder = folder.map_err(|e| e.to_string())?.keep();
        let mut command = Command::new(SCRIPT);
        command.arg("start").arg(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{SCRIPT}: {e}"))?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line).map_err(|e| e.to_string())?;
        let parts = line.trim_end().strip_prefix("postgresql://").and_then(|rest| {
            let (user, place) = rest.split_once('@')?;
            let (user, password) = user.split_once(':')?;
            let (address, name) = place.split_once('/')?;
            Some(((user.to_owned(), name.to_owned()), password.to_owned(), address.parse().ok()?))
        });
        let Some(((user, name), password, address)) = parts else {
            let _ = child.wait();
            let _ = fs::remove_dir_all(&folder);
            return Err("PostgreSQL cannot be had here; the reason stands above".to_owned());
        };
        Ok(Self { address, user, name, password, child })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
