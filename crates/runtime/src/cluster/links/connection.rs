//! What drives one link: connects, reads, writes, and does what is due.

use super::channel::Channel;
use super::{Target, Tls};
use crate::cluster::cell::Cell;
use crate::cluster::clock::now_ms;
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use stentor_cluster::limits::{CONNECT_MS, TELL_MS};
use stentor_cluster::link::LinkEvent;
use stentor_engine::MemberId;
use tokio::io::{AsyncReadExt, AsyncWriteExt, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;

/// Bytes that are read at once: several TLS records.
const READ_BYTES: usize = 64 * 1024;
/// Bytes that are taken from the link at once, to be written: with more, what is urgent would wait behind them.
const WRITE_BYTES: usize = 256 * 1024;

struct Drive {
    core: Cell,
    member: MemberId,
    channel: Arc<Channel>,
}

/// Drives the link with a member until that is gone.
pub(crate) async fn run(core: Cell, member: MemberId, channel: Arc<Channel>, target: Target) {
    let drive = Drive { core, member, channel };
    loop {
        if let Some((stream, connection)) = drive.channel.take_accepted() {
            drive.serve(*stream, connection).await;
            continue;
        }
        let Some(step) = drive.channel.idle(now_ms()) else { return };
        let is_to_connect = step.happened.contains(&LinkEvent::Connect);
        drive.core.with(|core, now| core.happened(now, member, step.happened));
        if is_to_connect {
            drive.connect(&target).await;
            continue;
        }
        tokio::select! {
            () = until(step.deadline) => {}
            () = drive.channel.woken() => {}
        }
    }
}

/// Resolves at that time; without one, never.
async fn until(deadline: Option<u64>) {
    match deadline {
        Some(deadline) if deadline < u64::MAX => {
            sleep(Duration::from_millis(deadline.saturating_sub(now_ms()))).await;
        }
        _ => std::future::pending().await,
    }
}

async fn open(target: &Target, tls: Tls) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(tls.connector.connect(target.name.clone(), stream).await?.into())
}

/// Writes some of what is there; when nothing is, what TLS still has of it.
async fn write(writer: &mut WriteHalf<TlsStream<TcpStream>>, output: &[u8]) -> io::Result<usize> {
    if output.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    match writer.write(output).await {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        written => written,
    }
}

impl Drive {
    async fn connect(&self, target: &Target) {
        let tls = self.core.with(|core, _| core.tls());
        let opened = timeout(Duration::from_millis(CONNECT_MS), open(target, tls)).await;
        let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match opened {
            Ok(stream) => {
                if let Some(connection) = self.channel.connected(now_ms()) {
                    self.serve(stream, connection).await;
                }
            }
            Err(error) => {
                self.core.with(|core, now| core.unreached(now, self.member, &error));
                self.lost(None);
            }
        }
    }

    fn lost(&self, connection: Option<u64>) {
        let happened = self.channel.disconnected(now_ms(), connection);
        self.core.with(|core, now| core.happened(now, self.member, happened));
    }

    /// Reads and writes until the connection is over, or is not the link's any more.
    async fn serve(&self, stream: TlsStream<TcpStream>, connection: u64) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (mut input, mut output, mut is_flushed) = (BytesMut::new(), BytesMut::new(), true);
        while let Some(deadline) = self.step(connection, &mut input, &mut output) {
            input.reserve(READ_BYTES);
            let result = tokio::select! {
                read = reader.read_buf(&mut input) => match read {
                    Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                    read => read.map(|_| ()),
                },
                written = write(&mut writer, &output), if !output.is_empty() || !is_flushed => {
                    written.map(|bytes| {
                        is_flushed = bytes == 0;
                        output.advance(bytes);
                    })
                }
                () = until(Some(deadline)) => Ok(()),
                () = self.channel.woken() => Ok(()),
            };
            if let Err(error) = result {
                tracing::debug!(member = self.member.0, %error, "a link's connection is over");
                return self.lost(Some(connection));
            }
        }
    }

    /// Takes what was read, and fills up what is to be written once it is empty. When to look again; none when the
    /// connection is over.
    fn step(&self, connection: u64, input: &mut BytesMut, output: &mut BytesMut) -> Option<u64> {
        let (happened, frames) = self.channel.take(now_ms(), connection, input)?;
        let handed_on = self.core.with(|core, now| {
            let handed_on = core.arrived(now, self.member, frames);
            core.happened(now, self.member, happened);
            handed_on
        });
        let mut frames: Vec<Bytes> = Vec::new();
        let room = output.is_empty().then_some((WRITE_BYTES, &mut frames));
        let deadline = self.channel.give(now_ms(), connection, handed_on, room)?;
        // One piece, since TLS copies it anyway: full records, and few calls.
        output.reserve(frames.iter().map(Bytes::len).sum());
        frames.iter().for_each(|frame| output.extend_from_slice(frame));
        // While it cannot write, only the peer's silence is looked for.
        Some(if output.is_empty() { deadline } else { deadline.max(now_ms() + TELL_MS) })
    }
}
