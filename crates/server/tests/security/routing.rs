//! Sections E and F: addresses; roster, presence and stream management. The delivery and subscription tables of
//! RFC 6121 are tests of `crates/entities`; here is what needs a stream of the real server.

use crate::Row;
use crate::client::Client;
use crate::scram::Binding;
use crate::server::{PASSWORD, Server, address};

pub(crate) const ROWS: &[Row] = &[
    ("S090 S092 spellings of an address", spellings),
    ("S093 S094 addresses at their limits, and keys", limits_and_keys),
    ("S095 names are not kept", names_are_not_kept),
    ("S096 what peers write does not forge the log", log_injection),
    ("S100 S118 'from' of a client", from_of_a_client),
    ("S101 a roster is its owner's", roster_of_another),
    ("S104 forged ids and delays", forged_ids),
    ("S115 times far away", times_far_away),
];

fn spellings(server: &Server) {
    server.account("s090@example.org");
    let from = address("S090");
    let mut client = Client::online(server, from, "s090@example.org/A");
    for to in ["S090@EXAMPLE.ORG/A", "s\u{ff10}90@example.org/A", "s090@example.org./A"] {
        client.send(&format!("<message to='{to}' id='m'><body>same</body></message>"));
        let message = client.until("</message>");
        assert!(message.contains("<body>same"), "{to}: {message}");
    }
    // One account, whoever asks for it by what name: at login, in administration, on a roster, as a contact.
    for (n, name) in ["S090", "s\u{ff10}90", "\u{ff33}090"].into_iter().enumerate() {
        let (mut other, _) = Client::starttls(server, address(&format!("S090 {n}")), "example.org");
        other.log_in("SCRAM-SHA-256", name, PASSWORD, &Binding::None).unwrap();
        let bound = other.bind("b");
        assert!(bound.contains(">s090@example.org/b<"), "{name}: {bound}");
        let jid = format!("{name}@EXAMPLE.org");
        assert!(server.command(&["user", "show", &jid]).status.success(), "{jid}");
        assert!(!server.command(&["user", "add", &jid, "--password", "x"]).status.success(), "{jid}");
        client.send(&format!(
            "<iq type='set' id='set'><query xmlns='jabber:iq:roster'>\
             <item jid='{name}friend@EXAMPLE.org' name='n{n}'/></query></iq>"
        ));
        client.until("id='set'");
    }
    client.send("<iq type='get' id='get'><query xmlns='jabber:iq:roster'/></iq>");
    let roster = client.until("id='get'") + &client.until("</iq>");
    let roster = roster.rsplit("<iq").next().unwrap();
    assert_eq!(roster.matches("<item").count(), 1, "{roster}");
    assert!(roster.contains("jid='s090friend@example.org'") && roster.contains("name='n2'"), "{roster}");
    // A subscription is asked for by one spelling, approved by another, and withdrawn by a third.
    server.account("s090friend@example.org");
    let mut friend = Client::online(server, from, "s090friend@example.org/A");
    client.send("<presence to='S090FRIEND@example.org' type='subscribe'/>");
    friend.until("type='subscribe'");
    friend.send("<presence to='\u{ff33}090@Example.Org' type='subscribed'/>");
    client.until("type='subscribed'");
    friend.send("<presence><status>seen</status></presence>");
    client.until("<status>seen</status>");
    friend.send("<presence to='S090@example.org.' type='unsubscribed'/>");
    client.until("type='unsubscribed'");
    client.settle();
    // Resources differ by case; addresses that are none are answered with an error.
    client.send("<iq type='get' id='q' to='s090@example.org/a'><x xmlns='urn:x'/></iq>");
    assert!(client.until("</iq>").contains("<service-unavailable"));
    for to in [
        "s090@example.org/\u{202e}",
        "@example.org",
        "s090@",
        "a@b@c",
        "s090@exa mple.org",
        "s 090@example.org",
        "xn--a@xn--a.example",
        "s090@xn--example-.org",
        "s090@-example.org/",
    ] {
        client.send(&format!("<iq type='get' id='q' to='{to}'><x xmlns='urn:x'/></iq>"));
        let answer = client.until("</iq>");
        assert!(answer.contains("type='error'"), "{to}: {answer}");
    }
}

