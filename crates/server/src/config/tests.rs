use std::path::Path;
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;

const EXAMPLE: &str = include_str!("../../../../config/stentor.toml");
const MEMBER: &str = include_str!("../../../../config/cluster.toml");

const HOST: &str = "[[host]]\ndomain = 'example.org'\ncertificate = 'a.crt'\nkey = 'a.key'\n";

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment: Vec<_> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let loaded = Config::parse(Path::new("/etc/s.toml"), text, &environment);
    loaded.map(|loaded| loaded.config).map_err(|error| error.to_string())
}

/// The default configuration with the hosts of `config`, as read from the same folder.
fn default_with_hosts_of(config: &Config) -> Config {
    let mut expected = Config::default();
    expected.resolve(Path::new("/etc"));
    expected.hosts = config.hosts.clone();
    for host in &mut expected.hosts {
        let given = host.clone();
        *host = HostConfig {
            domain: given.domain,
            certificate: given.certificate,
            key: given.key,
            client_authorities: given.client_authorities,
            see_other_host: given.see_other_host,
            ..HostConfig::default()
        };
    }
    expected
}

#[test]
fn the_example_is_the_default() {
    let config = parse(EXAMPLE, &[]).expect("the example has no mistake");
    assert_eq!(config, default_with_hosts_of(&config));

    let lines: Vec<_> = EXAMPLE.lines().map(|line| uncommented(line).unwrap_or(line)).collect();
    let config = parse(&lines.join("\n"), &[]).expect("the commented defaults have no mistake");
    assert_eq!(config, default_with_hosts_of(&config));
}

/// The settings that an example has, in its order.
fn written(example: &str) -> Vec<String> {
    let mut section = String::new();
    let mut written = Vec::new();
    for line in example.lines().map(|line| uncommented(line).unwrap_or(line)) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned() + ".";
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            written.push(format!("{section}{key}"));
        }
    }
    written
}

/// What only members have stands in an example of its own.
#[test]
fn the_examples_have_every_setting() {
    let (of_member, of_shared) = (written(MEMBER), ["url", "password_file", "tls", "authority"]);
    let only_of_members = |name: &String| {
        name.starts_with("cluster.")
            || name.strip_prefix("store.").is_some_and(|key| of_shared.contains(&key))
    };
    let (mut members, mut alone): (Vec<_>, Vec<_>) =
        Config::setting_names().into_iter().partition(only_of_members);
    let mut of_member: Vec<_> = of_member.into_iter().filter(only_of_members).collect();
    let mut of_alone = written(EXAMPLE);
    for names in [&mut members, &mut alone, &mut of_member, &mut of_alone] {
        names.sort();
    }
    assert_eq!(of_alone, alone);
    assert_eq!(of_member, members);
}

