//! Wakes users of slots that became this process's and that nothing else loads: those with something under way, which goes
//! on without waiting for its sender to come back, and in a cluster those whose contacts may not know that they are gone.

use crate::asks::Asker;
use crate::limits::{ASK_TIME, SENDERS_PAGE, WAKE_AGAIN, WAKE_ATTEMPTS_MAX, WAKING_MAX};
use crate::router::Parcel;
use crate::start::Shared;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stentor_engine::{Command, Event, Key, Reply, Slot};
use stentor_entities::user::collection::ONLINE;
use stentor_store::{Fault, Having, Owner};
use stentor_xmpp::BareJid;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, spawn_blocking, spawn_local};

/// The slots whose users are to be woken, and whether that is under way.
#[derive(Debug, Default)]
pub(crate) struct Waking(Mutex<(BTreeSet<Slot>, bool)>);

impl Waking {
    fn lock(&self) -> MutexGuard<'_, (BTreeSet<Slot>, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds slots. Whether somebody has to begin.
    fn add(&self, slots: impl IntoIterator<Item = Slot>) -> bool {
        let mut waking = self.lock();
        waking.0.extend(slots);
        !waking.0.is_empty() && !std::mem::replace(&mut waking.1, true)
    }

    /// All of them; none if it is over.
    fn next(&self) -> Option<Vec<Slot>> {
        let mut waking = self.lock();
        let slots: Vec<Slot> = std::mem::take(&mut waking.0).into_iter().collect();
        waking.1 = !slots.is_empty();
        waking.1.then_some(slots)
    }
}

/// Wakes what these slots have, a few at a time, behind what is being woken.
pub(crate) fn wake(shared: &Arc<Shared>, slots: impl IntoIterator<Item = Slot>) {
    if shared.waking.add(slots) {
        let ours = Arc::clone(shared);
        shared.place_on(0, move || {
            spawn_local(async move {
                while let Some(slots) = ours.waking.next() {
                    wake_all(&ours, slots.into()).await;
                }
            });
        });
    }
}

async fn wake_all(shared: &Arc<Shared>, slots: Arc<[Slot]>) {
    let mut asleep = Vec::new();
    let online = shared.hosts().is_clustered.then_some(Having::Record(ONLINE));
    for having in online.into_iter().chain([Having::Entry]) {
        let mut after = None;
        loop {
            let Some(page) = page_at_last(shared, &slots, after.clone(), having).await else { break };
            let is_last = page.len() < SENDERS_PAGE;
            after = page.last().cloned().or(after);
            let users = page.iter().filter_map(|owner| BareJid::parse(&owner.address).ok());
            asleep.extend(wake_some(shared, users.map(Key::User).collect()).await);
            if is_last {
                break;
            }
        }
    }
    // Those that could not be loaded, once more a moment later. Whoever is still not woken is loaded by what comes first.
    for _ in 0..WAKE_ATTEMPTS_MAX {
        if asleep.is_empty() {
            return;
        }
        tokio::time::sleep(WAKE_AGAIN).await;
        asleep = wake_some(shared, asleep).await;
    }
    if !asleep.is_empty() {
        tracing::warn!(users = asleep.len(), "users of slots that became ours are not woken");
    }
}

/// A page of the store, which may fail for a while; none if it goes on failing.
async fn page_at_last(
    shared: &Arc<Shared>,
    slots: &Arc<[Slot]>,
    after: Option<Owner>,
    having: Having,
) -> Option<Vec<Owner>> {
    for _ in 0..WAKE_ATTEMPTS_MAX {
        match page(shared, slots, after.clone(), having).await {
            Ok(page) => return Some(page),
            Err(error) => tracing::warn!(%error, "users of slots that became ours could not be read"),
        }
        tokio::time::sleep(WAKE_AGAIN).await;
    }
    None
}

async fn page(
    shared: &Arc<Shared>,
    slots: &Arc<[Slot]>,
    after: Option<Owner>,
    having: Having,
) -> Result<Vec<Owner>, Fault> {
    let (store, slots) = (shared.store.clone(), Arc::clone(slots));
    let page = spawn_blocking(move || store.owners_of(&slots, after.as_ref(), SENDERS_PAGE, having));
    page.await.map_err(|error| Fault::Engine(error.to_string()))?
}

/// Wakes these, and gives back those that could not be loaded.
async fn wake_some(shared: &Arc<Shared>, users: Vec<Key>) -> Vec<Key> {
    let (mut waking, mut failed) = (JoinSet::new(), Vec::new());
    for user in users {
        if waking.len() >= WAKING_MAX {
            failed.extend(waking.join_next().await.and_then(|joined| joined.ok().flatten()));
        }
        waking.spawn_local(wake_user(Arc::clone(shared), user));
    }
    while let Some(joined) = waking.join_next().await {
        failed.extend(joined.ok().flatten());
    }
    failed
}

/// Has a user loaded; gives it back if it was not.
async fn wake_user(shared: Arc<Shared>, key: Key) -> Option<Key> {
    let (answer, answered) = oneshot::channel();
    let Some(ask) = shared.asks.enter(Asker::Here(answer)) else { return Some(key) };
    let event = Event::Command(ask, Command::Settle);
    shared.post(shared.arbiter_of(&key), Parcel::Event(0, None, key.clone(), event));
    match tokio::time::timeout(ASK_TIME, answered).await {
        Ok(Ok(reply)) if reply != Reply::Failed => None,
        _ => Some(key),
    }
}
