//! What the cluster's thread holds at most, beside the limits of [`stentor_cluster::limits`].

/// Connections from addresses of no member that have not greeted yet.
pub const GREETING_MAX: usize = 64;
/// And from addresses of members: all of a large cluster that come back at once.
pub const GREETING_MEMBERS_MAX: usize = 1_024;
/// Of each kind of warning about strangers and members, one at most in so long, in ms.
pub const WARNING_MS: u64 = 1_000;
/// Inputs that are taken at once from other threads. How many wait is bounded by arbiters, slots,
/// and the credit of links.
pub(super) const INPUTS: usize = 1_024;
/// Datagrams that are taken at once.
pub(super) const DATAGRAMS: usize = 64;
