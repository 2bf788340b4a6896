//! The links of a process, each over one connection at a time.

use crate::member::Parcel;
use crate::stage::Stage;
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use stentor_cluster::PeerMessage;
use stentor_cluster::link::{Link, LinkEvent, LinkSettings, Weight};
use stentor_cluster::wire::{Carried, Gatherer, Hello, Refusal, Version, encode};
use stentor_engine::{Key, MemberId, MemberInfo, SessionKey};

/// Bytes written at once.
const WRITE_BYTES: usize = 16 * 1024;

#[derive(Debug)]
struct End {
    link: Link,
    /// The process that it leads to.
    to: usize,
    connection: Option<u64>,
    gatherer: Gatherer,
    /// Who says what was put here since it was flushed, if it is for a session.
    owners: BTreeMap<SessionKey, Key>,
    /// What came by a newer table than is here, with what is behind it.
    held: VecDeque<(u64, Carried, Weight)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub me: Option<MemberId>,
    version: u64,
    ends: BTreeMap<MemberId, End>,
    /// Of connections that came in, what was read of the greeting.
    greetings: BTreeMap<u64, BytesMut>,
    /// Links that came up, or went down.
    pub changed: Vec<(MemberId, bool)>,
    /// The version of the table that something waits for.
    pub awaited: Option<u64>,
}

impl Links {
    /// A member is in the table.
    pub(super) fn add(&mut self, now: u64, member: MemberId, info: &MemberInfo, stage: &Stage) {
        let Some(me) = self.me else { return };
        let settings = LinkSettings { cluster: 7, me, name: "m".into(), peer: member };
        let link = Link::new(now, settings, self.version).limited(stage.plan.link_limits);
        let to = usize::from(info.link.port());
        let (connection, gatherer) = (None, Gatherer::default());
        let (owners, held) = (BTreeMap::new(), VecDeque::new());
        self.ends.insert(member, End { link, to, connection, gatherer, owners, held });
    }

    /// A member is in the table no more: what it may not have got.
    pub(super) fn remove(&mut self, member: MemberId, stage: &mut Stage) -> Vec<(MemberId, Carried)> {
        let Some(end) = self.ends.remove(&member) else { return Vec::new() };
        if let Some(connection) = end.connection {
            stage.close(connection);
        }
        let mut lost = Vec::new();
        for frame in end.link.into_unacknowledged() {
            unpack(member, frame.decode().expect("it was written by the same program"), &mut lost);
        }
        lost
    }

    /// Whether there is a link with it.
    pub(super) fn leads_to(&self, member: MemberId) -> bool {
        self.ends.contains_key(&member)
    }

    /// Whether what is told there is on its way at once.
    pub(super) fn is_up(&self, member: MemberId) -> bool {
        self.ends.get(&member).is_some_and(|end| end.link.is_up())
    }

    pub(super) fn install(&mut self, version: u64) {
        self.version = version;
        for end in self.ends.values_mut() {
            end.link.set_table(version);
        }
    }

