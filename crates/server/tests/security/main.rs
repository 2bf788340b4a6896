//! Rows of the security catalogue that need a process and sockets: clients that say what they like to one server, or
//! to one of a row's own where it needs other settings, a signal or `kill -9`.
//!
//! A row's number stands with its test; `docs/security.md` tells where those are that are not here, and which have
//! nothing to be tested yet. No row asserts times. With `STENTOR_FULL=1` there are as many connections as the catalogue
//! asks for (S020: 100,000, S022: 1,000).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod accounts;
mod auth;
mod backlog;
mod certificates;
mod client;
mod crowds;
mod healthy;
mod lookalikes;
mod operators;
mod output;
mod process;
#[path = "../../../xml/tests/support/programs.rs"]
mod programs;
mod restored;
mod routing;
#[path = "../../../xml/tests/support/said.rs"]
mod said;
mod scan;
mod scram;
mod secrets;
mod server;
mod spoofs;
mod stores;
mod streams;
#[path = "../../../xml/tests/support/mod.rs"]
mod support;
mod tls;
mod unoffered;
mod xml;

use std::panic::{AssertUnwindSafe, catch_unwind};

use healthy::Healthy;
use server::{PASSWORD, Server, many};

/// A row of the catalogue: its number and what it is about, and its test.
type Row = (&'static str, fn(&Server));

const TABLES: &[&[Row]] = &[
    xml::ROWS,
    output::ROWS,
    crowds::ROWS,
    tls::ROWS,
    auth::ROWS,
    unoffered::ROWS,
    accounts::ROWS,
    routing::ROWS,
    spoofs::ROWS,
    streams::ROWS,
];

/// What all rows together may leave behind in memory: caches, records of addresses, what the allocator keeps.
const LEFT_BYTES_MAX: usize = 24 * 1024 * 1024;

/// All rows against one server. After each the process lives, its descriptors are back, and a client that has been there
/// all the time still talks to itself; after all of them memory is back, too.
#[test]
fn rows() {
    let mut server = Server::start(&[]);
    let healthy = Healthy::start(&server);
    let base = healthy.has_talked(300);
    println!("a healthy client by itself: 99 of 100 messages are back within {base:?}");
    let (descriptors, resident) = (server.descriptors(), server.resident());
    let mut failed = Vec::new();
    for (row, test) in TABLES.iter().copied().flatten() {
        if catch_unwind(AssertUnwindSafe(|| test(&server))).is_err() {
            failed.push(*row);
        }
        assert!(server.is_alive(), "the server did not outlive {row}: {:#?}", server.log());
        // Files of the store may have been opened meanwhile.
        server::wait_for("descriptors are closed", || server.descriptors() <= descriptors + 16);
        let within = healthy.has_talked(1);
        let kept = server.resident().saturating_sub(resident) / 1_024;
        println!("{row}: {kept} kB more than at first; a healthy client: {within:?}");
    }
    healthy.end();
    let log = server.log();
    assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
    // S046: no secret in the log.
    assert!(!log.iter().any(|line| line.contains(PASSWORD)), "{log:#?}");
    assert!(failed.is_empty(), "failed: {failed:#?}\n{:#?}", log.iter().rev().take(20).collect::<Vec<_>>());
    let left = server.resident().saturating_sub(resident);
    println!("left behind by all rows: {left} bytes");
    assert!(left < many(LEFT_BYTES_MAX, 8 * LEFT_BYTES_MAX) as u64, "{left} bytes are left behind");
}
