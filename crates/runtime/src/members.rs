//! Other members, as the arbiters see them: what is handed to them, what comes from them, and what is reported of
//! slots that come and go.

use crate::entity_actor::Deliver;
use crate::figures::Figure;
use crate::local::{Local, post_entity};
use crate::router::Parcel;
use crate::routing::Source;
use crate::start::Shared;
use bytes::Bytes;
use std::sync::Arc;
use stentor_cluster::{Round, is_overtaken};
use stentor_engine::{
    Ask, Epoch, Event, FromSession, Key, MemberId, Reply, SessionKey, Slot, Table, ToSession,
};
use stentor_xmpp::{StreamCondition, StreamError};

/// Something on its way to another member.
#[derive(Debug)]
pub enum ToMember {
    /// To an entity that it owns, in this epoch of the entity's slot.
    Event {
        /// The slot of the entity that says it, and the epoch in which it was loaded; none for sessions and
        /// administration.
        source: Option<(Slot, Epoch)>,
        /// To whom.
        key: Key,
        /// The epoch in which the sender takes the receiver to own the slot.
        epoch: Epoch,
        /// What.
        event: Event,
    },
    /// To a session that it accepted.
    Session {
        /// The user that says it; none on what came from another member, where nobody asks.
        owner: Option<Key>,
        /// The user's slot, and the epoch in which it was loaded.
        source: (Slot, Epoch),
        /// To whom.
        session: SessionKey,
        /// What.
        message: ToSession,
    },
    /// The answer to a question that came from there.
    Reply(Ask, Reply),
    /// To the member itself.
    Question(Ask, Bytes),
    /// The answer of the member itself; empty if it has none.
    Answer(Ask, Bytes),
    /// An event whose target the receiver did not own in that epoch: its sender routes it anew, by a newer table.
    Returned {
        /// The table's version there.
        version: u64,
        /// To whom it was.
        key: Key,
        /// What.
        event: Event,
    },
}

/// What an arbiter reports of slots that come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Every session of this member has attached to its user's new owner, by this version of the table; the
    /// attachments that go by this arbiter have been handed to [`Peers::send`] before.
    HandedOver {
        /// Which arbiter.
        arbiter: u16,
        /// The table's version.
        version: u64,
    },
    /// Nothing of a slot that quiesces is under way any more: what was said in it was handed to [`Peers::send`].
    Quiet(Slot),
}

/// The way to other members. Called on arbiters, so it does not wait.
pub trait Peers: Send + Sync {
    /// Takes what is for a member, in order with what it took before from this arbiter; `version` is that of the
    /// table by which it was routed. What it has no room for, or no way, it gives back.
    fn send(&self, member: MemberId, version: u64, items: Vec<ToMember>) -> Vec<ToMember>;

    /// Takes a report.
    fn report(&self, report: Report);

    /// Whether effects may leave: the lease of this member goes on, by its own clock.
    fn may_release(&self) -> bool;
}

impl Local {
    pub(crate) fn tell_member(&mut self, member: MemberId, what: ToMember) {
        self.tally(Figure::SentToMembers, 1);
        self.outgoing_members.entry(member).or_default().push(what);
    }

    /// Hands over what has gathered for other members.
    pub(crate) fn flush_members(&mut self) {
        let version = self.slots.table().version();
        // What is given back may lead to more, which waits for the next time.
        for (member, items) in std::mem::take(&mut self.outgoing_members) {
            for item in self.shared.send_to(member, version, items) {
                self.not_sent(item);
            }
        }
    }

    /// There was no room on the way to a member: nothing is lost without its sender knowing.
    fn not_sent(&mut self, item: ToMember) {
        match item {
            ToMember::Event { key, event, .. } | ToMember::Returned { key, event, .. } => {
                self.refused("too much waits for another member", &key, event);
            }
            // There is a hole in what it was to get: it ends before it is told more, and its client resumes. Its end
            // is always admitted, but for a member that is gone.
            ToMember::Session { source, owner: Some(owner), session, message } => {
                if !matches!(message, ToSession::End(_)) {
                    let error = StreamError::new(StreamCondition::ResourceConstraint);
                    self.tell_session(&owner, source.1, session, ToSession::End(error));
                }
                self.dispatch(None, owner, Event::Session(session, FromSession::Gone));
            }
            ToMember::Question(ask, _) => self.answered(ask, None),
            ToMember::Session { owner: None, .. } | ToMember::Reply(..) | ToMember::Answer(..) => {}
        }
    }

