//! Section C: authentication, binding, resumption, registration.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Row;
use crate::certificates::Certified;
use crate::client::{Client, TlsSetup};
use crate::scram::{self, Binding};
use crate::server::{PASSWORD, Server, address};

pub(crate) const ROWS: &[Row] = &[
    ("S050 PLAIN for somebody else", plain_for_another),
    ("S052 mechanisms that are not offered", mechanisms_not_offered),
    ("S053 a user who does not exist", unknown_user),
    ("S055 SCRAM done wrong", scram_done_wrong),
    ("S056 channel binding", channel_binding),
    ("S059 SASL out of order and out of size", out_of_order),
    ("S060 brute force", brute_force),
    ("S061 S062 certificates of clients", certificates_of_clients),
    ("S063 binding", binding),
    ("S066 a password is changed, an account removed", password_changed),
    ("S067 resumption of what is not one's own", resume_hijack),
    ("S068 what is stored", what_is_stored),
    ("XEP-0077 3.1: registration", registration),
];

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

fn plain(client: &mut Client, authzid: &str, authcid: &str, password: &str) -> Result<String, String> {
    let text = BASE64.encode(format!("{authzid}\0{authcid}\0{password}"));
    client.send(&format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{text}</auth>"));
    scram::answer(client)
}

fn plain_for_another(server: &Server) {
    server.account("s050@example.org");
    server.account("victim@example.org");
    for (n, (authzid, is_accepted)) in [
        ("", true),
        ("s050@example.org", true),
        ("S050@EXAMPLE.org", true),
        ("victim@example.org", false),
        ("s050@example.net", false),
        ("s050@example.org/phone", false),
        ("s050", false),
        ("example.org", false),
        (" s050@example.org", false),
        ("s050@example.org@example.org", false),
    ]
    .into_iter()
    .enumerate()
    {
        let from = address(&format!("S050 {n}"));
        let (mut client, _) = Client::starttls(server, from, "example.org");
        let answer = plain(&mut client, authzid, "s050", PASSWORD);
        assert_eq!(answer.is_ok(), is_accepted, "{authzid:?}: {answer:?}");
        if is_accepted {
            client.open();
            client.until("</stream:features>");
            let bound = client.bind("a");
            assert!(bound.contains(">s050@example.org/a<"), "{bound}");
        }
    }
}

fn mechanisms_not_offered(server: &Server) {
    let names = [
        "ANONYMOUS",
        "DIGEST-MD5",
        "CRAM-MD5",
        "LOGIN",
        "EXTERNAL",
        "X-OAUTH2",
        "",
        "scram-sha-256",
        "PLAIN ",
    ];
    for (n, name) in names.into_iter().enumerate() {
        let (mut client, features) = Client::starttls(server, address(&format!("S052 {n}")), "example.org");
        assert!(!features.contains(&format!("<mechanism>{name}</mechanism>")), "{features}");
        client.send(&format!("<auth xmlns='{SASL}' mechanism='{name}'>AGEAYg==</auth>"));
        let failure = scram::answer(&mut client).unwrap_err();
        assert!(failure.contains("<invalid-mechanism"), "{name}: {failure}");
    }
}

fn unknown_user(server: &Server) {
    server.account("s053@example.org");
    let ask = |local: &str, n: usize| {
        let (mut client, features) =
            Client::starttls(server, address(&format!("S053 {local}")), "example.org");
        let challenge = scram::begin(&mut client, "SCRAM-SHA-256", local, &Binding::None).unwrap();
        let message = scram::finish(&challenge, local, "wrong", &Binding::None);
        let failure = scram::respond(&mut client, &message).unwrap_err();
        let fields: Vec<String> = challenge.split(',').skip(1).map(str::to_owned).collect();
        let mechanisms = features.split("<mechanisms").nth(1).unwrap().split("</mechanisms>").next().unwrap();
        (fields, failure, mechanisms.to_owned(), n)
    };
    let known = ask("s053", 0);
    let unknown = ask("nobody-53", 0);
    assert_eq!(unknown, ask("nobody-53", 0), "the salt is stable");
    let other = ask("nobody-54", 0);
    assert_ne!(unknown.0[0], other.0[0], "and another for each");
    assert_eq!(known.0[0].len(), unknown.0[0].len());
    assert_eq!(known.0[1], unknown.0[1], "iterations");
    assert_eq!((known.1, known.2), (unknown.1, unknown.2));
}

fn scram_done_wrong(server: &Server) {
    server.account("s055@example.org");
    let mut n = 0;
    let mut check = |expected: &str, run: &dyn Fn(&mut Client) -> Result<(), String>| {
        n += 1;
        let (mut client, _) = Client::starttls(server, address(&format!("S055 {n}")), "example.org");
        let failure = run(&mut client).unwrap_err();
        assert!(failure.contains(expected), "{n}: {failure}");
    };
    let exchange =
        |client: &mut Client, mechanism: &str, binding: &Binding, change: &dyn Fn(String) -> String| {
            let challenge = scram::begin(client, mechanism, "s055", binding)?;
            let message = change(scram::finish(&challenge, "s055", PASSWORD, binding));
            scram::respond(client, &message)
        };
    let (sha, plus) = ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS");
    // The server offered to bind, and hears that the client thinks it did not.
    check("<not-authorized", &|c| exchange(c, sha, &Binding::Unused, &|m| m));
    check("<not-authorized", &|c| exchange(c, plus, &Binding::To("tls-exporter", vec![1; 32]), &|m| m));
    check("<not-authorized", &|c| exchange(c, plus, &Binding::To("tls-unique", vec![1; 12]), &|m| m));
    check("<", &|c| exchange(c, plus, &Binding::None, &|m| m));
    check("<", &|c| exchange(c, sha, &Binding::To("tls-exporter", vec![1; 32]), &|m| m));
    check("<not-authorized", &|c| exchange(c, sha, &Binding::None, &|m| m.replace("c=biws", "c=eSws")));
    check("<", &|c| exchange(c, sha, &Binding::None, &|m| m.replace("r=fyko", "r=fyka")));
    check("<", &|c| exchange(c, sha, &Binding::None, &|m| m.replace(",p=", "x,p=")));
    check("<", &|c| exchange(c, sha, &Binding::None, &|m| "m=x,".to_owned() + &m));
    check("<", &|c| exchange(c, sha, &Binding::None, &|m| m.split(",p=").next().unwrap().to_owned()));
    // A message that was right once is wrong on another stream.
    let (mut client, _) = Client::starttls(server, address("S055"), "example.org");
    let challenge = scram::begin(&mut client, sha, "s055", &Binding::None).unwrap();
    let right = scram::finish(&challenge, "s055", PASSWORD, &Binding::None);
    scram::respond(&mut client, &right).unwrap();
    check("<", &|c| exchange(c, sha, &Binding::None, &|_| right.clone()));
}

fn channel_binding(server: &Server) {
    server.account("s056@example.org");
    const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    for versions in [rustls::ALL_VERSIONS, TLS12] {
        let setup = TlsSetup { versions, ..TlsSetup::new("example.org") };
        let open = || {
            let mut client = Client::direct(server, address("S056"), &setup).unwrap();
            client.open();
            let features = client.until("</stream:features>");
            (client, features)
        };
        let (mut client, features) = open();
        for expected in ["-PLUS<", "urn:xmpp:sasl-cb:0", "'tls-exporter'", "'tls-server-end-point'"] {
            assert!(features.contains(expected), "{expected}: {features}");
        }
        assert!(!features.contains("tls-unique"), "{features}");
        let bound = Binding::exporter(&mut client);
        client.log_in("SCRAM-SHA-256-PLUS", "s056", PASSWORD, &bound).unwrap();
        let (mut client, _) = open();
        let bound = Binding::end_point(&mut client);
        client.log_in("SCRAM-SHA-256-PLUS", "s056", PASSWORD, &bound).unwrap();
        // S058: what was bound to one connection does not hold on another.
        let (mut other, _) = open();
        let bound = Binding::exporter(&mut other);
        let (mut client, _) = open();
        client.log_in("SCRAM-SHA-256-PLUS", "s056", PASSWORD, &bound).unwrap_err();
    }
    // By STARTTLS, and on the second host.
    server.account("s056@example.net");
    let (mut client, _) = Client::starttls(server, address("S056"), "example.net");
    let bound = Binding::end_point(&mut client);
    client.log_in("SCRAM-SHA-256-PLUS", "s056", PASSWORD, &bound).unwrap();
}

fn out_of_order(server: &Server) {
    let mut n = 0;
    let mut check = |sent: &str, expected: &[&str]| {
        n += 1;
        let (mut client, _) = Client::starttls(server, address(&format!("S059 {n}")), "example.org");
        let _ = client.send_bytes(sent.as_bytes());
        let _ = client.send_bytes(b"</stream:stream>");
        let end = client.rest();
        assert!(expected.iter().any(|expected| end.contains(expected)), "{n}: {end}");
    };
    let auth = |text: &str| format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{text}</auth>");
    check(&format!("<response xmlns='{SASL}'>AGEAYg==</response>"), &["<malformed-request"]);
    check(&format!("<abort xmlns='{SASL}'/>"), &["<aborted"]);
    check(&format!("<auth xmlns='{SASL}'>AGEAYg==</auth>"), &["<invalid-mechanism"]);
    check(&auth("!!!!"), &["<incorrect-encoding"]);
    check(&auth("AGEAYg"), &["<incorrect-encoding"]);
    check(&auth("AGEA=Yg="), &["<incorrect-encoding"]);
    check(&auth("A GEAYg=="), &["<incorrect-encoding"]);
    check(&auth("AGEAYg== "), &["<incorrect-encoding"]);
    check(&auth("="), &["<malformed-request", "<not-authorized"]);
    check(&auth("AAAA"), &["<malformed-request", "<not-authorized"]);
    check(&auth(&BASE64.encode("\0a\0b\0c")), &["<malformed-request", "<not-authorized"]);
    check(&auth("<x xmlns='urn:x'/>"), &["<malformed-request"]);
    check(&auth(&"A".repeat(1_000_000)), &["<policy-violation"]);
    // The fifth failure ends the stream.
    let (mut client, _) = Client::starttls(server, address("S059"), "example.org");
    let mut end = String::new();
    for _ in 0..5 {
        client.send(&auth("!!!!"));
        end = client.until("</failure>");
    }
    end += &client.rest();
    assert!(end.contains("<policy-violation") && end.ends_with("</stream:stream>"), "{end}");
}

fn brute_force(server: &Server) {
    server.account("s060@example.org");
    let (stranger, user) = (address("S060 stranger"), address("S060 user"));
    let attempt = |from, local: &str, password: &str| {
        let (mut client, _) = Client::starttls(server, from, "example.org");
        client.log_in("SCRAM-SHA-256", local, password, &Binding::None)
    };
    for _ in 0..10 {
        let failure = attempt(stranger, "s060", "wrong").unwrap_err();
        assert!(failure.contains("<not-authorized"), "{failure}");
    }
    // From there not even the right password is tried any more; from elsewhere it is.
    let failure = attempt(stranger, "s060", PASSWORD).unwrap_err();
    assert!(failure.contains("<temporary-auth-failure"), "{failure}");
    attempt(user, "s060", PASSWORD).unwrap();
    // One address through many accounts.
    let crowd = address("S060 crowd");
    for n in 0..30 {
        attempt(crowd, &format!("s060-{n}"), "123456").unwrap_err();
    }
    server.account("s060-other@example.org");
    let failure = attempt(crowd, "s060-other", PASSWORD).unwrap_err();
    assert!(failure.contains("<temporary-auth-failure"), "{failure}");
    attempt(user, "s060-other", PASSWORD).unwrap();
}

fn certificates_of_clients(server: &Server) {
    server.account("s061@example.org");
    server.account("s061@example.net");
    server.account("other61@example.org");
    let mut n = 0;
    let mut check = |certified: Certified, domain: &str, authzid: &str, is_accepted: bool| {
        n += 1;
        for server_name in ["example.org", "elsewhere.example"] {
            let certificate = Some((certified.certificate.clone(), certified.key.clone()));
            let setup = TlsSetup { certificate, ..TlsSetup::new(server_name) };
            let from = address(&format!("S061 {n} {server_name}"));
            let answer = external(server, from, &setup, domain, authzid);
            assert_eq!(answer.is_ok(), is_accepted, "{n} {server_name}: {answer:?}");
        }
    };
    let by = server.authority();
    check(by.user(&["s061@example.org"], |_| {}), "example.org", "", true);
    check(by.user(&["s061@example.org"], |_| {}), "example.org", "s061@example.org", true);
    check(by.user(&["s061@example.org"], |_| {}), "example.org", "other61@example.org", false);
    check(by.user(&["s061@example.org", "x@example.org"], |_| {}), "example.org", "s061@example.org", true);
    check(by.user(&["s061@example.org", "x@example.org"], |_| {}), "example.org", "", false);
    check(by.user(&["nobody61@example.org"], |_| {}), "example.org", "", false);
    // The common name, and whatever else looks like one, says nothing.
    let named = |name: &str| {
        let name = name.to_owned();
        by.user(&[], move |params| params.distinguished_name.push(rcgen::DnType::CommonName, name))
    };
    check(named("s061@example.org"), "example.org", "s061@example.org", false);
    check(named("x,OU=CN=s061@example.org,"), "example.org", "s061@example.org", false);
    // Of another host, whose users this authority does not speak for.
    check(by.user(&["s061@example.net"], |_| {}), "example.org", "", false);
    check(by.user(&["s061@example.net"], |_| {}), "example.net", "s061@example.net", false);
    // Expired, not yet valid, for servers, by somebody else.
    let ymd = rcgen::date_time_ymd;
    check(by.user(&["s061@example.org"], |p| p.not_after = ymd(2020, 1, 1)), "example.org", "", false);
    check(by.user(&["s061@example.org"], |p| p.not_before = ymd(2090, 1, 1)), "example.org", "", false);
    let for_servers = |p: &mut rcgen::CertificateParams| {
        p.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    };
    check(by.user(&["s061@example.org"], for_servers), "example.org", "", false);
    let stranger = crate::certificates::Authority::new();
    check(stranger.user(&["s061@example.org"], |_| {}), "example.org", "", false);
}

fn external(
    server: &Server,
    from: std::net::IpAddr,
    setup: &TlsSetup,
    domain: &str,
    authzid: &str,
) -> Result<(), String> {
    let mut client = Client::direct(server, from, setup).map_err(|error| error.to_string())?;
    client.domain = domain.to_owned();
    // A refusal of the certificate comes after the client's half of the handshake.
    client.send_bytes(crate::client::header(domain).as_bytes()).map_err(|error| error.to_string())?;
    if !client.has_features() {
        return Err("no features".to_owned());
    }
    let features = client.until("</stream:features>");
    if !features.contains("<mechanism>EXTERNAL<") {
        return Err(features);
    }
    let text = if authzid.is_empty() { "=".to_owned() } else { BASE64.encode(authzid) };
    client.send(&format!("<auth xmlns='{SASL}' mechanism='EXTERNAL'>{text}</auth>"));
    let tag = client.until(">");
    if tag.contains("<success") { Ok(()) } else { Err(tag + &client.until("</failure>")) }
}

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
    let end = client.rest();
    assert!(end.contains("<not-authorized"), "{end}");

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
        ("NEW", "taken", "<conflict"),
        ("newer", PASSWORD, "type='result'"),
        ("newest", PASSWORD, "<resource-constraint"),
    ] {
        let answer = register(&mut client, username, password);
        assert!(answer.contains(expected), "{username}: {answer}");
    }
    // The one that was taken has kept its password.
    client.log_in("SCRAM-SHA-256", "new", PASSWORD, &Binding::None).unwrap();
}
