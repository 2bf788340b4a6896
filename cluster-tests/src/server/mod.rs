//! The server under test.

mod certificate;
mod cluster;
mod database;
mod prosody;
mod stentor;

pub use cluster::{Cluster, MADE, NoCluster};

use crate::process::free_address;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// The domain that each server under test serves.
pub const DOMAIN: &str = "chat.example";

/// A running server; it ends when dropped.
pub trait Server: Sync {
    /// Where clients connect.
    fn address(&self, tls: Tls) -> SocketAddr;

    /// Where one that has lost its connection goes on: another member, if there is one.
    fn elsewhere(&self, tls: Tls) -> SocketAddr {
        self.address(tls)
    }

    /// The PEM file of the authority that signed its certificate.
    fn authority(&self) -> &Path;

    /// The file of its log.
    fn log(&self) -> &Path;

    /// Creates the account `localpart` at [`DOMAIN`].
    fn add_user(&self, localpart: &str, password: &str) -> Result<(), String>;
}

/// A cluster of these members; none where PostgreSQL cannot be had, which is said, for the test is skipped then.
///
/// # Errors
/// What else is missing.
pub fn cluster(names: &[&'static str]) -> Result<Option<Cluster>, String> {
    match Cluster::new(names) {
        Ok(cluster) => Ok(Some(cluster)),
        Err(NoCluster::Absent(reason)) => {
            println!("skipped: {reason}");
            Ok(None)
        }
        Err(NoCluster::Broken(reason)) => Err(reason),
    }
}

/// How a stream gets its TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// By STARTTLS (RFC 6120 5).
    Starttls,
    /// From the first byte (XEP-0368).
    Direct,
}

/// A free address for each kind of TLS.
#[derive(Clone, Copy, Debug)]
struct Listeners {
    starttls: SocketAddr,
    direct: SocketAddr,
}

impl Listeners {
    fn free() -> io::Result<Self> {
        Ok(Self { starttls: free_address()?, direct: free_address()? })
    }

    fn address(&self, tls: Tls) -> SocketAddr {
        match tls {
            Tls::Starttls => self.starttls,
            Tls::Direct => self.direct,
        }
    }
}

/// What a server offers to log in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanisms {
    /// SCRAM alone, so that a client that logs in has used it.
    ScramOnly,
    /// PLAIN besides, inside TLS, for clients that share no SCRAM mechanism with the server.
    PlainToo,
}

/// Starts the server of that name: `stentor`, or `prosody` as the oracle of the scenarios themselves.
pub fn start(name: &str, mechanisms: Mechanisms) -> Result<Box<dyn Server>, String> {
    match name {
        "stentor" => stentor::Stentor::start(mechanisms).map(|server| Box::new(server) as Box<dyn Server>),
        "prosody" => prosody::Prosody::start(mechanisms).map(|server| Box::new(server) as Box<dyn Server>),
        other => Err(format!("no such server: {other} (stentor, prosody)")),
    }
}
