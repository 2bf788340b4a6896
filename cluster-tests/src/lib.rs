//! Real servers and real clients as child processes, and the faults between them.
//!
//! - [`server`] starts the server under test in a temporary folder, on free ports.
//! - [`proxy`] stands between a client and the server, and cuts the connection at command.
//! - [`driver`] drives any client through the exchange that `clients/README.md` describes.
//! - [`client`] is a client of our own, which sends and reads [`element`]s as they are.
//! - [`install`] installs the third-party clients into the target folder.
//! - [`load`] has many clients, of the accounts that [`accounts`] makes, chat at the members of a cluster.
//! - [`scenario`] leads two clients through one story and tallies its steps.
//! - [`killed`] leads pairs of them at members of a cluster that die meanwhile.
//! - [`verdict`] tells whether a cluster kept what it promises to those that the load led.
//!
//! Everything waits for a condition with a deadline; a child dies with the thread that started it.

pub mod accounts;
pub mod client;
pub mod driver;
pub mod element;
pub mod install;
pub mod killed;
pub mod load;
pub mod process;
pub mod proxy;
pub mod scenario;
pub mod server;
pub mod verdict;
