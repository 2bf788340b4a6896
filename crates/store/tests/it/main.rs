//! The store from outside: one suite for every engine, and what only a process can show.
#![allow(
    clippy::indexing_slicing,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "tests: a panic is a failure"
)]

mod conformance;
mod directory;
mod engines;
mod export;
mod faults;
mod kill;
mod members;
mod migrations;
mod model;
mod owners;
mod postgres;
mod registers;
mod sync;
mod threads;
mod tls;
