//! An arbiter: its registry of entities and sessions, and the slots as it knows them. Where an event goes, and what
//! becomes of all this when the table changes, is decided by the types that the server's arbiters have.

mod actor;
mod others;
mod slots;

use crate::crowd::Holds;
use crate::mail::{Asked, Mail, Report, ToSlots};
use crate::member::{Outgoing, Parcel};
use crate::queue::End;
use crate::session::Session;
use crate::stage::{Stage, ToMember, ToStore};
use actor::Actor;
use std::collections::BTreeMap;
use std::sync::Arc;
use stentor_cluster::wire::{Carried, Source};
use stentor_cluster::{
    Admission, Attaching, HandOvers, Retiring, Returned, SessionEnd, Slots, Stalled, Unattended, declined,
};
use stentor_engine::{Epoch, Event, Key, MemberId, Output, Query, Sent, SessionKey, Table, ToSession};
use stentor_entities::Hosts;

/// See the module.
#[derive(Debug)]
pub(crate) struct Arbiter {
    number: u16,
    me: MemberId,
    hosts: Arc<Hosts>,
    slots: Slots,
    entities: BTreeMap<Key, Actor>,
    sessions: BTreeMap<u64, Session>,
    actors: u64,
    attaching: Attaching,
    hand_overs: HandOvers,
    retiring: Retiring,
    unattended: Unattended,
    stalled: Stalled,
    returned: Returned,
}

impl Arbiter {
    pub(crate) fn new(
        number: u16,
        arbiters: u16,
        me: MemberId,
        table: Arc<Table>,
        hosts: Arc<Hosts>,
    ) -> Self {
        Self {
            number,
            me,
            hosts,
            slots: Slots::new(me, table),
            entities: BTreeMap::new(),
            sessions: BTreeMap::new(),
            actors: 0,
            attaching: Attaching::default(),
            hand_overs: HandOvers::new(usize::from(arbiters)),
            retiring: Retiring::default(),
            unattended: Unattended::default(),
            stalled: Stalled::default(),
            returned: Returned::default(),
        }
    }

    fn end(&self) -> End {
        End::Arbiter(self.number)
    }

    pub(crate) fn handle(&mut self, what: ToMember, stage: &mut Stage, out: &mut Outgoing) {
        match what {
            // What attaches to an owner by a table that is not here yet must not be sent to the owner before.
            ToMember::Event(version, source, key, event) if version <= self.slots.table().version() => {
                self.admit(source, key, event, stage, out);
            }
            ToMember::Event(version, _, key, event) => self.take_back(version, key, event, stage, out),
            ToMember::Mail(key, number, mail) => self.mail(key, number, mail, stage, out),
            ToMember::Rows(key, epoch, Some(token), rows) => {
                self.deliver_own(&key, epoch, Event::Rows(token, rows), stage);
            }
            ToMember::Rows(key, epoch, None, rows) if self.epoch(&key) == Some(epoch) => {
                self.post(&key, Mail::Loaded(rows), stage);
            }
            ToMember::Timer(key, epoch, token) if self.entities.contains_key(&key) => {
                self.deliver_own(&key, epoch, Event::Timer(token), stage);
            }
            // It was dropped for having nothing to do, and is loaded again; unless it is another's now.
            ToMember::Timer(key, epoch, token) if self.slots.is_current(&key, epoch) => {
                self.admit(Source::Member, key, Event::Timer(token), stage, out);
            }
            ToMember::Idle(key) => self.post(&key, Mail::StopIfIdle, stage),
            // What an owner of before still says would be taken for what the next has to say. What this arbiter has put into
            // the session's mailbox is before all that it puts there since.
            ToMember::Session(_, Source::Entity(slot, epoch), _) if self.slots.is_stale(slot, epoch) => {
                stage.coverage.stale += 1;
            }
            ToMember::Session(serial, _, message) => self.tell_own(serial, message, stage, out),
            ToMember::Wire(serial, what) => self.session(serial, stage, out, |s, stage| s.read(what, stage)),
            ToMember::Flushed(serial, n) => self.session(serial, stage, out, |s, stage| s.flushed(n, stage)),
            ToMember::Cut(serial) => self.session(serial, stage, out, Session::lose),
            ToMember::SessionTimer(serial, timer) => {
                self.session(serial, stage, out, |s, stage| s.timer(timer, stage));
            }
            ToMember::FromMember(_, member, carried) => self.take(member, carried, stage, out),
            ToMember::Slots(_, what) => self.told(what, stage, out),
            _ => {}
        }
    }