fn limits_and_keys(server: &Server) {
    let from = address("S093");
    server.account("s093@example.org");
    let mut client = Client::online(server, from, "s093@example.org/a");
    let name = |bytes: usize| "n".repeat(bytes);
    for (to, is_address) in [
        (format!("{}@example.org", name(1_023)), true),
        (format!("{}@example.org", name(1_024)), false),
        (format!("s093@example.org/{}", name(1_023)), true),
        (format!("s093@example.org/{}", name(1_024)), false),
        (format!("{0}@example.org/{0}", name(1_023)), true),
        // Bytes, and not characters.
        (format!("s093@example.org/{}n", "\u{e9}".repeat(511)), true),
        (format!("s093@example.org/{}", "\u{e9}".repeat(512)), false),
        (format!("{}n@example.org", "\u{e9}".repeat(511)), true),
        (format!("{}@example.org", "\u{e9}".repeat(512)), false),
    ] {
        client.send(&format!("<iq type='get' id='q' to='{to}'><x xmlns='urn:x'/></iq>"));
        let answer = client.until("</iq>");
        let expected = if is_address { "<service-unavailable" } else { "<jid-malformed" };
        assert!(answer.contains(expected), "{}: {answer}", to.len());
    }
    // Accounts whose names mean something to file systems and databases.
    for (n, name) in
        ["..", "a%2e%2e", "user%host", "a\\20b", "a\\..\\b", "robert;drop", "con", "%00"].iter().enumerate()
    {
        let jid = format!("{name}@example.org");
        server.account(&jid);
        let mut one = Client::online(server, address(&format!("S094 {n}")), &format!("{jid}/a"));
        one.send(&format!("<message to='{jid}/a'><body>to myself</body></message>"));
        one.until("<body>to myself");
    }
    // And what cannot be an account's name, asked for as one.
    for (n, name) in ["../x", "/etc/passwd", "x/../../data", "a\0b", "' OR '1'='1", "x'; DROP TABLE"]
        .into_iter()
        .enumerate()
    {
        let (mut client, _) = Client::starttls(server, address(&format!("S094 login {n}")), "example.org");
        let failure = client.log_in("SCRAM-SHA-256", name, PASSWORD, &Binding::None).unwrap_err();
        assert!(
            failure.contains("<not-authorized") || failure.contains("<malformed-request"),
            "{name}: {failure}"
        );
        if !name.contains('\0') {
            let added =
                server.command(&["user", "add", &format!("{name}@example.org"), "--password", PASSWORD]);
            assert!(!added.status.success(), "{name}");
        }
    }
    assert!(!server.folder().parent().unwrap().join("data").exists());
    assert!(!server.folder().join("x").exists() && !server.folder().join("data/x").exists());
}

/// Many names that were never seen before, in all places where a stanza has one but for accounts (those are loaded, and
/// leave again when they are idle); memory returns.
fn names_are_not_kept(server: &Server) {
    let from = address("S095");
    server.account("s095@example.org");
    let mut client = Client::online(server, from, "s095@example.org/a");
    let mut round = |from: usize, count: usize| {
        for n in from..from + count {
            client.send(&format!(
                "<iq type='get' id='i{n}' to='s095@example.org/r{n}'><e{n} xmlns='urn:n:{n}' a{n}='v'/></iq>\
                 <message to='s095@example.org/gone{n}' type='headline'><p{n}:e xmlns:p{n}='urn:p:{n}'/></message>\
                 <presence to='d{n}.example.org' type='unavailable'/>"
            ));
            if n % 64 == 0 {
                client.settle();
            }
        }
        client.settle();
    };
    // What is used at all, is used by then.
    round(0, 4_000);
    let before = server.resident();
    round(4_000, 16_000);
    let grown = server.resident().saturating_sub(before);
    println!("S095: {grown} bytes for 16,000 of each name");
    // 80,000 names of some 50 bytes would be 4 MB, with a table over them twice that.
    assert!(grown < 3 * 1024 * 1024, "{grown} bytes");
}

fn log_injection(server: &Server) {
    let from = address("S096");
    let (mut client, _) = Client::starttls(server, from, "example.org");
    let name = "a\u{1b}[31m\n{\"level\":\"FORGED\"}";
    let failure = client.log_in("SCRAM-SHA-256", name, "x", &Binding::None);
    assert!(failure.is_err());
    server.account("s096@example.org");
    let mut client = Client::online(server, from, "s096@example.org/a");
    client.send("<iq type='get' id='q' to='s096@example.org/&#10;FORGED'><x xmlns='urn:x'/></iq>");
    client.until("<jid-malformed");
    client.until("</iq>");
    let mut client = Client::authenticated(server, from, "s096@example.org");
    assert!(client.bind("&#10;{&quot;level&quot;:&quot;FORGED&quot;}").contains("<bad-request"));
    for line in server.log() {
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
        assert!(!line.contains('\u{1b}') && !line.starts_with("{\"level\":\"FORGED"), "{line}");
    }
}

