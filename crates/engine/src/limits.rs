//! What the engine holds at most.

/// Inbound stanzas that a session keeps until its user confirms them; then it stops reading.
pub const INBOUND_STANZAS_MAX: usize = 64;
/// Bytes of the same.
pub const INBOUND_BYTES_MAX: usize = 256 * 1024;
/// Milliseconds that a session waits for a user to which it attaches again, and a user for the sessions of the one in
/// whose place it was loaded. Then the connection is given up: a client that waits longer is better told.
pub const ATTACH_TIME_MAX: u64 = 10_000;
/// Entries that a client took and of which its session does not know that they have left the log: as many as may stay
/// there for others of the account. Of more, a client whose user is lost may get the oldest again.
pub const TAKEN_KEPT: usize = 1_024;
/// Stanzas from sessions to one entity, and from other entities, that may be under way to it.
pub const ENTITY_EVENTS_MAX: u32 = 4_096;
/// Write sets in one batch.
pub const BATCH_SETS_MAX: usize = 256;
/// Bytes of values in one batch, beyond which it takes no further set.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = assert!(
    INBOUND_STANZAS_MAX * 2 <= ENTITY_EVENTS_MAX as usize,
    "an entity must hold what a session may send, beside what others do"
);
