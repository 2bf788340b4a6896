//! What a stream is told about the server and about its connection.

use std::collections::HashMap;
use std::sync::Arc;

use stentor_auth::{ChannelBindings, ClientIdentities, ServerSecret};
use stentor_xml::{Element, Limits};

use crate::limits;

/// Settings of all client streams. Shared; a stream keeps those that it began with.
#[derive(Debug)]
pub struct Settings {
    hosts: HashMap<Box<str>, Arc<Host>>,
    pub(crate) secret: ServerSecret,
    /// Limits once a resource is bound.
    pub bound_limits: Limits,
    /// Limits before.
    pub unbound_limits: Limits,
    /// Failed authentications on one connection, the last of which ends the stream.
    pub authentications_max: u8,
    /// XEP-0478 `<idle-seconds/>`: after how many silent seconds a client is pinged or its stream ended.
    pub idle_seconds: Option<u32>,
    /// The same before it has authenticated.
    pub unbound_idle_seconds: Option<u32>,
}

/// A virtual host.
#[derive(Clone, Debug)]
pub struct Host {
    /// The domainpart, prepared (RFC 7622 3.2).
    pub domain: String,
    /// What it lets clients authenticate with.
    pub authentication: stentor_auth::Settings,
    /// Stream features offered once the client is authenticated, beside those of this crate (resource binding,
    /// the legacy session, stream management, limits): roster versioning, pre-approval, capabilities.
    pub features: Vec<Element>,
    /// XEP-0198: whether stream management is offered.
    pub stream_management: bool,
    /// XEP-0077: whether strangers may ask to register, inside TLS.
    pub registration: bool,
    /// Whether a name is refused that looks like one that is taken, which is the caller's to find out.
    pub refuse_lookalikes: bool,
    /// RFC 6120 4.9.3.19: where clients of this host are sent instead, once TLS protects the word:
    /// `host` or `host:port`.
    pub see_other_host: Option<String>,
}

impl Host {
    /// A host with the default settings.
    pub fn new(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            authentication: stentor_auth::Settings::default(),
            features: Vec::new(),
            stream_management: true,
            registration: false,
            refuse_lookalikes: false,
            see_other_host: None,
        }
    }
}

impl Settings {
    /// Settings with the default limits. `secret` makes the fake salts of users who do not exist.
    pub fn new(secret: ServerSecret, hosts: impl IntoIterator<Item = Host>) -> Self {
        let hosts = hosts.into_iter().map(|host| (host.domain.clone().into(), Arc::new(host))).collect();
        Self {
            hosts,
            secret,
            bound_limits: limits::BOUND,
            unbound_limits: limits::UNBOUND,
            authentications_max: limits::AUTHENTICATIONS_MAX,
            idle_seconds: None,
            unbound_idle_seconds: None,
        }
    }

    /// What these were made with.
    pub fn secret(&self) -> &ServerSecret {
        &self.secret
    }

    /// A host that is served, by its prepared domainpart.
    pub fn host(&self, domain: &str) -> Option<&Arc<Host>> {
        self.hosts.get(domain)
    }
}

/// What is known of a finished TLS handshake.
#[derive(Debug, Default)]
pub struct TlsInfo {
    /// What SASL can be bound to.
    pub bindings: ChannelBindings,
    /// Whom the client's certificate names, if it sent one and it was verified.
    pub client: Option<ClientIdentities>,
    /// The server name that the client asked for, in lower case.
    pub sni: Option<String>,
}

/// How the connection begins.
#[derive(Debug)]
pub enum Connection {
    /// In clear: STARTTLS is required (RFC 6120 5).
    Clear,
    /// With TLS (XEP-0368).
    Tls(TlsInfo),
}
