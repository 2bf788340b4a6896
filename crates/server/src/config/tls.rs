//! `[tls]`: what holds for the TLS of all hosts. A host's certificate stands with the host.

use super::rule::OneOf;
use super::setting::{At, Component, Setting, live};

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), with AEAD suites only.
    #[default]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

/// TLS of all hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The oldest version accepted.
    pub version_min: TlsVersion,
}

impl Component for TlsConfig {
    const SETTINGS: &'static [Setting<Self>] = &[live(
        "version_min",
        &At(
            |config: &mut Self| &mut config.version_min,
            OneOf(&[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)]),
        ),
    )];
}
