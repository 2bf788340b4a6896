//! The identities in a client's certificate (RFC 6120 13.7.1.4, XEP-0178).

use stentor_xmpp::BareJid;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::{Any, Oid, Tag, oid};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::limits::CERTIFICATE_ADDRESSES_MAX;

/// The users that a client's certificate names: the `id-on-xmppAddr` entries of its subjectAltName that are bare JIDs
/// with a localpart. The subject and its Common Name say nothing, and no other kind of name is an account.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClientIdentities(Vec<BareJid>);

impl ClientIdentities {
    /// Reads a certificate (DER) whose chain, validity and purpose (clientAuth) **the caller has verified**. Entries
    /// that are malformed name nobody.
    ///
    /// # Errors
    /// It is no certificate, or it names more than [`CERTIFICATE_ADDRESSES_MAX`] users.
    pub fn from_certificate(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError::Malformed);
        }
        let names = certificate.subject_alternative_name().map_err(|_| CertificateError::Malformed)?;
        let mut identities = Vec::new();
        for name in names.iter().flat_map(|extension| &extension.value.general_names) {
            let GeneralName::OtherName(kind, value) = name else { continue };
            let Some(jid) = xmpp_address(kind, value) else { continue };
            if identities.len() == CERTIFICATE_ADDRESSES_MAX {
                return Err(CertificateError::TooMany);
            }
            if !identities.contains(&jid) {
                identities.push(jid);
            }
        }
        Ok(Self(identities))
    }

    /// Only those at domains of which this is so.
    #[must_use]
    pub fn retain_domains(mut self, is_wanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|jid| is_wanted(jid.domain()));
        self
    }

    /// Those of them at a domain, prepared.
    pub(crate) fn at(&self, domain: &str) -> Vec<BareJid> {
        self.0.iter().filter(|jid| jid.domain() == domain).cloned().collect()
    }
}

/// The bare JID in an otherName. `value` is `[0] EXPLICIT UTF8String`, the type being id-on-xmppAddr.
fn xmpp_address(kind: &Oid<'_>, value: &[u8]) -> Option<BareJid> {
    if *kind != oid!(1.3.6.1.5.5.7.8.5) {
        return None;
    }
    let (rest, explicit) = Any::from_der(value).ok()?;
    if !rest.is_empty() || explicit.class() != x509_parser::der_parser::asn1_rs::Class::ContextSpecific {
        return None;
    }
    let (rest, text) = Any::from_der(explicit.data).ok()?;
    if !rest.is_empty() || explicit.tag() != Tag(0) || text.tag() != Tag::Utf8String {
        return None;
    }
    let address = std::str::from_utf8(text.data).ok()?;
    BareJid::parse(address).ok().filter(|jid| jid.local().is_some())
}

/// Why a certificate yields no identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No X.509 certificate in DER, or with something after it, or with a subjectAltName twice.
    #[error("not a certificate")]
    Malformed,
    /// It names more users than anybody would need.
    #[error("the certificate names more than {CERTIFICATE_ADDRESSES_MAX} users")]
    TooMany,
}
