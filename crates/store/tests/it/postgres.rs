//! A private, throwaway PostgreSQL.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use stentor_store::postgres::{Postgres, PostgresConfig};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lib/postgres.sh");

/// A server that ends, and whose files go, once the input of `child` is closed: also when this process ends or is killed.
pub(crate) struct Server {
    pub(crate) url: String,
    child: Child,
    directory: PathBuf,
}

static SHARED: LazyLock<Option<Server>> = LazyLock::new(Server::try_start);
static SCHEMAS: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// None, with the reason printed, if it cannot be had here.
    pub(crate) fn start() -> Option<Self> {
        let server = Self::try_start();
        if server.is_none() {
            println!("skipped: PostgreSQL cannot be had here; the reason stands above");
        }
        server
    }

    /// One for all tests of this process that do not end it.
    pub(crate) fn shared() -> Option<&'static Self> {
        if SHARED.is_none() {
            println!("skipped: PostgreSQL cannot be had here; one of the tests tells the reason");
        }
        SHARED.as_ref()
    }

    fn try_start() -> Option<Self> {
        // Another user than this one may run it, who must be able to go there.
        let directory =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap().keep();
        let mut child = Command::new(SCRIPT)
            .arg("start")
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        if url.is_empty() {
            child.wait().unwrap();
            let _ = std::fs::remove_dir_all(&directory);
            return None;
        }
        Some(Self { url: url.trim_end().to_owned(), child, directory })
    }

    /// Tables of their own each time.
    pub(crate) fn config(&self) -> PostgresConfig {
        let schema = format!("test {}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        PostgresConfig { schema, ..PostgresConfig::new(&self.url) }
    }

    pub(crate) fn address(&self) -> &str {
        self.url.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).unwrap()
    }

    /// As after a crash: whatever is under way is cut.
    pub(crate) fn restart(&self) {
        assert!(Command::new(SCRIPT).arg("restart").arg(&self.directory).status().unwrap().success());
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn it_ends_with_who_asked_for_it() {
    let Some(mut postgres) = Server::start() else { return };
    drop(TcpStream::connect(postgres.address()).unwrap());
    postgres.end();
    assert!(TcpStream::connect(postgres.address()).is_err());
    assert!(!Path::new(&postgres.directory).exists());
}

#[test]
fn whoever_opens_it_has_the_secret_of_the_first() {
    let Some(postgres) = Server::shared() else { return };
    let config = postgres.config();
    for offered in 1..4 {
        let store = Postgres::open(&config).unwrap();
        assert_eq!(store.secret([offered; 32]).unwrap(), [1; 32]);
        assert_eq!(store.clone().secret([9; 32]).unwrap(), [1; 32]);
    }
}
