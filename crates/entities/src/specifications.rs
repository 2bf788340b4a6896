//! The specifications that are implemented here: one line each. The README's table and what service discovery
//! announces derive from it.

use stentor_xmpp::ns;

/// A specification, and what is announced where it is implemented.
#[derive(Debug)]
pub struct Specification {
    /// `RFC 6121`, `XEP-0030`.
    pub number: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The version implemented, for a XEP.
    pub version: &'static str,
    /// Features of the server (XEP-0030).
    pub server_features: &'static [&'static str],
    /// Features of each account.
    pub account_features: &'static [&'static str],
}

const fn spec(
    number: &'static str,
    title: &'static str,
    version: &'static str,
    server_features: &'static [&'static str],
    account_features: &'static [&'static str],
) -> Specification {
    Specification { number, title, version, server_features, account_features }
}

const DISCO: &[&str] = &[ns::DISCO_INFO, ns::DISCO_ITEMS];

/// All of them, by number.
pub const SPECIFICATIONS: &[Specification] = &[
    spec("RFC 4616", "The PLAIN SASL Mechanism", "", &[], &[]),
    spec("RFC 5802", "SCRAM SASL and GSS-API Mechanisms", "", &[], &[]),
    spec("RFC 5929", "Channel Bindings for TLS (tls-server-end-point)", "", &[], &[]),
    spec("RFC 6120", "XMPP: Core", "", &[], &[]),
    spec("RFC 6121", "XMPP: Instant Messaging and Presence", "", &[], &[]),
    spec("RFC 7590", "Use of TLS in XMPP", "", &[], &[]),
    spec("RFC 7622", "XMPP: Address Format", "", &[], &[]),
    spec("RFC 7677", "SCRAM-SHA-256 and SCRAM-SHA-256-PLUS SASL Mechanisms", "", &[], &[]),
    spec("RFC 9266", "Channel Bindings for TLS 1.3", "", &[], &[]),
    spec("XEP-0004", "Data Forms", "2.13.2", &[], &[]),
    spec("XEP-0012", "Last Activity", "2.0", &[ns::LAST_ACTIVITY], &[ns::LAST_ACTIVITY]),
    spec("XEP-0030", "Service Discovery", "2.5.0", DISCO, DISCO),
    spec("XEP-0077", "In-Band Registration", "2.4", &[ns::REGISTER], &[]),
    spec("XEP-0092", "Software Version", "1.1", &[ns::VERSION], &[]),
    spec("XEP-0115", "Entity Capabilities", "1.6.0", &[ns::CAPS], &[]),
    spec("XEP-0128", "Service Discovery Extensions", "1.0.1", &[], &[]),
    spec("XEP-0157", "Contact Addresses for XMPP Services", "1.1.1", &[], &[]),
    spec("XEP-0160", "Best Practices for Handling Offline Messages", "1.0.1", &[ns::OFFLINE], &[]),
    spec("XEP-0178", "Best Practices for Use of SASL EXTERNAL with Certificates", "1.2", &[], &[]),
    spec("XEP-0198", "Stream Management", "1.6.3", &[], &[]),
    spec("XEP-0199", "XMPP Ping", "2.0.1", &[ns::PING], &[]),
    spec("XEP-0202", "Entity Time", "2.0", &[ns::TIME], &[]),
    spec("XEP-0203", "Delayed Delivery", "2.0", &[], &[]),
    spec("XEP-0334", "Message Processing Hints", "1.0.0", &[], &[]),
    spec("XEP-0359", "Unique and Stable Stanza IDs", "0.7.0", &[ns::STANZA_IDS], &[ns::STANZA_IDS]),
    spec("XEP-0368", "SRV records for XMPP over TLS", "1.1.0", &[], &[]),
    spec("XEP-0440", "SASL Channel-Binding Type Capability", "1.0.0", &[], &[]),
    spec("XEP-0474", "SASL SCRAM Downgrade Protection", "0.5.0", &[], &[]),
    spec("XEP-0478", "Stream Limits Advertisement", "0.2.0", &[], &[]),
];
