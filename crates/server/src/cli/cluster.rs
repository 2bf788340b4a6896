//! `stentor cluster init`, `certificate` and `key`: what the members of a cluster trust each other by.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use zeroize::Zeroizing;

use super::files::{self, CLOCK_TOLERANCE, VALIDITY, write};
use super::output::{Failure, Output};
use crate::config::{MEMBER_DOMAIN, is_of_authority};
use crate::control::ControlErrorKind;

/// The subject of each cluster's authority. Another name would have to be read from its certificate.
const AUTHORITY: &str = "stentor-cluster authority";

/// An authority, a key of gossip, and a certificate for each member.
pub(super) fn init(folder: &Path, members: &[String], output: &Output) -> Result<(), Failure> {
    let mut names = HashSet::new();
    if let Some(name) = members.iter().find(|name| !names.insert(*name)) {
        let message = format!("{name} is named twice: each member has a name of its own");
        return Err(Failure::new(ControlErrorKind::Refused, message));
    }
    let authority = ["crt", "key"].map(|ending| authority_file(folder, ending));
    let gossip = folder.join("gossip.keys");
    let of_members = members.iter().flat_map(|name| member_files(folder, name));
    let written: Vec<_> = authority.iter().cloned().chain([gossip.clone()]).chain(of_members).collect();
    files::refuse_existing(written.iter(), "name another folder")?;
    files::create_private_folder(folder)?;
    let key = new_key()?;
    let params = authority_params()?;
    let signed = params.self_signed(&key).map_err(|error| refused(&error))?;
    let [certificate_file, key_file] = authority;
    write(&certificate_file, 0o644, signed.pem().as_bytes())?;
    write(&key_file, 0o600, key.serialize_pem().as_bytes())?;
    write(&gossip, 0o600, gossip_line()?.as_bytes())?;
    let issuer = Issuer::new(params, key);
    for name in members {
        issue(folder, name, &issuer)?;
    }
    told(
        &written,
        output,
        &[
            "Each member needs authority.crt, gossip.keys, and its own .crt and .key; nobody else does."
                .to_owned(),
            format!(
                "{} makes more certificates: keep it where no member is.",
                authority_file(folder, "key").display()
            ),
            "config/cluster.toml is a commented example of a member's configuration.".to_owned(),
        ],
    )
}

/// One more certificate of an authority that is there.
pub(super) fn certificate(name: &str, folder: &Path, output: &Output) -> Result<(), Failure> {
    let written = member_files(folder, name);
    files::refuse_existing(written.iter(), "name another member")?;
    let (certificate_file, key_file) = (authority_file(folder, "crt"), authority_file(folder, "key"));
    let missing = |path: &Path, error: &std::io::Error| {
        let hint = "`stentor cluster init` makes an authority";
        Failure::new(ControlErrorKind::of(error), format!("{}: {error}; {hint}", path.display()))
    };
    let authority = fs::read(&certificate_file).map_err(|error| missing(&certificate_file, &error))?;
    let pem = fs::read_to_string(&key_file).map(Zeroizing::new);
    let pem = pem.map_err(|error| missing(&key_file, &error))?;
    let key = KeyPair::from_pem(&pem);
    let key = key.map_err(|error| {
        Failure::new(ControlErrorKind::Refused, format!("{}: {error}", key_file.display()))
    })?;
    let issuer = Issuer::new(authority_params()?, key);
    let (signed, own_key) = signed(name, &issuer)?;
    if !is_of_authority(signed.as_bytes(), &authority, &member_name(name), SystemTime::now()) {
        let message = format!(
            "{} and {} are not what `stentor cluster init` made together",
            certificate_file.display(),
            key_file.display()
        );
        return Err(Failure::new(ControlErrorKind::Refused, message));
    }
    write_member(folder, name, &signed, &own_key)?;
    told(&written, output, &[])
}

/// A fresh key of gossip.
pub(super) fn key(file: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let line = gossip_line()?;
    let Some(file) = file else {
        let key = line.trim_end().to_owned();
        return output.print(&serde_json::json!({ "key": key }), |_| vec![key]);
    };
    let written = [file.to_owned()];
    files::refuse_existing(
        written.iter(),
        "name another file; to add a key, append what is printed without --file",
    )?;
    write(file, 0o600, line.as_bytes())?;
    told(&written, output, &[])
}

fn told(written: &[PathBuf], output: &Output, more: &[String]) -> Result<(), Failure> {
    let files: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
    output.print(&serde_json::json!({ "written": files }), |_| {
        let lines = files.iter().map(|file| format!("written: {file}"));
        lines.chain(more.iter().cloned()).collect()
    })
}

fn authority_file(folder: &Path, ending: &str) -> PathBuf {
    folder.join(format!("authority.{ending}"))
}

fn member_files(folder: &Path, name: &str) -> [PathBuf; 2] {
    ["crt", "key"].map(|ending| folder.join(format!("{name}.{ending}")))
}

fn member_name(name: &str) -> String {
    format!("{name}.{MEMBER_DOMAIN}")
}

fn refused(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ControlErrorKind::Refused, format!("no certificate: {error}"))
}

fn new_key() -> Result<KeyPair, Failure> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|error| refused(&error))
}

