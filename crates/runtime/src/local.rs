//! What an arbiter has for itself: its registry of entities and sessions, its timers, what it is about to send to
//! others. Only the arbiter's own thread touches it.

use crate::entity_actor::{Deliver, EntityActor, Loaded};
use crate::router::{Parcel, Parcels};
use crate::start::Shared;
use crate::timers::{Timer, Timers};
use actix::{Addr, Message, Recipient};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stentor_engine::limits::ENTITY_EVENTS_MAX;
use stentor_engine::{
    Ask, Command, Event, FromSession, Gate, Key, Now, Output, Query, Refused, Reply, Rows, Sent, SessionKey,
    ToSession, WriteSet,
};
use stentor_store::Question;
use stentor_xmpp::{Condition, Stanza, StreamCondition, StreamError};

/// A message of a user to a session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum SessionMessage {
    /// From the user.
    User(ToSession),
    /// A timer of the session has run out.
    Timer(u64),
    /// The process ends.
    Shutdown,
}

/// An arbiter's own.
pub(crate) struct Local {
    pub arbiter: u16,
    pub shared: Arc<Shared>,
    entities: HashMap<Key, Handle>,
    sessions: HashMap<u64, Recipient<SessionMessage>>,
    serial: u64,
    pub timers: Timers,
    outgoing: Vec<Vec<Parcel>>,
    /// Write sets and questions that the store had no room for, in order.
    waiting_sets: VecDeque<WriteSet>,
    waiting_questions: VecDeque<Question>,
}

struct Handle {
    address: Addr<EntityActor>,
    gate: Arc<Gate>,
}

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

/// Makes this thread an arbiter of the runtime.
pub(crate) fn install(arbiter: u16, shared: Arc<Shared>) {
    let outgoing = (0..shared.routers.len()).map(|_| Vec::new()).collect();
    let local = Local {
        arbiter,
        shared,
        entities: HashMap::new(),
        sessions: HashMap::new(),
        serial: 0,
        timers: Timers::default(),
        outgoing,
        waiting_sets: VecDeque::new(),
        waiting_questions: VecDeque::new(),
    };
    LOCAL.with_borrow_mut(|place| *place = Some(local));
}

/// With this arbiter's own; none on a thread that is no arbiter.
pub(crate) fn with<R>(f: impl FnOnce(&mut Local) -> R) -> Option<R> {
    LOCAL.with_borrow_mut(|local| local.as_mut().map(f))
}

/// The time.
pub fn now() -> Now {
    thread_local! { static START: std::time::Instant = std::time::Instant::now(); }
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let monotonic = START.with(|start| start.elapsed().as_millis());
    Now { monotonic: monotonic as u64, unix: unix as u64 }
}

/// Sends an event to an entity, from a session on this arbiter.
pub fn send(key: Key, event: Event) {
    with(|local| {
        local.dispatch(key, event);
        local.flush();
    });
}

/// Whether an entity lives on this arbiter, or would.
pub fn is_here(key: &Key) -> bool {
    with(|local| local.shared.arbiter_of(key) == local.arbiter).unwrap_or(true)
}

/// Runs `f` on the arbiter of an entity; it is given what is to be kept as long as it is a load there.
pub fn place_at(key: &Key, f: impl FnOnce(Arc<AtomicUsize>) + Send + 'static) {
    with(|local| local.shared.place_at(key, f));
}

/// Enters a session on this arbiter into the registry.
pub fn new_session(session: Recipient<SessionMessage>) -> Option<SessionKey> {
    with(|local| {
        local.serial += 1;
        local.sessions.insert(local.serial, session);
        SessionKey { member: local.shared.member, arbiter: local.arbiter, serial: local.serial }
    })
}

/// The session is gone.
pub fn forget_session(key: SessionKey) {
    with(|local| local.sessions.remove(&key.serial));
}

/// Tells a session of this arbiter, after so long.
pub fn after(key: SessionKey, wait: Duration, token: u64) {
    with(|local| local.timers.insert(wait, Timer::Session(key.serial, token)));
}

