//! A certificate authority of one test run, and the server's certificate.

use super::DOMAIN;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::error::Error;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The PEM files that a server and its clients need.
pub(super) struct Certificate {
    pub(super) authority: PathBuf,
    pub(super) chain: PathBuf,
    pub(super) key: PathBuf,
}

/// Writes a fresh authority and a certificate for [`DOMAIN`] into `folder`.
pub(super) fn create(folder: &Path) -> Result<Certificate, Box<dyn Error>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Authority of one test run");
    let authority_key = KeyPair::generate()?;
    let root = authority.self_signed(&authority_key)?;
    let key = KeyPair::generate()?;
    // With TLS from the first byte, @xmpp/client checks the host that it connects to, not the domain.
    let mut leaf = CertificateParams::new(vec![DOMAIN.to_owned(), Ipv4Addr::LOCALHOST.to_string()])?;
    leaf.distinguished_name.push(DnType::CommonName, DOMAIN);
    let leaf = leaf.signed_by(&key, &Issuer::new(authority, authority_key))?;

    let files = ["authority.pem", "chain.pem", "key.pem"].map(|name| folder.join(name));
    let contents = [root.pem(), leaf.pem() + &root.pem(), key.serialize_pem()];
    for (file, content) in files.iter().zip(contents) {
        fs::write(file, content)?;
    }
    let [authority, chain, key] = files;
    // Servers refuse a key that others may read.
    fs::set_permissions(&key, Permissions::from_mode(0o600))?;
    Ok(Certificate { authority, chain, key })
}
