//! What a stream may make us hold.

/// Limits, checked while reading: the first byte past one ends the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one stanza or of the stream header. White space between stanzas is not held, nor counted.
    pub stanza_bytes_max: u32,
    /// Nested elements, the stanza itself being 1.
    pub depth_max: u16,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes_max: u16,
    /// Namespace declarations in scope at once; those of the stream header are counted apart, with the same limit.
    pub namespaces_max: u16,
    /// Elements in one stanza, itself included. A fortieth of them, but 200 at least, may be first-level children.
    pub elements_max: u32,
}

impl Limits {
    /// Before the peer is authenticated: enough for a header, SASL2 with everything inline, and a certificate chain's
    /// worth of base64; RFC 6120 13.12 asks for 10,000 bytes at least.
    pub const BEFORE_AUTHENTICATION: Self = Self {
        stanza_bytes_max: 16 * 1024,
        depth_max: 16,
        attributes_max: 32,
        namespaces_max: 32,
        elements_max: 96,
    };
    /// A client's stanzas: an avatar in base64 is the largest that is usual.
    pub const CLIENT: Self = Self {
        stanza_bytes_max: 256 * 1024,
        depth_max: 64,
        attributes_max: 64,
        namespaces_max: 64,
        elements_max: 10_000,
    };
    /// Another server's stanzas: results that quote what clients sent, so a little more of each.
    pub const SERVER: Self = Self {
        stanza_bytes_max: 512 * 1024,
        depth_max: 80,
        attributes_max: 64,
        namespaces_max: 80,
        elements_max: 20_000,
    };
    /// What we wrote ourselves, to a store or a link: what came in by the others, wrapped a few times.
    pub const STORED: Self = Self {
        stanza_bytes_max: 16 * 1024 * 1024,
        depth_max: 256,
        attributes_max: 128,
        namespaces_max: 256,
        elements_max: 1_000_000,
    };
}

impl Limits {
    /// First-level children of one stanza, which follows from the elements allowed. Stanzas have a handful; each costs
    /// an entry of an outline, six times the four bytes that `<a/>` costs its sender.
    pub(crate) const fn children_max(&self) -> usize {
        let share = self.elements_max as usize / 40;
        if share < 200 { 200 } else { share }
    }
}

impl Default for Limits {
    /// The strictest: [`Limits::BEFORE_AUTHENTICATION`].
    fn default() -> Self {
        Self::BEFORE_AUTHENTICATION
    }
}

/// Bytes of a character or entity reference, `&` and `;` included: `&#x10FFFF;` has 10.
pub(crate) const REFERENCE_BYTES_MAX: usize = 16;
/// Bytes of an XML declaration: the usual ones have less than 60.
pub(crate) const DECLARATION_BYTES_MAX: usize = 256;
/// Scanner states kept for the next stanza of any stream of a thread.
pub(crate) const POOL_MAX: usize = 16;
/// Bytes of a buffer worth keeping in a pooled state; larger ones are given back to the allocator.
pub(crate) const POOLED_BYTES_MAX: usize = 16 * 1024;

const _: () = assert!(Limits::SERVER.stanza_bytes_max < Limits::STORED.stanza_bytes_max);
// Positions in a stanza are 31 bits: the highest bit tells which text they point into.
const _: () = assert!(Limits::STORED.stanza_bytes_max < 1 << 31);
