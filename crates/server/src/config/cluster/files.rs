//! The files that a member needs: the cluster's authority, its own certificate, keys of gossip, and what the shared
//! store is reached with.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, RootCertStore};
use stentor_cluster::limits::GOSSIP_KEYS_MAX;
use zeroize::Zeroizing;

use super::{ClusterConfig, MEMBER_DOMAIN};
use crate::config::certificate::{Check, bytes_and_mode};
use crate::config::mistake::{Mistake, Severity};
use crate::config::tree::{Node, Table};
use crate::config::{Config, StoreEngine};

/// A key of gossip.
pub type GossipKeyBytes = Zeroizing<[u8; 32]>;

/// Why a file has no keys of gossip.
#[derive(Debug, thiserror::Error)]
pub enum GossipKeysError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A line is neither a key nor a comment.
    #[error("has something else than a key in line {0}; `stentor cluster key` makes keys")]
    Line(usize),
    /// None, or more than are used at a time.
    #[error("has {0} keys; from 1 to {GOSSIP_KEYS_MAX} can be used at a time")]
    Count(usize),
}

/// The keys in the file at `path`, in its order: one a line, 32 bytes in base64; lines that begin with `#` are comments.
///
/// # Errors
/// The file has no such keys, or too many.
pub fn read_gossip_keys(path: &Path) -> Result<Vec<GossipKeyBytes>, GossipKeysError> {
    let bytes = Zeroizing::new(bytes_and_mode(path)?.0);
    gossip_keys(&bytes)
}

fn gossip_keys(bytes: &[u8]) -> Result<Vec<GossipKeyBytes>, GossipKeysError> {
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let decoded = STANDARD.decode(line).map(Zeroizing::new).map_err(|_| GossipKeysError::Line(number))?;
        let key = <[u8; 32]>::try_from(&decoded[..]).map_err(|_| GossipKeysError::Line(number))?;
        keys.push(Zeroizing::new(key));
    }
    if (1..=GOSSIP_KEYS_MAX).contains(&keys.len()) {
        Ok(keys)
    } else {
        Err(GossipKeysError::Count(keys.len()))
    }
}

/// The mistakes in the files of `[cluster]` and `[store]`, which stand in `root`.
pub(in crate::config) fn check(config: &Config, root: &Table, now: SystemTime) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Some(member) = &config.cluster {
        mistakes.extend(check_member(member, root.get("cluster"), now));
    }
    if config.store.engine == StoreEngine::Postgres {
        let mut check = Check::new("store", root.get("store"));
        if let Some(path) = &config.store.authority {
            check.chain("authority", path);
        }
        if let Some(path) = &config.store.password_file {
            check.read("password_file", path, 0o007, "a file whose first line is the password");
        }
        mistakes.extend(check.mistakes);
    }
    mistakes
}

fn check_member(member: &ClusterConfig, table: Option<&Node>, now: SystemTime) -> Vec<Mistake> {
    let is_named = |path: &Path| !path.as_os_str().is_empty();
    let mut check = Check::new("cluster", table);
    // What is not named has been told.
    let authorities =
        is_named(&member.authority).then(|| check.chain("authority", &member.authority)).flatten();
    if let Some((leaf, rest)) = check.certified(&member.certificate, &member.key).split_first() {
        check.dates(&member.certificate, leaf, now);
        if !member.name.is_empty() {
            let name = format!("{}.{MEMBER_DOMAIN}", member.name);
            check.domain(&member.certificate, leaf, &name);
            let of = authorities.and_then(|roots| vouches(roots, leaf, rest, &name, now).err());
            if let Some(error) = of {
                let what = format!("{} {}", member.certificate.display(), why_refused(&error, member));
                let allowed = "what `stentor cluster certificate` made with this authority";
                check.note(Severity::Error, "certificate", what, allowed);
            }
        }
    }
    if is_named(&member.gossip_keys) {
        let allowed = "a file of keys that `stentor cluster key` made, one a line";
        if let Some(bytes) = check.read("gossip_keys", &member.gossip_keys, 0o007, allowed)
            && let Err(error) = gossip_keys(&Zeroizing::new(bytes))
        {
            let what = format!("{} {error}", member.gossip_keys.display());
            check.note(Severity::Error, "gossip_keys", what, allowed);
        }
    }
    check.mistakes
}

fn why_refused(error: &rustls::Error, member: &ClusterConfig) -> String {
    use CertificateError::{InvalidPurpose, InvalidPurposeContext};
    match error {
        rustls::Error::InvalidCertificate(InvalidPurpose | InvalidPurposeContext { .. }) => {
            "is not for both ends of a link: its extended key usage needs serverAuth and clientAuth"
                .to_owned()
        }
        error => format!("is not of the authority in {}: {error}", member.authority.display()),
    }
}

/// Whether the first certificate in the PEM file `certificate` is for `name` and of an authority in the PEM file
/// `authority`.
pub fn is_of_authority(certificate: &[u8], authority: &[u8], name: &str, now: SystemTime) -> bool {
    let chain = |bytes| CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    let (Ok(chain), Ok(authorities)) = (chain(certificate), chain(authority)) else { return false };
    let Some((leaf, rest)) = chain.split_first() else { return false };
    verify(authorities, leaf, rest, name, now).is_ok()
}

/// Whether other members will take the certificate, but for its dates and names, which are told by themselves.
fn vouches(
    authorities: Vec<CertificateDer<'static>>,
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    name: &str,
    now: SystemTime,
) -> Result<(), rustls::Error> {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
    };
    match verify(authorities, leaf, rest, name, now) {
        Err(rustls::Error::InvalidCertificate(
            Expired
            | ExpiredContext { .. }
            | NotValidForName
            | NotValidForNameContext { .. }
            | NotValidYet
            | NotValidYetContext { .. },
        )) => Ok(()),
        result => result,
    }
}

/// As both ends of a link do: members connect to each other.
fn verify(
    authorities: Vec<CertificateDer<'_>>,
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    name: &str,
    now: SystemTime,
) -> Result<(), rustls::Error> {
    let other = |error: &dyn std::fmt::Display| rustls::Error::General(error.to_string());
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(roots);
    let server = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
    let server = server.build().map_err(|error| other(&error))?;
    let client = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let client = client.build().map_err(|error| other(&error))?;
    let name = ServerName::try_from(name).map_err(|error| other(&error))?;
    let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
    server.verify_server_cert(leaf, rest, &name, &[], now)?;
    client.verify_client_cert(leaf, rest, now).map(|_| ())
}
