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
/// Their bytes after which it is.
pub const UNREPORTED_BYTES_MAX: usize = 64 * 1024;
/// Outbound stanzas without acknowledgement after which the client is asked at once (XEP-0198 4).
pub const UNREQUESTED_MAX: usize = 8;
/// After fewer, it is asked this much later, so that a burst is acknowledged once; but along with a message, unless it
/// was asked within this time.
pub const REQUEST_AFTER: Duration = Duration::from_millis(1_500);
/// Bytes for a client that does not read them, at which nothing more is read of it: so it cannot make the server
/// hold the answers to all it asks.
pub const OUTPUT_BYTES_HOLD: usize = 64 * 1024;
/// Bytes read, and not looked at, of a client whose stream has ended: with bytes unread, closing would take back
/// the stream error that is on its way to it (RFC 9293 3.6.1: a reset).
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;
/// Failed authentications of one address within [`FAILURES_FORGOTTEN`] after which no more are tried.
pub const FAILURES_MAX: u32 = 30;
/// Those for one account from one address.
pub const PAIR_FAILURES_MAX: u32 = 10;
/// Those for one account from anywhere, after which addresses that are new to it wait for [`ACCOUNT_DELAY`].
pub const ACCOUNT_FAILURES_MAX: u32 = 50;
/// See [`ACCOUNT_FAILURES_MAX`].
pub const ACCOUNT_DELAY: Duration = Duration::from_secs(2);
/// Attempts of one address to register a name that is taken, within [`REGISTRATIONS_WINDOW`]: enough for somebody who
/// looks for a free one, too few to find out who has an account.
pub const TAKEN_NAMES_MAX: u32 = 10;
/// For how long connections are counted that end without having been authenticated.
pub const FRUITLESS_WINDOW: Duration = Duration::from_secs(60);
/// For how long registrations are counted.
pub const REGISTRATIONS_WINDOW: Duration = Duration::from_secs(3_600);
/// For how long failed authentications are counted.
pub const FAILURES_FORGOTTEN: Duration = Duration::from_secs(60);
/// For how long an address from which an account authenticated is known to be its.
pub const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Checks of PLAIN under way, each of which takes a thread for some 10 ms.
pub const CHECKS_MAX: usize = 2;
/// Addresses about which something is remembered; beyond, another is forgotten.
pub const ADDRESSES_MAX: usize = 100_000;
/// Connections that wait to be accepted.
pub const BACKLOG: i32 = 1_024;
/// How long accepting pauses when the process has no file descriptor left.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const _: () = assert!(OUTPUT_BYTES_HOLD < OUTPUT_BYTES_MAX);
const _: () = assert!(PAIR_FAILURES_MAX < FAILURES_MAX);
