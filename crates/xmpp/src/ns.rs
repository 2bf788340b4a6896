//! Namespace names, one constant each, named for what they are.
/// Client streams' content (RFC 6120).
pub const CLIENT: &str = "jabber:client";
/// The stream element itself (RFC 6120).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// Stanza error conditions (RFC 6120 8.3).
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// Stream error conditions (RFC 6120 4.9).
pub const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
