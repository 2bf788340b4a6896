//! What an address may make us hold.

/// Bytes of one part of an address, after preparation (RFC 7622 3.2, 3.3, 3.4).
pub const PART_BYTES_MAX: usize = 1023;

/// Bytes of one part of an address as it was received. Preparation can shorten a part (a full-width letter has
/// three bytes, its mapping one), never to less than a third for what it accepts; what is longer is refused
/// unread, so that nobody makes us normalise a megabyte.
pub const PART_INPUT_BYTES_MAX: usize = 3 * PART_BYTES_MAX;

/// Bytes of a password, before and after preparation. RFC 8265 names no limit; a longer one only costs time.
pub const PASSWORD_BYTES_MAX: usize = 4096;

/// Bytes of a bare address: localpart, `@`, domainpart.
pub(crate) const BARE_BYTES_MAX: usize = 2 * PART_BYTES_MAX + 1;

// Addresses keep the lengths of their parts in 16 bits.
const _: () = assert!(BARE_BYTES_MAX <= u16::MAX as usize);
