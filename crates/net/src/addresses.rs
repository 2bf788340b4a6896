//! What is remembered of addresses: their connections, their failed authentications, their registrations.

use crate::limits::{
    ACCOUNT_DELAY, ACCOUNT_FAILURES_MAX, ADDRESSES_MAX, FAILURES_FORGOTTEN, FAILURES_MAX, FRUITLESS_WINDOW,
    KNOWN_FOR, PAIR_FAILURES_MAX, REGISTRATIONS_WINDOW, TAKEN_NAMES_MAX,
};
use crate::tally::Tallies;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use stentor_xmpp::BareJid;

/// What addresses may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressLimits {
    /// Connections of one address that are not authenticated.
    pub unauthenticated_max: usize,
    /// Those of one address in a minute that have ended without having been authenticated.
    pub fruitless_per_minute_max: u32,
    /// Streams of all addresses together.
    pub streams_max: usize,
    /// Accounts that one address may register in an hour.
    pub registrations_per_hour_max: u32,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            unauthenticated_max: 10,
            fruitless_per_minute_max: 300,
            streams_max: 100_000,
            registrations_per_hour_max: 3,
        }
    }
}

/// Counts by address; an IPv6 address counts as its /64, which one customer has.
#[derive(Debug)]
pub struct Addresses(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    limits: AddressLimits,
    streams: usize,
    unauthenticated: HashMap<IpAddr, usize>,
    /// Connections that have ended without having been authenticated.
    fruitless: Tallies<IpAddr>,
    failures: Tallies<IpAddr>,
    /// Failures for an account from one address, and from anywhere.
    pairs: Tallies<(BareJid, IpAddr)>,
    accounts: Tallies<BareJid>,
    /// Who authenticated from where.
    known: Tallies<(BareJid, IpAddr)>,
    registrations: Tallies<IpAddr>,
    /// Registrations of names that were taken.
    taken: Tallies<IpAddr>,
}

/// A connection; counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Entered(Arc<Addresses>);

/// A connection that is not authenticated; counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Unauthenticated {
    addresses: Arc<Addresses>,
    address: IpAddr,
    has_succeeded: bool,
}

/// Whether a connection may try to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Yes, after so long.
    After(Duration),
    /// Not for now.
    Barred,
}

impl Default for Addresses {
    fn default() -> Self {
        Self::new(AddressLimits::default())
    }
}

impl Addresses {
    /// With these limits.
    pub fn new(limits: AddressLimits) -> Self {
        Self(Mutex::new(Counts {
            limits,
            streams: 0,
            unauthenticated: HashMap::new(),
            fruitless: Tallies::new(FRUITLESS_WINDOW, ADDRESSES_MAX),
            failures: Tallies::new(FAILURES_FORGOTTEN, ADDRESSES_MAX),
            pairs: Tallies::new(FAILURES_FORGOTTEN, ADDRESSES_MAX),
            accounts: Tallies::new(FAILURES_FORGOTTEN, ADDRESSES_MAX),
            known: Tallies::new(KNOWN_FOR, ADDRESSES_MAX),
            registrations: Tallies::new(REGISTRATIONS_WINDOW, ADDRESSES_MAX),
            taken: Tallies::new(REGISTRATIONS_WINDOW, ADDRESSES_MAX),
        }))
    }

    /// Other limits from now on; connections that are open stay.
    pub fn set_limits(&self, limits: AddressLimits) {
        self.counts().limits = limits;
    }

    /// Streams that are open, of all addresses together.
    pub fn streams(&self) -> usize {
        self.counts().streams
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection; none if the address, or all together, have as many as they may.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        now: Instant,
    ) -> Option<(Entered, Unauthenticated)> {
        let address = network(address);
        let mut counts = self.counts();
        let limits = counts.limits;
        let here = counts.unauthenticated.get(&address).copied().unwrap_or(0);
        if counts.streams >= limits.streams_max
            || here >= limits.unauthenticated_max
            || counts.fruitless.count(&address, now) >= limits.fruitless_per_minute_max
        {
            return None;
        }
        counts.streams += 1;
        counts.unauthenticated.insert(address, here + 1);
        drop(counts);
        let addresses = Arc::clone(self);
        Some((Entered(Arc::clone(self)), Unauthenticated { addresses, address, has_succeeded: false }))
    }
}

