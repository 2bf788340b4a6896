//! Credentials at rest, and the trait that answers for them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use stentor_auth::{
    Credential, CredentialError, Credentials, Fault, Found, Hash, Iterations, Lookup, Salts, ServerNonce,
    ServerSecret, limits,
};
use stentor_xmpp::BareJid;

fn derive(password: &str) -> Credential {
    Credential::derive(password, &Salts::from_random([[1; 16], [2; 16], [3; 16]]), Iterations::default())
        .unwrap()
}

#[test]
fn what_is_written_is_read() {
    let json = derive("pencil").to_json();
    let read = Credential::from_json(&json).unwrap();
    assert_eq!(read.to_json(), json);
    assert!([Hash::Sha1, Hash::Sha256, Hash::Sha512].into_iter().all(|hash| read.has(hash)));
    assert!(json.starts_with(
        r#"{"v":1,"SHA-1":{"salt":"AQEBAQEBAQEBAQEBAQEBAQ==","iterations":10000,"stored_key":""#
    ));
    assert!(json.len() < limits::CREDENTIAL_BYTES_MAX);
    assert!(!json.contains("pencil"));
    assert_eq!(Credential::default().to_json(), r#"{"v":1}"#);
    assert!(!Credential::from_json(r#"{"v":1}"#).unwrap().has(Hash::Sha1));
}

#[test]
fn the_same_password_in_another_form_is_the_same() {
    // RFC 8265 4.2.2: NFC, and any space is U+0020.
    assert_eq!(derive("e\u{301}\u{a0}x").to_json(), derive("\u{e9} x").to_json());
    assert_ne!(derive("Pencil").to_json(), derive("pencil").to_json());
    assert!(Credential::derive("", &Salts::from_random([[0; 16]; 3]), Iterations::default()).is_err());
    assert!(Credential::derive("a\tb", &Salts::from_random([[0; 16]; 3]), Iterations::default()).is_err());
}

#[test]
fn malformed_credentials_are_refused() {
    let key = "A".repeat(27) + "=";
    let keys = |salt: &str, iterations: &str, stored: &str, server: &str| {
        format!(
            r#"{{"v":1,"SHA-1":{{"salt":"{salt}","iterations":{iterations},"stored_key":"{stored}","server_key":"{server}"}}}}"#
        )
    };
    assert!(Credential::from_json(&keys("AA==", "4096", &key, &key)).is_ok());
    let check = |json: &str, is_expected: fn(&CredentialError) -> bool| {
        let error = Credential::from_json(json).unwrap_err();
        assert!(is_expected(&error), "{json}: {error}");
    };
    let json = |error: &CredentialError| matches!(error, CredentialError::Json(_));
    check("", json);
    check("{}", json);
    check(r#"{"v":1,"MD5":{}}"#, json);
    check(r#"{"v":1,"v":1}"#, json);
    check(r#"{"v":1} "#.repeat(2).as_str(), json);
    check(r#"{"v":1,"SHA-1":{}}"#, json);
    check(&keys("AA==", "-1", &key, &key), json);
    check(&keys("AA==", "4294967296", &key, &key), json);
    check(&"[".repeat(4_000), json);
    check(&" ".repeat(4_097), |error| matches!(error, CredentialError::TooLong));
    check(r#"{"v":2}"#, |error| matches!(error, CredentialError::Version(2)));
    let keys_error = |error: &CredentialError| matches!(error, CredentialError::Keys(Hash::Sha1));
    check(&keys("", "4096", &key, &key), keys_error);
    check(&keys("A", "4096", &key, &key), keys_error);
    check(&keys(&"A".repeat(172), "4096", &key, &key), keys_error);
    check(&keys("AA==", "4096", "", &key), keys_error);
    check(&keys("AA==", "4096", &key, &"A".repeat(44)), keys_error);
    let count =
        |error: &CredentialError| matches!(error, CredentialError::Iterations { hash: Hash::Sha1, .. });
    for iterations in ["0", "1", "4095", "1000001", "4294967295"] {
        check(&keys("AA==", iterations, &key, &key), count);
    }
}

#[test]
fn iterations_have_bounds() {
    assert_eq!(Iterations::default().get(), 10_000);
    assert_eq!(Iterations::new(0), None);
    assert_eq!(Iterations::new(4_095), None);
    assert_eq!(Iterations::new(4_096).map(Iterations::get), Some(4_096));
    assert_eq!(Iterations::new(1_000_000).map(Iterations::get), Some(1_000_000));
    assert_eq!(Iterations::new(1_000_001), None);
}

#[test]
fn debug_output_shows_no_secret() {
    let credential = derive("pencil");
    let shown = format!("{credential:?}");
    let json: serde_json::Value = serde_json::from_str(&credential.to_json()).unwrap();
    for hash in ["SHA-1", "SHA-256", "SHA-512"] {
        for field in ["salt", "stored_key", "server_key"] {
            assert!(!shown.contains(json[hash][field].as_str().unwrap()));
        }
    }
    assert_eq!(shown.matches("ScramKeys { iterations: 10000, .. }").count(), 3);
    assert_eq!(format!("{:?}", ServerSecret::new([7; 32])), "ServerSecret(..)");
    assert_eq!(
        format!("{:?}", ServerNonce::from_random([0; 18])),
        "ServerNonce(\"AAAAAAAAAAAAAAAAAAAAAAAA\")"
    );
}

/// One account, and a fault for every other domain: the trait can be had as an object, and its answer outlives it.
struct One;

impl Credentials for One {
    fn credential(&self, account: &BareJid) -> Lookup {
        let answer = match (account.local(), account.domain()) {
            (_, domain) if domain != "example.org" => Err(Fault::new("no such directory")),
            (Some("user"), _) => Ok(Found::Account(Credential::default())),
            _ => Ok(Found::nobody()),
        };
        Box::pin(async move { answer })
    }
}

#[test]
fn credentials_are_looked_up_through_an_object() {
    let look_up = |account: &str| {
        let credentials: Arc<dyn Credentials> = Arc::new(One);
        let mut lookup = credentials.credential(&BareJid::parse(account).unwrap());
        drop(credentials);
        match lookup.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.map(|found| matches!(found, Found::Account(_))),
            Poll::Pending => panic!("it is ready"),
        }
    };
    assert_eq!(look_up("user@example.org"), Ok(true));
    assert_eq!(look_up("other@example.org"), Ok(false));
    assert_eq!(look_up("user@example.net"), Err(Fault::new("no such directory")));
}
