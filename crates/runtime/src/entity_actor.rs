//! The actor around an entity's shell: takes events, carries out outputs, stops when there is nothing to do.

use crate::limits::{ENTITY_IDLE, PANICS_MAX, VACANT_IDLE};
use crate::local;
use crate::start::Shared;
use crate::timers::Timer;
use actix::{Actor, ActorContext, Addr, Context, Handler, Message};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use stentor_engine::{CommitError, Epoch, Event, Gate, Key, Output, Rows, Shell, ToSession};
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

/// Its slot is to be another member's: it ends once nothing of it is under way.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

/// Its slot is another member's: it ends at once, and nothing that it had not let go leaves.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Dropped;

/// A user's actor.
pub(crate) struct EntityActor {
    key: Key,
    epoch: Epoch,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    /// Boxed, and none only while it is replaced.
    shell: Option<Shell<User>>,
    panics: u32,
    /// Verdicts still to come on write sets of a shell that is gone: each set has one, in order.
    stale: u64,
    /// Events since the idle timer was set, if it is set.
    idle: Option<u32>,
    /// It is counted among those that nobody has made, until this is dropped.
    vacancy: Option<Rc<()>>,
    is_retiring: bool,
}

impl EntityActor {
    /// Starts it on this arbiter, and has it loaded.
    pub(crate) fn spawn(key: Key, epoch: Epoch, shared: Arc<Shared>, gate: Arc<Gate>) -> Addr<Self> {
        Self {
            key,
            epoch,
            shared,
            gate,
            shell: None,
            panics: 0,
            stale: 0,
            idle: None,
            vacancy: None,
            is_retiring: false,
        }
        .start()
    }

    fn load(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.shell = Some(Shell::new(self.key.clone(), self.epoch, &self.shared.hosts(), &mut outputs));
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
            outputs = self.reload();
        }
        self.carry_out(outputs);
    }

    fn reload(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        match &mut self.shell {
            Some(shell) if self.panics <= PANICS_MAX => shell.reload(&self.shared.hosts(), &mut outputs),
            shell => {
                if let Some(shell) = shell.take() {
                    shell.abandon(&mut outputs);
                }
            }
        }
        outputs
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        local::with(|local| {
            local.carry_out(&self.key, self.epoch, outputs);
            local.flush();
        });
    }

    fn may_stop(&self) -> bool {
        self.stale == 0 && self.shell.as_ref().is_none_or(Shell::may_stop)
    }

    fn watch_idleness(&mut self, context: &mut Context<Self>) {
        if let Some(events) = &mut self.idle {
            *events = events.saturating_add(1);
        } else if self.may_stop() {
            self.rest(context);
        }
    }

    /// With nothing to do it stays for a while. One that nobody has made stays for a moment, and not even that where
    /// there are many like it: anybody can have them loaded, as many as there are names.
    fn rest(&mut self, context: &mut Context<Self>) {
        let is_vacant = self.shell.as_ref().is_some_and(|shell| shell.entity().is_vacant());
        self.vacancy = if is_vacant { local::with(|local| local.vacancy()).flatten() } else { None };
        // One that retires ends by itself.
        if is_vacant && self.vacancy.is_none() && !self.is_retiring && self.gate.close() {
            return self.end(context);
        }
        self.idle = Some(0);
        let time = if is_vacant { VACANT_IDLE } else { ENTITY_IDLE };
        local::with(|local| local.timers.insert(time, Timer::Idle(self.key.clone())));
    }

    /// Ends it, if its slot is to move and nothing of it is under way.
    fn consider_retiring(&mut self, context: &mut Context<Self>) {
        let is_quiet = self.stale == 0 && self.shell.as_ref().is_none_or(Shell::is_quiet);
        if self.is_retiring && is_quiet && self.gate.close() {
            let streams = self.shell.as_ref().map(|shell| shell.entity().streams());
            self.end(context);
            local::with(|local| local.retired(&self.key, streams.unwrap_or_default()));
        }
    }

    /// Its gate is closed, and nobody waits for it.
    fn end(&mut self, context: &mut Context<Self>) {
        self.shell = None;
        local::with(|local| local.ended(&self.key));
        context.stop();
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

    fn handle(&mut self, Deliver(event, is_counted): Deliver, context: &mut Self::Context) {
        let session = event.session();
        let panics = self.panics;
        if self.shell.is_some() {
            self.step(|shell, outputs| shell.handle(local::now(), event, outputs));
        } else {
            local::with(|local| local.refused("it is broken", &self.key, event));
        }
        if let Some(session) = session.filter(|_| self.shell.is_some() && self.panics > panics) {
            // What it asked is lost with the event, whether or not the entity knew of it.
            local::with(|local| local.tell_session(&self.key, self.epoch, session, ToSession::Reattach));
        }
        if is_counted {
            self.gate.leave();
        }
        self.watch_idleness(context);
        self.consider_retiring(context);
    }
}

impl Handler<Loaded> for EntityActor {
    type Result = ();

    fn handle(&mut self, Loaded(rows): Loaded, context: &mut Self::Context) {
        self.step(|shell, outputs| shell.loaded(local::now(), rows, outputs));
        self.watch_idleness(context);
        self.consider_retiring(context);
    }
}

impl Handler<Committed> for EntityActor {
    type Result = ();

    fn handle(&mut self, Committed(ticket, result): Committed, context: &mut Self::Context) {
        if self.stale > 0 {
            self.stale -= 1;
            return self.consider_retiring(context);
        }
        match result {
            Ok(()) => self.step(|shell, outputs| shell.committed(ticket, outputs)),
            Err(error) => {
                tracing::error!(entity = %self.key.jid(), %error, "a commit was refused");
                self.shared.check_store();
                self.stale = self.shell.as_ref().map_or(0, Shell::issued).saturating_sub(ticket);
                let outputs = self.reload();
                self.carry_out(outputs);
            }
        }
        self.watch_idleness(context);
        self.consider_retiring(context);
    }
}

impl Handler<Retire> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: Retire, context: &mut Self::Context) {
        self.is_retiring = true;
        self.step(|shell, outputs| shell.retire(local::now(), outputs));
        self.consider_retiring(context);
    }
}

impl Handler<Dropped> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: Dropped, context: &mut Self::Context) {
        self.shell = None;
        context.stop();
    }
}

impl Handler<StopIfIdle> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: StopIfIdle, context: &mut Self::Context) {
        let was_used = self.idle.take().is_some_and(|events| events > 0);
        if self.may_stop() && !was_used && self.gate.close() {
            self.end(context);
        } else {
            self.watch_idleness(context);
        }
    }
}
