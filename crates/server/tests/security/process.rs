//! Rows that need a server of their own: other settings, signals, `kill -9`.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{Client, TlsSetup, connect, header};
use crate::healthy::Healthy;
use crate::scram::Binding;
use crate::server::{DEADLINE, Server, address, wait_for};

const SM: &str = "xmlns='urn:xmpp:sm:3'";

fn message(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat'><body>{body}</body></message>")
}

/// How long until the server ends the connection, and what it said.
fn ended(mut client: Client, begun: Instant) -> (Duration, String) {
    let said = client.rest();
    (begun.elapsed(), said)
}

/// S040. The times are lower bounds and deadlines against hanging, no more.
#[test]
fn s040_each_stage_has_its_time() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__HANDSHAKE_SECONDS_MAX", "1"),
        ("STENTOR__LIMITS__LOGIN_SECONDS_MAX", "5"),
    ]);
    let _healthy = Healthy::start(&server);
    server.account("s040@example.org");
    let from = address("S040");
    let begun = Instant::now();
    // Silent before TLS; silent after half a ClientHello; silent in each later stage.
    let silent = Client::clear(&server, from);
    let mut hello = Vec::new();
    TlsSetup::new("example.org").connection().write_tls(&mut hello).unwrap();
    let mut half = connect(server.direct, from);
    std::io::Write::write_all(&mut half, &hello[..20]).unwrap();
    let mut features = Client::clear(&server, from);
    features.open();
    features.until("</stream:features>");
    let mut proceeding = Client::clear(&server, from);
    proceeding.open();
    proceeding.until("</stream:features>");
    proceeding.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    proceeding.until("<proceed");
    proceeding.until(">");
    let (secure, _) = Client::starttls(&server, from, "example.org");
    let authenticated = Client::authenticated(&server, from, "s040@example.org");
    let mut bound = Client::online(&server, from, "s040@example.org/a");

    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut half, &mut answer);
    assert!(answer.first().is_none_or(|kind| *kind == 0x15), "{answer:?}");
    let (_, end) = ended(proceeding, begun);
    assert_eq!(end, "", "a handshake that does not begin is cut");
    for (client, stage) in
        [(silent, "silent"), (features, "features"), (secure, "TLS"), (authenticated, "SASL")]
    {
        let (time, end) = ended(client, begun);
        assert!(end.contains("<connection-timeout") && end.ends_with("</stream:stream>"), "{stage}: {end}");
        assert!(time >= Duration::from_secs(4) && time < DEADLINE, "{stage}: {time:?}");
    }
    trickle(stages_of_slow_clients(&server, &hello));
    bound.settle();
}

/// What a client is slow to say, in each stage that there is before its resource is bound.
fn stages_of_slow_clients(server: &Server, hello: &[u8]) -> Vec<(&'static str, Client, Vec<u8>)> {
    let from = address("S040 slow");
    let mut proceeding = Client::clear(server, from);
    proceeding.open();
    proceeding.until("</stream:features>");
    proceeding.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    proceeding.until("<proceed");
    proceeding.until(">");
    let auth =
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>".to_owned() + &"A".repeat(4_000);
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>".to_owned()
        + &"a".repeat(4_000);
    vec![
        ("a header", Client::clear(server, from), header(&"x".repeat(4_000)).into_bytes()),
        ("a handshake", proceeding, hello.to_vec()),
        ("an authentication", Client::starttls(server, from, "example.org").0, auth.into_bytes()),
        ("a binding", Client::authenticated(server, from, "s040@example.org"), bind.into_bytes()),
    ]
}

