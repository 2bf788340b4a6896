//! Members and the network between them, in virtual time, from one seed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's tools: a panic is a failure")]

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use stentor_cluster::{Gossip, GossipConfig, GossipEvent, GossipKeys, GossipOutput, PeerMessage};
use stentor_engine::{MemberId, MemberInfo, Table};
use zeroize::Zeroizing;

/// What the network does to a datagram, in percent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) lost: u64,
    pub(crate) twice: u64,
    pub(crate) late: u64,
    pub(crate) spoilt: u64,
    /// Sent again much later.
    pub(crate) replayed: u64,
}

enum Delivery {
    Datagram(SocketAddr, Vec<u8>),
    Link { from: MemberId, to: MemberId, message: PeerMessage },
}

pub(crate) struct Node {
    pub(crate) gossip: Gossip,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<(Duration, GossipEvent)>,
}

pub(crate) struct Network {
    pub(crate) now: Duration,
    pub(crate) nodes: BTreeMap<MemberId, Node>,
    pub(crate) faults: Faults,
    /// All that was sent, where a test wants it.
    pub(crate) tapped: Option<Vec<(SocketAddr, Vec<u8>)>>,
    /// Members that nobody reaches, and that reach nobody.
    pub(crate) cut_off: BTreeSet<MemberId>,
    pub(crate) bytes: usize,
    table: Table,
    chance: u64,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    under_way: BTreeMap<u64, Delivery>,
    serial: u64,
}

pub(crate) fn address(member: u64) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from_bits(0x0A00_0000 + member as u32).into(), 5270)
}

pub(crate) fn keys(bytes: &[u8]) -> GossipKeys {
    let keys: Vec<_> = bytes.iter().map(|byte| Zeroizing::new([*byte; 32])).collect();
    GossipKeys::new(&keys).unwrap()
}

