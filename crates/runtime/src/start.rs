//! Starting the arbiters, and what all of them share.

use crate::asks::{Asker, Asks};
use crate::figures::{Figure, Figures};
use crate::limits::{ASK_TIME, DERIVING_MAX};
use crate::members::{Peers, Report, ToMember};
use crate::questions::Answering;
use crate::router::{Count, Install, Parcel, Parcels, Router, RouterAddress, Wind};
use crate::waking::{self, Waking};
use actix::{Actor, Arbiter, ArbiterHandle};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use stentor_engine::{Ask, Command, Event, Key, MemberId, Reply, Slot, Table};
use stentor_entities::Hosts;
use stentor_entities::user::collection;
use stentor_store::{Fault, Having, Owner, Store};
use tokio::sync::{Semaphore, oneshot, watch};

/// Derives the keys of a password: blocking work, with salts of the system's generator. None if it cannot be one.
pub type Derive = Arc<dyn Fn(&str) -> Option<Bytes> + Send + Sync>;

/// What all arbiters share.
pub struct Shared {
    pub(crate) member: MemberId,
    pub(crate) routers: Vec<RouterAddress>,
    /// Threads, each with a counter whose [`Arc`]s are its load.
    arbiters: Vec<(ArbiterHandle, Arc<AtomicUsize>)>,
    pub(crate) store: Store,
    hosts: Arc<Hosts>,
    derive: Derive,
    deriving: Semaphore,
    /// Why the store commits nothing any more.
    failure: watch::Sender<Option<String>>,
    /// By arbiter.
    figures: Vec<Figures>,
    pub(crate) asks: Asks,
    pub(crate) answering: Answering,
    pub(crate) waking: Waking,
    /// The table to begin with, and the way to other members; none where this is no cluster.
    table: Arc<Table>,
    peers: Option<Arc<dyn Peers>>,
}

impl Shared {
    /// The arbiter of an entity: by its slot, so that it is always the same.
    pub(crate) fn arbiter_of(&self, key: &Key) -> u16 {
        self.arbiter_of_slot(key.slot())
    }

    /// The arbiter of a slot's entities.
    pub(crate) fn arbiter_of_slot(&self, slot: Slot) -> u16 {
        slot.number() % self.routers.len().max(1) as u16
    }

    /// Runs `f` on the arbiter of an entity, as [`Runtime::place`] does on the least loaded.
    pub(crate) fn place_at(&self, key: &Key, f: impl FnOnce(Arc<AtomicUsize>) + Send + 'static) {
        if let Some((arbiter, load)) = self.arbiters.get(usize::from(self.arbiter_of(key))) {
            let load = Arc::clone(load);
            arbiter.spawn_fn(move || f(load));
        }
    }

    /// Runs `f` on the arbiter of this number, counted round and round.
    pub(crate) fn place_on(&self, number: u64, f: impl FnOnce() + Send + 'static) {
        let number = number % self.arbiters.len().max(1) as u64;
        if let Some((arbiter, _)) = self.arbiters.get(number as usize) {
            arbiter.spawn_fn(f);
        }
    }

    /// Settings of the hosts.
    pub(crate) fn hosts(&self) -> Arc<Hosts> {
        Arc::clone(&self.hosts)
    }

    /// Posts something to an arbiter from any thread.
    pub(crate) fn post(&self, arbiter: u16, parcel: Parcel) {
        if let Some(router) = self.routers.get(usize::from(arbiter)) {
            router.send(Parcels(vec![parcel]));
        }
    }

    /// Derives keys on a thread of its own, a few at a time.
    pub(crate) async fn derive(&self, password: String) -> Option<Bytes> {
        let _permit = self.deriving.acquire().await.ok()?;
        let derive = Arc::clone(&self.derive);
        tokio::task::spawn_blocking(move || derive(&password)).await.ok().flatten()
    }

    /// After a refused commit: whether the store itself has failed, and not one owner's writes.
    pub(crate) fn check_store(&self) {
        if let Some(why) = self.store.failure() {
            self.failure.send_if_modified(|failure| failure.replace(why).is_none());
        }
    }

    /// A question of another member gets a number of this one; without one, nobody waits for its answer.
    pub(crate) fn asked_by(&self, member: MemberId, event: Event) -> Event {
        match event {
            Event::Command(ask, command) => {
                Event::Command(self.asks.enter(Asker::Member(member, ask)).unwrap_or(Ask(0)), command)
            }
            event => event,
        }
    }

    /// The table to begin with.
    pub(crate) fn first_table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }

    /// Whether effects may leave.
    pub(crate) fn may_release(&self) -> bool {
        self.peers.as_ref().is_none_or(|peers| peers.may_release())
    }

    /// Hands over what is for another member; gives back what was not taken.
    pub(crate) fn send_to(&self, member: MemberId, version: u64, items: Vec<ToMember>) -> Vec<ToMember> {
        match &self.peers {
            Some(peers) => peers.send(member, version, items),
            None => items,
        }
    }

    /// Counts something that happened on this arbiter.
    pub(crate) fn tally(&self, arbiter: u16, figure: Figure, count: u64) {
        if let Some(figures) = self.figures.get(usize::from(arbiter)) {
            figures.add(figure, count);
        }
    }

    /// Reports what became of slots that come and go.
    pub(crate) fn report(&self, report: Report) {
        if let Some(peers) = &self.peers {
            peers.report(report);
        }
    }
}

/// Administration's way to the users.
#[derive(Clone)]
pub struct Administration {
    pub(crate) shared: Arc<Shared>,
}

