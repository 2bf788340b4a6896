//! What an arbiter has for itself: its registry of entities and sessions, its timers, what it is about to send to
//! others. Only the arbiter's own thread touches it.

use crate::asks::Asker;
use crate::entities::Entities;
use crate::entity_actor::EntityActor;
use crate::figures::Figure;
use crate::limits::VACANT_MAX;
use crate::members::ToMember;
use crate::rarely::Rarely;
use crate::router::{Parcel, Parcels};
use crate::routing::Source;
use crate::start::Shared;
use crate::timers::{Timer, Timers};
use actix::{Addr, Message, Recipient};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stentor_cluster::{
    Attaching, EndReason, HandOvers, Retiring, Returned, SessionEnd, Slots, Stalled, Unattended,
};
use stentor_engine::{
    Ask, Attachment, Command, Epoch, Event, Gate, Key, MemberId, Now, Output, Query, Reply, Rows, Sent,
    SessionKey, Slot, ToSession, WriteSet,
};
use stentor_store::Question;

/// A message of a user to a session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum SessionMessage {
    /// From the user.
    User(ToSession),
    /// A timer of the session has run out.
    Timer(u64),
    /// The member that has its user cannot be reached: its client is better off to come back to another.
    Lost,
    /// The process ends.
    Shutdown {
        /// The session's user is at another member, where a stream that can be resumed is kept for its client.
        user_goes_on: bool,
    },
}

/// An arbiter's own.
pub(crate) struct Local {
    pub arbiter: u16,
    pub shared: Arc<Shared>,
    /// The routing table as this arbiter knows it.
    pub slots: Slots,
    pub entities: Entities,
    /// Sessions, and the slots of their users once they are known.
    pub sessions: HashMap<u64, (Recipient<SessionMessage>, Option<Slot>)>,
    serial: u64,
    pub timers: Timers,
    pub outgoing: Vec<Vec<Parcel>>,
    pub outgoing_members: HashMap<MemberId, Vec<ToMember>>,
    pub attaching: Attaching,
    /// What the arbiters have said of theirs.
    pub hand_overs: HandOvers,
    pub retiring: Retiring,
    pub unattended: Unattended,
    /// A timer is set after which those that ended long ago are forgotten.
    pub is_forgetting: bool,
    pub stalled: Stalled,
    /// Also what another arbiter sent by a table that is not here yet.
    pub returned: Returned,
    /// Write sets and questions that the store had no room for, in order.
    waiting_sets: VecDeque<WriteSet>,
    waiting_questions: VecDeque<Question>,
    /// Events for which there was no room.
    pub refusals: Rarely,
    /// Entities without an account that stay for a moment, each with a copy.
    vacant: Rc<()>,
}

/// An entity's actor, in an epoch of its slot.
pub(crate) struct Handle {
    pub address: Addr<EntityActor>,
    pub gate: Arc<Gate>,
    pub epoch: Epoch,
}

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

/// Makes this thread an arbiter of the runtime.
pub(crate) fn install(arbiter: u16, shared: Arc<Shared>) {
    let outgoing = (0..shared.routers.len()).map(|_| Vec::new()).collect();
    let slots = Slots::new(shared.member, shared.first_table());
    let hand_overs = HandOvers::new(shared.routers.len());
    let local = Local {
        arbiter,
        shared,
        slots,
        entities: Entities::default(),
        sessions: HashMap::new(),
        serial: 0,
        timers: Timers::default(),
        outgoing,
        outgoing_members: HashMap::new(),
        attaching: Attaching::default(),
        hand_overs,
        retiring: Retiring::default(),
        unattended: Unattended::default(),
        is_forgetting: false,
        stalled: Stalled::default(),
        returned: Returned::default(),
        waiting_sets: VecDeque::new(),
        waiting_questions: VecDeque::new(),
        refusals: Rarely::default(),
        vacant: Rc::new(()),
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
        local.dispatch(None, key, event);
        local.flush();
    });
}

