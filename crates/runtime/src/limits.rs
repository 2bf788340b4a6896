//! What the runtime holds at most.

use std::time::Duration;

/// How long an entity with nothing to do stays loaded.
pub const ENTITY_IDLE: Duration = Duration::from_secs(60);
/// How long one stays whose account does not exist: whoever asks it again at once finds it, and no more is won.
pub const VACANT_IDLE: Duration = Duration::from_secs(1);
/// So many of these stay at a time on an arbiter. Beyond, one ends as soon as it has answered, and is loaded anew by the
/// next event; more are there only while they are asked something, which the windows of sessions and links bound.
pub const VACANT_MAX: usize = 1_024;
/// Panics of one entity after which it is not loaded again while it has sessions that replay what breaks it.
pub const PANICS_MAX: u32 = 5;
/// Threads that derive keys of passwords. Each takes a core for some 10 ms, so more would only starve the arbiters.
pub const DERIVING_MAX: usize = 2;
/// Administrative questions under way.
pub const ASKS_MAX: usize = 1_024;
/// How long another member has for what this one asks it itself: it looks into its memory.
pub const MEMBER_ANSWER_TIME: Duration = Duration::from_secs(5);
/// Such questions that are being answered here at a time; there is no answer to more.
pub const MEMBER_QUESTIONS_MAX: usize = 16;
/// Senders whose names are read from the store at once, when all of them are woken.
pub const SENDERS_PAGE: usize = 1_024;
/// Accounts whose names are read from the store at once, when a name is compared with all of them.
pub const NAMES_PAGE: usize = 1_024;
/// Users that are being woken at once: each is a load of the store's.
pub const WAKING_MAX: usize = 16;
/// How long after a failure to wake users it is tried once more, and how often.
pub const WAKE_AGAIN: Duration = Duration::from_secs(5);
/// See [`WAKE_AGAIN`].
pub const WAKE_ATTEMPTS_MAX: u32 = 5;
/// How long an administrative question waits for its answer.
pub const ASK_TIME: Duration = Duration::from_secs(30);
/// What may happen many times a second, such as a connection that cannot be accepted, is logged once in so long.
pub const SAID_AGAIN: Duration = Duration::from_secs(60);
