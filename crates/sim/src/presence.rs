//! What clients are told of others' presence: nobody whose stream was kept or resumed may be said to be gone. Unless
//! members that live do not reach each other for longer than an owner waits for those who have sessions of its users, or
//! a user is lost that alone knew that a stream waits to be resumed (decision 0014).

use crate::coverage::Coverage;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A client is available, from when it says so until it says otherwise or its stream is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    pub client: usize,
    pub number: u64,
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.client, self.number)
    }
}

impl Stay {
    /// As the status of a presence names it.
    pub(crate) fn parse(status: &str) -> Option<Self> {
        let (client, number) = status.split_once(' ')?;
        Some(Self { client: client.parse().ok()?, number: number.parse().ok()? })
    }
}

/// A stay that is not over, as far as its client knows.
#[derive(Debug)]
struct Current {
    number: u64,
    /// Of its client.
    account: u64,
    /// Some owner took its session for gone without knowing, since it began.
    was_apart: bool,
    /// Who was told that it is over: when, and which client.
    doubts: Vec<(u64, usize)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    stays: u64,
    /// By client.
    current: BTreeMap<usize, Current>,
    /// Accounts of which one has ended a subscription to the other.
    estranged: BTreeSet<(u64, u64)>,
}

impl Presence {
    /// A client says that it is available, and was not before.
    pub(crate) fn begins(&mut self, client: usize, account: u64) -> Stay {
        self.stays += 1;
        let current = Current { number: self.stays, account, was_apart: false, doubts: Vec::new() };
        self.current.insert(client, current);
        Stay { client, number: self.stays }
    }

    /// It says that it is not, or its stream is given up.
    pub(crate) fn ends(&mut self, client: usize) {
        self.current.remove(&client);
    }

    /// One of these accounts ends a subscription to the other.
    pub(crate) fn estranged(&mut self, one: u64, other: u64) {
        self.estranged.extend([(one, other), (other, one)]);
    }

    /// The owner of these accounts takes streams for gone that may be resumed.
    pub(crate) fn parted(&mut self, is_concerned: impl Fn(u64) -> bool) {
        for current in self.current.values_mut() {
            current.was_apart |= is_concerned(current.account);
        }
    }

    /// Whether the stay of this client is one that its user may not know of.
    pub(crate) fn is_doubtful(&self, client: usize) -> bool {
        self.current.get(&client).is_some_and(|current| current.was_apart)
    }

    /// A client of an account reads that a stay of which it was told is over.
    pub(crate) fn told(
        &mut self,
        now: u64,
        (watcher, account): (usize, u64),
        stay: Stay,
        coverage: &mut Coverage,
    ) {
        match self.current.get_mut(&stay.client).filter(|current| current.number == stay.number) {
            None => coverage.told_gone += 1,
            Some(current) if self.estranged.contains(&(account, current.account)) => {}
            // It may have waited for this client since.
            Some(current) if current.was_apart => coverage.told_apart += 1,
            Some(current) => {
                // Its client may not know yet.
                coverage.told_early += 1;
                current.doubts.push((now, watcher));
            }
        }
    }

    /// The user of this client had its resource at this time or later. What is wrong, if anything is.
    pub(crate) fn holds(&self, client: usize, at: u64) -> Option<String> {
        let current = self.current.get(&client)?;
        let (when, watcher) = current.doubts.iter().find(|(when, _)| *when < at)?;
        Some(format!(
            "client {watcher} was told at {when} that client {client} is gone, whose stream was kept"
        ))
    }

    /// All is quiet, and whoever is available has its resource.
    pub(crate) fn conclude(&self) -> Option<String> {
        self.current.keys().find_map(|client| self.holds(*client, u64::MAX))
    }
}