    fn told(&mut self, what: ToSlots, stage: &mut Stage, out: &mut Outgoing) {
        match what {
            ToSlots::Table(table) => self.install(table, stage, out),
            ToSlots::Attached(arbiter, table, version) => {
                self.hand_overs.said(arbiter, table, version);
                self.report_handed_over(out);
            }
            ToSlots::Gathered(slots) => self.gathered(&slots, stage, out),
            ToSlots::Quiesce(slots) => self.quiesce(&slots, stage),
            ToSlots::Quiet(slot, round) if round.is_last() => out.reports.push(Report::Quiet(slot)),
            ToSlots::Quiet(..) => {}
            ToSlots::Gone(member) => self.member_gone(member, stage),
            ToSlots::Unreachable(member) => self.unreachable(member, stage, out),
            ToSlots::Released => self.release(stage, out),
            ToSlots::End => self.end_sessions(stage, out),
        }
    }

    /// Its users and its sessions; what it keeps is what it knows beside them.
    pub(crate) fn give_up(&mut self, holds: &mut Holds) {
        let (entities, sessions) = (std::mem::take(&mut self.entities), std::mem::take(&mut self.sessions));
        let is_elsewhere = |session: &&Session| self.slots.ours(session.slot()).is_none();
        holds.users += entities.len();
        holds.sessions += sessions.len();
        holds.sessions_of_others += sessions.values().filter(is_elsewhere).count();
        holds.for_users.add(entities);
        holds.for_sessions.add(sessions);
    }

    /// A client has connected.
    pub(crate) fn open(&mut self, serial: u64, make: impl FnOnce(SessionKey) -> Session) {
        let key = SessionKey { member: self.me, arbiter: self.number, serial };
        self.sessions.insert(serial, make(key));
    }

    pub(super) fn session(
        &mut self,
        serial: u64,
        stage: &mut Stage,
        out: &mut Outgoing,
        f: impl FnOnce(&mut Session, &mut Stage),
    ) {
        let Some(session) = self.sessions.get_mut(&serial).filter(|session| !session.is_over()) else {
            return;
        };
        f(session, stage);
        self.hear(serial, stage, out);
    }

    /// A message of a user to a session of this arbiter.
    fn tell_own(&mut self, serial: u64, message: ToSession, stage: &mut Stage, out: &mut Outgoing) {
        let is_reattaching = matches!(message, ToSession::Reattach);
        if let Some(session) = self.sessions.get_mut(&serial) {
            session.user(message, stage);
            self.hear(serial, stage, out);
            if is_reattaching {
                self.session_attached(serial, stage);
            }
        }
    }

    /// An event for an entity whose arbiter, on the member that owns it, is this one.
    fn admit(&mut self, source: Source, key: Key, event: Event, stage: &mut Stage, out: &mut Outgoing) {
        if self.stalled.is_full() && event.is_gated() {
            return self.refused(&key, event, stage, out);
        }
        match self.slots.admit(&key, event) {
            Admission::Here(epoch, event) => self.deliver(key, epoch, event, stage, out),
            Admission::There(member, epoch, event) => {
                let carried = Carried::Event { source, target: key, epoch, event };
                out.parcels.push(Parcel { to: member, owner: None, carried });
            }
            Admission::Held => stage.coverage.held += 1,
            Admission::Refused(event) => self.refused(&key, event, stage, out),
        }
    }

    fn deliver(&mut self, key: Key, epoch: Epoch, event: Event, stage: &mut Stage, out: &mut Outgoing) {
        if self.epoch(&key) != Some(epoch) {
            self.spawn(&key, epoch, stage, out);
        }
        let is_gated = event.is_gated();
        if matches!(event, Event::Forward(_)) && stage.random.chance(stage.plan.forward_refused) {
            // As if the gate were full: the outbox that has it sends it again.
            stage.coverage.refused_forwards += 1;
            return;
        }
        stage.trace(|| format!("to {} in {epoch:?}: {}", key.jid(), shown_event(&event)));
        let Some(actor) = self.entities.get(&key) else { return };
        match actor.gate.enter() {
            Err(_) if is_gated => self.refused(&key, event, stage, out),
            entered => self.post(&key, Mail::Deliver(event, entered.is_ok()), stage),
        }
    }

    /// What an entity is owed, which it asked for in this epoch.
    fn deliver_own(&mut self, key: &Key, epoch: Epoch, event: Event, stage: &mut Stage) {
        if let Some(actor) = self.entities.get(key).filter(|actor| actor.epoch == epoch) {
            let is_counted = actor.gate.enter().is_ok();
            self.post(key, Mail::Deliver(event, is_counted), stage);
        }
    }

    /// There is no room for an event.
    pub(super) fn refused(&mut self, key: &Key, event: Event, stage: &mut Stage, out: &mut Outgoing) {
        stage.coverage.refused_events += 1;
        let epoch = self.slots.table().owner(key.slot()).epoch;
        match declined(event) {
            Some(Sent::Session(session, message)) => self.tell(key, epoch, session, message, stage, out),
            Some(Sent::Event(to, event)) => self.dispatch(Source::Member, to, event, stage, out),
            _ => {}
        }
    }

