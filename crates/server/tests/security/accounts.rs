//! Section C behind authentication: binding, passwords, resumption, what is stored, registration.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Row;
use crate::client::Client;
use crate::scram::{self, Binding};
use crate::server::{PASSWORD, Server, address};

pub(crate) const ROWS: &[Row] = &[
    ("S063 binding", binding),
    ("S066 a password is changed, an account removed", password_changed),
    ("S067 resumption of what is not one's own", resume_hijack),
    ("S068 what is stored", what_is_stored),
    ("XEP-0077 3.1: registration", registration),
];

fn binding(server: &Server) {
    let from = address("S063");
    server.account("s063@example.org");
    let mut client = Client::authenticated(server, from, "s063@example.org");
    for resource in ["", &"x".repeat(1_024), "\u{a0}\u{200b}\u{202e}", &"\u{e9}".repeat(512)] {
        let answer = client.bind(resource);
        assert!(answer.contains("<bad-request"), "{answer}");
    }
    let mut client = Client::authenticated(server, from, "s063@example.org");
    let _ = client.send_bytes(
        format!(
            "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}",
            "x".repeat(1_000_000)
        )
        .as_bytes(),
    );
    let end = client.rest();
    assert!(end.contains("<policy-violation"), "{end}");
    // The last may be as long as RFC 7622 lets it; the newer of two takes the resource.
    let long = format!("s063@example.org/{}", "x".repeat(1_023));
    let mut old = Client::online(server, from, &long);
    let mut new = Client::online(server, from, &long);
    let end = old.rest();
    assert!(end.contains("<conflict") && end.ends_with("</stream:stream>"), "{end}");
    // A client that binds for ever takes its own place again; nothing of the others.
    for _ in 0..crate::server::many(50, 1_000) {
        new = Client::online(server, from, &long);
    }
    new.settle();
    let mut held: Vec<Client> =
        (0..19).map(|n| Client::bound(server, from, &format!("s063@example.org/{n}"))).collect();
    let mut more = Client::authenticated(server, from, "s063@example.org");
    let answer = more.bind("twenty-first");
    assert!(answer.contains("<resource-constraint"), "{answer}");
    drop(held.pop());
    crate::server::wait_for("room for another resource", || {
        let mut again = Client::authenticated(server, from, "s063@example.org");
        again.bind("again").contains("<jid>")
    });
}

fn password_changed(server: &Server) {
    let from = address("S066");
    server.account("s066@example.org");
    let mut open = Client::online(server, from, "s066@example.org/a");
    let id = open.enable();
    assert!(
        server.command(&["user", "passwd", "s066@example.org", "--password", "new-4711"]).status.success()
    );
    let end = open.rest();
    assert!(end.contains("<stream:error"), "{end}");
    let log_in = |password: &str| {
        let (mut client, _) = Client::starttls(server, from, "example.org");
        client.log_in("SCRAM-SHA-256", "s066", password, &Binding::None).map(|()| client)
    };
    assert!(log_in(PASSWORD).is_err_and(|failure| failure.contains("<not-authorized")));
    let mut new = log_in("new-4711").unwrap_or_else(|failure| panic!("{failure}"));
    // What the old password began is not resumed.
    new.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    new.until("<failed");
    new.until("</failed>");
    new.bind("b");
    assert!(server.command(&["user", "remove", "s066@example.org"]).status.success());
    let end = new.rest();
    assert!(end.contains("<not-authorized"), "{end}");
    assert!(log_in("new-4711").is_err_and(|failure| failure.contains("<not-authorized")));
}

fn resume_hijack(server: &Server) {
    let from = address("S067");
    server.account("s067@example.org");
    server.account("thief@example.org");
    let mut owner = Client::online(server, from, "s067@example.org/a");
    let id = owner.enable();
    assert!(id.len() >= 22, "128 bits take that many characters: {id}");
    let mut thief = Client::authenticated(server, from, "thief@example.org");
    let zeros = "0".repeat(32);
    for previd in [&id, &id.to_uppercase(), &format!("{id} "), "", &zeros, &"x".repeat(4_000)] {
        thief.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='0'/>"));
        thief.until("<failed");
        let failed = thief.until("</failed>");
        assert!(failed.contains("<item-not-found") && !failed.contains(" h="), "{previd}: {failed}");
    }
    // Nor before anybody is authenticated, which in clear is in `nothing_before_tls`.
    let (mut stranger, _) = Client::starttls(server, from, "example.org");
    stranger.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    let _ = stranger.send_bytes(b"</stream:stream>");
    let end = stranger.rest();
    assert!(end.contains("<unexpected-request") && !end.contains("<resumed"), "{end}");
    owner.settle();
    // The id of a stream that was closed.
    owner.send("</stream:stream>");
    owner.rest();
    let mut again = Client::authenticated(server, from, "s067@example.org");
    again.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    again.until("<failed");
    again.until("<item-not-found");
}

