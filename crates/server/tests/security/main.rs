//! Rows of the security catalogue that need a process and sockets: clients that say what they like to one server, or
//! to one of a row's own where it needs other settings, a signal or `kill -9`.
//!
//! A row's number stands with its test; `docs/security.md` tells where those are that are not here, and which have
//! nothing to be tested yet. What is so of each server after each row is in `baseline.rs`. No row asserts times. With
//! `STENTOR_FULL=1` there are as many connections and stanzas as the catalogue asks for (S020: 100,000, S022: 1,000,
//! S043: a million).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod accounts;
mod auth;
mod backlog;
mod baseline;
mod certificates;
mod client;
mod counts;
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
mod strangers;
mod streams;
#[path = "../../../xml/tests/support/mod.rs"]
mod support;
mod text;
mod tls;
mod told;
mod unoffered;
mod xml;

use std::panic::{AssertUnwindSafe, catch_unwind};

use healthy::Healthy;
use server::Server;

/// A row of the catalogue: its number and what it is about, and its test.
type Row = (&'static str, fn(&Server));

const TABLES: &[&[Row]] = &[
    xml::ROWS,
    text::ROWS,
    output::ROWS,
    crowds::ROWS,
    tls::ROWS,
    auth::ROWS,
    unoffered::ROWS,
    accounts::ROWS,
    routing::ROWS,
    strangers::ROWS,
    spoofs::ROWS,
    counts::ROWS,
    streams::ROWS,
];

/// All rows against one server. After each the process lives, what it took is back, and a client that has been there
/// all the time still talks to itself; after all of them memory is back, too.
#[test]
fn rows() {
    let mut server = Server::start(&[]);
    let baseline = server.baseline();
    let healthy = Healthy::start(&server);
    let mut failed = Vec::new();
    for (row, test) in TABLES.iter().copied().flatten() {
        let ticks = server.ticks();
        if catch_unwind(AssertUnwindSafe(|| test(&server))).is_err() {
            failed.push(*row);
        }
        assert!(server.is_alive(), "the server did not outlive {row}: {:#?}", server.log());
        baseline.returns(&server, 1);
        let within = healthy.has_talked(1);
        let kept = baseline.kept(&server) / 1_024;
        let cpu = 10 * (server.ticks() - ticks);
        println!("{row}: {cpu} ms of CPU, {kept} kB more than at first; a healthy client: {within:?}");
    }
    drop(healthy);
    let log = server.log();
    assert!(failed.is_empty(), "failed: {failed:#?}\n{:#?}", log.iter().rev().take(20).collect::<Vec<_>>());
}
