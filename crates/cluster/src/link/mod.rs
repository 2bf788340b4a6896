//! One end of the link to another member: a reliable ordered channel between two incarnations, over as many
//! connections, one after the other, as it takes. It has no socket and no clock: whoever drives it gives it what was read
//! and the time, writes what it gives out, and connects when it says so.
//!
//! Frames are numbered by their order, kept until the peer has acknowledged them, and written again on the next
//! connection from where the peer's greeting says. There are two sequences: answers, which are always admitted and
//! always may go, and events with what is behind them, which need room in the buffer and the peer's credit. Credit is
//! given back as events are handed on, so a peer that is slow holds the sender, and answers still pass.
//!
//! Only the end of either member loses anything. A [`Link`] is for one incarnation of the peer: with another it is
//! dropped, and [`Link::into_unacknowledged`] has what may not have arrived.

mod incoming;
mod outgoing;
mod settings;

use crate::limits::{BACKOFF_MAX_MS, BACKOFF_MS, CONNECT_MS, HEARTBEAT_MS, PEER_SILENT_MS, TELL_MS};
use crate::wire::{Class, Encoded, Frame, Hello, Received, Refusal, Status, Version, WireError};
use bytes::{Bytes, BytesMut};
use incoming::{Incoming, Next};
use outgoing::Outgoing;
use std::collections::VecDeque;
use stentor_engine::Planted;

pub use incoming::{Arrived, Weight};
pub use settings::{LinkLimits, LinkSettings};

/// An event needs room that there is not; it was not taken, and its stated answer is given: a forward stays in its
/// outbox, a relay is bounced, a session is closed, resumable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much waits for the other member")]
pub struct Full;

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkLost {
    /// It was closed, or could not be opened.
    #[error("the connection is closed")]
    Closed,
    /// Nothing came for too long.
    #[error("the peer fell silent")]
    Silent,
    /// Another connection of the peer took its place.
    #[error("the peer connected anew")]
    Replaced,
    /// One end refused the other.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The peer's bytes are no frames.
    #[error("{0}")]
    Wire(WireError),
}

/// What the link wants of whoever drives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A connection is to be opened to the peer; then [`Link::connected`], or [`Link::disconnected`].
    Connect,
    /// Both ends have greeted each other.
    Up,
    /// The connection is to be closed, if it is not. [`Link::disconnected`] is not called for it any more.
    Down(LinkLost),
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No connection; when one is to be opened, if this end does that.
    Apart { connect_at: Option<u64> },
    /// One is being opened, until then.
    Connecting { until: u64 },
    /// Greeted the peer, which has until then to answer.
    Greeting { until: u64 },
    /// Frames flow: when something was last heard, and last written.
    Up { heard: u64, written: u64 },
}

/// See the module. Times are milliseconds on a clock that only goes forward.
#[derive(Debug)]
pub struct Link {
    settings: LinkSettings,
    limits: LinkLimits,
    state: State,
    attempts: u32,
    /// Frames of its own that go before all others.
    control: VecDeque<Bytes>,
    answers: Outgoing,
    events: Outgoing,
    incoming: Incoming,
    table: u64,
    happened: VecDeque<LinkEvent>,
}

impl Link {
    /// To a member that was just seen in the table; connects at once if it is this end that does.
    pub fn new(now: u64, settings: LinkSettings, table: u64) -> Self {
        let connect_at = (settings.me < settings.peer).then_some(now);
        Self {
            settings,
            limits: LinkLimits::default(),
            state: State::Apart { connect_at },
            attempts: 0,
            control: VecDeque::new(),
            answers: Outgoing::default(),
            events: Outgoing::default(),
            incoming: Incoming::default(),
            table,
            happened: VecDeque::new(),
        }
    }

    /// With other limits than a server has: the simulator's are small, so that they are reached.
    #[must_use]
    pub fn limited(mut self, limits: LinkLimits) -> Self {
        self.limits = limits;
        self.incoming.limit(limits.credit_events, limits.credit_bytes);
        self
    }

    /// Whether this end opens the connection: that with the lower id does.
    pub fn connects(&self) -> bool {
        self.settings.me < self.settings.peer
    }

    /// Whether frames flow now.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// The table that is installed here, which everything written from now on says.
    pub fn set_table(&mut self, version: u64) {
        self.table = version;
    }

