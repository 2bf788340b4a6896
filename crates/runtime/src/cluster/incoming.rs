//! What the cluster's thread learns of other members: of their links, and by gossip.

use super::core::Core;
use super::links::{Channel, Happened, Stranger};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use stentor_cluster::link::{LinkEvent, LinkLost};
use stentor_cluster::wire::{Hello, Refusal};
use stentor_cluster::{GossipEvent, PeerMessage};
use stentor_engine::{MemberId, MemberInfo};

/// What is known of another member.
pub(super) struct Known {
    pub(super) info: MemberInfo,
    pub(super) channel: Arc<Channel>,
    pub(super) is_linked: bool,
}

impl Known {
    pub(super) fn new(info: MemberInfo, channel: Arc<Channel>) -> Self {
        Self { info, channel, is_linked: false }
    }
}

impl Core {
    pub(super) fn told(&mut self, now: u64, member: MemberId, message: &PeerMessage) {
        match message {
            PeerMessage::Membership(bytes) => {
                self.gossip(|gossip, now, out| gossip.membership(now, member, bytes, out));
            }
            PeerMessage::Version(_)
            | PeerMessage::HandedOver { .. }
            | PeerMessage::Passing(_)
            | PeerMessage::Passed(_) => {
                self.steward.told(now, member, message);
            }
        }
    }

    /// Takes what happened to a link.
    pub(super) fn happened(&mut self, now: u64, member: MemberId, happened: Happened) {
        for event in happened {
            let Some(known) = self.members.get_mut(&member) else { return };
            match event {
                LinkEvent::Up => {
                    tracing::info!(member = member.0, name = %known.info.name, "linked with a member");
                    known.is_linked = true;
                    self.steward.linked(now, member, true);
                }
                LinkEvent::Down(lost) => self.link_lost(now, member, lost),
                LinkEvent::Connect => {}
            }
        }
    }

    fn link_lost(&mut self, now: u64, member: MemberId, lost: LinkLost) {
        let Some(known) = self.members.get_mut(&member) else { return };
        let (was_linked, name) = (std::mem::take(&mut known.is_linked), known.info.name.clone());
        // Who has just joined is not in that one's table yet.
        let is_early = matches!(lost, LinkLost::Refused(Refusal::UnknownMember));
        let is_refused = matches!(lost, LinkLost::Refused(_) | LinkLost::Wire(_)) && !is_early;
        if is_early && self.may_warn(now, "early") {
            tracing::info!(member = member.0, %name, why = %lost, "a member does not link with this one yet");
        } else if is_refused && self.may_warn(now, "link") {
            tracing::warn!(member = member.0, %name, why = %lost, "a member does not link with this one");
        } else if was_linked {
            tracing::info!(member = member.0, %name, why = %lost, "the link with a member is down");
        }
        if was_linked {
            self.steward.linked(now, member, false);
        }
    }

    /// A connection to a member could not be opened.
    pub(super) fn unreached(&mut self, now: u64, member: MemberId, error: &io::Error) {
        let Some(known) = self.members.get(&member) else { return };
        let (name, address) = (known.info.name.clone(), known.info.link);
        if self.may_warn(now, "unreached") {
            tracing::warn!(member = member.0, %name, %address, %error, "a member was not reached");
        }
    }

    /// Whose connection one with this greeting is, if it is one.
    pub(super) fn greeted(&self, hello: &Hello) -> Result<Arc<Channel>, Refusal> {
        if hello.cluster != self.cluster_number {
            return Err(Refusal::OtherCluster);
        }
        let me = self.me.ok_or(Refusal::UnknownMember)?;
        if hello.to != me {
            return Err(Refusal::OtherMember(me));
        }
        let known = self.members.get(&hello.from).filter(|known| known.info.name == hello.name);
        known.map(|known| Arc::clone(&known.channel)).ok_or(Refusal::UnknownMember)
    }

    /// Whether a member takes links at this address.
    pub(super) fn is_member_at(&self, address: IpAddr) -> bool {
        self.members.values().any(|known| known.info.link.ip() == address)
    }

    /// A connection was not let in.
    pub(super) fn refused(&mut self, now: u64, from: SocketAddr, stranger: &Stranger) {
        *self.strangers.entry(stranger.kind()).or_default() += 1;
        // Who has just joined is not in this table yet, and comes again.
        let is_early = matches!(stranger, Stranger::Refused(_, Refusal::UnknownMember));
        if is_early {
            tracing::debug!(%from, why = %stranger, "refused a connection to the cluster's port");
        } else if self.may_warn(now, stranger.kind()) {
            tracing::warn!(%from, why = %stranger, "refused a connection to the cluster's port");
        }
    }

    /// Takes a datagram.
    pub(super) fn datagram(&mut self, datagram: &[u8]) {
        self.gossip(|gossip, now, out| gossip.datagram(now, datagram, out));
    }

    /// Gossip has learnt something.
    pub(super) fn heard(&mut self, event: GossipEvent) {
        match event {
            GossipEvent::Suspected(member) => {
                tracing::debug!(member = member.0, "gossip suspects a member");
                self.alive.insert(member, false);
            }
            GossipEvent::Up(member) => {
                self.alive.insert(member, true);
            }
            GossipEvent::Down(member) => {
                self.alive.remove(&member);
            }
            GossipEvent::Newer { .. } => {}
        }
        if let Some(hint) = event.hint() {
            self.steward.hint(super::clock::now_ms(), hint);
        }
    }
}
