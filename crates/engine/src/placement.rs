//! Who owns what. Here one member owns everything; the seam is where a routing table will answer.

use crate::{Epoch, MemberId, Slot};

/// Answers who owns a slot.
pub trait Placement {
    /// The owner and its epoch.
    fn owner(&self, slot: Slot) -> (MemberId, Epoch);
}

/// One member that owns every slot, in the first epoch.
#[derive(Clone, Copy, Debug)]
pub struct Local(pub MemberId);

impl Placement for Local {
    fn owner(&self, _slot: Slot) -> (MemberId, Epoch) {
        (self.0, Epoch(1))
    }
}
