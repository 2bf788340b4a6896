//! The store from outside: one suite for every engine, and what only a process can show.

mod conformance;
mod engines;