/// Counts something that happened on this arbiter.
pub fn tally(figure: Figure, count: u64) {
    with(|local| local.tally(figure, count));
}

/// Whether an entity lives on this arbiter, or would.
pub fn is_here(key: &Key) -> bool {
    with(|local| local.shared.arbiter_of(key) == local.arbiter).unwrap_or(true)
}

/// Runs `f` on the arbiter of an entity; it is given what is to be kept as long as it is a load there.
pub fn place_at(key: &Key, f: impl FnOnce(Arc<AtomicUsize>) + Send + 'static) {
    with(|local| local.shared.place_at(key, f));
}

/// Enters a session on this arbiter into the registry, with its user if that is known.
pub fn new_session(session: Recipient<SessionMessage>, user: Option<&Key>) -> Option<SessionKey> {
    with(|local| {
        let key = local.next_session();
        local.sessions.insert(key.serial, (session, user.map(Key::slot)));
        key
    })
}

/// The session's user is known, and lives on this arbiter: where that is moved to another member, the session follows.
pub fn belongs_to(session: SessionKey, user: &Key) {
    with(|local| {
        if let Some((_, slot)) = local.sessions.get_mut(&session.serial) {
            *slot = Some(user.slot());
        }
    });
}

/// The session is gone.
pub fn forget_session(key: SessionKey) {
    with(|local| {
        local.sessions.remove(&key.serial);
        local.timers.forget(key.serial);
        local.session_attached(key.serial);
    });
}

/// The session was told to attach anew, and has done so.
pub fn reattached(key: SessionKey) {
    with(|local| local.session_attached(key.serial));
}

/// The session ends, and its user is told, wherever that is or moves just now.
pub fn session_ends(
    session: SessionKey,
    user: &Key,
    attachment: &Attachment,
    peer: Option<IpAddr>,
    why: EndReason,
) {
    with(|local| {
        let end = SessionEnd { session, user, attachment, peer, why };
        let (attaching, table) = (&local.attaching, local.slots.table());
        for event in local.unattended.ends(now().monotonic, end, attaching, table) {
            local.dispatch(None, user.clone(), event);
        }
        local.forget_later();
        local.flush();
    });
}

/// Tells a session of this arbiter, after so long.
pub fn after(key: SessionKey, wait: Duration, token: u64) {
    with(|local| {
        // Of one that was forgotten nothing would take the timer back.
        if local.sessions.contains_key(&key.serial) {
            local.timers.insert(wait, Timer::Session(key.serial, token));
        }
    });
}

impl Local {
    /// The key of a session that was never before.
    pub(crate) fn next_session(&mut self) -> SessionKey {
        self.serial += 1;
        SessionKey { member: self.shared.member, arbiter: self.arbiter, serial: self.serial }
    }

    pub(crate) fn tally(&self, figure: Figure, count: u64) {
        self.shared.tally(self.arbiter, figure, count);
    }

