//! A [`Link`], shared by the arbiters, which put frames on it, by that of them which moves them, and by the cluster's
//! thread, which begins and ends it.

use super::super::carry::{Load, open};
use super::super::clock::now_ms;
use super::arrivals::Arrivals;
use crate::members::ToMember;
use crate::socket::Socket;
use bytes::{Bytes, BytesMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stentor_cluster::PeerMessage;
use stentor_cluster::link::{Arrived, Link, LinkEvent, LinkSettings, Weight};
use stentor_cluster::wire::{Carried, Encoded, Hello, Refusal, Version, encode};
use tokio::sync::Notify;
use tokio_rustls::TlsStream;

/// A connection that came in, on its way to the arbiter that moves its bytes; and which of the link's connections it is.
pub(super) type Accepted = (std::net::TcpStream, Box<TlsStream<Socket>>, u64);

/// What happened to a link.
pub(crate) type Happened = Vec<LinkEvent>;

/// See the module. Nothing waits for anybody else while it holds a lock.
pub(crate) struct Channel {
    /// In which what it carries is written.
    version: Version,
    /// While an arbiter serves the link; locked before `wired`. Frames are taken and handed on under this lock, so that
    /// nothing of a member follows its end.
    arrivals: Mutex<Option<Arrivals>>,
    wired: Mutex<Wired>,
    wake: Notify,
}

struct Wired {
    /// None once the member is gone.
    link: Option<Link>,
    /// Counts connections, so that nothing of one that is over meets the next.
    connection: u64,
    accepted: Option<Accepted>,
    /// Not told yet.
    happened: Happened,
}

/// What is to be done with a connection.
pub(super) struct Step {
    pub(super) happened: Happened,
    /// When to look again.
    pub(super) deadline: Option<u64>,
}

impl Wired {
    /// Takes down what happened. A connection that came up anew, or went down, is another.
    fn note(&mut self) {
        while let Some(event) = self.link.as_mut().and_then(Link::poll_event) {
            self.connection += u64::from(matches!(event, LinkEvent::Down(_)));
            self.happened.push(event);
        }
    }

    /// What happened since this was last asked, for the one who tells of it.
    fn happened(&mut self) -> Happened {
        self.note();
        std::mem::take(&mut self.happened)
    }
}

impl Channel {
    pub(crate) fn new(now: u64, settings: LinkSettings, table: u64, version: Version) -> Self {
        let link = Some(Link::new(now, settings, table));
        let wired = Mutex::new(Wired { link, connection: 0, accepted: None, happened: Vec::new() });
        Self { version, arrivals: Mutex::new(None), wired, wake: Notify::new() }
    }

    fn arrivals(&self) -> MutexGuard<'_, Option<Arrivals>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Frames of the member that wait for a newer table here, and how many could not be read.
    pub(crate) fn arrived(&self) -> (usize, u64) {
        self.arrivals().as_ref().map_or((0, 0), Arrivals::count)
    }

    /// The member is gone: what it may not have got. What came from it is handed on before, if its table is here, or never.
    pub(crate) fn close(&self) -> Vec<ToMember> {
        let link = {
            let mut arrivals = self.arrivals();
            if let Some(mut arrivals) = arrivals.take() {
                // There is nobody to give credit to.
                let _ = arrivals.take(now_ms(), Vec::new());
            }
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
        mut stream: Box<TlsStream<Socket>>,
    ) -> Result<(), (Refusal, Box<TlsStream<Socket>>)> {
        let mut wired = self.wired();
        let result = match &mut wired.link {
            Some(link) => link.accepted(now, hello, rest),
            None => Err(Refusal::UnknownMember),
        };
        if let Err(refusal) = result {
            return Err((refusal, stream));
        }
        wired.note();
        wired.connection += 1;
        match stream.get_mut().0.leave() {
            Ok(socket) => wired.accepted = Some((socket, stream, wired.connection)),
            Err(error) => {
                tracing::warn!(%error, "a connection of a member could not be moved to an arbiter");
                if let Some(link) = &mut wired.link {
                    link.disconnected(now);
                }
                wired.note();
            }
        }
        drop(wired);
        self.wake.notify_one();
        Ok(())
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

    /// An arbiter begins to serve the link.
    pub(super) fn begin(&self, of_member: Arrivals) {
        let mut arrivals = self.arrivals();
        if self.wired().link.is_some() {
            *arrivals = Some(of_member);
        }
    }

    /// Hands on what waited for a table that is here now.
    pub(super) fn hand_on_held(&self) {
        let weights = self.arrivals().as_mut().map(|arrivals| arrivals.take(now_ms(), Vec::new()));
        if let Some(weights) = weights.filter(|weights| !weights.is_empty()) {
            self.handed_on(weights);
        }
    }

    /// Does what is due, takes what was read, and hands on the frames that are there by then; with their credit. None if
    /// this is not the link's connection any more.
    pub(super) fn take(&self, connection: u64, input: &mut BytesMut) -> Option<(Happened, Vec<Weight>)> {
        let mut arrivals = self.arrivals();
        let arrivals = arrivals.as_mut()?;
        let now = now_ms();
        let (happened, frames) = self.frames(now, connection, input)?;
        Some((happened, arrivals.take(now, frames)))
    }

    fn frames(&self, now: u64, connection: u64, input: &mut BytesMut) -> Option<(Happened, Vec<Arrived>)> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use stentor_cluster::limits::LINK_EVENTS_MAX;
    use stentor_engine::{Ask, Command, Epoch, Event, Key, MemberId, Reply, SessionKey, Slot, ToSession};
    use stentor_xmpp::{BareJid, StreamCondition, StreamError};

    fn user() -> Key {
        Key::User(BareJid::parse("romeo@a.example").unwrap())
    }

    fn question(number: u64) -> ToMember {
        let event = Event::Command(Ask(number), Command::Describe);
        ToMember::Event { source: None, key: user(), epoch: Epoch(1), event }
    }

    fn to_session(serial: u64, message: ToSession) -> ToMember {
        let session = SessionKey { member: MemberId(2), arbiter: 0, serial };
        let source = (Slot::new(1).unwrap(), Epoch(1));
        ToMember::Session { owner: Some(user()), source, session, message }
    }

    fn stanza(serial: u64) -> ToMember {
        let stanza = Bytes::from_static(b"<presence/>");
        let waiting = stentor_engine::LogId(1);
        to_session(serial, ToSession::Outbound { attachment: serial, stanza, entry: None, waiting })
    }

    /// Answers and ends are taken all the same; of what was to be one frame, each comes back for itself.
    #[test]
    fn what_a_full_link_does_not_take_comes_back_as_it_was() {
        let settings = LinkSettings { cluster: 1, me: MemberId(1), name: "a".into(), peer: MemberId(2) };
        let channel = Channel::new(0, settings, 1, Version::common(Version::RANGE).unwrap());
        let many = (0..LINK_EVENTS_MAX as u64).map(question).collect();
        assert_eq!(channel.send(many).unwrap().len(), 0, "there is room");

        let end = ToSession::End(StreamError::new(StreamCondition::ResourceConstraint));
        let event = Event::Command(Ask(8), Command::Describe);
        let returned = ToMember::Returned { version: 1, key: user(), event };
        let reply = ToMember::Reply(Ask(9), Reply::Done);
        let items = vec![question(7), stanza(1), stanza(2), to_session(3, end), returned, reply];
        let back = channel.send(items).unwrap();
        let [question, one, other] = back.as_slice() else { panic!("{back:?}") };
        let is_asked = |item: &ToMember| match item {
            ToMember::Event { source: None, key, epoch: Epoch(1), event: Event::Command(Ask(7), _) } => {
                *key == user()
            }
            _ => false,
        };
        assert!(is_asked(question), "{question:?}");
        for (item, expected) in [(one, 1), (other, 2)] {
            let ToMember::Session { owner, session, message, .. } = item else { panic!("{item:?}") };
            assert_eq!((owner, session.serial), (&Some(user()), expected));
            assert!(matches!(message, ToSession::Outbound { attachment, .. } if *attachment == expected));
        }
        assert_eq!(channel.waiting().0, LINK_EVENTS_MAX + 3);
    }

    #[test]
    fn what_is_for_a_member_that_is_gone_comes_back() {
        let settings = LinkSettings { cluster: 1, me: MemberId(1), name: "a".into(), peer: MemberId(2) };
        let channel = Channel::new(0, settings, 1, Version::common(Version::RANGE).unwrap());
        assert!(channel.send(vec![question(1)]).is_ok());
        assert_eq!(channel.close().len(), 1);
        assert_eq!(channel.send(vec![question(2), stanza(1)]).unwrap_err().len(), 2);
    }
}
