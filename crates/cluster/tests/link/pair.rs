//! Two ends of a link, the pipes between them, and a clock that jumps.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use stentor_cluster::PeerMessage;
use stentor_cluster::link::{Full, Link, LinkEvent, LinkSettings, Weight};
use stentor_cluster::wire::{Carried, Class, Hello, Version, encode};
use stentor_engine::MemberId;

/// One end: what it sent and what it got, by number, events and what is behind them apart from answers.
pub(crate) struct End {
    pub link: Link,
    /// Written by this end, not yet read by the other.
    pipe: VecDeque<u8>,
    /// Of a connection that came in, until the greeting is whole.
    greeting: Option<BytesMut>,
    pub sent: [Vec<u64>; 2],
    pub got: [Vec<u64>; 2],
    pub held: Vec<Weight>,
    pub happened: Vec<LinkEvent>,
    pub tables: Vec<u64>,
}

pub(crate) struct Pair {
    pub now: u64,
    pub ends: [End; 2],
    is_connected: bool,
    /// Whether connections can be made.
    pub is_open: bool,
}

pub(crate) fn settings(me: u64, peer: u64) -> LinkSettings {
    LinkSettings { cluster: 7, me: MemberId(me), name: "m".into(), peer: MemberId(peer) }
}

fn end(me: u64, peer: u64) -> End {
    End {
        link: Link::new(0, settings(me, peer), me),
        pipe: VecDeque::new(),
        greeting: None,
        sent: [Vec::new(), Vec::new()],
        got: [Vec::new(), Vec::new()],
        held: Vec::new(),
        happened: Vec::new(),
        tables: Vec::new(),
    }
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self { now: 0, ends: [end(1, 2), end(2, 1)], is_connected: false, is_open: true }
    }

    /// Sends the next number in a class, with so many bytes beside it.
    pub(crate) fn send(&mut self, from: usize, class: Class, bytes: usize) -> Result<(), Full> {
        let end = &mut self.ends[from];
        let sequence = usize::from(class == Class::Answer);
        let id = end.sent[sequence].len() as u64;
        let carried = match class {
            Class::Answer => Carried::Answer { id, body: Bytes::from(vec![b'.'; bytes]) },
            Class::Event => Carried::Question { id, body: Bytes::from(vec![b'.'; bytes]) },
            _ => Carried::Peer(PeerMessage::HandedOver { version: id }),
        };
        end.link.send(encode(Version::V1, &carried).unwrap())?;
        end.sent[sequence].push(id);
        Ok(())
    }

    /// Does what each end wants now, and moves what it writes into its pipe.
    pub(crate) fn drive(&mut self) {
        for index in 0..2 {
            self.ends[index].link.handle_timeout(self.now);
            while let Some(event) = self.ends[index].link.poll_event() {
                self.ends[index].happened.push(event);
                match event {
                    LinkEvent::Connect => self.connect(index),
                    LinkEvent::Down(_) if self.is_connected => self.cut(),
                    _ => {}
                }
            }
            let mut out = Vec::new();
            self.ends[index].link.poll_transmit(self.now, 4_096, &mut out);
            if self.is_connected {
                self.ends[index].pipe.extend(out.iter().flatten());
            }
        }
    }

    fn connect(&mut self, index: usize) {
        if !self.is_open {
            return self.ends[index].link.disconnected(self.now);
        }
        self.is_connected = true;
        for end in &mut self.ends {
            end.pipe.clear();
        }
        self.ends[1 - index].greeting = Some(BytesMut::new());
        self.ends[index].link.connected(self.now);
    }

    /// The connection breaks: what is in the pipes is lost.
    pub(crate) fn cut(&mut self) {
        self.is_connected = false;
        for end in &mut self.ends {
            end.pipe.clear();
            end.greeting = None;
            end.link.disconnected(self.now);
        }
    }

    /// Lets an end read so many bytes at most.
    pub(crate) fn read(&mut self, index: usize, bytes: usize) {
        let pipe = &mut self.ends[1 - index].pipe;
        let piece: BytesMut = pipe.drain(..bytes.min(pipe.len())).collect::<Vec<u8>>()[..].into();
        if piece.is_empty() {
            return;
        }
        let (now, end) = (self.now, &mut self.ends[index]);
        let Some(mut input) = end.greeting.take() else { return end.link.received(now, piece) };
        input.extend_from_slice(&piece);
        match Hello::read(&mut input).unwrap() {
            Some(hello) => end.link.accepted(now, &hello, input).unwrap(),
            None => end.greeting = Some(input),
        }
    }

    /// Takes the frames that are there; their weight is held until it is handed on.
    pub(crate) fn take(&mut self, index: usize) {
        let (now, end) = (self.now, &mut self.ends[index]);
        while let Some(arrived) = end.link.next_frame(now) {
            end.tables.push(arrived.table);
            end.held.push(arrived.weight);
            match arrived.frame.decode().unwrap() {
                Carried::Answer { id, .. } => end.got[1].push(id),
                Carried::Question { id, .. } | Carried::Peer(PeerMessage::HandedOver { version: id }) => {
                    end.got[0].push(id);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn hand_on(&mut self, index: usize) {
        let end = &mut self.ends[index];
        for weight in end.held.drain(..) {
            end.link.handed_on(weight);
        }
    }

    /// Lets everything happen for so long.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            loop {
                self.drive();
                let is_quiet = self.ends.iter().all(|end| end.pipe.is_empty());
                for index in 0..2 {
                    self.read(index, usize::MAX);
                    self.take(index);
                    self.hand_on(index);
                }
                if is_quiet {
                    break;
                }
            }
            if self.now >= end {
                return;
            }
            let deadlines = self.ends.iter().filter_map(|end| end.link.next_deadline());
            self.now = deadlines.min().unwrap_or(end).clamp(self.now + 1, end);
        }
    }

    /// Whether all that was sent arrived, once and in order.
    pub(crate) fn all_arrived(&self) -> bool {
        (0..2).all(|index| self.ends[index].sent == self.ends[1 - index].got)
    }

    /// That what arrived is a beginning of what was sent.
    pub(crate) fn check(&self) {
        for index in 0..2 {
            for (sent, got) in self.ends[index].sent.iter().zip(&self.ends[1 - index].got) {
                assert!(sent.starts_with(got), "{got:?} of {}", sent.len());
            }
        }
    }
}
