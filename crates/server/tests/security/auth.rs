//! Section C: authentication.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use crate::Row;
use crate::certificates::Certified;
use crate::client::{Client, TlsSetup};
use crate::scram::{self, Binding};
use crate::server::{PASSWORD, Server, address, wait_for};

pub(crate) const ROWS: &[Row] = &[
    ("S050 PLAIN for somebody else", plain_for_another),
    ("S052 mechanisms that are not offered", mechanisms_not_offered),
    ("S053 a user who does not exist", unknown_user),
    ("S055 SCRAM done wrong", scram_done_wrong),
    ("S056 channel binding", channel_binding),
    ("S057 what was offered is signed", offer_is_signed),
    ("S059 SASL out of order and out of size", out_of_order),
    ("S060 brute force", brute_force),
    ("S061 S062 certificates of clients", certificates_of_clients),
    ("S062 certificates that are revoked", revoked_certificates),
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
    // Such a mechanism and such a header do not go together.
    check("<malformed-request", &|c| exchange(c, plus, &Binding::None, &|m| m));
    check("<malformed-request", &|c| exchange(c, sha, &Binding::To("tls-exporter", vec![1; 32]), &|m| m));
    check("<not-authorized", &|c| exchange(c, sha, &Binding::None, &|m| m.replace("c=biws", "c=eSws")));
    check("<not-authorized", &|c| exchange(c, sha, &Binding::None, &|m| m.replace("r=fyko", "r=fyka")));
    check("<not-authorized", &|c| exchange(c, sha, &Binding::None, &|m| m.replace(",p=", "x,p=")));
    check("<not-authorized", &|c| exchange(c, sha, &Binding::None, &|m| m.replace(",p=", ",m=x,p=")));
    let no_proof = |m: String| m.split(",p=").next().unwrap().to_owned();
    check("<malformed-request", &|c| exchange(c, sha, &Binding::None, &no_proof));
    // A message that was right once is wrong on another stream.
    let (mut client, _) = Client::starttls(server, address("S055"), "example.org");
    let challenge = scram::begin(&mut client, sha, "s055", &Binding::None).unwrap();
    let right = scram::finish(&challenge, "s055", PASSWORD, &Binding::None);
    scram::respond(&mut client, &right).unwrap();
    check("<not-authorized", &|c| exchange(c, sha, &Binding::None, &|_| right.clone()));
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

/// XEP-0474: a client that was shown another list than the server's finds another hash, and nobody can change that either.
fn offer_is_signed(server: &Server) {
    server.account("s057@example.org");
    let (mut client, features) = Client::starttls(server, address("S057"), "example.org");
    let named = |begin: &str, end: char| -> Vec<String> {
        let names = features.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap().to_owned());
        names.collect()
    };
    let (mut mechanisms, mut bindings) = (named("<mechanism>", '<'), named("<channel-binding type='", '\''));
    mechanisms.sort();
    bindings.sort();
    assert!(mechanisms.len() > 3 && bindings.len() > 1, "{features}");
    let hash = |mechanisms: &[String], bindings: &[String]| {
        let text = mechanisms.join("\u{1e}") + "\u{1f}" + &bindings.join("\u{1e}");
        format!("h={}", BASE64.encode(Sha256::digest(text)))
    };
    let challenge = scram::begin(&mut client, "SCRAM-SHA-256", "s057", &Binding::None).unwrap();
    let right = hash(&mechanisms, &bindings);
    assert!(challenge.split(',').any(|field| field == right), "{challenge}");
    let stripped: Vec<String> = mechanisms.iter().filter(|name| !name.ends_with("-PLUS")).cloned().collect();
    for altered in [hash(&stripped, &bindings), hash(&mechanisms, &bindings[1..])] {
        assert_ne!(altered, right);
        // The proof is over the challenge as it was read.
        let (mut client, _) = Client::starttls(server, address("S057"), "example.org");
        let challenge = scram::begin(&mut client, "SCRAM-SHA-256", "s057", &Binding::None).unwrap();
        let message = scram::finish(&challenge.replace(&right, &altered), "s057", PASSWORD, &Binding::None);
        let failure = scram::respond(&mut client, &message).unwrap_err();
        assert!(failure.contains("<not-authorized"), "{failure}");
    }
    let message = scram::finish(&challenge, "s057", PASSWORD, &Binding::None);
    scram::respond(&mut client, &message).unwrap();
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
    let begun = auth("").replace("PLAIN", "SCRAM-SHA-256").replace("></", ">biwsbj1hLHI9YQ==</");
    for (response, expected) in [
        ("A".repeat(1_000_000), "<policy-violation"),
        ("!!!!".to_owned(), "<incorrect-encoding"),
        (BASE64.encode("\0\0"), "<malformed-request"),
        ("=".to_owned(), "<malformed-request"),
    ] {
        check(&format!("{begun}<response xmlns='{SASL}'>{response}</response>"), &[expected]);
    }
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

/// By the list of the authority, as it was at the last reload.
fn revoked_certificates(server: &Server) {
    server.account("s062@example.org");
    let by = server.authority();
    let numbered = |serial: u64| by.user(&["s062@example.org"], |p| p.serial_number = Some(serial.into()));
    let (one, other) = (numbered(4_711), numbered(4_712));
    let mut n = 0;
    let mut check = |certified: &Certified, is_accepted: bool| {
        n += 1;
        // By the host's own verifier, and by that of a client that names no host in its handshake.
        for server_name in ["example.org", "elsewhere.example"] {
            let certificate = Some((certified.certificate.clone(), certified.key.clone()));
            let setup = TlsSetup { certificate, ..TlsSetup::new(server_name) };
            let from = address(&format!("S062 {n} {server_name}"));
            let answer = external(server, from, &setup, "example.org", "");
            assert_eq!(answer.is_ok(), is_accepted, "{n} {server_name}: {answer:?}");
        }
    };
    let list = server.folder().join("clients.crl");
    check(&one, true);
    by.write_crl(&list, &[4_711], 2090);
    // A list is read when the server is told to.
    check(&one, true);
    assert!(server.command(&["reload"]).status.success());
    check(&one, false);
    check(&other, true);
    // By somebody else, about the same number; and by nobody: what was read before stays.
    crate::certificates::Authority::new().write_crl(&list, &[4_712], 2090);
    assert!(server.command(&["reload"]).status.success());
    check(&one, false);
    check(&other, false);
    std::fs::write(&list, "nothing").unwrap();
    assert!(!server.command(&["reload"]).status.success());
    // Out of date: nobody can say what was revoked since.
    by.write_crl(&list, &[], 2021);
    let reloaded = server.command(&["reload"]);
    assert!(reloaded.status.success());
    let told = String::from_utf8_lossy(&reloaded.stdout) + String::from_utf8_lossy(&reloaded.stderr);
    assert!(told.contains("is out of date since"), "{told}");
    check(&other, false);
    by.write_crl(&list, &[], 2090);
    server.signal(rustix::process::Signal::HUP);
    wait_for("the newest list", || {
        let certificate = Some((one.certificate.clone(), one.key.clone()));
        let setup = TlsSetup { certificate, ..TlsSetup::new("example.org") };
        external(server, address("S062"), &setup, "example.org", "").is_ok()
    });
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
