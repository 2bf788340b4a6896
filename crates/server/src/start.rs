//! From the configuration to what the parts of the server are given.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use stentor_auth::{Credential, Family, Hash, Iterations, Salts, ServerSecret};
use stentor_entities::{Hosts, UserLimits};
use stentor_net::{AddressLimits, HostCertificate, OldestTls, SessionLimits};
use stentor_runtime::Derive;
use stentor_xml::{ElementBuilder, Limits};
use stentor_xmpp::ns;

use crate::config::{
    Config, ContactConfig, HostConfig, LimitsConfig, Mechanism, Registration, TlsVersion, bytes_and_mode,
};
use crate::descriptors;

/// Something that the configuration names cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Unusable {
    path: String,
    reason: String,
}

pub(crate) fn unusable(path: &Path, reason: impl ToString) -> Unusable {
    Unusable { path: path.display().to_string(), reason: reason.to_string() }
}

/// What the users are given.
pub(crate) fn hosts(config: &Config) -> Arc<Hosts> {
    let limits = UserLimits {
        resources_max: count(config.limits.resources_max),
        roster_items_max: count(config.limits.roster_contacts_max),
        offline_messages_max: count(config.limits.offline_messages_max),
        offline_bytes_max: count(config.limits.offline_bytes_max),
        resume_seconds: config.stream_management.resume_seconds_max.try_into().unwrap_or(u32::MAX),
        unacknowledged_stanzas_max: count(config.stream_management.unacknowledged_max),
        unacknowledged_bytes_max: count(config.stream_management.unacknowledged_bytes_max),
        ..UserLimits::default()
    };
    let hosts = config.hosts.iter().map(entity_host);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let mut hosts = Hosts::new(hosts.collect(), limits, env!("CARGO_PKG_VERSION"), started);
    hosts.is_clustered = config.cluster.is_some();
    Arc::new(hosts)
}

fn entity_host(host: &HostConfig) -> stentor_entities::Host {
    stentor_entities::Host {
        domain: host.domain.as_str().into(),
        keep: host.keep,
        contacts: contacts(&host.contact),
        registration: host.registration == Registration::Open,
    }
}

fn contacts(contact: &ContactConfig) -> Vec<(String, Vec<String>)> {
    let named = [
        ("abuse-addresses", &contact.abuse),
        ("admin-addresses", &contact.admin),
        ("feedback-addresses", &contact.feedback),
        ("sales-addresses", &contact.sales),
        ("security-addresses", &contact.security),
        ("status-addresses", &contact.status),
        ("support-addresses", &contact.support),
    ];
    let given = named.into_iter().filter(|(_, addresses)| !addresses.is_empty());
    given.map(|(name, addresses)| (name.to_owned(), addresses.clone())).collect()
}

/// What client streams are given.
pub(crate) fn stream_settings(config: &Config, secret: ServerSecret) -> stentor_stream::Settings {
    let hosts = config.hosts.iter().map(|host| stream_host(config, host));
    let mut settings = stentor_stream::Settings::new(secret, hosts);
    let limits = &config.limits;
    settings.bound_limits = Limits {
        stanza_bytes_max: limits.stanza_bytes_max.try_into().unwrap_or(u32::MAX),
        depth_max: limits.depth_max.try_into().unwrap_or(u16::MAX),
        attributes_max: limits.attributes_max.try_into().unwrap_or(u16::MAX),
        namespaces_max: limits.namespaces_max.try_into().unwrap_or(u16::MAX),
        ..settings.bound_limits
    };
    settings.unbound_limits = Limits {
        stanza_bytes_max: limits.unauthenticated_bytes_max.try_into().unwrap_or(u32::MAX),
        elements_max: limits.unauthenticated_elements_max.try_into().unwrap_or(u32::MAX),
        ..settings.unbound_limits
    };
    settings.authentications_max = config.auth.attempts_max.try_into().unwrap_or(u8::MAX);
    let seconds = |setting: u64| Some(setting.try_into().unwrap_or(u32::MAX));
    settings.idle_seconds = seconds(limits.idle_seconds);
    settings.unbound_idle_seconds = seconds(limits.idle_seconds.min(limits.login_seconds_max));
    settings
}

fn stream_host(config: &Config, host: &HostConfig) -> stentor_stream::Host {
    let mut stream = stentor_stream::Host::new(host.domain.as_str());
    stream.authentication = stentor_auth::Settings {
        families: config.auth.mechanisms.iter().filter_map(|mechanism| family(*mechanism, host)).collect(),
        iterations: iterations(config),
        ..stentor_auth::Settings::default()
    };
    stream.registration = host.registration == Registration::Open;
    stream.refuse_lookalikes = host.refuse_lookalikes;
    stream.see_other_host.clone_from(&host.see_other_host);
    stream.features = vec![
        ElementBuilder::new("ver", ns::ROSTER_VERSIONING).build(),
        ElementBuilder::new("sub", ns::PRE_APPROVAL).build(),
        stentor_entities::server_caps(&entity_host(host)),
    ];
    stream
}

fn family(mechanism: Mechanism, host: &HostConfig) -> Option<Family> {
    Some(match mechanism {
        Mechanism::ScramSha512 => Family::Scram(Hash::Sha512),
        Mechanism::ScramSha256 => Family::Scram(Hash::Sha256),
        Mechanism::ScramSha1 => Family::Scram(Hash::Sha1),
        Mechanism::Plain => Family::Plain,
        Mechanism::External => return host.client_authorities.is_some().then_some(Family::External),
    })
}

fn iterations(config: &Config) -> Iterations {
    u32::try_from(config.auth.scram_iterations).ok().and_then(Iterations::new).unwrap_or_default()
}

