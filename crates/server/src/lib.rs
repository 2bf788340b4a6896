//! The stentor program: configuration, command line, wiring.

mod administration;
mod backup;
pub mod cli;
pub mod config;
pub mod control;
mod descriptors;
mod desk;
pub mod ending;
mod figures;
pub mod fuzz;
mod http;
pub mod limits;
pub mod logging;
mod member;
mod overview;
mod peers;
mod ports;
pub mod serve;
mod server;
mod start;
