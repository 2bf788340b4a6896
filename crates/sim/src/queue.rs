//! What is to happen, by time; and the one order that is promised: what one source sends to one target arrives as
//! it was sent.

use std::collections::{BTreeMap, HashMap};
use stentor_engine::Key;

/// An end of a way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Arbiter(u16),
    /// The mailbox of an entity.
    Entity(Key),
    /// The mailbox of a session.
    Session(u64),
    /// A client's end of a connection, named by the session's serial.
    Client(u64),
    Store,
    /// The process itself: what it does about the cluster.
    Process,
    /// A connection between two members, and the one that writes.
    Link(u64, usize),
}

/// A queue of things to happen.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    now: u64,
    serial: u64,
    waiting: BTreeMap<(u64, u64), T>,
    last: HashMap<(usize, End, End), u64>,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { now: 0, serial: 0, waiting: BTreeMap::new(), last: HashMap::new() }
    }

    /// Milliseconds since the run began.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Happens after so long, in no order with others.
    pub(crate) fn after(&mut self, delay: u64, what: T) {
        self.serial += 1;
        self.waiting.insert((self.now + delay, self.serial), what);
    }

    /// Arrives after so long, and after all that took the same way of this process before.
    pub(crate) fn send(&mut self, process: usize, from: End, to: End, delay: u64, what: T) {
        let last = self.last.entry((process, from, to)).or_default();
        *last = (*last).max(self.now + delay);
        self.serial += 1;
        self.waiting.insert((*last, self.serial), what);
    }

    pub(crate) fn next(&mut self) -> Option<T> {
        let ((at, _), what) = self.waiting.pop_first()?;
        self.now = at;
        Some(what)
    }
}
