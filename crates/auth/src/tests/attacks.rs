//! What must not get in, and how each is answered. The numbers are sections of RFC 5802 unless said.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use SaslFailure::{
    EncryptionRequired, InvalidAuthzid, InvalidMechanism, MalformedRequest, NotAuthorized,
    TemporaryAuthFailure,
};

const CLIENT_FIRST: &str = "n,,n=user,r=abc";

#[test]
fn client_first_messages() {
    let offer = tls(ChannelBindings::default());
    let check = |section: &str, message: &[u8], expected: SaslFailure| {
        let step = run(start(&offer, "SCRAM-SHA-256", "srv"), &[message], Some(&pencil()));
        assert_eq!(failure(step), expected, "{section}: {:?}", String::from_utf8_lossy(message));
    };
    let malformed: [(&str, &[u8]); 39] = [
        ("5: empty", b""),
        ("5: flag", b"x,,n=user,r=abc"),
        ("5: flag", b"N,,n=user,r=abc"),
        ("7: flag", b",,n=user,r=abc"),
        ("7: flag with more behind it", b"nn,,n=user,r=abc"),
        ("7: flag with more behind it", b"y=,,n=user,r=abc"),
        ("7: p without a name", b"p,,n=user,r=abc"),
        ("7: p without a name", b"p=,,n=user,r=abc"),
        ("7: cb-name", b"p=tls_exporter,,n=user,r=abc"),
        ("7: no gs2 header", b"n=user,r=abc"),
        ("7: one comma", b"n,n=user,r=abc"),
        ("7: nothing behind the header", b"n,,"),
        ("7: authzid without name", b"n,user,n=user,r=abc"),
        ("7: empty authzid", b"n,a=,n=user,r=abc"),
        ("7: authzid twice", b"n,a=user@example.org,a=user@example.org,n=user,r=abc"),
        ("7: authzid after the header", b"n,,a=user@example.org,n=user,r=abc"),
        ("7: order", b"n,,r=abc,n=user"),
        ("7: no nonce", b"n,,n=user"),
        ("7: empty nonce", b"n,,n=user,r="),
        ("7: nonce not printable", b"n,,n=user,r=a b"),
        ("7: nonce not ASCII", b"n,,n=user,r=\xc3\xa9"),
        ("7: nonce twice", b"n,,n=user,r=abc,r=abc"),
        ("7: name twice", b"n,,n=user,n=user,r=abc"),
        ("7: name again as an extension", b"n,,n=user,r=abc,n=user"),
        ("7: no name", b"n,,r=abc"),
        ("7: empty name", b"n,,n=,r=abc"),
        ("5.1: = in a name", b"n,,n=us=er,r=abc"),
        ("5.1: = at the end of a name", b"n,,n=user=,r=abc"),
        ("5.1: lower case in =2c", b"n,,n=us=2cer,r=abc"),
        ("5.1: another code", b"n,,n=us=41er,r=abc"),
        ("7: extension without value", b"n,,n=user,r=abc,x="),
        ("7: extension without =", b"n,,n=user,r=abc,x"),
        ("7: extension with a long name", b"n,,n=user,r=abc,xy=1"),
        ("7: extension named by a digit", b"n,,n=user,r=abc,1=1"),
        ("7: extension twice", b"n,,n=user,r=abc,x=1,x=2"),
        ("7: trailing comma", b"n,,n=user,r=abc,"),
        ("7: NUL", b"n,,n=us\0er,r=abc"),
        ("7: not UTF-8", b"n,,n=us\xffer,r=abc"),
        ("7: a surrogate in UTF-8", b"n,,n=us\xed\xa0\x80er,r=abc"),
    ];
    for (section, message) in malformed {
        check(section, message, MalformedRequest);
    }
    check("limits", format!("n,,n=user,r={}", "a".repeat(4_096)).as_bytes(), MalformedRequest);
    check("5.1: mandatory extension", b"n,,m=1,n=user,r=abc", NotAuthorized);
    check("5.1: mandatory extension", b"n,,n=user,r=abc,m=1", NotAuthorized);
    check("p with a mechanism without it", b"p=tls-exporter,,n=user,r=abc", MalformedRequest);
    check("RFC 6120 6.3.7: a JID for a name", b"n,,n=user@example.org,r=abc", NotAuthorized);
    check("RFC 7622 3.3.1: a slash", b"n,,n=us/er,r=abc", NotAuthorized);
    check("RFC 7622 3.3: length", format!("n,,n={},r=abc", "a".repeat(1_024)).as_bytes(), NotAuthorized);
}

