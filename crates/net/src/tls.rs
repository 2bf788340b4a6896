//! TLS: a certificate for each virtual host, found by SNI (RFC 6066 3), replaced without a restart.

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use stentor_auth::{ChannelBindings, ClientIdentities, tls_server_end_point};
use stentor_stream::TlsInfo;

/// What a host shows, and from whom it takes certificates of clients.
#[derive(Debug)]
pub struct HostCertificate {
    /// The host's domain, prepared.
    pub domain: String,
    /// The chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
    /// Who may issue certificates of this host's users (EXTERNAL); without any, they are not asked for one.
    pub client_authorities: RootCertStore,
    /// Which of those certificates are revoked (RFC 5280 5). An authority without a list revokes none; one whose list
    /// is out of date vouches for nobody.
    pub client_crls: Vec<CertificateRevocationListDer<'static>>,
}

/// The oldest version of TLS that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldestTls {
    /// RFC 5246, with AEAD suites and the extended master secret only.
    V1_2,
    /// RFC 8446.
    V1_3,
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
    first: Host,
    /// With TLS from the first byte, a client names its host inside the handshake.
    direct: Arc<ServerConfig>,
}

#[derive(Clone)]
struct Host {
    domain: String,
    starttls: Arc<ServerConfig>,
    end_point: Option<Vec<u8>>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

/// A handshake to be done, and what it is done with: certificates may be replaced meanwhile.
pub(crate) struct Handshake {
    configs: Arc<Configs>,
    /// The host of the stream on which TLS begins.
    host: Option<Host>,
}

impl Certificates {
    /// With these, the first being the default.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn new(hosts: Vec<HostCertificate>, oldest: OldestTls) -> Result<Self, TlsError> {
        Ok(Self { current: ArcSwap::from_pointee(configs(hosts, oldest)?) })
    }

    /// New connections get these others from now on; those that are open keep theirs.
    pub fn replace(&self, others: Self) {
        self.current.store(others.current.into_inner());
    }

    /// For STARTTLS on a stream to this host.
    pub(crate) fn starttls(&self, host: &str) -> Handshake {
        let configs = self.current.load_full();
        let host = configs.hosts.get(host).unwrap_or(&configs.first).clone();
        Handshake { configs, host: Some(host) }
    }

    /// For TLS from the first byte (XEP-0368).
    pub(crate) fn direct(&self) -> Handshake {
        Handshake { configs: self.current.load_full(), host: None }
    }
}

impl Handshake {
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(self.host.as_ref().map_or(&self.configs.direct, |host| &host.starttls))
    }

    /// What the stream is to know of it once it is done.
    pub(crate) fn info(&self, connection: &rustls::ServerConnection) -> TlsInfo {
        let sni = connection.server_name().map(str::to_ascii_lowercase);
        let named = sni.as_deref().and_then(|name| self.configs.hosts.get(name));
        let host = named.or(self.host.as_ref()).unwrap_or(&self.configs.first);
        let exporter = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).ok();
        let client = connection.peer_certificates().and_then(|chain| self.client(chain));
        TlsInfo { bindings: ChannelBindings::new(exporter, host.end_point.clone()), client, sni }
    }

    /// Whom a client's certificate names. An authority speaks for the users of the host that trusts it, and for no
    /// others, so each host's verdict counts for its own users.
    fn client(&self, chain: &[CertificateDer<'_>]) -> Option<ClientIdentities> {
        let (leaf, intermediates) = chain.split_first()?;
        let identities = ClientIdentities::from_certificate(leaf).ok()?;
        let now = UnixTime::now();
        let trusts = |domain: &str| {
            let clients = self.configs.hosts.get(domain).and_then(|host| host.clients.as_ref());
            clients.is_some_and(|clients| clients.verify_client_cert(leaf, intermediates, now).is_ok())
        };
        Some(identities.retain_domains(trusts))
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

fn configs(hosts: Vec<HostCertificate>, oldest: OldestTls) -> Result<Configs, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut keys = HashMap::new();
    let mut all_authorities = RootCertStore::empty();
    let mut given = Vec::new();
    for HostCertificate { domain, chain, key, client_authorities, client_crls } in hosts {
        let key = CertifiedKey::from_der(chain, key, &provider);
        let key = Arc::new(key.map_err(|error| TlsError::Certificate(domain.clone(), error))?);
        keys.insert(domain.clone(), Arc::clone(&key));
        all_authorities.roots.extend(client_authorities.roots.iter().cloned());
        given.push((domain, key, client_authorities, client_crls));
    }
    let keys = Arc::new(keys);
    let mut hosts = Vec::new();
    for (domain, key, authorities, crls) in given {
        let clients = verifier(authorities, crls, &provider)?;
        let starttls = config(&keys, &key, clients.clone(), &[], oldest, &provider)?;
        let end_point = key.cert.first().and_then(|leaf| tls_server_end_point(leaf));
        hosts.push(Host { domain, starttls, end_point, clients });
    }
    let first = hosts.first().cloned().ok_or(TlsError::None)?;
    let key = keys.get(&first.domain).ok_or(TlsError::None)?;
    // What is revoked, each host says for its own users, once the handshake is done (`Handshake::client`).
    let clients = verifier(all_authorities, Vec::new(), &provider)?;
    let direct = config(&keys, key, clients, &[b"xmpp-client"], oldest, &provider)?;
    let hosts = hosts.into_iter().map(|host| (host.domain.clone(), host)).collect();
    Ok(Configs { hosts, first, direct })
}

/// Who judges certificates of clients; none if nobody may issue any.
fn verifier(
    authorities: RootCertStore,
    crls: Vec<CertificateRevocationListDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    if authorities.is_empty() {
        return Ok(None);
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(provider))
        .with_crls(crls)
        .allow_unknown_revocation_status()
        .enforce_revocation_expiration();
    builder.allow_unauthenticated().build().map(Some).map_err(|error| TlsError::Setup(error.to_string()))
}

fn config(
    keys: &Arc<HashMap<String, Arc<CertifiedKey>>>,
    fallback: &Arc<CertifiedKey>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    alpn: &[&[u8]],
    oldest: OldestTls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[_] = match oldest {
        OldestTls::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        OldestTls::V1_3 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients),
    };
    let resolver = Resolver { keys: Arc::clone(keys), fallback: Arc::clone(fallback) };
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    // RFC 9266 4.2: on TLS 1.2 the exporter binds only with the extended master secret.
    config.require_ems = true;
    // Nothing of ours resumes TLS across members, and early data must not carry SASL (XEP-0388 6.3).
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
