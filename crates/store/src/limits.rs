//! What the store holds and takes at most.

/// Bytes of a row's key: owner (a bare JID has at most 2,047), collection and name. Both engines take 64 KiB; a
/// name of more than this is no name.
pub const KEY_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a value. Far above any stanza that a stream admits, far below what a batch may grow to in memory.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The greatest id of a log entry: engines that count with a sign must take it, and one more.
pub const LOG_ID_MAX: u64 = (1 << 63) - 2;
/// Write sets that wait before the writer: some seconds of full load, so that refusing is rare.
pub const SETS_WAITING_MAX: usize = 16_384;
/// Bytes of their values.
pub const SETS_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Questions that wait before the readers.
pub const QUESTIONS_WAITING_MAX: usize = 16_384;
/// Threads that answer questions. Two, so that one long read does not hold up all others.
pub const READERS: usize = 2;
/// Owners that are read at a time where those of some slots are picked out of all.
pub const OWNERS_PAGE: usize = 1_024;
/// Rows that a restore puts into one commit.
pub const RESTORE_ROWS_MAX: usize = 1_024;
/// Bytes of one line of an export that is read: a value as base64, names, and room for escapes.
pub const EXPORT_LINE_BYTES_MAX: usize = 8 * VALUE_BYTES_MAX;

const _: () = assert!(KEY_BYTES_MAX < 64 * 1024, "engines take keys of so many bytes");
