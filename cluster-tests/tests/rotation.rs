//! All that members know each other by is replaced while clients chat, as docs/cluster.md tells: files are changed, and
//! members are told to read them again.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use stentor_cluster_tests::accounts;
use stentor_cluster_tests::client::Client;
use stentor_cluster_tests::load::Load;
use stentor_cluster_tests::server::{self, Cluster, MADE, Server, Tls};
use stentor_cluster_tests::verdict;

type Result<T = ()> = std::result::Result<T, String>;

const MEMBERS: [&str; 3] = ["a", "b", "c"];
/// Has no clients, so that it can end and join again: what is in force shows by new links.
const OTHER: &str = "d";
const ALL: [&str; 4] = ["a", "b", "c", OTHER];
const CLIENTS: u32 = 60;
const GROUP: u32 = 6;
/// The folder of the authority that the cluster ends with.
const RENEWED: &str = "renewed";

#[test]
fn clients_notice_nothing() -> Result {
    let Some(mut cluster) = server::cluster(&ALL)? else { return Ok(()) };
    cluster.restore(&accounts::backup(CLIENTS, GROUP)?)?;
    cluster.start(&MEMBERS)?;
    let arguments = ["--rate", "100", "--seconds", "600", "--until-eof", "--no-origin-ids"];
    let mut load = Load::start(&cluster, &MEMBERS, "failover", CLIENTS, &arguments)?;
    load.wait_until("sent", 100)?;
    the_key_of_gossip_changes(&cluster)?;
    certificates_change(&mut cluster)?;
    the_authority_changes(&mut cluster)?;
    // Nobody lost a connection.
    verdict::holds(&load.finish()?, &BTreeMap::new())?;
    what_cannot_be_read_changes_nothing(&cluster)?;
    what_was_before_is_refused(&mut cluster)
}

/// A step on each of these members, in whose files `change` is made before they read them again.
fn on_each(cluster: &Cluster, names: &[&str], change: impl Fn(&str) -> Result) -> Result {
    for name in names {
        change(name)?;
        let told = times_read(cluster, name);
        cluster.signal(name, "HUP")?;
        cluster.until("it has read its files again", |cluster| Ok(times_read(cluster, name) > told))?;
    }
    Ok(())
}

/// Changes the text of a member's file.
fn rewrite(cluster: &Cluster, name: &str, file: &str, change: impl Fn(&str) -> String) -> Result {
    let file = cluster.keys_of(name).join(file);
    let change = || fs::write(&file, change(&fs::read_to_string(&file)?));
    change().map_err(|e| format!("{}: {e}", file.display()))
}

fn times_read(cluster: &Cluster, name: &str) -> usize {
    cluster.whole_log_of(name).matches("certificates and keys of gossip were read again").count()
}

/// Waits until each of these is linked with the others and hears of them; nobody may have been refused meanwhile.
fn are_together(cluster: &Cluster, names: &[&str]) -> Result {
    cluster.settled(names)?;
    for name in names {
        cluster.until("it hears of all others", |cluster| {
            let report = cluster.ask(name, &["cluster", "status"])?;
            let members = report.get("members").and_then(Value::as_array);
            Ok(members.into_iter().flatten().all(|member| member.get("liveness") == Some(&json!("alive"))))
        })?;
        assert_eq!((refused(cluster, name, "tls")?, refused(cluster, name, "key")?), (0, 0), "{name}");
    }
    Ok(())
}

/// How often a member refused others for that reason.
fn refused(cluster: &Cluster, name: &str, why: &str) -> Result<u64> {
    let report = cluster.ask(name, &["cluster", "status"])?;
    Ok(report.get("refused").and_then(|refused| refused.get(why)?.as_u64()).unwrap_or_default())
}

fn the_key_of_gossip_changes(cluster: &Cluster) -> Result {
    let new = cluster.run(&["cluster", "key"])?;
    let change = |change: &dyn Fn(&str) -> String| {
        on_each(cluster, &MEMBERS, |name| rewrite(cluster, name, "gossip.keys", change))
    };
    change(&|old| format!("{old}{new}"))?;
    change(&|both| format!("{new}{}", both.replace(&new, "")))?;
    change(&|_| new.clone())
}

