//! The way to other members, as arbiters have it.

use super::Input;
use super::carry::rerouted;
use super::clock::now_ms;
use super::links::{Channel, Tls};
use crate::members::{Peers, Report, ToMember};
use crate::start::Shared;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use stentor_engine::MemberId;
use tokio::sync::mpsc::UnboundedSender;

/// See the module. What the cluster's thread changes, and arbiters read.
pub(super) struct Ways {
    channels: RwLock<BTreeMap<MemberId, Arc<Channel>>>,
    /// Until when effects may leave.
    lease: AtomicU64,
    /// The table that is installed.
    version: AtomicU64,
    shared: RwLock<Weak<Shared>>,
    /// For connections from now on.
    tls: Mutex<Tls>,
    inputs: UnboundedSender<Input>,
}

impl Ways {
    pub(super) fn new(tls: Tls, inputs: UnboundedSender<Input>) -> Self {
        Self {
            channels: RwLock::default(),
            lease: AtomicU64::new(0),
            version: AtomicU64::new(0),
            shared: RwLock::default(),
            tls: Mutex::new(tls),
            inputs,
        }
    }

    pub(super) fn add(&self, member: MemberId, channel: Arc<Channel>) {
        self.channels.write().unwrap_or_else(PoisonError::into_inner).insert(member, channel);
    }

    pub(super) fn remove(&self, member: MemberId) {
        self.channels.write().unwrap_or_else(PoisonError::into_inner).remove(&member);
    }

    pub(super) fn run(&self, shared: &Arc<Shared>) {
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(shared);
    }

    pub(super) fn installed(&self, version: u64) {
        self.version.store(version, Ordering::SeqCst);
    }

    /// The lease holds until then. Whether effects may have been held back since the last one ended: who read the clock
    /// before he read that one, read the clock before this looks at it.
    pub(super) fn extend(&self, until: u64) -> bool {
        let before = self.lease.swap(until, Ordering::SeqCst);
        now_ms() >= before
    }

    /// Nothing may leave any more.
    pub(super) fn end_lease(&self) {
        self.lease.store(0, Ordering::SeqCst);
    }

    /// What is left of the lease, in ms.
    pub(super) fn lease_left(&self) -> u64 {
        let now = now_ms();
        self.lease.load(Ordering::SeqCst).saturating_sub(now)
    }

    /// Tells the cluster's thread something; if that is over, nobody.
    pub(super) fn tell(&self, input: Input) {
        let _ = self.inputs.send(input);
    }

    /// The version of the table that is installed: all arbiters have been given it, or will be before anything that is
    /// given to them from now on.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    pub(super) fn tls(&self) -> Tls {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_tls(&self, tls: Tls) {
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls;
    }

    /// The cluster's thread has ended, for whatever reason: nothing leaves, and no link goes on.
    pub(super) fn end(&self) {
        self.end_lease();
        for channel in self.channels.write().unwrap_or_else(PoisonError::into_inner).values() {
            channel.close();
        }
    }

    fn channel(&self, member: MemberId) -> Option<Arc<Channel>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).get(&member).cloned()
    }

    /// By a table in which the member still was: its events are routed again by the newer one. If there is no newer one,
    /// nobody owns the slot.
    fn nowhere(&self, version: u64, items: Vec<ToMember>, member: MemberId) -> Vec<ToMember> {
        let installed = self.version();
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner).upgrade();
        match shared {
            Some(shared) if version < installed => {
                shared.from_member(member, rerouted(installed, items));
                Vec::new()
            }
            _ => items,
        }
    }
}

impl Peers for Ways {
    fn send(&self, member: MemberId, version: u64, items: Vec<ToMember>) -> Vec<ToMember> {
        let Some(channel) = self.channel(member) else { return self.nowhere(version, items, member) };
        channel.send(items).unwrap_or_else(|items| self.nowhere(version, items, member))
    }

    fn report(&self, report: Report) {
        self.tell(Input::Report(report));
    }

    fn may_release(&self) -> bool {
        // In this order: see `extend`.
        let now = now_ms();
        now < self.lease.load(Ordering::SeqCst)
    }
}