#[test]
fn client_first_messages_that_are_fine() {
    let offer = tls(ChannelBindings::default());
    let check = |message: &str, expected: &str| {
        let step = start(&offer, "SCRAM-SHA-256", "srv").response(message.as_bytes());
        let Step::NeedCredentials { identity } = step else { panic!("{message}: {step:?}") };
        assert_eq!(identity.as_str(), expected, "{message}");
    };
    check("n,,n=user,r=abc", "user@example.org");
    check("y,,n=user,r=abc", "user@example.org");
    check("n,,n=User,r=abc", "user@example.org");
    check("n,,n=a=2Cb=3Dc,r=abc", "a,b=c@example.org");
    check("n,,n=a=3D2C,r=abc", "a=2c@example.org");
    check("n,,n=user,r=abc,x=1,y=z=,Z=\u{e9}", "user@example.org");
    check("n,a=user@example.org,n=user,r=abc", "user@example.org");
    check("n,a=USER@EXAMPLE.org,n=user,r=abc", "user@example.org");
}

#[test]
fn client_final_messages() {
    let offer = tls(ChannelBindings::default());
    let mut exchange = start(&offer, "SCRAM-SHA-256", "srv");
    exchange.response(CLIENT_FIRST.as_bytes());
    let server_first = challenge(exchange.credentials(Ok(Found::Account(pencil()))));
    let right = client_final(Hash::Sha256, "pencil", CLIENT_FIRST, &server_first, b"");
    let answer = |message: &[u8]| {
        run(start(&offer, "SCRAM-SHA-256", "srv"), &[CLIENT_FIRST.as_bytes(), message], Some(&pencil()))
    };
    assert!(matches!(answer(right.as_bytes()), Step::Success { .. }));

    let (without_proof, proof) = right.split_once(",p=").unwrap();
    let check = |section: &str, message: String, expected: SaslFailure| {
        assert_eq!(failure(answer(message.as_bytes())), expected, "{section}: {message:?}");
    };
    check("7: empty", String::new(), MalformedRequest);
    check("7: no proof", without_proof.to_owned(), MalformedRequest);
    check("7: proof first", format!("p={proof},{without_proof}"), MalformedRequest);
    check("7: something behind the proof", format!("{right},x=1"), MalformedRequest);
    check("7: proof twice", format!("{without_proof},p={proof},p={proof}"), MalformedRequest);
    check("7: order", format!("r=abcsrv,c=biws,p={proof}"), MalformedRequest);
    check("7: no channel binding", format!("r=abcsrv,p={proof}"), MalformedRequest);
    check("7: no nonce", format!("c=biws,p={proof}"), MalformedRequest);
    check("7: base64", format!("c=biw,r=abcsrv,p={proof}"), MalformedRequest);
    check("7: base64", format!("{without_proof},p={}", proof.trim_end_matches('=')), MalformedRequest);
    check("7: extension twice", format!("{without_proof},x=1,x=1,p={proof}"), MalformedRequest);
    check("5.1: mandatory extension", format!("{without_proof},m=1,p={proof}"), NotAuthorized);
    check("5.1: only the server's nonce", format!("c=biws,r=srv,p={proof}"), NotAuthorized);
    check("5.1: only the client's nonce", format!("c=biws,r=abc,p={proof}"), NotAuthorized);
    check("5.1: swapped nonces", format!("c=biws,r=srvabc,p={proof}"), NotAuthorized);
    check("5.1: another header", format!("c=eSws,r=abcsrv,p={proof}"), NotAuthorized);
    check("3: no signature", format!("{without_proof},x=1,p={proof}"), NotAuthorized);
    check("3: empty proof", format!("{without_proof},p="), NotAuthorized);
    check("3: short proof", format!("{without_proof},p=AAAA"), NotAuthorized);
    check("3: long proof", format!("{without_proof},p=AAAA{proof}"), NotAuthorized);

    let mut longer = STANDARD.decode(proof).unwrap();
    longer.push(0);
    let longer = STANDARD.encode(longer);
    check("3: something behind the proof", format!("{without_proof},p={longer}"), NotAuthorized);

    // The proof fits, the rest does not.
    for wrong in ["c=biws,r=abc", "c=biws,r=srv", "c=biws,r=srvabc", "c=biws,r=abcsrv2", "c=eSws,r=abcsrv"] {
        let message = with_proof(Hash::Sha256, "pencil", CLIENT_FIRST, &server_first, wrong);
        check("5.1: another nonce or header, proved", message, NotAuthorized);
    }
    let extended = with_proof(Hash::Sha256, "pencil", CLIENT_FIRST, &server_first, "c=biws,r=abcsrv,x=1");
    assert!(matches!(answer(extended.as_bytes()), Step::Success { .. }));

    let other = client_final(Hash::Sha256, "pencils", CLIENT_FIRST, &server_first, b"");
    check("3: another password", other, NotAuthorized);
    // A replay: the same message against another nonce of the server's.
    let messages = [CLIENT_FIRST.as_bytes(), right.as_bytes()];
    let step = run(start(&offer, "SCRAM-SHA-256", "other"), &messages, Some(&pencil()));
    assert_eq!(failure(step), NotAuthorized);
}

