//! What one member does about its place in the cluster: its lease, the leases of others, the routing table, slots that
//! come and go.
//!
//! A [`Steward`] is told what happened and what time it is, in milliseconds of a boot-time clock, and says what is to be
//! done by [`Steward::poll`]. It decides by the register alone, which is in the shared store: gossip, and what other
//! members say, only make it look sooner.
//!
//! - **A lease** is counted from before its renewal was sent; effects may leave until [`Action::Lease`] says. Another
//!   member is fenced once its counter was read unchanged for longer than a lease, by readings that follow each other
//!   closely: a store that was away, or a pause of this process, begins the observation anew. The change that takes
//!   it out gives all its slots to others, and is refused if it has renewed meanwhile.
//! - **Whose a slot is** follows from the names and weights of members. Each owner moves its own slots, and only to a
//!   member that is nearer to the slot, linked with it, and seen alive; so what it knows better than others may hold
//!   up a move, but nothing moves for ever. The slot quiesces first.
//! - **A slot that has come** is gathered until each other member has handed over its sessions, was removed, or
//!   [`crate::limits::GATHER_MS`] have passed.
//! - **Who drains** has done so when each other member goes by a table in which nothing is his.
//! - **An unknown answer** (the store was away while a change was under way) is resolved by reading the table anew.

mod action;
mod awaited;
mod desk;
mod gathering;
mod joining;
mod member;
mod moves;
mod parting;
mod passing;
mod questions;
mod rendezvous;
mod watch;

pub use action::{Action, Ending, Hint, Question};

use crate::PeerMessage;
use desk::{Desk, Wish};
use member::Membership;
use stentor_engine::{MemberId, MemberInfo, Planted, RegisterReply, Slot};

#[derive(Debug)]
enum Stage {
    Joining,
    Member(Box<Membership>),
    Ended,
}

/// See the module.
#[derive(Debug)]
pub struct Steward {
    desk: Desk,
    stage: Stage,
    now: u64,
    planted: Planted,
}

impl Steward {
    /// Of a process that wants to be a member. It begins with the first [`Steward::tick`].
    pub fn new(info: MemberInfo) -> Self {
        Self { desk: Desk::new(info), stage: Stage::Joining, now: 0, planted: Planted::default() }
    }

    /// With bugs that are switched on.
    #[must_use]
    pub fn planted(mut self, planted: Planted) -> Self {
        self.planted = planted;
        self
    }

    /// What is to be done, if there is something; to be asked until there is nothing, after whatever was said.
    pub fn poll(&mut self) -> Option<Action> {
        self.desk.actions.pop_front()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: u64) {
        self.now = now;
        let ending = match &mut self.stage {
            Stage::Joining => joining::step(now, &mut self.desk),
            Stage::Member(member) => member.step(now, &mut self.desk),
            Stage::Ended => None,
        };
        if let Some(ending) = ending {
            self.end(ending);
        }
    }

    /// When to call [`Steward::tick`] if nothing happens before; none once it is over.
    pub fn next_deadline(&self) -> Option<u64> {
        let of_member = match &self.stage {
            Stage::Joining => None,
            Stage::Member(member) => Some(member.deadlines()),
            Stage::Ended => return None,
        };
        // What was due by now has been done, or waits for something else.
        let deadlines = self.desk.questions.dues().chain(of_member.into_iter().flatten());
        deadlines.filter(|deadline| *deadline > self.now).min()
    }

    /// A question of this kind was answered. Any answer will do that comes in finite time: until then no other of its
    /// kind is put.
    pub fn answered(&mut self, now: u64, question: Question, reply: RegisterReply) {
        let Some(sent) = self.desk.questions.answered(question) else { return };
        if matches!(self.stage, Stage::Ended) {
            return;
        }
        let news = News::of(question, &reply);
        let change = self.desk.answered(sent, now, question, reply);
        match (&mut self.stage, news) {
            (Stage::Joining, News::Joined(id, version)) => {
                self.desk.hear(now, version);
                let member = Membership::new(id, version, sent, &mut self.desk);
                self.stage = Stage::Member(Box::new(member));
            }
            (Stage::Member(_), News::Fenced) => self.end(member::ending(&self.desk)),
            (Stage::Member(member), News::Renewed) => member.renewed(sent, &mut self.desk),
            (Stage::Member(member), News::Leases) => member.looked(&self.desk),
            (Stage::Member(member), News::Other) => {
                if let Some(change) = change {
                    member.changed(&change, &mut self.desk);
                }
            }
            _ => {}
        }
        self.tick(now);
    }