fn what_is_stored(server: &Server) {
    server.account("s068@example.org");
    let mut folders = vec![server.folder().join("data")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files += 1;
                let bytes = std::fs::read(entry.path()).unwrap();
                let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
                assert!(!found, "a password in {}", entry.path().display());
            }
        }
    }
    assert!(files > 0);
    // What a copy of the store has of the account: keys of SCRAM, made by many rounds.
    let path = server.folder().join("s068");
    assert!(server.command(&["backup", path.to_str().unwrap()]).status.success());
    let export = std::fs::read_to_string(&path).unwrap();
    assert!(!export.contains(PASSWORD));
    let row = export.lines().find(|line| line.contains("s068@example.org") && line.contains("stored_key"));
    let row = row.expect("its credentials").replace("\\\"", "\"");
    let after = |name: &str| -> Vec<String> {
        let name = format!("\"{name}\":");
        let values = row.split(&name).skip(1).map(|rest| rest.trim_start_matches('"'));
        values.map(|rest| rest.split(['"', ',', '}']).next().unwrap().to_owned()).collect()
    };
    let iterations: Vec<u32> = after("iterations").iter().map(|count| count.parse().unwrap()).collect();
    assert!(!iterations.is_empty() && iterations.iter().all(|count| *count >= 10_000), "{iterations:?}");
    // None of it is what one logs in with.
    let kept: Vec<String> = ["stored_key", "server_key", "salt"].into_iter().flat_map(after).collect();
    assert_eq!(kept.len(), 3 * iterations.len(), "{row}");
    for (n, text) in kept.iter().enumerate() {
        let from = address(&format!("S068 {n}"));
        let (mut client, _) = Client::starttls(server, from, "example.org");
        let plain = BASE64.encode(format!("\0s068\0{text}"));
        client.send(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"
        ));
        let failure = scram::answer(&mut client).unwrap_err();
        assert!(failure.contains("<not-authorized"), "{failure}");
    }
}

fn registration(server: &Server) {
    let register = |client: &mut Client, username: &str, password: &str| {
        client.send(&format!(
            "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>{username}</username>\
             <password>{password}</password></query></iq>"
        ));
        let tag = client.until(">");
        if tag.contains("type='result'") { tag } else { tag + &client.until("</iq>") }
    };
    // S032: only inside TLS, which `nothing_before_tls` has; and only where the host allows it.
    let (mut client, features) = Client::starttls(server, address("0077 off"), "example.org");
    assert!(!features.contains("http://jabber.org/features/iq-register"), "{features}");
    client.send("<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>");
    let answer = client.until("</iq>");
    assert!(answer.contains("<service-unavailable"), "{answer}");
    assert!(register(&mut client, "new", PASSWORD).contains("<service-unavailable"));
    assert!(client.log_in("SCRAM-SHA-256", "new", PASSWORD, &Binding::None).is_err());

    let from = address("0077 on");
    let (mut client, features) = Client::starttls(server, from, "example.net");
    assert!(features.contains("http://jabber.org/features/iq-register"), "{features}");
    client.send("<iq type='get' id='form'><query xmlns='jabber:iq:register'/></iq>");
    let form = client.until("</iq>");
    assert!(
        form.contains("id='form'") && form.contains("<username/>") && form.contains("<password/>"),
        "{form}"
    );
    let answer = register(&mut client, "new", PASSWORD);
    assert!(answer.contains("type='result'"), "{answer}");
    client.log_in("SCRAM-SHA-256", "new", PASSWORD, &Binding::None).unwrap();
    client.bind("a");

    let (mut client, _) = Client::starttls(server, from, "example.net");
    for (username, password, expected) in [
        ("", PASSWORD, "<not-acceptable"),
        ("a@b", PASSWORD, "<not-acceptable"),
        ("x", "", "<not-acceptable"),
        ("x@example.net", PASSWORD, "<not-acceptable"),
        ("NEW", "taken", "<conflict"),
        ("new", "taken", "<conflict"),
        ("newer", PASSWORD, "type='result'"),
        ("newest", PASSWORD, "type='result'"),
        ("one_too_many", PASSWORD, "<resource-constraint"),
    ] {
        let answer = register(&mut client, username, password);
        assert!(answer.contains(expected), "{username}: {answer}");
    }
    let (mut client, _) = Client::starttls(server, from, "example.net");
    client.send("<iq type='set' id='remove'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    let answer = client.until("</iq>");
    assert!(answer.contains("<unexpected-request"), "nobody is registered on this stream: {answer}");
    // The one that was taken has kept its password.
    client.log_in("SCRAM-SHA-256", "new", PASSWORD, &Binding::None).unwrap();
}
