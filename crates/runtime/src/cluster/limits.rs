//! What the cluster's thread holds at most, beside the limits of [`stentor_cluster::limits`].

/// Connections from addresses of no member that have not greeted yet.
pub const GREETING_MAX: usize = 64;
/// And from addresses of members: all of a large cluster that come back at once.
pub const GREETING_MEMBERS_MAX: usize = 1_024;
/// For so long a member that leaves waits for others to acknowledge what it has sent them, in ms.
pub const PARTING_MS: u64 = 2_000;
/// And looks so often whether they have, in ms.
pub const PARTING_LOOK_MS: u64 = 10;
/// Of each kind of warning about strangers and members, one at most in so long, in ms.
pub const WARNING_MS: u64 = 1_000;
/// Inputs that are taken at once from other threads. How many wait is bounded by arbiters, slots,
/// and the credit of links.
pub(super) const INPUTS: usize = 1_024;
/// Datagrams that are taken at once.
pub(super) const DATAGRAMS: usize = 64;
