//! What lies between processes: connections that are made, cut and held up, and who cannot reach whom.

use crate::faults::Fault;
use crate::queue::End;
use crate::stage::{Happening, Place, Stage, ToProcess};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use stentor_cluster::limits::PEER_SILENT_MS;
use stentor_engine::MemberId;

/// How the store fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StoreState {
    #[default]
    Up,
    /// It starts anew, or is not reached: every question fails, though some are carried out.
    Failing,
    /// Everything takes long, up to so many milliseconds.
    Slow(u64),
}

#[derive(Debug)]
struct Connection {
    ends: [Place; 2],
    /// What was written while the ends could not reach each other, and to which of them.
    held: Vec<(usize, Bytes)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Network {
    connections: BTreeMap<u64, Connection>,
    serial: u64,
    /// Pairs of processes that cannot reach each other, the lower first.
    apart: BTreeSet<(usize, usize)>,
    /// Processes that cannot reach the store.
    pub storeless: BTreeSet<usize>,
    pub store: StoreState,
    /// Incarnations that live.
    pub alive: BTreeMap<usize, u32>,
}

impl Network {
    pub(crate) fn is_alive(&self, place: Place) -> bool {
        self.alive.get(&place.at) == Some(&place.incarnation)
    }

    fn are_apart(&self, a: usize, b: usize) -> bool {
        self.apart.contains(&(a.min(b), a.max(b)))
    }

    /// The connections between two processes.
    pub(crate) fn between(&self, a: usize, b: usize) -> Vec<u64> {
        let is_between = |connection: &Connection| {
            let [one, other] = connection.ends;
            (one.at, other.at) == (a, b) || (one.at, other.at) == (b, a)
        };
        self.connections.iter().filter(|(_, c)| is_between(c)).map(|(number, _)| *number).collect()
    }

    /// The connections of a process.
    fn of(&self, at: usize) -> Vec<u64> {
        let is_of = |connection: &Connection| connection.ends.iter().any(|end| end.at == at);
        self.connections.iter().filter(|(_, c)| is_of(c)).map(|(number, _)| *number).collect()
    }

    /// Two processes cannot reach each other any more.
    pub(crate) fn part(&mut self, a: usize, b: usize) {
        self.apart.insert((a.min(b), a.max(b)));
    }
}

impl Stage {
    /// Opens a connection from here to whoever listens where that member does.
    pub(crate) fn connect(&mut self, member: MemberId, to: usize) {
        if self.network.are_apart(self.here.at, to) {
            // Nothing comes back, not even a refusal.
            return;
        }
        let delay = self.random.below(self.plan.link_most + 1);
        let connection = self.network.alive.get(&to).map(|incarnation| {
            self.network.serial += 1;
            let there = Place { at: to, incarnation: *incarnation };
            let connection = Connection { ends: [self.here, there], held: Vec::new() };
            self.network.connections.insert(self.network.serial, connection);
            self.network.serial
        });
        self.queue.after(delay, Happening::Process(self.here, ToProcess::Connected(member, connection)));
    }

    /// Writes to a connection from here.
    pub(crate) fn transmit(&mut self, connection: u64, bytes: Bytes) {
        let Some(Connection { ends, .. }) = self.network.connections.get(&connection) else { return };
        let Some(to) = ends.iter().position(|end| *end != self.here) else { return };
        let Some(place) = ends.get(to).copied() else { return };
        let delay = self.random.below(self.plan.link_most + 1);
        let what = Happening::Process(place, ToProcess::Bytes(connection, bytes));
        self.queue.send(place.at, End::Link(connection, to), End::Process, delay, what);
    }

    /// Sends a datagram from here to whoever takes them there. It may be lost, come late, and come twice.
    pub(crate) fn send_datagram(&mut self, to: usize, datagram: Vec<u8>) {
        self.coverage.datagrams += 1;
        let Some(incarnation) = self.network.alive.get(&to) else { return };
        let place = Place { at: to, incarnation: *incarnation };
        if self.random.chance(self.plan.datagrams_lost) {
            self.coverage.datagrams_lost += 1;
            return;
        }
        if self.random.chance(self.plan.datagrams_doubled) {
            self.datagram(place, datagram.clone());
        }
        self.datagram(place, datagram);
    }

    fn datagram(&mut self, to: Place, datagram: Vec<u8>) {
        let delay = self.random.below(self.plan.link_most + 1);
        let what = ToProcess::Datagram(self.here.at, datagram);
        self.queue.after(delay, Happening::Process(to, what));
    }