impl Unauthenticated {
    /// Somebody claims to be this account.
    ///
    /// What a stranger does never bars an account: a pair of account and address is barred, or an address. Where many
    /// addresses try one account, those from which nobody has authenticated as it wait, the others do not.
    pub(crate) fn attempt(&self, account: &BareJid, now: Instant) -> Attempt {
        let counts = self.addresses.counts();
        let pair = (account.clone(), self.address);
        if counts.failures.count(&self.address, now) >= FAILURES_MAX
            || counts.pairs.count(&pair, now) >= PAIR_FAILURES_MAX
        {
            return Attempt::Barred;
        }
        let is_attacked = counts.accounts.count(account, now) >= ACCOUNT_FAILURES_MAX;
        let is_known = counts.known.count(&pair, now) > 0;
        Attempt::After(if is_attacked && !is_known { ACCOUNT_DELAY } else { Duration::ZERO })
    }

    /// Authentication failed.
    pub(crate) fn failed(&self, account: Option<&BareJid>, now: Instant) {
        let mut counts = self.addresses.counts();
        counts.failures.add(self.address, now);
        if let Some(account) = account {
            counts.pairs.add((account.clone(), self.address), now);
            counts.accounts.add(account.clone(), now);
        }
    }

    /// It succeeded.
    pub(crate) fn succeeded(mut self, account: &BareJid, now: Instant) {
        self.has_succeeded = true;
        self.addresses.counts().known.add((account.clone(), self.address), now);
    }

    /// Counts a registration; false if the address has had its share.
    pub(crate) fn register(&self, now: Instant) -> bool {
        let mut counts = self.addresses.counts();
        if counts.registrations.count(&self.address, now) >= counts.limits.registrations_per_hour_max
            || counts.taken.count(&self.address, now) >= TAKEN_NAMES_MAX
        {
            return false;
        }
        counts.registrations.add(self.address, now);
        true
    }

    /// The name was taken: that was none of its share, but counts as well.
    pub(crate) fn name_was_taken(&self, now: Instant) {
        let mut counts = self.addresses.counts();
        counts.registrations.take_back(&self.address);
        counts.taken.add(self.address, now);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        counts.streams = counts.streams.saturating_sub(1);
    }
}

