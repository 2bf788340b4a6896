//! Rows that need a server of their own: other settings, signals, `kill -9`.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{Client, TlsSetup, connect, header};
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
    // Bytes now and then do not prolong it.
    let mut trickle = Client::clear(&server, from);
    let header = header("example.org");
    let mut sent = 0;
    while trickle.send_bytes(&header.as_bytes()[sent..=sent]).is_ok() && sent + 2 < header.len() {
        sent += 1;
        std::thread::park_timeout(Duration::from_millis(100));
        if begun.elapsed() > DEADLINE {
            break;
        }
    }
    let end = trickle.rest();
    assert!(end.is_empty() || end.contains("<connection-timeout"), "{end}");
    bound.settle();
}

/// Dead peers: whoever does not answer is gone, and can resume.
#[test]
fn silent_clients_are_asked_and_given_up() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__IDLE_SECONDS", "5"),
        ("STENTOR__LIMITS__ANSWER_SECONDS_MAX", "1"),
    ]);
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
    let end = managed.rest();
    assert!(end.contains("<r "), "{end}");
    let end = plain.rest();
    assert!(end.contains("urn:xmpp:ping"), "{end}");
    alive.settle();
    let mut again = Client::authenticated(&server, from, "silent@example.org");
    again.send(&format!("<resume {SM} previd='{id}' h='0'/>"));
    again.until("<resumed");
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
    assert!(features.contains("<max-bytes>4096<") && features.contains("<idle-seconds>300<"), "{features}");
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

/// A rate holds an honest client back, and loses nothing of it.
#[test]
fn a_rate_holds_and_does_not_kill() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__BYTES_PER_SECOND", "50000"),
        ("STENTOR__LIMITS__BURST_BYTES", "20000"),
    ]);
    server.account("rate@example.org");
    let from = address("rate");
    let mut client = Client::online(&server, from, "rate@example.org/a");
    let body = "x".repeat(1_000);
    let mut sent = 0;
    let begun = Instant::now();
    for n in 0..120 {
        let text = message("rate@example.org/a", &format!("{n}.{body}"));
        sent += text.len();
        client.send(&text);
    }
    for n in 0..120 {
        let text = client.until("</body>");
        assert!(text.contains(&format!("<body>{n}.")), "{n}: {text}");
    }
    // 130 kB, of which 20 at once and a read of 16 beyond: the others take two seconds at least.
    assert!(sent > 120_000);
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// S042, S043: a client that does not read is held, then cut; it can resume, and nothing is lost.
#[test]
fn s042_a_client_that_does_not_read() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__OFFLINE_BYTES_MAX", "67108864"),
        ("STENTOR__STREAM_MANAGEMENT__UNACKNOWLEDGED_MAX", "100000"),
        ("STENTOR__STREAM_MANAGEMENT__UNACKNOWLEDGED_BYTES_MAX", "67108864"),
    ]);
    server.account("deaf@example.org");
    server.account("talker@example.org");
    let from = address("S042");
    let before = server.resident();

    // It asks and does not listen: nothing more is read of it.
    let mut asking = Client::online(&server, from, "talker@example.org/asking");
    asking.socket().set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let question =
        "<iq type='get' id='q'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>".repeat(100);
    let mut asked = 0;
    while asked < 200_000_000 && asking.send_bytes(question.as_bytes()).is_ok() {
        asked += question.len();
    }
    assert!(asked < 100_000_000, "the server read on: {asked}");
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 32 * 1024 * 1024, "{grown} bytes for one client that does not read");
    drop(asking);

    // Others write to it what no log has: it is cut, and what it did not get it gets on resumption.
    let mut deaf = Client::online(&server, from, "deaf@example.org/a");
    let id = deaf.enable();
    let mut talker = Client::online(&server, from, "talker@example.org/a");
    let body = "x".repeat(10_000);
    let mut count = 0;
    while !server.log().iter().any(|line| line.contains("a client does not read")) {
        assert!(count < 4_000, "nothing holds it");
        for _ in 0..20 {
            let text = message("deaf@example.org/a", &format!("{count}.{body}"));
            talker.send(&text.replace("chat", "headline"));
            count += 1;
        }
        talker.settle();
    }
    let mut again = Client::authenticated(&server, from, "deaf@example.org");
    again.send(&format!("<resume {SM} previd='{id}' h='0'/>"));
    again.until("<resumed");
    for n in 0..count {
        let text = again.until("</body>");
        assert!(text.contains(&format!("<body>{n}.")), "{n} of {count}: {}", &text[..200]);
    }
    drop((deaf, again, talker));
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

