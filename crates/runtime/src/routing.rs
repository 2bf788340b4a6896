//! Where an event goes: by the routing table, to an entity of this arbiter, of another, or to another member; and
//! what becomes of entities, sessions and what waits when the table changes.

use crate::entity_actor::{Committed, Deliver, Dropped, EntityActor, Loaded, Retire, StopIfIdle};
use crate::figures::Figure;
use crate::local::{Handle, Local, SessionMessage, now, post, post_entity};
use crate::members::{Report, ToMember};
use crate::router::Parcel;
use crate::timers::Timer;
use crate::waking;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stentor_cluster::limits::GATHER_MS;
use stentor_cluster::{Admission, Round, declined, without_session};
use stentor_engine::limits::ENTITY_EVENTS_MAX;
use stentor_engine::{
    Attach, Epoch, Event, Gate, Key, MemberId, Rows, Sent, SessionKey, Slot, Table, ToSession,
};

/// Which entity says something, by its slot and the epoch in which it was loaded; none for sessions and
/// administration.
pub(crate) type Source = Option<(Slot, Epoch)>;

impl Local {
    /// Hands an event to an entity, wherever it is.
    pub(crate) fn dispatch(&mut self, source: Source, key: Key, event: Event) {
        let arbiter = self.shared.arbiter_of(&key);
        if arbiter == self.arbiter {
            self.admit(source, key, event);
        } else if let Some(parcels) = self.outgoing.get_mut(usize::from(arbiter)) {
            parcels.push(Parcel::Event(self.slots.table().version(), source, key, event));
        }
    }

    /// What another arbiter sent by this version of the table. A session that attaches to an owner by a table that is not
    /// here yet must not be sent to the owner before.
    pub(crate) fn routed(&mut self, version: u64, source: Source, key: Key, event: Event) {
        if version <= self.slots.table().version() {
            self.dispatch(source, key, event);
        } else {
            self.returned(version, key, event);
        }
    }

    /// An event for an entity whose arbiter, on the member that owns it, is this one.
    fn admit(&mut self, source: Source, key: Key, event: Event) {
        if self.is_stalled() && event.is_gated() {
            return self.refused("too much waits for the lease", &key, event);
        }
        match self.slots.admit(&key, event) {
            Admission::Here(epoch, event) => self.deliver(key, epoch, event),
            Admission::There(member, epoch, event) => self.send_there(source, key, (member, epoch), event),
            Admission::Held => {}
            Admission::Refused(event) => self.refused("too much waits for a slot that moves", &key, event),
        }
    }

    /// An event for an entity of another member. What a member asked, and waited here until the slot had moved, goes back to
    /// it: the answer would come by way of this member, which may leave before.
    fn send_there(&mut self, source: Source, key: Key, (member, epoch): (MemberId, Epoch), mut event: Event) {
        if let Event::Command(ask, _) = &mut event {
            if let Some((asker, number)) = self.shared.asks.take_of_member(*ask) {
                *ask = number;
                let version = self.slots.table().version();
                return self.tell_member(asker, ToMember::Returned { version, key, event });
            }
            self.shared.asks.went_to(*ask, Some(member));
        }
        self.tell_member(member, ToMember::Event { source, key, epoch, event });
    }

    /// Hands a message to a session, wherever it is. One that is gone has told its user so.
    pub(crate) fn tell_session(
        &mut self,
        owner: &Key,
        epoch: Epoch,
        session: SessionKey,
        message: ToSession,
    ) {
        if session.member == self.shared.member {
            return self.tell_own_session((owner.slot(), epoch), session, message);
        }
        let (owner, source) = (Some(owner.clone()), (owner.slot(), epoch));
        self.tell_member(session.member, ToMember::Session { owner, source, session, message });
    }

