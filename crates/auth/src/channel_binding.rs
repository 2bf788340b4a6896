//! Channel bindings of TLS: `tls-exporter` (RFC 9266) and `tls-server-end-point` (RFC 5929 4). Not `tls-unique`:
//! TLS 1.3 has none, and before it `tls-exporter` does as well wherever `tls-unique` would be safe.

use std::fmt;

use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry as oids;
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

use crate::Hash;

/// A type of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelBindingType {
    /// Keying material exported from the connection itself (RFC 9266).
    TlsExporter,
    /// The hash of the server's certificate (RFC 5929 4).
    TlsServerEndPoint,
}

impl ChannelBindingType {
    /// Both, the stronger first.
    pub const ALL: [Self; 2] = [Self::TlsExporter, Self::TlsServerEndPoint];

    /// Its unique prefix, as registered.
    pub fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }
}

/// The channel bindings that a connection has.
#[derive(Clone, Default)]
pub struct ChannelBindings {
    pub(crate) tls_exporter: Option<Vec<u8>>,
    pub(crate) tls_server_end_point: Option<Vec<u8>>,
}

impl ChannelBindings {
    /// `tls_exporter` is keying material exported with the label `EXPORTER-Channel-Binding` and no context (RFC 9266
    /// 2); for TLS 1.2 to be given only with the extended master secret (RFC 9266 4.2). `tls_server_end_point` is
    /// what [`tls_server_end_point`] made of the certificate that was sent on this connection.
    pub fn new(tls_exporter: Option<[u8; 32]>, tls_server_end_point: Option<Vec<u8>>) -> Self {
        Self { tls_exporter: tls_exporter.map(Vec::from), tls_server_end_point }
    }

    /// The data to bind to, if there is any of this type.
    pub(crate) fn data(&self, kind: ChannelBindingType) -> Option<&[u8]> {
        match kind {
            ChannelBindingType::TlsExporter => self.tls_exporter.as_deref(),
            ChannelBindingType::TlsServerEndPoint => self.tls_server_end_point.as_deref(),
        }
    }

    /// The types there are, the stronger first.
    pub(crate) fn types(&self) -> impl Iterator<Item = ChannelBindingType> + '_ {
        ChannelBindingType::ALL.into_iter().filter(|kind| self.data(*kind).is_some())
    }
}

impl fmt::Debug for ChannelBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.types().map(ChannelBindingType::name)).finish()
    }
}

/// The `tls-server-end-point` channel binding of a server's certificate (DER): its hash by the function that its
/// signature uses, and by SHA-256 where that is MD5 or SHA-1 (RFC 5929 4.1). `None` if it is no certificate, or if
/// the signature uses no hash function of its own (Ed25519), for which RFC 5929 leaves the binding undefined.
pub fn tls_server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    use sha2::Digest;
    Some(match signature_hash(&parsed.signature_algorithm)? {
        SignatureHash::Sha256 => sha2::Sha256::digest(certificate).to_vec(),
        SignatureHash::Sha384 => sha2::Sha384::digest(certificate).to_vec(),
        SignatureHash::Sha512 => sha2::Sha512::digest(certificate).to_vec(),
    })
}

/// The hash functions of signatures, MD5 and SHA-1 replaced.
enum SignatureHash {
    Sha256,
    Sha384,
    Sha512,
}

fn signature_hash(algorithm: &AlgorithmIdentifier<'_>) -> Option<SignatureHash> {
    let oid = &algorithm.algorithm;
    let is = |known: &[oids::Oid<'_>]| known.contains(oid);
    if is(&[
        oids::OID_PKCS1_MD5WITHRSAENC,
        oids::OID_PKCS1_SHA1WITHRSA,
        oids::OID_PKCS1_SHA256WITHRSA,
        oids::OID_SIG_ECDSA_WITH_SHA256,
    ]) {
        return Some(SignatureHash::Sha256);
    }
    if is(&[oids::OID_PKCS1_SHA384WITHRSA, oids::OID_SIG_ECDSA_WITH_SHA384]) {
        return Some(SignatureHash::Sha384);
    }
    if is(&[oids::OID_PKCS1_SHA512WITHRSA, oids::OID_SIG_ECDSA_WITH_SHA512]) {
        return Some(SignatureHash::Sha512);
    }
    if !is(&[oids::OID_PKCS1_RSASSAPSS]) {
        return None;
    }
    let parameters = RsaSsaPssParams::try_from(algorithm.parameters.as_ref()?).ok()?;
    let hash = parameters.hash_algorithm_oid();
    [
        (oids::OID_HASH_SHA1, SignatureHash::Sha256),
        (oids::OID_NIST_HASH_SHA256, SignatureHash::Sha256),
        (oids::OID_NIST_HASH_SHA384, SignatureHash::Sha384),
        (oids::OID_NIST_HASH_SHA512, SignatureHash::Sha512),
    ]
    .into_iter()
    .find_map(|(oid, function)| (oid == *hash).then_some(function))
}

/// XEP-0474 0.5.0: the hash of what was offered, which the client compares with what it saw. Mechanisms and channel
/// bindings are sorted by octets, joined by U+001E, and set apart by U+001F if there are channel bindings.
pub(crate) fn offer_hash(hash: Hash, mechanisms: &[&str], bindings: &[&str]) -> crate::hash::Key {
    let sorted = |names: &[&str]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.join("\u{1e}")
    };
    let mut text = sorted(mechanisms);
    if !bindings.is_empty() {
        text.push('\u{1f}');
        text.push_str(&sorted(bindings));
    }
    hash.digest(text.as_bytes())
}
