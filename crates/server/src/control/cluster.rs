//! What is told of a cluster.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use stentor_xmpp::BareJid;

use super::protocol::address;

/// How one member sees the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterReport {
    /// Its id, for this incarnation.
    pub member: Option<u64>,
    /// Its name.
    pub name: String,
    /// The version of the routing table that it goes by.
    pub version: u64,
    /// What is left of its lease, in milliseconds; at 0 nothing leaves it.
    pub lease_ms: u64,
    /// Slots of its own that wait for what other members know of them.
    pub gathering: u64,
    /// Slots of its own that are about to move.
    pub quiescing: u64,
    /// All members, itself among them.
    pub members: Vec<MemberEntry>,
    /// What was not let in, by why.
    pub refused: BTreeMap<String, u64>,
}

/// A member, as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEntry {
    /// Its id.
    pub member: u64,
    /// Its name.
    pub name: String,
    /// Where it takes links.
    pub link: SocketAddr,
    /// Where it takes gossip.
    pub gossip: SocketAddr,
    /// Its share of the slots, relative to those of others.
    pub weight: u16,
    /// Whether it is leaving.
    pub is_draining: bool,
    /// Slots that it owns.
    pub slots: u64,
    /// Whether there is a link with it.
    pub is_linked: bool,
    /// What gossip thinks of it.
    pub liveness: Liveness,
    /// Frames that it has not acknowledged.
    pub waiting_frames: u64,
    /// Bytes of these.
    pub waiting_bytes: u64,
}

/// What gossip thinks of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// It answers.
    Alive,
    /// It did not answer of late.
    Suspected,
    /// Nothing is heard of it.
    Unknown,
}

/// Who serves an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The account, which need not exist.
    #[serde(with = "address")]
    pub jid: BareJid,
    /// Its slot.
    pub slot: u16,
    /// The name of the slot's owner.
    pub member: Option<String>,
    /// How often the slot had a new owner.
    pub epoch: u64,
}

/// Who has a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotEntry {
    /// Its number.
    pub slot: u16,
    /// The name of its owner.
    pub member: Option<String>,
    /// How often it had a new owner.
    pub epoch: u64,
}
