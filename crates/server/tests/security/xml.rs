//! Section A: what a stream may consist of. That the scanner does as it should is tested in `crates/xml`, in detail;
//! here, that a stream of the real server ends as it must, before and after authentication.

use crate::Row;
use crate::client::{Client, TlsSetup, header};
use crate::server::{Server, address};

pub(crate) const ROWS: &[Row] = &[
    ("S001 S002 S003 entities", entities),
    ("S004 S005 S007 S009 S011 S013 what is not restricted XML", malformed),
    ("S008 encodings", encodings),
    ("S012 prefixes", prefixes),
    ("S014 S015 S016 S018 beyond a limit", beyond_limits),
    ("S017 a stanza that never ends", endless_stanza),
    ("S019 limits of strangers", limits_of_strangers),
    ("S025 seeded garbage", garbage),
];

/// Sends `text` on a stream that is not authenticated, and on one that is bound; answers how each ended.
fn both(server: &Server, row: &str, text: &[u8]) -> [String; 2] {
    let from = address(row);
    let (mut stranger, _) = Client::starttls(server, from, "example.org");
    let mut user = Client::bound(server, from, "xml@example.org/a");
    [&mut stranger, &mut user].map(|client| {
        let _ = client.send_bytes(text);
        client.rest()
    })
}

fn check(server: &Server, row: &str, text: &[u8], expected: &[&str]) {
    for end in both(server, row, text) {
        let shown = String::from_utf8_lossy(&text[..text.len().min(120)]);
        assert!(expected.iter().any(|expected| end.contains(expected)), "{shown:?}: {end}");
        assert!(end.ends_with("</stream:stream>"), "{shown:?}: {end}");
    }
}

const RESTRICTED: &[&str] = &["<restricted-xml"];
const NOT_WELL_FORMED: &[&str] = &["<not-well-formed"];
const BAD_PREFIX: &[&str] = &["<bad-namespace-prefix"];
const NESTED: &[&str] = &["<invalid-xml"];

fn laughs() -> String {
    let mut dtd = "<!DOCTYPE s [<!ENTITY e0 'ha'>".to_owned();
    for n in 1..10 {
        let before = format!("&e{};", n - 1).repeat(10);
        dtd += &format!("<!ENTITY e{n} '{before}'>");
    }
    dtd + "]>"
}

fn entities(server: &Server) {
    server.account("xml@example.org");
    for text in [
        laughs() + "<message><body>&e9;</body></message>",
        "<message><body>&e9;</body></message>".to_owned(),
        "<message a='&e9;'/>".to_owned(),
        laughs() + "<message a='&e9;'/>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><message/>".to_owned(),
        "<message><!ENTITY a 'b'></message>".to_owned(),
    ] {
        check(server, "S001", text.as_bytes(), RESTRICTED);
    }
    // Before the header of the stream and behind its declaration, in clear and in TLS.
    let header = header("example.org");
    let (declaration, tag) = header.split_at(header.find("<stream").unwrap());
    for text in [laughs() + &header, declaration.to_owned() + &laughs() + tag] {
        let clear = Client::clear(server, address("S001"));
        let direct = Client::direct(server, address("S001"), &TlsSetup::new("example.org")).unwrap();
        for mut client in [clear, direct] {
            client.send(&text);
            let end = client.rest();
            assert!(end.contains("<restricted-xml"), "{end}");
        }
    }
}

