//! A store that several members share: it keeps their leases and the routing table, and takes batches only from who
//! may write.

use crate::backend::{Backend, Fault};
use stentor_engine::{MemberId, RegisterReply, RegisterRequest};

/// One writing connection of a member. A member has its lane 0 from when it joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneId {
    /// Whose.
    pub member: MemberId,
    /// Which of them.
    pub lane: u16,
}

/// Answers members about leases and the routing table. Blocks; belongs on a thread of its own.
pub trait Register: Send {
    /// The answer; what it says is durable. [`RegisterReply::Failed`] if there is none within some seconds.
    fn ask(&mut self, request: &RegisterRequest) -> RegisterReply;
}

/// A store of several members.
pub trait Shared: Register {
    /// The writing side of one lane. Beyond what [`Backend::commit`] says, a batch is taken
    ///
    /// - only once: by its number, which is one more than that of the lane's last. The last one again is answered as it
    ///   was, and changes nothing;
    /// - only from a member that was not fenced: else all of it is refused with
    ///   [`stentor_engine::CommitError::Fenced`], and the backend has failed;
    /// - but for the owners whose slot is not the member's in the epoch of their sets: these are refused with
    ///   [`stentor_engine::CommitError::Fenced`].
    ///
    /// # Errors
    /// The store cannot be had.
    fn backend(&self, lane: LaneId) -> Result<Box<dyn Backend>, Fault>;
}
