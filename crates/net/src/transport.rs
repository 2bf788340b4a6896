//! The bytes under a stream: a socket in clear, during the handshake, with TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use stentor_runtime::Socket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// A transport on its way to another arbiter.
pub(crate) struct Moving {
    socket: std::net::TcpStream,
    tls: Box<TlsStream<Socket>>,
}

impl Moving {
    /// Arrives at this arbiter.
    pub(crate) fn arrive(self) -> io::Result<Transport> {
        let Self { socket, mut tls } = self;
        tls.get_mut().0.arrive(socket)?;
        Ok(Transport::Tls(tls))
    }
}

/// See the module.
pub(crate) enum Transport {
    Clear(Socket),
    Handshake(Box<Accept<Socket>>),
    Tls(Box<TlsStream<Socket>>),
    Closed,
}

impl Transport {
    /// A connection in clear.
    pub(crate) fn clear(socket: TcpStream) -> Self {
        Self::Clear(socket.into())
    }

    /// Leaves this arbiter's reactor, with whatever TLS has read and not given out. `Closed` stays behind.
    ///
    /// # Errors
    /// It has no TLS, or the system refused; then it is lost.
    pub(crate) fn leave(&mut self) -> io::Result<Moving> {
        let Self::Tls(mut tls) = std::mem::replace(self, Self::Closed) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let socket = tls.get_mut().0.leave()?;
        Ok(Moving { socket, tls })
    }

    /// Begins the handshake on a socket in clear.
    pub(crate) fn start_tls(&mut self, config: std::sync::Arc<rustls::ServerConfig>) {
        match std::mem::replace(self, Self::Closed) {
            Self::Clear(socket) => {
                *self = Self::Handshake(Box::new(TlsAcceptor::from(config).accept(socket)))
            }
            other => *self = other,
        }
    }

    /// The handshake's end; ready at once if there is none.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Handshake(accept) = self {
            match ready!(Pin::new(&mut **accept).poll(context)) {
                Ok(stream) => *self = Self::Tls(Box::new(stream)),
                Err(error) => {
                    *self = Self::Closed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The connection, once it has TLS.
    pub(crate) fn tls(&self) -> Option<&rustls::ServerConnection> {
        match self {
            Self::Tls(stream) => Some(stream.get_ref().1),
            Self::Clear(_) | Self::Handshake(_) | Self::Closed => None,
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(context, buffer),
            Self::Handshake(_) => Poll::Pending,
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Clear(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
            Self::Handshake(_) => Poll::Pending,
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(socket) => Pin::new(socket).poll_flush(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
            Self::Handshake(_) => Poll::Pending,
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing more is written (TLS `close_notify`, then FIN).
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(context),
            Self::Handshake(_) | Self::Closed => Poll::Ready(Ok(())),
        }
    }
}
