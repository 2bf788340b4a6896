//! Links over sockets: who connects to whom, who is let in, and what is read and written.

mod accept;
mod arrivals;
mod channel;
mod connection;
mod pipe;
mod tls;

pub(super) use accept::{Door, Stranger};
pub(super) use channel::{Channel, Happened};
pub(super) use tls::{Tls, server_name};
pub use tls::{TlsError, TlsMaterial};

use rustls::pki_types::ServerName;
use std::net::SocketAddr;

/// Where a member takes links, and what its certificate is for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) name: ServerName<'static>,
}

pub(super) use connection::run;