impl Local {
    /// Carries out what a shell put out, in order.
    pub(crate) fn carry_out(&mut self, owner: &Key, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Write(set) => self.write(set),
                Output::Load(queries) => self.ask(owner, queries, None),
                Output::Timer(after, token) => {
                    self.timers.insert(Duration::from_millis(after), Timer::Entity(owner.clone(), token));
                }
                Output::Sent(sent) => self.sent(owner, sent),
            }
        }
    }

    fn sent(&mut self, owner: &Key, sent: Sent) {
        match sent {
            Sent::Event(key, event) => self.dispatch(key, event),
            Sent::Session(session, message) => self.tell_session(session, message),
            Sent::Reply(ask, reply) => self.shared.answer(ask, reply),
            Sent::Query(token, queries) => self.ask(owner, queries, Some(token)),
            Sent::Derive(token, password) => {
                let (shared, owner, arbiter) = (Arc::clone(&self.shared), owner.clone(), self.arbiter);
                tokio::task::spawn_local(async move {
                    let keys = shared.derive(password.0).await;
                    shared.post(arbiter, Parcel::Event(owner, Event::Derived(token, keys)));
                });
            }
        }
    }

    /// Hands an event to an entity, wherever it is.
    pub(crate) fn dispatch(&mut self, key: Key, event: Event) {
        let arbiter = self.shared.arbiter_of(&key);
        if arbiter == self.arbiter {
            self.deliver(key, event);
        } else if let Some(parcels) = self.outgoing.get_mut(usize::from(arbiter)) {
            parcels.push(Parcel::Event(key, event));
        }
    }

    /// Hands a message to a session, wherever it is. One that is gone has told its user so.
    pub(crate) fn tell_session(&mut self, session: SessionKey, message: ToSession) {
        if session.arbiter != self.arbiter {
            if let Some(parcels) = self.outgoing.get_mut(usize::from(session.arbiter)) {
                parcels.push(Parcel::Session(session, message));
            }
            return;
        }
        if let Some(recipient) = self.sessions.get(&session.serial) {
            post(recipient, SessionMessage::User(message));
        }
    }

    /// Sends what has gathered for other arbiters, one message each.
    pub(crate) fn flush(&mut self) {
        for (router, parcels) in self.shared.routers.iter().zip(&mut self.outgoing) {
            if !parcels.is_empty() {
                router.send(Parcels(std::mem::take(parcels)));
            }
        }
    }

    fn deliver(&mut self, key: Key, event: Event) {
        if !self.entities.get(&key).is_some_and(|handle| handle.address.connected()) {
            self.spawn(key.clone());
        }
        // By reference: a copy of an address costs two allocations.
        let Some(handle) = self.entities.get(&key) else { return };
        let is_gated = event.is_gated();
        match handle.gate.enter() {
            Err(why) if is_gated => self.refused(why, event),
            entered => post_entity(&handle.address, Deliver(event, entered.is_ok())),
        }
    }

    /// The answer to an event for which an entity has no room: nothing is lost without its sender knowing.
    fn refused(&mut self, why: Refused, event: Event) {
        tracing::warn!(%why, "an entity refused an event");
        match event {
            // The sender's outbox has it, and sends it again.
            Event::Forward(_) => {}
            Event::Session(session, FromSession::Bind { .. }) => {
                self.tell_session(session, ToSession::BindRefused(Condition::ResourceConstraint.into()));
            }
            // Cut off, its client resumes and sends again what was not handled.
            Event::Session(session, _) => {
                let error = StreamError::new(StreamCondition::ResourceConstraint);
                self.tell_session(session, ToSession::End(error));
            }
            Event::Relay(stanza) => self.bounce(&stanza, Condition::ResourceConstraint),
            Event::Command(ask, _) => self.shared.answer(ask, Reply::Failed),
            Event::Confirm(_) | Event::Rows(..) | Event::Derived(..) | Event::Timer(_) => {}
        }
    }

    fn bounce(&mut self, stanza: &Stanza, condition: Condition) {
        if let Some(reply) = stanza.error_reply(condition.into())
            && let Some(to) = reply.to().map(|to| to.to_bare())
        {
            self.dispatch(Key::User(to), Event::Relay(reply));
        }
    }

    fn spawn(&mut self, key: Key) {
        let gate = Arc::new(Gate::new(ENTITY_EVENTS_MAX));
        let address = EntityActor::spawn(key.clone(), Arc::clone(&self.shared), Arc::clone(&gate));
        self.entities.insert(key, Handle { address, gate });
    }

    /// The entity is stopping, and its gate is closed.
    pub(crate) fn forget_entity(&mut self, key: &Key) {
        self.entities.remove(key);
    }

    /// Tells every session that the process ends.
    pub(crate) fn end_sessions(&self) {
        for recipient in self.sessions.values() {
            post(recipient, SessionMessage::Shutdown);
        }
    }

    /// Has every entity write what it would write later.
    pub(crate) fn settle(&mut self) {
        let keys: Vec<Key> = self.entities.keys().cloned().collect();
        for key in keys {
            // Nobody waits for the answer.
            self.deliver(key, Event::Command(Ask(0), Command::Settle));
        }
    }

    /// How many entities and sessions are here.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.entities.len(), self.sessions.len())
    }

    /// A timer has run out.
    pub(crate) fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Entity(key, token) => self.deliver(key, Event::Timer(token)),
            Timer::Idle(key) => {
                if let Some(handle) = self.entities.get(&key) {
                    post_entity(&handle.address, crate::entity_actor::StopIfIdle);
                }
            }
            Timer::Session(serial, token) => {
                if let Some(recipient) = self.sessions.get(&serial) {
                    post(recipient, SessionMessage::Timer(token));
                }
            }
        }
    }

    /// Gives a write set to the store, behind those for which it had no room.
    fn write(&mut self, set: WriteSet) {
        if !self.waiting_sets.is_empty() {
            return self.waiting_sets.push_back(set);
        }
        if let Err((_, set)) = self.shared.store.write(self.arbiter, set) {
            self.waiting_sets.push_back(set);
        }
    }

    /// Asks the store for an entity: with a token, or to load it.
    fn ask(&mut self, owner: &Key, queries: Vec<Query>, token: Option<u64>) {
        let (shared, arbiter, key) = (Arc::clone(&self.shared), self.arbiter, owner.clone());
        let reply = Box::new(move |rows: Vec<Rows>| shared.post(arbiter, Parcel::Rows(key, token, rows)));
        let question = Question { arbiter, owner: owner.clone(), queries, reply };
        if let Err((_, question)) = self.shared.store.query(question) {
            self.waiting_questions.push_back(question);
        }
    }

    /// The store has room again.
    pub(crate) fn room(&mut self) {
        while let Some(set) = self.waiting_sets.pop_front() {
            if let Err((_, set)) = self.shared.store.write(self.arbiter, set) {
                self.waiting_sets.push_front(set);
                break;
            }
        }
        while let Some(question) = self.waiting_questions.pop_front() {
            if let Err((_, question)) = self.shared.store.query(question) {
                self.waiting_questions.push_front(question);
                break;
            }
        }
    }

    /// The store's answer, for an entity that is here.
    pub(crate) fn rows(&mut self, key: &Key, token: Option<u64>, rows: Vec<Rows>) {
        let Some(handle) = self.entities.get(key) else { return };
        match token {
            Some(token) => self.deliver(key.clone(), Event::Rows(token, rows)),
            None => post_entity(&handle.address, Loaded(rows)),
        }
    }

    /// The store's verdict on write sets of entities here.
    pub(crate) fn committed(&mut self, results: Vec<stentor_store::Committed>) {
        for committed in results {
            if let Some(handle) = self.entities.get(&committed.owner) {
                post_entity(
                    &handle.address,
                    crate::entity_actor::Committed(committed.ticket, committed.result),
                );
            }
        }
    }
}

/// The only ways into a mailbox. A session's is bounded by what its user sends: it cuts a stream that does not
/// drain.
#[expect(clippy::disallowed_methods, reason = "this is where the gates are")]
fn post(recipient: &Recipient<SessionMessage>, message: SessionMessage) {
    recipient.do_send(message);
}

#[expect(clippy::disallowed_methods, reason = "this is where the gates are")]
fn post_entity<M>(address: &Addr<EntityActor>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
    EntityActor: actix::Handler<M>,
{
    address.do_send(message);
}
