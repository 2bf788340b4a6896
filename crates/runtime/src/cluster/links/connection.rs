//! What drives one link: connects, reads, writes, and does what is due.

use super::arrivals::Arrivals;
use super::channel::{Channel, Happened};
use super::pipe::Pipe;
use super::{Target, Tls};
use crate::cluster::Input;
use crate::cluster::alarm::Alarm;
use crate::cluster::clock::now_ms;
use crate::cluster::peers::Ways;
use crate::socket::Socket;
use crate::start::Shared;
use bytes::Bytes;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use stentor_cluster::limits::{CONNECT_MS, PEER_SILENT_MS, TELL_MS};
use stentor_cluster::link::LinkEvent;
use stentor_engine::MemberId;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;

/// Bytes that are taken from the link at once, to be written: with more, what is urgent would wait behind them.
const WRITE_BYTES: usize = 256 * 1024;
/// Bytes that are read until others of the arbiter get their turn, so that a flood from one member does not hold it.
const TURN_BYTES: usize = 16 * 1024;

struct Drive {
    ways: Arc<Ways>,
    member: MemberId,
    channel: Arc<Channel>,
}

/// Drives the link with a member until that is gone, on an arbiter.
pub(in crate::cluster) async fn run(
    shared: Arc<Shared>,
    ways: Arc<Ways>,
    member: MemberId,
    channel: Arc<Channel>,
    target: Target,
) {
    channel.begin(Arrivals::new(member, shared, Arc::clone(&ways)));
    let drive = Drive { ways, member, channel };
    loop {
        if let Some((socket, mut stream, connection)) = drive.channel.take_accepted() {
            match stream.get_mut().0.arrive(socket) {
                Ok(()) => drive.serve(*stream, connection).await,
                Err(error) => {
                    tracing::warn!(member = member.0, %error, "a connection of a member could not be moved");
                    drive.lost(Some(connection));
                }
            }
            continue;
        }
        drive.channel.hand_on_held();
        let Some(step) = drive.channel.idle(now_ms()) else { return };
        let is_to_connect = step.happened.contains(&LinkEvent::Connect);
        drive.tell(step.happened);
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

async fn open(target: &Target, tls: Tls) -> io::Result<TlsStream<Socket>> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(tls.connector.connect(target.name.clone(), stream.into()).await?.into())
}

impl Drive {
    async fn connect(&self, target: &Target) {
        let opening = open(target, self.ways.tls());
        let opened = timeout(Duration::from_millis(CONNECT_MS), opening).await;
        let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match opened {
            Ok(stream) => {
                if let Some(connection) = self.channel.connected(now_ms()) {
                    self.serve(stream, connection).await;
                }
            }
            Err(error) => {
                self.ways.tell(Input::Unreached(self.member, error));
                self.lost(None);
            }
        }
    }

    fn tell(&self, happened: Happened) {
        if !happened.is_empty() {
            self.ways.tell(Input::Happened(self.member, happened));
        }
    }

    fn lost(&self, connection: Option<u64>) {
        self.tell(self.channel.disconnected(now_ms(), connection));
    }

    /// Reads and writes until the connection is over, or is not the link's any more.
    async fn serve(&self, stream: TlsStream<Socket>, connection: u64) {
        let (mut pipe, mut alarm) = (Pipe::new(stream), Alarm::new());
        loop {
            let mut woken = pin!(self.channel.woken());
            let result = poll_fn(|context| match self.turn(context, connection, &mut pipe) {
                Ok(Some(deadline)) => {
                    let wait = deadline.saturating_sub(now_ms()).min(PEER_SILENT_MS);
                    alarm.within(Duration::from_millis(wait));
                    let is_due = woken.as_mut().poll(context).is_ready() || alarm.poll(context).is_ready();
                    if is_due { Poll::Ready(Ok(true)) } else { Poll::Pending }
                }
                Ok(None) => Poll::Ready(Ok(false)),
                Err(error) => Poll::Ready(Err(error)),
            });
            match result.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(member = self.member.0, %error, "a link's connection is over");
                    return self.lost(Some(connection));
                }
            }
        }
    }

    /// All that can be done now, if it is not much. When to look again; none when the connection is over.
    fn turn(&self, context: &mut Context<'_>, connection: u64, pipe: &mut Pipe) -> io::Result<Option<u64>> {
        let (mut deadline, mut bytes) = (None, 0);
        loop {
            let read = pipe.poll_read(context);
            if matches!(read, Ok(0)) && deadline.is_some() {
                return Ok(deadline);
            }
            // Also if the connection is over: what came before its end counts.
            deadline = self.step(context, connection, pipe)?;
            let read = read?;
            bytes += read;
            if deadline.is_none() || read == 0 {
                return Ok(deadline);
            }
            if bytes >= TURN_BYTES {
                context.waker().wake_by_ref();
                return Ok(deadline);
            }
        }
    }

    /// Takes what was read, and writes what there is. As `turn`.
    fn step(&self, context: &mut Context<'_>, connection: u64, pipe: &mut Pipe) -> io::Result<Option<u64>> {
        loop {
            let was_blocked = !pipe.output.is_empty();
            let Some(deadline) = self.exchange(connection, pipe) else { return Ok(None) };
            let is_full = pipe.output.len() >= WRITE_BYTES;
            if !pipe.poll_write(context)? {
                // While it cannot write, only the peer's silence is looked for.
                return Ok(Some(deadline.max(now_ms() + TELL_MS)));
            }
            if !was_blocked && !is_full {
                return Ok(Some(deadline));
            }
        }
    }

    /// Takes what was read, and fills up what is to be written once it is empty.
    fn exchange(&self, connection: u64, pipe: &mut Pipe) -> Option<u64> {
        let (happened, handed_on) = self.channel.take(connection, &mut pipe.input)?;
        self.tell(happened);
        let mut frames: Vec<Bytes> = Vec::new();
        let room = pipe.output.is_empty().then_some((WRITE_BYTES, &mut frames));
        let deadline = self.channel.give(now_ms(), connection, handed_on, room)?;
        // One piece, since TLS copies it anyway: full records, and few calls.
        pipe.output.reserve(frames.iter().map(Bytes::len).sum());
        frames.iter().for_each(|frame| pipe.output.extend_from_slice(frame));
        Some(deadline)
    }
}
