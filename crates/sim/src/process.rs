//! A process: what it does about the cluster, its links, and what serves in it once it is a member. It goes by the
//! server's own steward, gossip and links.

mod gossip;
mod links;

use crate::crowd::Holds;
use crate::mail::{Report, ToSlots};
use crate::member::{Died, Member, Outgoing};
use crate::queue::End;
use crate::stage::{Clock, Place, Stage, ToMember, ToProcess, ToStore};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use links::Links;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use stentor_cluster::wire::Carried;
use stentor_cluster::{Action, Ending, Gossip, HandOvers, Hint, PeerMessage, Steward};
use stentor_engine::{MemberId, MemberInfo, Planted, Table};

/// See the module.
#[derive(Debug)]
pub(crate) struct Process {
    pub place: Place,
    pub clock: Clock,
    /// What has come while it stands still, if it does.
    pub paused: Option<VecDeque<ToProcess>>,
    planted: Planted,
    /// None in a server that is no cluster.
    steward: Option<Steward>,
    id: Option<MemberId>,
    member: Option<Member>,
    links: Links,
    /// None before it has joined.
    gossip: Option<Gossip>,
    /// Whom it thought dead, or suspected.
    doubted: BTreeSet<MemberId>,
    /// The version of the table that is in force.
    version: u64,
    /// What each arbiter has reported.
    hand_overs: HandOvers,
    next_tick: Option<u64>,
}

/// From the end of its sessions until a member that drained leaves.
const END_TIME: u64 = 1_000;

/// What others find the process by: the port is its number.
fn info(at: usize) -> MemberInfo {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), at as u16);
    let name = format!("m{at}").into();
    MemberInfo { name, link: address, gossip: address, weight: 4, wire: (1, 1), settings: 7 }
}

impl Process {
    /// Starts it here.
    pub(crate) fn start(stage: &mut Stage, planted: Planted) -> Self {
        let place = stage.here;
        stage.clock = stage.boot();
        stage.network.alive.insert(place.at, place.incarnation);
        let is_shared = stage.is_shared();
        let mut process = Self {
            place,
            clock: stage.clock,
            paused: None,
            planted,
            steward: is_shared.then(|| Steward::new(info(place.at)).planted(planted)),
            id: None,
            member: None,
            links: Links::default(),
            gossip: None,
            doubted: BTreeSet::new(),
            version: 0,
            hand_overs: HandOvers::new(usize::from(stage.plan.arbiters)),
            next_tick: None,
        };
        if is_shared {
            stage.later(0, ToProcess::Tick);
        } else {
            let me = MemberId(u64::from(place.incarnation));
            let table = Arc::new(Table::alone(me));
            process.member = Some(Member::start(me, &table, stage, planted));
        }
        process
    }

    /// What serves in it.
    pub(crate) fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// What it holds, apart: users, sessions, and all the rest.
    pub(crate) fn into_holds(mut self) -> Holds {
        let mut holds = Holds::default();
        if let Some(member) = &mut self.member {
            member.give_up(&mut holds);
        }
        holds.beside.add(self);
        holds
    }

    fn may_release(&self, now: u64) -> bool {
        self.steward.as_ref().is_none_or(|steward| steward.may_release(now))
    }

    /// Something happens here.
    pub(crate) fn handle(&mut self, what: ToProcess, stage: &mut Stage) -> Result<(), Died> {
        let now = stage.time().monotonic;
        stage.may_release = self.may_release(now);
        let mut out = Outgoing::default();
        match what {
            ToProcess::Member(what) => {
                if let Some(member) = &mut self.member {
                    member.handle(what, stage, &mut out)?;
                }
            }
            ToProcess::Answered(question, reply) => {
                if let Some(steward) = &mut self.steward {
                    steward.answered(now, question, reply);
                }
            }
            ToProcess::Tick => {
                if self.next_tick.is_some_and(|due| due > now) {
                    return Ok(());
                }
                self.next_tick = None;
                if let Some(steward) = &mut self.steward {
                    steward.tick(now);
                }
                self.links.tick(now);
                if self.gossip_due().is_some_and(|due| due <= now) {
                    self.gossip(now, stage, |gossip, now, out| gossip.time(now, out));
                }
            }
            ToProcess::Connected(member, connection) => self.links.connected(now, member, connection, stage),
            ToProcess::Bytes(connection, bytes) => self.links.read(now, connection, &bytes, stage),
            ToProcess::Closed(connection) => self.links.closed(now, connection),
            ToProcess::Datagram(_, datagram) => {
                self.gossip(now, stage, |gossip, now, out| gossip.datagram(now, &datagram, out));
            }
            ToProcess::Drain => {
                if let Some(steward) = &mut self.steward {
                    steward.drain(now);
                }
            }
            ToProcess::Leave => {
                if let Some(steward) = &mut self.steward {
                    steward.leave(now);
                }
                self.gossip(now, stage, |gossip, now, out| gossip.leave(now, out));
            }
        }
        self.settle(now, out, stage)
    }