    /// Hands an event to an entity, wherever it is.
    fn dispatch(&mut self, source: Source, key: Key, event: Event, stage: &mut Stage, out: &mut Outgoing) {
        let arbiter = stage.arbiter_of(&key);
        if arbiter == self.number {
            return self.admit(source, key, event, stage, out);
        }
        let version = self.slots.table().version();
        stage.send(self.end(), End::Arbiter(arbiter), ToMember::Event(version, source, key, event));
    }

    /// Hands on what a session said.
    fn hear(&mut self, serial: u64, stage: &mut Stage, out: &mut Outgoing) {
        for (key, event) in std::mem::take(&mut stage.said) {
            self.dispatch(Source::Member, key, event, stage, out);
        }
        if let Some((user, attachment, why)) = stage.ended.take() {
            let (now, session) =
                (stage.time().monotonic, SessionKey { member: self.me, arbiter: self.number, serial });
            stage.coverage.streams_cut += u64::from(self.attaching.awaits(serial));
            let end = SessionEnd { session, user: &user, attachment: &attachment, peer: None, why };
            for event in self.unattended.ends(now, end, &self.attaching, self.slots.table()) {
                self.dispatch(Source::Member, user.clone(), event, stage, out);
            }
        }
        if self.sessions.get(&serial).is_some_and(Session::is_over) {
            self.session_attached(serial, stage);
        }
    }

    /// Hands a message to a session, wherever it is.
    fn tell(
        &self,
        owner: &Key,
        epoch: Epoch,
        session: SessionKey,
        message: ToSession,
        stage: &mut Stage,
        out: &mut Outgoing,
    ) {
        if session.member == self.me {
            let is_own = session.arbiter == self.number;
            let source = if is_own { Source::Member } else { Source::Entity(owner.slot(), epoch) };
            return stage.tell(self.end(), source, session.serial, message);
        }
        let source = (owner.slot(), epoch);
        let (to, owner) = (session.member, Some(owner.clone()));
        out.parcels.push(Parcel { to, owner, carried: Carried::Session { source, session, message } });
    }

    /// The epoch of an entity that is loaded.
    pub(crate) fn epoch(&self, key: &Key) -> Option<Epoch> {
        self.entities.get(key).map(|actor| actor.epoch)
    }

    /// Into the mailbox.
    pub(crate) fn post(&self, key: &Key, mail: Mail, stage: &mut Stage) {
        let Some(actor) = self.entities.get(key) else { return };
        let what = ToMember::Mail(key.clone(), actor.number, mail);
        stage.send(End::Entity(key.clone()), End::Entity(key.clone()), what);
    }

    fn carry_out(
        &mut self,
        owner: &Key,
        epoch: Epoch,
        outputs: Vec<Output>,
        stage: &mut Stage,
        out: &mut Outgoing,
    ) {
        for output in outputs {
            match output {
                Output::Write(set) => stage.send(self.end(), End::Store, ToMember::Set(set)),
                Output::Load(queries) => ask(owner, epoch, None, queries, stage),
                Output::Timer(after, token) => {
                    stage.after(after, ToMember::Timer(owner.clone(), epoch, token));
                }
                Output::Sent(sent) if self.stalled.is_empty() && stage.may_release => {
                    self.sent(owner, epoch, sent, stage, out);
                }
                Output::Sent(sent) => {
                    stage.coverage.stalled += 1;
                    self.stalled.push(owner.clone(), epoch, sent);
                }
            }
        }
    }

    /// The lease goes on: what waited for it leaves, but for what is said for slots that are another's by now.
    fn release(&mut self, stage: &mut Stage, out: &mut Outgoing) {
        while stage.may_release
            && let Some((owner, epoch, sent)) = self.stalled.pop()
        {
            if !self.slots.is_stale(owner.slot(), epoch) {
                self.sent(&owner, epoch, sent, stage, out);
            }
        }
        self.report_quiet(stage);
    }

    fn sent(&mut self, owner: &Key, epoch: Epoch, sent: Sent, stage: &mut Stage, out: &mut Outgoing) {
        stage.released(owner, self.me, epoch);
        match sent {
            Sent::Query(token, queries) => ask(owner, epoch, Some(token), queries, stage),
            Sent::Event(key, event) => {
                stage.trace(|| format!("{} -> {}: {event:?}", owner.jid(), key.jid()));
                stage.history.sent(&key, &event, &mut stage.coverage);
                self.dispatch(Source::Entity(owner.slot(), epoch), key, event, stage, out);
            }
            Sent::Session(session, message) => {
                self.tell(owner, epoch, session, message, stage, out);
            }
            Sent::Reply(..) | Sent::Derive(..) => {}
        }
    }
}

fn ask(owner: &Key, epoch: Epoch, token: Option<u64>, queries: Vec<Query>, stage: &mut Stage) {
    stage.ask_store(ToStore::Read(Asked { key: owner.clone(), epoch, token, queries }));
}

/// Short enough to read a trace.
fn shown_event(event: &Event) -> String {
    let mut text = format!("{event:?}");
    text.truncate(text.floor_char_boundary(120));
    text
}
