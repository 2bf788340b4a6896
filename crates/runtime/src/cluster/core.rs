//! What the cluster's thread owns: the steward, gossip, and what is known of each member; and what is done of what the
//! steward says.

use super::arbiters::Order;
use super::cell::Watch;
use super::clock::{now, now_ms};
use super::incoming::Known;
use super::limits::{PARTING_LOOK_MS, PARTING_MS, WARNING_MS};
use super::links::{self, Channel, Target, Tls, server_name};
use super::peers::Ways;
use super::{Input, Published};
use crate::members::Report;
use crate::start::Shared;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use stentor_cluster::link::LinkSettings;
use stentor_cluster::wire::Version;
use stentor_cluster::{
    Action, Ending, Gossip, GossipConfig, GossipKeys, GossipOutput, HandOvers, Hint, PeerMessage, Steward,
};
use stentor_engine::{MemberId, MemberInfo, RegisterRequest, Slot, Table};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

/// By which this member joined, and the first table that has it.
pub(super) type JoinedBy = (MemberId, Arc<Table>);

/// See the module.
pub(super) struct Core {
    pub(super) me: Option<MemberId>,
    pub(super) info: MemberInfo,
    cluster: Box<str>,
    /// What greetings say for it.
    pub(super) cluster_number: u64,
    pub(super) steward: Steward,
    pub(super) gossip: Option<Gossip>,
    keys: Option<GossipKeys>,
    socket: Rc<UdpSocket>,
    pub(super) ways: Arc<Ways>,
    pub(super) published: Arc<Published>,
    register: mpsc::Sender<RegisterRequest>,
    joining: Option<oneshot::Sender<JoinedBy>>,
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) waiting: Vec<Order>,
    pub(super) table: Arc<Table>,
    pub(super) members: BTreeMap<MemberId, Known>,
    /// Whom gossip thinks alive, and whether without suspicion.
    pub(super) alive: BTreeMap<MemberId, bool>,
    pub(super) gathering: BTreeSet<Slot>,
    pub(super) quiescing: BTreeSet<Slot>,
    /// What each arbiter has reported.
    pub(super) hand_overs: HandOvers,
    /// Links that wait for the arbiters.
    links: Vec<(MemberId, Arc<Channel>, Target)>,
    /// Until when what is on the links is waited for, before this member takes itself out.
    leaving: Option<u64>,
    pub(super) is_changed: bool,
    /// Connections that were not let in, by why.
    pub(super) strangers: BTreeMap<&'static str, u64>,
    warned: BTreeMap<&'static str, u64>,
}

/// What a core is made of.
pub(super) struct Parts {
    pub(super) info: MemberInfo,
    pub(super) cluster: Box<str>,
    pub(super) keys: GossipKeys,
    pub(super) socket: Rc<UdpSocket>,
    pub(super) ways: Arc<Ways>,
    pub(super) published: Arc<Published>,
    pub(super) register: mpsc::Sender<RegisterRequest>,
    pub(super) joining: oneshot::Sender<JoinedBy>,
}

/// A number that only clusters of this name have.
pub(super) fn cluster_number(cluster: &str) -> u64 {
    use sha2::{Digest, Sha256};
    let digest: [u8; 32] =
        Sha256::new_with_prefix(b"stentor cluster ").chain_update(cluster).finalize().into();
    digest.first_chunk().map_or(0, |number| u64::from_be_bytes(*number))
}

