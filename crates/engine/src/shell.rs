//! The rule: nothing leaves before what it depends on is durable.

use crate::{
    Effects, Entity, Epoch, Event, Key, Now, Planted, Query, Reply, Rows, Sent, SessionKey, ToSession,
    WriteSet,
};
use std::collections::{BTreeSet, VecDeque};
use stentor_xmpp::{Kind, PresenceType, Stanza, StreamCondition, StreamError};

/// What the driver of a shell is to carry out, in order.
#[derive(Debug)]
pub enum Output {
    /// Commit this, and say [`Shell::committed`] with its ticket, or [`Shell::reload`] if it is refused.
    Write(WriteSet),
    /// Deliver this.
    Sent(Sent),
    /// Return the token as an event after so many milliseconds.
    Timer(u64, u64),
    /// Answer these questions by [`Shell::loaded`].
    Load(Vec<Query>),
}

/// An entity with the rule around it. Knows no clock, no store and no other entity.
#[derive(Debug)]
pub struct Shell<E> {
    key: Key,
    epoch: Epoch,
    entity: E,
    /// Events that came before the entity was loaded; none once it is.
    loading: Option<VecDeque<Event>>,
    issued: u64,
    durable: u64,
    held: VecDeque<(u64, Sent)>,
    /// Stanzas that were handled, of which nothing has left: nobody sends them again.
    relayed: VecDeque<(u64, Stanza)>,
    queries: u32,
    /// What is made in the entity's place, or is still being loaded, must hear of it too.
    is_retiring: bool,
}

impl<E: Entity> Shell<E> {
    /// Around a new entity, in this epoch of its slot; puts out the questions that load it.
    pub fn new(key: Key, epoch: Epoch, context: &E::Context, out: &mut Vec<Output>) -> Self {
        let (entity, queries) = E::new(key.clone(), epoch, context);
        out.push(Output::Load(queries));
        Self {
            key,
            epoch,
            entity,
            loading: Some(VecDeque::new()),
            issued: 0,
            durable: 0,
            held: VecDeque::new(),
            relayed: VecDeque::new(),
            queries: 0,
            is_retiring: false,
        }
    }

    /// Whose it is.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The entity, to look at.
    pub fn entity(&self) -> &E {
        &self.entity
    }

    /// The answers to [`Output::Load`]: the entity is made, and handles what waited for it.
    pub fn loaded(&mut self, now: Now, rows: Vec<Rows>, out: &mut Vec<Output>) {
        let Some(waiting) = self.loading.take() else { return };
        let mut effects = Effects::new();
        self.entity.loaded(now, rows, &mut effects);
        self.carry_out(effects, out);
        let is_retiring = std::mem::take(&mut self.is_retiring);
        for event in waiting {
            self.handle(now, event, out);
        }
        if is_retiring {
            self.retire(now, out);
        }
    }

