//! `stentor init`: a configuration, a data folder and self-signed certificates.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};

use super::arguments::InitArguments;
use super::output::{Failure, Output};

/// The commented example is what everybody begins with.
const EXAMPLE: &str = include_str!("../../../../config/stentor.toml");

/// The host of the example.
const EXAMPLE_DOMAIN: &str = "localhost";

/// How long a self-signed certificate is valid. Whoever trusts it does so by its fingerprint, and would have
/// to do it anew with each one.
const VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A certificate is valid from a day ago, for clients whose clock is slow.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(86_400);

/// Writes all; what exists is never written over.
pub(super) fn run(arguments: &InitArguments, output: &Output) -> Result<(), Failure> {
    let folder = &arguments.folder;
    let config = folder.join("stentor.toml");
    let mut domains = arguments.domains.clone();
    domains.dedup();
    let certificates: Vec<_> = domains
        .iter()
        .flat_map(|domain| ["crt", "key"].map(|ending| certificate_file(folder, domain, ending)))
        .collect();
    refuse_existing(std::iter::once(&config).chain(&certificates))?;
    DirBuilder::new().recursive(true).create(folder).map_err(|error| failure(folder, &error))?;
    write(&config, 0o644, configuration(&domains).as_bytes())?;
    for private in [folder.join("data"), folder.join("certificates")] {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&private)
            .map_err(|error| failure(&private, &error))?;
    }
    let mut written = vec![config.clone(), folder.join("data")];
    for domain in &domains {
        let (certificate, key) = self_signed(domain)?;
        for (ending, mode, text) in [("crt", 0o644, certificate), ("key", 0o600, key)] {
            let path = certificate_file(folder, domain, ending);
            write(&path, mode, text.as_bytes())?;
            written.push(path);
        }
    }
    let data = serde_json::json!({
        "config": config.display().to_string(),
        "domains": domains,
        "written": written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
    });
    output.print(&data, |_| {
        let mut lines: Vec<_> = written.iter().map(|path| format!("written: {}", path.display())).collect();
        lines.push(
            "The certificates are self-signed: fine for a trial, others will not trust them.".to_owned(),
        );
        lines.push(format!("Start the server: stentor --config {} serve", config.display()));
        lines
    })
}

fn certificate_file(folder: &Path, domain: &str, ending: &str) -> PathBuf {
    folder.join("certificates").join(format!("{domain}.{ending}"))
}

/// Before anything is written: half of it would be in the way of the next try.
fn refuse_existing<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    let existing: Vec<_> = files.filter(|file| file.symlink_metadata().is_ok()).collect();
    if existing.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<_> = existing.iter().map(|file| format!("{}: exists", file.display())).collect();
    lines.push(
        "nothing is written over: move away what is there, or name another folder with --folder".to_owned(),
    );
    Err(Failure::new(lines.join("\n")))
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|error| failure(path, &error))
}

/// The example with the domains in place of its own.
fn configuration(domains: &[String]) -> String {
    let (first, more) =
        domains.split_first().map_or((EXAMPLE_DOMAIN, &[][..]), |(first, more)| (first, more));
    let mut text = EXAMPLE
        .replace(&format!("domain = \"{EXAMPLE_DOMAIN}\""), &format!("domain = \"{first}\""))
        .replace(&format!("certificates/{EXAMPLE_DOMAIN}."), &format!("certificates/{first}."));
    for domain in more {
        text.push_str(&format!(
            "\n\n[[host]]\ndomain = \"{domain}\"\ncertificate = \"certificates/{domain}.crt\"\n\
             key = \"certificates/{domain}.key\"\n"
        ));
    }
    text
}

/// A certificate for `domain` and its ECDSA P-256 key, both as PEM.
fn self_signed(domain: &str) -> Result<(String, String), Failure> {
    let refused =
        |error: &dyn std::fmt::Display| Failure::new(format!("no certificate for {domain}: {error}"));
    // RFC 5280 7.3: names in certificates are ASCII. An IP address is none, and stays as it is.
    let name = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.trim_matches(['[', ']']).to_owned());
    let mut params = CertificateParams::new(vec![name.clone()]).map_err(|error| refused(&error))?;
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_TOLERANCE).into();
    params.not_after = (now + VALIDITY).into();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|error| refused(&error))?;
    let certificate = params.self_signed(&key).map_err(|error| refused(&error))?;
    Ok((certificate.pem(), key.serialize_pem()))
}