    /// Does all that follows, until nothing does.
    fn settle(&mut self, now: u64, mut out: Outgoing, stage: &mut Stage) -> Result<(), Died> {
        if self.steward.is_none() {
            return Ok(());
        }
        loop {
            let mut is_quiet = out.parcels.is_empty() && out.reports.is_empty();
            let parcels = std::mem::take(&mut out.parcels);
            let mut back: Vec<_> = parcels.into_iter().flat_map(|parcel| self.links.send(parcel)).collect();
            back.extend(self.links.flush());
            let (full, nowhere): (Vec<_>, Vec<_>) =
                back.into_iter().partition(|parcel| self.links.leads_to(parcel.to));
            is_quiet &= nowhere.is_empty();
            self.reroute(now, nowhere.into_iter().map(|parcel| (parcel.to, parcel.carried)), stage);
            for parcel in full {
                stage.coverage.full += 1;
                if let Some(member) = &mut self.member {
                    member.not_sent(parcel, stage, &mut out);
                }
            }
            for report in std::mem::take(&mut out.reports) {
                self.report(now, report);
            }
            is_quiet &= !self.follow(now, stage)?;
            is_quiet &= !self.drive_links(now, stage);
            if is_quiet {
                break;
            }
        }
        let deadlines = self.steward.as_ref().and_then(Steward::next_deadline).into_iter();
        let due = deadlines.chain(self.links.next_deadline()).chain(self.gossip_due()).min();
        if let Some(due) = due
            && self.next_tick.is_none_or(|next| due < next)
        {
            self.next_tick = Some(due);
            stage.later(due.saturating_sub(now).max(1), ToProcess::Tick);
        }
        Ok(())
    }

    fn report(&mut self, now: u64, report: Report) {
        let Some(steward) = &mut self.steward else { return };
        match report {
            Report::Quiet(slot) => steward.quiet(now, slot),
            Report::HandedOver(arbiter, version) => {
                self.hand_overs.said(arbiter, version, version);
                if let Some(version) = self.hand_overs.take(self.version) {
                    steward.handed_over(now, version);
                }
            }
        }
    }

    /// Carries out what the steward wants; whether it wanted something.
    fn follow(&mut self, now: u64, stage: &mut Stage) -> Result<bool, Died> {
        let mut did = false;
        while let Some(action) = self.steward.as_mut().and_then(Steward::poll) {
            did = true;
            if !matches!(action, Action::Ask(_) | Action::Lease { .. }) {
                stage.trace(|| shown(&action));
            }
            match action {
                Action::Ask(request) => stage.ask_store(ToStore::Ask(request)),
                Action::Joined(id) => {
                    self.id = Some(id);
                    self.links.me = Some(id);
                    self.join_gossip(now, id, stage);
                }
                Action::Lease { .. } => {
                    stage.may_release = self.may_release(now);
                    self.tell_arbiters(&ToSlots::Released, stage);
                }
                Action::Connect(member, info) => self.links.add(now, member, &info, stage),
                Action::Install(table) => self.install(now, table, stage),
                Action::Gone(member) => {
                    let lost = self.links.remove(member, stage);
                    self.reroute(now, lost, stage);
                    self.tell_arbiters(&ToSlots::Gone(member), stage);
                }
                Action::Unreachable(member) => self.tell_arbiters(&ToSlots::Unreachable(member), stage),
                Action::Gathered { slots, missed } => {
                    if !missed.is_empty() {
                        stage.parted(&slots);
                    }
                    self.tell_arbiters(&ToSlots::Gathered(slots.into()), stage);
                }
                Action::Quiesce(slots) => self.tell_arbiters(&ToSlots::Quiesce(slots.into()), stage),
                Action::Tell(to, message) => self.links.tell(to, message),
                Action::Drained => {
                    // Clients resume elsewhere; what their sessions say at last leaves before the member does.
                    stage.serving.retain(|serving| *serving != self.place);
                    self.tell_arbiters(&ToSlots::End, stage);
                    stage.later(END_TIME, ToProcess::Leave);
                }
                Action::Ended(ending) => {
                    stage.coverage.left += u64::from(ending == Ending::Left);
                    return Err(Died);
                }
            }
        }
        Ok(did)
    }