/// Bytes now and then do not prolong anything.
fn trickle(mut stages: Vec<(&'static str, Client, Vec<u8>)>) {
    let begun = Instant::now();
    for at in 0.. {
        stages.retain_mut(|(_, client, bytes)| client.send_bytes(&bytes[at..=at]).is_ok());
        if stages.is_empty() {
            return;
        }
        let names: Vec<_> = stages.iter().map(|(name, ..)| *name).collect();
        assert!(begun.elapsed() < DEADLINE, "these go on: {names:?}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Dead peers: whoever does not answer is gone, and can resume.
#[test]
fn silent_clients_are_asked_and_given_up() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__IDLE_SECONDS", "5"),
        ("STENTOR__LIMITS__ANSWER_SECONDS_MAX", "1"),
    ]);
    let _healthy = Healthy::start(&server);
    server.account("silent@example.org");
    let from = address("silent");
    let mut managed = Client::online(&server, from, "silent@example.org/managed");
    let id = managed.enable();
    let mut plain = Client::online(&server, from, "silent@example.org/plain");
    let mut alive = Client::online(&server, from, "silent@example.org/alive");
    // The one that answers stays.
    let asked = alive.until("urn:xmpp:ping");
    let ping = asked.rsplit("<iq").next().unwrap().split(" id='").nth(1).unwrap();
    let ping = ping.split('\'').next().unwrap().to_owned();
    alive.send(&format!("<iq type='result' id='{ping}'/>"));
    // S102: an answer counts on the stream that was asked, not for the one that it is sent to.
    alive.send(&format!("<iq type='result' id='{ping}' to='silent@example.org/plain'/>"));
    let end = managed.rest();
    assert!(end.contains("<r "), "{end}");
    let end = plain.rest();
    assert!(end.contains("urn:xmpp:ping") && end.contains("from='silent@example.org/alive'"), "{end}");
    alive.settle();
    let mut again = Client::authenticated(&server, from, "silent@example.org");
    again.send(&format!("<resume {SM} previd='{id}' h='0'/>"));
    again.until("<resumed");
}

/// `limits.bytes_per_second`: who sends more at once is held, and goes on by itself, whatever was read of it by then.
#[test]
fn who_sends_too_much_is_held_and_goes_on() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__BYTES_PER_SECOND", "200000"),
        ("STENTOR__LIMITS__BURST_BYTES", "10000"),
    ]);
    server.account("held@example.org");
    let mut client = Client::online(&server, address("held"), "held@example.org/a");
    let body = "x".repeat(500);
    for size in [40, 200] {
        let mut burst = String::new();
        for n in 0..size {
            burst += &format!(
                "<message to='held@example.org/a' type='headline'><body>n{n}.{body}</body></message>"
            );
        }
        client.send(&burst);
        for n in 0..size {
            let text = client.until("</body>");
            assert!(text.contains(&format!("<body>n{n}.")), "{n}: {text}");
        }
    }
}

/// `limits.streams_max`, `tls.version_min`, `auth.attempts_max`, `limits.unauthenticated_*`; and by a reload.
#[test]
fn what_the_configuration_promises_holds() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__STREAMS_MAX", "3"),
        ("STENTOR__TLS__VERSION_MIN", "1.3"),
        ("STENTOR__AUTH__ATTEMPTS_MAX", "2"),
        ("STENTOR__LIMITS__UNAUTHENTICATED_BYTES_MAX", "4096"),
        ("STENTOR__LIMITS__UNAUTHENTICATED_ELEMENTS_MAX", "8"),
    ]);
    let from = address("configured");
    server.account("configured@example.org");
    const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    let old = TlsSetup { versions: TLS12, ..TlsSetup::new("example.org") };
    assert!(Client::direct(&server, from, &old).is_err());

    let (mut client, features) = Client::starttls(&server, from, "example.org");
    assert!(features.contains("<max-bytes>4096<") && features.contains("<idle-seconds>30<"), "{features}");
    assert!(client.log_in("SCRAM-SHA-256", "configured", "wrong", &Binding::None).is_err());
    assert!(client.log_in("SCRAM-SHA-256", "configured", "wrong", &Binding::None).is_err());
    let end = client.rest();
    assert!(end.contains("<policy-violation"), "{end}");
    for text in ["<a/>".repeat(9), "x".repeat(5_000)] {
        let (mut client, _) = Client::starttls(&server, from, "example.org");
        let _ = client.send_bytes(format!("<auth>{text}</auth>").as_bytes());
        let end = client.rest();
        assert!(end.contains("<policy-violation"), "{end}");
    }

    wait_for("all are gone", || server.sessions() == 0);
    let mut held: Vec<Client> =
        (0..3).map(|n| Client::online(&server, from, &format!("configured@example.org/{n}"))).collect();
    let mut refused = Client::clear(&server, from);
    let _ = refused.send_bytes(header("example.org").as_bytes());
    assert_eq!(refused.rest(), "");
    held.iter_mut().for_each(|client| drop(client.settle()));
    held.pop();
    wait_for("room for a stream", || {
        let mut again = Client::clear(&server, from);
        again.send_bytes(header("example.org").as_bytes()).is_ok() && again.has_features()
    });
}

