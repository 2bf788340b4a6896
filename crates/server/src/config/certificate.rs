//! Checks a host's certificate: readable, whole, in date, for the domain, and matching its key.

use std::fs::File;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::revocation_list::CertificateRevocationList;

use super::host::HostConfig;
use super::mistake::{Mistake, Place, Severity};
use super::tree::Node;
use crate::limits::PEM_BYTES_MAX;

/// A certificate that ends within this time is worth a warning.
const ENDS_SOON: Duration = Duration::from_secs(14 * 86_400);

/// What certificates and keys are in.
const PEM: &str = "a PEM file";

/// What ring signs with.
const KEYS: &str = "RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519";

/// See [`KEYS`].
const RSA_BITS: RangeInclusive<usize> = 2_048..=4_096;

/// `id-on-dnsSRV` (RFC 4985).
const SRV_NAME: &str = "1.3.6.1.5.5.7.8.7";

/// `id-on-xmppAddr` (RFC 6120 13.7.1.4).
const XMPP_ADDRESS: &str = "1.3.6.1.5.5.7.8.5";

/// The mistakes in the files of `host`, whose settings begin with `name` and stand in `table`.
pub(super) fn check(host: &HostConfig, name: &str, table: Option<&Node>, now: SystemTime) -> Vec<Mistake> {
    let mut check = Check::new(name, table);
    if let Some(leaf) = check.certified(&host.certificate, &host.key).first() {
        check.dates(&host.certificate, leaf, now);
        check.domain(&host.certificate, leaf, &host.domain);
    }
    if let Some(path) = &host.client_authorities {
        check.chain("client_authorities", path);
    }
    for (index, path) in host.client_crls.iter().enumerate() {
        check.item = Some(index);
        check.crls(path, now);
    }
    check.item = None;
    if host.client_authorities.is_none() && !host.client_crls.is_empty() {
        let what = "is of no use without client_authorities".to_owned();
        check.note(Severity::Warning, "client_crls", what, "");
    }
    check.mistakes
}

