//! Certificates of users.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, OtherNameValue, RevocationReason, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// RFC 6120 13.7.1.4: id-on-xmppAddr.
const XMPP_ADDR: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];

/// Who issues certificates to users.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A user's certificate, and its key.
pub(crate) struct Certified {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: Arc<PrivateKeyDer<'static>>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of users");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, &self.pem).expect("written");
    }

    /// A list of what is revoked, that holds until this year.
    pub(crate) fn write_crl(&self, path: &Path, serials: &[u64], until: i32) {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let crl = params.signed_by(&self.issuer).expect("signed").pem().expect("PEM");
        std::fs::write(path, crl).expect("written");
    }

    /// For these addresses, with something else about it.
    pub(crate) fn user(&self, addresses: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Certified {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        let name = |address: &&str| {
            SanType::OtherName((XMPP_ADDR.to_vec(), OtherNameValue::Utf8String((*address).to_owned())))
        };
        params.subject_alt_names = addresses.iter().map(name).collect();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed").der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        Certified { certificate, key: Arc::new(key) }
    }
}
