//! What can be wrong with the bytes of a stream.

/// Why a stream's bytes were refused. Nothing after the offending byte was looked at.
///
/// Positions count from the first byte after the last [`restart`](crate::Framer::restart).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not well-formed XML 1.0, or not UTF-8 (RFC 6120 4.9.3.13 `not-well-formed`).
    #[error("not well-formed at byte {0}")]
    NotWellFormed(u64),
    /// A prefix without a declaration, or a reserved one misused (RFC 6120 4.9.3.2 `bad-namespace-prefix`).
    #[error("undeclared or misused namespace prefix at byte {0}")]
    BadNamespacePrefix(u64),
    /// DTD, comment, processing instruction, other entity (RFC 6120 11.1 `restricted-xml`).
    #[error("restricted XML at byte {0}")]
    Restricted(u64),
    /// A stream inside the stream: an element that has the name of the one around it, namespace and all. No protocol has
    /// one, and a reader that does not count how deep it is would take it for its own (`invalid-xml`).
    #[error("a stream inside the stream at byte {0}")]
    Nested(u64),
    /// The XML declaration names an encoding that is not UTF-8 (RFC 6120 11.6 `unsupported-encoding`).
    #[error("unsupported encoding")]
    UnsupportedEncoding,
    /// A limit was passed while reading (`policy-violation`).
    #[error("limit passed: {0:?}")]
    Limit(Limit),
}

/// The limit that was passed. Each is a field of [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `stanza_bytes_max`
    StanzaBytes,
    /// `depth_max`
    Depth,
    /// `attributes_max`
    Attributes,
    /// `namespaces_max`
    Namespaces,
    /// `elements_max`, or a fortieth of it (but 200 at least) in first-level children.
    Elements,
}
