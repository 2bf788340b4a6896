//! Client certificates for EXTERNAL, and server certificates to bind to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CustomExtension, DnType, KeyPair, OtherNameValue, SanType, SignatureAlgorithm,
};
use sha2::{Digest, Sha256, Sha384};
use stentor_auth::{
    CertificateError, ChannelBindings, ClientIdentities, Credential, Exchange, Found, Mechanism, Offer,
    SaslFailure, Security, ServerNonce, ServerSecret, Settings, Step, tls_server_end_point,
};

const XMPP_ADDR: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];

fn address(address: &str) -> SanType {
    SanType::OtherName((XMPP_ADDR.to_vec(), OtherNameValue::Utf8String(address.to_owned())))
}

fn certificate(common_name: &str, names: Vec<SanType>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.subject_alt_names = names;
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn offer(der: &[u8]) -> Offer {
    let client = Some(ClientIdentities::from_certificate(der).unwrap());
    let bindings = ChannelBindings::default();
    Offer::new(&Settings::default(), "example.org", Security::Tls { bindings, client })
}

/// Whom EXTERNAL lets in with these names in the certificate and this authorization identity.
fn log_in(names: Vec<SanType>, authzid: &str) -> Result<String, SaslFailure> {
    let offer = offer(&certificate("user@example.org", names));
    let nonce = ServerNonce::from_random([0; 18]);
    let mut exchange = Exchange::start(&offer, "EXTERNAL", nonce, &ServerSecret::new([0; 32]))?;
    assert_eq!(offer.mechanisms()[0], Mechanism::External);
    match exchange.initial(Some(authzid.as_bytes())) {
        Step::NeedCredentials { identity } => {
            match exchange.credentials(Ok(Found::Account(Credential::default()))) {
                Step::Success { identity: authorized, data: None } if authorized == identity => {
                    Ok(identity.as_str().to_owned())
                }
                step => panic!("{step:?}"),
            }
        }
        Step::Failure(failure) => Err(failure),
        step => panic!("{step:?}"),
    }
}

#[test]
fn external() {
    let check = |names: &[&str], authzid: &str, expected: Result<&str, SaslFailure>| {
        let names: Vec<_> = names.iter().map(|name| address(name)).collect();
        assert_eq!(log_in(names.clone(), authzid), expected.map(str::to_owned), "{names:?} {authzid:?}");
    };
    let user = Ok("user@example.org");
    check(&["user@example.org"], "", user);
    check(&["user@example.org"], "user@example.org", user);
    check(&["User@Example.ORG"], "USER@example.org", user);
    check(&["user@example.org", "user@example.org"], "", user);
    check(&["user@example.org", "other@example.org"], "user@example.org", user);
    check(&["user@example.org", "user@example.net"], "", user);
    // XEP-0178 2: several addresses, and none said.
    check(&["user@example.org", "other@example.org"], "", Err(SaslFailure::InvalidAuthzid));
    check(&["user@example.org"], "other@example.org", Err(SaslFailure::InvalidAuthzid));
    check(&["user@example.org"], "user@example.org/resource", Err(SaslFailure::InvalidAuthzid));
    check(&["user@example.org"], "user", Err(SaslFailure::InvalidAuthzid));
    check(&["user@example.org", "user@example.net"], "user@example.net", Err(SaslFailure::InvalidAuthzid));
    check(&["user@example.org"], "user@example.org\0", Err(SaslFailure::InvalidAuthzid));
    // Nobody here: EXTERNAL is not offered. The Common Name says `user@example.org` in all of these.
    let nobody = Err(SaslFailure::InvalidMechanism);
    check(&[], "", nobody);
    check(&[], "user@example.org", nobody);
    check(&["user@example.net"], "", nobody);
    check(&["example.org"], "", nobody);
    check(&["user@example.org/resource"], "", nobody);
    check(&["user@example.org\0.example.net"], "", nobody);
    check(&["user@example.org@example.net"], "", nobody);
    check(&[""], "", nobody);
}

#[test]
fn other_names_are_no_accounts() {
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    let other_kind = SanType::OtherName((
        vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3],
        OtherNameValue::Utf8String("user@example.org".to_owned()),
    ));
    let names = vec![
        SanType::Rfc822Name(text("user@example.org")),
        SanType::DnsName(text("example.org")),
        SanType::URI(text("xmpp:user@example.org")),
        other_kind,
    ];
    assert_eq!(log_in(names, "user@example.org"), Err(SaslFailure::InvalidMechanism));
}

