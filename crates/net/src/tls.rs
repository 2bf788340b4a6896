//! TLS: a certificate for each virtual host, found by SNI (RFC 6066 3), replaced without a restart.

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use stentor_auth::{ChannelBindings, ClientIdentities, tls_server_end_point};
use stentor_stream::TlsInfo;

/// A host's certificate chain, leaf first, and its key.
#[derive(Debug)]
pub struct HostCertificate {
    /// The host's domain, prepared.
    pub domain: String,
    /// The chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

/// Why certificates cannot be used. Those of before stay in use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The key does not fit, or is of a kind that is not supported.
    #[error("the certificate of {0} cannot be used: {1}")]
    Certificate(String, rustls::Error),
    /// The settings of TLS itself.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
    /// No host.
    #[error("there is no certificate")]
    None,
}

/// All certificates; shared, replaced as a whole.
pub struct Certificates {
    current: ArcSwap<Configs>,
}

struct Configs {
    hosts: HashMap<String, Host>,
    /// For a client that names nothing, or something else.
    first: String,
}

struct Host {
    starttls: Arc<ServerConfig>,
    direct: Arc<ServerConfig>,
    end_point: Option<Vec<u8>>,
}

impl Certificates {
    /// With these, the first being the default. `client_roots`: who may issue client certificates (EXTERNAL);
    /// without any, clients are not asked for one.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn new(hosts: Vec<HostCertificate>, client_roots: rustls::RootCertStore) -> Result<Self, TlsError> {
        Ok(Self { current: ArcSwap::from_pointee(configs(hosts, client_roots)?) })
    }

    /// New connections get these from now on; those that are open keep theirs.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn replace(
        &self,
        hosts: Vec<HostCertificate>,
        client_roots: rustls::RootCertStore,
    ) -> Result<(), TlsError> {
        self.current.store(Arc::new(configs(hosts, client_roots)?));
        Ok(())
    }

    /// For STARTTLS on a stream to this host.
    pub(crate) fn starttls(&self, host: &str) -> Option<Arc<ServerConfig>> {
        let configs = self.current.load();
        configs
            .hosts
            .get(host)
            .or_else(|| configs.hosts.get(&configs.first))
            .map(|host| Arc::clone(&host.starttls))
    }

    /// For TLS from the first byte (XEP-0368).
    pub(crate) fn direct(&self) -> Option<Arc<ServerConfig>> {
        let configs = self.current.load();
        configs.hosts.get(&configs.first).map(|host| Arc::clone(&host.direct))
    }

    /// What the stream is to know of a finished handshake. `fallback`: whose certificate was sent if the client
    /// named none of ours.
    pub(crate) fn info(&self, connection: &rustls::ServerConnection, fallback: Option<&str>) -> TlsInfo {
        let configs = self.current.load();
        let sni = connection.server_name().map(str::to_ascii_lowercase);
        let host = sni.as_deref().and_then(|name| configs.hosts.get(name));
        let host = host.or_else(|| configs.hosts.get(fallback.unwrap_or(&configs.first)));
        let end_point = host.and_then(|host| host.end_point.clone());
        let exporter = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).ok();
        let client = connection.peer_certificates().and_then(|chain| chain.first());
        let client = client.and_then(|leaf| ClientIdentities::from_certificate(leaf).ok());
        TlsInfo { bindings: ChannelBindings::new(exporter, end_point), client, sni }
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.current.load().hosts.keys()).finish()
    }
}

#[derive(Debug)]
struct Resolver {
    keys: Arc<HashMap<String, Arc<CertifiedKey>>>,
    fallback: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.keys.get(&name.to_ascii_lowercase()));
        Some(Arc::clone(named.unwrap_or(&self.fallback)))
    }
}

fn configs(hosts: Vec<HostCertificate>, client_roots: rustls::RootCertStore) -> Result<Configs, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let first = hosts.first().map(|host| host.domain.clone()).ok_or(TlsError::None)?;
    let mut keys = HashMap::new();
    for HostCertificate { domain, chain, key } in hosts {
        let key = CertifiedKey::from_der(chain, key, &provider);
        let key = key.map_err(|error| TlsError::Certificate(domain.clone(), error))?;
        keys.insert(domain, Arc::new(key));
    }
    let keys = Arc::new(keys);
    let roots = (!client_roots.is_empty()).then(|| Arc::new(client_roots));
    let config = |fallback: &Arc<CertifiedKey>, alpn: &[&[u8]]| {
        let setup = |error: &dyn fmt::Display| TlsError::Setup(error.to_string());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| setup(&error))?;
        let builder = match &roots {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(&provider));
                let verifier = verifier.allow_unauthenticated().build().map_err(|error| setup(&error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let resolver = Resolver { keys: Arc::clone(&keys), fallback: Arc::clone(fallback) };
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        // RFC 9266 4.2: on TLS 1.2 the exporter binds only with the extended master secret.
        config.require_ems = true;
        // Nothing of ours resumes TLS across members, and early data must not carry SASL (XEP-0388 6.3).
        config.max_early_data_size = 0;
        Ok(Arc::new(config))
    };
    let mut hosts = HashMap::new();
    for (domain, key) in keys.iter() {
        let end_point = key.cert.first().and_then(|leaf| tls_server_end_point(leaf));
        let host = Host { starttls: config(key, &[])?, direct: config(key, &[b"xmpp-client"])?, end_point };
        hosts.insert(domain.clone(), host);
    }
    Ok(Configs { hosts, first })
}