/// In the example, prose has a blank behind its `#`, a setting has none.
fn uncommented(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' '))
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_is_allowed() {
    let check = |text: &str, expected: &[&str]| {
        let text = text.replace("HOST\n", HOST);
        let found = parse(&text, &[]).err().unwrap_or_default();
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text}");
    };
    check("HOST\n", &[]);
    check("", &["/etc/s.toml: lacks host; allowed: 1 to 1000 tables, each headed [[host]]"]);
    check(
        "[[host]]\n",
        &[
            "/etc/s.toml:1:1: host.0: lacks domain; allowed: a domain name, such as \"example.org\"",
            "/etc/s.toml:1:1: host.0: lacks certificate; allowed: a path",
            "/etc/s.toml:1:1: host.0: lacks key; allowed: a path",
        ],
    );
    check(
        "host = []",
        &["/etc/s.toml:1:8: host: has 0 entries; allowed: 1 to 1000 tables, each headed [[host]]"],
    );
    check(
        "host = 'example.org'",
        &["/etc/s.toml:1:8: host: is text; allowed: 1 to 1000 tables, each headed [[host]]"],
    );
    check("host = [1]", &["/etc/s.toml:1:9: host.0: is a number; allowed: a table"]);
    check(
        "HOST\n[listn]\nc2s = []\n",
        &[
            "/etc/s.toml:5:2: listn: is no setting; did you mean listen?; allowed: data, listen, tls, auth, store, \
         cluster, limits, stream_management, log, control, http, host",
        ],
    );
    check("log = 3\nHOST\n", &["/etc/s.toml:1:7: log: is a number; allowed: a table"]);
    check(
        "HOST\nkeeep = false\n[log]\nfilter = '=='\nformat = 'jsn'\nlevel = 1\n",
        &[
            "/etc/s.toml:5:1: host.0.keeep: is no setting; did you mean keep?; allowed: domain, certificate, key, \
         client_authorities, client_crls, keep, registration, refuse_lookalikes, see_other_host, \
         contact",
            "/etc/s.toml:7:10: log.filter: is \"==\": invalid filter directive; allowed: error, warn, info, debug or \
         trace, and exceptions such as \"info,stentor_net=debug\"",
            "/etc/s.toml:8:10: log.format: is \"jsn\"; did you mean \"json\"?; allowed: \"auto\", \"pretty\", \"json\"",
            "/etc/s.toml:9:1: log.level: is no setting; allowed: format, filter",
        ],
    );
    check(
        "HOST\n[limits]\ndepth_max = 1000\nattributes_max = -1\nidle_seconds = '5m'\nresources_max = 1.5\n",
        &[
            "/etc/s.toml:6:13: limits.depth_max: is 1000; allowed: 16 to 128 elements",
            "/etc/s.toml:7:18: limits.attributes_max: is -1; allowed: 16 to 256 attributes",
            "/etc/s.toml:8:16: limits.idle_seconds: is text; allowed: 5 to 86400 seconds",
            "/etc/s.toml:9:17: limits.resources_max: is a number with a fraction; allowed: 1 to 1000 resources",
        ],
    );
    check(
        "HOST\n[limits]\ndepth_max = 99999999999999999999\nidle_seconds = 1979-05-27\n",
        &[
            "/etc/s.toml:6:13: limits.depth_max: is a number that is too big; allowed: 16 to 128 elements",
            "/etc/s.toml:7:16: limits.idle_seconds: is a date or time; allowed: 5 to 86400 seconds",
        ],
    );
    check(
        "HOST\nkeep = 'yes'\nregistration = true\n[host.contact]\nabuse = ['root@example.org', 'mailto:']\n",
        &[
            "/etc/s.toml:5:8: host.0.keep: is text; allowed: true or false",
            "/etc/s.toml:6:16: host.0.registration: is true or false; allowed: \"off\", \"open\"",
            "/etc/s.toml:8:10: host.0.contact.abuse: is \"root@example.org\"; allowed: URIs that begin with mailto:, \
         xmpp:, https: or tel:, of at most 1024 bytes",
            "/etc/s.toml:8:30: host.0.contact.abuse: is \"mailto:\"; allowed: URIs that begin with mailto:, \
         xmpp:, https: or tel:, of at most 1024 bytes",
        ],
    );
    check(
        "HOST\n[listen]\nc2s = ['5222', '0.0.0.0:5222', '127.0.0.1:5222']\nc2s_tls = ['0.0.0.0:5222', '[::]:5222']\n",
        &[
            "/etc/s.toml:6:8: listen.c2s: is \"5222\"; allowed: addresses with a port, such as \"0.0.0.0:5222\" or \
         \"[::]:5222\"",
            "/etc/s.toml:6:32: listen.c2s: 127.0.0.1:5222 is in conflict with 0.0.0.0:5222 of listen.c2s; allowed: \
         each address and port once",
            "/etc/s.toml:7:12: listen.c2s_tls: 0.0.0.0:5222 is in conflict with 0.0.0.0:5222 of listen.c2s; allowed: \
         each address and port once",
        ],
    );
    check(
        "HOST\n[auth]\nmechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA256', 'SCRAM-SHA-256']\n[store]\nengine = ''\n",
        &[
            "/etc/s.toml:6:32: auth.mechanisms: is \"SCRAM-SHA256\"; did you mean \"SCRAM-SHA-256\"?; allowed: \
         \"SCRAM-SHA-512\", \"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"PLAIN\", \"EXTERNAL\"",
            "/etc/s.toml:6:48: auth.mechanisms: names SCRAM-SHA-256 twice; allowed: each once",
            "/etc/s.toml:8:10: store.engine: is \"\"; allowed: \"fjall\", \"sled\", \"memory\", \"postgres\"",
        ],
    );
    check(
        "data = ''\nHOST\n[auth]\nmechanisms = []\n",
        &[
            "/etc/s.toml:1:8: data: is \"\"; allowed: a path",
            "/etc/s.toml:7:14: auth.mechanisms: has 0 entries; allowed: a list of 1 to 5 of: \"SCRAM-SHA-512\", \
         \"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"PLAIN\", \"EXTERNAL\"",
        ],
    );
}