/// RFC 6120 4.9.3.19: a domain that moves says so to new streams once they have TLS, from a reload on until the next;
/// who is there stays.
#[test]
fn streams_are_sent_to_another_host() {
    let server = Server::start(&[]);
    let from = address("4.9.3.19");
    server.account("stays@example.org");
    let mut stays = Client::online(&server, from, "stays@example.org/a");
    let file = server.folder().join("stentor.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let key = "key = \"example.org.key\"\n";
    let moved = text.replace(key, &format!("{key}see_other_host = \"[2001:db8::7]:15222\"\n"));
    std::fs::write(&file, moved).unwrap();
    server.signal(Signal::HUP);
    wait_for("the setting is in force", || {
        server.log().iter().any(|line| line.contains("setting changed") && line.contains("see_other_host"))
    });

    let error = "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::7]:15222\
                 </see-other-host></stream:error></stream:stream>";
    let mut direct = Client::direct(&server, from, &TlsSetup::new("example.org")).unwrap();
    direct.open();
    let told = direct.rest();
    assert!(told.ends_with(error) && told.contains("<stream:stream "), "{told}");
    // In clear, anybody on the way could say it.
    let mut clear = Client::clear(&server, from);
    clear.open();
    let features = clear.until("</stream:features>");
    assert!(!features.contains("see-other-host"), "{features}");
    clear.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    clear.until("<proceed");
    clear.until(">");
    clear.secure(&TlsSetup::new("example.org")).unwrap();
    clear.open();
    assert!(clear.rest().ends_with(error));
    Client::starttls(&server, from, "example.net");
    stays.settle();

    std::fs::write(&file, text).unwrap();
    assert!(server.command(&["reload"]).status.success());
    Client::online(&server, from, "stays@example.org/b");
}

/// `kill -9`: what was acknowledged is there, and the client hears exactly how much that is.
#[test]
fn after_kill_9_the_count_is_exact() {
    let server = Server::start(&[]);
    let from = address("kill");
    server.account("kill@example.org");
    server.account("away@example.org");
    let mut client = Client::online(&server, from, "kill@example.org/a");
    let id = client.enable();
    for n in 0..150 {
        client.send(&message("away@example.org", &format!("n{n}.")));
    }
    client.send(&format!("<r {SM}/>"));
    client.until("h='150'");
    let server = server.kill_and_restart();
    let mut again = Client::authenticated(&server, from, "kill@example.org");
    again.send(&format!("<resume {SM} previd='{id}' h='0'/>"));
    let failed = again.until("<failed") + &again.until("</failed>");
    assert!(failed.contains("h='150'") && failed.contains("<item-not-found"), "{failed}");
    again.bind("a");
    let mut away = Client::bound(&server, from, "away@example.org/a");
    away.send("<presence/>");
    for n in 0..150 {
        let text = away.until("</body>");
        assert!(text.contains(&format!("<body>n{n}.</body>")), "{n}: {text}");
    }
    let rest = away.settle();
    assert!(!rest.contains("<body>"), "{rest}");
}

/// SIGTERM: every stream is told, everything is written, the process ends; then as after `kill -9`.
#[test]
fn sigterm_ends_streams_and_keeps_everything() {
    let mut server = Server::start(&[]);
    let from = address("term");
    server.account("term@example.org");
    server.account("away@example.org");
    let mut client = Client::online(&server, from, "term@example.org/a");
    let mut stranger = Client::clear(&server, from);
    stranger.open();
    stranger.until("</stream:features>");
    let id = client.enable();
    for n in 0..20 {
        client.send(&message("away@example.org", &n.to_string()));
    }
    client.send(&format!("<r {SM}/>"));
    client.until("h='20'");
    client.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    client.until("id='1'");
    client.until(">");
    server.signal(Signal::TERM);
    for mut client in [client, stranger] {
        let end = client.rest();
        assert!(end.contains("<system-shutdown") && end.ends_with("</stream:stream>"), "{end}");
    }
    assert_eq!(server.ended(), Some(0));
    let server = server.restart();
    let mut again = Client::authenticated(&server, from, "term@example.org");
    again.send(&format!("<resume {SM} previd='{id}' h='0'/>"));
    let failed = again.until("<failed") + &again.until("</failed>");
    assert!(failed.contains("h='21'"), "20 messages and a ping: {failed}");
}

/// Users and sessions on every arbiter there is talk to each other, in order.
#[test]
fn sessions_on_different_arbiters() {
    let server = Server::start(&[]);
    let mut clients: Vec<(String, Client)> = (0..8)
        .map(|n| {
            let jid = format!("arbiter{n}@example.org");
            server.account(&jid);
            let full = format!("{jid}/a");
            let client = Client::online(&server, address(&full), &full);
            (full, client)
        })
        .collect();
    let jids: Vec<String> = clients.iter().map(|(jid, _)| jid.clone()).collect();
    for (from, client) in &mut clients {
        let mut burst = String::new();
        for n in 0..50 {
            jids.iter().for_each(|to| burst += &message(to, &format!("{from} {n}.")));
        }
        client.send(&burst);
    }
    for (jid, client) in &mut clients {
        let mut next: std::collections::HashMap<String, u32> =
            jids.iter().map(|jid| (jid.clone(), 0)).collect();
        for _ in 0..jids.len() * 50 {
            let text = client.until("</body>");
            let (from, n) = text.rsplit("<body>").next().unwrap().split_once(' ').unwrap();
            let expected = next.get_mut(from).unwrap();
            assert!(n.starts_with(&format!("{expected}.")), "{jid} from {from}: {n}, not {expected}");
            *expected += 1;
        }
    }
}

/// Each account with its sessions, also those that are not loaded.
#[test]
fn accounts_and_sessions_are_listed() {
    let server = Server::start(&[]);
    let jids = ["away@example.org", "juliet@example.net", "juliet@example.org", "romeo@example.org"];
    jids.iter().for_each(|jid| server.account(jid));
    let server = server.kill_and_restart();
    let here = ["juliet@example.net/b", "juliet@example.org/a", "juliet@example.org/c"];
    let _clients = here.map(|jid| Client::online(&server, address("lists"), jid));
    let list = |arguments: &[&str]| {
        let output = server.command(&[arguments, &["--json"]].concat());
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        list.as_array().unwrap().clone()
    };
    let users = list(&["user", "list"]);
    let users: Vec<_> = users
        .iter()
        .map(|user| (user["jid"].as_str().unwrap(), user["sessions"].as_u64().unwrap()))
        .collect();
    assert_eq!(users, [(jids[0], 0), (jids[1], 1), (jids[2], 2), (jids[3], 0)]);
    let sessions = list(&["session", "list"]);
    let sessions: Vec<_> = sessions.iter().map(|session| session["jid"].as_str().unwrap()).collect();
    assert_eq!(sessions, here);
    assert_eq!(list(&["session", "list", "--user", "romeo@example.org"]).len(), 0);
    let nobody = server.command(&["session", "list", "--user", "nobody@example.org"]);
    assert_eq!(nobody.status.code(), Some(1));
}
