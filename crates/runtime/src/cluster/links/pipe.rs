//! The bytes of one connection between members: what was read and not taken, and what is to be written.

use crate::socket::Socket;
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio_rustls::TlsStream;

/// Bytes that are read at once: several TLS records.
const READ_BYTES: usize = 64 * 1024;

/// See the module.
pub(super) struct Pipe {
    stream: TlsStream<Socket>,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    is_flushed: bool,
}

impl Pipe {
    pub(super) fn new(stream: TlsStream<Socket>) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new(), is_flushed: true }
    }

    /// Reads what is there; how much, and nothing if there is none now.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>) -> io::Result<usize> {
        self.input.reserve(READ_BYTES);
        match pin!(self.stream.read_buf(&mut self.input)).poll(context) {
            Poll::Ready(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(read) => read,
            Poll::Pending => Ok(0),
        }
    }

    /// Writes what there is; whether all of it is out.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        while !self.output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.output) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => self.output.advance(written?),
                Poll::Pending => return Ok(false),
            }
            self.is_flushed = false;
        }
        if !self.is_flushed {
            let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(context) else {
                return Ok(false);
            };
            flushed?;
            self.is_flushed = true;
        }
        Ok(true)
    }
}
