//! One sequence of numbered frames: what the peer has not acknowledged.

use crate::wire::{Class, Encoded, Frame};
use bytes::Bytes;
use std::collections::VecDeque;

/// Frames in order. Numbers are counts: the first frame ever is number 1.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    frames: VecDeque<Encoded>,
    bytes: usize,
    /// How many were acknowledged, and are not in `frames` any more.
    acknowledged: u64,
    /// How many of `frames` are written on this connection.
    written: usize,
    /// How many of `frames` were written on any, and have taken credit.
    charged: usize,
    /// Events that took credit, ever, and their bytes.
    spent: Credit,
    granted: Credit,
}

#[derive(Clone, Copy, Debug, Default)]
struct Credit {
    events: u64,
    bytes: u64,
}

impl Outgoing {
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, frame: Encoded) {
        self.bytes += frame.bytes().len();
        self.frames.push_back(frame);
    }

    /// Whether the peer can have received so many.
    pub(super) fn can_acknowledge(&self, count: u64) -> bool {
        count.checked_sub(self.acknowledged).is_some_and(|more| more <= self.charged as u64)
    }

    /// The peer has received so many, ever: they are let go. False if that cannot be; then nothing is changed.
    pub(super) fn acknowledge(&mut self, count: u64) -> bool {
        if !self.can_acknowledge(count) {
            return false;
        }
        while self.acknowledged < count {
            let Some(frame) = self.frames.pop_front() else { break };
            self.bytes -= frame.bytes().len();
            self.acknowledged += 1;
            self.written = self.written.saturating_sub(1);
            self.charged = self.charged.saturating_sub(1);
        }
        true
    }

    /// The peer takes so many events and bytes of events, ever.
    pub(super) fn grant(&mut self, events: u64, bytes: u64) {
        self.granted =
            Credit { events: self.granted.events.max(events), bytes: self.granted.bytes.max(bytes) };
    }

    /// On a new connection, everything that is not acknowledged is to be written.
    pub(super) fn rewind(&mut self) {
        self.written = 0;
    }

    /// Whether there is a frame that may go.
    pub(super) fn has_next(&self) -> bool {
        self.next().is_some()
    }

    fn next(&self) -> Option<&Encoded> {
        let frame = self.frames.get(self.written)?;
        let has_credit = self.spent.events < self.granted.events && self.spent.bytes < self.granted.bytes;
        (self.written < self.charged || frame.class() != Class::Event || has_credit).then_some(frame)
    }

    /// Whether there is one that may not.
    pub(super) fn waits_for_credit(&self) -> bool {
        self.frames.get(self.written).is_some() && !self.has_next()
    }

    /// Pushes frames up to `bytes_max` and one more; what is left of that.
    pub(super) fn write(&mut self, bytes_max: usize, out: &mut Vec<Bytes>) -> usize {
        let mut left = bytes_max;
        while left > 0 {
            let Some(frame) = self.next() else { break };
            let (bytes, class) = (frame.bytes().clone(), frame.class());
            left = left.saturating_sub(bytes.len());
            if self.written == self.charged {
                self.charged += 1;
                if class == Class::Event {
                    self.spent.events += 1;
                    self.spent.bytes += bytes.len() as u64;
                }
            }
            self.written += 1;
            out.push(bytes);
        }
        left
    }

    pub(super) fn into_frames(self) -> impl Iterator<Item = Frame> {
        self.frames.into_iter().map(Encoded::into_frame)
    }
}
