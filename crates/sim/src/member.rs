//! The member: the same shells, entities, lane and gates as in the server, driven by a loop instead of actors.
//! What stands here is what `stentor_runtime` has beside them: the registry, the mailboxes, the store's threads.

use crate::queue::End;
use crate::session::Session;
use crate::stage::{FromClient, Mail, Stage, ToMember};
use std::collections::BTreeMap;
use std::sync::Arc;
use stentor_engine::limits::ENTITY_EVENTS_MAX;
use stentor_engine::{
    Batch, CommitError, Epoch, Event, FromSession, Gate, Key, Lane, Output, Planted, Sent, Settled, Shell,
    ToSession,
};
use stentor_entities::{Host, Hosts, User, UserLimits};
use stentor_xmpp::Condition;

/// The one domain that is served.
pub(crate) const DOMAIN: &str = "example.org";

/// The process is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Died;

#[derive(Debug)]
struct Actor {
    number: u64,
    gate: Gate,
    shell: Shell<User>,
    /// Verdicts still to come on write sets of a shell that is gone.
    stale: u64,
    /// Events since the idle timer was set, if it is set.
    idle: Option<u32>,
}

/// One incarnation.
#[derive(Debug)]
pub(crate) struct Member {
    hosts: Arc<Hosts>,
    arbiters: u16,
    entities: BTreeMap<Key, Actor>,
    sessions: BTreeMap<u64, Session>,
    lane: Lane,
    /// Under way: its refusals, and the batch as it was written.
    batch: Option<(Vec<(Key, CommitError)>, Batch)>,
    actors: u64,
}

impl Member {
    pub(crate) fn start(stage: &mut Stage, planted: Planted) -> Self {
        stage.boot();
        let host =
            Host { domain: DOMAIN.into(), keep: stage.plan.keeps, contacts: Vec::new(), registration: false };
        let limits = UserLimits {
            offline_messages_max: stage.plan.offline_messages_max,
            outbox_max: stage.plan.outbox_max,
            errors_max: stage.plan.errors_max,
            resume_seconds: stage.plan.resume_seconds,
            ..UserLimits::default()
        };
        let mut hosts = Hosts::new(vec![host], limits, "0", stage.time().unix);
        hosts.planted = planted;
        Self {
            hosts: Arc::new(hosts),
            arbiters: stage.plan.arbiters,
            entities: BTreeMap::new(),
            sessions: BTreeMap::new(),
            lane: Lane::new(),
            batch: None,
            actors: 0,
        }
    }

    fn arbiter_of(&self, key: &Key) -> u16 {
        key.slot().number() % self.arbiters
    }

    /// Something happens here.
    pub(crate) fn handle(&mut self, what: ToMember, stage: &mut Stage) -> Result<(), Died> {
        match what {
            ToMember::Event(key, event) => self.deliver(key, event, stage),
            ToMember::Mail(key, number, mail) => self.mail(key, number, mail, stage),
            ToMember::Set(set) => {
                if let Some(settled) = self.lane.push(set) {
                    self.report(vec![settled], stage);
                }
                self.commit(stage);
            }
            ToMember::Question(key, token, queries) => {
                // A reader may or may not see what is on its way to the disk.
                let sees_all = stage.random.chance(500);
                let state = if sees_all { stage.disk.applied() } else { stage.disk.durable() };
                let rows: Vec<_> = queries.iter().map(|query| state.query(&key, query)).collect();
                stage.trace(|| format!("{} asks {token:?}: {queries:?} {rows:?}", key.jid()));
                let delay = stage.random.below(stage.plan.commit_most + 1);
                stage.after(delay, ToMember::Rows(key, token, rows));
            }
            ToMember::Rows(key, token, rows) => match token {
                _ if !self.entities.contains_key(&key) => {}
                Some(token) => self.deliver(key, Event::Rows(token, rows), stage),
                None => self.post(&key, Mail::Loaded(rows), stage),
            },
            ToMember::Committed { fails: true } => {
                stage.coverage.failed_commits += 1;
                return Err(Died);
            }
            ToMember::Committed { fails: false } => self.committed(stage),
            ToMember::Timer(key, token) => self.deliver(key, Event::Timer(token), stage),
            ToMember::Idle(key) => {
                if self.entities.contains_key(&key) {
                    self.post(&key, Mail::StopIfIdle, stage);
                }
            }
            ToMember::Session(serial, message) => {
                if let Some(session) = self.sessions.get_mut(&serial) {
                    session.user(message, stage);
                }
            }
            ToMember::Wire(serial, FromClient::Open { client, slow, is_unmanaged, user }) => {
                stage.history.connected(&user, is_unmanaged);
                let arbiter = (serial % u64::from(self.arbiters)) as u16;
                let mut session = Session::new(serial, arbiter, client, slow, user, stage);
                session.check_idle(stage);
                self.sessions.insert(serial, session);
            }
            ToMember::Wire(serial, what) => self.session(serial, |session| session.read(what, stage)),
            ToMember::Flushed(serial, n) => self.session(serial, |session| session.flushed(n, stage)),
            ToMember::Cut(serial) => self.session(serial, |session| session.lose(stage)),
            ToMember::SessionTimer(serial, timer) => {
                self.session(serial, |session| session.timer(timer, stage));
            }
        }
        Ok(())
    }

