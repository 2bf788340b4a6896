use std::path::Path;

use super::super::{Change, Config, difference, settings_digest};

const HOST: &str = "[[host]]\ndomain = 'example.org'\ncertificate = 'a.crt'\nkey = 'a.key'\n";
const STORE: &str =
    "[store]\nengine = 'postgres'\nurl = 'postgresql://stentor@localhost/stentor'\ntls = 'off'\n";
const CLUSTER: &str = "[cluster]\nid = 'c'\nname = 'a'\nlink = '127.0.0.1:5280'\ngossip = '127.0.0.1:5280'\n\
                       authority = 'ca.crt'\ncertificate = 'a.crt'\nkey = 'a.key'\ngossip_keys = 'keys'\n";

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment: Vec<_> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let loaded = Config::parse(Path::new("/etc/s.toml"), text, &environment);
    loaded.map(|loaded| loaded.config).map_err(|error| error.to_string())
}

fn member(change: impl Fn(String) -> String) -> String {
    change(format!("{HOST}{STORE}{CLUSTER}"))
}

#[test]
fn the_example_has_no_mistake() {
    let config = parse(include_str!("../../../../../config/cluster.toml"), &[]).expect("no mistake");
    let cluster = config.cluster.expect("it is a member");
    assert_eq!((cluster.id.as_str(), cluster.name.as_str(), cluster.weight), ("example", "a", 1));
    assert_eq!(cluster.gossip_keys, Path::new("/etc/cluster/gossip.keys"));
    assert_eq!(config.store.password_file.as_deref(), Some(Path::new("/etc/database.password")));
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_is_allowed() {
    let check = |text: &str, expected: &[&str]| {
        let found = parse(&text.replace("HOST\n", HOST), &[]).err().unwrap_or_default();
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text}");
    };
    check(&member(|text| text), &[]);
    check(&format!("{HOST}{STORE}"), &[]);
    check(
        "HOST\n[cluster]\n",
        &[
            "/etc/s.toml:5:1: cluster: lacks id; allowed: 1 to 63 small letters, digits and -, none of \
             these at either end",
            "/etc/s.toml:5:1: cluster: lacks name; allowed: 1 to 63 small letters, digits and -, none of \
             these at either end",
            "/etc/s.toml:5:1: cluster: lacks link; allowed: addresses with a port, such as \
             \"0.0.0.0:5222\" or \"[::]:5222\"",
            "/etc/s.toml:5:1: cluster: lacks gossip; allowed: an address with a port, such as \
             \"10.0.0.1:5281\" or \"[fd00::1]:5281\"",
            "/etc/s.toml:5:1: cluster: lacks authority; allowed: a path",
            "/etc/s.toml:5:1: cluster: lacks certificate; allowed: a path",
            "/etc/s.toml:5:1: cluster: lacks key; allowed: a path",
            "/etc/s.toml:5:1: cluster: lacks gossip_keys; allowed: a path",
            "/etc/s.toml:5:1: cluster: needs a store that its members share; allowed: with engine = \"postgres\" in \
             [store]",
        ],
    );
    check(
        "HOST\n[store]\nengine = 'postgres'\n",
        &["/etc/s.toml:6:10: store.engine: is \"postgres\", which lacks its url; allowed: url, such as \
             \"postgresql://stentor@db.example.org:5432/stentor\""],
    );
    check(
        "HOST\n[store]\nurl = 'postgresql://a@b/c'\ntls = 'off'\n",
        &[
            "/etc/s.toml:6:7: store.url: is of no use to the engine \"fjall\"; allowed: with engine = \"postgres\"",
            "/etc/s.toml:7:7: store.tls: is of no use to the engine \"fjall\"; allowed: with engine = \"postgres\"",
        ],
    );
    check(
        &member(|text| text.replace("tls = 'off'\n", "tls = 'off'\nauthority = 'x'\n")),
        &["/etc/s.toml:9:13: store.authority: is of no use with tls = \"off\"; allowed: only one of both"],
    );
    check(
        &member(|text| text.replace("id = 'c'", "id = 'C1'").replace("name = 'a'", "name = '-a'")),
        &[
            "/etc/s.toml:10:6: cluster.id: is \"C1\"; allowed: 1 to 63 small letters, digits and -, none of these at \
             either end",
            "/etc/s.toml:11:8: cluster.name: is \"-a\"; allowed: 1 to 63 small letters, digits and -, none of these \
             at either end",
        ],
    );
    check(
        &member(|text| {
            text.replace("[cluster]", "[listen]\nc2s = ['0.0.0.0:5222']\n[cluster]")
                .replace("link = '127.0.0.1:5280'", "link = '0.0.0.0:5222'\nadvertise_link = '10.0.0.1:0'")
                .replace("gossip = '127.0.0.1:5280'", "gossip = '[::]:5280'\nweight = 0")
        }),
        &[
            "/etc/s.toml:10:8: listen.c2s: 0.0.0.0:5222 is in conflict with 0.0.0.0:5222 of cluster.link; allowed: \
             each address and port once",
            "/etc/s.toml:15:18: cluster.advertise_link: is \"10.0.0.1:0\"; allowed: an address and port that other \
             members can reach, such as \"10.0.0.1:5280\"",
            "/etc/s.toml:16:10: cluster.gossip: is [::]:5280, where no other member can find it; allowed: the \
             address of one interface, or advertise_gossip beside it",
            "/etc/s.toml:17:10: cluster.weight: is 0; allowed: 1 to 1000 shares",
        ],
    );
}