impl Drop for Unauthenticated {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts();
        match counts.unauthenticated.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.unauthenticated.remove(&self.address)),
        }
        // Who logs in may come as often as it likes, and many behind one address do.
        if !self.has_succeeded {
            counts.fruitless.add(self.address, Instant::now());
        }
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

    fn addresses(unauthenticated_max: usize, streams_max: usize) -> Arc<Addresses> {
        Arc::new(Addresses::new(AddressLimits {
            unauthenticated_max,
            streams_max,
            ..AddressLimits::default()
        }))
    }

    fn enter(addresses: &Arc<Addresses>, address: &str) -> Option<(Entered, Unauthenticated)> {
        addresses.enter(address.parse().unwrap(), Instant::now())
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let addresses = addresses(2, 100);
        let held = ["2001:db8::1", "2001:db8::2"].map(|text| enter(&addresses, text).unwrap());
        assert!(enter(&addresses, "2001:db8::3").is_none());
        assert!(enter(&addresses, "2001:db8:0:1::3").is_some());
        assert!(enter(&addresses, "192.0.2.1").is_some());
        drop(held);
        assert!(enter(&addresses, "2001:db8::3").is_some());
        assert_eq!((addresses.streams(), addresses.counts().unauthenticated.len()), (0, 0));
    }

    #[test]
    fn who_comes_often_and_never_logs_in_is_refused_for_a_while() {
        let limits = AddressLimits { fruitless_per_minute_max: 3, ..AddressLimits::default() };
        let addresses = Arc::new(Addresses::new(limits));
        let juliet = BareJid::parse("juliet@example.org").unwrap();
        for _ in 0..20 {
            let (_, unauthenticated) = enter(&addresses, "192.0.2.1").unwrap();
            unauthenticated.succeeded(&juliet, Instant::now());
        }
        let held = enter(&addresses, "192.0.2.1").unwrap();
        for _ in 0..3 {
            assert!(enter(&addresses, "192.0.2.1").is_some());
        }
        assert!(enter(&addresses, "192.0.2.1").is_none());
        assert!(enter(&addresses, "192.0.2.2").is_some());
        let later = Instant::now() + FRUITLESS_WINDOW;
        assert!(addresses.enter("192.0.2.1".parse().unwrap(), later).is_some());
        drop(held);
    }

    #[test]
    fn all_together_have_their_share() {
        let addresses = addresses(10, 2);
        let (one, unauthenticated) = enter(&addresses, "192.0.2.1").unwrap();
        drop(unauthenticated); // It has authenticated, and is still a stream.
        let _two = enter(&addresses, "192.0.2.2").unwrap();
        assert!(enter(&addresses, "192.0.2.3").is_none());
        drop(one);
        assert!(enter(&addresses, "192.0.2.3").is_some());
    }

    #[test]
    fn failures_bar_an_address_and_never_an_account() {
        let addresses = addresses(100, 100);
        let now = Instant::now();
        let account = |name: &str| BareJid::parse(&format!("{name}@example.org")).unwrap();
        let juliet = account("juliet");
        let now_allowed = Attempt::After(Duration::ZERO);
        let (_, home) = enter(&addresses, "192.0.2.1").unwrap();
        home.succeeded(&juliet, now);
        let (_, home) = enter(&addresses, "192.0.2.1").unwrap();
        // One stranger: after some failures this address, for this account, is barred; nobody else is.
        let (_, stranger) = enter(&addresses, "198.51.100.1").unwrap();
        for _ in 0..PAIR_FAILURES_MAX {
            assert_eq!(stranger.attempt(&juliet, now), now_allowed);
            stranger.failed(Some(&juliet), now);
        }
        assert_eq!(stranger.attempt(&juliet, now), Attempt::Barred);
        assert_eq!(stranger.attempt(&account("romeo"), now), now_allowed);
        assert_eq!(home.attempt(&juliet, now), now_allowed);
        // Many: who is new waits, who is known does not.
        for n in 0..ACCOUNT_FAILURES_MAX {
            let (_, stranger) = enter(&addresses, &format!("203.0.113.{n}")).unwrap();
            stranger.failed(Some(&juliet), now);
        }
        let (_, new) = enter(&addresses, "192.0.2.99").unwrap();
        assert_eq!(new.attempt(&juliet, now), Attempt::After(ACCOUNT_DELAY));
        assert_eq!(home.attempt(&juliet, now), now_allowed);
        // One address through many accounts.
        for n in 0..FAILURES_MAX {
            new.failed(Some(&account(&n.to_string())), now);
        }
        assert_eq!(new.attempt(&account("romeo"), now), Attempt::Barred);
        assert_eq!(new.attempt(&account("romeo"), now + FAILURES_FORGOTTEN), now_allowed);
        assert_eq!(stranger.attempt(&juliet, now + FAILURES_FORGOTTEN), now_allowed);
    }

    #[test]
    fn an_address_registers_so_often_in_an_hour() {
        let addresses = addresses(10, 10);
        let (_, entered) = enter(&addresses, "192.0.2.1").unwrap();
        let now = Instant::now();
        assert_eq!([0; 4].map(|_| entered.register(now)), [true, true, true, false]);
        let later = now + REGISTRATIONS_WINDOW;
        assert!(entered.register(later));
        // Names that are taken take nothing of it, until there are many.
        for _ in 0..TAKEN_NAMES_MAX {
            assert!(entered.register(later));
            entered.name_was_taken(later);
        }
        assert!(!entered.register(later));
    }
}