fn malformed(server: &Server) {
    server.account("xml@example.org");
    let nested = header("example.org").replace("<?xml version='1.0'?>", "");
    let redeclared = "<message><x xmlns='http://etherx.jabber.org/streams'><stream/></x></message>";
    for (texts, expected) in [
        // S004, S005: not allowed on a stream.
        (
            &[
                &b"<message><!-- comment --></message>"[..],
                b"<message><?php ?></message>",
                b"<?xml version='1.0'?><message/>",
                b"<message>&nbsp;</message>",
            ][..],
            RESTRICTED,
        ),
        // S005 to S007: characters that are none.
        (
            &[
                b"<message>&#0;</message>",
                b"<message>&#x1;</message>",
                b"<message>&#xD800;</message>",
                b"<message>&#xFFFE;</message>",
                b"<message>\xff</message>",
                b"<message>\xc0\xaf</message>",
                b"<message>\xed\xa0\x80</message>",
                b"<message>\xf4\x90\x80\x80</message>",
                b"<message a='\xe2\x82'/>",
                b"<message>\xef\xbf\xbe</message>",
            ],
            NOT_WELL_FORMED,
        ),
        // S013: twice the same, and S011 and others: tags out of place.
        (
            &[
                b"<message a='1' a='2'/>",
                b"<message xmlns='jabber:client' xmlns='jabber:client'/>",
                b"<message xmlns:a='urn:a' xmlns:a='urn:b'/>",
                b"<message xmlns:a='urn:a' xmlns:b='urn:a' a:x='1' b:x='2'/>",
                b"</message>",
                b"<message></iq>",
                b"<message></message a='b'>",
                b"<message></stream:stream>",
                b"<message><a></message></a>",
                b"<message a=b/>",
                b"<message a/>",
                b"<message a='<'/>",
                b"<message>]]></message>",
                b"<1/>",
                b"<>",
                b"<message/ >",
                b"text outside of a stanza",
                b"<![CDATA[outside]]>",
            ],
            NOT_WELL_FORMED,
        ),
        // S013: names of namespaces.
        (
            &[
                b"<message xmlns:xml='urn:a'/>",
                b"<message xmlns:xmlns='urn:a'/>",
                b"<a:message/>",
                b"<message a:b='c'/>",
                b"<message xmlns:a=''/>",
            ],
            BAD_PREFIX,
        ),
        // S011: a stream in the stream.
        (
            &[
                nested.as_bytes(),
                b"<message to='xml@example.org/a'><stream:stream/></message>",
                b"<message><x><stream:stream></stream:stream></x></message>",
                redeclared.as_bytes(),
            ],
            NESTED,
        ),
    ] {
        texts.iter().for_each(|text| check(server, "S004", text, expected));
    }
    // S009: a namespace that only looks like the right one.
    for ns in ["jabber:client\n", "jabber:client&#10;", " jabber:client", "jabber:client#", "jabber:client x"]
    {
        let text = format!("<message xmlns='{ns}'/>");
        check(server, "S009", text.as_bytes(), &["<unsupported-stanza-type", "<invalid-namespace"]);
    }
    check(server, "S009", b"<message xmlns='jabber:client\x0c'/>", NOT_WELL_FORMED);
}

fn encodings(server: &Server) {
    let from = address("S008");
    for encoding in ["UTF-16", "ISO-8859-1", "UTF-7", "US-ASCII", "utf-32"] {
        let mut client = Client::clear(server, from);
        client.send(
            &header("example.org")
                .replace("version='1.0'?>", &format!("version='1.0' encoding='{encoding}'?>")),
        );
        let end = client.rest();
        assert!(end.contains("<unsupported-encoding"), "{encoding}: {end}");
    }
    let mut client = Client::clear(server, from);
    let utf_16: Vec<u8> = header("example.org").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let _ = client.send_bytes(&[&[0xff, 0xfe], &utf_16[..]].concat());
    let end = client.rest();
    assert!(end.contains("<stream:error"), "{end}");
}

/// What goes out means what came in, whatever prefixes the client's header declared.
fn prefixes(server: &Server) {
    let from = address("S012");
    server.account("s012@example.org");
    let (mut client, _) = Client::starttls(server, from, "example.org");
    crate::scram::run(
        &mut client,
        "SCRAM-SHA-256",
        "s012",
        crate::server::PASSWORD,
        &crate::scram::Binding::None,
    )
    .unwrap();
    client.send(
        "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xmlns='jabber:client' \
         xmlns:m='http://jabber.org/protocol/muc#user' xmlns:stream='http://etherx.jabber.org/streams'>",
    );
    client.until("</stream:features>");
    client.bind("a");
    // MUC's own payload by a prefix of the header, with a child that is not in its namespace.
    client.send(
        "<message to='s012@example.org/a'><m:x><item affiliation='owner'/></m:x><body>.</body></message>",
    );
    let message = client.until("</message>");
    let is_declared = message.contains("xmlns:m='http://jabber.org/protocol/muc#user'")
        || message.contains("<x xmlns='http://jabber.org/protocol/muc#user'");
    assert!(is_declared, "{message}");
    // The child is still in jabber:client, not in that of the prefix.
    let item = message.split("<item").nth(1).unwrap().split('>').next().unwrap();
    let is_muc_default = message.contains("<x xmlns='http://jabber.org/protocol/muc#user'");
    assert!(!is_muc_default || item.contains("xmlns='jabber:client'"), "{message}");
}

