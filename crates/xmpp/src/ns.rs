//! Namespace names and features, one constant each, named for what they are.

/// Client streams' content (RFC 6120).
pub const CLIENT: &str = "jabber:client";
/// Server streams' content (RFC 6120).
pub const SERVER: &str = "jabber:server";
/// The stream element itself (RFC 6120).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// The prefix `xml` (Namespaces in XML 1.0).
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Stanza error conditions (RFC 6120 8.3).
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// Stream error conditions (RFC 6120 4.9).
pub const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// STARTTLS (RFC 6120 5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (RFC 6120 6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Resource binding (RFC 6120 7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Session establishment, of RFC 3921; offered as optional for clients that still ask.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Rosters (RFC 6121 2).
pub const ROSTER: &str = "jabber:iq:roster";
/// The stream feature of roster versioning (RFC 6121 2.6).
pub const ROSTER_VERSIONING: &str = "urn:xmpp:features:rosterver";
/// The stream feature of subscription pre-approval (RFC 6121 3.4).
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";

/// Last activity (XEP-0012).
pub const LAST_ACTIVITY: &str = "jabber:iq:last";
/// Data forms (XEP-0004).
pub const DATA_FORMS: &str = "jabber:x:data";
/// Service discovery, information (XEP-0030).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Service discovery, items (XEP-0030).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// In-band registration (XEP-0077).
pub const REGISTER: &str = "jabber:iq:register";
/// The stream feature of in-band registration (XEP-0077).
pub const REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";
/// Out-of-band data (XEP-0066).
pub const OUT_OF_BAND: &str = "jabber:x:oob";
/// Chat state notifications (XEP-0085).
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// Software version (XEP-0092).
pub const VERSION: &str = "jabber:iq:version";
/// Entity capabilities (XEP-0115).
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// The `FORM_TYPE` of contact addresses (XEP-0157).
pub const SERVER_INFO: &str = "http://jabber.org/network/serverinfo";
/// The disco feature of offline message storage (XEP-0160).
pub const OFFLINE: &str = "msgoffline";
/// Message delivery receipts (XEP-0184).
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// Stream management (XEP-0198).
pub const STREAM_MANAGEMENT: &str = "urn:xmpp:sm:3";
/// Ping (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Entity time (XEP-0202).
pub const TIME: &str = "urn:xmpp:time";
/// Delayed delivery (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// Dialback (XEP-0220).
pub const DIALBACK: &str = "jabber:server:dialback";
/// Carbons (XEP-0280).
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// Forwarding (XEP-0297).
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// Message processing hints (XEP-0334).
pub const HINTS: &str = "urn:xmpp:hints";
/// Client state indication (XEP-0352).
pub const CLIENT_STATE: &str = "urn:xmpp:csi:0";
/// Stanza and origin ids (XEP-0359).
pub const STANZA_IDS: &str = "urn:xmpp:sid:0";
/// Channel-binding types (XEP-0440).
pub const CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// Stream limits (XEP-0478).
pub const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";
/// Application-specific conditions of general use (XEP-0182).
pub const ERRORS: &str = "urn:xmpp:errors";
