//! `[auth]`: how clients prove who they are (RFC 6120 6).

use super::rule::{Integer, OneOf, Several};
use super::setting::{At, Component, Setting, live};

/// A SASL mechanism; SCRAM stands for its `-PLUS` variant too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 5802 with SHA-512.
    ScramSha512,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 4616; only inside TLS.
    Plain,
    /// RFC 4422 appendix A, by client certificate; only for hosts with `client_authorities`.
    External,
}

const MECHANISMS: &[(&str, Mechanism)] = &[
    ("SCRAM-SHA-512", Mechanism::ScramSha512),
    ("SCRAM-SHA-256", Mechanism::ScramSha256),
    ("SCRAM-SHA-1", Mechanism::ScramSha1),
    ("PLAIN", Mechanism::Plain),
    ("EXTERNAL", Mechanism::External),
];

/// Authentication of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthConfig {
    /// The mechanisms offered, the preferred ones first.
    pub mechanisms: Vec<Mechanism>,
    /// PBKDF2 rounds of newly set passwords.
    pub scram_iterations: u64,
    /// Failures on one stream before it is closed.
    pub attempts_max: u64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            // No PLAIN: it hands the password itself to whoever holds a certificate that the client accepts.
            // EXTERNAL first: it is offered only to who showed a certificate that names an account (XEP-0178 2).
            mechanisms: vec![
                Mechanism::External,
                Mechanism::ScramSha512,
                Mechanism::ScramSha256,
                Mechanism::ScramSha1,
            ],
            scram_iterations: 10_000,
            attempts_max: 5,
        }
    }
}

impl Component for AuthConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        live(
            "mechanisms",
            &At(
                |config: &mut Self| &mut config.mechanisms,
                Several { item: OneOf(MECHANISMS), min: 1, max: MECHANISMS.len() },
            ),
        ),
        // RFC 7677 4 asks for 4096 at least; above a million a client of little power takes seconds.
        live(
            "scram_iterations",
            &At(
                |config: &mut Self| &mut config.scram_iterations,
                Integer { min: 10_000, max: 1_000_000, unit: "rounds" },
            ),
        ),
        // RFC 6120 6.4.5 recommends two to five.
        live(
            "attempts_max",
            &At(|config: &mut Self| &mut config.attempts_max, Integer { min: 1, max: 10, unit: "attempts" }),
        ),
    ];
}