/// Collects the mistakes in the files of one table.
pub(super) struct Check<'a> {
    name: &'a str,
    table: Option<&'a Node>,
    /// Which entry of a list is looked at.
    item: Option<usize>,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'a> Check<'a> {
    /// Of the `table` whose settings begin with `name`.
    pub(super) fn new(name: &'a str, table: Option<&'a Node>) -> Self {
        Self { name, table, item: None, mistakes: Vec::new() }
    }

    /// Where the file is named.
    fn place(&self, key: &str) -> Place {
        let setting = self.table.and_then(|table| table.get(key));
        let item = self.item.and_then(|index| setting?.item(index));
        item.or(setting).or(self.table).map_or(Place::Whole, |node| node.place.clone())
    }

    pub(super) fn note(&mut self, severity: Severity, key: &str, what: String, allowed: &str) {
        let setting = format!("{}.{key}", self.name);
        let (place, allowed) = (self.place(key), allowed.to_owned());
        self.mistakes.push(Mistake { severity, place, setting, what, allowed });
    }

    pub(super) fn chain(&mut self, key: &str, path: &Path) -> Option<Vec<CertificateDer<'static>>> {
        let bytes = self.read(key, path, 0, PEM)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match chain {
            Ok(chain) if !chain.is_empty() => Some(chain),
            Ok(_) => self.wrong(key, path, "has no certificate in it"),
            Err(error) => self.wrong(key, path, &format!("is no PEM file: {error}")),
        }
    }

    /// The chain in `certificate`, and whether the key in `key` is its: as far as each is named and can be read. That one
    /// of them is not named has been told.
    pub(super) fn certified(&mut self, certificate: &Path, key: &Path) -> Vec<CertificateDer<'static>> {
        let is_named = |path: &Path| !path.as_os_str().is_empty();
        let chain = is_named(certificate).then(|| self.chain("certificate", certificate)).flatten();
        let private = is_named(key).then(|| self.key(key)).flatten();
        if let (Some(chain), Some(private)) = (&chain, private) {
            self.pair(certificate, key, chain.clone(), private);
        }
        chain.unwrap_or_default()
    }

    /// A list that has ended is no reason not to start: only those who log in by certificate are refused.
    fn crls(&mut self, path: &Path, now: SystemTime) {
        let key = "client_crls";
        let Some(bytes) = self.read(key, path, 0, PEM) else { return };
        let mut count = 0;
        for crl in CertificateRevocationListDer::pem_slice_iter(&bytes) {
            count += 1;
            let crl = match crl {
                Ok(crl) => crl,
                Err(error) => {
                    self.wrong::<()>(key, path, &format!("is no PEM file: {error}"));
                    return;
                }
            };
            let Ok((_, crl)) = CertificateRevocationList::from_der(&crl) else {
                self.wrong::<()>(key, path, "has something else than a revocation list (RFC 5280 5) in it");
                return;
            };
            let file = path.display();
            match crl.next_update() {
                Some(next) if seconds(now) > next.timestamp() => {
                    let what =
                        format!("{file} is out of date since {next}: its authority vouches for nobody");
                    self.note(Severity::Warning, key, what, "");
                }
                Some(_) => {}
                // RFC 5280 5.1.2.5 asks for it, and without it nothing can be judged by the list.
                None => drop(self.wrong::<()>(key, path, "has a list without an end (nextUpdate)")),
            }
        }
        if count == 0 {
            self.wrong::<()>(key, path, "has no revocation list in it");
        }
    }

    fn key(&mut self, path: &Path) -> Option<PrivateKeyDer<'static>> {
        // The group may read it, as Debian's ssl-cert does.
        let bytes = self.read("key", path, 0o007, PEM)?;
        match PrivateKeyDer::from_pem_slice(&bytes) {
            Ok(key) => Some(key),
            Err(error) => self.wrong("key", path, &format!("has no private key in it: {error}")),
        }
    }

    fn wrong<T>(&mut self, key: &str, path: &Path, what: &str) -> Option<T> {
        self.note(Severity::Error, key, format!("{} {what}", path.display()), PEM);
        None
    }

    /// The bytes of a file, which is `allowed` to be what that says.
    pub(super) fn read(
        &mut self,
        key: &str,
        path: &Path,
        forbidden_mode: u32,
        allowed: &str,
    ) -> Option<Vec<u8>> {
        let (bytes, mode) = match bytes_and_mode(path) {
            Ok(read) => read,
            Err(error) => {
                let what = format!("{} cannot be read: {error}", path.display());
                self.note(Severity::Error, key, what, &format!("{allowed} that the server may read"));
                return None;
            }
        };
        if mode & forbidden_mode != 0 {
            let what = format!("{} is open to everybody (mode {:04o})", path.display(), mode & 0o7777);
            self.note(Severity::Error, key, what, "mode 0600 or 0640");
        }
        Some(bytes)
    }

    /// A server whose certificate has ended still runs: refusing to start would make an outage of it.
    pub(super) fn dates(&mut self, path: &Path, leaf: &CertificateDer<'_>, now: SystemTime) {
        let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
            self.wrong::<()>("certificate", path, "is no X.509 certificate");
            return;
        };
        let validity = certificate.validity();
        let (begins, ends) = (validity.not_before, validity.not_after);
        let file = path.display();
        if seconds(now) < begins.timestamp() {
            self.note(Severity::Warning, "certificate", format!("{file} is not valid before {begins}"), "");
        } else if seconds(now) > ends.timestamp() {
            let what = format!("{file} has ended on {ends}: others will refuse it");
            self.note(Severity::Warning, "certificate", what, "");
        } else if seconds(now + ENDS_SOON) > ends.timestamp() {
            self.note(Severity::Warning, "certificate", format!("{file} ends on {ends}"), "");
        }
    }

    pub(super) fn domain(&mut self, path: &Path, leaf: &CertificateDer<'_>, domain: &str) {
        if domain.is_empty() || covers(leaf, domain) {
            return;
        }
        let names = names(leaf);
        let what = format!("{} is not for {domain}, but for: {}", path.display(), names.join(", "));
        self.note(Severity::Error, "certificate", what, "a certificate with the domain among its names");
    }

    fn pair(
        &mut self,
        certificate: &Path,
        key_file: &Path,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) {
        let provider = rustls::crypto::ring::default_provider();
        let (certificate, key_file) = (certificate.display(), key_file.display());
        if let Err(error) = provider.key_provider.load_private_key(key.clone_key()) {
            let bits = chain.first().and_then(rsa_bits).filter(|bits| !RSA_BITS.contains(bits));
            let why = bits.map_or_else(|| error.to_string(), |bits| format!("RSA of {bits} bits"));
            return self.note(Severity::Error, "key", format!("{key_file} cannot be used: {why}"), KEYS);
        }
        if let Err(error) = CertifiedKey::from_der(chain, key, &provider) {
            let what = format!("{certificate} and {key_file} do not belong together: {error}");
            self.note(Severity::Error, "key", what, "the private key of the certificate");
        }
    }
}

/// The bits of the certificate's key, if that is one of RSA.
fn rsa_bits(leaf: &CertificateDer<'_>) -> Option<usize> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(key.key_size()),
        _ => None,
    }
}