fn from_of_a_client(server: &Server) {
    let address = address("S100");
    server.account("s100@example.org");
    for (from, is_accepted) in [
        ("s100@example.org/a", true),
        ("s100@example.org", true),
        ("S100@example.org/a", true),
        ("s100@example.org/b", false),
        ("healthy@example.org", false),
        ("example.org", false),
        ("example.com", false),
        ("not an @ address", false),
    ] {
        let mut client = Client::online(server, address, "s100@example.org/a");
        client.send(&format!("<message from='{from}' to='s100@example.org/a'><body>.</body></message>"));
        if is_accepted {
            let message = client.until("</message>");
            assert!(message.contains("from='s100@example.org/a'"), "{message}");
        } else {
            let end = client.rest();
            assert!(end.contains("<invalid-from") || end.contains("<jid-malformed"), "{from}: {end}");
            assert!(!end.contains("<body"), "{from}: {end}");
            for other in [
                "<presence from='FROM'/>",
                "<iq type='get' id='q' from='FROM'><ping xmlns='urn:xmpp:ping'/></iq>",
            ] {
                let mut client = Client::online(server, address, "s100@example.org/a");
                client.send(&other.replace("FROM", from));
                let end = client.rest();
                assert!(end.contains("<invalid-from") || end.contains("<jid-malformed"), "{from}: {end}");
                assert!(!end.contains("id='q'"), "{from}: {end}");
            }
        }
    }
}

fn roster_of_another(server: &Server) {
    let from = address("S101");
    server.account("s101@example.org");
    server.account("mallory@example.org");
    let mut owner = Client::online(server, from, "s101@example.org/a");
    owner.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    owner.until("</iq>");
    let mut mallory = Client::online(server, from, "mallory@example.org/a");
    let push = "<query xmlns='jabber:iq:roster'><item jid='evil@example.org' subscription='both'/></query>";
    // A stranger, and then somebody who sees that the owner is there and whose other requests reach its clients.
    for is_contact in [false, true] {
        if is_contact {
            let befriend = ["user", "befriend", "s101@example.org", "mallory@example.org"];
            assert!(server.command(&befriend).status.success());
            owner.until("mallory@example.org");
            owner.settle();
            mallory.send("<iq type='get' id='other' to='s101@example.org/a'><x xmlns='urn:x'/></iq>");
            owner.until("id='other'");
            owner.until("</iq>");
        }
        for (kind, to) in [("set", ""), ("get", ""), ("set", "/a"), ("get", "/a")] {
            mallory.send(&format!("<iq type='{kind}' id='x' to='s101@example.org{to}'>{push}</iq>"));
            let answer = mallory.until("id='x'") + &mallory.until(">");
            assert!(answer.contains("type='error'"), "{to} {kind}: {answer}");
            let got = owner.settle();
            assert!(!got.contains("evil"), "{to} {kind}: {got}");
        }
    }
    owner.send("<iq type='get' id='r2'><query xmlns='jabber:iq:roster'/></iq>");
    let roster = owner.until("r2") + &owner.until(">");
    assert!(!roster.contains("evil"), "{roster}");
}

fn forged_ids(server: &Server) {
    let from = address("S104");
    server.account("s104@example.org");
    let mut client = Client::online(server, from, "s104@example.org/a");
    let forged = "<stanza-id xmlns='urn:xmpp:sid:0' by='s104@example.org' id='forged'/>".repeat(5);
    let by_prefix = "<f:stanza-id xmlns:f='urn:xmpp:sid:0' by='S104@example.org' id='forged'/>".repeat(5);
    client.send(&format!(
        "<message to='s104@example.org/a' type='chat'>{forged}<body>.</body>{by_prefix}</message>"
    ));
    let message = client.until("</message>");
    assert!(!message.contains("forged"), "{message}");
    assert_eq!(message.matches("stanza-id").count(), 1, "{message}");
    // The server's own stamp on what waited, beside one of the sender's.
    let mut sender = Client::online(server, from, "s104@example.org/b");
    server.account("away104@example.org");
    let forged = |tag: &str, declared: &str| {
        format!("<{tag} {declared}='urn:xmpp:delay' from='EXAMPLE.org' stamp='2001-01-01T00:00:00Z'/>")
            .repeat(5)
    };
    let delays = forged("delay", "xmlns") + &forged("d:delay", "xmlns:d");
    sender
        .send(&format!("<message to='away104@example.org' type='chat'><body>late</body>{delays}</message>"));
    sender.settle();
    let mut away = Client::bound(server, from, "away104@example.org/a");
    away.send("<presence/>");
    away.until("<message");
    let message = away.until("</message>");
    assert!(!message.contains("2001-01-01"), "a stamp in the server's name: {message}");
}

fn times_far_away(server: &Server) {
    let from = address("S115");
    server.account("s115@example.org");
    let mut client = Client::online(server, from, "s115@example.org/a");
    for stamp in ["9999999-01-01T00:00:00Z", "0000-00-00T00:00:00Z", "-1", "2026-13-45T99:99:99+99:99", ""] {
        client.send(&format!(
            "<message to='s115@example.org/a' type='chat'><body>.</body>\
             <delay xmlns='urn:xmpp:delay' from='elsewhere.example' stamp='{stamp}'/></message>"
        ));
        client.until("</message>");
    }
    client.settle();
}
