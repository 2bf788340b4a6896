//! Bugs that can be switched on at run time, so that the simulator's checkers show that they catch them. Without
//! the feature `planted`, which no release has, nothing switches them on.

/// Which bugs are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted(u8);

impl Planted {
    /// What depends on a write leaves before it is durable.
    pub const ACKNOWLEDGE_BEFORE_COMMIT: Self = Self(1);
    /// A forward that was taken before is taken again.
    pub const SKIP_THE_DEDUPE: Self = Self(2);
    /// What a client has not acknowledged is forgotten when its stream is gone.
    pub const FORGET_ON_DISCONNECT: Self = Self(4);
    /// The store takes what an owner of before writes.
    pub const IGNORE_THE_EPOCH: Self = Self(8);
    /// An event for which a link has no room is dropped, and nobody is told.
    pub const DROP_WHEN_FULL: Self = Self(16);
    /// A stream goes on without what its client has not acknowledged.
    pub const RESUME_WITHOUT_RESENDING: Self = Self(32);
    /// A forward does not name the one before it.
    pub const FORWARD_WITHOUT_PREDECESSOR: Self = Self(64);
    /// Effects leave though the lease is over.
    pub const SERVE_AFTER_THE_LEASE: Self = Self(128);

    /// Whether `bug` is on.
    pub fn is_on(self, bug: Self) -> bool {
        cfg!(all(feature = "planted", debug_assertions)) && self.0 & bug.0 != 0
    }
}