/// Derives the keys of new passwords.
pub(crate) fn derive(config: &Config) -> Derive {
    let iterations = iterations(config);
    Arc::new(move |password| {
        let mut random = [[0; 16]; 3];
        for salt in &mut random {
            getrandom::fill(salt).ok()?;
        }
        let credential = Credential::derive(password, &Salts::from_random(random), iterations).ok()?;
        Some(Bytes::from(credential.to_json()))
    })
}

/// The certificates of all hosts, the first host's first, with the authorities of their users' certificates.
pub(crate) fn certificates(config: &Config) -> Result<Vec<HostCertificate>, Unusable> {
    config.hosts.iter().map(certificate).collect()
}

fn certificate(host: &HostConfig) -> Result<HostCertificate, Unusable> {
    let mut client_authorities = RootCertStore::empty();
    if let Some(path) = &host.client_authorities {
        for authority in chain(path)? {
            client_authorities.add(authority).map_err(|error| unusable(path, error))?;
        }
    }
    let mut client_crls = Vec::new();
    for path in &host.client_crls {
        let crls =
            CertificateRevocationListDer::pem_file_iter(path).map_err(|error| unusable(path, error))?;
        for crl in crls {
            client_crls.push(crl.map_err(|error| unusable(path, error))?);
        }
    }
    Ok(HostCertificate {
        domain: host.domain.clone(),
        chain: chain(&host.certificate)?,
        key: PrivateKeyDer::from_pem_file(&host.key).map_err(|error| unusable(&host.key, error))?,
        client_authorities,
        client_crls,
    })
}

/// The oldest version of TLS that is accepted.
pub(crate) fn oldest_tls(config: &Config) -> OldestTls {
    match config.tls.version_min {
        TlsVersion::V1_2 => OldestTls::V1_2,
        TlsVersion::V1_3 => OldestTls::V1_3,
    }
}

/// The certificates in a PEM file.
pub(crate) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, error))?;
    certificates.collect::<Result<_, _>>().map_err(|error| unusable(path, error))
}

/// What a connection may take.
pub(crate) fn session_limits(config: &Config) -> SessionLimits {
    let limit = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let LimitsConfig { bytes_per_second, burst_bytes, .. } = config.limits;
    SessionLimits {
        rate: (bytes_per_second > 0).then(|| (limit(bytes_per_second), limit(burst_bytes))),
        handshake: Duration::from_secs(config.limits.handshake_seconds_max),
        login: Duration::from_secs(config.limits.login_seconds_max),
        idle: Duration::from_secs(config.limits.idle_seconds),
        answer: Duration::from_secs(config.limits.answer_seconds_max),
    }
}

/// What all connections of an address may take.
pub(crate) fn address_limits(config: &Config) -> AddressLimits {
    AddressLimits {
        unauthenticated_max: count(config.limits.unauthenticated_per_address_max),
        fruitless_per_minute_max: config.limits.fruitless_per_minute_max.try_into().unwrap_or(u32::MAX),
        streams_max: count(config.limits.streams_max.min(descriptors::streams())),
        registrations_per_hour_max: config.limits.registrations_per_hour_max.try_into().unwrap_or(u32::MAX),
    }
}

/// The secret of a server with a store of its own, made at its first start and kept: it makes the salts of accounts that
/// do not exist, which must not change.
pub(crate) fn secret(data: &Path) -> Result<ServerSecret, Unusable> {
    let path = data.join(SECRET);
    let secret = match kept_secret(&path)? {
        Some(secret) => secret,
        None => make_secret(&path).map_err(|error| unusable(&path, error))?,
    };
    Ok(ServerSecret::new(secret))
}

/// What a server whose store is a database offers for that secret, which is kept there: its own, if it had a store of its
/// own before.
pub(crate) fn offered_secret(data: &Path) -> Result<[u8; 32], Unusable> {
    let path = data.join(SECRET);
    let kept = kept_secret(&path)?;
    kept.map_or_else(|| random_secret().map_err(|error| unusable(&path, error)), Ok)
}

/// The file in the data folder.
const SECRET: &str = "secret";

fn kept_secret(path: &Path) -> Result<Option<[u8; 32]>, Unusable> {
    let (bytes, mode) = match bytes_and_mode(path) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, error)),
    };
    if mode & 0o007 != 0 {
        let what = format!("it is open to everybody (mode {:04o}); chmod 600 it", mode & 0o7777);
        return Err(unusable(path, what));
    }
    bytes.try_into().map(Some).map_err(|_| unusable(path, "it does not have 32 bytes"))
}

fn random_secret() -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(secret)
}

fn make_secret(path: &Path) -> io::Result<[u8; 32]> {
    let secret = random_secret()?;
    // Half a secret would keep the server from starting ever again.
    let draft = path.with_extension("draft");
    // One that is there is of a start that was cut off.
    let _ = fs::remove_file(&draft);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    Ok(secret)
}

/// A setting as a count.
pub(crate) fn count(setting: u64) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_secret_is_made_once_whole_and_for_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(SECRET);
        fs::write(path.with_extension("draft"), "ha").expect("a first start that was cut off");
        make_secret(&path).expect("made");
        let kept = kept_secret(&path).expect("readable");
        assert!(kept.is_some());
        secret(folder.path()).expect("as it is");
        assert_eq!(kept_secret(&path).expect("readable"), kept);
        let open = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        open(0o640);
        assert_eq!(kept_secret(&path).expect("for a group"), kept);
        open(0o644);
        let refused = kept_secret(&path).expect_err("for everybody").to_string();
        assert!(refused.contains("mode 0644"), "{refused}");
    }
}