    fn session(&mut self, serial: u64, f: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.get_mut(&serial).filter(|session| !session.is_over()) {
            f(session);
        }
    }

    /// The registry: an event for an entity, through its gate.
    fn deliver(&mut self, key: Key, event: Event, stage: &mut Stage) {
        if !self.entities.contains_key(&key) {
            self.spawn(&key, stage);
        }
        let is_gated = event.is_gated();
        let is_refused =
            matches!(event, Event::Forward(_)) && stage.random.chance(stage.plan.forward_refused);
        if is_refused {
            // As if the gate were full: the outbox that has it sends it again.
            stage.coverage.refused_forwards += 1;
            return;
        }
        let Some(actor) = self.entities.get(&key) else { return };
        match actor.gate.enter() {
            Err(_) if is_gated => self.refused(&key, event, stage),
            entered => self.post(&key, Mail::Deliver(event, entered.is_ok()), stage),
        }
    }

    fn refused(&self, key: &Key, event: Event, stage: &mut Stage) {
        if let Event::Session(session, event) = event {
            let message = match event {
                FromSession::Bind { .. } => ToSession::BindRefused(Condition::ResourceConstraint.into()),
                _ => ToSession::End(stentor_xmpp::StreamCondition::ResourceConstraint.into()),
            };
            let from = End::Arbiter(self.arbiter_of(key));
            stage.send(from, End::Session(session.serial), ToMember::Session(session.serial, message));
        }
    }

    fn spawn(&mut self, key: &Key, stage: &mut Stage) {
        stage.coverage.loaded += 1;
        self.actors += 1;
        let mut outputs = Vec::new();
        let shell = Shell::new(key.clone(), Epoch(1), &self.hosts, &mut outputs);
        let gate = Gate::new(ENTITY_EVENTS_MAX);
        self.entities.insert(key.clone(), Actor { number: self.actors, gate, shell, stale: 0, idle: None });
        self.carry_out(key, outputs, stage);
    }

    /// Into the mailbox.
    fn post(&self, key: &Key, mail: Mail, stage: &mut Stage) {
        let Some(actor) = self.entities.get(key) else { return };
        let what = ToMember::Mail(key.clone(), actor.number, mail);
        stage.send(End::Entity(key.clone()), End::Entity(key.clone()), what);
    }

    fn mail(&mut self, key: Key, number: u64, mail: Mail, stage: &mut Stage) {
        let now = stage.time();
        let Some(actor) = self.entities.get_mut(&key).filter(|actor| actor.number == number) else { return };
        let mut outputs = Vec::new();
        match mail {
            Mail::Deliver(event, is_counted) => {
                actor.shell.handle(now, event, &mut outputs);
                if is_counted {
                    actor.gate.leave();
                }
            }
            Mail::Loaded(rows) => actor.shell.loaded(now, rows, &mut outputs),
            Mail::Committed(..) if actor.stale > 0 => actor.stale -= 1,
            Mail::Committed(ticket, Ok(())) => actor.shell.committed(ticket, &mut outputs),
            Mail::Committed(ticket, Err(_)) => {
                stage.coverage.refused_commits += 1;
                actor.stale = actor.shell.issued().saturating_sub(ticket);
                actor.shell.reload(&self.hosts, &mut outputs);
            }
            Mail::StopIfIdle => {
                let was_used = actor.idle.take().is_some_and(|events| events > 0);
                if actor.shell.may_stop() && !was_used && actor.gate.close() {
                    stage.coverage.passivated += 1;
                    self.entities.remove(&key);
                    return;
                }
            }
        }
        match &mut actor.idle {
            Some(events) => *events += 1,
            None if actor.shell.may_stop() => {
                actor.idle = Some(0);
                stage.after(stage.plan.idle, ToMember::Idle(key.clone()));
            }
            None => {}
        }
        self.carry_out(&key, outputs, stage);
    }