    /// The same for a session of this member. What an owner of before still says, to a session that may have been told
    /// to attach to the next, is dropped: it would take that for what the next has to say.
    pub(crate) fn tell_own_session(
        &mut self,
        source: (Slot, Epoch),
        session: SessionKey,
        message: ToSession,
    ) {
        if session.arbiter != self.arbiter {
            if let Some(parcels) = self.outgoing.get_mut(usize::from(session.arbiter)) {
                parcels.push(Parcel::Session(source, session, message));
            }
            return;
        }
        if self.slots.is_stale(source.0, source.1) {
            return;
        }
        if let Some((recipient, _)) = self.sessions.get(&session.serial) {
            post(recipient, SessionMessage::User(message));
        }
    }

    fn deliver(&mut self, key: Key, epoch: Epoch, event: Event) {
        let is_there = |handle: &Handle| handle.address.connected() && handle.epoch == epoch;
        if !self.entities.get(&key).is_some_and(is_there) {
            self.spawn(key.clone(), epoch);
        }
        // By reference: a copy of an address costs two allocations.
        let Some(handle) = self.entities.get(&key) else { return };
        let is_gated = event.is_gated();
        match handle.gate.enter() {
            Err(why) if is_gated => self.refused(&why.to_string(), &key, event),
            entered => post_entity(&handle.address, Deliver(event, entered.is_ok())),
        }
    }

    /// What an entity is owed, which it asked for in this epoch: it is handed over even while its slot quiesces, since
    /// what is under way must end.
    pub(crate) fn deliver_own(&mut self, key: &Key, epoch: Epoch, event: Event) {
        if let Some(handle) = self.entities.get(key).filter(|handle| handle.epoch == epoch) {
            post_entity(&handle.address, Deliver(event, handle.gate.enter().is_ok()));
        }
    }

    /// The answer to an event for which there is no room: nothing is lost without its sender knowing.
    pub(crate) fn refused(&mut self, why: &str, key: &Key, event: Event) {
        self.tally(Figure::Refused, 1);
        if let Some(unsaid) = self.refusals.happened(Instant::now()) {
            tracing::warn!(why, unsaid, "an event was refused");
        }
        self.decline(key, event);
    }

    pub(crate) fn decline(&mut self, key: &Key, event: Event) {
        let epoch = self.slots.table().owner(key.slot()).epoch;
        match declined(event) {
            Some(Sent::Session(session, message)) => self.tell_session(key, epoch, session, message),
            Some(Sent::Event(to, event)) => self.dispatch(None, to, event),
            Some(Sent::Reply(ask, reply)) => self.answer(ask, reply),
            _ => {}
        }
    }

    fn spawn(&mut self, key: Key, epoch: Epoch) {
        let gate = Arc::new(Gate::new(ENTITY_EVENTS_MAX));
        let address = EntityActor::spawn(key.clone(), epoch, Arc::clone(&self.shared), Arc::clone(&gate));
        if let Some(lost) = self.slots.taken_over(key.slot()) {
            post_entity(&address, Deliver(Event::TakenOver(lost), gate.enter().is_ok()));
        }
        self.entities.insert(key, Handle { address, gate, epoch });
    }

