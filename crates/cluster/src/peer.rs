//! What members tell each other about the cluster, beside the events that they carry.

use bytes::Bytes;

/// From one member to another, over their link, in order with the events on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerMessage {
    /// The sender has installed this version of the table, so there is one. If it gained slots by it, it waits for
    /// [`PeerMessage::HandedOver`] of it or of a later one, which is the answer.
    Version(u64),
    /// Every session of the sender whose user is in a slot that became the receiver's by this version, or an earlier
    /// one, has attached there: what attaches later is new.
    HandedOver {
        /// The table's version.
        version: u64,
    },
    /// The sender is about to give slots away, and has said what it had to say as their owner.
    Passing(u64),
    /// The answer to [`PeerMessage::Passing`] of this number: what came before it is where it belongs.
    Passed(u64),
    /// The sender's view of who is alive, for gossip to take in whole.
    Membership(Bytes),
}