/// RFC 5802 6 and XEP-0440: the flag, the mechanism and the channel's data must belong together.
#[test]
fn channel_binding() {
    let all = bindings();
    let only_end_point = ChannelBindings::new(None, Some(vec![8; 32]));
    let check = |bindings: &ChannelBindings,
                 plus: &str,
                 flag: &str,
                 data: &[u8],
                 expected: Result<(), SaslFailure>| {
        let offer = tls(bindings.clone());
        let mechanism = format!("SCRAM-SHA-512{plus}");
        let client_first = format!("{flag},,n=user,r=abc");
        let mut exchange = start(&offer, &mechanism, "srv");
        let answer = match exchange.response(client_first.as_bytes()) {
            Step::NeedCredentials { .. } => {
                let server_first = challenge(exchange.credentials(Ok(Found::Account(pencil()))));
                let last = client_final(Hash::Sha512, "pencil", &client_first, &server_first, data);
                exchange.response(last.as_bytes())
            }
            step => step,
        };
        let answer = match answer {
            Step::Success { .. } => Ok(()),
            step => Err(failure(step)),
        };
        assert_eq!(answer, expected, "{mechanism} {flag} {data:?}");
    };
    let none = ChannelBindings::default();
    check(&all, "-PLUS", "p=tls-exporter", &[9; 32], Ok(()));
    check(&all, "-PLUS", "p=tls-server-end-point", &[8; 32], Ok(()));
    check(&all, "", "n", &[], Ok(()));
    check(&none, "", "n", &[], Ok(()));
    check(&none, "", "y", &[], Ok(()));
    // The data of another channel: somebody is between.
    check(&all, "-PLUS", "p=tls-exporter", &[1; 32], Err(NotAuthorized));
    check(&all, "-PLUS", "p=tls-exporter", &[8; 32], Err(NotAuthorized));
    check(&all, "-PLUS", "p=tls-exporter", &[], Err(NotAuthorized));
    check(&all, "", "n", &[9; 32], Err(NotAuthorized));
    // Types that there are not.
    check(&all, "-PLUS", "p=tls-unique", &[9; 32], Err(NotAuthorized));
    check(&only_end_point, "-PLUS", "p=tls-exporter", &[9; 32], Err(NotAuthorized));
    // The client did not see the mechanisms that were offered.
    check(&all, "", "y", &[], Err(NotAuthorized));
    check(&all, "-PLUS", "y", &[], Err(NotAuthorized));
    // The flag of another mechanism.
    check(&all, "-PLUS", "n", &[], Err(MalformedRequest));
    check(&all, "", "p=tls-exporter", &[9; 32], Err(MalformedRequest));
}

#[test]
fn authorization_identities() {
    let offer = tls(ChannelBindings::default());
    let check = |authzid: &str, expected: Option<SaslFailure>| {
        let step = run(
            start(&offer, "PLAIN", "srv"),
            &[format!("{authzid}\0user\0pencil").as_bytes()],
            Some(&pencil()),
        );
        match (step, expected) {
            (Step::Success { identity, .. }, None) => assert_eq!(identity.as_str(), "user@example.org"),
            (step, expected) => assert_eq!(Some(failure(step)), expected, "{authzid:?}"),
        }
        if authzid.is_empty() {
            return;
        }
        let client_first = format!("n,a={authzid},n=user,r=abc");
        let step = run(start(&offer, "SCRAM-SHA-1", "srv"), &[client_first.as_bytes()], Some(&pencil()));
        match (step, expected) {
            (Step::Challenge(_), None) => {}
            (step, expected) => assert_eq!(Some(failure(step)), expected, "{authzid:?}"),
        }
    };
    check("", None);
    check("user@example.org", None);
    check("USER@Example.ORG", None);
    check("other@example.org", Some(InvalidAuthzid));
    check("user@example.net", Some(InvalidAuthzid));
    check("user@example.org/resource", Some(InvalidAuthzid));
    check("example.org", Some(InvalidAuthzid));
    check("user", Some(InvalidAuthzid));
    check("@", Some(InvalidAuthzid));
    check("user@sub.example.org", Some(InvalidAuthzid));
}

