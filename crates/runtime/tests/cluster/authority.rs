//! A cluster's authority, and what it issues to members.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use stentor_runtime::cluster::TlsMaterial;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed").der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// For the member of this name.
    pub(crate) fn issue(&self, member: &str) -> TlsMaterial {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![format!("{member}.stentor-cluster")]).expect("a name");
        let chain = vec![params.signed_by(&key, &self.issuer).expect("signed").der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        TlsMaterial { authority: vec![self.certificate.clone()], chain, key }
    }
}
