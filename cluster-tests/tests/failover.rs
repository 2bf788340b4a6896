//! Connections to one of two ways into the server are cut under load: each message must arrive once all the same.
//!
//! `stentor-load failover` is what drives and checks; here it is shown to find what is so, with faults that need no
//! cluster. One server behind two addresses stands for two members, and a proxy takes one of the two away.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use stentor_cluster_tests::process::{self, Process};
use stentor_cluster_tests::proxy::{Cut, Proxy};
use stentor_cluster_tests::server::{self, DOMAIN, Mechanisms, Tls};

const CLIENTS: u32 = 8;

#[test]
fn clients_come_back_and_lose_nothing() {
    let server = server::start("stentor", Mechanisms::ScramOnly).expect("it starts");
    let program = process::built("stentor-load").expect("it builds");
    for number in 0..CLIENTS {
        server.add_user(&format!("load{number}"), &format!("secret{number}")).expect("a user more");
    }
    let direct = server.address(Tls::Starttls);
    let proxy = Proxy::start(direct).expect("a proxy");
    let command = |scenario: &str, arguments: &[&str]| {
        let mut command = process::bound_to_us(&program);
        command.args([scenario, "--domain", DOMAIN, "--clients", &CLIENTS.to_string(), "--ca"]);
        command.arg(server.authority()).args(["--server", &format!("{direct},{}", proxy.address())]);
        command.args(arguments);
        command
    };
    process::run(&mut command("prepare-rosters", &["--contacts", "3"])).expect("contacts");

    // Client 5 of those at the proxy stays away for longer than its stream is kept, so its contacts are told.
    let away = ["--stay-away", "5", "--resume-away", "1"];
    let pace = ["--rate", "80", "--seconds", "12", "--json"];
    let mut running = command("failover", &[&pace[..], &away[..]].concat());
    let mut running = Process::spawn(running.stdout(Stdio::piped()).stderr(Stdio::piped())).expect("it runs");
    let errors = running.child().stderr.take().expect("it is piped");
    let output = running.child().stdout.take().expect("it is piped");
    let mut progress = BufReader::new(errors).lines().map_while(Result::ok);
    assert!(progress.any(|line| line.contains("  sent ") && !line.contains("  sent 0  ")), "it ended early");
    proxy.cut(Cut::BothSides);
    progress.for_each(drop);
    let report: Value = serde_json::from_reader(output).expect("a report");

    let count = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64);
    for fault in ["lost", "doubled", "out_of_order", "corrupted", "refused", "unacknowledged"] {
        assert_eq!(count(&format!("/check/{fault}")), Some(0), "{fault}: {report:#}");
    }
    assert_eq!(report["errors"], json!({}), "{report:#}");
    assert_eq!(count("/check/received"), count("/check/sent"), "{report:#}");
    assert_eq!(count("/failover/affected"), Some(u64::from(CLIENTS / 2)), "{report:#}");
    let returned = ["resumed", "failed_with_h"].map(|how| count(&format!("/failover/{how}")).unwrap_or(0));
    // A machine under load may take longer than a stream is kept.
    assert!(returned[1] >= 1 && returned[0] + returned[1] == 4, "{report:#}");
    let told = |what: &str| count(&format!("/failover/unavailable/away/{what}"));
    assert_eq!(told("clients"), Some(1), "{report:#}");
    assert_eq!((told("once"), told("never")), (told("expected"), Some(0)), "{report:#}");
}
