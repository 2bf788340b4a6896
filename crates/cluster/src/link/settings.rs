//! Who the two ends are, and what one holds at most.

use crate::limits::{CREDIT_BYTES, CREDIT_EVENTS, LINK_BYTES_MAX, LINK_EVENTS_MAX};
use stentor_engine::{MemberId, Planted};

/// Who the two ends are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// A number that only members of one cluster share.
    pub cluster: u64,
    /// This member.
    pub me: MemberId,
    /// Its name, for the peer's log.
    pub name: Box<str>,
    /// The other.
    pub peer: MemberId,
}

/// What one end holds at most, and lets the peer send. See [`crate::limits`], where the reasons are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLimits {
    /// Events that are kept until the peer has acknowledged them.
    pub events_max: usize,
    /// And their bytes.
    pub bytes_max: usize,
    /// Events of the peer that may be under way to whoever takes them.
    pub credit_events: u64,
    /// And their bytes.
    pub credit_bytes: u64,
    /// Bugs that are switched on.
    pub planted: Planted,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            events_max: LINK_EVENTS_MAX,
            bytes_max: LINK_BYTES_MAX,
            credit_events: CREDIT_EVENTS,
            credit_bytes: CREDIT_BYTES,
            planted: Planted::default(),
        }
    }
}
