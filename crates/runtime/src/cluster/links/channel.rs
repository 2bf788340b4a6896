//! A [`Link`], shared by the arbiters, which put frames on it, and by the cluster's thread, which moves them.

use super::super::carry::{Load, open};
use crate::members::ToMember;
use bytes::{Bytes, BytesMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stentor_cluster::PeerMessage;
use stentor_cluster::link::{Arrived, Link, LinkEvent, LinkSettings, Weight};
use stentor_cluster::wire::{Carried, Encoded, Hello, Refusal, Version, encode};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsStream;

/// A connection that came in, and which of the link's connections it is.
pub(super) type Accepted = (Box<TlsStream<TcpStream>>, u64);

/// What happened to a link.
pub(crate) type Happened = Vec<LinkEvent>;

/// See the module. Nothing waits while it holds the lock.
#[derive(Debug)]
pub(crate) struct Channel {
    /// In which what it carries is written.
    version: Version,
    wired: Mutex<Wired>,
    wake: Notify,
}

#[derive(Debug)]
struct Wired {
    /// None once the member is gone.
    link: Option<Link>,
    /// Counts connections, so that nothing of one that is over meets the next.
    connection: u64,
    accepted: Option<Accepted>,
}

/// What is to be done with a connection.
pub(super) struct Step {
    pub(super) happened: Happened,
    /// When to look again.
    pub(super) deadline: Option<u64>,
}

impl Wired {
    /// What happened since this was last asked. A connection that came up anew, or went down, is another.
    fn happened(&mut self) -> Happened {
        let mut happened = Vec::new();
        while let Some(event) = self.link.as_mut().and_then(Link::poll_event) {
            self.connection += u64::from(matches!(event, LinkEvent::Down(_)));
            happened.push(event);
        }
        happened
    }
}

impl Channel {
    pub(crate) fn new(now: u64, settings: LinkSettings, table: u64, version: Version) -> Self {
        let link = Some(Link::new(now, settings, table));
        let wired = Mutex::new(Wired { link, connection: 0, accepted: None });
        Self { version, wired, wake: Notify::new() }
    }

    fn wired(&self) -> MutexGuard<'_, Wired> {
        self.wired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts on the link what it has room for, from any thread; gives back the rest.
    ///
    /// # Errors
    /// All of it, if the member is gone.
    pub(crate) fn send(&self, items: Vec<ToMember>) -> Result<Vec<ToMember>, Vec<ToMember>> {
        let mut load = Load::new(items);
        let carried = std::mem::take(&mut load.carried);
        // Before the lock is taken: this is the work.
        let frames: Vec<_> = carried.into_iter().map(|carried| (self.encode(&carried), carried)).collect();
        let mut back = Vec::new();
        let mut wired = self.wired();
        let is_gone = wired.link.is_none();
        for (frame, carried) in frames {
            let is_taken = match (wired.link.as_mut(), frame) {
                (Some(link), Some(frame)) => link.send(frame).is_ok(),
                _ => false,
            };
            if !is_taken {
                load.give_back(carried, &mut back);
            }
        }
        drop(wired);
        self.wake.notify_one();
        if is_gone { Err(back) } else { Ok(back) }
    }

    fn encode(&self, carried: &Carried) -> Option<Encoded> {
        let encoded = encode(self.version, carried);
        encoded.inspect_err(|error| tracing::error!(%error, "what is for another member has no frame")).ok()
    }

    /// Puts a message about the cluster on the link; without room or a member, it is dropped.
    pub(crate) fn tell(&self, message: PeerMessage) {
        if let Some(frame) = self.encode(&Carried::Peer(message)) {
            let _ = self.wired().link.as_mut().map(|link| link.send(frame));
            self.wake.notify_one();
        }
    }

    /// Something has changed that the link has to tell.
    pub(crate) fn set_table(&self, version: u64) {
        if let Some(link) = &mut self.wired().link {
            link.set_table(version);
        }
        self.wake.notify_one();
    }

    /// Frames that were held are where they belong.
    pub(crate) fn handed_on(&self, weights: Vec<Weight>) {
        if let Some(link) = &mut self.wired().link {
            weights.into_iter().for_each(|weight| link.handed_on(weight));
        }
        self.wake.notify_one();
    }

    /// Events and answers that wait, and their bytes.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        self.wired().link.as_ref().map_or((0, 0), Link::waiting)
    }

    /// The member is gone: what it may not have got.
    pub(crate) fn close(&self) -> Vec<ToMember> {
        let link = {
            let mut wired = self.wired();
            wired.accepted = None;
            wired.link.take()
        };
        self.wake.notify_one();
        let mut items = Vec::new();
        for frame in link.into_iter().flat_map(Link::into_unacknowledged) {
            if let Ok(carried) = frame.decode() {
                open(carried, &mut items);
            }
        }
        items
    }

    /// Resolves when something was put on the link, or became of it.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// While there is no connection: what is due. None once the member is gone.
    pub(super) fn idle(&self, now: u64) -> Option<Step> {
        let mut wired = self.wired();
        wired.link.as_mut()?.handle_timeout(now);
        let happened = wired.happened();
        let deadline = wired.link.as_ref()?.next_deadline();
        Some(Step { happened, deadline })
    }

    /// The connection that was asked for is there: its number.
    pub(super) fn connected(&self, now: u64) -> Option<u64> {
        let mut wired = self.wired();
        wired.link.as_mut()?.connected(now);
        Some(wired.connection)
    }

    /// A connection came in, with this greeting. Whoever drives the link is given it.
    pub(super) fn accept(
        &self,
        now: u64,
        (hello, rest): (&Hello, BytesMut),
        stream: Box<TlsStream<TcpStream>>,
    ) -> Result<Happened, (Refusal, Box<TlsStream<TcpStream>>)> {
        let mut wired = self.wired();
        let result = match &mut wired.link {
            Some(link) => link.accepted(now, hello, rest),
            None => Err(Refusal::UnknownMember),
        };
        if let Err(refusal) = result {
            return Err((refusal, stream));
        }
        let happened = wired.happened();
        wired.connection += 1;
        wired.accepted = Some((stream, wired.connection));
        drop(wired);
        self.wake.notify_one();
        Ok(happened)
    }

    pub(super) fn take_accepted(&self) -> Option<Accepted> {
        self.wired().accepted.take()
    }

    /// It is over; or without a number, none could be opened.
    pub(super) fn disconnected(&self, now: u64, connection: Option<u64>) -> Happened {
        let mut wired = self.wired();
        if connection.is_none_or(|connection| wired.connection == connection)
            && let Some(link) = &mut wired.link
        {
            link.disconnected(now);
        }
        wired.happened()
    }

    /// Does what is due, takes what was read, and the frames that are there by then. None if this is not the link's
    /// connection any more.
    pub(super) fn take(
        &self,
        now: u64,
        connection: u64,
        input: &mut BytesMut,
    ) -> Option<(Happened, Vec<Arrived>)> {
        let mut wired = self.wired();
        if wired.connection != connection {
            return None;
        }
        let link = wired.link.as_mut()?;
        if !input.is_empty() {
            link.received(now, input.split());
        }
        let mut frames = Vec::new();
        while let Some(arrived) = link.next_frame(now) {
            frames.push(arrived);
        }
        link.handle_timeout(now);
        Some((wired.happened(), frames))
    }

    /// Gives back the credit of what was handed on, and pushes what is to be written, if there is room for it.
    pub(super) fn give(
        &self,
        now: u64,
        connection: u64,
        handed_on: Vec<Weight>,
        out: Option<(usize, &mut Vec<Bytes>)>,
    ) -> Option<u64> {
        let mut wired = self.wired();
        let is_current = wired.connection == connection;
        let link = wired.link.as_mut()?;
        handed_on.into_iter().for_each(|weight| link.handed_on(weight));
        if !is_current {
            return None;
        }
        if let Some((bytes_max, out)) = out {
            link.poll_transmit(now, bytes_max, out);
        }
        Some(link.next_deadline().unwrap_or(u64::MAX))
    }
}
