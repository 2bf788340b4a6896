//! What the runtime holds at most.

use std::time::Duration;

/// How long an entity with nothing to do stays loaded.
pub const ENTITY_IDLE: Duration = Duration::from_secs(60);
/// Panics of one entity after which it is not loaded again while it has sessions that replay what breaks it.
pub const PANICS_MAX: u32 = 5;
/// Threads that derive keys of passwords. Each takes a core for some 10 ms, so more would only starve the arbiters.
pub const DERIVING_MAX: usize = 2;
/// Administrative questions under way.
pub const ASKS_MAX: usize = 1_024;
/// Senders whose names are read from the store at once, when all of them are woken.
pub const SENDERS_PAGE: usize = 1_024;
