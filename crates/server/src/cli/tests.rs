use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Command as Clap;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use super::*;
use crate::config::{Config, Severity};

/// The whole help as kept in the file beside this one. After a change on purpose, write it anew with
/// `STENTOR_BLESS=1 cargo test -p stentor-server help`.
#[test]
fn the_help_is_as_kept() {
    let mut text = String::new();
    let mut command = Arguments::command().term_width(100);
    command.build();
    help(command, "", &mut text);
    if std::env::var_os("STENTOR_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/help.txt");
        std::fs::write(path, &text).expect("written");
        return;
    }
    let kept = include_str!("help.txt");
    let differs = text.lines().zip(kept.lines()).find(|(new, old)| new != old);
    assert_eq!(differs, None, "(new, kept)");
    assert_eq!(text.lines().count(), kept.lines().count());
}

fn help(command: Clap, parents: &str, text: &mut String) {
    let name = format!("{parents}{} ", command.get_name());
    let rendered = command.clone().bin_name(name.trim()).render_long_help();
    let lines: Vec<_> = rendered.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    text.push_str(&format!("$ {name}--help\n{}\n\n", lines.join("\n").trim_end()));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        help(sub.clone().term_width(100), &name, text);
    }
}

#[test]
fn the_command_line_is_sound() {
    Arguments::command().debug_assert();
    let check = |line: &str, expected: Option<&str>| {
        let parsed = Arguments::try_parse_from(std::iter::once("stentor").chain(line.split_whitespace()));
        let found = parsed.err().map(|error| error.to_string());
        match (&found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{line}: {found}"),
            _ => panic!("{line}: {found:?}"),
        }
    };
    check("serve", None);
    check("user add juliet@example.org --password-stdin", None);
    check("user list --json --config x.toml", None);
    check("session kick juliet@example.org/balcony --reason bye", None);
    check("init example.org bücher.example --folder x", None);
    check("user add example.org", Some("an account is written name@domain"));
    check("user add juliet@example.org/balcony", Some("without a resource"));
    check("user add juliet@", Some("the domainpart is empty"));
    check("user add a@b --password x --password-stdin", Some("cannot be used with"));
    check("cluster init x --member a --member b", None);
    check("cluster certificate a --authority x", None);
    check("cluster key --file x", None);
    check("cluster locate juliet@example.org --json", None);
    check("cluster members", None);
    check("cluster init x --member a.b", Some("a member's name has 1 to 63 small letters"));
    check("cluster certificate authority --authority x", Some("and is not \"authority\""));
    check("init juliet@example.org", Some("a domain has no @ in it"));
    let labels = ["a", "ü"].map(|letter| letter.repeat(64) + ".example");
    labels.iter().for_each(|label| check(&format!("init {label}"), Some("has at most 63 bytes")));
    check(&format!("init {}.example", "a".repeat(63)), None);
    check("init ../../etc", Some("a domain has no / in it"));
    check("session kick @", Some("error"));
    check("session kick example.org", Some("name@domain/resource"));
    check("fly", Some("unrecognized subcommand"));
    check("completions tcsh-ish", Some("possible values"));
}

/// With `--json`, what is wrong is the message of the same object as every other failure.
#[test]
fn usage_errors_are_failures_as_well() {
    let check = |line: &str, expected: &str| {
        let words = std::iter::once("stentor").chain(line.split_whitespace());
        let failure = usage_failure(&Arguments::try_parse_from(words).expect_err("no command"));
        assert_eq!(failure.kind, FailureKind::Usage);
        assert_eq!(failure.message, expected, "{line}");
    };
    check("", "no command is named; --help lists them");
    check("user", "no command is named; --help lists them");
    check(
        "user ad",
        "unrecognized subcommand 'ad'\ntip: a similar subcommand exists: 'add'\n\
         Usage: stentor user [OPTIONS] <COMMAND>",
    );
    check(
        "user add example.org",
        "invalid value 'example.org' for '<JID>': an account is written name@domain",
    );
}

