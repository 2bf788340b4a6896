//! The body of a fuzz target: whatever a client sends, and whatever is read from a store or a certificate, nothing panics and
//! nobody gets in who does not know the password.

use std::sync::LazyLock;

use stentor_auth::{
    ChannelBindings, ClientIdentities, Credential, Exchange, Family, Iterations, Offer, Salts, SaslFailure,
    Security, ServerNonce, ServerSecret, Settings, Step, limits, payload, tls_server_end_point,
};

const MECHANISMS: [&str; 8] = [
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512-PLUS",
    "PLAIN",
    "EXTERNAL",
];

static CREDENTIAL: LazyLock<Credential> = LazyLock::new(|| {
    let iterations = Iterations::new(limits::ITERATIONS_MIN).expect("the least that is allowed");
    Credential::derive("what nobody guesses: 8Tq0vZ\u{e9}", &Salts::from_random([[1; 16]; 3]), iterations)
        .expect("a password")
});

static OFFER: LazyLock<Offer> = LazyLock::new(|| {
    let mut settings = Settings::default();
    settings.families.push(Family::Plain);
    let bindings = ChannelBindings::new(Some([1; 32]), Some(vec![2; 32]));
    Offer::new(&settings, "example.org", Security::Tls { bindings, client: None })
});

/// The first byte chooses the mechanism and whether the account exists, the rest are messages parted by newlines.
/// How far it came: messages that were understood.
pub(crate) fn exchange(data: &[u8]) -> usize {
    let _ = Credential::from_json(&String::from_utf8_lossy(data));
    let _ = ClientIdentities::from_certificate(data);
    let _ = tls_server_end_point(data);
    let text = String::from_utf8_lossy(data);
    if let Ok(Some(decoded)) = payload::decode_initial(&text) {
        assert_eq!(payload::encode_success(&decoded), text, "base64 has one form");
    }

    let Some((choice, rest)) = data.split_first() else { return 0 };
    let mechanism = MECHANISMS[usize::from(choice % 8)];
    let nonce = ServerNonce::from_random([0; limits::NONCE_RANDOM_BYTES]);
    let Ok(mut exchange) = Exchange::start(&OFFER, mechanism, nonce, &ServerSecret::new([5; 32])) else {
        assert_eq!(mechanism, "EXTERNAL");
        return 0;
    };
    let mut understood = 0;
    for message in rest.split(|byte| *byte == b'\n') {
        let mut step = exchange.response(message);
        if let Step::NeedCredentials { identity } = step {
            assert_eq!(identity.domain(), "example.org");
            assert!(identity.local().is_some());
            step = exchange.credentials(Ok((choice & 8 == 0).then(|| CREDENTIAL.clone()).into()));
        }
        match step {
            Step::Challenge(challenge) => {
                assert!(challenge.len() < 2 * limits::MESSAGE_BYTES_MAX);
                assert!(!challenge.contains(&0));
                understood += 1;
            }
            // PBKDF2 is slow and reads nothing of the client's but the password.
            Step::Verify(_) => return understood + 1,
            Step::Failure(_) => {
                let again = exchange.response(message);
                assert!(matches!(again, Step::Failure(SaslFailure::MalformedRequest)), "{again:?}");
                return understood;
            }
            Step::NeedCredentials { .. } | Step::Success { .. } => panic!("{step:?}"),
        }
    }
    understood
}