    /// A timer has run out.
    pub(crate) fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Entity(key, epoch, token) if self.entities.contains_key(&key) => {
                self.deliver_own(&key, epoch, Event::Timer(token));
            }
            // It was dropped for having nothing to do, and is loaded again; unless it is another's now.
            Timer::Entity(key, epoch, token) if self.slots.is_current(&key, epoch) => {
                self.admit(None, key, Event::Timer(token));
            }
            Timer::Entity(..) => {}
            Timer::Idle(key) => {
                if let Some(handle) = self.entities.get(&key) {
                    post_entity(&handle.address, StopIfIdle);
                }
            }
            Timer::Ended => self.forget_ended(),
            Timer::Session(serial, token) => {
                if let Some((recipient, _)) = self.sessions.get(&serial) {
                    post(recipient, SessionMessage::Timer(token));
                }
            }
        }
    }

    /// Sessions that ended long ago are not spoken for any more; while there are others, this is done again.
    fn forget_ended(&mut self) {
        self.is_forgetting = false;
        self.unattended.forget(now().monotonic);
        self.forget_later();
    }

    pub(crate) fn forget_later(&mut self) {
        if self.unattended.has_ended() && !std::mem::replace(&mut self.is_forgetting, true) {
            self.timers.insert(Duration::from_millis(GATHER_MS), Timer::Ended);
        }
    }

    /// The store's answer, for an entity that is here.
    pub(crate) fn rows(&mut self, key: &Key, epoch: Epoch, token: Option<u64>, rows: Vec<Rows>) {
        match token {
            Some(token) => self.deliver_own(key, epoch, Event::Rows(token, rows)),
            None => {
                if let Some(handle) = self.entities.get(key).filter(|handle| handle.epoch == epoch) {
                    post_entity(&handle.address, Loaded(rows));
                }
            }
        }
    }

    /// The store's verdict on write sets of entities here.
    pub(crate) fn committed(&mut self, results: Vec<stentor_store::Committed>) {
        for committed in results {
            self.tally(Figure::of_verdict(&committed.result), 1);
            let handle = self.entities.get(&committed.owner);
            if let Some(handle) = handle.filter(|handle| handle.epoch == committed.epoch) {
                post_entity(&handle.address, Committed(committed.ticket, committed.result));
            }
        }
    }

    /// A newer table: entities of slots that are another's are dropped with all they had not let go, sessions of
    /// users that are elsewhere now attach there, and what waited goes where it belongs.
    pub(crate) fn install(&mut self, table: Arc<Table>) {
        let version = table.version();
        let moved = self.slots.install(table);
        self.entities.retain(|key, handle| {
            let is_lost = moved.lost.contains(&key.slot());
            if is_lost {
                post_entity(&handle.address, Dropped);
            }
            !is_lost
        });
        for slot in moved.lost {
            self.retiring.forget(slot);
            self.hand_over_unattended(slot);
        }
        for (key, event) in moved.declined {
            self.decline(&key, event);
        }
        for (key, event) in moved.released {
            self.admit(None, key, event);
        }
        self.send_returned();
        for (key, events) in self.unattended.moved(now().monotonic, &moved.slots) {
            events.into_iter().for_each(|event| self.dispatch(None, key.clone(), event));
        }
        self.attach_sessions(version, &moved.slots, moved.gone);
        self.report_handed_over();
    }

    /// Has the sessions of these slots attach to their users' new owners. When all of them have, and what members that are
    /// gone did not take is on its way, all arbiters are told.
    fn attach_sessions(&mut self, version: u64, slots: &HashSet<Slot>, gone: BTreeSet<MemberId>) {
        let mut waited_for = BTreeSet::new();
        for (serial, (recipient, user)) in &self.sessions {
            if user.is_some_and(|slot| slots.contains(&slot)) {
                waited_for.insert(*serial);
                post(recipient, SessionMessage::User(ToSession::Reattach));
            }
        }
        self.attaching.begin(version, waited_for, gone);
        self.tell_attached();
    }

    /// A session has attached to its user's new owner, or is gone.
    pub(crate) fn session_attached(&mut self, serial: u64) {
        self.attaching.done(serial);
        self.tell_attached();
    }

    /// Behind the attachments, some of which go by other arbiters.
    pub(crate) fn tell_attached(&mut self) {
        let (arbiter, table) = (self.arbiter, self.slots.table().version());
        while let Some(version) = self.attaching.take_attached() {
            for parcels in &mut self.outgoing {
                parcels.push(Parcel::Attached { arbiter, table, version });
            }
            self.flush();
        }
    }

    /// An arbiter's sessions have attached by this version, and what they sent by this arbiter has come.
    pub(crate) fn attached(&mut self, arbiter: u16, table: u64, version: u64) {
        self.hand_overs.said(arbiter, table, version);
        self.report_handed_over();
    }

    fn report_handed_over(&mut self) {
        if let Some(version) = self.hand_overs.take(self.slots.table().version()) {
            // Behind what came this way.
            self.flush();
            self.shared.report(Report::HandedOver { arbiter: self.arbiter, version });
        }
    }

    /// A member is not reached: its users' sessions here are lost, so that their clients resume where they can.
    pub(crate) fn unreachable(&self, member: MemberId) {
        let table = self.slots.table();
        for (recipient, user) in self.sessions.values() {
            if user.is_some_and(|slot| table.owner(slot).member == Some(member)) {
                post(recipient, SessionMessage::Lost);
            }
        }
    }

    /// Every member has handed over what it had of these slots.
    pub(crate) fn gathered(&mut self, slots: &[Slot]) {
        let gathered: HashSet<Slot> =
            slots.iter().copied().filter(|slot| self.slots.gathers(*slot)).collect();
        for (key, handle) in self.entities.iter() {
            if gathered.contains(&key.slot()) {
                post_entity(&handle.address, Deliver(Event::Gathered, handle.gate.enter().is_ok()));
            }
        }
        for (key, event) in self.slots.gathered(slots.iter().copied()) {
            self.admit(None, key, event);
        }
        if self.arbiter == 0 {
            waking::wake(&self.shared, gathered);
        }
    }

    /// These slots are to move: their entities end, each once nothing of it is under way.
    pub(crate) fn quiesce(&mut self, slots: &[Slot]) {
        let here = slots.iter().copied().filter(|slot| self.shared.arbiter_of_slot(*slot) == self.arbiter);
        let mut begun: HashMap<Slot, usize> =
            self.slots.quiesce(here).into_iter().map(|slot| (slot, 0)).collect();
        for (key, handle) in self.entities.iter() {
            if let Some(entities) = begun.get_mut(&key.slot()) {
                *entities += 1;
                post_entity(&handle.address, Retire);
            }
        }
        begun.into_iter().for_each(|(slot, entities)| self.retiring.begin(slot, entities));
        self.report_quiet();
    }

    /// An entity has ended since its slot was to move, and has these managed streams. By now the slot may have moved.
    pub(crate) fn retired(&mut self, key: &Key, streams: Vec<(Option<SessionKey>, Attach)>) {
        self.unattended.retired(key, streams);
        if !self.slots.quiesces(key.slot()) {
            self.hand_over_unattended(key.slot());
            self.flush();
        }
    }

    /// Tells whoever has the slot now of streams of which no session tells it.
    fn hand_over_unattended(&mut self, slot: Slot) {
        for (key, stream) in self.unattended.take(slot, self.slots.table()) {
            for event in without_session(self.next_session(), stream) {
                self.admit(None, key.clone(), event);
            }
        }
    }

    /// An entity has ended: its slot is to move, or it had nothing to do, or both.
    pub(crate) fn ended(&mut self, key: &Key) {
        self.entities.remove(key);
        self.retiring.ended(key.slot());
        self.report_quiet();
    }

    /// While something is held back for the lease, slots that have let it go are not quiet.
    pub(crate) fn report_quiet(&mut self) {
        let mut any = false;
        while self.stalled.is_empty()
            && let Some(slot) = self.retiring.take_quiet()
        {
            // Behind what the slot's entities said, some of which goes by other arbiters.
            let round = Round::new(self.outgoing.len());
            for parcels in &mut self.outgoing {
                parcels.push(Parcel::Quiet(slot, round.clone()));
            }
            any = true;
        }
        if any {
            self.flush();
        }
    }

    /// What an arbiter's entities of this slot said has come here, and is on its way from here.
    pub(crate) fn quiet(&mut self, slot: Slot, round: &Round) {
        self.flush();
        if round.is_last() {
            self.shared.report(Report::Quiet(slot));
        }
    }
}