    /// Whether what was sent to a process arrives there, as far as the network is concerned.
    pub(crate) fn arrives(&mut self, to: Place, what: &ToProcess) -> bool {
        match what {
            ToProcess::Bytes(connection, bytes) => self.is_read(*connection, to, bytes),
            ToProcess::Datagram(from, _) => !self.network.are_apart(*from, to.at),
            _ => true,
        }
    }

    /// Whether what was written arrives; else it waits until the ends reach each other, or is lost.
    fn is_read(&mut self, connection: u64, to: Place, bytes: &Bytes) -> bool {
        let Some(found) = self.network.connections.get_mut(&connection) else { return false };
        let [a, b] = found.ends;
        if !self.network.apart.contains(&(a.at.min(b.at), a.at.max(b.at))) && found.held.is_empty() {
            return true;
        }
        if let Some(to) = found.ends.iter().position(|end| *end == to) {
            found.held.push((to, bytes.clone()));
        }
        false
    }

    /// Closes a connection from here.
    pub(crate) fn close(&mut self, connection: u64) {
        let Some(found) = self.network.connections.remove(&connection) else { return };
        let [a, b] = found.ends;
        if !self.network.are_apart(a.at, b.at) {
            let delay = self.random.below(self.plan.link_most + 1);
            for end in found.ends.into_iter().filter(|end| *end != self.here) {
                self.queue.after(delay, Happening::Process(end, ToProcess::Closed(connection)));
            }
        }
    }

    /// A connection breaks: each end learns of it some time, or never. In how long both take it for broken.
    pub(crate) fn cut(&mut self, connection: u64) -> u64 {
        let Some(found) = self.network.connections.remove(&connection) else { return 0 };
        let mut long = 0;
        for end in found.ends {
            if self.random.chance(800) {
                let delay = self.random.below(3_000);
                self.queue.after(delay, Happening::Process(end, ToProcess::Closed(connection)));
                long = long.max(delay);
            } else {
                long = PEER_SILENT_MS;
            }
        }
        long
    }

    /// A process is no more.
    pub(crate) fn died(&mut self, place: Place) {
        self.network.alive.remove(&place.at);
        self.serving.retain(|other| *other != place);
        self.draining = self.draining.filter(|other| *other != place);
        for connection in self.network.of(place.at) {
            let Some(found) = self.network.connections.remove(&connection) else { continue };
            let [a, b] = found.ends;
            let delay = self.random.below(self.plan.link_most + 1);
            for end in found.ends.into_iter().filter(|end| *end != place) {
                if !self.network.are_apart(a.at, b.at) {
                    self.queue.after(delay, Happening::Process(end, ToProcess::Closed(connection)));
                }
            }
        }
    }

    /// Two processes reach each other again. What they wrote meanwhile arrives before anything that is still on its way.
    fn rejoin(&mut self, a: usize, b: usize) -> Vec<(Place, ToProcess)> {
        self.network.apart.remove(&(a.min(b), a.max(b)));
        let mut arrives = Vec::new();
        for connection in self.network.between(a, b) {
            let Some(found) = self.network.connections.get_mut(&connection) else { continue };
            for (to, bytes) in std::mem::take(&mut found.held) {
                let place = found.ends.get(to).copied();
                arrives.extend(place.map(|place| (place, ToProcess::Bytes(connection, bytes))));
            }
        }
        arrives
    }

    /// What was wrong with the network or the store is right again; what arrives now.
    pub(crate) fn right(&mut self, fault: Fault) -> Vec<(Place, ToProcess)> {
        self.faults.end(fault);
        match fault {
            Fault::Part(a, b) => return self.rejoin(a, b),
            Fault::Storeless(at) => {
                self.network.storeless.remove(&at);
            }
            Fault::Store => self.network.store = StoreState::Up,
            Fault::Cut(..) | Fault::Kill(_) | Fault::Pause(_) => {}
        }
        Vec::new()
    }

    /// All faults of the network are over; what arrives now.
    pub(crate) fn mend(&mut self) -> Vec<(Place, ToProcess)> {
        self.network.storeless.clear();
        self.network.store = StoreState::Up;
        let apart = self.network.apart.clone();
        apart.into_iter().flat_map(|(a, b)| self.rejoin(a, b)).collect()
    }
}
