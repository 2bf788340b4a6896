//! Members of a cluster as processes, as their operator meets them: they join, die, hang, leave and are refused.

use serde_json::{Value, json};
use stentor_cluster_tests::server::{Cluster, NoCluster};

type Result = std::result::Result<(), String>;

fn cluster(names: &[&'static str]) -> std::result::Result<Option<Cluster>, String> {
    match Cluster::new(names) {
        Ok(cluster) => Ok(Some(cluster)),
        Err(NoCluster::Absent(reason)) => {
            println!("skipped: {reason}");
            Ok(None)
        }
        Err(NoCluster::Broken(reason)) => Err(reason),
    }
}

/// Its process and its id in the cluster.
fn incarnation(cluster: &Cluster, name: &str) -> std::result::Result<(Value, Value), String> {
    let process = cluster.ask(name, &["status"])?["process"].clone();
    Ok((process, cluster.ask(name, &["cluster", "status"])?["member"].clone()))
}

/// One story, since each chapter needs the members of the one before it.
#[test]
fn members_join_die_hang_and_leave() -> Result {
    let Some(mut cluster) = cluster(&["a", "b", "c"])? else { return Ok(()) };
    cluster.start(&["a", "b", "c"])?;

    // Whichever member is asked, the account's owner answers.
    let accounts: Vec<_> = (0..8).map(|number| format!("user{number}@chat.example")).collect();
    for account in &accounts {
        cluster.ask("a", &["user", "add", account, "--password", "secret"])?;
        cluster.ask("b", &["user", "show", account])?;
        let ask = |name| cluster.ask(name, &["cluster", "locate", account]);
        assert_eq!((ask("a")?, ask("b")?), (ask("b")?, ask("c")?));
    }
    let again = cluster.ask("c", &["user", "add", &accounts[0], "--password", "x"]).expect_err("it is there");
    assert!(again.contains("there is an account"), "{again}");
    cluster.ask("c", &["user", "befriend", &accounts[0], &accounts[1]])?;
    assert_eq!(cluster.ask("c", &["user", "list"])?.as_array().map(Vec::len), Some(accounts.len()));
    assert_eq!(cluster.ask("a", &["session", "list"])?, json!([]));
    assert_eq!(cluster.ask("a", &["cluster", "slots"])?.as_array().map(Vec::len), Some(4_096));
    let all_there = |cluster: &Cluster, name: &str| -> Result {
        accounts.iter().try_for_each(|account| cluster.ask(name, &["user", "show", account]).map(drop))
    };

    // The others have what it had.
    cluster.kill("c");
    cluster.settled(&["a", "b"])?;
    all_there(&cluster, "b")?;

    // It hangs for longer than its lease lasts, and begins anew by itself, in the same process.
    cluster.start(&["c"])?;
    let before = incarnation(&cluster, "c")?;
    cluster.signal("c", "STOP")?;
    cluster.settled(&["a", "b"])?;
    cluster.signal("c", "CONT")?;
    cluster.settled(&["a", "b", "c"])?;
    let after = incarnation(&cluster, "c")?;
    assert_eq!(before.0, after.0, "the process is the same");
    assert_ne!(before.1, after.1, "the incarnation is another");

    // One that leaves is gone at once, and its accounts are served.
    cluster.signal("b", "TERM")?;
    assert_eq!(cluster.ended("b")?.code(), Some(0), "{}", cluster.log_of("b"));
    cluster.settled(&["a", "c"])?;
    all_there(&cluster, "c")?;

    // All die; one that starts later has it all.
    cluster.kill("a");
    cluster.kill("c");
    cluster.start(&["b"])?;
    all_there(&cluster, "b")
}

#[test]
fn a_member_with_other_settings_is_refused() -> Result {
    let Some(mut cluster) = cluster(&["a", "b"])? else { return Ok(()) };
    cluster.start(&["a"])?;
    cluster.launch("b", "keep = false")?;
    assert_eq!(cluster.ended("b")?.code(), Some(1));
    let log = cluster.log_of("b");
    let why = "the settings that all members must share differ between \"b\" and the member \"a\"";
    assert!(log.contains(why), "{log}");
    assert!(log.contains("`stentor check` on both tells the number"), "{log}");
    cluster.settled(&["a"])
}
