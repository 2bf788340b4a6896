//! Rows of the security catalogue that need a process and sockets: one server, and clients that say what they like.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod auth;
mod certificates;
mod client;
mod process;
mod routing;
mod scram;
mod server;
mod streams;
mod tls;
mod xml;

use std::panic::{AssertUnwindSafe, catch_unwind};

use client::Client;
use server::{PASSWORD, Server, address};

/// A row of the catalogue: its number and what it is about, and its test.
type Row = (&'static str, fn(&Server));

/// Runs rows against one server. After each the process lives, and a client that has been there all the time still
/// talks to itself.
fn run(tables: &[&[Row]]) {
    let mut server = Server::start(&[]);
    server.account("healthy@example.org");
    let mut healthy = Client::online(&server, address("healthy"), "healthy@example.org/phone");
    let only = std::env::var("ROW").unwrap_or_default();
    let mut failed = Vec::new();
    for (row, test) in tables.iter().copied().flatten().filter(|(row, _)| row.contains(&only)) {
        if catch_unwind(AssertUnwindSafe(|| test(&server))).is_err() {
            failed.push(*row);
        }
        println!("{row}");
        assert!(server.is_alive(), "the server did not outlive {row}: {:#?}", server.log());
        healthy.send("<message to='healthy@example.org/phone' type='chat'><body>well</body></message>");
        healthy.until("<body>well</body>");
    }
    let log = server.log();
    assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
    // S046: no secret in the log.
    assert!(!log.iter().any(|line| line.contains(PASSWORD)), "{log:#?}");
    assert!(failed.is_empty(), "failed: {failed:#?}\n{:#?}", log.iter().rev().take(20).collect::<Vec<_>>());
}

#[test]
fn rows() {
    run(&[xml::ROWS, tls::ROWS, auth::ROWS, routing::ROWS, streams::ROWS]);
}
