//! The arbiter's router: takes what other arbiters and the store have for it.

use crate::local;
use crate::members::ToMember;
use crate::routing::Source;
use crate::start::Shared;
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use std::future::poll_fn;
use std::sync::Arc;
use stentor_cluster::Round;
use stentor_engine::{Epoch, Event, Key, MemberId, Rows, SessionKey, Slot, Table, ToSession};
use stentor_store::{Committed, Completion};

/// Something for an entity or a session of this arbiter.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// To an entity, whose arbiter is this by that version of the table; 0 if it does not matter.
    Event(u64, Source, Key, Event),
    /// What an entity is owed, which it asked for in this epoch.
    Own(Key, Epoch, Event),
    /// To a session, from an entity in this slot and epoch.
    Session((Slot, Epoch), SessionKey, ToSession),
    /// From the store, to the entity that asked; without a token it loads.
    Rows(Key, Epoch, Option<u64>, Vec<Rows>),
    /// Verdicts of the store.
    Committed(Vec<Committed>),
    /// The store has room.
    Room,
    /// What another member sent.
    FromMember(MemberId, Vec<ToMember>),
    /// A newer table.
    Table(Arc<Table>),
    /// The sessions of this arbiter, by whose table it says so, have attached by this version.
    Attached { arbiter: u16, table: u64, version: u64 },
    /// All members have handed over what they had of these slots.
    Gathered(Arc<[Slot]>),
    /// These slots are to move to another member.
    Quiesce(Arc<[Slot]>),
    /// The entities of this slot have ended, and nothing of them comes behind this.
    Quiet(Slot, Round),
    /// A member is gone.
    Gone(MemberId, Round),
    /// A member cannot be reached.
    Unreachable(MemberId),
    /// The lease goes on.
    Released,
}

/// One message, whatever came together.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Parcels(pub Vec<Parcel>);

/// The runtime stands: what every arbiter shares.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Install(pub Arc<Shared>);

/// How many entities and sessions are here?
#[derive(Message)]
#[rtype(result = "(usize, usize)")]
pub(crate) struct Count;

/// The process ends: every session is to end, or everything that may be written lazily is to be written now.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) enum Wind {
    /// End the sessions.
    Down,
    /// Write what is only in memory.
    Up,
}

/// See the module.
pub(crate) struct Router {
    pub arbiter: u16,
}

impl Actor for Router {
    type Context = Context<Self>;
}

impl Handler<Install> for Router {
    type Result = ();

    fn handle(&mut self, Install(shared): Install, context: &mut Self::Context) {
        local::install(self.arbiter, shared);
        let timers = async {
            loop {
                let polled = poll_fn(|context| match local::with(|local| local.timers.poll(context)) {
                    Some(poll) => poll.map(Some),
                    None => std::task::Poll::Ready(None),
                });
                let Some(timer) = polled.await else { return };
                local::with(|local| {
                    local.expired(timer);
                    local.flush();
                });
            }
        };
        context.spawn(actix::fut::wrap_future(timers));
    }
}

impl Handler<Parcels> for Router {
    type Result = ();

    fn handle(&mut self, Parcels(parcels): Parcels, _: &mut Self::Context) {
        local::with(|local| {
            for parcel in parcels {
                match parcel {
                    Parcel::Event(version, source, key, event) => local.routed(version, source, key, event),
                    Parcel::Own(key, epoch, event) => local.deliver_own(&key, epoch, event),
                    Parcel::Session(source, session, message) => {
                        local.tell_own_session(source, session, message);
                    }
                    Parcel::Rows(key, epoch, token, rows) => local.rows(&key, epoch, token, rows),
                    Parcel::FromMember(member, items) => local.take_from_member(member, items),
                    Parcel::Table(table) => local.install(table),
                    Parcel::Attached { arbiter, table, version } => local.attached(arbiter, table, version),
                    Parcel::Gathered(slots) => local.gathered(&slots),
                    Parcel::Quiesce(slots) => local.quiesce(&slots),
                    Parcel::Quiet(slot, round) => local.quiet(slot, &round),
                    Parcel::Gone(member, round) => local.member_gone(member, &round),
                    Parcel::Unreachable(member) => local.unreachable(member),
                    Parcel::Released => local.resume_releasing(),
                    Parcel::Committed(results) => local.committed(results),
                    Parcel::Room => local.room(),
                }
            }
            local.flush();
        });
    }
}

impl Handler<Wind> for Router {
    type Result = ();

    fn handle(&mut self, wind: Wind, _: &mut Self::Context) {
        local::with(|local| match wind {
            Wind::Down => local.end_sessions(),
            Wind::Up => local.settle(),
        });
    }
}

impl Handler<Count> for Router {
    type Result = actix::MessageResult<Count>;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> Self::Result {
        actix::MessageResult(local::with(|local| local.count()).unwrap_or_default())
    }
}

/// A router's address, as others use it.
#[derive(Clone)]
pub(crate) struct RouterAddress(pub Addr<Router>);

impl RouterAddress {
    /// Sends it what it is to hand out. Bounded by the gates of those to whom it goes, and by the windows of the
    /// sessions from which it comes.
    #[expect(clippy::disallowed_methods, reason = "the gates stand before what it hands out to")]
    pub(crate) fn send(&self, parcels: Parcels) {
        self.0.do_send(parcels);
    }
}

impl Completion for RouterAddress {
    fn committed(&self, results: Vec<Committed>) {
        self.send(Parcels(vec![Parcel::Committed(results)]));
    }

    fn room(&self) {
        self.send(Parcels(vec![Parcel::Room]));
    }
}
