//! The client half of the `sasl` crate logs in to our server half.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use hmac::{Hmac, Mac};
use sasl::client::mechanisms::{Plain, Scram};
use sasl::common::scram::{DeriveError, ScramProvider, Sha1, Sha256};
use sasl::common::{ChannelBinding, Password};
use sha2::{Digest, Sha512};
use stentor_auth::{
    ChannelBindings, Credential, Exchange, Family, Found, Iterations, Offer, Salts, SaslFailure, Security,
    ServerNonce, ServerSecret, Settings, Step, limits,
};

/// What the `sasl` crate has no provider for.
struct ScramSha512;

impl ScramProvider for ScramSha512 {
    type Secret = sasl::secret::Plain;

    fn name() -> &'static str {
        "SHA-512"
    }

    fn hash(data: &[u8]) -> Vec<u8> {
        Sha512::digest(data).to_vec()
    }

    fn hmac(data: &[u8], key: &[u8]) -> Result<Vec<u8>, hmac::digest::InvalidLength> {
        let mut mac = <Hmac<Sha512> as Mac>::new_from_slice(key)?;
        mac.update(data);
        Ok(mac.finalize().into_bytes().to_vec())
    }

    fn derive(password: &Password, salt: &[u8], iterations: u32) -> Result<Vec<u8>, DeriveError> {
        let Password::Plain(password) = password else { panic!("not used") };
        let mut out = vec![0; 64];
        pbkdf2::pbkdf2::<Hmac<Sha512>>(password.as_bytes(), salt, iterations, &mut out)?;
        Ok(out)
    }
}

fn credential() -> Credential {
    let salts = Salts::from_random([[1; 16], [2; 16], [3; 16]]);
    Credential::derive("pencil", &salts, Iterations::new(limits::ITERATIONS_MIN).unwrap()).unwrap()
}

fn offer(exporter: Option<[u8; 32]>) -> Offer {
    let bindings = ChannelBindings::new(exporter, None);
    let mut settings = Settings::default();
    settings.families.push(Family::Plain);
    Offer::new(&settings, "example.org", Security::Tls { bindings, client: None })
}

/// Whom the server let in.
fn log_in(offer: &Offer, client: &mut dyn sasl::client::Mechanism) -> Result<String, SaslFailure> {
    let nonce = ServerNonce::from_random([5; limits::NONCE_RANDOM_BYTES]);
    let mut exchange = Exchange::start(offer, client.name(), nonce, &ServerSecret::new([0; 32]))?;
    let mut step = exchange.initial(Some(&client.initial()));
    loop {
        step = match step {
            Step::Challenge(data) => exchange.response(&client.response(&data).unwrap()),
            Step::NeedCredentials { .. } => exchange.credentials(Ok(Found::Account(credential()))),
            Step::Verify(check) => exchange.verified(check.run()),
            Step::Failure(failure) => return Err(failure),
            Step::Success { identity, data } => {
                // The client checks the server's signature.
                client.success(&data.unwrap_or_default()).unwrap();
                return Ok(identity.as_str().to_owned());
            }
        };
    }
}

fn check<S: ScramProvider>() {
    let run = |password: &str, bound: ChannelBinding, exporter| {
        let mut client = Scram::<S>::new("user", password.to_owned(), bound).unwrap();
        log_in(&offer(exporter), &mut client)
    };
    let user = Ok("user@example.org".to_owned());
    let exporter = || ChannelBinding::TlsExporter(vec![9; 32]);
    let refused = Err(SaslFailure::NotAuthorized);
    // `n`, `y` and `p` of RFC 5802 6.
    assert_eq!(run("pencil", ChannelBinding::None, None), user);
    assert_eq!(run("pencil", ChannelBinding::None, Some([9; 32])), user);
    assert_eq!(run("pencil", ChannelBinding::Unsupported, None), user);
    assert_eq!(run("pencil", exporter(), Some([9; 32])), user);
    assert_eq!(run("pencil", ChannelBinding::Unsupported, Some([9; 32])), refused);
    assert_eq!(run("pencil", exporter(), Some([8; 32])), refused);
    assert_eq!(run("pencil", exporter(), None), Err(SaslFailure::InvalidMechanism));
    assert_eq!(run("pen", ChannelBinding::None, None), refused);
    assert_eq!(run("pen", exporter(), Some([9; 32])), refused);
}

#[test]
fn scram_sha_1() {
    check::<Sha1>();
}

#[test]
fn scram_sha_256() {
    check::<Sha256>();
}

#[test]
fn scram_sha_512() {
    check::<ScramSha512>();
}

#[test]
fn plain() {
    let offer = offer(None);
    let log_in = |password| log_in(&offer, &mut Plain::new("user", password));
    assert_eq!(log_in("pencil"), Ok("user@example.org".to_owned()));
    assert_eq!(log_in("pen"), Err(SaslFailure::NotAuthorized));
}