    /// What another member sent, by a table that is not newer than this arbiter's.
    pub(crate) fn take_from_member(&mut self, member: MemberId, items: Vec<ToMember>) {
        self.tally(Figure::TakenFromMembers, items.len() as u64);
        for item in items {
            match item {
                ToMember::Event { source, .. } if self.is_stale(source) => {
                    self.tally(Figure::Stale, 1);
                    tracing::debug!(member = member.0, "dropped what an owner of before said");
                }
                ToMember::Event { source, key, epoch, event } => {
                    if self.slots.is_current(&key, epoch) {
                        let event = self.shared.asked_by(member, event);
                        self.dispatch(source, key, event);
                    } else {
                        let version = self.slots.table().version();
                        self.tell_member(member, ToMember::Returned { version, key, event });
                    }
                }
                ToMember::Session { source, .. } if self.is_stale(Some(source)) => {
                    self.tally(Figure::Stale, 1);
                    tracing::debug!(member = member.0, "dropped what an owner of before said");
                }
                ToMember::Session { source, session, message, .. } => {
                    self.tell_own_session(source, session, message);
                }
                ToMember::Reply(ask, reply) => self.answer(ask, reply),
                ToMember::Question(ask, question) => self.asked(member, ask, question),
                ToMember::Answer(ask, answer) => self.answered(ask, Some(answer)),
                ToMember::Returned { key, event, .. } if is_overtaken(&event) => self.decline(&key, event),
                ToMember::Returned { version, key, event } => self.returned(version, key, event),
            }
        }
    }

    /// By the table that sent it there it would only come back: it waits for the one by which it was returned.
    pub(crate) fn returned(&mut self, version: u64, key: Key, event: Event) {
        if version <= self.slots.table().version() {
            self.dispatch(None, key, event);
        } else if let Some((key, event)) = self.returned.keep(version, key, event) {
            self.refused("too much waits for a newer table", &key, event);
        }
    }

    /// Sends on what waited for this table.
    pub(crate) fn send_returned(&mut self) {
        for (key, event) in self.returned.take(self.slots.table().version()) {
            self.dispatch(None, key, event);
        }
    }

    /// A member is gone with its sessions: nothing that they said is heard any more, and entities detach them.
    pub(crate) fn member_gone(&mut self, member: MemberId, round: &Round) {
        let given = self.slots.gone(member);
        self.returned.gone(member);
        for (key, handle) in self.entities.iter() {
            let event = Event::MemberGone { member, gave: given.contains(&key.slot()) };
            post_entity(&handle.address, Deliver(event, handle.gate.enter().is_ok()));
        }
        if round.is_last() {
            self.shared.asks.gone(member);
        }
        // What it did not take came before this.
        self.attaching.gone(member);
        self.tell_attached();
    }

    fn is_stale(&self, source: Source) -> bool {
        source.is_some_and(|(slot, epoch)| self.slots.is_stale(slot, epoch))
    }
}

impl Shared {
    /// A newer table is in force.
    pub fn install(&self, table: &Arc<Table>) {
        self.post_all(|| Parcel::Table(Arc::clone(table)));
    }

    /// Every member has handed over what it had of these slots, which are ours.
    pub fn gathered(&self, slots: &Arc<[Slot]>) {
        self.post_all(|| Parcel::Gathered(Arc::clone(slots)));
    }

    /// These slots are to move to another member. Each is reported once it is quiet.
    pub fn quiesce(&self, slots: &Arc<[Slot]>) {
        self.post_all(|| Parcel::Quiesce(Arc::clone(slots)));
    }

    /// A member is in the table no more. The table without it was installed before, what it did not take was given back,
    /// and nothing that came from it follows. Questions that it has not answered fail, once every arbiter has heard:
    /// then none is on its way to it, or back, and no answer either.
    pub fn gone(&self, member: MemberId) {
        let round = Round::new(self.routers.len());
        self.post_all(|| Parcel::Gone(member, round.clone()));
    }

    /// A member that owns slots cannot be reached, for as long as a session waits for its user
    /// ([`stentor_engine::limits::ATTACH_TIME_MAX`]): sessions of those users end, resumable.
    pub fn unreachable(&self, member: MemberId) {
        self.post_all(|| Parcel::Unreachable(member));
    }

    /// Effects may leave again.
    pub fn released(&self) {
        self.post_all(|| Parcel::Released);
    }

    /// Takes what another member sent by a table that is not newer than the one installed last.
    pub fn from_member(&self, member: MemberId, items: Vec<ToMember>) {
        let mut sorted: Vec<Vec<ToMember>> = self.routers.iter().map(|_| Vec::new()).collect();
        for item in items {
            if let ToMember::Returned { event: Event::Command(ask, _), .. } = &item {
                // Here, so that it does not fail with the member if that is said next.
                self.asks.went_to(*ask, None);
            }
            let arbiter = match &item {
                ToMember::Event { key, .. } | ToMember::Returned { key, .. } => self.arbiter_of(key),
                ToMember::Session { session, .. } => session.arbiter,
                ToMember::Reply(..) | ToMember::Question(..) | ToMember::Answer(..) => 0,
            };
            if let Some(items) = sorted.get_mut(usize::from(arbiter)) {
                items.push(item);
            }
        }
        for (arbiter, items) in (0..).zip(sorted) {
            if !items.is_empty() {
                self.post(arbiter, Parcel::FromMember(member, items));
            }
        }
    }

    fn post_all(&self, parcel: impl Fn() -> Parcel) {
        for arbiter in 0..self.routers.len() as u16 {
            self.post(arbiter, parcel());
        }
    }
}