    pub(super) fn tick(&mut self, now: u64) {
        for end in self.ends.values_mut() {
            end.link.handle_timeout(now);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.ends.values().filter_map(|end| end.link.next_deadline()).min()
    }

    /// Gives back what there is no room for, or no way.
    pub(super) fn send(&mut self, parcel: Parcel) -> Vec<Parcel> {
        let Some(end) = self.ends.get_mut(&parcel.to) else { return vec![parcel] };
        if let (Carried::Session { session, .. }, Some(owner)) = (&parcel.carried, parcel.owner) {
            end.owners.insert(*session, owner);
        }
        let mut ready = Vec::new();
        end.gatherer.add(parcel.carried, &mut ready);
        end.put(parcel.to, ready)
    }

    /// What is held back to be sent together goes; gives back what there is no room for.
    pub(super) fn flush(&mut self) -> Vec<Parcel> {
        self.ends.iter_mut().flat_map(|(member, end)| end.flush(*member)).collect()
    }

    /// To be called when all that was sent before is flushed.
    pub(super) fn tell(&mut self, to: MemberId, message: PeerMessage) {
        if let Some(end) = self.ends.get_mut(&to) {
            // It is behind the events, so there is always room.
            end.put(to, vec![Carried::Peer(message)]);
        }
    }

    pub(super) fn connected(
        &mut self,
        now: u64,
        member: MemberId,
        connection: Option<u64>,
        stage: &mut Stage,
    ) {
        match (self.ends.get_mut(&member), connection) {
            (Some(end), Some(connection)) => {
                if let Some(before) = end.connection.replace(connection) {
                    stage.close(before);
                }
                end.link.connected(now);
            }
            (Some(end), None) => end.link.disconnected(now),
            (None, Some(connection)) => stage.close(connection),
            (None, None) => {}
        }
    }

    pub(super) fn closed(&mut self, now: u64, connection: u64) {
        self.greetings.remove(&connection);
        if let Some(end) = self.ends.values_mut().find(|end| end.connection == Some(connection)) {
            end.connection = None;
            end.link.disconnected(now);
        }
    }

    pub(super) fn read(&mut self, now: u64, connection: u64, bytes: &Bytes, stage: &mut Stage) {
        if let Some(end) = self.ends.values_mut().find(|end| end.connection == Some(connection)) {
            return end.link.received(now, BytesMut::from(bytes.as_ref()));
        }
        let mut input = self.greetings.remove(&connection).unwrap_or_default();
        input.extend_from_slice(bytes);
        match Hello::read(&mut input) {
            Ok(None) => {
                self.greetings.insert(connection, input);
            }
            Ok(Some(hello)) => self.greeted(now, connection, &hello, input, stage),
            Err(_) => stage.close(connection),
        }
    }

    fn greeted(&mut self, now: u64, connection: u64, hello: &Hello, rest: BytesMut, stage: &mut Stage) {
        let accepted = match self.ends.get_mut(&hello.from) {
            Some(end) => end.link.accepted(now, hello, rest),
            None => Err(Refusal::UnknownMember),
        };
        match (accepted, self.ends.get_mut(&hello.from)) {
            (Ok(()), Some(end)) => {
                if let Some(before) = end.connection.replace(connection) {
                    stage.coverage.replaced_connections += 1;
                    stage.close(before);
                }
            }
            (Err(refusal), _) => {
                if let Ok(frame) = refusal.encode() {
                    stage.transmit(connection, frame.bytes().clone());
                }
                // Behind what was written: whoever connected closes it, once he has read why.
            }
            (Ok(()), None) => {}
        }
    }

    /// Lets every link do what it can; what has come, and whether anything happened.
    pub(super) fn drive(
        &mut self,
        now: u64,
        installed: u64,
        arrived: &mut Vec<(MemberId, Carried)>,
        stage: &mut Stage,
    ) -> bool {
        let mut did = false;
        for (member, end) in &mut self.ends {
            end.take(now);
            end.hand_on(installed, |carried| unpack(*member, carried, arrived));
            if let Some((table, ..)) = end.held.front() {
                self.awaited = self.awaited.max(Some(*table));
            }
            while let Some(event) = end.link.poll_event() {
                did = true;
                match event {
                    LinkEvent::Connect => stage.connect(*member, end.to),
                    LinkEvent::Up => self.changed.push((*member, true)),
                    LinkEvent::Down(lost) => {
                        stage.trace(|| format!("link with {member:?}: {lost}"));
                        stage.coverage.links_lost += 1;
                        self.changed.push((*member, false));
                        // One that was replaced is closed by whoever has the next.
                        if lost != stentor_cluster::link::LinkLost::Replaced
                            && let Some(connection) = end.connection.take()
                        {
                            stage.close(connection);
                        }
                    }
                }
            }
            let mut written = Vec::new();
            while end.link.poll_transmit(now, WRITE_BYTES, &mut written) {
                did = true;
                let bytes = written.drain(..).fold(BytesMut::new(), |mut all, piece| {
                    all.extend_from_slice(&piece);
                    all
                });
                if let Some(connection) = end.connection {
                    stage.transmit(connection, bytes.freeze());
                }
            }
            stage.coverage.without_credit += u64::from(end.link.is_without_credit());
        }
        did
    }
}

impl End {
    fn flush(&mut self, member: MemberId) -> Vec<Parcel> {
        let mut ready = Vec::new();
        self.gatherer.flush(&mut ready);
        let back = self.put(member, ready);
        self.owners.clear();
        back
    }

    fn put(&mut self, member: MemberId, ready: Vec<Carried>) -> Vec<Parcel> {
        let mut back = Vec::new();
        for carried in ready {
            let frame = encode(Version::V1, &carried).expect("all that is sent here is carried");
            if self.link.send(frame).is_err() {
                unpack(member, carried, &mut back);
            }
        }
        let owner = |carried: &Carried| match carried {
            Carried::Session { session, .. } => self.owners.get(session).cloned(),
            _ => None,
        };
        back.into_iter().map(|(to, carried)| Parcel { to, owner: owner(&carried), carried }).collect()
    }

    fn take(&mut self, now: u64) {
        while let Some(arrived) = self.link.next_frame(now) {
            let carried = arrived.frame.decode().expect("it was written by the same program");
            self.held.push_back((arrived.table, carried, arrived.weight));
        }
    }

    fn hand_on(&mut self, installed: u64, mut f: impl FnMut(Carried)) {
        while let Some((_, carried, weight)) = self.held.pop_front_if(|(table, ..)| *table <= installed) {
            self.link.handed_on(weight);
            f(carried);
        }
    }
}

/// Each as what it would have been alone.
fn unpack(member: MemberId, carried: Carried, arrived: &mut Vec<(MemberId, Carried)>) {
    match carried {
        Carried::Relays(relays) => {
            let source = relays.source;
            arrived.extend(
                relays
                    .into_events()
                    .map(|(target, epoch, event)| (member, Carried::Event { source, target, epoch, event })),
            );
        }
        Carried::Outbounds(outbounds) => {
            let source = outbounds.source;
            arrived.extend(
                outbounds
                    .into_messages()
                    .map(|(session, message)| (member, Carried::Session { source, session, message })),
            );
        }
        carried => arrived.push((member, carried)),
    }
}