#[test]
fn the_database_is_named_by_a_url_without_a_password() {
    let check = |url: &str, expected: Option<&str>| {
        let found = parse(&member(|text| text.replace("postgresql://stentor@localhost/stentor", url)), &[]);
        match (found, expected) {
            (Ok(config), None) => assert_eq!(config.store.url.as_deref(), Some(url)),
            (Err(mistake), Some(expected)) => {
                assert!(mistake.starts_with(&format!("/etc/s.toml:7:7: store.url: {expected}")), "{mistake}");
                assert!(!mistake.contains("secret"), "{mistake}");
            }
            (found, _) => panic!("{url}: {found:?}"),
        }
    };
    check("postgresql://stentor@db.example.org:5432/stentor", None);
    check("postgres://a%20b@[2001:db8::7]/x", None);
    check("postgres://stentor@[2001:db8::7]:5432/x", None);
    check(
        "postgresql://stentor:secret@localhost/stentor",
        Some("has a password in it; allowed: postgresql://USER"),
    );
    check("postgresql://stentor:secret@x@localhost/stentor", Some("has a password in it"));
    check("postgresql://a@localhost/stentor?password=secret", Some("has a password in it"));
    check("host=localhost password=secret", Some("does not begin with postgresql://"));
    check("mysql://a@b/c", Some("does not begin with postgresql://"));
    check("postgresql://localhost/stentor", Some("is \"postgresql://localhost/stentor\": it names no user"));
    check("postgresql://a@:5432/x", Some("is \"postgresql://a@:5432/x\": it names no host"));
    check("postgresql://a@b:0/x", Some("is \"postgresql://a@b:0/x\": the port is no number"));
    check("postgresql://a@b", Some("is \"postgresql://a@b\": it names no database"));
    check(
        "postgresql://a@b/c?sslmode=off",
        Some("is \"postgresql://a@b/c?sslmode=off\": nothing can be behind"),
    );
}

