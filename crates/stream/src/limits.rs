//! What a client may make a stream hold, say or wait for.

use std::time::Duration;

use stentor_xml::Limits;

/// Before a resource is bound: the longest honest element is a SASL response of 5,464 characters, the deepest a
/// bind request. A stranger gets little more than that.
pub const UNBOUND: Limits = Limits {
    stanza_bytes_max: 8 * 1024,
    depth_max: 8,
    attributes_max: 16,
    namespaces_max: 16,
    elements_max: 32,
};

const _: () = assert!(UNBOUND.stanza_bytes_max as usize > stentor_auth::limits::MESSAGE_TEXT_BYTES_MAX);
const _: () = assert!(UNBOUND.stanza_bytes_max as usize > STREAM_MANAGEMENT_ID_BYTES);

/// What XEP-0198 5 allows an SM-ID, which `<resume/>` carries.
const STREAM_MANAGEMENT_ID_BYTES: usize = 4_000;

/// Once a resource is bound: avatars and thumbnails in base64 fit into 256 KiB.
pub const BOUND: Limits = Limits::CLIENT;

/// RFC 6120 13.12: a server must take stanzas of 10,000 bytes.
const _: () = assert!(BOUND.stanza_bytes_max >= 10_000);

/// Failed authentications on one connection, the last of which ends the stream (RFC 6120 6.4.5 asks for two
/// retries at least and five at most).
pub const AUTHENTICATIONS_MAX: u8 = 5;

const _: () = assert!(3 <= AUTHENTICATIONS_MAX && AUTHENTICATIONS_MAX <= 6);

/// Requests of one connection that were refused without ending it (a bind that failed, stream management out of
/// order), or that strangers made in order to register, the last of which ends it. An honest client makes none or few.
pub const REFUSALS_MAX: u8 = 10;

/// Bytes of a language tag (BCP 47 calls 35 enough for all but private ones). A longer one is ignored.
pub const LANG_BYTES_MAX: usize = 35;

/// Random bytes in a stream id: unguessable (RFC 6120 4.7.3), 128 bits.
pub const STREAM_ID_BYTES: usize = 16;

/// Random bytes in a resourcepart that we make: unguessable, so that directed presence is the only way to learn it.
pub const RESOURCE_BYTES: usize = 12;

/// From accepting a connection to a bound or resumed resource: slow links need several seconds, attackers minutes.
pub const NEGOTIATION_TIME_MAX: Duration = Duration::from_secs(30);

/// From `<proceed/>`, or from accepting where TLS comes first, to the end of the handshake.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// From our `</stream:stream>` to the client's, after which the connection is cut.
pub const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// From the first byte of an element to its last, once a resource is bound: 256 KiB at 10 kB/s take 26 seconds.
pub const ELEMENT_TIME_MAX: Duration = Duration::from_secs(120);

/// Bytes a client may send per second, in the long run.
pub const RATE_BYTES_PER_SECOND: u32 = 10_000;

/// Bytes it may send at once after a pause: five seconds' worth.
pub const RATE_BURST_BYTES: u32 = 5 * RATE_BYTES_PER_SECOND;
