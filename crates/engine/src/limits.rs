//! What the engine holds at most.

/// Inbound stanzas that a session keeps until its user confirms them; then it stops reading.
pub const INBOUND_STANZAS_MAX: usize = 64;
/// Bytes of the same.
pub const INBOUND_BYTES_MAX: usize = 256 * 1024;
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
