//! What sessions are given.

use crate::addresses::Addresses;
use crate::limits::CHECKS_MAX;
use crate::tls::Certificates;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;
use stentor_auth::Credentials;
use stentor_runtime::Administration;
use stentor_stream::{Settings, limits as stream_limits};
use tokio::sync::Semaphore;

/// What sessions are given: all of it shared.
pub struct Services {
    /// What streams offer. Replaced as a whole; a stream keeps what it began with.
    pub settings: ArcSwap<Settings>,
    /// Certificates.
    pub certificates: Certificates,
    /// Who answers for accounts.
    pub credentials: Arc<dyn Credentials>,
    /// Counts by address.
    pub addresses: Arc<Addresses>,
    /// What a connection may take. Replaced as a whole; a session keeps what it began with.
    pub limits: ArcSwap<SessionLimits>,
    /// Who makes accounts.
    pub administration: Administration,
    pub(super) checks: Semaphore,
    pub(super) lookalikes: Semaphore,
}

/// What a connection may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Bytes per second and at once that a client may send; none: as many as it can.
    pub rate: Option<(u32, u32)>,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the connection to a bound or resumed resource.
    pub login: Duration,
    /// A client that sent nothing for so long is asked whether it is there.
    pub idle: Duration,
    /// A client that was asked and sends nothing for so long is gone, though its connection does not say so.
    pub answer: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            rate: Some((stream_limits::RATE_BYTES_PER_SECOND, stream_limits::RATE_BURST_BYTES)),
            handshake: stream_limits::HANDSHAKE_TIME_MAX,
            login: stream_limits::NEGOTIATION_TIME_MAX,
            idle: Duration::from_secs(300),
            answer: Duration::from_secs(30),
        }
    }
}

impl Services {
    /// What sessions are given.
    pub fn new(
        settings: Settings,
        certificates: Certificates,
        credentials: Arc<dyn Credentials>,
        addresses: Addresses,
        limits: SessionLimits,
        administration: Administration,
    ) -> Self {
        Self {
            settings: ArcSwap::from_pointee(settings),
            certificates,
            credentials,
            addresses: Arc::new(addresses),
            limits: ArcSwap::from_pointee(limits),
            administration,
            checks: Semaphore::new(CHECKS_MAX),
            lookalikes: Semaphore::new(1),
        }
    }
}
