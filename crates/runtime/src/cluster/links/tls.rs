//! Mutual TLS between members: TLS 1.3 alone, trusting the cluster's authority alone.
//!
//! A member's certificate is for the DNS name `NAME.stentor-cluster`. The end that connects checks that the peer's is for
//! the name that the table gives; the end that accepts, that it is for the name in the greeting.

use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What a member's certificate stands under.
const SUFFIX: &str = "stentor-cluster";

/// A member's certificate, and whom it trusts.
#[derive(Debug)]
pub struct TlsMaterial {
    /// The cluster's authority: certificates that members' are issued by.
    pub authority: Vec<CertificateDer<'static>>,
    /// The member's certificate, and those between it and the authority. With an extended key usage, it needs both that
    /// of servers and that of clients.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for TlsMaterial {
    fn clone(&self) -> Self {
        Self { authority: self.authority.clone(), chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

/// Why certificates are of no use. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The name is no label of a DNS name.
    #[error("{0:?} is no name for a member: letters, digits and hyphens, at most 63")]
    Name(String),
    /// The member's certificate is missing, or for something else.
    #[error("the member's certificate is not for {0}: issue one with this DNS name")]
    OtherName(String),
    /// The authority, the certificate or the key cannot be used.
    #[error("the cluster's certificates cannot be used: {0}")]
    Unusable(String),
}

/// Both roles.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    pub(super) connector: TlsConnector,
}

/// The DNS name that a member's certificate is for.
pub(in crate::cluster) fn server_name(member: &str) -> Result<ServerName<'static>, TlsError> {
    let name = format!("{member}.{SUFFIX}");
    let is_label = (1..=63).contains(&member.len()) && !member.contains('.');
    let parsed = ServerName::try_from(name).map_err(|_| TlsError::Name(member.to_owned()))?;
    if is_label { Ok(parsed) } else { Err(TlsError::Name(member.to_owned())) }
}

/// Whether a certificate, of whose chain TLS has convinced itself, is that of the member of this name.
pub(super) fn is_of(certificate: Option<&CertificateDer<'_>>, member: &str) -> bool {
    let parsed = certificate.and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
    let name = server_name(member).ok();
    parsed.zip(name).is_some_and(|(parsed, name)| verify_server_name(&parsed, &name).is_ok())
}

impl Tls {
    /// For the member of this name.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(crate) fn new(member: &str, material: TlsMaterial) -> Result<Self, TlsError> {
        let name = server_name(member)?;
        if !is_of(material.chain.first(), member) {
            return Err(TlsError::OtherName(name.to_str().into_owned()));
        }
        let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in material.authority {
            roots.add(certificate).map_err(unusable)?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(ring::default_provider()));
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        let clients = clients.build().map_err(|error| TlsError::Unusable(error.to_string()))?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(clients)
            .with_single_cert(material.chain.clone(), material.key.clone_key())
            .map_err(unusable)?;
        // Each connection shows its certificates: one that was replaced is of no use any more.
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_client_auth_cert(material.chain, material.key)
            .map_err(unusable)?;
        client.resumption = Resumption::disabled();
        Ok(Self { acceptor: Arc::new(server).into(), connector: Arc::new(client).into() })
    }
}
