//! On a database: a server alone, and as a member of a cluster.

use crate::process::{Server, initialised, run, stentor};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lib/postgres.sh");

/// A private PostgreSQL, which ends once the input of the process closes.
struct Postgres {
    process: Child,
    place: String,
    password: String,
}

impl Postgres {
    /// None, with the reason printed, if it cannot be had here.
    fn start() -> Option<Self> {
        // Another user than this one may run it, who must be able to go there.
        let readable = std::fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().permissions(readable).tempdir().expect("a folder").keep();
        let mut process = Command::new(SCRIPT)
            .arg("start")
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut url = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut url).expect("UTF-8");
        let Some((user, place)) = url.trim_end().split_once('@') else {
            process.wait().expect("it ends");
            println!("skipped: PostgreSQL cannot be had here; the reason stands above");
            return None;
        };
        let password = user.rsplit(':').next().unwrap_or_default().to_owned();
        Some(Self { process, place: place.to_owned(), password })
    }

    /// `stentor` on this database, with more settings.
    fn stentor(&self, folder: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Command {
        std::fs::write(folder.join("password"), &self.password).expect("written");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(folder.join("password"), private).expect("set");
        let url = format!("postgresql://stentor@{}", self.place);
        let mut command = stentor(folder, arguments);
        let store = [("ENGINE", "postgres"), ("URL", &url), ("PASSWORD_FILE", "password"), ("TLS", "off")];
        command.envs(store.map(|(setting, value)| (format!("STENTOR__STORE__{setting}"), value)));
        command.envs(more.iter().map(|(setting, value)| (format!("STENTOR__{setting}"), value)));
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

const MEMBER: &[(&str, &str)] = &[
    ("CLUSTER__ID", "test"),
    ("CLUSTER__NAME", "a"),
    ("CLUSTER__LINK", "127.0.0.1:0"),
    ("CLUSTER__GOSSIP", "127.0.0.1:0"),
    ("CLUSTER__AUTHORITY", "cluster/authority.crt"),
    ("CLUSTER__CERTIFICATE", "cluster/a.crt"),
    ("CLUSTER__KEY", "cluster/a.key"),
    ("CLUSTER__GOSSIP_KEYS", "cluster/gossip.keys"),
];

fn with_certificates() -> tempfile::TempDir {
    let folder = initialised();
    assert!(run(folder.path(), &["cluster", "init", "cluster", "--member", "a"]).status.success());
    folder
}

/// A member waits for its database, says over HTTP that it does, and can be told to stop waiting.
#[test]
fn a_member_that_waits_for_the_store_ends_at_once() {
    let folder = with_certificates();
    let mut command = stentor(folder.path(), &["serve"]);
    // Nobody listens there.
    let store = [("ENGINE", "postgres"), ("URL", "postgresql://stentor@127.0.0.1:1/stentor"), ("TLS", "off")];
    command.envs(store.map(|(setting, value)| (format!("STENTOR__STORE__{setting}"), value)));
    command.envs(MEMBER.iter().map(|(setting, value)| (format!("STENTOR__{setting}"), value)));
    let mut server = Server::of(command.env("STENTOR__HTTP__LISTEN", "['127.0.0.1:0']"));
    let listening = server.wait_for("listening");
    server.wait_for("opening the store");
    let mut http = TcpStream::connect(listening["address"].as_str().expect("text")).expect("it is there");
    http.write_all(b"GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    http.read_to_string(&mut answer).expect("it answers");
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.ends_with("\r\n\r\nthe server starts\n"),
        "{answer}"
    );
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
}

/// What it has stays there when it becomes a member of a cluster, and when it is alone again.
#[test]
fn a_server_is_alone_on_a_database_or_a_member() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = with_certificates();
    let folder = folder.path();
    let accounts = |expected: &[&str]| {
        let list = run(folder, &["user", "list", "--json"]);
        let list: Vec<serde_json::Value> = serde_json::from_slice(&list.stdout).expect("JSON");
        let names: Vec<_> = list.iter().filter_map(|user| user.get("jid")?.as_str()).collect();
        assert_eq!(names, expected);
    };
    let mut expected = Vec::new();
    for (name, settings) in [("a@example.org", &[][..]), ("b@example.org", MEMBER), ("c@example.org", &[])] {
        let mut server = Server::of(&mut postgres.stentor(folder, &["serve"], settings));
        server.wait_for("ready");
        accounts(&expected);
        let added = run(folder, &["user", "add", name, "--password", "secret"]);
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        expected.push(name);
        accounts(&expected);
        assert!(run(folder, &["stop"]).status.success());
        assert_eq!(server.end(), Some(0));
    }
    assert!(!folder.join("data/secret").exists(), "it is in the database");
}

/// Who was there first is told why it cannot go on.
#[test]
fn two_servers_are_not_alone_on_a_database() {
    let Some(postgres) = Postgres::start() else { return };
    let (one, other) = (initialised(), with_certificates());
    let mut first = Server::of(&mut postgres.stentor(one.path(), &["serve"], &[]));
    first.wait_for("ready");
    let mut second = Server::of(&mut postgres.stentor(other.path(), &["serve"], MEMBER));
    second.wait_for("ready");
    let added = run(one.path(), &["user", "add", "a@example.org", "--password", "secret"]);
    assert!(!added.status.success());
    assert_ne!(first.process.wait().expect("it ends").code(), Some(0));
    let third = postgres.stentor(one.path(), &["serve"], &[]).output().expect("it runs");
    assert_eq!(third.status.code(), Some(1));
    let why = String::from_utf8_lossy(&third.stderr);
    assert!(
        why.contains("belongs to a cluster that has the member a: start this server as a member"),
        "{why}"
    );
    assert!(run(other.path(), &["stop"]).status.success());
    assert_eq!(second.end(), Some(0));
}