fn info(member: u64) -> MemberInfo {
    let name = format!("m{member}").into_boxed_str();
    MemberInfo { name, link: address(member), gossip: address(member), weight: 1, wire: (1, 1), settings: 0 }
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Duration::from_secs(1_000),
            nodes: BTreeMap::new(),
            faults: Faults::default(),
            tapped: None,
            cut_off: BTreeSet::new(),
            bytes: 0,
            table: Table::empty(),
            chance: seed,
            queue: BinaryHeap::new(),
            under_way: BTreeMap::new(),
            serial: 0,
        }
    }

    /// Members 1 to `count`, started within a second, with the table in which all are.
    pub(crate) fn of(seed: u64, count: u64) -> Self {
        let mut network = Self::new(seed);
        for member in 1..=count {
            network.enter(member);
        }
        for member in 1..=count {
            network.start(member, "c1");
            network.run(Duration::from_micros(1_000_000 / count));
        }
        network
    }

    /// Into the table, which its members learn of when [`Network::tell_table`] is called.
    pub(crate) fn enter(&mut self, member: u64) {
        self.table.join(MemberId(member), info(member));
    }

    /// A member that has the address of an earlier one.
    pub(crate) fn restart(&mut self, earlier: u64, member: u64) {
        let mut info = info(member);
        (info.link, info.gossip) = (address(earlier), address(earlier));
        self.table.join(MemberId(member), info);
        self.start_at(member, address(earlier), "c1");
    }

    pub(crate) fn remove(&mut self, member: u64) {
        let removed = vec![MemberId(member)];
        let change =
            stentor_engine::TableChange { base: self.table.version(), removed, ..Default::default() };
        self.table.apply(&change).unwrap();
    }

    pub(crate) fn tell_table(&mut self) {
        for node in self.nodes.values_mut() {
            node.gossip.table(&self.table, self.now);
        }
    }

    pub(crate) fn tell_table_to(&mut self, member: u64) {
        self.nodes.get_mut(&MemberId(member)).unwrap().gossip.table(&self.table, self.now);
    }

    /// The member says that it goes, and ends.
    pub(crate) fn leave(&mut self, member: u64) {
        self.with(MemberId(member), |gossip, now, out| gossip.leave(now, out));
        self.kill(member);
    }

    pub(crate) fn version(&self) -> u64 {
        self.table.version()
    }

    pub(crate) fn start(&mut self, member: u64, cluster: &str) {
        self.start_at(member, address(member), cluster);
    }

    fn start_at(&mut self, member: u64, address: SocketAddr, cluster: &str) {
        let id = MemberId(member);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.draw().to_le_bytes());
        let config = GossipConfig { member: id, address, cluster: cluster.into(), keys: keys(&[1]) };
        let mut gossip = Gossip::new(config, seed, self.now);
        gossip.table(&self.table, self.now);
        self.nodes.insert(id, Node { gossip, address, events: Vec::new() });
    }

    pub(crate) fn kill(&mut self, member: u64) {
        self.nodes.remove(&MemberId(member)).unwrap();
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until `holds`, at most so long; tells how long it took.
    pub(crate) fn run_until(&mut self, at_most: Duration, holds: impl Fn(&Self) -> bool) -> Duration {
        let start = self.now;
        while !holds(self) {
            assert!(self.now - start < at_most, "it does not hold after {at_most:?}");
            self.run(Duration::from_millis(50));
        }
        self.now - start
    }

    /// Whether every member thinks alive exactly the others that run and are not cut off.
    pub(crate) fn is_whole(&self) -> bool {
        let there: Vec<_> = self.nodes.keys().filter(|id| !self.cut_off.contains(id)).copied().collect();
        there.iter().all(|id| {
            let others = there.iter().filter(|other| *other != id).copied();
            self.nodes[id].gossip.alive().eq(others)
        })
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = (MemberId, GossipEvent)> + '_ {
        self.nodes.iter().flat_map(|(id, node)| node.events.iter().map(|(_, event)| (*id, *event)))
    }

    pub(crate) fn forget_events(&mut self) {
        self.nodes.values_mut().for_each(|node| node.events.clear());
    }

    /// A datagram of somebody outside.
    pub(crate) fn inject(&mut self, to: SocketAddr, datagram: Vec<u8>) {
        self.post(Duration::ZERO, Delivery::Datagram(to, datagram));
    }

    fn step(&mut self, end: Duration) -> bool {
        let delivery = self.queue.peek().map(|Reverse((at, _))| *at);
        let timer = self.nodes.iter().map(|(id, node)| (node.gossip.due(), *id)).min();
        let next = delivery.into_iter().chain(timer.map(|(at, _)| at)).min();
        let Some(next) = next.filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        if delivery == Some(next) {
            let Reverse((_, serial)) = self.queue.pop().unwrap();
            let delivery = self.under_way.remove(&serial).unwrap();
            self.deliver(delivery);
        } else if let Some((_, id)) = timer {
            self.with(id, |gossip, now, out| gossip.time(now, out));
        }
        true
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Datagram(to, datagram) => {
                let target = self.nodes.iter().find(|(_, node)| node.address == to).map(|(id, _)| *id);
                let Some(id) = target.filter(|id| !self.cut_off.contains(id)) else { return };
                self.with(id, |gossip, now, out| gossip.datagram(now, &datagram, out));
            }
            Delivery::Link { from, to, message: PeerMessage::Membership(bytes) } => {
                if [from, to].iter().all(|id| self.nodes.contains_key(id) && !self.cut_off.contains(id)) {
                    self.with(to, |gossip, now, out| gossip.membership(now, from, &bytes, out));
                }
            }
            Delivery::Link { .. } => panic!("gossip tells of nothing else"),
        }
    }

    fn with(&mut self, id: MemberId, run: impl FnOnce(&mut Gossip, Duration, &mut Vec<GossipOutput>)) {
        let now = self.now;
        let node = self.nodes.get_mut(&id).unwrap();
        let mut out = Vec::new();
        run(&mut node.gossip, now, &mut out);
        for output in out {
            match output {
                GossipOutput::Send { to, datagram } => {
                    assert!(datagram.len() <= stentor_cluster::limits::GOSSIP_DATAGRAM_BYTES_MAX);
                    if !self.cut_off.contains(&id) {
                        self.send(to, datagram);
                    }
                }
                GossipOutput::Tell(to, message) => {
                    self.post(Duration::from_millis(1), Delivery::Link { from: id, to, message });
                }
                GossipOutput::Event(event) => self.nodes.get_mut(&id).unwrap().events.push((now, event)),
            }
        }
    }

    fn send(&mut self, to: SocketAddr, mut datagram: Vec<u8>) {
        self.bytes += datagram.len() + 28;
        if let Some(tapped) = &mut self.tapped {
            tapped.push((to, datagram.clone()));
        }
        let Faults { lost, twice, late, spoilt, replayed } = self.faults;
        if self.happens(lost) {
            return;
        }
        if self.happens(twice) {
            let delay = self.delay();
            self.post(delay, Delivery::Datagram(to, datagram.clone()));
        }
        if self.happens(replayed) {
            let delay = Duration::from_millis(self.draw() % 20_000);
            self.post(delay, Delivery::Datagram(to, datagram.clone()));
        }
        if self.happens(spoilt) {
            let at = self.draw() as usize % datagram.len();
            datagram[at] ^= 1 << (self.draw() % 8);
        }
        let delay =
            self.delay() + if self.happens(late) { Duration::from_millis(50) } else { Duration::ZERO };
        self.post(delay, Delivery::Datagram(to, datagram));
    }

    fn post(&mut self, delay: Duration, delivery: Delivery) {
        self.serial += 1;
        self.queue.push(Reverse((self.now + delay, self.serial)));
        self.under_way.insert(self.serial, delivery);
    }

    fn delay(&mut self) -> Duration {
        Duration::from_micros(200 + self.draw() % 800)
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
