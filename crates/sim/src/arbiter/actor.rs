//! The actor around an entity's shell.

use super::Arbiter;
use crate::mail::Mail;
use crate::member::Outgoing;
use crate::stage::{Stage, ToMember};
use std::collections::BTreeSet;
use std::sync::Arc;
use stentor_engine::limits::{ATTACH_TIME_MAX, ENTITY_EVENTS_MAX};
use stentor_engine::{Epoch, Event, FromSession, Gate, Key, Output, Sent, SessionKey, Shell, ToSession};
use stentor_entities::{Hosts, User};

#[derive(Debug)]
pub(super) struct Actor {
    pub number: u64,
    pub epoch: Epoch,
    pub gate: Gate,
    shell: Shell<User>,
    /// Verdicts still to come on write sets of a shell that is gone.
    stale: u64,
    /// Events since the idle timer was set, if it is set.
    idle: Option<u32>,
    is_retiring: bool,
    /// Sessions that were to attach anew when the shell was last loaded afresh, and have not; and when that was, by the
    /// clock of the process, which its timers go by.
    expected: (u64, BTreeSet<SessionKey>),
}

impl Actor {
    /// A write set was refused. Whether a stream waits to be resumed, which its successor will take for gone.
    fn reload(&mut self, at: u64, hosts: &Arc<Hosts>, outputs: &mut Vec<Output>) -> bool {
        let waits = self.shell.entity().streams().iter().any(|(session, _)| session.is_none());
        self.shell.reload(hosts, outputs);
        let told = outputs.iter().filter_map(|output| match output {
            Output::Sent(Sent::Session(session, ToSession::Reattach)) => Some(*session),
            _ => None,
        });
        self.expected = (at, told.collect());
        waits
    }

    /// Whether by this it takes sessions for gone that it has waited for.
    fn gives_up(&mut self, at: u64, event: &Event) -> bool {
        let (since, expected) = &mut self.expected;
        if let Event::Session(session, FromSession::Attach(_)) = event {
            expected.remove(session);
        }
        let is_over = matches!(event, Event::Timer(_)) && at >= *since + ATTACH_TIME_MAX;
        is_over && !std::mem::take(expected).is_empty()
    }
}

impl Arbiter {
    pub(super) fn spawn(&mut self, key: &Key, epoch: Epoch, stage: &mut Stage, out: &mut Outgoing) {
        stage.coverage.loaded += 1;
        self.actors += 1;
        let mut outputs = Vec::new();
        let shell = Shell::new(key.clone(), epoch, &self.hosts, &mut outputs);
        let gate = Gate::new(ENTITY_EVENTS_MAX);
        let number = self.actors;
        let (idle, expected) = (None, (0, BTreeSet::new()));
        let actor = Actor { number, epoch, gate, shell, stale: 0, idle, is_retiring: false, expected };
        self.entities.insert(key.clone(), actor);
        if let Some(lost) = self.slots.taken_over(key.slot()) {
            self.deliver_own(key, epoch, Event::TakenOver(lost), stage);
        }
        self.carry_out(key, epoch, outputs, stage, out);
    }

    pub(super) fn mail(&mut self, key: Key, number: u64, mail: Mail, stage: &mut Stage, out: &mut Outgoing) {
        let now = stage.time();
        let Some(actor) = self.entities.get_mut(&key).filter(|actor| actor.number == number) else { return };
        let epoch = actor.epoch;
        let mut outputs = Vec::new();
        match mail {
            Mail::Deliver(event, is_counted) => {
                if actor.gives_up(now.monotonic, &event) {
                    stage.taken_for_gone(&key);
                }
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
                if actor.reload(now.monotonic, &self.hosts, &mut outputs) {
                    stage.taken_for_gone(&key);
                }
            }
            Mail::StopIfIdle => {
                let was_used = actor.idle.take().is_some_and(|events| events > 0);
                if actor.shell.may_stop() && !was_used && actor.gate.close() {
                    stage.coverage.passivated += 1;
                    return self.ended(&key, stage);
                }
            }
            Mail::Retire => {
                actor.is_retiring = true;
                actor.shell.retire(now, &mut outputs);
            }
        }
        let is_quiet = actor.stale == 0 && actor.shell.is_quiet();
        let retires = actor.is_retiring && is_quiet && actor.gate.close();
        match &mut actor.idle {
            Some(events) => *events += 1,
            None if actor.shell.may_stop() => {
                actor.idle = Some(0);
                stage.after(stage.plan.idle, ToMember::Idle(key.clone()));
            }
            None => {}
        }
        self.carry_out(&key, epoch, outputs, stage, out);
        if retires {
            let streams = self.entities.get(&key).map(|actor| actor.shell.entity().streams());
            self.ended(&key, stage);
            self.unattended.retired(&key, streams.unwrap_or_default());
            if !self.slots.quiesces(key.slot()) {
                self.hand_over_unattended(key.slot(), stage, out);
            }
        }
    }

    /// An entity is over, for its slot is to move or for having nothing to do; or both.
    fn ended(&mut self, key: &Key, stage: &mut Stage) {
        self.entities.remove(key);
        self.retiring.ended(key.slot());
        self.report_quiet(stage);
    }
}
