//! Listeners and the session actor: TCP, TLS, client streams.
//!
//! A [`Listener`] accepts sockets and places each on the least loaded arbiter, where a [`session`] lives from then
//! on. A session is a thin transport: the stream's state machine is `stentor_stream`, what outlives a connection is
//! in the user.

mod addresses;
pub mod limits;
mod listener;
mod session;
mod tally;
mod tls;
mod transport;

pub use addresses::{AddressLimits, Addresses};
pub use listener::{Listener, Port, Security, listen};
pub use session::{Services, SessionLimits};
pub use tls::{Certificates, HostCertificate, OldestTls, TlsError};
