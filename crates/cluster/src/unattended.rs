//! Streams of users whose slots move that have no session to hand them over.

use crate::limits::GATHER_MS;
use std::collections::BTreeMap;
use stentor_engine::{Attach, Epoch, Event, FromSession, Key, SessionKey, Slot, Table};

/// Managed streams of users whose slots move. Of those that no session tells the next owner of, since they wait to be
/// resumed or lost their connection meanwhile, it is told.
#[derive(Debug, Default)]
pub struct Unattended {
    /// Of users that have ended.
    ended: BTreeMap<Slot, Vec<(Key, Option<SessionKey>, Attach)>>,
    /// Of slots that have moved, by sessions that are to attach themselves. What those say by an older table comes here.
    moved: BTreeMap<SessionKey, Left>,
}

/// A stream that a user had when its slot moved.
#[derive(Debug)]
struct Left {
    user: Key,
    stream: Attach,
    /// In which its slot is another's.
    epoch: Epoch,
    /// Its session has attached by then, in ms.
    until: u64,
}

impl Unattended {
    /// A user ends that has these, with their sessions.
    pub fn keep(&mut self, user: &Key, streams: Vec<(Option<SessionKey>, Attach)>) {
        if !streams.is_empty() {
            let of_slot = self.ended.entry(user.slot()).or_default();
            of_slot.extend(streams.into_iter().map(|(session, stream)| (user.clone(), session, stream)));
        }
    }

    /// By this table the slot has moved, at `now` in ms: streams of which nobody else tells the next owners of their
    /// users.
    pub fn take(&mut self, now: u64, slot: Slot, table: &Table) -> Vec<(Key, Attach)> {
        let (epoch, until) = (table.owner(slot).epoch, now + GATHER_MS);
        let mut lost = Vec::new();
        for (user, of, stream) in self.ended.remove(&slot).unwrap_or_default() {
            match of.filter(|of| table.member(of.member).is_some()) {
                Some(of) => drop(self.moved.insert(of, Left { user, stream, epoch, until })),
                None => lost.push((user, stream)),
            }
        }
        lost
    }

    /// Whether this is the end of a session that was to attach to the owner that its user has by this table, and most
    /// likely did not.
    pub fn concerns(&self, event: &Event, table: &Table) -> bool {
        use FromSession::{Detached, Gone};
        let Event::Session(of, Detached { .. } | Gone) = event else { return false };
        self.moved.get(of).is_some_and(|left| left.is_current(table))
    }

    /// In that case, what that owner is to be told first. A session of this member may also attach by way of it.
    pub fn before(&mut self, event: &Event, table: &Table) -> Option<(Key, Event)> {
        if let Event::Session(of, FromSession::Attach(_)) = event {
            self.moved.remove(of);
        }
        let of = event.session().filter(|_| self.concerns(event, table))?;
        let Left { user, stream, .. } = self.moved.remove(&of)?;
        Some((user, Event::Session(of, FromSession::Attach(Box::new(stream)))))
    }

    /// Sessions that were told to attach long ago have done so.
    pub fn forget(&mut self, now: u64) {
        self.moved.retain(|_, left| left.until > now);
    }
}

impl Left {
    /// Whether its user has the owner that came next, by this table.
    fn is_current(&self, table: &Table) -> bool {
        table.owner(self.user.slot()).epoch == self.epoch
    }
}

/// What the next owner of its user is told of a stream that has no session: as if by one that attaches, and loses its
/// connection at once.
pub fn without_session(session: SessionKey, stream: Attach) -> [Event; 2] {
    let lost = FromSession::Detached { attachment: stream.attachment, resumable: true };
    [FromSession::Attach(Box::new(stream)), lost].map(|event| Event::Session(session, event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr, SocketAddr};
    use stentor_engine::{MemberId, MemberInfo, Snapshot, TableChange};
    use stentor_xmpp::{BareJid, Counter};

    const OTHER: MemberId = MemberId(2);

    fn session(member: MemberId, serial: u64) -> SessionKey {
        SessionKey { member, arbiter: 0, serial }
    }

    fn attach(attachment: u64) -> Attach {
        Attach {
            attachment,
            jid: BareJid::parse("romeo@a.example").and_then(|jid| jid.with_resource("x")).expect("a JID"),
            peer: None,
            snapshot: Snapshot::default(),
            confirmed: 0,
            unconfirmed: Vec::new(),
            acknowledged: Counter(0),
            unacknowledged: Vec::new(),
            taken: Vec::new(),
        }
    }

    #[test]
    fn whoever_is_not_there_to_attach_is_spoken_for() {
        let user = Key::User(BareJid::parse("romeo@a.example").expect("a JID"));
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
        let info = MemberInfo {
            name: "m".into(),
            link: address,
            gossip: address,
            weight: 1,
            wire: (1, 1),
            settings: 0,
        };
        let mut table = Table::empty();
        table.join(OTHER, info);
        let moved = |mut table: Table| {
            let moves = vec![(user.slot(), OTHER)];
            let change = TableChange { base: table.version(), moves, ..TableChange::default() };
            table.apply(&change).expect("made from this version");
            table
        };
        let table = moved(table);
        let mut unattended = Unattended::default();
        let sessions =
            [None, Some(session(MemberId(3), 2)), Some(session(OTHER, 3)), Some(session(OTHER, 4))];
        unattended.keep(&user, sessions.into_iter().zip((1..).map(attach)).collect());
        let told = unattended.take(0, user.slot(), &table);
        let told: Vec<u64> = told.into_iter().map(|(_, stream)| stream.attachment).collect();
        assert_eq!(told, [1, 2], "it waits, or its member is gone");

        let detached = |serial, attachment| {
            Event::Session(session(OTHER, serial), FromSession::Detached { attachment, resumable: true })
        };
        assert!(unattended.before(&detached(9, 9), &table).is_none(), "not known");
        assert!(unattended.before(&detached(3, 3), &moved(table.clone())).is_none(), "it has moved on");
        let before = unattended.before(&detached(3, 3), &table);
        let Some((_, Event::Session(of, FromSession::Attach(stream)))) = before else { panic!("{before:?}") };
        assert_eq!((of, stream.attachment), (session(OTHER, 3), 3));
        assert!(unattended.before(&detached(3, 3), &table).is_none(), "once");

        let attaches = Event::Session(session(OTHER, 4), FromSession::Attach(Box::new(attach(4))));
        assert!(unattended.before(&attaches, &table).is_none());
        assert!(!unattended.concerns(&detached(4, 4), &table), "it has said itself what it has");
        unattended.keep(&user, vec![(Some(session(OTHER, 5)), attach(5))]);
        assert!(unattended.take(0, user.slot(), &table).is_empty());
        unattended.forget(GATHER_MS);
        assert!(!unattended.concerns(&detached(5, 5), &table), "it is long ago");
    }
}