fn params(names: Vec<String>, subject: &str) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(names).map_err(|error| refused(&error))?;
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_TOLERANCE).into();
    params.not_after = (now + VALIDITY).into();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    Ok(params)
}

/// It vouches for members alone, whatever becomes of its key.
fn authority_params() -> Result<CertificateParams, Failure> {
    let mut params = params(Vec::new(), AUTHORITY)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(MEMBER_DOMAIN.to_owned())],
        excluded_subtrees: Vec::new(),
    });
    Ok(params)
}

fn issue(folder: &Path, name: &str, issuer: &Issuer<'_, KeyPair>) -> Result<(), Failure> {
    let (certificate, key) = signed(name, issuer)?;
    write_member(folder, name, &certificate, &key)
}

fn write_member(folder: &Path, name: &str, certificate: &str, key: &str) -> Result<(), Failure> {
    let [certificate_file, key_file] = member_files(folder, name);
    write(&certificate_file, 0o644, certificate.as_bytes())?;
    write(&key_file, 0o600, key.as_bytes())
}

/// A member's certificate, which it shows as the one that connects and as the one that is connected to, and its key,
/// both as PEM.
fn signed(name: &str, issuer: &Issuer<'_, KeyPair>) -> Result<(String, Zeroizing<String>), Failure> {
    let name = member_name(name);
    let mut params = params(vec![name.clone()], &name)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = new_key()?;
    let certificate = params.signed_by(&key, issuer).map_err(|error| refused(&error))?;
    Ok((certificate.pem(), Zeroizing::new(key.serialize_pem())))
}

/// A line for the file of keys.
fn gossip_line() -> Result<Zeroizing<String>, Failure> {
    let mut key = Zeroizing::new([0; 32]);
    let filled = getrandom::fill(&mut *key);
    filled.map_err(|error| Failure::new(ControlErrorKind::Fault, format!("no key: {error}")))?;
    Ok(Zeroizing::new(STANDARD.encode(*key) + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_gossip_keys;
    use std::os::unix::fs::PermissionsExt;

    const QUIET: Output = Output { is_json: true };

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn members_trust_each_other_by_what_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("cluster");
        init(&folder, &names(&["a", "b"]), &QUIET).expect("made");
        certificate("c", &folder, &QUIET).expect("made");
        let read = |name: &str| fs::read(folder.join(name)).expect("it is there");
        let authority = read("authority.crt");
        for name in ["a", "b", "c"] {
            let certificate = read(&format!("{name}.crt"));
            let is_of = |name: &str| is_of_authority(&certificate, &authority, name, SystemTime::now());
            assert!(is_of(&member_name(name)), "{name}");
            assert!(!is_of("other.stentor-cluster"), "{name}");
            let mode =
                fs::metadata(folder.join(format!("{name}.key"))).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(read_gossip_keys(&folder.join("gossip.keys")).expect("a key").len(), 1);

        let other = folder.with_extension("other");
        let failure = init(&other, &names(&["a", "b", "a"]), &QUIET).expect_err("one name twice");
        assert!(failure.message.starts_with("a is named twice") && !other.exists(), "{}", failure.message);

        let failure = init(&folder, &names(&["d"]), &QUIET).expect_err("exists");
        assert!(failure.message.contains("authority.crt: exists"), "{}", failure.message);
        assert!(!folder.join("d.crt").exists());
        let failure = certificate("a", &folder, &QUIET).expect_err("exists");
        assert!(failure.message.contains("a.key: exists"), "{}", failure.message);
    }

    #[test]
    fn a_certificate_needs_its_authority() {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let [one, other] = folders.each_ref().map(|folder| folder.path().join("cluster"));
        init(&one, &[], &QUIET).expect("made");
        let failure = certificate("a", &other, &QUIET).expect_err("no authority");
        assert!(failure.message.contains("`stentor cluster init` makes an authority"), "{}", failure.message);
        init(&other, &[], &QUIET).expect("made");
        fs::copy(other.join("authority.key"), one.join("authority.key")).expect("copied");
        let failure = certificate("a", &one, &QUIET).expect_err("another's key");
        assert!(failure.message.contains("are not what `stentor cluster init` made together"));
        assert!(!one.join("a.crt").exists());
    }

    #[test]
    fn keys_of_gossip_are_added_by_appending() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gossip.keys");
        key(Some(&file), &QUIET).expect("made");
        assert!(key(Some(&file), &QUIET).expect_err("exists").message.contains("append"));
        let text = fs::read_to_string(&file).expect("it is there");
        fs::write(&file, format!("# old\n{text}\n# new\n{}", gossip_line().expect("a key").as_str()))
            .expect("written");
        let keys = read_gossip_keys(&file).expect("two keys");
        assert_eq!(keys.len(), 2);
        assert_ne!(keys.first(), keys.last());
        for (text, expected) in [
            ("", "has 0 keys; from 1 to 8"),
            ("# no\nc2hvcnQ=\n", "has something else than a key in line 2"),
            ("nonsense", "has something else than a key in line 1"),
            (&text.repeat(9), "has 9 keys"),
        ] {
            fs::write(&file, text).expect("written");
            let error = read_gossip_keys(&file).expect_err("no keys").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
