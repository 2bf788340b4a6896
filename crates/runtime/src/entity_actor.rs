//! The actor around an entity's shell: takes events, carries out outputs, stops when there is nothing to do.

use crate::limits::{ENTITY_IDLE, PANICS_MAX};
use crate::local;
use crate::start::Shared;
use crate::timers::Timer;
use actix::{Actor, ActorContext, Addr, Context, Handler, Message};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use stentor_engine::{CommitError, Epoch, Event, Gate, Key, Output, Rows, Shell};
use stentor_entities::User;

/// An event, and whether it was counted by the gate.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Deliver(pub Event, pub bool);

/// What the store had of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Loaded(pub Vec<Rows>);

/// The store's verdict on a write set.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Committed(pub u64, pub Result<(), CommitError>);

/// It has had nothing to do for a while.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopIfIdle;

/// A user's actor.
pub(crate) struct EntityActor {
    key: Key,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    /// Boxed, and none only while it is replaced.
    shell: Option<Shell<User>>,
    panics: u32,
    /// Verdicts still to come on write sets of a shell that is gone: each set has one, in order.
    stale: u64,
    /// Events since the idle timer was set, if it is set.
    idle: Option<u32>,
}

impl EntityActor {
    /// Starts it on this arbiter, and has it loaded.
    pub(crate) fn spawn(key: Key, shared: Arc<Shared>, gate: Arc<Gate>) -> Addr<Self> {
        Self { key, shared, gate, shell: None, panics: 0, stale: 0, idle: None }.start()
    }

    fn load(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.shell = Some(Shell::new(self.key.clone(), Epoch(1), &self.shared.hosts(), &mut outputs));
        outputs
    }

    /// Lets the shell do something, and carries out what comes of it. A panic is a bug of ours: the entity goes, as
    /// after a commit that was refused, and nothing of the event leaves.
    fn step(&mut self, f: impl FnOnce(&mut Shell<User>, &mut Vec<Output>)) {
        let Some(shell) = &mut self.shell else { return };
        let mut outputs = Vec::new();
        let result = catch_unwind(AssertUnwindSafe(|| f(shell, &mut outputs)));
        if result.is_err() {
            self.panics += 1;
            tracing::error!(entity = %self.key.jid(), panics = self.panics, "an entity panicked");
            self.stale += self.shell.as_ref().map_or(0, Shell::pending);
            outputs = self.abandon();
        }
        self.carry_out(outputs);
    }

    fn abandon(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        if let Some(shell) = self.shell.take() {
            shell.abandon(&mut outputs);
        }
        if self.panics <= PANICS_MAX {
            outputs.extend(self.load());
        }
        outputs
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        local::with(|local| {
            local.carry_out(&self.key, outputs);
            local.flush();
        });
    }

    fn watch_idleness(&mut self) {
        match &mut self.idle {
            Some(events) => *events = events.saturating_add(1),
            None if self.shell.as_ref().is_none_or(Shell::may_stop) => {
                self.idle = Some(0);
                local::with(|local| local.timers.insert(ENTITY_IDLE, Timer::Idle(self.key.clone())));
            }
            None => {}
        }
    }
}

impl Actor for EntityActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let outputs = self.load();
        self.carry_out(outputs);
    }
}

impl Handler<Deliver> for EntityActor {
    type Result = ();

    fn handle(&mut self, Deliver(event, is_counted): Deliver, _: &mut Self::Context) {
        self.step(|shell, outputs| shell.handle(local::now(), event, outputs));
        if is_counted {
            self.gate.leave();
        }
        self.watch_idleness();
    }
}

impl Handler<Loaded> for EntityActor {
    type Result = ();

    fn handle(&mut self, Loaded(rows): Loaded, _: &mut Self::Context) {
        self.step(|shell, outputs| shell.loaded(local::now(), rows, outputs));
        self.watch_idleness();
    }
}

impl Handler<Committed> for EntityActor {
    type Result = ();

    fn handle(&mut self, Committed(ticket, result): Committed, _: &mut Self::Context) {
        if self.stale > 0 {
            self.stale -= 1;
            return;
        }
        match result {
            Ok(()) => self.step(|shell, outputs| shell.committed(ticket, outputs)),
            Err(error) => {
                tracing::error!(entity = %self.key.jid(), %error, "a commit was refused");
                self.shared.check_store();
                self.stale = self.shell.as_ref().map_or(0, Shell::issued).saturating_sub(ticket);
                let outputs = self.abandon();
                self.carry_out(outputs);
            }
        }
        self.watch_idleness();
    }
}

impl Handler<StopIfIdle> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: StopIfIdle, context: &mut Self::Context) {
        let was_used = self.idle.take().is_some_and(|events| events > 0);
        let may_stop = self.shell.as_ref().is_none_or(Shell::may_stop);
        if may_stop && !was_used && self.gate.close() {
            local::with(|local| local.forget_entity(&self.key));
            context.stop();
        } else {
            self.watch_idleness();
        }
    }
}
