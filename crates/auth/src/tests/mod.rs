//! Tests that need a nonce or keys of their own choice.

mod attacks;
mod properties;
mod vectors;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::*;

pub(crate) const DOMAIN: &str = "example.org";

/// The account `user` with the password `pencil`, which the RFCs use.
pub(crate) fn pencil() -> Credential {
    let iterations = Iterations::new(limits::ITERATIONS_MIN).unwrap();
    Credential::derive("pencil", &Salts::from_random([[7; limits::SALT_BYTES]; 3]), iterations).unwrap()
}

pub(crate) fn secret() -> ServerSecret {
    ServerSecret::new([3; 32])
}

pub(crate) fn bindings() -> ChannelBindings {
    ChannelBindings::new(Some([9; 32]), Some(vec![8; 32]))
}

pub(crate) fn tls(bindings: ChannelBindings) -> Offer {
    let mut settings = Settings::default();
    settings.families.push(Family::Plain);
    Offer::new(&settings, DOMAIN, Security::Tls { bindings, client: None })
}

pub(crate) fn start(offer: &Offer, mechanism: &str, nonce: &str) -> Exchange {
    let nonce = ServerNonce::from_text(nonce).unwrap();
    Exchange::start(offer, mechanism, nonce, &secret()).unwrap()
}

/// Takes an exchange to its end with these messages, and answers its look-ups with `found`.
pub(crate) fn run(mut exchange: Exchange, messages: &[&[u8]], found: Option<&Credential>) -> Step {
    let mut step = Step::Challenge(Vec::new());
    for message in messages {
        step = exchange.response(message);
        if matches!(step, Step::NeedCredentials { .. }) {
            step = exchange.credentials(Ok(found.cloned().into()));
        }
        if let Step::Verify(check) = step {
            step = exchange.verified(check.run());
        }
        if matches!(step, Step::Failure(_) | Step::Success { .. }) {
            return step;
        }
    }
    step
}

pub(crate) fn failure(step: Step) -> SaslFailure {
    match step {
        Step::Failure(failure) => failure,
        other => panic!("{other:?}"),
    }
}

/// A SCRAM client: the final message for a server's first, with a password and channel-binding data.
pub(crate) fn client_final(
    hash: Hash,
    password: &str,
    client_first: &str,
    server_first: &str,
    binding: &[u8],
) -> String {
    let gs2_header = &client_first[..bare_at(client_first)];
    let binding = STANDARD.encode([gs2_header.as_bytes(), binding].concat());
    let without_proof = format!("c={binding},r={}", value_of(server_first, "r="));
    with_proof(hash, password, client_first, server_first, &without_proof)
}

fn bare_at(client_first: &str) -> usize {
    client_first.match_indices(',').nth(1).unwrap().0 + 1
}

/// The value of an attribute, named with its equals sign.
pub(crate) fn value_of<'a>(message: &'a str, name: &str) -> &'a str {
    message.split(',').find_map(|attribute| attribute.strip_prefix(name)).unwrap()
}

/// A final message of the client's own making, with the proof that it needs.
pub(crate) fn with_proof(
    hash: Hash,
    password: &str,
    client_first: &str,
    server_first: &str,
    without_proof: &str,
) -> String {
    let bare = &client_first[bare_at(client_first)..];
    let salt = STANDARD.decode(value_of(server_first, "s=")).unwrap();
    let salted =
        hash.salted_password(password.as_bytes(), &salt, value_of(server_first, "i=").parse().unwrap());
    let client_key = hash.hmac(salted.as_bytes(), &[b"Client Key"]);
    let stored_key = hash.digest(client_key.as_bytes());
    let auth_message = format!("{bare},{server_first},{without_proof}");
    let signature = hash.hmac(stored_key.as_bytes(), &[auth_message.as_bytes()]);
    format!("{without_proof},p={}", STANDARD.encode(client_key.xor(signature.as_bytes()).as_bytes()))
}

pub(crate) fn challenge(step: Step) -> String {
    match step {
        Step::Challenge(data) => String::from_utf8(data).unwrap(),
        other => panic!("{other:?}"),
    }
}
