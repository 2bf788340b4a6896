//! The stentor program: configuration, command line, wiring.

pub mod config;