    /// A member said something about the cluster over its link.
    pub fn told(&mut self, now: u64, from: MemberId, message: &PeerMessage) {
        if let Stage::Member(member) = &mut self.stage {
            member.told(now, from, message, &mut self.desk);
        }
        self.tick(now);
    }

    /// Gossip said something, or a frame, or an answer of the store to somebody else.
    pub fn hint(&mut self, now: u64, hint: Hint) {
        match hint {
            Hint::Suspected(_) => self.desk.questions.hurry(Question::Leases),
            Hint::Version(version) => self.desk.hear(now, version),
        }
        self.tick(now);
    }

    /// The link with a member has come up, or is down.
    pub fn linked(&mut self, now: u64, member: MemberId, is_linked: bool) {
        if let Stage::Member(membership) = &mut self.stage {
            membership.linked(now, member, is_linked, &mut self.desk);
        }
        self.tick(now);
    }

    /// Of a slot that quiesces nothing is under way here any more: what was said in it is on the links.
    pub fn quiet(&mut self, now: u64, slot: Slot) {
        if let Stage::Member(member) = &mut self.stage {
            member.quiet(slot);
        }
        self.tick(now);
    }

    /// All sessions of this member whose users' slots had moved by that version have attached to the owners by it: what
    /// they said is on the links. To be said of every table that was installed, or of a newer one.
    pub fn handed_over(&mut self, now: u64, version: u64) {
        if let Stage::Member(member) = &mut self.stage {
            member.handed_over(version, &mut self.desk);
        }
        self.tick(now);
    }

    /// All slots are to be given away. [`Action::Drained`] tells when none is left; who is no member yet will not be.
    pub fn drain(&mut self, now: u64) {
        if self.desk.wish == Wish::Stay {
            self.desk.wish = Wish::Drain;
        }
        self.tick(now);
    }

    /// This member takes itself out, with what slots it has left given to others as they are. From now on nothing may
    /// leave. [`Action::Ended`] tells when it is done; who cannot wait is fenced by the others later.
    pub fn leave(&mut self, now: u64) {
        if !matches!(self.desk.wish, Wish::Leave(_)) {
            self.desk.wish = Wish::Leave(Ending::Left);
        }
        self.tick(now);
    }

    /// Whether effects may leave: the lease holds, on our clock.
    pub fn may_release(&self, now: u64) -> bool {
        match &self.stage {
            Stage::Member(_) if self.planted.is_on(Planted::SERVE_AFTER_THE_LEASE) => true,
            Stage::Member(member) => now < member.lease() && !matches!(self.desk.wish, Wish::Leave(_)),
            Stage::Joining | Stage::Ended => false,
        }
    }

    fn end(&mut self, ending: Ending) {
        self.stage = Stage::Ended;
        self.desk.actions.push_back(Action::Ended(ending));
    }
}

/// What of an answer matters to members alone.
enum News {
    Joined(MemberId, u64),
    Renewed,
    Fenced,
    Leases,
    Other,
}

impl News {
    fn of(question: Question, reply: &RegisterReply) -> Self {
        match (question, reply) {
            (Question::Join, RegisterReply::Joined { member, version }) => Self::Joined(*member, *version),
            (Question::Renew, RegisterReply::Renewed { .. }) => Self::Renewed,
            (Question::Renew, RegisterReply::Fenced) => Self::Fenced,
            (Question::Leases, _) => Self::Leases,
            _ => Self::Other,
        }
    }
}
