//! What a peer, a store or a certificate may make this crate hold or compute.

use stentor_xmpp::limits::PART_BYTES_MAX;

/// Bytes of one SASL message, decoded: with its element it must fit a stanza before authentication, 8 KiB. That leaves
/// PLAIN, after an authorization identity and a user name of full length, a password of 1,000 bytes; SCRAM sends none.
pub const MESSAGE_BYTES_MAX: usize = 4_096;

/// Bytes of one SASL message as base64 text.
pub const MESSAGE_TEXT_BYTES_MAX: usize = MESSAGE_BYTES_MAX.div_ceil(3) * 4;

/// Random bytes in a nonce of ours: 24 characters on the wire, no padding.
pub const NONCE_RANDOM_BYTES: usize = 18;

/// Bytes of a salt of ours.
pub const SALT_BYTES: usize = 16;

/// Bytes of a salt in a credential that is read: other servers, whose accounts are imported, use up to 36.
pub const SALT_BYTES_MAX: usize = 128;

/// Iterations of PBKDF2 in a credential that is read: what RFC 5802 5.1 has a server announce at least.
pub const ITERATIONS_MIN: u32 = 4_096;

/// Iterations of PBKDF2 in a new credential, unless the operator wants more.
pub const ITERATIONS_DEFAULT: u32 = 10_000;

/// Iterations of PBKDF2 that a stored credential can ask of us: a fraction of a second of one thread.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// Bytes of a credential at rest. Three hashes with the longest salts are under 1,500.
pub const CREDENTIAL_BYTES_MAX: usize = 4_096;

/// Addresses taken from one client certificate; a certificate with more is refused.
pub const CERTIFICATE_ADDRESSES_MAX: usize = 64;

const _: () = assert!(3 * PART_BYTES_MAX + 1_000 + 3 <= MESSAGE_BYTES_MAX);
const _: () = assert!(MESSAGE_TEXT_BYTES_MAX + 1_024 <= 8 * 1_024);
const _: () = assert!(ITERATIONS_MIN <= ITERATIONS_DEFAULT && ITERATIONS_DEFAULT <= ITERATIONS_MAX);
const _: () = assert!(SALT_BYTES <= SALT_BYTES_MAX);
