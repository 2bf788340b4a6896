//! The exchanges printed in RFC 5802, RFC 7677 and XEP-0474, byte for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::channel_binding::offer_hash;
use crate::credential::ScramKeys;

struct Vector<'a> {
    mechanism: &'a str,
    hash: Hash,
    offer: Offer,
    nonce: &'a str,
    salt: &'a str,
    client_first: &'a str,
    server_first: &'a str,
    client_final: &'a str,
    server_final: &'a str,
}

fn credential(hash: Hash, salt: &str) -> Credential {
    let salt = STANDARD.decode(salt).unwrap();
    let keys = ScramKeys::derive(hash, b"pencil", salt.clone(), Iterations::new(4_096).unwrap());
    let json = format!(
        r#"{{"v":1,"{}":{{"salt":"{}","iterations":4096,"stored_key":"{}","server_key":"{}"}}}}"#,
        hash.name(),
        STANDARD.encode(salt),
        STANDARD.encode(keys.stored_key.as_bytes()),
        STANDARD.encode(keys.server_key.as_bytes()),
    );
    Credential::from_json(&json).unwrap()
}

fn check(vector: Vector<'_>) {
    let mut exchange = start(&vector.offer, vector.mechanism, vector.nonce);
    let Step::NeedCredentials { identity } = exchange.initial(Some(vector.client_first.as_bytes())) else {
        panic!("{}", vector.mechanism)
    };
    assert_eq!(identity.as_str(), "user@example.org");
    let step = exchange.credentials(Ok(Found::Account(credential(vector.hash, vector.salt))));
    assert_eq!(challenge(step), vector.server_first);
    let Step::Success { identity, data } = exchange.response(vector.client_final.as_bytes()) else {
        panic!("{}", vector.mechanism)
    };
    assert_eq!(identity.as_str(), "user@example.org");
    assert_eq!(data.as_deref(), Some(vector.server_final.as_bytes()));
}

fn unprotected() -> Offer {
    let settings = Settings { downgrade_protection: false, ..Settings::default() };
    let bindings = ChannelBindings::default();
    Offer::new(&settings, DOMAIN, Security::Tls { bindings, client: None })
}

#[test]
fn rfc_5802_section_5() {
    check(Vector {
        mechanism: "SCRAM-SHA-1",
        hash: Hash::Sha1,
        offer: unprotected(),
        nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    });
}

#[test]
fn rfc_7677_section_3() {
    check(Vector {
        mechanism: "SCRAM-SHA-256",
        hash: Hash::Sha256,
        offer: unprotected(),
        nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    });
}

/// SCRAM-SHA-1-PLUS with `tls-exporter`, XEP-0474's attribute and an extension of the client's.
#[test]
fn xep_0474_example() {
    let nonce = "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6";
    let server_nonce = "a09117a6-ac50-4f2f-93f1-93799c2bddf6";
    let settings = Settings { families: vec![Family::Scram(Hash::Sha1)], ..Settings::default() };
    let bindings = ChannelBindings {
        tls_exporter: Some(b"THIS IS FAKE CB DATA".to_vec()),
        tls_server_end_point: Some(vec![8; 32]),
    };
    let offer = Offer::new(&settings, DOMAIN, Security::Tls { bindings, client: None });
    check(Vector {
        mechanism: "SCRAM-SHA-1-PLUS",
        hash: Hash::Sha1,
        offer,
        nonce: server_nonce,
        salt: "QSXCR+Q6sek8bf92",
        client_first: &format!("p=tls-exporter,,n=user,r={nonce}"),
        server_first: &format!(
            "r={nonce}{server_nonce},s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08="
        ),
        client_final: &format!(
            "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r={nonce}{server_nonce},\
             x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4="
        ),
        server_final: "v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=",
    });
}

/// The text that is hashed: sorted by octets, and the second part absent without channel bindings.
#[test]
fn xep_0474_hash() {
    let check = |mechanisms: &[&str], bindings: &[&str], text: &str| {
        let hash = offer_hash(Hash::Sha256, mechanisms, bindings);
        assert!(hash.is(Hash::Sha256.digest(text.as_bytes()).as_bytes()), "{text:?}");
    };
    check(&["PLAIN"], &[], "PLAIN");
    check(&["SCRAM-SHA-1", "PLAIN"], &[], "PLAIN\u{1e}SCRAM-SHA-1");
    check(
        &["SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"],
        &["tls-server-end-point", "tls-exporter"],
        "SCRAM-SHA-1\u{1e}SCRAM-SHA-1-PLUS\u{1e}SCRAM-SHA-256\u{1f}tls-exporter\u{1e}tls-server-end-point",
    );
}
