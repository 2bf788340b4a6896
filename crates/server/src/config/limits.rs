//! `[limits]`: what one peer or account may use.

use super::rule::Integer;
use super::setting::{At, Component, Setting, live};

/// Limits. Those of a stream hold for streams that begin after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Bytes of a stanza from a client that has authenticated.
    pub stanza_bytes_max: u64,
    /// Bytes of an element before authentication.
    pub unauthenticated_bytes_max: u64,
    /// Elements inside an element before authentication.
    pub unauthenticated_elements_max: u64,
    /// Elements inside each other.
    pub depth_max: u64,
    /// Attributes of one element.
    pub attributes_max: u64,
    /// Namespace declarations of one element.
    pub namespaces_max: u64,
    /// Bytes per second that a client may send for long; more is held back, not refused.
    pub bytes_per_second: u64,
    /// Bytes that a client may send at once before the rate holds.
    pub burst_bytes: u64,
    /// Streams at a time.
    pub streams_max: u64,
    /// Connections from one address (IPv6: one /64) that have not authenticated.
    pub unauthenticated_per_address_max: u64,
    /// Connections from one address in a minute that end without having authenticated; beyond, more are refused.
    pub fruitless_per_minute_max: u64,
    /// Seconds for the TLS handshake.
    pub handshake_seconds_max: u64,
    /// Seconds from the connection to a bound resource.
    pub login_seconds_max: u64,
    /// Seconds without a byte before a client is asked whether it is there.
    pub idle_seconds: u64,
    /// Seconds that a client has to answer that it is there.
    pub answer_seconds_max: u64,
    /// Resources of one account at a time.
    pub resources_max: u64,
    /// Contacts on one roster.
    pub roster_contacts_max: u64,
    /// Messages kept for an account that is away.
    pub offline_messages_max: u64,
    /// Bytes of these.
    pub offline_bytes_max: u64,
    /// Registrations from one address in an hour, where a host allows them.
    pub registrations_per_hour_max: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            stanza_bytes_max: 256 << 10,
            unauthenticated_bytes_max: 8 << 10,
            unauthenticated_elements_max: 32,
            depth_max: 64,
            attributes_max: 64,
            namespaces_max: 16,
            bytes_per_second: 10_000,
            burst_bytes: 50_000,
            streams_max: 100_000,
            unauthenticated_per_address_max: 10,
            fruitless_per_minute_max: 300,
            handshake_seconds_max: 10,
            login_seconds_max: 30,
            idle_seconds: 300,
            answer_seconds_max: 30,
            resources_max: 20,
            roster_contacts_max: 2_000,
            offline_messages_max: 1_000,
            offline_bytes_max: 5 << 20,
            registrations_per_hour_max: 3,
        }
    }
}

const fn between(min: u64, max: u64, unit: &'static str) -> Integer {
    Integer { min, max, unit }
}

impl Component for LimitsConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        // RFC 6120 13.12: no less than 10000 bytes.
        live(
            "stanza_bytes_max",
            &At(|c: &mut Self| &mut c.stanza_bytes_max, between(10_000, 16 << 20, "bytes")),
        ),
        live(
            "unauthenticated_bytes_max",
            &At(|c: &mut Self| &mut c.unauthenticated_bytes_max, between(4 << 10, 64 << 10, "bytes")),
        ),
        live(
            "unauthenticated_elements_max",
            &At(|c: &mut Self| &mut c.unauthenticated_elements_max, between(8, 256, "elements")),
        ),
        live("depth_max", &At(|c: &mut Self| &mut c.depth_max, between(16, 128, "elements"))),
        live("attributes_max", &At(|c: &mut Self| &mut c.attributes_max, between(16, 256, "attributes"))),
        live("namespaces_max", &At(|c: &mut Self| &mut c.namespaces_max, between(4, 64, "declarations"))),
        live(
            "bytes_per_second",
            &At(|c: &mut Self| &mut c.bytes_per_second, between(1_000, 1 << 30, "bytes")),
        ),
        live("burst_bytes", &At(|c: &mut Self| &mut c.burst_bytes, between(10_000, 1 << 30, "bytes"))),
        live("streams_max", &At(|c: &mut Self| &mut c.streams_max, between(1, 10_000_000, "streams"))),
        live(
            "unauthenticated_per_address_max",
            &At(|c: &mut Self| &mut c.unauthenticated_per_address_max, between(1, 100_000, "connections")),
        ),
        live(
            "fruitless_per_minute_max",
            &At(|c: &mut Self| &mut c.fruitless_per_minute_max, between(10, 1_000_000, "connections")),
        ),
        live(
            "handshake_seconds_max",
            &At(|c: &mut Self| &mut c.handshake_seconds_max, between(1, 120, "seconds")),
        ),
        live("login_seconds_max", &At(|c: &mut Self| &mut c.login_seconds_max, between(5, 600, "seconds"))),
        live("idle_seconds", &At(|c: &mut Self| &mut c.idle_seconds, between(5, 86_400, "seconds"))),
        live("answer_seconds_max", &At(|c: &mut Self| &mut c.answer_seconds_max, between(1, 600, "seconds"))),
        live("resources_max", &At(|c: &mut Self| &mut c.resources_max, between(1, 1_000, "resources"))),
        live(
            "roster_contacts_max",
            &At(|c: &mut Self| &mut c.roster_contacts_max, between(1, 100_000, "contacts")),
        ),
        live(
            "offline_messages_max",
            &At(|c: &mut Self| &mut c.offline_messages_max, between(0, 1_000_000, "messages")),
        ),
        live("offline_bytes_max", &At(|c: &mut Self| &mut c.offline_bytes_max, between(0, 1 << 30, "bytes"))),
        live(
            "registrations_per_hour_max",
            &At(|c: &mut Self| &mut c.registrations_per_hour_max, between(1, 10_000, "registrations")),
        ),
    ];
}
