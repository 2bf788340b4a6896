//! Accepting connections.

use crate::addresses::{Entered, Unauthenticated};
use crate::limits::{ACCEPT_PAUSE, BACKLOG};
use crate::session::{Services, Session};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use stentor_runtime::{Rarely, Runtime};
use tokio::net::TcpListener;

/// Whether TLS begins with the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS, which is required (RFC 6120 5).
    StartTls,
    /// XEP-0368.
    Direct,
}

/// A socket with an address, that does not block. An IPv6 address takes IPv6 only, so that both families can be given the
/// same port.
fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A socket that listens, without blocking whoever accepts; so many connections wait for that at most.
///
/// # Errors
/// The address is in use, or not ours.
pub fn listen(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let socket = bind(address)?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// A port that is taken, and on which nobody is let in yet.
#[derive(Debug)]
pub struct Port {
    socket: Socket,
    security: Security,
}

impl Port {
    /// Takes it.
    ///
    /// # Errors
    /// The address is in use, or not ours.
    pub fn bind(address: SocketAddr, security: Security) -> io::Result<Self> {
        Ok(Self { socket: bind(address)?, security })
    }

    /// Clients can connect from now on. Within tokio.
    ///
    /// # Errors
    /// Another process was quicker, which had taken the port at the same time.
    pub fn listen(self) -> io::Result<Listener> {
        self.socket.listen(BACKLOG)?;
        Ok(Listener { socket: TcpListener::from_std(self.socket.into())?, security: self.security })
    }
}

/// A port on which client streams are accepted.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    security: Security,
}

impl Listener {
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
                Ok((socket, peer)) => match services.addresses.enter(peer.ip(), Instant::now()) {
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