#[test]
fn the_environment_overrides_and_can_be_all_there_is() {
    let config = parse(
        HOST,
        &[
            ("STENTOR__STORE__ENGINE", "postgres"),
            ("STENTOR__STORE__URL", "postgresql://stentor@localhost/stentor"),
            ("STENTOR__CLUSTER__ID", "1"),
            ("STENTOR__CLUSTER__NAME", "2"),
            ("STENTOR__CLUSTER__LINK", "127.0.0.1:0"),
            ("STENTOR__CLUSTER__GOSSIP", "127.0.0.1:0"),
            ("STENTOR__CLUSTER__AUTHORITY", "ca"),
            ("STENTOR__CLUSTER__CERTIFICATE", "c"),
            ("STENTOR__CLUSTER__KEY", "k"),
            ("STENTOR__CLUSTER__GOSSIP_KEYS", "g"),
        ],
    );
    let cluster = config.expect("no mistakes").cluster.expect("a member");
    assert_eq!((cluster.id.as_str(), cluster.name.as_str()), ("1", "2"));
}

#[test]
fn keys_of_gossip_can_change_at_a_reload_and_membership_cannot() {
    let old = parse(&member(|text| text), &[]).expect("no mistakes");
    let new = parse(
        &member(|text| text.replace("'keys'", "'other'").replace("'127.0.0.1:5280'", "'127.0.0.1:1'")),
        &[],
    );
    let new = new.expect("no mistakes");
    let names = |changes: &[Change]| changes.iter().map(|change| change.setting.clone()).collect::<Vec<_>>();
    let diff = Config::diff(&old, &new);
    assert_eq!(names(&diff.applied), ["cluster.gossip_keys"]);
    assert_eq!(names(&diff.needs_restart), ["cluster.link", "cluster.gossip"]);
    let running = old.reloaded(&new).cluster.expect("still one");
    assert_eq!((running.gossip_keys.as_path(), running.link.port()), (Path::new("/etc/other"), 5280));

    let alone = parse(HOST, &[]).expect("no mistakes");
    let diff = Config::diff(&old, &alone);
    assert!(names(&diff.needs_restart).contains(&"cluster".to_owned()), "{diff:?}");
    assert_eq!(old.reloaded(&alone).cluster, old.cluster);
}

/// The values are those that other implementations of the description give: they never change.
#[test]
fn the_digest_is_of_what_must_be_equal() {
    let digest = |text: &str| settings_digest(&parse(text, &[]).expect("no mistakes"));
    let all = digest(&member(|text| text));
    assert_eq!(all, 0x6e3f_193b_41d8_d606);
    let second = "[[host]]\ndomain = 'a.example'\ncertificate = 'a.crt'\nkey = 'a.key'\n";
    assert_eq!(
        digest(&member(|text| format!("{second}{text}"))),
        digest(&member(|text| format!("{text}{second}")))
    );
    for other in [
        member(|text| format!("{second}{text}")),
        member(|text| text.replace("id = 'c'", "id = 'd'")),
        member(|text| text.replace("key = 'a.key'\n[store]", "key = 'a.key'\nkeep = false\n[store]")),
    ] {
        assert_ne!(digest(&other), all);
    }
    for same in [
        member(|text| text.replace("name = 'a'", "name = 'b'").replace("5280", "5290")),
        member(|text| format!("{text}[limits]\nresources_max = 3\n")),
    ] {
        assert_eq!(digest(&same), all);
    }
}

#[test]
fn what_differs_is_named() {
    let parsed = |text: &str| parse(text, &[]).expect("no mistakes");
    let second = "[[host]]\ndomain = 'a.example'\ncertificate = 'a.crt'\nkey = 'a.key'\n";
    let one = member(|text| text);
    let keeps_not =
        |text: &str| text.replace("key = 'a.key'\n[store]", "key = 'a.key'\nkeep = false\n[store]");
    let two = format!("{second}{one}");
    let unnamed = "there is a host there that is not here, or more than one host or `keep` differs";
    for (ours, theirs, expected) in [
        (one.clone(), keeps_not(&one), "`keep` of the host example.org is true here and false there"),
        (keeps_not(&two), two.clone(), "`keep` of the host example.org is false here and true there"),
        (two.clone(), one.clone(), "the host a.example is here and not there"),
        (one.clone(), two.clone(), unnamed),
        (two, keeps_not(&one), unnamed),
    ] {
        assert_eq!(difference(&parsed(&ours), settings_digest(&parsed(&theirs))), expected);
    }
}
