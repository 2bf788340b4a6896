//! No message but the right one gets in.

use proptest::prelude::*;

use super::*;

const CLIENT_FIRST: &str = "p=tls-exporter,,n=user,r=abc";

/// A challenged exchange and the message that ends it in success.
fn challenged(credential: &Credential) -> (Exchange, String) {
    let mut exchange = start(&tls(bindings()), "SCRAM-SHA-1-PLUS", "srv");
    exchange.response(CLIENT_FIRST.as_bytes());
    let server_first = challenge(exchange.credentials(Ok(Found::Account(credential.clone()))));
    let last = client_final(Hash::Sha1, "pencil", CLIENT_FIRST, &server_first, &[9; 32]);
    (exchange, last)
}

proptest! {
    #[test]
    fn a_mutated_message_never_succeeds(at in any::<prop::sample::Index>(), byte in any::<u8>(), kind in 0..3) {
        let credential = credential();
        let (mut exchange, last) = challenged(credential);
        let mut bytes = last.clone().into_bytes();
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => { bytes.remove(at); }
        }
        prop_assume!(bytes != last.as_bytes());
        prop_assert!(matches!(exchange.response(&bytes), Step::Failure(_)));
        prop_assert!(matches!(exchange.response(last.as_bytes()), Step::Failure(_)));
    }

    #[test]
    fn another_proof_never_succeeds(proof in prop::collection::vec(any::<u8>(), 0..40)) {
        let (mut exchange, last) = challenged(credential());
        let (without_proof, right) = last.split_once(",p=").unwrap();
        let proof = STANDARD.encode(proof);
        prop_assume!(proof != right);
        let step = exchange.response(format!("{without_proof},p={proof}").as_bytes());
        prop_assert!(matches!(step, Step::Failure(SaslFailure::NotAuthorized)));
    }

    #[test]
    fn an_unknown_account_never_succeeds(password in "[a-z]{1,8}") {
        let mut exchange = start(&tls(bindings()), "SCRAM-SHA-1-PLUS", "srv");
        exchange.response(CLIENT_FIRST.as_bytes());
        let server_first = challenge(exchange.credentials(Ok(Found::nobody())));
        // Fewer iterations than are asked for: the proof is wrong all the same.
        let quick = server_first.replace("i=10000", "i=1");
        let last = client_final(Hash::Sha1, &password, CLIENT_FIRST, &quick, &[9; 32]);
        prop_assert!(matches!(exchange.response(last.as_bytes()), Step::Failure(SaslFailure::NotAuthorized)));
    }
}

fn credential() -> &'static Credential {
    static CREDENTIAL: std::sync::LazyLock<Credential> = std::sync::LazyLock::new(pencil);
    &CREDENTIAL
}
