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

    /// Whether `bug` is on.
    pub fn is_on(self, bug: Self) -> bool {
        cfg!(all(feature = "planted", debug_assertions)) && self.0 & bug.0 != 0
    }
}
