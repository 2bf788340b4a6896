//! What the peer sent: frames off the bytes, what of them is acknowledged, and what credit the peer has.

use crate::limits::{CREDIT_BYTES, CREDIT_EVENTS, HELD_BACK_FRAMES_MAX, TELL_MS};
use crate::wire::{Class, Control, Frame, Hello, Received, Refusal, Status, WireError};
use bytes::{Bytes, BytesMut};

/// A frame that came.
#[derive(Debug)]
pub struct Arrived {
    /// The sender's table when it wrote it, or a later one of its: with an older one here, it is to wait until that is
    /// fetched.
    pub table: u64,
    /// What came; [`Frame::decode`] says what it carries.
    pub frame: Frame,
    /// To be given to [`super::Link::handed_on`], whatever becomes of the frame.
    pub weight: Weight,
}

/// How much of the peer's credit a frame takes.
#[must_use = "credit that is not given back is lost"]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    events: u64,
    bytes: u64,
}

/// What was next.
pub(super) enum Next {
    Frame(Arrived),
    Told(Status),
    Nothing,
}

#[derive(Debug)]
pub(super) struct Incoming {
    /// What the peer may send beyond what was handed on.
    credit: Weight,
    input: BytesMut,
    received: Received,
    /// Of events that came, ever.
    taken: Weight,
    /// Of events that were handed on, ever.
    handed_on: Weight,
    /// Up to where the peer was told, ever, that it may send; it never goes back.
    granted: Weight,
    /// What the peer last said of its table.
    table: u64,
    /// What was last told on this connection.
    told: Option<Status>,
    /// Since when something is to be told.
    owed_since: Option<u64>,
    was_held: bool,
}

impl Default for Incoming {
    fn default() -> Self {
        Self {
            credit: Weight { events: CREDIT_EVENTS, bytes: CREDIT_BYTES },
            input: BytesMut::new(),
            received: Received::default(),
            taken: Weight::default(),
            handed_on: Weight::default(),
            granted: Weight::default(),
            table: 0,
            told: None,
            owed_since: None,
            was_held: false,
        }
    }
}

impl Incoming {
    pub(super) fn limit(&mut self, events: u64, bytes: u64) {
        self.credit = Weight { events, bytes };
    }

    pub(super) fn received_of_peer(&self) -> Received {
        self.received
    }

    pub(super) fn received(&mut self, bytes: BytesMut) {
        self.was_held |= self.holds_frame();
        if self.input.is_empty() {
            self.input = bytes;
        } else {
            self.input.extend_from_slice(&bytes);
        }
    }

    /// The answer to our greeting, if it is there.
    pub(super) fn greeting(&mut self) -> Result<Option<Result<Hello, Refusal>>, WireError> {
        let Some(frame) = Frame::read_greeting(&mut self.input)? else { return Ok(None) };
        match Control::decode(&frame)? {
            Control::Hello(hello) => Ok(Some(Ok(hello))),
            Control::Refused(refusal) => Ok(Some(Err(refusal))),
            Control::Status(_) => Err(WireError::Malformed("the first frame is no greeting")),
        }
    }

    pub(super) fn next(&mut self) -> Result<Next, WireError> {
        while let Some(frame) = Frame::read(&mut self.input)? {
            match frame.class() {
                Class::Control => match Control::decode(&frame) {
                    Ok(Control::Status(status)) => {
                        self.table = self.table.max(status.table);
                        return Ok(Next::Told(status));
                    }
                    // Of a neighbouring version, that can do without it.
                    Err(WireError::UnknownKind(_)) => {}
                    Ok(_) => return Err(WireError::Malformed("a greeting in between")),
                    Err(error) => return Err(error),
                },
                Class::Event if !self.has_credit() => {
                    return Err(WireError::Malformed("an event beyond the credit"));
                }
                class => return Ok(Next::Frame(self.arrived(class, frame))),
            }
        }
        Ok(Next::Nothing)
    }

    /// Whether the peer may have sent one more event: its count of what it sent and of what it was granted is never
    /// ahead of ours.
    fn has_credit(&self) -> bool {
        self.taken.events < self.granted.events && self.taken.bytes < self.granted.bytes
    }

    fn arrived(&mut self, class: Class, frame: Frame) -> Arrived {
        match class {
            Class::Answer => self.received.answers += 1,
            _ => self.received.events += 1,
        }
        let weight = match class {
            Class::Event => Weight { events: 1, bytes: frame.bytes() as u64 },
            _ => Weight::default(),
        };
        self.taken.events += weight.events;
        self.taken.bytes += weight.bytes;
        Arrived { table: self.table, frame, weight }
    }

    pub(super) fn handed_on(&mut self, weight: Weight) {
        self.handed_on.events += weight.events;
        self.handed_on.bytes += weight.bytes;
    }

    /// Whether a whole frame waits to be taken.
    pub(super) fn holds_frame(&self) -> bool {
        Frame::is_whole(&self.input)
    }

    /// Whether one waited since this was last asked.
    pub(super) fn was_held(&mut self) -> bool {
        std::mem::take(&mut self.was_held)
    }

    /// On a new connection: whoever has greeted knows nothing of our table, nor of credit.
    pub(super) fn begin(&mut self) {
        self.told = None;
        self.owed_since = None;
    }

    /// What was not taken is sent again.
    pub(super) fn part(&mut self) {
        self.input = BytesMut::new();
        self.was_held = false;
        self.begin();
    }

    pub(super) fn owed_since(&self) -> Option<u64> {
        self.owed_since
    }

    fn status(&self, table: u64) -> Status {
        Status {
            table,
            received: self.received,
            events_max: self.handed_on.events + self.credit.events,
            bytes_max: self.handed_on.bytes + self.credit.bytes,
        }
    }

    /// Whether the peer is to be told what we have, though nothing else is to be written.
    pub(super) fn must_tell(&mut self, now: u64, table: u64) -> bool {
        let status = self.status(table);
        let Some(told) = self.told else { return true };
        if status == told {
            self.owed_since = None;
            return false;
        }
        let frames =
            status.received.events - told.received.events + status.received.answers - told.received.answers;
        let is_urgent = frames >= HELD_BACK_FRAMES_MAX
            || status.events_max - told.events_max >= self.credit.events / 4
            || status.bytes_max - told.bytes_max >= self.credit.bytes / 4;
        let since = *self.owed_since.get_or_insert(now);
        is_urgent || now >= since + TELL_MS
    }

    /// The frame that says it.
    pub(super) fn tell(&mut self, table: u64) -> Option<Bytes> {
        let status = self.status(table);
        self.told = Some(status);
        self.granted = Weight { events: status.events_max, bytes: status.bytes_max };
        self.owed_since = None;
        Control::Status(status).encode().ok().map(|frame| frame.bytes().clone())
    }
}
