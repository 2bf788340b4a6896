//! `stentor init`: a configuration, a data folder and self-signed certificates.

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};

use super::arguments::InitArguments;
use super::files::{CLOCK_TOLERANCE, VALIDITY, create_private_folder, failure, refuse_existing, write};
use super::output::{Failure, FailureKind, Output};
use crate::control::ControlErrorKind;
use crate::limits::SOCKET_PATH_BYTES_MAX;

/// The commented example is what everybody begins with.
const EXAMPLE: &str = include_str!("../../../../config/stentor.toml");

/// The host of the example.
const EXAMPLE_DOMAIN: &str = "localhost";

/// Writes all; what exists is never written over.
pub(super) fn run(arguments: &InitArguments, config: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let (folder, config) = place(arguments.folder.as_deref(), config)?;
    let folder = folder.as_path();
    let socket = folder.join("data/control.sock");
    if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let message = format!(
            "{} would be longer than the {SOCKET_PATH_BYTES_MAX} bytes that a socket's path can have: name a folder \
             with a shorter path, or enter that folder first",
            socket.display()
        );
        return Err(Failure::new(ControlErrorKind::Refused, message));
    }
    let mut domains = arguments.domains.clone();
    domains.dedup();
    let certificates: Vec<_> = domains
        .iter()
        .flat_map(|domain| ["crt", "key"].map(|ending| certificate_file(folder, domain, ending)))
        .collect();
    refuse_existing(std::iter::once(&config).chain(&certificates), "name another folder with --folder")?;
    DirBuilder::new().recursive(true).create(folder).map_err(|error| failure(folder, &error))?;
    write(&config, 0o644, configuration(&domains).as_bytes())?;
    for private in [folder.join("data"), folder.join("certificates")] {
        create_private_folder(&private)?;
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
        lines.push(format!("Start the server: stentor --config {} serve", quoted(&config)));
        lines
    })
}

/// The path as a word for a shell.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,".contains(&byte) || !byte.is_ascii();
    if path.bytes().all(is_plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// The folder to write to, and the configuration in it: what stands in that is relative to its folder.
fn place(folder: Option<&Path>, config: Option<&Path>) -> Result<(PathBuf, PathBuf), Failure> {
    let Some(config) = config else {
        let folder = folder.unwrap_or(Path::new("."));
        return Ok((folder.to_owned(), folder.join("stentor.toml")));
    };
    let beside = config.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Some(folder) = folder
        && std::path::absolute(folder)? != std::path::absolute(beside)?
    {
        let message = format!(
            "{} is not in {}: a configuration stands in the folder that is written to; leave out --folder, or name \
             another file with --config or STENTOR_CONFIG",
            config.display(),
            folder.display()
        );
        return Err(Failure::of(FailureKind::Usage, message));
    }
    Ok((beside.to_owned(), config.to_owned()))
}

fn certificate_file(folder: &Path, domain: &str, ending: &str) -> PathBuf {
    folder.join("certificates").join(format!("{domain}.{ending}"))
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
    let refused = |error: &dyn std::fmt::Display| {
        Failure::new(ControlErrorKind::Refused, format!("no certificate for {domain}: {error}"))
    };
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