/// A folder made by `stentor init` for these domains.
fn initialised(domains: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    let arguments = arguments::InitArguments { domains, folder: Some(folder.path().to_owned()) };
    init::run(&arguments, None, &Output { is_json: true }).expect("initialised");
    folder
}

fn load(folder: &Path, now: SystemTime) -> Result<Vec<String>, Vec<String>> {
    let file = folder.join("stentor.toml");
    let prefix = format!("{}/", folder.display());
    let lines = |mistakes: &crate::config::Mistakes| {
        mistakes.lines().iter().map(|line| line.replace(&prefix, "")).collect::<Vec<_>>()
    };
    match Config::load(&file, &[], now) {
        Ok(loaded) => Ok(lines(&loaded.warnings)),
        Err(crate::config::ConfigError::Mistakes(mistakes)) => Err(lines(&mistakes)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_init_writes_has_no_mistake() {
    let folder = initialised(&["example.org", "bücher.example", "10.0.0.1"]);
    assert_eq!(load(folder.path(), SystemTime::now()), Ok(vec![]));
    let mode = |name: &str| {
        let metadata = std::fs::metadata(folder.path().join(name)).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("certificates/example.org.key"), 0o600);
    assert_eq!(mode("data"), 0o700);
    let loaded =
        Config::load(&folder.path().join("stentor.toml"), &[], SystemTime::now()).expect("no mistake");
    let domains: Vec<_> = loaded.config.hosts.iter().map(|host| host.domain.as_str()).collect();
    assert_eq!(domains, ["example.org", "bücher.example", "10.0.0.1"]);

    let again = arguments::InitArguments {
        domains: vec!["other".to_owned()],
        folder: Some(folder.path().to_owned()),
    };
    let failure = init::run(&again, None, &Output { is_json: true }).expect_err("nothing is written over");
    assert!(failure.message.contains("stentor.toml"), "{}", failure.message);
}

#[test]
fn certificates_are_checked() {
    let check = |change: &dyn Fn(&Path), years: u64, expected: Result<&[&str], &[&str]>| {
        let folder = initialised(&["example.org"]);
        change(&folder.path().join("certificates"));
        let now = SystemTime::now() + Duration::from_secs(years * 365 * 86_400);
        let found = load(folder.path(), now);
        let (found, expected) = match (&found, expected) {
            (Ok(found), Ok(expected)) | (Err(found), Err(expected)) => (found, expected),
            _ => panic!("{found:?} instead of {expected:?}"),
        };
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (line, expected) in found.iter().zip(expected) {
            assert!(line.contains(expected), "{line} has no {expected}");
        }
    };
    let other = initialised(&["example.net"]);
    let other = |name: &str| other.path().join("certificates").join(name);
    let copy = |from: &Path, to: &Path| {
        std::fs::copy(from, to).expect("copied");
    };
    let write = |path: &Path, text: &str| std::fs::write(path, text).expect("written");

    check(&|_| {}, 0, Ok(&[]));
    check(&|_| {}, 11, Ok(&["host.0.certificate: certificates/example.org.crt has ended on"]));
    check(
        &|at| std::fs::remove_file(at.join("example.org.crt")).expect("removed"),
        0,
        Err(&[
            "stentor.toml:20:15: host.0.certificate: certificates/example.org.crt cannot be read: No such file",
        ]),
    );
    check(&|at| write(&at.join("example.org.crt"), "nothing"), 0, Err(&["has no certificate in it"]));
    check(&|at| write(&at.join("example.org.key"), "nothing"), 0, Err(&["has no private key in it"]));
    check(
        &|at| copy(&other("example.net.key"), &at.join("example.org.key")),
        0,
        Err(&[
            "host.0.key: certificates/example.org.crt and certificates/example.org.key do not belong together",
        ]),
    );
    check(
        &|at| {
            copy(&other("example.net.key"), &at.join("example.org.key"));
            copy(&other("example.net.crt"), &at.join("example.org.crt"));
        },
        0,
        Err(&["certificates/example.org.crt is not for example.org, but for: example.net"]),
    );
    check(
        &|at| {
            let mode = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(at.join("example.org.key"), mode).expect("set");
        },
        0,
        Err(&["certificates/example.org.key is open to everybody (mode 0644); allowed: mode 0600 or 0640"]),
    );
    check(
        &|at| {
            std::fs::remove_file(at.join("example.org.crt")).expect("removed");
            std::fs::create_dir(at.join("example.org.crt")).expect("created");
        },
        0,
        Err(&["cannot be read: is no file"]),
    );
    let armour = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check(
        &|at| write(&at.join("example.org.crt"), armour),
        0,
        Err(&["is no X.509 certificate", "is not for example.org, but for: ", "do not belong together"]),
    );
}

/// That one file is not named is no reason to tell what is wrong with the other only at the next try.
#[test]
fn a_certificate_is_checked_without_its_key_and_the_other_way_round() {
    let folder = tempfile::tempdir().expect("a folder");
    let unreadable = |setting: &str| format!("host.0.{setting}: no.pem cannot be read: ");
    for (text, expected) in [
        ("certificate = 'no.pem'\n", [": host.0: lacks key;".to_owned(), unreadable("certificate")]),
        (
            "certificate = 'no.pem'\nkey = 3\n",
            [unreadable("certificate"), "host.0.key: is a number".to_owned()],
        ),
        (
            "certificate = 3\nkey = 'no.pem'\n",
            ["host.0.certificate: is a number".to_owned(), unreadable("key")],
        ),
    ] {
        let file = format!("[[host]]\ndomain = 'example.org'\n{text}");
        std::fs::write(folder.path().join("stentor.toml"), file).expect("written");
        let found = load(folder.path(), SystemTime::now()).expect_err("mistakes");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().zip(&expected).all(|(line, expected)| line.contains(expected)), "{found:?}");
    }
}

#[test]
fn warnings_do_not_forbid_to_start() {
    let folder = initialised(&["example.org"]);
    let later = SystemTime::now() + Duration::from_secs(3_645 * 86_400);
    let loaded = Config::load(&folder.path().join("stentor.toml"), &[], later).expect("it starts");
    let severities: Vec<_> = loaded.warnings.list().iter().map(|mistake| mistake.severity).collect();
    assert_eq!(severities, [Severity::Warning]);
}

/// RFC 6120 13.7.1.2: a host may also be named as a service (RFC 4985) or as an XMPP address.
#[test]
fn certificates_may_name_the_host_in_ways_of_xmpp() {
    use rcgen::{CertificateParams, KeyPair, OtherNameValue, SanType};
    let check = |oid: &[u64], text: &str, is_right: bool| {
        let folder = initialised(&["example.org"]);
        let mut params = CertificateParams::default();
        let value = OtherNameValue::Utf8String(text.to_owned());
        params.subject_alt_names = vec![SanType::OtherName((oid.to_vec(), value))];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let stem = folder.path().join("certificates/example.org");
        std::fs::write(stem.with_extension("org.crt"), certificate.pem()).expect("written");
        std::fs::write(stem.with_extension("org.key"), key.serialize_pem()).expect("written");
        assert_eq!(load(folder.path(), SystemTime::now()).is_ok(), is_right, "{oid:?} {text}");
    };
    let (srv, xmpp, other) = ([1, 3, 6, 1, 5, 5, 7, 8, 7], [1, 3, 6, 1, 5, 5, 7, 8, 5], [1, 2, 3, 4]);
    check(&srv, "_xmpp-client.example.org", true);
    check(&srv, "_xmpp-server.example.org", false);
    check(&xmpp, "example.org", true);
    check(&xmpp, "example.net", false);
    check(&other, "example.org", false);
}

const MEMBER: &str = "[store]
engine = 'postgres'
url = 'postgresql://stentor@localhost/stentor'
tls = 'off'
password_file = 'password'
[cluster]
id = 'example'
name = 'a'
link = '127.0.0.1:0'
gossip = '127.0.0.1:0'
authority = 'cluster/authority.crt'
certificate = 'cluster/a.crt'
key = 'cluster/a.key'
gossip_keys = 'cluster/gossip.keys'
";

#[test]
fn the_files_of_a_member_are_checked() {
    let check = |change: &dyn Fn(&Path), expected: &[&str]| {
        let folder = initialised(&["example.org"]);
        let file = folder.path().join("stentor.toml");
        // `[store]` is there once more, with nothing in it.
        let text = std::fs::read_to_string(&file).expect("it is there").replace("\n[store]\n", "\n");
        std::fs::write(&file, text + MEMBER).expect("written");
        let members = ["a", "b"].map(str::to_owned).to_vec();
        cluster::init(&folder.path().join("cluster"), &members, &Output { is_json: true }).expect("made");
        private(&folder.path().join("password"), "secret");
        change(&folder.path().join("cluster"));
        let found = load(folder.path(), SystemTime::now());
        let found = found.err().unwrap_or_default();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (line, expected) in found.iter().zip(expected) {
            assert!(line.contains(expected), "{line} has no {expected}");
        }
    };
    let rename = |from: &Path, to: &Path| std::fs::rename(from, to).expect("renamed");
    check(&|_| {}, &[]);
    check(
        &|at| {
            ["crt", "key"]
                .iter()
                .for_each(|end| rename(&at.join(format!("b.{end}")), &at.join(format!("a.{end}"))))
        },
        &[
            "cluster.certificate: cluster/a.crt is not for a.stentor-cluster, but for: b.stentor-cluster; allowed:",
        ],
    );
    check(
        &|at| rename(&at.join("b.key"), &at.join("a.key")),
        &["cluster/a.crt and cluster/a.key do not belong"],
    );
    check(
        &|at| {
            cluster::init(&at.join("x"), &[], &Output { is_json: true }).expect("made");
            rename(&at.join("x/authority.crt"), &at.join("authority.crt"));
        },
        &["cluster.certificate: cluster/a.crt is not of the authority in cluster/authority.crt: "],
    );
    for usage in [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth] {
        check(
            &|at| issue(at, usage.clone()),
            &["cluster/a.crt is not for both ends of a link: its extended key"],
        );
    }
    check(
        &|at| private(&at.join("gossip.keys"), "nonsense"),
        &[
            "cluster.gossip_keys: cluster/gossip.keys has something else than a key in line 1; `stentor cluster key`",
        ],
    );
    check(
        &|at| {
            let mode = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(at.join("gossip.keys"), mode.clone()).expect("set");
            std::fs::set_permissions(at.join("../password"), mode).expect("set");
        },
        &["password is open to everybody (mode 0644)", "gossip.keys is open to everybody (mode 0644)"],
    );
    check(
        &|at| {
            ["gossip.keys", "authority.crt"].iter().for_each(|name| rename(&at.join(name), &at.join("gone")))
        },
        &["authority.crt cannot be read: No such file", "gossip.keys cannot be read: No such file"],
    );
}

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("set");
}

/// A certificate of the member a with this usage alone, and an authority that vouches for it.
fn issue(folder: &Path, usage: ExtendedKeyUsagePurpose) {
    let key = || KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (authority_key, member_key) = (key(), key());
    let root = authority.self_signed(&authority_key).expect("signed");
    let mut params = CertificateParams::new(vec!["a.stentor-cluster".to_owned()]).expect("a name");
    params.extended_key_usages = vec![usage];
    let issuer = Issuer::new(authority, authority_key);
    let certificate = params.signed_by(&member_key, &issuer).expect("signed");
    std::fs::write(folder.join("authority.crt"), root.pem()).expect("written");
    std::fs::write(folder.join("a.crt"), certificate.pem()).expect("written");
    private(&folder.join("a.key"), &member_key.serialize_pem());
}