/// CVE-2025-59154: a subject that looks like another's Common Name.
#[test]
fn the_subject_says_nothing() {
    for common_name in ["user@example.org", "CN=admin@example.org,", "OU=\"CN=admin\""] {
        let offer = offer(&certificate(common_name, vec![]));
        assert!(!offer.mechanisms().contains(&Mechanism::External), "{common_name}");
    }
}

#[test]
fn an_account_that_does_not_exist_is_refused() {
    let offer = offer(&certificate("", vec![address("user@example.org")]));
    let begin = || {
        let nonce = ServerNonce::from_random([0; 18]);
        Exchange::start(&offer, "EXTERNAL", nonce, &ServerSecret::new([0; 32])).unwrap()
    };
    let mut exchange = begin();
    assert!(matches!(exchange.initial(None), Step::Challenge(data) if data.is_empty()));
    assert!(matches!(exchange.response(b""), Step::NeedCredentials { .. }));
    assert!(matches!(exchange.credentials(Ok(Found::nobody())), Step::Failure(SaslFailure::NotAuthorized)));
}

/// An otherName of the right kind with something else in it than one tagged UTF8String.
#[test]
fn malformed_addresses_name_nobody() {
    let certificate_with = |value: &[u8]| {
        let oid = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x05];
        let tlv = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let names = tlv(0x30, &tlv(0xa0, &[&oid, value].concat()));
        let mut params = CertificateParams::default();
        params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 17], names));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    };
    let check = |value: &[u8], is_user: bool| {
        let offer = offer(&certificate_with(value));
        assert_eq!(offer.mechanisms().contains(&Mechanism::External), is_user, "{value:02x?}");
    };
    check(b"\xa0\x0a\x0c\x08u@host.a", false);
    check(b"\xa0\x0f\x0c\x0du@example.org", true);
    check(b"\x0c\x0du@example.org", false); // No tag.
    check(b"\xa1\x0f\x0c\x0du@example.org", false); // Another tag.
    check(b"\xa0\x0f\x16\x0du@example.org", false); // IA5String.
    check(b"\xa0\x0f\x04\x0du@example.org", false); // OCTET STRING.
    check(b"\xa0\x11\x0c\x0du@example.org\x05\x00", false); // Something after it.
    check(b"\xa0\x0f\x0c\x0du@example.org\x05\x00", false);
    check(b"\xa0\x0f\x0c\x0du@exa\xffple.org", false);
    check(b"\xa0\x0f\x0c\x0eu@example.org", false); // Too short.
    check(b"", false);
}

#[test]
fn what_is_no_certificate_is_refused() {
    let der = certificate("", vec![address("user@example.org")]);
    let check = |der: &[u8], expected: CertificateError| {
        assert_eq!(ClientIdentities::from_certificate(der), Err(expected));
    };
    check(b"", CertificateError::Malformed);
    check(&der[..der.len() - 1], CertificateError::Malformed);
    check(&[der.as_slice(), b"\0"].concat(), CertificateError::Malformed);
    let many =
        |count| certificate("", (0..count).map(|i| address(&format!("user{i}@example.org"))).collect());
    assert!(ClientIdentities::from_certificate(&many(64)).is_ok());
    check(&many(65), CertificateError::TooMany);
}

/// RFC 5929 4.1.
#[test]
fn server_end_points() {
    let check = |algorithm: &'static SignatureAlgorithm, hash: fn(&[u8]) -> Option<Vec<u8>>| {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(["example.org".to_owned()]).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(tls_server_end_point(&der), hash(&der), "{algorithm:?}");
    };
    check(&rcgen::PKCS_ECDSA_P256_SHA256, |der| Some(Sha256::digest(der).to_vec()));
    check(&rcgen::PKCS_ECDSA_P384_SHA384, |der| Some(Sha384::digest(der).to_vec()));
    check(&rcgen::PKCS_ED25519, |_| None);
    assert_eq!(tls_server_end_point(b"no certificate"), None);
}
