//! On a database: a server alone, and as a member of a cluster.

#[path = "../support/postgres.rs"]
mod database;

use crate::process::{Server, initialised, run, stentor};
use database::{MEMBER, Postgres};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

/// `stentor` on a database, with more settings.
fn on(postgres: &Postgres, folder: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Command {
    let mut command = stentor(folder, arguments);
    command.envs(postgres.settings(folder)).envs(more.iter().copied());
    command
}

fn with_certificates() -> tempfile::TempDir {
    let folder = initialised();
    assert!(run(folder.path(), &["cluster", "init", "cluster", "--member", "a"]).status.success());
    folder
}

/// A member whose database is not there.
fn waiting(folder: &Path) -> Command {
    let mut command = stentor(folder, &["serve"]);
    // Nobody listens there.
    let store = [("ENGINE", "postgres"), ("URL", "postgresql://stentor@127.0.0.1:1/stentor"), ("TLS", "off")];
    command.envs(store.map(|(setting, value)| (format!("STENTOR__STORE__{setting}"), value)));
    command.envs(MEMBER.iter().copied());
    command
}

/// It answers its operator, lets no client in, and can be told to stop waiting.
#[test]
fn a_member_that_waits_for_the_store_says_so() {
    let folder = with_certificates();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("it has one");
    drop(free);
    let listen = format!("['{address}']");
    let mut server = Server::of(waiting(folder.path()).env("STENTOR__LISTEN__C2S", listen));
    server.wait_for("opening the store");
    for command in [&["status"][..], &["cluster", "status"], &["cluster", "drain"], &["user", "list"]] {
        let told = run(folder.path(), command);
        assert_eq!(told.status.code(), Some(1), "{command:?}");
        let told = String::from_utf8_lossy(&told.stderr);
        assert!(told.contains("the server starts: it waits for its database"), "{command:?}: {told}");
    }
    assert!(TcpStream::connect(address).is_err(), "nobody could be served");
    assert!(run(folder.path(), &["stop"]).status.success());
    assert_eq!(server.end(), Some(0));
    assert!(!folder.path().join("data/control.sock").exists());
}

/// A member waits for its database, says over HTTP that it does, and can be told to stop waiting.
#[test]
fn a_member_that_waits_for_the_store_ends_at_once() {
    let folder = with_certificates();
    let mut server = Server::of(waiting(folder.path()).env("STENTOR__HTTP__LISTEN", "['127.0.0.1:0']"));
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

/// Whatever the store does, and at once for whoever asks again.
#[test]
fn a_member_ends_though_its_database_is_gone() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = with_certificates();
    let mut settings = MEMBER.to_vec();
    settings.push(("STENTOR__CONTROL__DRAIN_SECONDS", "1"));
    let mut server = Server::of(&mut on(&postgres, folder.path(), &["serve"], &settings));
    server.wait_for("ready");
    drop(postgres);
    server.signal(Signal::TERM);
    server.wait_for("ending");
    server.signal(Signal::TERM);
    server.wait_for("a second signal: the server ends at once, and what was acknowledged is kept");
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
        let mut server = Server::of(&mut on(&postgres, folder, &["serve"], settings));
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
    let mut first = Server::of(&mut on(&postgres, one.path(), &["serve"], &[]));
    first.wait_for("ready");
    let mut second = Server::of(&mut on(&postgres, other.path(), &["serve"], MEMBER));
    second.wait_for("ready");
    let added = run(one.path(), &["user", "add", "a@example.org", "--password", "secret"]);
    assert!(!added.status.success());
    assert_ne!(first.process.wait().expect("it ends").code(), Some(0));
    let third = on(&postgres, one.path(), &["serve"], &[]).output().expect("it runs");
    assert_eq!(third.status.code(), Some(1));
    let why = String::from_utf8_lossy(&third.stderr);
    assert!(
        why.contains("belongs to a cluster that has the member a: start this server as a member"),
        "{why}"
    );
    assert!(run(other.path(), &["stop"]).status.success());
    assert_eq!(second.end(), Some(0));
}

/// It has the accounts of others, also while none of them runs.
#[test]
fn a_member_does_not_take_the_store_of_another_cluster() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = with_certificates();
    let serves = |settings: &[(&str, &str)]| {
        let mut server = Server::of(&mut on(&postgres, folder.path(), &["serve"], settings));
        server.wait_for("ready");
        server
    };
    serves(MEMBER).signal(Signal::KILL);
    let other = [MEMBER, &[("STENTOR__CLUSTER__ID", "other")]].concat();
    let refused = on(&postgres, folder.path(), &["serve"], &other).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(
        why.contains("the store belongs to the cluster") && why.contains("drain those members first"),
        "{why}"
    );
    // Once all have left, it is nobody's.
    for settings in [MEMBER, &other] {
        let server = serves(settings);
        assert!(run(folder.path(), &["stop"]).status.success());
        assert_eq!(server.end(), Some(0));
    }
}