#[test]
fn hosts_are_domains_and_each_is_there_once() {
    let check = |domains: &[&str], expected: &[&str]| {
        let hosts =
            domains.iter().map(|d| format!("[[host]]\ndomain = '{d}'\ncertificate = 'c'\nkey = 'k'\n"));
        let found = parse(&hosts.collect::<String>(), &[]).err().unwrap_or_default();
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{domains:?}");
    };
    let wrong = "allowed: a domain name, such as \"example.org\"";
    check(&["example.org", "example.net", "bücher.example"], &[]);
    check(
        &["example.org", "EXAMPLE.org."],
        &["/etc/s.toml:6:10: host.1.domain: example.org is there twice; allowed: each domain once"],
    );
    for domain in ["", "user@example.org", "example.org/home", "exa mple.org", "-.example"] {
        check(&[domain], &[&format!("/etc/s.toml:2:10: host.0.domain: is {domain:?}; {wrong}")]);
    }
}

#[test]
fn syntax_errors_are_all_told_beside_the_other_mistakes() {
    let found = parse("[log]\nfilter = \nformat = 1\n[limits\ndepth_max = 1\n", &[]).expect_err("mistakes");
    let lines: Vec<_> = found.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("/etc/s.toml:2:")), "{found}");
    assert!(lines.iter().any(|line| line.starts_with("/etc/s.toml:4:")), "{found}");
    assert!(
        lines.iter().any(|line| line.starts_with("/etc/s.toml:3:10: log.format: is a number")),
        "{found}"
    );
    assert!(!found.contains("lacks"), "{found}");
}

#[test]
fn the_environment_overrides_the_file() {
    let config = parse(
        HOST,
        &[
            ("STENTOR__LISTEN__C2S", "['127.0.0.1:0']"),
            ("STENTOR__LOG__FILTER", "debug"),
            ("STENTOR__LIMITS__DEPTH_MAX", "32"),
            ("STENTOR__HOST__0__KEEP", "false"),
            ("STENTOR__HOST__0__CONTACT__ADMIN", "['mailto:root@example.org']"),
            ("STENTOR__HOST__1__DOMAIN", "example.net"),
            ("STENTOR__HOST__1__CERTIFICATE", "123"),
            ("STENTOR__HOST__1__KEY", "n.key"),
            ("STENTOR_CONFIG", "not one of these"),
            ("PATH", "/bin"),
        ],
    )
    .expect("no mistakes");
    assert_eq!(config.listen.c2s, ["127.0.0.1:0".parse().expect("an address")]);
    assert_eq!(config.log.filter, "debug");
    assert_eq!(config.limits.depth_max, 32);
    let domains: Vec<_> = config.hosts.iter().map(|host| (host.domain.as_str(), host.keep)).collect();
    assert_eq!(domains, [("example.org", false), ("example.net", true)]);
    assert_eq!(config.hosts[0].contact.admin, ["mailto:root@example.org"]);
    assert_eq!(config.hosts[1].certificate, Path::new("/etc/123"));
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    let check = |name: &str, value: &str, expected: &str| {
        assert_eq!(parse(HOST, &[(name, value)]).expect_err("a mistake"), expected, "{name}={value}");
    };
    let names = "; allowed: STENTOR__SECTION__SETTING, the names as in the file";
    check(
        "STENTOR__LIMITS__DEPTH_MAX",
        "deep",
        "environment STENTOR__LIMITS__DEPTH_MAX: limits.depth_max: is text; allowed: 16 to 128 elements",
    );
    check(
        "STENTOR__LOG__FILTR",
        "info",
        "environment STENTOR__LOG__FILTR: log.filtr: is no setting; did you mean filter?; allowed: format, filter",
    );
    check(
        "STENTOR__HOST__2__KEEP",
        "true",
        &format!(
            "environment STENTOR__HOST__2__KEEP: host.2.keep: names entry 2, where the entries are 0 to 1, the last \
         one new{names}"
        ),
    );
    check(
        "STENTOR__HOST__0__DOMAIN__X",
        "1",
        &format!(
            "environment STENTOR__HOST__0__DOMAIN__X: host.0.domain.x: names something inside of text{names}"
        ),
    );
    check(
        "STENTOR____X",
        "1",
        &format!("environment STENTOR____X: .x: has an empty part in its name{names}"),
    );
}

#[test]
fn another_host_is_a_domain_or_an_address_with_or_without_a_port() {
    let check = |other: &str, expected: Option<&str>| match parse(
        &format!("{HOST}see_other_host = '{other}'\n"),
        &[],
    ) {
        Ok(config) => assert_eq!(config.hosts[0].see_other_host.as_deref(), expected, "{other}"),
        Err(mistake) => {
            let start = format!("/etc/s.toml:5:18: host.0.see_other_host: is {other:?}; allowed: a host");
            assert!(expected.is_none() && mistake.starts_with(&start), "{other}: {mistake}");
        }
    };
    for other in
        ["xmpp.example.org", "xmpp.example.org:5222", "192.0.2.7:1", "[2001:db8::7]", "[2001:db8::7]:65535"]
    {
        check(other, Some(other));
    }
    check("XMPP.Example.org:05222", Some("xmpp.example.org:5222"));
    let no_host = "|:5222|example.org:|example.org:0|example.org:65536|example.org:5222:5222|2001:db8::7|\
                   [2001:db8::7|juliet@example.org|example.org/x|a b|xmpp://example.org";
    for other in no_host.split('|') {
        check(other, None);
    }
}