    /// One event. The entity handles it at once, while commits are under way.
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Vec<Output>) {
        if let Some(waiting) = &mut self.loading {
            waiting.push_back(event);
            return;
        }
        if matches!(event, Event::Rows(..) | Event::Derived(..)) {
            self.queries = self.queries.saturating_sub(1);
        }
        let relayed = match &event {
            Event::Relay(stanza) => Some(stanza.clone()),
            _ => None,
        };
        let mut effects = Effects::new();
        self.entity.handle(now, event, &mut effects);
        if self.is_retiring {
            // What it has left to do by this, nobody would do.
            self.entity.retire(now, &mut effects);
        }
        self.carry_out(effects, out);
        if let Some(stanza) = relayed.filter(|_| !self.is_durable()) {
            self.relayed.push_back((self.issued, stanza));
        }
    }

    /// All write sets up to `ticket` are durable: lets go what waited for them.
    pub fn committed(&mut self, ticket: u64, out: &mut Vec<Output>) {
        self.durable = self.durable.max(ticket);
        while let Some((_, sent)) = self.held.pop_front_if(|(after, _)| *after <= self.durable) {
            out.push(Output::Sent(sent));
        }
        while self.relayed.pop_front_if(|(after, _)| *after <= self.durable).is_some() {}
    }

    /// Its slot is to be given to another member: what is under way comes to its end, and what waits for the entity to be
    /// loaded first.
    pub fn retire(&mut self, now: Now, out: &mut Vec<Output>) {
        self.is_retiring = true;
        if self.loading.is_none() {
            let mut effects = Effects::new();
            self.entity.retire(now, &mut effects);
            self.carry_out(effects, out);
        }
    }

    /// The entity goes with all that it had not let go, and nothing takes its place for now.
    pub fn abandon(self, out: &mut Vec<Output>) {
        let mut lost = Lost::default();
        lost.held(self.held, out);
        lost.events(self.loading.unwrap_or_default(), out);
        let mut effects = Effects::new();
        self.entity.abandon(&mut effects);
        lost.effects(effects, out);
        let error = || StreamError::new(StreamCondition::InternalServerError);
        lost.tell(|| ToSession::End(error()), out);
    }

    /// A write set was refused, or the entity is broken: it goes with all that it had not let go, and is loaded afresh.
    /// Sessions attach to that one, and ask it again what was not answered.
    pub fn reload(&mut self, context: &E::Context, out: &mut Vec<Output>) {
        let mut load = Vec::new();
        let mut fresh = Self::new(self.key.clone(), self.epoch, context, &mut load);
        fresh.is_retiring = self.is_retiring;
        let Self { held, relayed, loading, entity, .. } = std::mem::replace(self, fresh);
        let mut lost = Lost::default();
        lost.held(held, out);
        let mut effects = Effects::new();
        let mut events = VecDeque::from(entity.hand_over(&mut effects));
        events.extend(relayed.into_iter().map(|(_, stanza)| Event::Relay(stanza)));
        events.extend(loading.into_iter().flatten());
        lost.effects(effects, out);
        lost.tell(|| ToSession::Reattach, out);
        self.loading = Some(events);
        out.append(&mut load);
    }

    /// Whether it may be dropped: loaded, nothing held, nothing asked, nothing to lose.
    pub fn may_stop(&self) -> bool {
        self.is_quiet() && self.entity.is_idle()
    }

    /// Whether nothing is under way: loaded, nothing held, nothing asked, every write durable.
    pub fn is_quiet(&self) -> bool {
        self.loading.is_none() && self.held.is_empty() && self.is_durable() && self.queries == 0
    }

    /// How many write sets it has put out.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// How many of them are not committed.
    pub fn pending(&self) -> u64 {
        self.issued - self.durable
    }

    fn is_durable(&self) -> bool {
        self.issued == self.durable
    }

    fn carry_out(&mut self, effects: Effects, out: &mut Vec<Output>) {
        if !effects.writes.is_empty() {
            self.issued += 1;
            let (owner, epoch, ticket) = (self.key.clone(), self.epoch, self.issued);
            out.push(Output::Write(WriteSet { owner, epoch, ticket, writes: effects.writes }));
        }
        for sent in effects.sent {
            if matches!(sent, Sent::Query(..) | Sent::Derive(..)) {
                self.queries += 1;
            }
            if self.is_durable() || self.entity.planted().is_on(Planted::ACKNOWLEDGE_BEFORE_COMMIT) {
                out.push(Output::Sent(sent));
            } else {
                self.held.push_back((self.issued, sent));
            }
        }
        out.extend(effects.timers.into_iter().map(|(after, token)| Output::Timer(after, token)));
    }
}

/// What becomes of those to whom something was to be sent by an entity that is lost.
#[derive(Default)]
struct Lost {
    /// Sessions that were to be told something, or are attached.
    sessions: BTreeSet<SessionKey>,
    /// Those of them that were to end, and did.
    ended: BTreeSet<SessionKey>,
}

impl Lost {
    fn held(&mut self, held: VecDeque<(u64, Sent)>, out: &mut Vec<Output>) {
        held.into_iter().for_each(|(_, sent)| self.sent(sent, out));
    }

    fn effects(&mut self, effects: Effects, out: &mut Vec<Output>) {
        effects.sent.into_iter().for_each(|sent| self.sent(sent, out));
    }

    fn sent(&mut self, sent: Sent, out: &mut Vec<Output>) {
        match sent {
            // That somebody is gone holds whatever the store says, and nobody will say it again.
            Sent::Event(_, Event::Relay(ref stanza)) if is_unavailable(stanza) => {
                out.push(Output::Sent(sent))
            }
            Sent::Session(session, ToSession::End(_)) => {
                self.ended.insert(session);
                out.push(Output::Sent(sent));
            }
            // What it was told is not so, or it still waits to be told.
            Sent::Session(session, _) => {
                self.sessions.insert(session);
            }
            Sent::Reply(ask, _) => out.push(Output::Sent(Sent::Reply(ask, Reply::Failed))),
            Sent::Event(..) | Sent::Query(..) | Sent::Derive(..) => {}
        }
    }

    /// Events that nobody will handle.
    fn events(&mut self, events: VecDeque<Event>, out: &mut Vec<Output>) {
        for event in events {
            match event {
                Event::Session(session, _) => {
                    self.sessions.insert(session);
                }
                Event::Command(ask, _) => out.push(Output::Sent(Sent::Reply(ask, Reply::Failed))),
                _ => {}
            }
        }
    }

    /// Tells the sessions that have not ended, once each.
    fn tell(&self, message: impl Fn() -> ToSession, out: &mut Vec<Output>) {
        for session in self.sessions.difference(&self.ended) {
            out.push(Output::Sent(Sent::Session(*session, message())));
        }
    }
}

fn is_unavailable(stanza: &Stanza) -> bool {
    stanza.kind() == Kind::Presence && stanza.presence_type() == PresenceType::Unavailable
}
