//! What a member says of itself and the cluster, for whoever operates it.

use super::core::Core;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use stentor_cluster::Refusal;

/// How a member sees the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// Its id, for this incarnation; none before it has joined.
    pub member: Option<u64>,
    /// Its name.
    pub name: Box<str>,
    /// What is left of its lease, in milliseconds; at 0 nothing leaves.
    pub lease_ms: u64,
    /// The version of the table that it goes by.
    pub version: u64,
    /// Slots of its own for which others have not handed over everything yet.
    pub gathering: usize,
    /// Slots of its own that are about to move.
    pub quiescing: usize,
    /// All members of the table, itself among them.
    pub members: Vec<MemberStatus>,
    /// Connections to its port that were not let in, by why.
    pub refused_connections: BTreeMap<&'static str, u64>,
    /// Datagrams of gossip that were not taken, by why.
    pub refused_gossip: BTreeMap<&'static str, u64>,
}

/// What gossip thinks of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// It answers.
    Alive,
    /// It did not answer of late.
    Suspected,
    /// Nothing is heard of it.
    Unknown,
}

/// One member, as this one sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberStatus {
    /// Its id.
    pub member: u64,
    /// Its name.
    pub name: Box<str>,
    /// Where it takes links.
    pub link: SocketAddr,
    /// Where it takes gossip.
    pub gossip: SocketAddr,
    /// Its share of the slots, relative to those of others.
    pub weight: u16,
    /// It is leaving.
    pub is_draining: bool,
    /// Slots that it owns.
    pub slots: usize,
    /// Whether there is a link with it; with itself, always.
    pub is_linked: bool,
    /// What gossip thinks.
    pub liveness: Liveness,
    /// Frames that it has not acknowledged.
    pub waiting_frames: usize,
    /// And their bytes.
    pub waiting_bytes: usize,
    /// Frames of it that wait for a newer table here.
    pub held_frames: usize,
    /// Frames of it that could not be read.
    pub malformed_frames: u64,
}

fn kind(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed => "malformed",
        Refusal::Version => "version",
        Refusal::Key => "key",
        Refusal::Forged => "forged",
        Refusal::Replayed => "replayed",
        Refusal::Stranger => "stranger",
        Refusal::Unexpected => "unexpected",
    }
}

impl Core {
    pub(super) fn status(&self) -> ClusterStatus {
        let mut slots: BTreeMap<_, usize> = BTreeMap::new();
        for slot in stentor_engine::Slot::all() {
            if let Some(owner) = self.table.owner(slot).member {
                *slots.entry(owner).or_default() += 1;
            }
        }
        let members = self.table.members().iter().map(|(id, member)| {
            let (known, is_me) = (self.members.get(id), Some(*id) == self.me);
            let (waiting_frames, waiting_bytes) = known.map_or((0, 0), |known| known.channel.waiting());
            let (held_frames, malformed_frames) = known.map_or((0, 0), |known| known.channel.arrived());
            let liveness = match self.alive.get(id) {
                _ if is_me => Liveness::Alive,
                Some(true) => Liveness::Alive,
                Some(false) => Liveness::Suspected,
                None => Liveness::Unknown,
            };
            MemberStatus {
                member: id.0,
                name: member.info.name.clone(),
                link: member.info.link,
                gossip: member.info.gossip,
                weight: member.info.weight,
                is_draining: member.is_draining,
                slots: slots.get(id).copied().unwrap_or(0),
                is_linked: is_me || known.is_some_and(|known| known.is_linked),
                liveness,
                waiting_frames,
                waiting_bytes,
                held_frames,
                malformed_frames,
            }
        });
        let refusals = self.gossip.iter().flat_map(|gossip| gossip.refusals());
        ClusterStatus {
            member: self.me.map(|me| me.0),
            name: self.info.name.clone(),
            lease_ms: self.ways.lease_left(),
            version: self.table.version(),
            gathering: self.gathering.len(),
            quiescing: self.quiescing.len(),
            members: members.collect(),
            refused_connections: self.strangers.clone(),
            refused_gossip: refusals.map(|(refusal, count)| (kind(*refusal), *count)).collect(),
        }
    }
}
