//! The session's one loop: read, step, flush.

use super::{Phase, Session};
use crate::limits::{
    LINGER_BYTES_MAX, OUTPUT_BYTES_HOLD, OUTPUT_BYTES_MAX, READ_BYTES, READS_MAX, UNREPORTED_BYTES_MAX,
    UNREPORTED_MAX,
};
use actix::fut::ActorFuture;
use actix::{ActorContext, Context};
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::{Duration, Instant};
use stentor_engine::FromSession;
use stentor_stream::Connection;
use tokio::io::ReadBuf;

/// Runs as long as the actor.
pub(super) struct Pump;

thread_local! {
    /// Where sockets of this arbiter are read into; what is not taken at once is copied.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Time on a clock that only goes forward.
pub(super) fn uptime() -> Duration {
    thread_local! { static START: Instant = Instant::now(); }
    START.with(Instant::elapsed)
}

impl ActorFuture<Session> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut Session,
        actor: &mut Context<Session>,
        context: &mut task::Context<'_>,
    ) -> Poll<()> {
        if !session.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            session.waker = Some(context.waker().clone());
        }
        if session.phase == Phase::Leaving {
            // If there is no room for it, the client learns of the end alone.
            let _ = session.transport.poll_shutdown(context);
            session.phase = Phase::Over;
        } else {
            session.run(actor, context);
        }
        if session.phase == Phase::Over {
            actor.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Session {
    fn run(&mut self, actor: &mut Context<Self>, context: &mut task::Context<'_>) {
        match self.poll_tls(context) {
            Poll::Pending => return,
            Poll::Ready(false) => return self.lose(),
            Poll::Ready(true) => {}
        }
        if self.is_settling || (!self.input.is_empty() && self.is_ready()) {
            self.is_settling = false;
            self.go_on(actor);
        }
        let mut reads = 0;
        // Whether the socket will have us polled when there is more to read.
        let mut is_read_empty = false;
        while self.is_reading() && reads < READS_MAX && !is_read_empty {
            reads += 1;
            is_read_empty = !self.read(actor, context);
            match self.poll_tls(context) {
                Poll::Pending => return,
                Poll::Ready(false) => return self.lose(),
                Poll::Ready(true) => {}
            }
        }
        let was_ready = self.is_ready();
        self.consider_request();
        self.write(context);
        if self.is_moving && self.output.is_empty() {
            return self.move_to_user();
        }
        // Reads are left over, or writing made room for more: nothing else would have us polled for that. What was read
        // and not taken goes on only then, for it may as well wait for an answer.
        let goes_on = if self.input.is_empty() { !is_read_empty } else { !was_ready };
        if goes_on && self.is_open_and_ready() {
            context.waker().wake_by_ref();
        }
    }

    fn is_reading(&self) -> bool {
        self.input.is_empty() && self.is_open_and_ready()
    }

    fn is_open_and_ready(&self) -> bool {
        let is_open = self.phase == Phase::Open && !self.is_at_end;
        is_open && !self.is_settling && self.is_ready()
    }

    /// False: the handshake failed.
    fn poll_tls(&mut self, context: &mut task::Context<'_>) -> Poll<bool> {
        if self.transport.tls().is_some() {
            return Poll::Ready(true);
        }
        // What was written in clear, `<proceed/>` the last, goes out before the handshake begins.
        if let Some(host) = self.starting.take() {
            self.write(context);
            if !self.output.is_empty() {
                self.starting = Some(host);
                return Poll::Pending;
            }
            let handshake = self.services.certificates.starttls(&host);
            self.transport.start_tls(handshake.config());
            self.handshake = Some(Box::new(handshake));
            self.after(self.limits.handshake, super::token::HANDSHAKE);
        }
        match self.transport.poll_handshake(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                tracing::debug!(address = %self.address, %error, "a TLS handshake failed");
                return Poll::Ready(false);
            }
        }
        if let (Some(connection), Some(handshake)) = (self.transport.tls(), self.handshake.take()) {
            let info = handshake.info(connection);
            match &mut self.stream {
                Some(stream) => stream.tls_established(info),
                None => self.stream = Some(super::new_stream(&self.services, Connection::Tls(info))),
            }
        }
        Poll::Ready(true)
    }

    /// Whether more can be taken from the client now.
    fn is_ready(&self) -> bool {
        let has_room = self.attachment.as_ref().is_none_or(|attachment| attachment.room() > 0);
        let is_stopped = self.is_held || self.is_moving || self.attaching.is_some();
        has_room && !is_stopped && self.output.len() - self.written < OUTPUT_BYTES_HOLD
    }

    /// One read; false if there is nothing to be read now.
    fn read(&mut self, actor: &mut Context<Self>, context: &mut task::Context<'_>) -> bool {
        BUFFER.with_borrow_mut(|bytes| {
            let mut buffer = ReadBuf::new(bytes);
            match self.transport.poll_read(context, &mut buffer) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                // A client that closed its stream may close its half of the connection, and still read.
                Poll::Ready(Ok(())) if self.is_closing => {
                    self.is_at_end = true;
                    return false;
                }
                // The end of the bytes without the end of the stream, or an error: the connection is lost.
                Poll::Ready(_) => {
                    self.lose();
                    return false;
                }
            }
            self.heard();
            let input = buffer.filled();
            self.limit_rate(input.len());
            let mut rest = input;
            self.step(&mut rest, actor);
            self.input.extend_from_slice(rest);
            true
        })
    }

    /// The stream goes on with what was left of an earlier read.
    pub(super) fn go_on(&mut self, actor: &mut Context<Self>) {
        let input = std::mem::take(&mut self.input);
        let mut rest = &*input;
        self.step(&mut rest, actor);
        self.input = rest.to_vec();
    }

    fn limit_rate(&mut self, bytes: usize) {
        let Some(rate) = &mut self.rate else { return };
        let wait = rate.take(bytes, uptime());
        if !wait.is_zero() {
            self.is_held = true;
            self.after(wait, super::token::RATE);
        }
    }

    /// Writes what there is, in as few system calls and TLS records as it takes.
    fn write(&mut self, context: &mut task::Context<'_>) {
        while self.written < self.output.len() {
            let rest = self.output.get(self.written..).unwrap_or_default();
            match self.transport.poll_write(context, rest) {
                Poll::Ready(Ok(written)) if written > 0 => self.written += written,
                Poll::Ready(_) => return self.lose(),
                Poll::Pending => return self.cut_if_unread(),
            }
        }
        self.written = 0;
        self.excused = 0;
        self.output.clear();
        self.output.shrink_to(0);
        match self.transport.poll_flush(context) {
            Poll::Ready(Ok(())) => self.flushed(),
            Poll::Ready(Err(_)) => return self.lose(),
            Poll::Pending => return,
        }
        if self.phase == Phase::Ending && self.transport.poll_shutdown(context).is_ready() {
            self.phase = Phase::Lingering;
        }
        if self.phase == Phase::Lingering {
            self.linger(context);
        }
    }

    /// What is written makes room; a client that does not read is cut, and can resume.
    fn cut_if_unread(&mut self) {
        if self.written >= OUTPUT_BYTES_HOLD {
            self.output.drain(..self.written);
            self.written = 0;
        }
        if self.output.len() - self.written > OUTPUT_BYTES_MAX + self.excused {
            tracing::warn!(address = %self.address, "a client does not read; its connection is cut");
            self.lose();
        }
    }

    /// Reads, and looks at nothing, until the client closes, too.
    fn linger(&mut self, context: &mut task::Context<'_>) {
        BUFFER.with_borrow_mut(|bytes| {
            for _ in 0..READS_MAX {
                let mut buffer = ReadBuf::new(bytes);
                match self.transport.poll_read(context, &mut buffer) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                        self.lingered += buffer.filled().len();
                    }
                    Poll::Ready(_) => self.phase = Phase::Over,
                }
                if self.phase == Phase::Over || self.lingered > LINGER_BYTES_MAX {
                    self.phase = Phase::Over;
                    return;
                }
            }
            context.waker().wake_by_ref();
        });
    }

    fn flushed(&mut self) {
        if self.outbound - self.reported < UNREPORTED_MAX && self.unreported_bytes < UNREPORTED_BYTES_MAX {
            return;
        }
        self.reported = self.outbound;
        self.unreported_bytes = 0;
        if let Some(attachment) = self.attachment.as_ref().map(|a| a.number()) {
            self.tell_user(FromSession::Flushed { attachment, outbound: self.outbound });
        }
    }
}
