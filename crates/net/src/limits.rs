//! What connections may take of the server.

use std::time::Duration;

/// Bytes read from a socket at a time, into a buffer that all sessions of an arbiter share.
pub const READ_BYTES: usize = 16 * 1024;
/// Reads of one session in a row, so that a flood on one socket does not hold the arbiter.
pub const READS_MAX: usize = 8;
/// Bytes for a client that does not read them. Beyond, the connection is cut, and the stream can be resumed.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Outbound stanzas after which the user is told that they were passed on.
pub const UNREPORTED_MAX: u64 = 64;
/// Outbound stanzas without acknowledgement after which the client is asked at once (XEP-0198 4).
pub const UNREQUESTED_MAX: usize = 8;
/// After fewer, it is asked this much later, so that a burst is acknowledged once.
pub const REQUEST_AFTER: Duration = Duration::from_millis(1_500);
/// A client that was asked and sends nothing for so long is gone, though its connection does not say so.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A client that sent nothing for so long is asked whether it is there.
pub const IDLE: Duration = Duration::from_secs(120);
/// Connections of one address (IPv6: of one /64) that are not authenticated.
pub const UNAUTHENTICATED_MAX: usize = 64;
/// Failed authentications of one address within [`FAILURES_FORGOTTEN`] after which no more are tried.
pub const FAILURES_MAX: u32 = 30;
/// When failed authentications of an address are forgotten.
pub const FAILURES_FORGOTTEN: Duration = Duration::from_secs(60);
/// Addresses about which something is remembered; beyond, the oldest is forgotten.
pub const ADDRESSES_MAX: usize = 100_000;
/// Connections that wait to be accepted.
pub const BACKLOG: i32 = 1_024;
/// How long accepting pauses when the process has no file descriptor left.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