    fn carry_out(&mut self, owner: &Key, outputs: Vec<Output>, stage: &mut Stage) {
        let from = End::Arbiter(self.arbiter_of(owner));
        for output in outputs {
            match output {
                Output::Write(set) => stage.send(from.clone(), End::Store, ToMember::Set(set)),
                Output::Load(queries) => self.ask(owner, None, queries, stage),
                Output::Timer(after, token) => stage.after(after, ToMember::Timer(owner.clone(), token)),
                Output::Sent(Sent::Query(token, queries)) => self.ask(owner, Some(token), queries, stage),
                Output::Sent(Sent::Event(key, event)) => {
                    stage.trace(|| format!("{} -> {}: {event:?}", owner.jid(), key.jid()));
                    stage.history.sent(&key, &event, &mut stage.coverage);
                    stage.send(from.clone(), End::Entity(key.clone()), ToMember::Event(key, event));
                }
                Output::Sent(Sent::Session(session, message)) => {
                    let what = ToMember::Session(session.serial, message);
                    stage.send(from.clone(), End::Session(session.serial), what);
                }
                Output::Sent(Sent::Reply(..) | Sent::Derive(..)) => {}
            }
        }
    }

    fn ask(&self, owner: &Key, token: Option<u64>, queries: Vec<stentor_engine::Query>, stage: &mut Stage) {
        let delay = stage.random.below(stage.plan.commit_most + 1);
        stage.after(delay, ToMember::Question(owner.clone(), token, queries));
    }

    /// The batch that is under way, as it was written.
    pub(crate) fn batch(&self) -> Option<&Batch> {
        self.batch.as_ref().map(|(_, batch)| batch)
    }

    /// Begins the next batch, if there is one and none is under way.
    fn commit(&mut self, stage: &mut Stage) {
        let Some(mut batch) = self.lane.next_batch() else { return };
        let mut refused = Vec::new();
        if stage.random.chance(stage.plan.commit_refused)
            && let Some(set) = stage.random.pick(&batch.sets)
        {
            refused.push((set.owner.clone(), CommitError::Conflict));
            batch.sets.retain(|set| !refused.iter().any(|(owner, _)| *owner == set.owner));
        }
        stage.trace(|| format!("batch {}: {} sets, {refused:?}", batch.number, batch.sets.len()));
        for set in &batch.sets {
            stage.trace(|| format!("  {} {}: {:?}", set.owner.jid(), set.ticket, set.writes));
        }
        refused.extend(stage.disk.write(batch.clone()).into_iter().inspect(|(owner, error)| {
            // One member has no other that could have been there before.
            stage.history.violate(format!("the store refused a write of {}: {error}", owner.jid()));
        }));
        self.batch = Some((refused, batch));
        let fails = stage.random.chance(stage.plan.commit_fails);
        let delay = stage.random.below(stage.plan.commit_most + 1);
        stage.after(delay, ToMember::Committed { fails });
    }

    /// The batch under way is on the disk.
    fn committed(&mut self, stage: &mut Stage) {
        let Some((refused, batch)) = self.batch.take() else { return };
        stage.disk.sync();
        stage.history.durable(&batch);
        let settled = self.lane.finished(&refused);
        self.report(settled, stage);
        self.commit(stage);
    }

    fn report(&self, settled: Vec<Settled>, stage: &mut Stage) {
        for Settled { owner, ticket, result, .. } in settled {
            self.post(&owner, Mail::Committed(ticket, result), stage);
        }
    }
}
