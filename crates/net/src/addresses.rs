//! What is remembered of addresses: how many connections have not authenticated, how often it failed.

use crate::limits::{ADDRESSES_MAX, FAILURES_FORGOTTEN, FAILURES_MAX, UNAUTHENTICATED_MAX};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Counts by address; an IPv6 address counts as its /64, which one customer has.
#[derive(Debug)]
pub struct Addresses {
    counts: Mutex<HashMap<IpAddr, Count>>,
    unauthenticated_max: usize,
}

#[derive(Debug, Default)]
struct Count {
    unauthenticated: usize,
    failures: u32,
    failed: Option<Instant>,
}

/// A connection that is not authenticated; counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Unauthenticated {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Default for Addresses {
    fn default() -> Self {
        Self::new(UNAUTHENTICATED_MAX)
    }
}

impl Addresses {
    /// Lets each have so many connections that are not authenticated.
    pub fn new(unauthenticated_max: usize) -> Self {
        Self { counts: Mutex::default(), unauthenticated_max }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection; none if the address has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Unauthenticated> {
        let address = network(address);
        let mut counts = self.counts();
        if counts.len() >= ADDRESSES_MAX {
            counts.retain(|_, count| !count.is_forgettable());
        }
        let count = counts.entry(address).or_default();
        if count.unauthenticated >= self.unauthenticated_max {
            return None;
        }
        count.unauthenticated += 1;
        drop(counts);
        Some(Unauthenticated { addresses: Arc::clone(self), address })
    }
}

impl Unauthenticated {
    /// Authentication failed.
    pub(crate) fn failed(&self) {
        let mut counts = self.addresses.counts();
        let count = counts.entry(self.address).or_default();
        count.forget_old();
        count.failures = count.failures.saturating_add(1);
        count.failed = Some(Instant::now());
    }

    /// Whether it failed so often that another try is refused for now.
    pub(crate) fn is_barred(&self) -> bool {
        let mut counts = self.addresses.counts();
        let count = counts.entry(self.address).or_default();
        count.forget_old();
        count.failures >= FAILURES_MAX
    }
}

impl Drop for Unauthenticated {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts();
        if let Some(count) = counts.get_mut(&self.address) {
            count.unauthenticated = count.unauthenticated.saturating_sub(1);
            if count.is_forgettable() {
                counts.remove(&self.address);
            }
        }
    }
}

impl Count {
    fn forget_old(&mut self) {
        if self.failed.is_some_and(|failed| failed.elapsed() > FAILURES_FORGOTTEN) {
            (self.failures, self.failed) = (0, None);
        }
    }

    fn is_forgettable(&mut self) -> bool {
        self.forget_old();
        self.unauthenticated == 0 && self.failures == 0
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let addresses = Arc::new(Addresses::new(2));
        let same = ["2001:db8::1", "2001:db8::2"].map(|text| text.parse().unwrap());
        let held: Vec<_> = same.iter().filter_map(|address| addresses.enter(*address)).collect();
        assert_eq!(held.len(), 2);
        assert!(addresses.enter("2001:db8::3".parse().unwrap()).is_none());
        assert!(addresses.enter("2001:db8:0:1::3".parse().unwrap()).is_some());
        assert!(addresses.enter("192.0.2.1".parse().unwrap()).is_some());
        drop(held);
        assert!(addresses.enter("2001:db8::3".parse().unwrap()).is_some());
    }

    #[test]
    fn many_failures_bar_an_address_and_nothing_is_kept_of_others() {
        let addresses = Arc::new(Addresses::default());
        let entered = addresses.enter("192.0.2.1".parse().unwrap()).unwrap();
        for _ in 0..FAILURES_MAX {
            assert!(!entered.is_barred());
            entered.failed();
        }
        assert!(entered.is_barred());
        drop(addresses.enter("192.0.2.2".parse().unwrap()));
        assert_eq!(addresses.counts().len(), 1);
    }
}
