//! What a member holds at most for the cluster's sake.

use core::time::Duration;

/// Events that wait, on one arbiter, for slots that are coming or going: some seconds of a busy arbiter's. Beyond, each
/// gets its stated answer: forwards stay in their outbox, sessions are cut and resume.
pub const HELD_EVENTS_MAX: usize = 65_536;

/// What entities let go, on one arbiter, while this member's lease is over; beyond, nothing more is taken in. Some seconds
/// of a busy arbiter's.
pub const STALLED_MAX: usize = 65_536;

/// Sessions of an arbiter that ended in the last [`GATHER_MS`] and are spoken for where their users move: about 1 kB each,
/// and what their clients have not acknowledged.
pub const ENDED_MAX: usize = 10_000;
/// Events that another member gave back, on one arbiter, until the table by which it did is here.
pub const RETURNED_MAX: usize = 65_536;

/// From one renewal of the lease to the next, and from one reading of the others' leases to the next, in ms.
pub const RENEW_MS: u64 = 500;
/// How long a lease holds, from before its renewal was sent, in ms on the holder's clock: five renewals may fail.
pub const LEASE_MS: u64 = 3_000;
/// How long a member's counter has to be seen unchanged before it may be fenced, in ms on the observer's clock. Longer
/// than a lease by what two clocks may differ in their rate.
pub const SILENT_MS: u64 = 3_300;
/// Two readings of leases that are further apart observe nothing between them: whoever was stopped for a while, or
/// waited long for the store, cannot know whether others had to wait as well.
pub const OBSERVATION_GAP_MS: u64 = 1_500;
/// How long after its last renewal that was seen a member is given slots. Some that died together are not given each
/// other's.
pub const FRESH_MS: u64 = 2_000;
/// Each live member that comes before this one when somebody is to be fenced has this long to do it, in ms.
pub const FENCE_STAGGER_MS: u64 = RENEW_MS;
/// And so many of them are waited for at most.
pub const FENCE_STAGGER_MAX: u64 = 3;
/// After a question without an answer, in ms until the next of its kind.
pub const RETRY_MS: u64 = 500;
/// After a change that came second, the unit of the pause before the next, in ms.
pub const CHANGE_PAUSE_MS: u64 = 20;
/// And so many units it is at most.
pub const CHANGE_PAUSES_MAX: u64 = 32;
/// Slots of a member that are being moved away at once: their users wait meanwhile.
pub const MOVES_MAX: usize = 256;
/// How long slots that are quiet wait for others, to be moved with them, in ms.
pub const QUIET_MS: u64 = 100;
/// For so long a link has to be down until sessions of users at the other member are ended, in ms: as long as one waits
/// for its user.
pub const UNREACHABLE_MS: u64 = stentor_engine::limits::ATTACH_TIME_MAX;
/// How long a slot's new owner waits for what others have to hand over, in ms. It covers fencing one of them.
pub const GATHER_MS: u64 = 12_000;

const _: () = assert!(
    SILENT_MS * 100 >= LEASE_MS * 104 && OBSERVATION_GAP_MS > 2 * RENEW_MS && FRESH_MS > 2 * RENEW_MS,
    "a lease has ended on its holder's clock before it may be fenced; a lost answer or two do not matter"
);
const _: () = assert!(
    GATHER_MS > SILENT_MS + FENCE_STAGGER_MS * FENCE_STAGGER_MAX + OBSERVATION_GAP_MS,
    "a member that died is removed rather than waited for to the end"
);

/// Bytes of one frame on a link: a stanza as large as the store takes one, with room for what names it; a snapshot of a
/// session's copies is far below.
pub const FRAME_BYTES_MAX: usize = 17 * 1024 * 1024;

/// Bytes of the first frame on a connection, from whoever it may be.
pub const HELLO_BYTES_MAX: usize = 4 * 1024;

/// Items of a list in a frame: far more than a session has to hand over. An item can take a byte on the wire and sixty
/// in memory, so their number is bounded besides the frame.
pub const LIST_ITEMS_MAX: usize = 65_536;