/// Windows of 64: more than that in one write, from many sessions, all of it acknowledged.
#[test]
fn beyond_the_window() {
    let server = Server::start(&[]);
    server.account("window@example.org");
    server.account("away@example.org");
    let from = address("window");
    let mut client = Client::online(&server, from, "window@example.org/a");
    client.enable();
    let mut sent = 0;
    for size in [63, 64, 65, 129, 1_000] {
        let burst = message("away@example.org", "x").repeat(size);
        sent += size;
        client.send(&(burst + &format!("<r {SM}/>")));
        client.until(&format!("h='{sent}'"));
    }
    // Stanzas that fill the window by their bytes.
    let large = message("away@example.org", &"x".repeat(100_000));
    for _ in 0..10 {
        client.send(&large);
        sent += 1;
    }
    client.send(&format!("<r {SM}/>"));
    client.until(&format!("h='{sent}'"));
}

/// S113, S114: beyond what is kept for an account, each message has one error, and leaves nothing.
#[test]
fn s113_quotas_of_what_is_kept() {
    for (setting, value, body) in [
        ("STENTOR__LIMITS__OFFLINE_MESSAGES_MAX", "10", 10),
        ("STENTOR__LIMITS__OFFLINE_BYTES_MAX", "50000", 4_800),
    ] {
        let server = Server::start(&[(setting, value)]);
        server.account("flooder@example.org");
        server.account("away@example.org");
        let from = address("S113");
        let mut flooder = Client::online(&server, from, "flooder@example.org/a");
        let body = "x".repeat(body);
        for n in 0..40 {
            flooder.send(&format!(
                "<message id='m{n}' to='away@example.org' type='chat'><body>{n}.{body}</body></message>"
            ));
        }
        let mut refused = Vec::new();
        while refused.last().is_none_or(|last| last != "m39") {
            let text = flooder.until("</message>");
            assert!(text.contains("type='error'") && text.contains("<service-unavailable"), "{text}");
            refused.push(text.split(" id='").nth(1).unwrap().split('\'').next().unwrap().to_owned());
        }
        let mut away = Client::bound(&server, from, "away@example.org/a");
        away.send("<presence/>");
        for n in 0..40 - refused.len() {
            let text = away.until("</body>");
            assert!(text.contains(&format!("<body>{n}.")), "{setting} {n}: {text}");
            assert!(!refused.contains(&format!("m{n}")), "{n}: delivered, and refused");
        }
        let rest = away.settle();
        assert!(!rest.contains("<body"), "{rest}");
        assert!((9..=10).contains(&(40 - refused.len())), "{setting}: {} were kept", 40 - refused.len());
    }
}

/// S113: more waits for a client than may be unacknowledged, or unread, at a time. It gets all of it, in order.
#[test]
fn s113_a_backlog_larger_than_what_a_session_holds() {
    let server = Server::start(&[]);
    server.account("writer@example.org");
    server.account("reader@example.org");
    let from = address("S113 backlog");
    let mut writer = Client::online(&server, from, "writer@example.org/a");
    let body = "x".repeat(20_000);
    let mut write = |from: usize, to: usize| {
        for n in from..to {
            writer.send(&message("reader@example.org", &format!("{n}.{body}")));
        }
        writer.settle();
    };
    // With stream management, `before` is what it has acknowledged.
    let expect = |reader: &mut Client, numbers: std::ops::Range<usize>, before: Option<usize>| {
        for n in numbers {
            let text = reader.until("</body>");
            assert!(text.contains(&format!("<body>{n}.")), "{n}: {}", &text[..text.len().min(300)]);
            if let Some(before) = before {
                reader.send(&format!("<a {SM} h='{}'/>", before + n + 1));
            }
        }
    };
    // As it logs in: 2 MB, by a client with stream management, and by one without.
    write(0, 100);
    let mut managed = Client::bound(&server, from, "reader@example.org/a");
    managed.enable();
    managed.send("<presence/>");
    managed.until("<presence");
    managed.until(">");
    managed.send(&format!("<a {SM} h='1'/>"));
    expect(&mut managed, 0..100, Some(1));
    // In one burst while it is there.
    write(100, 200);
    expect(&mut managed, 100..200, Some(1));
    managed.settle();
    managed.send("</stream:stream>");
    managed.rest();
    write(0, 100);
    let mut plain = Client::bound(&server, from, "reader@example.org/b");
    plain.send("<presence/>");
    expect(&mut plain, 0..100, None);
    let rest = plain.settle();
    assert!(!rest.contains("<body"), "{}", rest.len());
}
