//! Managed streams that have no session to hand them over when their user's slot moves.

use crate::Attaching;
use crate::limits::{ENDED_MAX, GATHER_MS};
use core::net::IpAddr;
use std::collections::{BTreeMap, HashSet};
use stentor_engine::{Attach, Attachment, Event, FromSession, Key, SessionKey, Slot, Table};

/// See the module. Whoever is to have the slot next is told of them: by the owner before of those that wait to be resumed,
/// and of those whose sessions are of a member that is gone; by the member of a session that has just ended of its, since
/// the owner before may not have heard of that, or not have been one any more when it did.
#[derive(Debug, Default)]
pub struct Unattended {
    /// Of users that have ended since their slot is to move, each with its session.
    retired: BTreeMap<Slot, Vec<(Key, Option<SessionKey>, Attach)>>,
    /// Of sessions of this arbiter, in the order in which they ended.
    ended: Vec<Ended>,
}

/// What a session had when it ended.
#[derive(Debug)]
struct Ended {
    user: Key,
    session: SessionKey,
    stream: Attach,
    /// Its user knows of its end by then, in ms; or does not keep the stream for so long.
    until: u64,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its client closed the stream, which cannot be resumed.
    Closed,
    /// Its connection is lost.
    Lost,
    /// It was told to, by its user, which knows then, or for want of room.
    Told,
}

/// How a session of this arbiter ends.
#[derive(Clone, Copy, Debug)]
pub struct SessionEnd<'a> {
    /// The session.
    pub session: SessionKey,
    /// Whose it is.
    pub user: &'a Key,
    /// What it has.
    pub attachment: &'a Attachment,
    /// Where its client is.
    pub peer: Option<IpAddr>,
    /// Why.
    pub why: EndReason,
}

impl Unattended {
    /// A session ends at `now` in ms, while these are to attach by this table: what its user is told, in order.
    pub fn ends(
        &mut self,
        now: u64,
        end: SessionEnd<'_>,
        attaching: &Attaching,
        table: &Table,
    ) -> impl Iterator<Item = Event> + use<> {
        let SessionEnd { session, user, attachment, peer, why } = end;
        let mut attach = None;
        if attaching.awaits(session.serial) {
            attach = attachment.attach(peer);
        } else if why == EndReason::Lost
            && table.members().len() > 1
            && attachment.stream().is_some()
            && let Some(FromSession::Attach(stream)) = attachment.attach(peer)
        {
            self.note_ended(now, user.clone(), session, *stream);
        }
        let (attachment, resumable) = (attachment.number(), why != EndReason::Closed);
        let told = attach.into_iter().chain([FromSession::Detached { attachment, resumable }]);
        told.map(move |event| Event::Session(session, event))
    }

    /// Those that are over stay until they are forgotten: looking for them here would make each of many cost more.
    fn note_ended(&mut self, now: u64, user: Key, session: SessionKey, stream: Attach) {
        let kept = stream.snapshot.management.map_or(0, |managed| u64::from(managed.max) * 1_000);
        // Where so many end at once, some of them cannot be resumed if their users move at that moment.
        if self.ended.len() < ENDED_MAX {
            self.ended.push(Ended { user, session, stream, until: now + kept.min(GATHER_MS) });
        }
    }

    /// By a newer table these slots have moved: what is to be told, once, of sessions that have just ended.
    pub fn moved(&mut self, now: u64, slots: &HashSet<Slot>) -> Vec<(Key, [Event; 2])> {
        self.forget(now);
        let (gone, stay): (Vec<Ended>, Vec<Ended>) =
            self.ended.drain(..).partition(|ended| slots.contains(&ended.user.slot()));
        self.ended = stay;
        gone.into_iter().map(|ended| (ended.user, without_session(ended.session, ended.stream))).collect()
    }

    /// Whether sessions have just ended.
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Sessions that ended long ago did so with the knowledge of their users.
    pub fn forget(&mut self, now: u64) {
        self.ended.retain(|ended| ended.until > now);
    }

    /// A user ends that has these, with their sessions, since its slot is to move.
    pub fn retired(&mut self, user: &Key, streams: Vec<(Option<SessionKey>, Attach)>) {
        if !streams.is_empty() {
            let of_slot = self.retired.entry(user.slot()).or_default();
            of_slot.extend(streams.into_iter().map(|(session, stream)| (user.clone(), session, stream)));
        }
    }