    /// Takes a frame, to be written in its turn, also while there is no connection.
    ///
    /// # Errors
    /// [`Full`], for [`Class::Event`] alone.
    pub fn send(&mut self, frame: Encoded) -> Result<(), Full> {
        match frame.class() {
            Class::Event if !self.has_room() => {
                let is_dropped = self.limits.planted.is_on(Planted::DROP_WHEN_FULL);
                return if is_dropped { Ok(()) } else { Err(Full) };
            }
            Class::Answer => self.answers.push(frame),
            Class::Event | Class::Behind => self.events.push(frame),
            // The link makes its own.
            Class::Control => {}
        }
        Ok(())
    }

    /// Whether an event would be taken now.
    pub fn has_room(&self) -> bool {
        self.events.len() < self.limits.events_max && self.events.bytes() < self.limits.bytes_max
    }

    /// The connection that was asked for is there.
    pub fn connected(&mut self, now: u64) {
        if let State::Connecting { .. } = self.state {
            self.greet();
            self.state = State::Greeting { until: now + CONNECT_MS };
        }
    }

    /// The peer connected, with this greeting and whatever was read behind it. A connection that was there before is
    /// over.
    ///
    /// # Errors
    /// Why not; it is to be written, as [`Refusal::encode`] gives it, before the connection is closed. Nothing is changed.
    pub fn accepted(&mut self, now: u64, hello: &Hello, rest: BytesMut) -> Result<(), Refusal> {
        self.check(hello)?;
        if self.connects() {
            return Err(Refusal::OtherMember(self.settings.me));
        }
        if !(self.events.can_acknowledge(hello.received.events)
            && self.answers.can_acknowledge(hello.received.answers))
        {
            return Err(Refusal::OtherHistory);
        }
        if self.is_up() {
            self.part(now, LinkLost::Replaced);
        }
        self.begin(now, hello.received);
        self.greet();
        self.incoming.received(rest);
        Ok(())
    }

    /// The connection is over, or could not be opened.
    pub fn disconnected(&mut self, now: u64) {
        if !matches!(self.state, State::Apart { .. }) {
            self.part(now, LinkLost::Closed);
        }
    }

    /// Takes what was read. Frames are then to be taken by [`Link::next_frame`].
    pub fn received(&mut self, now: u64, bytes: BytesMut) {
        match &mut self.state {
            State::Up { heard, .. } => *heard = now,
            State::Greeting { .. } => {}
            State::Apart { .. } | State::Connecting { .. } => return,
        }
        self.incoming.received(bytes);
        if let State::Greeting { .. } = self.state {
            self.read_greeting(now);
        }
    }

    /// The next frame, in order. Each that has a weight keeps it from the peer's credit until it was
    /// [handed on](Link::handed_on); take all that there are, and hold what must wait, or no heartbeat is seen.
    pub fn next_frame(&mut self, now: u64) -> Option<Arrived> {
        while self.is_up() {
            match self.incoming.next() {
                Ok(Next::Frame(arrived)) => return Some(arrived),
                Ok(Next::Told(status)) => self.told(now, status),
                Ok(Next::Nothing) => {
                    // What was held here was no silence of the peer's.
                    if self.incoming.was_held() {
                        self.heard(now);
                    }
                    return None;
                }
                Err(error) => self.part(now, LinkLost::Wire(error)),
            }
        }
        None
    }

    /// A frame that had this weight is where it belongs, or was answered: the peer may send as much again.
    pub fn handed_on(&mut self, weight: Weight) {
        self.incoming.handed_on(weight);
    }

    /// Pushes what is to be written now, `bytes_max` or a frame more; whether there is anything. What was pushed is
    /// counted as written.
    pub fn poll_transmit(&mut self, now: u64, bytes_max: usize, out: &mut Vec<Bytes>) -> bool {
        let before = out.len();
        out.extend(self.control.drain(..));
        if let State::Up { written, .. } = &mut self.state {
            let has_more = self.answers.has_next() || self.events.has_next();
            let is_due = now >= *written + HEARTBEAT_MS || self.incoming.must_tell(now, self.table);
            if has_more || is_due {
                out.extend(self.incoming.tell(self.table));
                let left = self.answers.write(bytes_max, out);
                self.events.write(left, out);
                *written = now;
            }
        }
        out.len() > before
    }

    /// When [`Link::handle_timeout`] is to be called, and then [`Link::poll_transmit`].
    pub fn next_deadline(&self) -> Option<u64> {
        match self.state {
            State::Apart { connect_at } => connect_at,
            State::Connecting { until } | State::Greeting { until } => Some(until),
            State::Up { heard, written } => {
                let told = self.incoming.owed_since().map_or(u64::MAX, |since| since + TELL_MS);
                Some((heard + PEER_SILENT_MS).min(written + HEARTBEAT_MS).min(told))
            }
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: u64) {
        match self.state {
            State::Apart { connect_at: Some(at) } if now >= at => {
                self.state = State::Connecting { until: now + CONNECT_MS };
                self.happened.push_back(LinkEvent::Connect);
            }
            State::Connecting { until } | State::Greeting { until } if now >= until => {
                self.part(now, LinkLost::Silent);
            }
            State::Up { heard, .. } if now >= heard + PEER_SILENT_MS => {
                if self.incoming.holds_frame() {
                    // It waits for us, not the other way round.
                    self.heard(now);
                } else {
                    self.part(now, LinkLost::Silent);
                }
            }
            _ => {}
        }
    }

    /// What happened, first to last.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        self.happened.pop_front()
    }

