//! The stentor program: configuration, command line, wiring.

pub mod config;
pub mod control;
pub mod fuzz;
pub mod limits;