impl Core {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { info, cluster, keys, socket, ways, published, register, joining } = parts;
        Self {
            me: None,
            steward: Steward::new(info.clone()),
            info,
            cluster_number: cluster_number(&cluster),
            cluster,
            gossip: None,
            keys: Some(keys),
            socket,
            ways,
            published,
            register,
            joining: Some(joining),
            shared: None,
            waiting: Vec::new(),
            table: Arc::new(Table::empty()),
            members: BTreeMap::new(),
            alive: BTreeMap::new(),
            gathering: BTreeSet::new(),
            quiescing: BTreeSet::new(),
            hand_overs: HandOvers::new(0),
            links: Vec::new(),
            leaving: None,
            is_changed: false,
            strangers: BTreeMap::new(),
            warned: BTreeMap::new(),
        }
    }

    pub(super) fn tls(&self) -> Tls {
        self.ways.tls()
    }

    /// Takes what came from other threads.
    pub(super) fn take(&mut self, now: u64, input: Input) {
        match input {
            Input::Answered(question, reply) => self.steward.answered(now, question, reply),
            Input::Report(Report::Quiet(slot)) => self.steward.quiet(now, slot),
            Input::Report(Report::HandedOver { arbiter, version }) => {
                self.handed_over(now, arbiter, version);
            }
            Input::Happened(member, happened) => self.happened(now, member, happened),
            Input::Unreached(member, error) => self.unreached(now, member, &error),
            Input::Told(member, message, weight) => {
                self.told(now, member, &message);
                if let Some(known) = self.members.get(&member) {
                    known.channel.handed_on(vec![weight]);
                }
            }
            Input::Newer(version) => self.steward.hint(now, Hint::Version(version)),
            Input::Run(shared) => self.run(shared),
            Input::Drain => self.steward.drain(now),
            Input::Leave => {
                self.leaving.get_or_insert(now + PARTING_MS);
                self.is_changed = true;
            }
            Input::Abandon => self.end(Ending::Left),
            Input::Keys(keys) => match &mut self.gossip {
                Some(gossip) => gossip.set_keys(keys),
                None => self.keys = Some(keys),
            },
            Input::Tls(tls) => self.ways.set_tls(*tls),
            Input::Status(answer) => {
                let _ = answer.send(self.status());
            }
        }
    }

    /// Takes this member out, once the others have what was put on the links for them, or cannot be waited for longer.
    fn consider_leaving(&mut self, now: u64) {
        let waits = |known: &Known| known.is_linked && known.channel.waiting().0 > 0;
        let may_leave = |until| now >= until || !self.members.values().any(waits);
        if self.leaving.is_some_and(may_leave) {
            self.leaving = None;
            self.steward.leave(now);
            self.gossip(|gossip, now, out| gossip.leave(now, out));
        }
    }

    pub(super) fn tick(&mut self, now: u64) {
        self.steward.tick(now);
        if self.gossip.as_ref().is_some_and(|gossip| gossip.due() <= super::clock::now()) {
            self.gossip(|gossip, now, out| gossip.time(now, out));
        }
    }

    /// In how long there is something to do.
    pub(super) fn next_deadline(&self) -> Duration {
        let leaving = self.leaving.map(|until| until.min(now_ms() + PARTING_LOOK_MS));
        let deadlines = self.steward.next_deadline().into_iter().chain(leaving);
        let deadlines = deadlines.map(Duration::from_millis);
        let next = deadlines.chain(self.gossip.as_ref().map(Gossip::due)).min();
        next.map_or(Duration::from_secs(1), |next| next.saturating_sub(now()))
    }

    /// Does what the steward says.
    pub(super) fn settle(&mut self) {
        self.consider_leaving(now_ms());
        while let Some(action) = self.steward.poll() {
            self.is_changed = true;
            self.carry_out(action);
        }
        if !self.steward.may_release(now_ms()) {
            self.ways.end_lease();
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Ask(request) => {
                // The thread ends with this one, and not before.
                let _ = self.register.send(request);
            }
            Action::Joined(me) => self.joined(me),
            Action::Lease { until } => {
                if self.ways.extend(until) {
                    self.order(Order::Released);
                }
            }
            Action::Connect(member, info) => self.connect(member, info),
            Action::Install(table) => self.install(table),
            Action::Gone(member) => self.gone(member),
            Action::Unreachable(member) => {
                tracing::warn!(
                    member = member.0,
                    "a member is not reached: sessions of users there are ended"
                );
                self.order(Order::Unreachable(member));
            }
            Action::Gathered { slots, missed } => {
                if !missed.is_empty() {
                    tracing::warn!(
                        slots = slots.len(),
                        members = ?missed.iter().map(|member| member.0).collect::<Vec<_>>(),
                        "members did not hand over their sessions of these slots in time: those are taken to be gone"
                    );
                }
                self.gathering.retain(|slot| !slots.contains(slot));
                self.order(Order::Gathered(slots));
            }
            Action::Quiesce(slots) => {
                self.quiescing.extend(slots.iter().copied());
                self.order(Order::Quiesce(slots));
            }
            Action::Tell(member, message) => self.tell(member, message),
            Action::Drained => {
                tracing::info!("this member has given away its slots");
                self.published.drained.send_replace(true);
            }
            Action::Ended(ending) => self.end(ending),
        }
    }

    fn joined(&mut self, me: MemberId) {
        tracing::info!(member = me.0, name = %self.info.name, "joined the cluster");
        self.me = Some(me);
        let mut seed = [0; 32];
        let is_seeded = getrandom::fill(&mut seed).is_ok();
        if let Some(keys) = self.keys.take().filter(|_| is_seeded) {
            let (address, cluster) = (self.info.gossip, self.cluster.clone());
            let config = GossipConfig { member: me, address, cluster, keys };
            self.gossip = Some(Gossip::new(config, seed, now()));
        }
    }

    fn connect(&mut self, member: MemberId, info: MemberInfo) {
        let (Some(me), Some(version)) = (self.me, Version::common(info.wire)) else { return };
        tracing::info!(member = member.0, name = %info.name, address = %info.link, "a member is to be linked with");
        let (now, name) = (now_ms(), self.info.name.clone());
        let settings = LinkSettings { cluster: self.cluster_number, me, name, peer: member };
        let channel = Arc::new(Channel::new(now, settings, self.table.version(), version));
        match server_name(&info.name) {
            Ok(name) => {
                let target = Target { address: info.link, name };
                self.links.push((member, Arc::clone(&channel), target));
            }
            Err(error) => tracing::error!(member = member.0, %error, "there will be no link with a member"),
        }
        self.ways.add(member, Arc::clone(&channel));
        self.members.insert(member, Known::new(info, channel));
        self.start_links();
    }

    /// Each on an arbiter, once there are some.
    pub(super) fn start_links(&mut self) {
        let Some(shared) = &self.shared else { return };
        for (member, channel, target) in self.links.drain(..) {
            let (ways, watch) = (Arc::clone(&self.ways), Watch(Arc::clone(&self.published)));
            let ours = Arc::clone(shared);
            shared.place_on(member.0, move || {
                tokio::task::spawn_local(async move {
                    let _watch = watch;
                    links::run(ours, ways, member, channel, target).await;
                });
            });
        }
    }

    fn install(&mut self, table: Arc<Table>) {
        let before = std::mem::replace(&mut self.table, Arc::clone(&table));
        for slot in Slot::all() {
            let (was, is) = (before.owner(slot), table.owner(slot));
            if was != is {
                self.quiescing.remove(&slot);
                self.gathering.remove(&slot);
                if is.member == self.me {
                    self.gathering.insert(slot);
                }
            }
        }
        self.gossip(|gossip, now, _| gossip.table(&table, now));
        self.order(Order::Install(Arc::clone(&table)));
        for known in self.members.values() {
            known.channel.set_table(table.version());
        }
        self.published.table.send_replace(Arc::clone(&table));
        if let Some((me, joining)) = self.me.zip(self.joining.take())
            && joining.send((me, table)).is_err()
        {
            // Nobody waits for it any more.
            self.steward.leave(now_ms());
        }
    }

    fn gone(&mut self, member: MemberId) {
        let Some(known) = self.members.remove(&member) else { return };
        tracing::info!(member = member.0, name = %known.info.name, "a member is gone");
        self.ways.remove(member);
        let items = super::carry::rerouted(self.table.version(), known.channel.close());
        self.order(Order::Rerouted(member, items));
        self.order(Order::Gone(member));
    }

    pub(super) fn tell(&mut self, member: MemberId, message: PeerMessage) {
        if let Some(known) = self.members.get(&member) {
            known.channel.tell(message);
        }
    }

    fn end(&mut self, ending: Ending) {
        self.ways.end_lease();
        for known in self.members.values() {
            known.channel.close();
        }
        self.published.end(ending);
    }

    /// Lets gossip do something, and does what it says.
    pub(super) fn gossip(&mut self, f: impl FnOnce(&mut Gossip, Duration, &mut Vec<GossipOutput>)) {
        let Some(gossip) = &mut self.gossip else { return };
        let mut outputs = Vec::new();
        f(gossip, now(), &mut outputs);
        self.is_changed = true;
        for output in outputs {
            match output {
                GossipOutput::Send { to, datagram } => self.send(to, &datagram),
                // Whoever takes datagrams may not be linked for hours, and is told anew every few seconds.
                GossipOutput::Tell(member, message) => {
                    if self.members.get(&member).is_some_and(|known| known.is_linked) {
                        self.tell(member, message);
                    }
                }
                GossipOutput::Event(event) => self.heard(event),
            }
        }
    }

    /// Datagrams get lost, and gossip knows it.
    fn send(&self, to: SocketAddr, datagram: &[u8]) {
        if let Err(error) = self.socket.try_send_to(datagram, to) {
            tracing::debug!(%to, %error, "a datagram was not sent");
        }
    }

    /// Whether a warning of this kind is due.
    pub(super) fn may_warn(&mut self, now: u64, kind: &'static str) -> bool {
        let next = self.warned.entry(kind).or_default();
        let may = now >= *next;
        if may {
            *next = now + WARNING_MS;
        }
        may
    }
}

#[cfg(test)]
mod tests;