    fn tell_arbiters(&self, what: &ToSlots, stage: &mut Stage) {
        if self.member.is_some() {
            for arbiter in 0..stage.plan.arbiters {
                let what = ToMember::Slots(arbiter, what.clone());
                stage.send(End::Process, End::Arbiter(arbiter), what);
            }
        }
    }

    fn install(&mut self, now: u64, table: Arc<Table>, stage: &mut Stage) {
        let Some(me) = self.id else { return };
        self.version = table.version();
        self.links.install(self.version);
        self.gossip(now, stage, |gossip, now, _| gossip.table(&table, now));
        if self.member.is_none() {
            self.member = Some(Member::start(me, &table, stage, self.planted));
            // No session is here that could have to attach.
            for arbiter in 0..stage.plan.arbiters {
                let report = Report::HandedOver(arbiter, table.version());
                self.report(now, report);
            }
        } else {
            self.tell_arbiters(&ToSlots::Table(table), stage);
        }
    }

    /// Of what a member that is gone did not take, the events for entities are routed again, by the table that is in
    /// force.
    fn reroute(&mut self, now: u64, lost: impl IntoIterator<Item = (MemberId, Carried)>, stage: &mut Stage) {
        for (member, carried) in lost {
            if let Carried::Event { source, target, epoch, event } = carried {
                stage.coverage.rerouted += 1;
                let version = self.version;
                let carried = Carried::Returned { source, target, epoch, event, version };
                self.hand_on(now, member, carried, stage);
            }
        }
    }

    /// What the links have; whether there was something.
    fn drive_links(&mut self, now: u64, stage: &mut Stage) -> bool {
        let mut arrived = Vec::new();
        let mut did = self.links.drive(now, self.version, &mut arrived, stage);
        if let Some(steward) = &mut self.steward {
            for (member, is_linked) in std::mem::take(&mut self.links.changed) {
                did = true;
                steward.linked(now, member, is_linked);
            }
            if let Some(version) = self.links.awaited.take() {
                steward.hint(now, Hint::Version(version));
            }
        }
        for (member, carried) in arrived {
            did = true;
            stage.trace(|| format!("arrives from {member:?}: {carried:?}"));
            self.hand_on(now, member, carried, stage);
        }
        did
    }

    fn hand_on(&mut self, now: u64, from: MemberId, carried: Carried, stage: &mut Stage) {
        let arbiter = match &carried {
            Carried::Event { target, .. } | Carried::Returned { target, .. } => stage.arbiter_of(target),
            Carried::Session { session, .. } => session.arbiter,
            Carried::Peer(PeerMessage::Membership(bytes)) => {
                return self.gossip(now, stage, |gossip, now, out| gossip.membership(now, from, bytes, out));
            }
            Carried::Peer(message) => {
                if let Some(steward) = &mut self.steward {
                    steward.told(now, from, message);
                }
                return;
            }
            _ => return,
        };
        let what = ToMember::FromMember(arbiter, from, carried);
        stage.send(End::Process, End::Arbiter(arbiter), what);
    }
}

/// Short enough to read a trace.
fn shown(action: &Action) -> String {
    match action {
        Action::Install(table) => format!("installs table {}", table.version()),
        Action::Gathered { slots, missed } => format!("gathered {} slots, without {missed:?}", slots.len()),
        Action::Quiesce(slots) => format!("quiesces {} slots", slots.len()),
        action => format!("{action:?}"),
    }
}
