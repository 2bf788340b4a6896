//! Section B: connections and TLS.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use rustix::process::Signal;
use rustls::ClientConnection;
use rustls_pki_types::ServerName;

use crate::Row;
use crate::client::{Client, TlsSetup, connect, header};
use crate::scan;
use crate::scram::{self, Binding};
use crate::server::{PASSWORD, Server, address, certificate, wait_for, write_certificate};

pub(crate) const ROWS: &[Row] = &[
    ("S030 STARTTLS injection", starttls_injection),
    ("S031 state before TLS is forgotten", state_is_forgotten),
    ("S032 S051 nothing but TLS before TLS", nothing_before_tls),
    ("S034 versions and cipher suites", scan::scan),
    ("S035 a flood of key updates", key_updates),
    ("S036 a ClientHello in pieces, alerts, garbage", fragmented_hello),
    ("S037 no early data", early_data),
    ("S038 SNI and hosts", hosts),
    ("S039 ALPN", alpn),
    ("S041 connections of one address", connections_of_one_address),
    ("S045 another host after authentication", another_host),
    ("S046 certificates are replaced", certificates_are_replaced),
];

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

fn starttls_injection(server: &Server) {
    let from = address("S030");
    server.account("s030@example.org");
    let mut client = Client::clear(server, from);
    client.open();
    client.until("</stream:features>");
    let injected = header("example.org")
        + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHMwMzAAcGVuY2lsLThmM2ExYw==</auth>";
    client.send(&(STARTTLS.to_owned() + &injected));
    client.until("<proceed");
    client.until("/>");
    client.secure(&TlsSetup::new("example.org")).expect("what was injected is gone, TLS is not disturbed");
    client.open();
    let first = client.until("</stream:features>");
    assert_eq!(first.matches("<stream:stream").count(), 1, "{first}");
    assert!(first.contains("<mechanisms"), "{first}");
    // Nothing of it is answered later, either.
    client.log_in("SCRAM-SHA-256", "s030", PASSWORD, &Binding::None).unwrap();
}