impl Administration {
    /// Asks a user. None if too many questions are under way, or the user's entity is lost before it answers.
    pub async fn ask(&self, key: Key, command: Command) -> Option<Reply> {
        let (answer, answered) = oneshot::channel();
        let ask = self.shared.asks.enter(Asker::Here(answer))?;
        let arbiter = self.shared.arbiter_of(&key);
        self.shared.post(arbiter, Parcel::Event(0, None, key, Event::Command(ask, command)));
        // Another member may be gone with the question.
        tokio::time::timeout(ASK_TIME, answered).await.ok()?.ok()
    }

    /// Accounts that exist, in the order of their addresses: those behind `after`, at most `limit`; fewer means that there
    /// are no more.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn accounts(&self, after: Option<Owner>, limit: usize) -> Result<Vec<Owner>, Fault> {
        let store = self.shared.store.clone();
        let page = move || store.owners(after.as_ref(), limit, Having::Record(collection::ACCOUNT));
        tokio::task::spawn_blocking(page).await.map_err(|error| Fault::Engine(error.to_string()))?
    }

    /// Derives the keys of a password.
    pub async fn derive(&self, password: String) -> Option<Bytes> {
        self.shared.derive(password).await
    }

    /// Entities and sessions on all arbiters.
    pub async fn count(&self) -> (usize, usize) {
        let mut total = (0, 0);
        for router in &self.shared.routers {
            let (entities, sessions) = router.0.send(Count).await.unwrap_or_default();
            total = (total.0 + entities, total.1 + sessions);
        }
        total
    }

    /// How often that has happened since the process began.
    pub fn figure(&self, figure: Figure) -> u64 {
        self.shared.figures.iter().map(|figures| figures.get(figure)).sum()
    }

    /// Tells every session that the process ends; they close their streams.
    pub async fn end_sessions(&self) {
        self.wind(Wind::Down).await;
    }

    /// Has every user write what it would write later. The writes are taken by the store on return.
    pub async fn settle(&self) {
        self.wind(Wind::Up).await;
        // What the users were told is behind the question that counts them.
        self.count().await;
    }

    async fn wind(&self, wind: Wind) {
        for router in &self.shared.routers {
            let _ = router.0.send(wind).await;
        }
    }

    /// The store, for backups.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }
}

/// What this process is among others.
pub struct Membership {
    member: MemberId,
    table: Arc<Table>,
    peers: Option<Arc<dyn Peers>>,
}

impl Membership {
    /// No cluster: this process owns every slot, and users who have something under way are woken.
    pub fn alone() -> Self {
        let member = MemberId(1);
        Self { member, table: Arc::new(Table::alone(member)), peers: None }
    }

    /// A member, with the table to begin with; slots that are its own there are open, and their users who have
    /// something under way are woken.
    pub fn member(member: MemberId, table: Arc<Table>, peers: Arc<dyn Peers>) -> Self {
        Self { member, table, peers: Some(peers) }
    }
}

/// Why the runtime did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An arbiter's thread ended before it could be used.
    #[error("an arbiter did not start")]
    Arbiter,
}

/// The arbiters of this process.
pub struct Runtime {
    shared: Arc<Shared>,
}

impl Runtime {
    /// Starts `count` arbiters, at least one. Within an actix system.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        count: u16,
        membership: Membership,
        hosts: Arc<Hosts>,
        store: Store,
        derive: Derive,
    ) -> Result<Self, StartError> {
        let mut arbiters = Vec::new();
        let mut routers = Vec::new();
        for number in 0..count.max(1) {
            let arbiter = Arbiter::new();
            let (started, address) = oneshot::channel();
            arbiter.spawn_fn(move || {
                let _ = started.send(Router { arbiter: number }.start());
            });
            let address = RouterAddress(address.await.map_err(|_| StartError::Arbiter)?);
            store.register(number, Arc::new(address.clone()));
            routers.push(address);
            arbiters.push((arbiter.handle(), Arc::new(AtomicUsize::new(0))));
        }
        let Membership { member, table, peers } = membership;
        let figures = routers.iter().map(|_| Figures::new()).collect();
        let shared = Arc::new(Shared {
            member,
            figures,
            routers,
            arbiters,
            store,
            hosts,
            derive,
            deriving: Semaphore::new(DERIVING_MAX),
            failure: watch::Sender::new(None),
            asks: Asks::new(),
            answering: Answering::new(),
            waking: Waking::default(),
            table,
            peers,
        });
        for router in &shared.routers {
            router.0.send(Install(Arc::clone(&shared))).await.map_err(|_| StartError::Arbiter)?;
        }
        let ours = Slot::all().filter(|slot| shared.table.owner(*slot).member == Some(member));
        waking::wake(&shared, ours);
        Ok(Self { shared })
    }

    /// What all arbiters share.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Administration's way to the users.
    pub fn administration(&self) -> Administration {
        Administration { shared: self.shared() }
    }

    /// Runs `f` on the arbiter with the least load, which is the number of [`Arc`]s of its counter that live: `f` is
    /// given one to keep as long as it is a load.
    pub fn place(&self, f: impl FnOnce(Arc<AtomicUsize>) + Send + 'static) {
        let least = self.shared.arbiters.iter().min_by_key(|(_, load)| Arc::strong_count(load));
        if let Some((arbiter, load)) = least {
            let load = Arc::clone(load);
            arbiter.spawn_fn(move || f(load));
        }
    }

    /// Resolves when the store has failed, with its reason. Nothing is acknowledged after that, and nothing will be:
    /// the process is to end and to open the store anew.
    pub async fn store_failed(&self) -> String {
        let mut failure = self.shared.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The sender lives in `shared`.
            Err(_) => std::future::pending().await,
        }
    }

    /// Commits what is under way and closes the store; then ends the arbiters. Sessions are to be ended before.
    pub async fn stop(&self) {
        let store = self.shared.store.clone();
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
        for (arbiter, _) in &self.shared.arbiters {
            arbiter.stop();
        }
    }
}