#[test]
fn paths_are_relative_to_the_file_or_to_the_data() {
    let config = parse(&format!("data = '/var/lib/stentor'\n{HOST}"), &[]).expect("no mistakes");
    assert_eq!(config.store.path, Path::new("/var/lib/stentor/store"));
    assert_eq!(config.control.socket, Path::new("/var/lib/stentor/control.sock"));
    assert_eq!(config.hosts[0].key, Path::new("/etc/a.key"));
    let config = parse(&format!("{HOST}[control]\nsocket = '/run/s.sock'\n"), &[]).expect("no mistakes");
    assert_eq!(config.store.path, Path::new("/etc/data/store"));
    assert_eq!(config.control.socket, Path::new("/run/s.sock"));
    let long = format!("data = '/{}'\n{HOST}", "d".repeat(100));
    let check = |text: &str, environment: &[(&str, &str)], place: &str| {
        let mistake = parse(text, environment).expect_err("too long");
        assert!(mistake.starts_with(&format!("{place}: control.socket: is /ddd")), "{mistake}");
        assert!(mistake.contains(" bytes; allowed: at most 103 bytes with all folders"), "{mistake}");
    };
    check(&long, &[], "/etc/s.toml:1:8");
    let socket = format!("/{}.sock", "d".repeat(100));
    check(&format!("{HOST}[control]\nsocket = '{socket}'\n"), &[], "/etc/s.toml:6:10");
    check(HOST, &[("STENTOR__CONTROL__SOCKET", &socket)], "environment STENTOR__CONTROL__SOCKET");
}

#[test]
fn a_reload_applies_what_can_change_and_tells_what_cannot() {
    let old = parse(HOST, &[]).expect("no mistakes");
    let text = "[[host]]\ndomain = 'example.org'\ncertificate = 'b.crt'\nkey = 'a.key'\nkeep = false\n\
                [[host]]\ndomain = 'example.net'\ncertificate = 'b.crt'\nkey = 'a.key'\n\
                [listen]\nc2s = ['127.0.0.1:5222']\n[limits]\ndepth_max = 20\n";
    let new = parse(text, &[]).expect("no mistakes");
    let diff = Config::diff(&old, &new);
    let names = |changes: &[Change]| {
        let texts =
            changes.iter().map(|change| format!("{}: {} -> {}", change.setting, change.old, change.new));
        texts.collect::<Vec<_>>()
    };
    assert_eq!(
        names(&diff.applied),
        ["limits.depth_max: 64 -> 20", "host.example.org.certificate: /etc/a.crt -> /etc/b.crt",]
    );
    assert_eq!(
        names(&diff.needs_restart),
        [
            "listen.c2s: [0.0.0.0:5222, [::]:5222] -> [127.0.0.1:5222]",
            "host.example.org.keep: true -> false",
            "host.example.net: not served -> served",
        ]
    );

    let running = old.reloaded(&new);
    assert_eq!(running.limits, new.limits);
    assert_eq!(running.listen, old.listen);
    // What was not applied is told again by the next reload, what was is not.
    let again = Config::diff(&running, &new);
    assert_eq!(again.needs_restart, diff.needs_restart);
    assert_eq!(again.applied, []);
    assert_eq!(Config::diff(&new, &new), Diff::default());
}

#[test]
fn a_missing_file_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stentor.toml");
    let error = Config::load(&path, &[], SystemTime::now()).expect_err("no file");
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_panic(text in any::<String>(), name in "[A-Z0-9_]{0,12}", value in any::<String>()) {
        crate::fuzz::config(format!("{name}={value}\n{text}").as_bytes());
    }

    #[test]
    fn any_spoilt_example_is_read_without_panic(
        at in 0..EXAMPLE.len(), length in 0..40_usize, put in "[\\[\\]='\"a-z0-9\n.#é]{0,6}",
    ) {
        let lines: Vec<_> = EXAMPLE.lines().map(|line| uncommented(line).unwrap_or(line)).collect();
        let mut bytes = lines.join("\n").into_bytes();
        let at = at.min(bytes.len());
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        bytes.insert(0, b'\n');
        crate::fuzz::config(&bytes);
    }
}
