//! Slots that come and go.

use super::Arbiter;
use crate::client::account;
use crate::mail::{Mail, Report, ToSlots};
use crate::member::Outgoing;
use crate::queue::End;
use crate::session::Session;
use crate::stage::{Stage, ToMember};
use std::collections::BTreeSet;
use std::sync::Arc;
use stentor_cluster::wire::Source;
use stentor_cluster::{Round, without_session};
use stentor_engine::{Ask, Command, Event, Key, MemberId, SessionKey, Slot, Table, ToSession};

impl Arbiter {
    /// A newer table: entities of slots that are another's are dropped with all they had not let go, sessions of
    /// users that are elsewhere now attach there, and what waited goes where it belongs.
    pub(super) fn install(&mut self, table: Arc<Table>, stage: &mut Stage, out: &mut Outgoing) {
        let version = table.version();
        let moved = self.slots.install(table);
        self.entities.retain(|key, _| !moved.lost.contains(&key.slot()));
        for slot in moved.lost {
            self.retiring.forget(slot);
            self.hand_over_unattended(slot, stage, out);
        }
        stage.coverage.overtaken += moved.declined.len() as u64;
        for (key, event) in moved.declined {
            self.refused(&key, event, stage, out);
        }
        for (key, event) in moved.released {
            self.admit(Source::Member, key, event, stage, out);
        }
        for (key, event) in self.returned.take(version) {
            self.dispatch(Source::Member, key, event, stage, out);
        }
        for (key, events) in self.unattended.moved(stage.time().monotonic, &moved.slots) {
            stage.coverage.streams_cut += 1;
            for event in events {
                self.dispatch(Source::Member, key.clone(), event, stage, out);
            }
        }
        let mut waited_for = BTreeSet::new();
        for (serial, session) in &self.sessions {
            if !session.is_over() && moved.slots.contains(&session.slot()) {
                waited_for.insert(*serial);
                stage.tell(End::Arbiter(self.number), Source::Member, *serial, ToSession::Reattach);
            }
        }
        self.attaching.begin(version, waited_for, moved.gone);
        self.tell_attached(stage);
        self.report_handed_over(out);
    }

    /// A session has attached to its user's new owner, or is gone.
    pub(super) fn session_attached(&mut self, serial: u64, stage: &mut Stage) {
        self.attaching.done(serial);
        self.tell_attached(stage);
    }

    /// Behind the attachments, some of which go by other arbiters.
    fn tell_attached(&mut self, stage: &mut Stage) {
        let table = self.slots.table().version();
        while let Some(version) = self.attaching.take_attached() {
            for arbiter in 0..stage.plan.arbiters {
                let what = ToSlots::Attached(self.number, table, version);
                stage.send(self.end(), End::Arbiter(arbiter), ToMember::Slots(arbiter, what));
            }
        }
    }

    pub(super) fn report_handed_over(&mut self, out: &mut Outgoing) {
        if let Some(version) = self.hand_overs.take(self.slots.table().version()) {
            out.reports.push(Report::HandedOver(self.number, version));
        }
    }

    /// Every member has handed over what it had of these slots.
    pub(super) fn gathered(&mut self, slots: &[Slot], stage: &mut Stage, out: &mut Outgoing) {
        let loaded: Vec<_> = self
            .entities
            .iter()
            .filter(|(key, _)| slots.contains(&key.slot()) && self.slots.gathers(key.slot()))
            .map(|(key, actor)| (key.clone(), actor.epoch))
            .collect();
        for (key, epoch) in loaded {
            self.deliver_own(&key, epoch, Event::Gathered, stage);
        }
        for (key, event) in self.slots.gathered(slots.iter().copied()) {
            self.admit(Source::Member, key, event, stage, out);
        }
        // The runtime finds those that have something under way; here it is everybody.
        let accounts = (0..stage.plan.accounts).map(|number| Key::User(account(number)));
        let is_here = |key: &Key| {
            slots.contains(&key.slot()) && key.slot().number() % stage.plan.arbiters == self.number
        };
        let users: Vec<_> = accounts.filter(is_here).collect();
        for user in users {
            let event = Event::Command(Ask(0), Command::Settle);
            self.admit(Source::Member, user, event, stage, out);
        }
    }

    /// A member is gone with its sessions: nothing that they said is heard any more, and entities detach them.
    pub(super) fn member_gone(&mut self, member: MemberId, stage: &mut Stage) {
        let given = self.slots.gone(member);
        self.returned.gone(member);
        let loaded: Vec<_> = self.entities.iter().map(|(key, actor)| (key.clone(), actor.epoch)).collect();
        for (key, epoch) in loaded {
            let gave = given.contains(&key.slot());
            self.deliver_own(&key, epoch, Event::MemberGone { member, gave }, stage);
        }
        self.attaching.gone(member);
        self.tell_attached(stage);
    }

    /// A member is not reached: its users' sessions here are lost, so that their clients resume where they can.
    pub(super) fn unreachable(&mut self, member: MemberId, stage: &mut Stage, out: &mut Outgoing) {
        let table = self.slots.table();
        let is_there = |session: &Session| table.owner(session.slot()).member == Some(member);
        let lost: Vec<u64> = self.sessions.iter().filter(|(_, s)| is_there(s)).map(|(n, _)| *n).collect();
        for serial in lost {
            stage.coverage.unreachable += 1;
            self.session(serial, stage, out, Session::lose);
        }
    }

    /// The process ends.
    pub(super) fn end_sessions(&mut self, stage: &mut Stage, out: &mut Outgoing) {
        let sessions: Vec<u64> = self.sessions.keys().copied().collect();
        for serial in sessions {
            self.session(serial, stage, out, Session::lose);
        }
    }

    /// These slots are to move: their entities end, each once nothing of it is under way.
    pub(super) fn quiesce(&mut self, slots: &[Slot], stage: &mut Stage) {
        let is_here = |slot: &Slot| slot.number() % stage.plan.arbiters == self.number;
        for slot in self.slots.quiesce(slots.iter().copied().filter(is_here)) {
            let keys: Vec<_> = self.entities.keys().filter(|key| key.slot() == slot).cloned().collect();
            self.retiring.begin(slot, keys.len());
            for key in keys {
                self.post(&key, Mail::Retire, stage);
            }
        }
        self.report_quiet(stage);
    }

    /// Tells whoever has the slot now of streams of which no session tells it.
    pub(super) fn hand_over_unattended(&mut self, slot: Slot, stage: &mut Stage, out: &mut Outgoing) {
        for (key, stream) in self.unattended.take(slot, self.slots.table()) {
            stage.coverage.streams_moved += 1;
            self.actors += 1;
            // Clients' sessions are counted from the other end.
            let session =
                SessionKey { member: self.me, arbiter: self.number, serial: u64::MAX - self.actors };
            for event in without_session(session, stream) {
                self.admit(Source::Member, key.clone(), event, stage, out);
            }
        }
    }

    /// While something is held back for the lease, slots that have let it go are not quiet.
    pub(super) fn report_quiet(&mut self, stage: &mut Stage) {
        while self.stalled.is_empty()
            && let Some(slot) = self.retiring.take_quiet()
        {
            // Behind what the slot's entities said, some of which goes by other arbiters.
            let round = Round::new(usize::from(stage.plan.arbiters));
            for arbiter in 0..stage.plan.arbiters {
                let what = ToMember::Slots(arbiter, ToSlots::Quiet(slot, round.clone()));
                stage.send(self.end(), End::Arbiter(arbiter), what);
            }
        }
    }
}
