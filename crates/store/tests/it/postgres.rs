//! A private, throwaway PostgreSQL.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A server that ends, and whose files go, once the input of `child` is closed: also when this process is killed.
struct Postgres {
    url: String,
    child: Child,
    directory: TempDir,
}

impl Postgres {
    /// None, with the reason printed, if it cannot be had here.
    fn start() -> Option<Self> {
        // Another user than this one may run it, who must be able to go there.
        let directory =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/lib/postgres.sh");
        let mut child = Command::new(script)
            .arg("start")
            .arg(directory.path().join("postgres"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        if url.is_empty() {
            child.wait().unwrap();
            println!("skipped: PostgreSQL cannot be had here; the reason stands above");
            return None;
        }
        Some(Self { url: url.trim_end().to_owned(), child, directory })
    }

    fn address(&self) -> &str {
        self.url.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).unwrap()
    }
}

#[test]
fn it_ends_with_who_asked_for_it() {
    let Some(mut postgres) = Postgres::start() else { return };
    drop(TcpStream::connect(postgres.address()).unwrap());
    drop(postgres.child.stdin.take());
    postgres.child.wait().unwrap();
    assert!(TcpStream::connect(postgres.address()).is_err());
    assert!(!postgres.directory.path().join("postgres").exists());
}