    /// What the peer has not acknowledged, in order, answers first: it is gone for good, and what became of each is for
    /// the caller to say. Some of it may have arrived.
    pub fn into_unacknowledged(self) -> impl Iterator<Item = Frame> {
        self.answers.into_frames().chain(self.events.into_frames())
    }

    /// Whether an event waits for nothing but the peer's credit.
    pub fn is_without_credit(&self) -> bool {
        self.is_up() && self.events.waits_for_credit()
    }

    /// Events that wait, and their bytes, for metrics.
    pub fn waiting(&self) -> (usize, usize) {
        (self.events.len() + self.answers.len(), self.events.bytes() + self.answers.bytes())
    }

    fn told(&mut self, now: u64, status: Status) {
        let Received { events, answers } = status.received;
        if self.events.acknowledge(events) && self.answers.acknowledge(answers) {
            self.events.grant(status.events_max, status.bytes_max);
        } else {
            self.part(now, LinkLost::Refused(Refusal::OtherHistory));
        }
    }

    fn heard(&mut self, now: u64) {
        if let State::Up { heard, .. } = &mut self.state {
            *heard = now;
        }
    }

    fn check(&self, hello: &Hello) -> Result<(), Refusal> {
        if hello.cluster != self.settings.cluster {
            return Err(Refusal::OtherCluster);
        }
        if hello.to != self.settings.me {
            return Err(Refusal::OtherMember(self.settings.me));
        }
        if hello.from != self.settings.peer {
            return Err(Refusal::UnknownMember);
        }
        Version::common(hello.wire).map(|_| ()).ok_or(Refusal::NoVersion(Version::RANGE))
    }

    fn greet(&mut self) {
        let LinkSettings { cluster, me, name, peer } = self.settings.clone();
        let hello = Hello {
            wire: Version::RANGE,
            cluster,
            from: me,
            to: peer,
            name,
            received: self.incoming.received_of_peer(),
        };
        // A name too long for a greeting is refused by the configuration; the peer would wait in vain.
        self.control.extend(hello.encode().ok().map(|frame| frame.bytes().clone()));
    }

    /// The peer's answer to our greeting.
    fn read_greeting(&mut self, now: u64) {
        let lost = match self.incoming.greeting() {
            Ok(None) => return,
            Ok(Some(Ok(hello))) => match self.check(&hello) {
                Ok(())
                    if self.events.can_acknowledge(hello.received.events)
                        && self.answers.can_acknowledge(hello.received.answers) =>
                {
                    return self.begin(now, hello.received);
                }
                Ok(()) => LinkLost::Refused(Refusal::OtherHistory),
                Err(refusal) => LinkLost::Refused(refusal),
            },
            Ok(Some(Err(refusal))) => LinkLost::Refused(refusal),
            Err(error) => LinkLost::Wire(error),
        };
        self.part(now, lost);
    }

    /// Goes on from what the peer has.
    fn begin(&mut self, now: u64, received: Received) {
        self.events.acknowledge(received.events);
        self.answers.acknowledge(received.answers);
        self.events.rewind();
        self.answers.rewind();
        self.incoming.begin();
        self.attempts = 0;
        self.state = State::Up { heard: now, written: now };
        self.happened.push_back(LinkEvent::Up);
    }

    fn part(&mut self, now: u64, lost: LinkLost) {
        self.control.clear();
        self.incoming.part();
        let connect_at = self.connects().then(|| now + self.backoff());
        self.attempts = self.attempts.saturating_add(1);
        self.state = State::Apart { connect_at };
        self.happened.push_back(LinkEvent::Down(lost));
    }

    /// Longer with each attempt that failed, and not the same for all pairs.
    fn backoff(&self) -> u64 {
        let pause = BACKOFF_MS.saturating_mul(1 << self.attempts.min(16)).min(BACKOFF_MAX_MS);
        let seed = self.settings.me.0 ^ self.settings.peer.0.rotate_left(32) ^ u64::from(self.attempts);
        pause + seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (pause / 4 + 1)
    }
}