fn beyond_limits(server: &Server) {
    server.account("xml@example.org");
    let attributes = |count| (0..count).map(|n| format!(" a{n}=''")).collect::<String>();
    let declarations = (0..10_000).map(|n| format!(" xmlns:a{n}='u'")).collect::<String>();
    for text in [
        format!("<message{}/>", attributes(5_000)),
        format!("<message{}/>", attributes(50_000)),
        format!("<message{declarations}/>"),
        "<a>".repeat(100_000),
        format!("<message>{}{}</message>", "<a>".repeat(100_000), "</a>".repeat(100_000)),
        format!("<{}", "x".repeat(500_000)),
        format!("<message {}=''/>", "x".repeat(500_000)),
        format!("<message a='{}'/>", "x".repeat(500_000)),
        format!("<message>{}", "x".repeat(500_000)),
        format!("<message><![CDATA[{}", "]".repeat(500_000)),
    ] {
        check(server, "S014", text.as_bytes(), &["<policy-violation"]);
    }
}

fn endless_stanza(server: &Server) {
    let from = address("S017");
    server.account("s017@example.org");
    let mut client = Client::bound(server, from, "s017@example.org/a");
    client.send("<message to='s017@example.org'><body>");
    let before = server.resident();
    let mut sent = 0_u64;
    // A gigabyte byte by byte, if it would read that.
    let peak = server.peak(|| {
        while sent < 1 << 30 && client.send_bytes(b"x").is_ok() {
            sent += 1;
        }
        let end = client.rest();
        assert!(end.is_empty() || end.contains("<policy-violation"), "{end}");
    });
    assert!(sent < 16 * 1024 * 1024, "read on beyond the limit: {sent}");
    let grown = peak.saturating_sub(before);
    println!("S017: {grown} bytes at most for one stanza, of which {sent} were sent");
    assert!(grown < 1024 * 1024, "{grown} bytes for one stanza");
    let (mut client, _) = Client::starttls(server, from, "example.org");
    client.send("<auth");
    for _ in 0..10_000 {
        if client.send_bytes(b"x").is_err() {
            break;
        }
    }
    let end = client.rest();
    assert!(end.contains("<policy-violation"), "{end}");
}

fn limits_of_strangers(server: &Server) {
    let from = address("S019");
    for text in [
        format!("<auth>{}</auth>", "<a/>".repeat(33)),
        format!("<auth>{}</auth>", "x".repeat(9_000)),
        "<a>".repeat(9),
    ] {
        let (mut client, _) = Client::starttls(server, from, "example.org");
        let _ = client.send_bytes(text.as_bytes());
        let end = client.rest();
        assert!(end.contains("<policy-violation"), "{end}");
        let mut client = Client::clear(server, from);
        client.open();
        client.until("</stream:features>");
        let _ = client.send_bytes(text.as_bytes());
        let end = client.rest();
        assert!(end.contains("<policy-violation"), "{end}");
    }
    let (_, features) = Client::starttls(server, from, "example.org");
    assert!(features.contains("<max-bytes>8192</max-bytes>"), "{features}");
    // S022: and those of users, by default.
    server.account("s019@example.org");
    let (mut user, _) = Client::starttls(server, from, "example.org");
    let none = crate::scram::Binding::None;
    crate::scram::run(&mut user, "SCRAM-SHA-256", "s019", crate::server::PASSWORD, &none).unwrap();
    user.open();
    let features = user.until("</stream:features>");
    assert!(features.contains("<max-bytes>262144</max-bytes>"), "{features}");
}

fn garbage(server: &Server) {
    server.account("s025@example.org");
    let mut seed = 0x5eed_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let valid =
        "<message to='s025@example.org/a' type='chat' id='1'><body>Art thou &lt;not&gt; Romeo?</body>\
                 <active xmlns='http://jabber.org/protocol/chatstates'/></message>"
            .as_bytes();
    for n in 0..150 {
        let from = address(&format!("S025 {}", n % 9));
        let mut bytes = valid.to_vec();
        for _ in 0..=next() % 4 {
            let at = next() as usize % bytes.len();
            match next() % 3 {
                0 => bytes[at] = next() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, next() as u8),
            }
        }
        let (mut stranger, _) = Client::starttls(server, from, "example.org");
        let _ = stranger.send_bytes(&bytes);
        let mut clear = Client::clear(server, from);
        let _ = clear.send_bytes(&bytes);
        if n % 5 == 0 {
            let mut user = Client::bound(server, from, "s025@example.org/a");
            let _ = user.send_bytes(&bytes);
            let _ = user.send_bytes(b"</stream:stream>");
            user.rest();
        }
    }
}