/// Targets of one frame that goes to many: what is sent as one is also taken as one by whoever hands it on.
pub const FANOUT_TARGETS_MAX: usize = 512;

/// Events, and those behind them, that a link keeps until the other member has acknowledged them: what a busy pair
/// exchanges while one stands still for nearly a lease. Beyond, each event gets its stated answer.
pub const LINK_EVENTS_MAX: usize = 65_536;
/// And their bytes; the event that crosses it is still taken.
pub const LINK_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Events that may be under way to a member which has not handed them on yet.
pub const CREDIT_EVENTS: u64 = 2_048;
/// And their bytes; the event that crosses it still goes. A pair within one site is a millisecond apart, so this is far
/// more than a fast network carries meanwhile.
pub const CREDIT_BYTES: u64 = 1024 * 1024;
/// Frames received that are not acknowledged at once, in the hope of something to send it with.
pub const HELD_BACK_FRAMES_MAX: u64 = 64;
/// And for how long, in ms.
pub const TELL_MS: u64 = 20;
/// Something is written at least so often, in ms.
pub const HEARTBEAT_MS: u64 = 2_000;
/// A peer from whom nothing came for so long is not there, in ms.
pub const PEER_SILENT_MS: u64 = 6_000;
/// For a connection to be opened, and then for the peer to greet, in ms.
pub const CONNECT_MS: u64 = 5_000;
/// From a lost connection to the next attempt, in ms; doubled with each that fails.
pub const BACKOFF_MS: u64 = 100;
/// And at most so long.
pub const BACKOFF_MAX_MS: u64 = 3_000;

const _: () = assert!(PEER_SILENT_MS > 2 * HEARTBEAT_MS, "one heartbeat may be late");
const _: () = assert!(LINK_BYTES_MAX as u64 > CREDIT_BYTES && LINK_EVENTS_MAX as u64 > CREDIT_EVENTS);
const _: () =
    assert!(BACKOFF_MAX_MS < GATHER_MS, "a lost connection is tried again while its hand-over is waited for");

/// A datagram of gossip: passes every network that carries IPv6 (1,280 bytes), tunnels among them.
pub const GOSSIP_DATAGRAM_BYTES_MAX: usize = 1_178;

/// Keys of gossip at a time: a rotation needs two.
pub const GOSSIP_KEYS_MAX: usize = 8;

/// Members that gossip remembers the datagrams of, and that one view has: several times a large cluster.
pub const GOSSIP_SENDERS_MAX: usize = 4_096;

/// How often one other member is probed, how long it has to answer before others are asked to try, and how long a
/// member is under suspicion before it is down. With these, a crash is known to all of 100 members within 10 seconds.
pub const GOSSIP_PROBE: Duration = Duration::from_millis(500);
/// See [`GOSSIP_PROBE`].
pub const GOSSIP_PROBE_ANSWER: Duration = Duration::from_millis(150);
/// See [`GOSSIP_PROBE`].
pub const GOSSIP_SUSPICION: Duration = Duration::from_secs(3);

/// How often the whole view is swapped with another member: it is what completes a mass join, in a few rounds.
pub const GOSSIP_SWAP: Duration = Duration::from_secs(5);

/// How often members of the table that are missing from the view are announced to, while the view is empty and else.
pub const GOSSIP_ANNOUNCE_ALONE: Duration = Duration::from_secs(1);
/// See [`GOSSIP_ANNOUNCE_ALONE`].
pub const GOSSIP_ANNOUNCE_MISSING: Duration = Duration::from_secs(5);

/// How many are announced to at a time: each that answers tells of others.
pub const GOSSIP_ANNOUNCE_MISSING_MAX: usize = 3;

const _: () =
    assert!(GOSSIP_PROBE.as_millis() > 2 * GOSSIP_PROBE_ANSWER.as_millis(), "others must have time to try");