/// RFC 4616 2.
#[test]
fn plain_messages() {
    let offer = tls(ChannelBindings::default());
    let check = |message: &[u8], expected: SaslFailure| {
        let step = run(start(&offer, "PLAIN", "srv"), &[message], Some(&pencil()));
        assert_eq!(failure(step), expected, "{:?}", String::from_utf8_lossy(message));
    };
    check(b"", MalformedRequest);
    check(b"user", MalformedRequest);
    check(b"user\0pencil", MalformedRequest);
    check(b"\0user\0", MalformedRequest);
    check(b"\0\0pencil", MalformedRequest);
    check(b"\0user\0pencil\0", MalformedRequest);
    check(b"\0user\0pen\0cil", MalformedRequest);
    check(b"\0us\xffer\0pencil", MalformedRequest);
    check(b"\0user\0pencil\xff", MalformedRequest);
    check(&[0; 4_097], MalformedRequest);
    check(b"\0user\0pencils", NotAuthorized);
    check(b"\0user\0Pencil", NotAuthorized);
    check(b"\0user\0pencil ", NotAuthorized);
    check(b"\0user\0pen\tcil", NotAuthorized);
    check(b"\0user@example.org\0pencil", NotAuthorized);
}

#[test]
fn mechanisms_that_are_not_offered() {
    let tls = tls(ChannelBindings::default());
    let clear = Offer::new(&Settings::default(), DOMAIN, Security::Clear);
    let check = |offer: &Offer, name: &str, expected: SaslFailure| {
        let nonce = ServerNonce::from_random([0; limits::NONCE_RANDOM_BYTES]);
        assert_eq!(Exchange::start(offer, name, nonce, &secret()).unwrap_err(), expected, "{name}");
    };
    for name in [
        "",
        "ANONYMOUS",
        "LOGIN",
        "DIGEST-MD5",
        "CRAM-MD5",
        "plain",
        "SCRAM-SHA-224",
        "SCRAM-SHA-1-PLUS-PLUS",
    ] {
        check(&tls, name, InvalidMechanism);
        check(&clear, name, InvalidMechanism);
    }
    check(&tls, "EXTERNAL", InvalidMechanism);
    check(&tls, "SCRAM-SHA-1-PLUS", InvalidMechanism);
    check(&clear, "PLAIN", EncryptionRequired);
    check(&clear, "SCRAM-SHA-256", EncryptionRequired);
    assert!(clear.mechanisms().is_empty());
}

/// Out of turn, and after the end.
#[test]
fn nothing_succeeds_out_of_turn() {
    let offer = tls(ChannelBindings::default());
    let begin = || start(&offer, "SCRAM-SHA-256", "srv");

    let mut exchange = begin();
    assert_eq!(failure(exchange.credentials(Ok(Found::Account(pencil())))), TemporaryAuthFailure);
    assert_eq!(failure(exchange.response(CLIENT_FIRST.as_bytes())), MalformedRequest);

    // A message while the look-up is under way.
    let mut exchange = begin();
    exchange.response(CLIENT_FIRST.as_bytes());
    assert_eq!(failure(exchange.response(CLIENT_FIRST.as_bytes())), MalformedRequest);
    assert_eq!(failure(exchange.credentials(Ok(Found::Account(pencil())))), TemporaryAuthFailure);

    let mut exchange = begin();
    exchange.response(CLIENT_FIRST.as_bytes());
    assert_eq!(failure(exchange.credentials(Err(Fault::new("the disk")))), TemporaryAuthFailure);
    assert_eq!(failure(exchange.credentials(Ok(Found::Account(pencil())))), TemporaryAuthFailure);

    // The right message again, after success.
    let mut exchange = begin();
    exchange.response(CLIENT_FIRST.as_bytes());
    let server_first = challenge(exchange.credentials(Ok(Found::Account(pencil()))));
    let last = client_final(Hash::Sha256, "pencil", CLIENT_FIRST, &server_first, b"");
    assert!(matches!(exchange.response(last.as_bytes()), Step::Success { .. }));
    assert_eq!(failure(exchange.response(last.as_bytes())), MalformedRequest);

    // No initial response, after the end.
    assert_eq!(failure(exchange.initial(None)), MalformedRequest);

    // The verdict of one exchange given to another that did not ask.
    let mut asked = start(&offer, "PLAIN", "srv");
    asked.response(b"\0user\0pencil");
    let Step::Verify(check) = asked.credentials(Ok(Found::Account(pencil()))) else { panic!() };
    assert_eq!(failure(begin().verified(check.run())), TemporaryAuthFailure);
}

