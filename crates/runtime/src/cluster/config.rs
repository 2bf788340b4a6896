//! What a member has to know before it joins.

use super::links::TlsMaterial;
use core::net::SocketAddr;
use stentor_cluster::GossipKeys;
use stentor_cluster::wire::Version;

/// Where something is taken, and where others find that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What is bound. With port 0, the system chooses one.
    pub bind: SocketAddr,
    /// What others are told. With port 0, it is the one that was bound.
    pub advertised: SocketAddr,
}

impl Endpoint {
    /// Others reach it where it is bound.
    pub fn at(address: SocketAddr) -> Self {
        Self { bind: address, advertised: address }
    }

    pub(super) fn advertised(&self, bound: SocketAddr) -> SocketAddr {
        let mut advertised = self.advertised;
        if advertised.port() == 0 {
            advertised.set_port(bound.port());
        }
        advertised
    }
}

/// See the module.
#[derive(Debug)]
pub struct ClusterConfig {
    /// The member's name: a label of a DNS name, which its certificate is for as `NAME.stentor-cluster`.
    pub name: Box<str>,
    /// What only members of one cluster have in common.
    pub cluster: Box<str>,
    /// Links, by TCP.
    pub link: Endpoint,
    /// Gossip, by UDP.
    pub gossip: Endpoint,
    /// This member's share of the slots, relative to the weights of others; with 0 it has none.
    pub weight: u16,
    /// A digest of the settings that must be equal on all members.
    pub settings: u64,
    /// Certificates.
    pub tls: TlsMaterial,
    /// The cluster's keys of gossip.
    pub keys: GossipKeys,
    /// The versions of the wire that are spoken: [`ClusterConfig::WIRE`].
    pub wire: (u16, u16),
}

impl ClusterConfig {
    /// What this program speaks.
    pub const WIRE: (u16, u16) = Version::RANGE;
}
