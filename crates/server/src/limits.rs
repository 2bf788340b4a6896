//! The limits of this crate, with their reasons.

use std::time::Duration;

/// The configuration is read up to this size, which is room for a thousand hosts.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// A file of certificates or keys is read up to this size: a chain is a few KB, a bundle of all public
/// authorities 250 KB.
pub const PEM_BYTES_MAX: u64 = 1 << 20;

/// Files of revocations of one host: one for each authority, and some to spare for those below it.
pub const CRLS_MAX: usize = 16;

/// The hosts of one server: each costs a certificate in memory.
pub const HOSTS_MAX: usize = 1_000;

/// The bytes of a unix socket's path, without the closing zero (`sun_path` of unix(7)), and without the
/// ending of the name under which it is made ready.
pub const SOCKET_PATH_BYTES_MAX: usize = 107 - SOCKET_NEW.len();

/// The ending of a control socket's name until its mode is set.
pub const SOCKET_NEW: &str = ".new";

/// Commands are started by hand or by scripts: a few at a time. More wait in the listener's backlog.
pub const CONTROL_CONNECTIONS_MAX: usize = 16;

/// File descriptors that are kept from clients: those of the control socket and its connections, of the store's files or
/// connections, of HTTP and of the links between members.
pub const DESCRIPTORS_KEPT: u64 = 256;

const _: () = assert!(DESCRIPTORS_KEPT as usize > 8 * CONTROL_CONNECTIONS_MAX);

/// The longest request has an address (3,071 bytes) and a password or a path (4,096), with room for escapes,
/// which take six bytes for one at worst.
pub const CONTROL_REQUEST_BYTES_MAX: usize = 64 << 10;

/// The longest reply is a page of sessions.
pub const CONTROL_REPLY_BYTES_MAX: usize = 4 << 20;

/// Entries of one page of a list.
pub const CONTROL_PAGE_ENTRIES_MAX: usize = 500;

/// Users of whose sessions a page is made, at once.
pub const LOADED_PAGE: usize = 500;

/// From one request to the next, and for writing a reply.
pub const CONTROL_IDLE: Duration = Duration::from_secs(30);

/// For carrying out a request that reads or writes a few records.
pub const CONTROL_SHORT: Duration = Duration::from_secs(30);

/// For carrying out a request whose work grows with the store, or waits for sessions to end.
pub const CONTROL_LONG: Duration = Duration::from_secs(4 * 3_600);

/// How long the replies under way may take once the server ends.
pub const CONTROL_LINGER: Duration = Duration::from_secs(2);

/// The longest full address is 3,071 bytes (RFC 7622 3.1), doubled where each of them is escaped; 256 bytes
/// are room for what else an entry says.
const _: () = assert!(CONTROL_PAGE_ENTRIES_MAX * (2 * 3_071 + 256) < CONTROL_REPLY_BYTES_MAX);

const _: () = assert!(6 * (3_071 + 4_096) + 256 < CONTROL_REQUEST_BYTES_MAX);

/// Between looks at whether all sessions have ended, while the server drains.
pub const DRAIN_CHECK: Duration = Duration::from_millis(20);

/// For moving a draining member's accounts to the others: some hundred slots take about a second, and what is left moves
/// when the member leaves.
pub const MOVE_TIME: Duration = Duration::from_secs(60);

/// For the store to take a member out that leaves, or to say that the others have: as long as it takes to answer, and
/// longer than a lease runs.
pub const LEAVE_TIME: Duration = Duration::from_secs(5);

/// From the end of the sessions to that of the process: for the control socket's replies, for a member to leave, and for the
/// store to close. It is longer than the first two together, so that it is the store's doing where it is not enough.
pub const END_TIME: Duration = Duration::from_secs(10);

const _: () = assert!(CONTROL_LINGER.as_secs() + LEAVE_TIME.as_secs() < END_TIME.as_secs());

/// How long a command that ends the server waits for that, in which sessions end and a member moves its accounts.
pub const END_PATIENCE: Duration = Duration::from_secs(600);

/// Between looks at whether a member that moves its accounts away has its lease still.
pub const LEASE_CHECK: Duration = Duration::from_millis(200);

/// For the store to answer when somebody wants to know whether the server is ready: a login that takes longer is no
/// service, and whoever asks is not to be kept from the figures that say so.
pub const READY_TIME: Duration = Duration::from_secs(2);