/// RFC 5802 9 has no word on it; Openfire OF-1381 and OF-3258 show why: an account that does not exist must look like
/// one that does, with any mechanism, until the same failure at the same step.
#[test]
fn unknown_accounts_look_like_known_ones() {
    let offer = tls(bindings());
    let first = |mechanism: &str, secret: &ServerSecret, client_first: &str, found: Option<Credential>| {
        let nonce = ServerNonce::from_text("srv").unwrap();
        let mut exchange = Exchange::start(&offer, mechanism, nonce, secret).unwrap();
        exchange.response(client_first.as_bytes());
        let server_first = challenge(exchange.credentials(Ok(found.into())));
        (server_first, exchange)
    };
    let iterations = Iterations::default();
    let known = Credential::derive("pencil", &Salts::from_random([[7; 16]; 3]), iterations).unwrap();
    let mut salts = std::collections::BTreeSet::new();
    for (mechanism, hash) in
        [("SCRAM-SHA-1", Hash::Sha1), ("SCRAM-SHA-256", Hash::Sha256), ("SCRAM-SHA-512", Hash::Sha512)]
    {
        let (real, mut exchange) = first(mechanism, &secret(), CLIENT_FIRST, Some(known.clone()));
        let wrong = client_final(hash, "wrong", CLIENT_FIRST, &real, b"");
        assert_eq!(failure(exchange.response(wrong.as_bytes())), NotAuthorized);

        let (fake, mut exchange) = first(mechanism, &secret(), CLIENT_FIRST, None);
        assert_eq!(real.len(), fake.len());
        let shape = |first: &str| first.split(',').map(|a| (a[..2].to_owned(), a.len())).collect::<Vec<_>>();
        assert_eq!(shape(&real), shape(&fake));
        assert!(fake.contains(",i=10000,"));
        let any = client_final(hash, "pencil", CLIENT_FIRST, &fake, b"");
        assert_eq!(failure(exchange.response(any.as_bytes())), NotAuthorized);

        // The same again; another for another name and for another secret.
        assert_eq!(first(mechanism, &secret(), CLIENT_FIRST, None).0, fake);
        assert_eq!(first(mechanism, &secret(), "n,,n=USER,r=abc", None).0, fake);
        let other_name = first(mechanism, &secret(), "n,,n=users,r=abc", None).0;
        let other_secret = first(mechanism, &ServerSecret::new([4; 32]), CLIENT_FIRST, None).0;
        for server_first in [fake, other_name, other_secret] {
            salts.insert(value_of(&server_first, "s=").to_owned());
        }
    }
    assert_eq!(salts.len(), 9);
}

#[test]
fn debug_output_shows_nothing_that_was_sent() {
    let offer = tls(bindings());
    let mut exchange = start(&offer, "PLAIN", "srv");
    let mut shown = vec![format!("{:?}", exchange.response(b"\0user\0pencil")), format!("{exchange:?}")];
    shown.push(format!("{:?}", exchange.credentials(Ok(Found::Account(pencil())))));
    shown.push(format!("{exchange:?}"));
    let mut exchange = start(&offer, "SCRAM-SHA-1", "srv");
    exchange.response(b"n,,n=user,r=pencil");
    shown.push(format!("{exchange:?}"));
    shown.push(format!("{:?}", exchange.credentials(Ok(Found::Account(pencil())))));
    shown.push(format!("{exchange:?} {offer:?}"));
    let bytes = format!("{:?}", b"pencil").replace(['[', ']'], "");
    for text in shown {
        assert!(!text.contains("pencil") && !text.contains(&bytes) && !text.contains("9, 9"), "{text}");
    }
}
