//! Too much at once: of a client, for a client, for an account. Each row has a server of its own.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::healthy::Healthy;
use crate::server::{Server, address, wait_for};
use crate::told::figures;

const SM: &str = "xmlns='urn:xmpp:sm:3'";

fn message(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat'><body>{body}</body></message>")
}

/// A rate holds an honest client back, and loses nothing of it.
#[test]
fn a_rate_holds_and_does_not_kill() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__BYTES_PER_SECOND", "50000"),
        ("STENTOR__LIMITS__BURST_BYTES", "20000"),
    ]);
    let _healthy = Healthy::start(&server);
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
    // S044: what is no stanza counts as well.
    client.enable();
    for flood in
        [" ".repeat(120_000), format!("<r {SM}/>").repeat(4_800), format!("<a {SM} h='0'/>").repeat(3_500)]
    {
        let begun = Instant::now();
        client.send(&flood);
        client.settle();
        assert!(begun.elapsed() > Duration::from_secs(1), "{:?} for {:?}", begun.elapsed(), &flood[..9]);
    }
}

/// S042, S043: a client that does not read is held, then cut; it can resume, and nothing is lost.
#[test]
fn s042_a_client_that_does_not_read() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__OFFLINE_BYTES_MAX", "67108864"),
        ("STENTOR__STREAM_MANAGEMENT__UNACKNOWLEDGED_MAX", "100000"),
        ("STENTOR__STREAM_MANAGEMENT__UNACKNOWLEDGED_BYTES_MAX", "67108864"),
    ]);
    let _healthy = Healthy::start(&server);
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

/// S042: whoever closes its half has ended the connection, at each stage; also if it does not read what it has asked for.
#[test]
fn s042_half_closed() {
    let server = Server::start(&[
        ("STENTOR__LIMITS__IDLE_SECONDS", "5"),
        ("STENTOR__LIMITS__ANSWER_SECONDS_MAX", "1"),
    ]);
    let _healthy = Healthy::start(&server);
    server.account("half@example.org");
    let from = address("S042 half");
    let is_over = || figures(server.http.unwrap())["stentor_connections"] <= 1.0;
    let mut features = Client::clear(&server, from);
    features.open();
    features.until("</stream:features>");
    let mut managed = Client::online(&server, from, "half@example.org/managed");
    let id = managed.enable();
    let stages = [
        Client::clear(&server, from),
        features,
        Client::starttls(&server, from, "example.org").0,
        Client::authenticated(&server, from, "half@example.org"),
        Client::online(&server, from, "half@example.org/plain"),
        managed,
    ];
    stages.iter().for_each(|client| client.socket().shutdown(Shutdown::Write).unwrap());
    wait_for("the server lets go of them", is_over);
    drop(stages);
    let mut again = Client::authenticated(&server, from, "half@example.org");
    again.send(&format!("<resume {SM} previd='{id}' h='0'/>"));
    again.until("<resumed");
    drop(again);

    // Nothing more is read of who does not listen, so not even that it has closed its half.
    let question =
        "<iq type='get' id='q'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>".repeat(100);
    let mut deaf = Client::online(&server, from, "half@example.org/deaf");
    while deaf.send_some(question.as_bytes()) == question.len() {}
    deaf.socket().shutdown(Shutdown::Write).unwrap();
    wait_for("it is given up", is_over);
    drop(deaf);
}

/// Windows of 64: more than that in one write, from many sessions, all of it acknowledged.
#[test]
fn beyond_the_window() {
    let server = Server::start(&[]);
    let _healthy = Healthy::start(&server);
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
        let _healthy = Healthy::start(&server);
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
    let _healthy = Healthy::start(&server);
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
