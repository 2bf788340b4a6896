//! Stores that refuse while the server runs, and a store that is restored into a database.

#[path = "../support/postgres.rs"]
mod database;

use std::fs;
use std::path::Path;
use std::process::Command;

use database::{MEMBER, Postgres};

use crate::client::Client;
use crate::server::{Server, address, wait_for};

const SM: &str = "xmlns='urn:xmpp:sm:3'";

fn messages(client: &mut Client, bodies: std::ops::Range<u32>) {
    for n in bodies {
        client.send(&format!("<message to='away@example.org' type='chat'><body>n{n}.</body></message>"));
    }
    client.send(&format!("<r {SM}/>"));
}

/// Exactly these, in order, and nothing else.
fn takes(client: &mut Client, bodies: std::ops::Range<u32>) {
    for n in bodies {
        let text = client.until("</body>");
        assert!(text.contains(&format!("<body>n{n}.</body>")), "{n}: {text}");
    }
    let rest = client.settle();
    assert!(!rest.contains("<body>"), "{rest}");
}

/// A disk that takes nothing more: nothing is acknowledged any more, and the server ends and says what to do. Started
/// again, it has what it acknowledged, and tells the client how much that is.
#[test]
fn a_disk_that_refuses_loses_nothing() {
    let mut server = Server::start(&[]);
    let from = address("disk");
    server.account("disk@example.org");
    server.account("away@example.org");
    let mut client = Client::online(&server, from, "disk@example.org/a");
    let id = client.enable();
    messages(&mut client, 0..20);
    client.until("h='20'");
    server.fill_disk();
    messages(&mut client, 20..25);
    let end = client.rest();
    assert!(!end.contains("<a "), "nothing else was acknowledged: {end}");
    assert_eq!(server.ended(), Some(1));
    wait_for("it says what to do", || {
        server.log().iter().any(|line| line.contains("start the server again"))
    });

    let server = server.kill_and_restart();
    let mut again = Client::authenticated(&server, from, "disk@example.org");
    again.send(&format!("<resume {SM} previd='{id}' h='0'/>"));
    let failed = again.until("<failed") + &again.until("</failed>");
    // What was refused may be there all the same, whole: the count tells.
    let handled = failed.split("h='").nth(1).and_then(|h| h.split('\'').next()).unwrap();
    let handled: u32 = handled.parse().unwrap();
    assert!((20..=25).contains(&handled), "{failed}");
    again.bind("a");
    again.enable();
    messages(&mut again, handled..25);
    again.until(&format!("h='{}'", 25 - handled));
    let mut away = Client::bound(&server, from, "away@example.org/a");
    away.send("<presence/>");
    takes(&mut away, 0..25);
}

/// A backup of an embedded store becomes that of a cluster. Its database refuses for a while: nobody is told that a
/// message was taken until it was, and nobody notices else.
#[test]
fn a_database_is_restored_and_refuses_for_a_while() {
    let Some(postgres) = Postgres::start() else { return };
    let server = Server::start(&[]);
    let from = address("database");
    server.account("writer@example.org");
    server.account("away@example.org");
    let mut client = Client::online(&server, from, "writer@example.org/a");
    client.enable();
    messages(&mut client, 0..3);
    client.until("h='3'");
    let (before, after) = (server.folder().join("before"), server.folder().join("after"));
    assert!(server.command(&["backup", before.to_str().unwrap()]).status.success());
    assert!(server.command(&["cluster", "init", "cluster", "--member", "a"]).status.success());

    let member = MEMBER.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let settings = postgres.settings(server.folder()).into_iter().chain(member).collect();
    let server = server.kill_and_move(settings, &before);
    assert!(server.command(&["backup", after.to_str().unwrap()]).status.success());
    assert_eq!(accounts(&before), accounts(&after));
    let running = server.command(&["restore", before.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&running.stderr);
    assert!(!running.status.success() && told.contains("the server is running"), "{told}");

    let mut client = Client::online(&server, from, "writer@example.org/a");
    client.enable();
    messages(&mut client, 3..6);
    client.until("h='3'");
    let refusals = || server.log().iter().filter(|line| line.contains("does not allow writes")).count();
    execute(&postgres, "ALTER SYSTEM SET default_transaction_read_only = on");
    wait_for("the database refuses", || refusals() > 0);
    messages(&mut client, 6..9);
    let so_far = refusals();
    wait_for("it goes on refusing", || refusals() > so_far);
    execute(&postgres, "ALTER SYSTEM RESET default_transaction_read_only");
    client.until("h='6'");
    let mut away = Client::bound(&server, from, "away@example.org/a");
    away.send("<presence/>");
    takes(&mut away, 0..9);
}

/// What an export has of accounts. A message stands at its sender's or at its recipient's, and moves on.
fn accounts(export: &Path) -> Vec<String> {
    let text = fs::read_to_string(export).unwrap();
    for body in ["n0.", "n1.", "n2."] {
        assert!(text.contains(&format!("<body>{body}</body>")), "{body}: {text}");
    }
    let is_account = |row: &&str| row.contains("\"collection\":\"account\"");
    let mut rows: Vec<String> = text.lines().filter(is_account).map(str::to_owned).collect();
    assert_eq!(rows.len(), 2, "{text}");
    rows.sort();
    rows
}

/// Runs a statement, and has the database read its settings again.
fn execute(postgres: &Postgres, statement: &str) {
    for sql in [statement, "SELECT pg_reload_conf()"] {
        let output =
            Command::new("psql").args([&*postgres.url, "--quiet", "--command", sql]).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
