//! Accepting connections.

use crate::addresses::{Entered, Unauthenticated};
use crate::limits::{ACCEPT_PAUSE, BACKLOG};
use crate::rarely::Rarely;
use crate::session::{Services, Session};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use stentor_runtime::Runtime;
use tokio::net::TcpListener;

/// Whether TLS begins with the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS, which is required (RFC 6120 5).
    StartTls,
    /// XEP-0368.
    Direct,
}

/// A socket that listens, without blocking whoever accepts; so many connections wait for that at most. An IPv6 address
/// takes IPv6 only, so that both families can be given the same port.
///
/// # Errors
/// The address is in use, or not ours.
pub fn listen(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// A port on which client streams are accepted.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    security: Security,
}

impl Listener {
    /// Opens it, as [`listen`] does.
    ///
    /// # Errors
    /// The address is in use, or not ours.
    pub fn open(address: SocketAddr, security: Security) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::from_std(listen(address, BACKLOG)?)?, security })
    }

    /// The address that it has.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until it is dropped. Without file descriptors it pauses, and those who are connected stay.
    pub async fn run(&self, runtime: &Runtime, services: &Arc<Services>) {
        let (mut failed, mut refused) = (Rarely::default(), Rarely::default());
        loop {
            match self.socket.accept().await {
                Ok((socket, peer)) => match services.addresses.enter(peer.ip()) {
                    Some(entered) => self.accepted(socket, entered, runtime, services),
                    None => {
                        if let Some(unsaid) = refused.happened(Instant::now()) {
                            tracing::warn!(address = %peer.ip(), unsaid, "a connection too many is refused");
                        }
                    }
                },
                Err(error) => {
                    if let Some(unsaid) = failed.happened(Instant::now()) {
                        tracing::warn!(%error, unsaid, "a connection could not be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accepted(
        &self,
        socket: tokio::net::TcpStream,
        entered: (Entered, Unauthenticated),
        runtime: &Runtime,
        services: &Arc<Services>,
    ) {
        // Moved as a plain socket: it is registered with the reactor of the arbiter on which it stays.
        let Ok(socket) = socket.into_std() else { return };
        let (services, security) = (Arc::clone(services), self.security);
        runtime.place(move |load| {
            let _ = socket.set_nodelay(true);
            match tokio::net::TcpStream::from_std(socket) {
                Ok(socket) => Session::start(socket, security, entered, services, load),
                Err(error) => tracing::warn!(%error, "a socket could not be registered"),
            }
        });
    }
}
