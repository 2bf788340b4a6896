//! Rows of the security catalogue that need a process and sockets: clients that say what they like to one server, or
//! to one of a row's own where it needs other settings, a signal or `kill -9`.
//!
//! A row's number stands with its test. Those of sections A, B, C, E and of roster, presence and stream management in F
//! that are not here are elsewhere, in part or in whole:
//!
//! | row | where |
//! |---|---|
//! | S010, S016, S021, S024, S025 | `crates/xml/tests`, `crates/xmpp/tests`: differential, memory, drops, fuzzing |
//! | S055 to S057, S061 | `crates/auth`: all their variants, against the state machines |
//! | S090, S092, S093 | `crates/xmpp/tests`: the tables of RFC 7622, RFC 8265 and IDNA |
//! | S110 | `crates/entities`: RFC 6121 appendix A, row by row |
//! | S046 | files of the key and their modes: `crates/server/src/config` |
//! | S054, S065, S095 | `crates/tidy`: no secret is compared by an operator, chance is the system's, nothing is interned |
//!
//! What has no answer in the server yet, so no test: S033 (it makes no streams to servers), S091 (confusable names),
//! S105 to S108 (archive), S111 (blocking), S114 for remote domains, S116 (capabilities are passed through), S117
//! (push). Of S064, S065 and S103 the test is that SASL2, FAST and carbons are not there, and that what pretends to be
//! theirs is taken for what it is; of S102, that answers which nobody asked for change nothing, and carry their
//! sender's address. Of S003 there are TCP and what is restored (`restored.rs`), of S023 TCP. No row asserts times:
//! S053 and S109 compare answers (`scripts/timing` reports those of S053). S020 is 2,000 connections in the gate and
//! S022 is 40, 100,000 and 1,000 with `STENTOR_FULL=1`; S025 is 150 inputs (and 100,000 for each fuzz body, more by
//! `scripts/fuzz --runs`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod accounts;
mod auth;
mod backlog;
mod certificates;
mod client;
mod crowds;
mod process;
mod restored;
mod routing;
mod scan;
mod scram;
mod server;
mod spoofs;
mod streams;
mod tls;
mod unoffered;
mod xml;

use std::panic::{AssertUnwindSafe, catch_unwind};

use client::Client;
use server::{PASSWORD, Server, address, many};

/// A row of the catalogue: its number and what it is about, and its test.
type Row = (&'static str, fn(&Server));

const TABLES: &[&[Row]] = &[
    xml::ROWS,
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

/// All rows against one server. After each the process lives, and a client that has been there all the time still talks
/// to itself; after all of them descriptors and memory are back.
#[test]
fn rows() {
    let mut server = Server::start(&[]);
    server.account("healthy@example.org");
    let mut healthy = Client::online(&server, address("healthy"), "healthy@example.org/phone");
    let (descriptors, resident) = (server.descriptors(), server.resident());
    let mut failed = Vec::new();
    for (row, test) in TABLES.iter().copied().flatten() {
        if catch_unwind(AssertUnwindSafe(|| test(&server))).is_err() {
            failed.push(*row);
        }
        assert!(server.is_alive(), "the server did not outlive {row}: {:#?}", server.log());
        healthy.send("<message to='healthy@example.org/phone' type='chat'><body>well</body></message>");
        healthy.until("<body>well</body>");
        println!("{row}");
    }
    let log = server.log();
    assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
    // S046: no secret in the log.
    assert!(!log.iter().any(|line| line.contains(PASSWORD)), "{log:#?}");
    assert!(failed.is_empty(), "failed: {failed:#?}\n{:#?}", log.iter().rev().take(20).collect::<Vec<_>>());
    // Files of the store may have been opened meanwhile.
    server::wait_for("descriptors are closed", || server.descriptors() <= descriptors + 16);
    let left = server.resident().saturating_sub(resident);
    println!("left behind by all rows: {left} bytes");
    assert!(left < many(LEFT_BYTES_MAX, 8 * LEFT_BYTES_MAX) as u64, "{left} bytes are left behind");
}
