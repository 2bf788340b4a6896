//! S172: what is told over HTTP to those who run the server, and to nobody else.

use std::collections::BTreeSet;
use std::net::TcpStream;

use rustix::process::Signal;

use crate::client::Client;
use crate::healthy::Healthy;
use crate::server::{Server, address, wait_for};
use crate::told::{figures, get};

/// How many are loaded.
fn entities(server: &Server) -> f64 {
    figures(server.http.unwrap())["stentor_entities"]
}

/// The metrics in an exposition.
fn named(metrics: &str) -> BTreeSet<String> {
    let heads = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    heads.filter_map(|head| head.split(' ').next()).map(str::to_owned).collect()
}

/// Those that the documentation has, but for some.
fn documented(but: &str) -> BTreeSet<String> {
    let text = include_str!("../../../../docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next());
    rows.filter(|name| !name.starts_with(but)).map(str::to_owned).collect()
}

#[test]
fn stanzas_are_counted_by_kind() {
    let server = Server::start(&[]);
    server.account("counted@example.org");
    let mut client = Client::online(&server, address("counted"), "counted@example.org/a");
    client.send("<message to='counted@example.org/a' id='1'><body>to myself</body></message>");
    client.until("</message>");
    client.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    client.until("id='p'");
    let (_, metrics) = get(server.http.unwrap(), "/metrics");
    let count = |way: &str, kind: &str| -> u32 {
        let name = format!("stentor_stanzas_{way}_total{{kind=\"{kind}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    };
    assert_eq!((count("received", "message"), count("sent", "message")), (1, 1), "{metrics}");
    assert!(count("received", "presence") >= 1 && count("sent", "presence") >= 1, "{metrics}");
    assert!(count("received", "iq") >= 1 && count("sent", "iq") >= 1, "{metrics}");
}

#[test]
fn nothing_is_told_unless_an_address_is_named() {
    let server = Server::start(&[("STENTOR__HTTP__LISTEN", "[]")]);
    assert_eq!(server.http, None);
}

/// Readiness ends with the first word of the end, when there are still clients to be seen off.
#[test]
fn operators_are_told_and_users_are_not_named() {
    let mut server = Server::start(&[]);
    let http = server.http.unwrap();
    let ok = |body: &str| ("200".to_owned(), body.to_owned());
    assert_eq!(get(http, "/health"), ok("ok\n"));
    assert_eq!(get(http, "/ready"), ok("ready\n"));
    server.account("metered@example.org");
    let client = Client::online(&server, address("metered"), "metered@example.org/a");
    let (status, metrics) = get(http, "/metrics");
    assert_eq!(status, "200");
    for line in [
        concat!("stentor_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "# HELP stentor_ready Whether clients should be sent here, as /ready says it",
        "# TYPE stentor_ready gauge",
        "stentor_ready 1",
        "stentor_connections 1",
        "stentor_sessions 1",
        "stentor_authentications_total{outcome=\"succeeded\"} 1",
        "stentor_authentications_total{outcome=\"failed\"} 0",
        "stentor_resources_bound_total 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    assert_eq!(documented("stentor_cluster_"), named(&metrics), "docs/metrics.md names each metric");
    assert!(!metrics.contains("metered") && !metrics.contains("example"), "{metrics}");

    server.signal(Signal::TERM);
    // It is told, and does not close its stream yet.
    let mut client = client;
    client.until("</stream:stream>");
    assert_eq!(get(http, "/health"), ok("ok\n"));
    assert_eq!(get(http, "/ready"), ("503".to_owned(), "the server ends\n".to_owned()));
    drop(client);
    assert_eq!(server.ended(), Some(0));
    assert!(TcpStream::connect(http).is_err());
}

/// S020: what is sent to names that nobody has is answered, and does not leave them in memory.
#[test]
fn those_who_do_not_exist_are_forgotten() {
    let server = Server::start(&[]);
    let _healthy = Healthy::start(&server);
    server.account("asks@example.org");
    let mut client = Client::online(&server, address("asks"), "asks@example.org/a");
    for n in 0..1_500 {
        client.send(&format!(
            "<iq type='get' id='{n}' to='nobody{n}@example.org'><ping xmlns='urn:xmpp:ping'/></iq>\
             <message type='chat' id='m{n}' to='noone{n}@example.org'><body>are you there?</body></message>"
        ));
        for _ in 0..2 {
            let answer = client.until("</error>");
            assert!(answer.contains("<service-unavailable"), "{answer}");
        }
    }
    // The user who asked, the healthy one, and perhaps the host.
    wait_for("they are gone", || entities(&server) <= 3.0);
}

/// Nobody is loaded to say that he is not there.
#[test]
fn lists_load_nobody() {
    let server = Server::start(&[]);
    let jids = ["juliet@example.org", "romeo@example.org"];
    jids.iter().for_each(|jid| server.account(jid));
    let server = server.kill_and_restart();
    for list in ["user", "session"] {
        let listed = server.command(&[list, "list"]);
        assert_eq!(String::from_utf8_lossy(&listed.stdout).contains("romeo"), list == "user");
    }
    assert_eq!(entities(&server), 0.0);
}