    /// Carries out what a shell put out, in order.
    pub(crate) fn carry_out(&mut self, owner: &Key, epoch: Epoch, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Write(set) => self.write(set),
                Output::Load(queries) => self.ask(owner, epoch, queries, None),
                Output::Timer(after, token) => {
                    let timer = Timer::Entity(owner.clone(), epoch, token);
                    self.timers.insert(Duration::from_millis(after), timer);
                }
                Output::Sent(sent) if self.stalled.is_empty() && self.shared.may_release() => {
                    self.sent(owner, epoch, sent);
                }
                Output::Sent(sent) => {
                    self.tally(Figure::Withheld, 1);
                    self.stalled.push(owner.clone(), epoch, sent);
                }
            }
        }
    }

    /// The lease goes on: what waited for it leaves, but for what is said for slots that are another's by now.
    pub(crate) fn resume_releasing(&mut self) {
        while self.shared.may_release()
            && let Some((owner, epoch, sent)) = self.stalled.pop()
        {
            self.tally(Figure::Released, 1);
            self.sent(&owner, epoch, sent);
        }
        self.report_quiet();
    }

    /// Whether so much waits for the lease that nothing more is taken.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.is_full()
    }

    fn sent(&mut self, owner: &Key, epoch: Epoch, sent: Sent) {
        let slot = owner.slot();
        if self.slots.is_stale(slot, epoch) {
            // What its mailbox still had when its slot became another's.
            return;
        }
        let source: Source = Some((slot, epoch));
        match sent {
            Sent::Event(key, event) => self.dispatch(source, key, event),
            Sent::Session(session, message) => self.tell_session(owner, epoch, session, message),
            Sent::Reply(ask, reply) => self.answer(ask, reply),
            Sent::Query(token, queries) => self.ask(owner, epoch, queries, Some(token)),
            Sent::Derive(token, password) => {
                let (shared, owner, arbiter) = (Arc::clone(&self.shared), owner.clone(), self.arbiter);
                tokio::task::spawn_local(async move {
                    let keys = shared.derive(password.0).await;
                    shared.post(arbiter, Parcel::Own(owner, epoch, Event::Derived(token, keys)));
                });
            }
        }
    }

    /// Hands the answer to whoever asked, here or at another member.
    pub(crate) fn answer(&mut self, ask: Ask, reply: Reply) {
        match self.shared.asks.take(ask) {
            Some(Asker::Here(waiting)) => {
                let _ = waiting.send(reply);
            }
            Some(Asker::Member(member, ask)) => {
                self.tell_member(member, ToMember::Reply(ask, reply));
            }
            Some(Asker::Members(_)) | None => {}
        }
    }

    /// Sends what has gathered for other arbiters and other members, one message each.
    pub(crate) fn flush(&mut self) {
        for (router, parcels) in self.shared.routers.iter().zip(&mut self.outgoing) {
            if !parcels.is_empty() {
                router.send(Parcels(std::mem::take(parcels)));
            }
        }
        if !self.outgoing_members.is_empty() {
            self.flush_members();
        }
    }

    /// Tells every session that the process ends.
    pub(crate) fn end_sessions(&self) {
        for (recipient, user) in self.sessions.values() {
            let owner = user.and_then(|slot| self.slots.table().owner(slot).member);
            let user_goes_on = owner.is_some_and(|owner| owner != self.shared.member);
            post(recipient, SessionMessage::Shutdown { user_goes_on });
        }
    }

    /// Has every entity write what it would write later.
    pub(crate) fn settle(&mut self) {
        let keys: Vec<Key> = self.entities.keys().cloned().collect();
        for key in keys {
            // Nobody waits for the answer.
            self.dispatch(None, key, Event::Command(Ask(0), Command::Settle));
        }
    }

    /// To be kept by an entity without an account that stays; none if there are enough.
    pub(crate) fn vacancy(&self) -> Option<Rc<()>> {
        (Rc::strong_count(&self.vacant) <= VACANT_MAX).then(|| Rc::clone(&self.vacant))
    }

    /// How many entities and sessions are here.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.entities.len(), self.sessions.len())
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
    fn ask(&mut self, owner: &Key, epoch: Epoch, queries: Vec<Query>, token: Option<u64>) {
        let (shared, arbiter, key) = (Arc::clone(&self.shared), self.arbiter, owner.clone());
        let reply =
            Box::new(move |rows: Vec<Rows>| shared.post(arbiter, Parcel::Rows(key, epoch, token, rows)));
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
}

/// The only ways into a mailbox. A session's is bounded by what its user sends: it cuts a stream that does not
/// drain.
#[expect(clippy::disallowed_methods, reason = "this is where the gates are")]
pub(crate) fn post(recipient: &Recipient<SessionMessage>, message: SessionMessage) {
    recipient.do_send(message);
}

#[expect(clippy::disallowed_methods, reason = "this is where the gates are")]
pub(crate) fn post_entity<M>(address: &Addr<EntityActor>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
    EntityActor: actix::Handler<M>,
{
    address.do_send(message);
}