fn state_is_forgotten(server: &Server) {
    let from = address("S031");
    server.account("s031@example.org");
    let mut client = Client::clear(server, from);
    client.send(&header("example.org").replace("<stream:stream ", "<stream:stream xml:lang='tlh' "));
    let first = client.until("</stream:features>");
    client.send(STARTTLS);
    client.until("<proceed");
    client.until("/>");
    client.secure(&TlsSetup::new("example.org")).unwrap();
    client.open();
    let second = client.until("</stream:features>");
    client.log_in("SCRAM-SHA-256", "s031", PASSWORD, &Binding::None).unwrap();
    client.bind("a");
    client.send("<message to='s031@example.org/a'><body>hi</body></message>");
    let message = client.until("</message>");
    assert!(!message.contains("tlh"), "the language of the stream in clear: {message}");
    let id = |text: &str| text.split(" id='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    assert_ne!(id(&first), id(&second));
    assert!(!second.contains("<starttls"), "{second}");
    // Neither prefixes nor anything else of an earlier stream's header is known.
    let mut client = Client::clear(server, from);
    client.send(&header("example.org").replace("<stream:stream ", "<stream:stream xmlns:x='urn:x' "));
    client.until("</stream:features>");
    client.send(STARTTLS);
    client.until("<proceed");
    client.until("/>");
    client.secure(&TlsSetup::new("example.org")).unwrap();
    client.open();
    client.until("</stream:features>");
    client.send("<x:a/>");
    let end = client.rest();
    assert!(end.contains("<bad-namespace-prefix"), "{end}");
    // The same of the stream before SASL.
    let of_before =
        header("example.org").replace("<stream:stream ", "<stream:stream xml:lang='tlh' xmlns:x='urn:x' ");
    let mut client = Client::direct(server, from, &TlsSetup::new("example.org")).unwrap();
    client.send(&of_before);
    client.until("</stream:features>");
    client.log_in("SCRAM-SHA-256", "s031", PASSWORD, &Binding::None).unwrap();
    client.bind("b");
    client.send("<message to='s031@example.org/b'><body>hi</body></message>");
    let message = client.until("</message>");
    assert!(!message.contains("tlh"), "the language of the stream before SASL: {message}");
    client.send("<x:a/>");
    let end = client.rest();
    assert!(end.contains("<bad-namespace-prefix"), "{end}");
}

fn nothing_before_tls(server: &Server) {
    for (n, (sent, expected)) in [
        (
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
            "<encryption-required",
        ),
        (
            // S051: no mechanism of this name is offered later, either.
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='LOGIN'>YQ==</auth>",
            "<encryption-required",
        ),
        (
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1hLHI9YQ==</auth>",
            "<encryption-required",
        ),
        (
            "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
            "<unsupported-method",
        ),
        (
            "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>a</username>\
          <password>b</password></query></iq>",
            "<not-authorized",
        ),
        ("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "<not-authorized"),
        ("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", "<unexpected-request"),
        ("<message to='healthy@example.org'><body>x</body></message>", "<not-authorized"),
        ("<presence/>", "<not-authorized"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = Client::clear(server, address(&format!("S032 {n}")));
        // S032 on a host that registers accounts.
        client.domain = "example.net".to_owned();
        client.open();
        let features = client.until("</stream:features>");
        assert!(features.contains("<required/>") && !features.contains("<mechanisms"), "{features}");
        client.send(sent);
        client.until(expected);
    }
}

/// Data between them makes new ones welcome; in a row, their number is limited, whatever follows.
fn key_updates(server: &Server) {
    server.account("s035@example.org");
    let from = address("S035");
    let mut client = Client::online(server, from, "s035@example.org/a");
    let update = |client: &mut Client, count: usize| {
        (0..count).all(|_| {
            // Each in a record of its own, as it is needed: the key changes behind it.
            client.tls().conn.refresh_traffic_keys().is_ok() && client.send_bytes(b"").is_ok()
        })
    };
    for _ in 0..50 {
        assert!(update(&mut client, 20));
        client.settle();
    }
    // A million, if it would read them.
    let begun = server.resident();
    let _ = update(&mut client, 1_000_000);
    client.rest();
    assert!(client.send_bytes(b" ").is_err() || client.send_bytes(b" ").is_err(), "the connection is over");
    let grown = server.resident().saturating_sub(begun);
    assert!(grown < 2 * 1024 * 1024, "{grown} bytes for key updates");
    // With a byte of data each they are data like others: paid for by who sends them, and the stream goes on.
    let mut client = Client::online(server, from, "s035@example.org/a");
    for _ in 0..2_000 {
        assert!(update(&mut client, 1) && client.send_bytes(b" ").is_ok());
    }
    client.settle();
}

fn fragmented_hello(server: &Server) {
    let from = address("S036");
    let mut hello = Vec::new();
    let setup = TlsSetup { alpn: vec![b"xmpp-client".to_vec()], ..TlsSetup::new("example.org") };
    setup.connection().write_tls(&mut hello).unwrap();
    // One byte at a time; the handshake goes on as if it had come at once.
    let mut socket = connect(server.direct, from);
    for byte in &hello {
        socket.write_all(&[*byte]).unwrap();
    }
    let mut kind = [0];
    socket.read_exact(&mut kind).unwrap();
    assert_eq!(kind, [0x16]);
    drop(socket);
    for sent in [
        &[0x15, 3, 3, 0, 2, 1, 0][..],            // close_notify (RUSTSEC-2024-0336)
        &[0x15, 3, 3, 0, 2, 2, 80],               // internal_error
        &[0x14, 3, 3, 0, 1, 1],                   // ChangeCipherSpec
        &[0x17, 3, 3, 0, 1, 0],                   // data
        &[0x16, 3, 3, 0xff, 0xff],                // a record that is too long
        &[0x16, 3, 3, 0, 4, 1, 0xff, 0xff, 0xff], // a message that is too long
        b"<?xml version='1.0'?>",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut socket = connect(server.direct, from);
        socket.write_all(sent).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // It ends, and does not go round and round with what will never be more.
        let ended = socket.read_to_end(&mut answer).map_err(|error| error.kind());
        assert!(matches!(ended, Ok(_) | Err(ErrorKind::ConnectionReset)), "{sent:?}: {ended:?}");
        assert!(answer.first().is_none_or(|kind| *kind == 0x15), "{sent:?}: {answer:?}");
    }
}

/// A client that comes back with a ticket, and would send data with it: RFC 8446 4.2.10 lets a client do so only with a
/// ticket that says how much.
fn early_data(server: &Server) {
    let mut config = TlsSetup::new("example.org").config();
    config.enable_early_data = true;
    let config = Arc::new(config);
    for _ in 0..3 {
        let name = ServerName::try_from("example.org").unwrap();
        let mut connection = ClientConnection::new(Arc::clone(&config), name).unwrap();
        assert!(connection.early_data().is_none(), "a ticket that lets data be sent again by others");
        let mut client = Client::direct_with(server, address("S037"), connection).unwrap();
        client.open();
        // Tickets have come before that.
        client.until("</stream:features>");
        assert!(!client.tls().conn.is_early_data_accepted());
    }
}

fn hosts(server: &Server) {
    let from = address("S038");
    for to in
        ["example.com", "127.0.0.1", "[::1]", "user@example.org", "example.org/x", "xn--80ak6aa92e.example"]
    {
        let mut client = Client::clear(server, from);
        client.domain = to.to_owned();
        client.open();
        let end = client.rest();
        assert!(end.contains("<host-unknown") || end.contains("<improper-addressing"), "{to}: {end}");
        assert!(end.ends_with("</stream:stream>"), "{to}: {end}");
    }
    for (sni, to, is_served) in [
        ("example.org", "example.org", true),
        ("example.net", "example.net", true),
        ("EXAMPLE.net", "example.net", true),
        // A name that is not ours gets the first host's certificate, and the client has judged that.
        ("elsewhere.example", "example.net", true),
        ("example.org", "example.net", false),
        ("example.net", "example.org", false),
    ] {
        let mut client = Client::direct(server, from, &TlsSetup::new(sni)).unwrap();
        let shown = client.tls().conn.peer_certificates().unwrap()[0].clone().into_owned();
        let expected = if sni.eq_ignore_ascii_case("example.net") { "example.net" } else { "example.org" };
        assert_eq!(shown, certificate(server.folder(), expected), "{sni}");
        client.domain = to.to_owned();
        client.open();
        if is_served {
            client.until("</stream:features>");
        } else {
            let end = client.rest();
            assert!(end.contains("<host-unknown"), "{sni} {to}: {end}");
        }
    }
}

fn alpn(server: &Server) {
    let from = address("S039");
    for (offered, is_accepted) in [
        (&["xmpp-client"][..], true),
        (&["http/1.1", "xmpp-client"], true),
        (&[], true),
        (&["xmpp-server"], false),
        (&["http/1.1"], false),
        (&["h2", "http/1.1"], false),
    ] {
        let alpn = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let client = Client::direct(server, from, &TlsSetup { alpn, ..TlsSetup::new("example.org") });
        assert_eq!(client.is_ok(), is_accepted, "{offered:?}");
        if let Ok(mut client) = client {
            let chosen = client.tls().conn.alpn_protocol().map(<[u8]>::to_vec);
            assert_eq!(chosen.as_deref(), (!offered.is_empty()).then_some(&b"xmpp-client"[..]));
        }
    }
    // A server's stream on a port for clients.
    let (mut client, _) = Client::starttls(server, from, "example.org");
    client.send(&"<presence/>".replace("/>", " xmlns='jabber:server'/>"));
    let end = client.rest();
    assert!(end.contains("<stream:error"), "{end}");
    let mut client = Client::clear(server, from);
    client.send(&header("example.org").replace("jabber:client", "jabber:server"));
    let end = client.rest();
    assert!(end.contains("<invalid-namespace"), "{end}");
}

fn connections_of_one_address(server: &Server) {
    let (one, other) = (address("S041 one"), address("S041 other"));
    server.account("s041@example.org");
    // Who has authenticated does not count.
    let mut inside: Vec<Client> =
        (0..3).map(|n| Client::online(server, one, &format!("s041@example.org/{n}"))).collect();
    let mut open: Vec<Client> = (0..10).map(|_| Client::clear(server, one)).collect();
    for client in &mut open {
        client.open();
        client.until("</stream:features>");
    }
    let mut refused = Client::clear(server, one);
    let _ = refused.send_bytes(header("example.org").as_bytes());
    assert_eq!(refused.rest(), "");
    let mut elsewhere = Client::online(server, other, "s041@example.org/elsewhere");
    elsewhere.settle();
    inside.iter_mut().for_each(|client| drop(client.settle()));
    drop(open);
    let comes = |from| {
        let mut again = Client::clear(server, from);
        again.send_bytes(header("example.org").as_bytes()).is_ok() && again.has_features()
    };
    wait_for("the address has its share again", || comes(one));
    // Who comes and goes is refused after so many, for as long as that goes on.
    let flood = address("S041 flood");
    let mut client = Client::online(server, flood, "s041@example.org/flood");
    // One is counted when the server lets it go, so of the ten that may be there at a time some more come in; or are refused
    // for that, and come again.
    let served = (0..600).filter(|_| comes(flood)).count();
    assert!((250..=310).contains(&served), "{served}");
    client.settle();
    assert!(comes(other));
}

fn another_host(server: &Server) {
    let from = address("S045");
    server.account("s045@example.org");
    let (mut client, _) = Client::starttls(server, from, "example.org");
    scram::run(&mut client, "SCRAM-SHA-256", "s045", PASSWORD, &Binding::None).unwrap();
    client.domain = "example.net".to_owned();
    client.open();
    let end = client.rest();
    assert!(end.contains("<not-authorized"), "{end}");
    assert!(!end.contains("<bind"), "{end}");
    // Between STARTTLS and SASL, too.
    let mut client = Client::clear(server, from);
    client.open();
    client.until("</stream:features>");
    client.send(STARTTLS);
    client.until("<proceed");
    client.until("/>");
    client.secure(&TlsSetup::new("example.org")).unwrap();
    client.domain = "example.net".to_owned();
    client.open();
    let end = client.rest();
    assert!(end.contains("<not-authorized") || end.contains("<host-unknown"), "{end}");
}

fn certificates_are_replaced(server: &Server) {
    let from = address("S046");
    let shown = |server: &Server| {
        let mut client = Client::direct(server, from, &TlsSetup::new("example.net")).unwrap();
        client.tls().conn.peer_certificates().unwrap()[0].clone().into_owned()
    };
    server.account("s046@example.net");
    let mut open = Client::online(server, from, "s046@example.net/a");
    let old = shown(server);
    write_certificate(server.folder(), "example.net");
    let new = certificate(server.folder(), "example.net");
    assert_ne!(old, new);
    assert_eq!(shown(server), old, "nothing changes before a reload");
    assert!(server.command(&["reload"]).status.success());
    assert_eq!(shown(server), new);
    open.settle();
    // A key that does not fit: the certificates of before stay.
    let crt = server.folder().join("example.net.crt");
    let kept = std::fs::read(&crt).unwrap();
    std::fs::copy(server.folder().join("example.org.crt"), &crt).unwrap();
    assert!(!server.command(&["reload"]).status.success());
    assert_eq!(shown(server), new);
    std::fs::write(&crt, kept).unwrap();
    // By a signal.
    write_certificate(server.folder(), "example.net");
    let newest = certificate(server.folder(), "example.net");
    server.signal(Signal::HUP);
    wait_for("the newest certificate", || shown(server) == newest);
    open.settle();
}