/// As certificates have it.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The bytes of a file, and its mode.
pub(crate) fn bytes_and_mode(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("is no file"));
    }
    let mut bytes = Vec::new();
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(io::Error::other(format!("is larger than {PEM_BYTES_MAX} bytes")));
    }
    Ok((bytes, metadata.mode()))
}

/// RFC 6120 13.7.1.2: by DNS name, by SRV name, or by XMPP address.
fn covers(leaf: &CertificateDer<'_>, domain: &str) -> bool {
    let Ok(ascii) = idna::domain_to_ascii(domain) else { return false };
    let by_name = ParsedCertificate::try_from(leaf).ok().zip(ServerName::try_from(ascii.clone()).ok());
    if by_name.is_some_and(|(leaf, name)| rustls::client::verify_server_name(&leaf, &name).is_ok()) {
        return true;
    }
    let service = format!("_xmpp-client.{ascii}");
    names(leaf).iter().any(|name| name.eq_ignore_ascii_case(&service) || name == domain)
}

/// The names of a certificate: DNS names and addresses, and the SRV names and XMPP addresses in it.
fn names(leaf: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return Vec::new() };
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::OtherName(oid, value)
            if [SRV_NAME, XMPP_ADDRESS].contains(&oid.to_id_string().as_str()) =>
        {
            other_name(value)
        }
        _ => None,
    });
    names.collect()
}

/// The text in `[0] EXPLICIT IA5String` or `UTF8String`.
fn other_name(value: &[u8]) -> Option<String> {
    let (_, outer) = x509_parser::der_parser::parse_der(value).ok()?;
    let inner = match outer.content {
        x509_parser::der_parser::ber::BerObjectContent::Unknown(any) => any.data.to_vec(),
        _ => return None,
    };
    let (_, text) = x509_parser::der_parser::parse_der(&inner).ok()?;
    text.as_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigError};

    #[test]
    fn a_key_that_is_too_small_is_told_with_its_size() {
        let pem = include_bytes!("rsa_1024.pem");
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let key = PrivateKeyDer::from_pem_slice(pem).expect("a key");
        let mut check = Check::new("host.0", None);
        check.pair(Path::new("a.crt"), Path::new("a.key"), chain.expect("a certificate"), key);
        let told: Vec<_> = check.mistakes.iter().map(|mistake| (&*mistake.what, &*mistake.allowed)).collect();
        assert_eq!(told, [("a.key cannot be used: RSA of 1024 bits", KEYS)]);
    }

    const TEXT: &str = "[[host]]
domain = 'example.org'
certificate = 'no.crt'
  key = 'no.key'
client_authorities = 'no.crt'
client_crls = [
  'no.crl',
    'other.crl',
]
[store]
engine = 'postgres'
url = 'postgresql://stentor@localhost/stentor'
authority = 'no.crt'
password_file = 'no.password'
[cluster]
id = 'example'
name = 'a'
link = '127.0.0.1:0'
gossip = '127.0.0.1:0'
authority = 'no.crt'
certificate = 'no.crt'
key = 'no.key'
gossip_keys = 'no.keys'
";

    #[test]
    fn mistakes_in_files_are_told_where_these_are_named() {
        let check = |environment: &[(String, String)], expected: &[(&str, Place)]| {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("stentor.toml");
            std::fs::write(&file, TEXT).expect("written");
            let error = Config::load(&file, environment, SystemTime::now()).expect_err("there are no files");
            let ConfigError::Mistakes(mistakes) = error else { panic!("{error}") };
            let found: Vec<_> =
                mistakes.list().iter().map(|one| (one.setting.as_str(), one.place.clone())).collect();
            assert_eq!(found, expected);
        };
        let at = |line, column| Place::File { line, column };
        let in_file = [
            ("host.0.certificate", at(3, 15)),
            ("host.0.key", at(4, 9)),
            ("host.0.client_authorities", at(5, 22)),
            ("host.0.client_crls", at(7, 3)),
            ("host.0.client_crls", at(8, 5)),
            ("store.authority", at(13, 13)),
            ("store.password_file", at(14, 17)),
            ("cluster.authority", at(20, 13)),
            ("cluster.certificate", at(21, 15)),
            ("cluster.key", at(22, 7)),
            ("cluster.gossip_keys", at(23, 15)),
        ];
        check(&[], &in_file);
        let variable = "STENTOR__HOST__0__CERTIFICATE";
        let (_, rest) = in_file.split_first().expect("several");
        let last = ("host.0.certificate", Place::Environment(variable.to_owned()));
        check(&[(variable.to_owned(), "x".to_owned())], &[rest, &[last]].concat());
    }
}