/// The other member joins by what is in force now.
fn certificates_change(cluster: &mut Cluster) -> Result {
    on_each(cluster, &MEMBERS, |name| {
        let own = ["crt", "key"].map(|ending| cluster.folder().join(MADE).join(format!("{name}.{ending}")));
        own.iter()
            .try_for_each(|file| fs::rename(file, file.with_extension("old")))
            .map_err(|e| e.to_string())?;
        cluster.run(&["cluster", "certificate", name, "--authority", MADE])?;
        cluster.give_own(MADE, name)
    })?;
    let keys =
        fs::read_to_string(cluster.keys_of(MEMBERS[0]).join("gossip.keys")).map_err(|e| e.to_string())?;
    rewrite(cluster, OTHER, "gossip.keys", |_| keys.clone())?;
    cluster.start(&[OTHER])?;
    are_together(cluster, &ALL)
}

/// The other member joins anew while some have certificates of the one authority, and some of the other; and once more when
/// nobody trusts the first any longer.
fn the_authority_changes(cluster: &mut Cluster) -> Result {
    cluster.make_authority(RENEWED)?;
    let file = cluster.folder().join(RENEWED).join("authority.crt");
    let new = fs::read_to_string(&file).map_err(|e| e.to_string())?;
    on_each(cluster, &ALL, |name| rewrite(cluster, name, "authority.crt", |old| format!("{old}{new}")))?;
    let (first, second) = ALL.split_at(2);
    on_each(cluster, first, |name| cluster.give_own(RENEWED, name))?;
    the_other_is_drained(cluster)?;
    cluster.start(&[OTHER])?;
    are_together(cluster, &ALL)?;
    on_each(cluster, second, |name| cluster.give_own(RENEWED, name))?;
    on_each(cluster, &ALL, |name| rewrite(cluster, name, "authority.crt", |_| new.clone()))?;
    the_other_is_drained(cluster)?;
    cluster.start(&[OTHER])?;
    are_together(cluster, &ALL)
}

fn the_other_is_drained(cluster: &mut Cluster) -> Result {
    cluster.ask(OTHER, &["cluster", "drain"])?;
    assert_eq!(cluster.ended(OTHER)?.code(), Some(0));
    cluster.settled(&MEMBERS)
}

/// With one file that is wrong, a member goes on with all that it had: also with the certificate of its host.
fn what_cannot_be_read_changes_nothing(cluster: &Cluster) -> Result {
    let name = MEMBERS[0];
    let keys = cluster.keys_of(name).join("gossip.keys");
    let right = fs::read_to_string(&keys).map_err(|e| e.to_string())?;
    let logs_in = |authority: &Path| {
        let address = cluster.address_of(name, Tls::Direct);
        Client::log_in(address, authority, "load0", accounts::PASSWORD, "a").and_then(Client::leave)
    };
    let before = cluster.renew_host()?;
    rewrite(cluster, name, "gossip.keys", |_| "no key\n".to_owned())?;
    let refusal = cluster.ask(name, &["reload"]).expect_err("it has no keys");
    assert!(refusal.contains("gossip.keys"), "{refusal}");
    logs_in(&before)?;
    rewrite(cluster, name, "gossip.keys", |_| right.clone())?;
    cluster.ask(name, &["reload"])?;
    logs_in(cluster.authority())
}

/// Whoever has the certificate and the keys of before is none of them any more, though it would take them for such.
fn what_was_before_is_refused(cluster: &mut Cluster) -> Result {
    the_other_is_drained(cluster)?;
    let made = cluster.folder().join(MADE).join("authority.crt");
    let old = fs::read_to_string(made).map_err(|e| e.to_string())?;
    rewrite(cluster, OTHER, "authority.crt", |new| format!("{new}{old}"))?;
    cluster.give_own(MADE, OTHER)?;
    cluster.give(MADE, OTHER, &["gossip.keys"])?;
    cluster.launch(OTHER, "")?;
    cluster.until("no connection to it comes about", |cluster| {
        // It tells nothing before it has joined.
        Ok(refused(cluster, OTHER, "tls").unwrap_or_default() > 0)
    })?;
    for name in MEMBERS {
        cluster.until("what it says is refused", |cluster| Ok(refused(cluster, name, "key")? > 0))?;
    }
    Ok(())
}
