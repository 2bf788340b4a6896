//! A TCP connection that can change its arbiter, under TLS as well.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// See the module.
#[derive(Debug)]
pub struct Socket {
    /// None while it is on its way.
    inner: Option<TcpStream>,
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self { inner: Some(socket) }
    }
}

impl Socket {
    /// Leaves this thread's reactor. What stands here has no connection until that [arrives](Self::arrive).
    ///
    /// # Errors
    /// The system refused, and the connection is lost; or it had left before.
    pub fn leave(&mut self) -> io::Result<std::net::TcpStream> {
        self.inner.take().ok_or(io::ErrorKind::NotConnected)?.into_std()
    }

    /// Goes on with the connection that left, on this thread's reactor.
    ///
    /// # Errors
    /// The system refused; the connection is lost.
    pub fn arrive(&mut self, socket: std::net::TcpStream) -> io::Result<()> {
        self.inner = Some(TcpStream::from_std(socket)?);
        Ok(())
    }

    fn inner(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        self.get_mut().inner.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner()?.poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_shutdown(context)
    }
}