    /// By this table the slot, of which this member was the owner, has moved: streams of which nobody else tells the next.
    pub fn take(&mut self, slot: Slot, table: &Table) -> Vec<(Key, Attach)> {
        let is_spoken_for = |session: &SessionKey| table.member(session.member).is_some();
        let streams = self.retired.remove(&slot).unwrap_or_default().into_iter();
        let lost = streams.filter(|(_, session, _)| !session.as_ref().is_some_and(is_spoken_for));
        lost.map(|(user, _, stream)| (user, stream)).collect()
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
    use core::net::{Ipv4Addr, SocketAddr};
    use stentor_engine::{Managed, MemberId, MemberInfo, Resumed, Snapshot, StreamId, TableChange};
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

    fn user() -> Key {
        Key::User(BareJid::parse("romeo@a.example").expect("a JID"))
    }

    /// Of these members.
    fn table(members: Vec<MemberId>) -> Table {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
        let mut table = Table::empty();
        for id in members {
            let info = MemberInfo {
                name: id.0.to_string().into(),
                link: address,
                gossip: address,
                weight: 1,
                wire: (1, 1),
                settings: 0,
            };
            table.join(id, info);
        }
        table
    }

    #[test]
    fn whoever_is_not_there_to_attach_is_spoken_for() {
        let user = user();
        let moved = |mut table: Table| {
            let moves = vec![(user.slot(), OTHER)];
            let change = TableChange { base: table.version(), moves, ..TableChange::default() };
            table.apply(&change).expect("made from this version");
            table
        };
        let table = moved(table([OTHER].into()));
        let mut unattended = Unattended::default();
        let sessions = [None, Some(session(MemberId(3), 2)), Some(session(OTHER, 3))];
        unattended.retired(&user, sessions.into_iter().zip((1..).map(attach)).collect());
        let told = unattended.take(user.slot(), &table);
        let told: Vec<u64> = told.into_iter().map(|(_, stream)| stream.attachment).collect();
        assert_eq!(told, [1, 2], "it waits, or its member is gone");
        assert!(unattended.take(user.slot(), &table).is_empty(), "once");
    }

    fn attached(max: u32) -> Attachment {
        let management = Managed { stream: StreamId(7), is_resumable: true, max, unmanaged: 0 };
        let snapshot = Snapshot { management: Some(management), ..Snapshot::default() };
        Attachment::resumed(&Resumed {
            attachment: 1,
            jid: attach(1).jid,
            snapshot: Box::new(snapshot),
            handled: 0,
            acknowledged: Counter(0),
            again: Vec::new(),
            taken: Vec::new(),
        })
    }

    #[test]
    fn who_has_just_ended_is_spoken_for_where_its_user_moves() {
        let user = user();
        let slots = HashSet::from([user.slot()]);
        let of = session(OTHER, 3);
        let (alone, others) = (table([OTHER].into()), table([OTHER, MemberId(3)].into()));
        let mut awaits = Attaching::default();
        awaits.begin(1, [of.serial].into(), [].into());
        let mut unattended = Unattended::default();
        let mut ends = |max, why, attaching: &Attaching, table: &Table| {
            let attachment = attached(max);
            let end = SessionEnd { session: of, user: &user, attachment: &attachment, peer: None, why };
            let told = unattended.ends(5, end, attaching, table);
            let told = told.map(|event| match event {
                Event::Session(_, FromSession::Attach(_)) => "attach",
                Event::Session(_, FromSession::Detached { .. }) => "detached",
                _ => "other",
            });
            let told: Vec<_> = told.collect();
            let moved = |now: u64, unattended: &mut Unattended| unattended.moved(now, &slots).len();
            let before = moved(5 + 999, &mut unattended);
            (told, before, moved(5 + 999, &mut unattended))
        };
        let (lost, none) = (EndReason::Lost, Attaching::default());
        assert_eq!(ends(1, lost, &none, &others), (vec!["detached"], 1, 0), "once");
        assert_eq!(ends(0, lost, &none, &others), (vec!["detached"], 0, 0), "it is over");
        for why in [EndReason::Closed, EndReason::Told] {
            assert_eq!(ends(1, why, &none, &others), (vec!["detached"], 0, 0), "{why:?}");
        }
        assert_eq!(ends(1, lost, &none, &alone), (vec!["detached"], 0, 0), "nobody else is there");
        assert_eq!(ends(1, lost, &awaits, &others), (vec!["attach", "detached"], 0, 0), "it was told to");

        let is_lost = |unattended: &mut Unattended, max| {
            let attachment = attached(max);
            let end = SessionEnd { session: of, user: &user, attachment: &attachment, peer: None, why: lost };
            assert_eq!(unattended.ends(5, end, &none, &others).count(), 1);
        };
        for (max, until) in [(1, 1_000), (300, GATHER_MS)] {
            is_lost(&mut unattended, max);
            assert!(unattended.moved(5, &HashSet::new()).is_empty(), "others move");
            unattended.forget(5 + until - 1);
            assert!(unattended.has_ended());
            unattended.forget(5 + until);
            assert!(!unattended.has_ended(), "it is long ago");
        }
        (0..2 * ENDED_MAX).for_each(|_| is_lost(&mut unattended, 9));
        assert_eq!(unattended.moved(6, &slots).len(), ENDED_MAX);
    }
}
