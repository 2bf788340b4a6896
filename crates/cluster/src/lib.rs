//! Members of a cluster, without a socket, a clock or a store: what is done about leases, the routing table and
//! take-over, what gossip says, and how links carry frames. The server drives it by actors, the simulator by a loop.

mod gossip;
pub mod limits;
pub mod link;
pub mod wire;

mod arbiter;
mod peer;
mod slots;
mod steward;
mod unattended;

pub use arbiter::{Attaching, HandOvers, Retiring, Returned, Round, Stalled, declined, is_overtaken};
pub use gossip::{Gossip, GossipConfig, GossipEvent, GossipKeys, GossipOutput, GossipSeal, Refusal};
pub use peer::PeerMessage;
pub use slots::{Admission, Moved, Slots};
pub use steward::{Action, Ending, Hint, Question, Steward};
pub use unattended::{EndReason, SessionEnd, Unattended, without_session};
