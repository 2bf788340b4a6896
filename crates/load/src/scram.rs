//! The client half of SCRAM (RFC 5802, RFC 7677) without channel binding. User names and passwords are taken as
//! they are: the generator's accounts are plain ASCII, so SASLprep would change nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// More iterations than this and the server is refused: one login would cost seconds.
const ITERATIONS_MAX: u32 = 1_000_000;

/// The hash function of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HashFunction {
    Sha1,
    Sha256,
}

/// Why the exchange failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ScramError {
    #[error("the server's SCRAM message cannot be read")]
    Malformed,
    #[error("the server changed the SCRAM nonce")]
    Nonce,
    #[error("the server asks for {0} SCRAM iterations")]
    Iterations(u32),
    #[error("the server does not know the password: its SCRAM signature is wrong")]
    Signature,
}

impl HashFunction {
    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, data),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, data),
        }
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    fn salted_password(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                let mut salted = vec![0; 20];
                pbkdf2::pbkdf2_hmac::<Sha1>(password.as_bytes(), salt, iterations, &mut salted);
                salted
            }
            Self::Sha256 => {
                let mut salted = vec![0; 32];
                pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut salted);
                salted
            }
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 3)");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// What the password is stretched to: all that later logins of the account need.
#[derive(Debug)]
struct Keys {
    client_key: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// Keys of accounts that logged in before, so that stretching passwords is not what a run measures.
#[derive(Debug, Default)]
pub(crate) struct KeyCache(Mutex<HashMap<Stretch, Arc<Keys>>>);

/// What keys are made from: hash function, password, salt in base64, iterations.
type Stretch = (HashFunction, String, String, u32);

impl KeyCache {
    fn keys(
        &self,
        hash: HashFunction,
        password: &str,
        salt: &str,
        iterations: u32,
    ) -> Result<Arc<Keys>, ScramError> {
        let name = (hash, password.to_owned(), salt.to_owned(), iterations);
        if let Some(keys) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(keys.clone());
        }
        let salt = BASE64.decode(salt).map_err(|_| ScramError::Malformed)?;
        let salted = hash.salted_password(password, &salt, iterations);
        let client_key = hash.hmac(&salted, b"Client Key");
        let keys = Arc::new(Keys {
            stored_key: hash.hash(&client_key),
            server_key: hash.hmac(&salted, b"Server Key"),
            client_key,
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, keys.clone());
        Ok(keys)
    }
}

/// An exchange after its first message was made.
#[derive(Debug)]
pub(crate) struct Exchange {
    hash: HashFunction,
    nonce: String,
    first_bare: String,
}

/// The last message of the client, and the signature that the server must answer.
#[derive(Debug)]
pub(crate) struct Final {
    pub(crate) message: String,
    signature: String,
}

impl Exchange {
    /// `nonce` must be fresh and printable without commas (RFC 5802 5.1).
    pub(crate) fn new(hash: HashFunction, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, first_bare: format!("n={user},r={nonce}"), nonce }
    }

    /// client-first-message: no channel binding, no authorization identity.
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server-first-message.
    pub(crate) fn answer(
        self,
        server_first: &str,
        password: &str,
        cache: &KeyCache,
    ) -> Result<Final, ScramError> {
        let field = |name: &str| server_first.split(',').find_map(|field| field.strip_prefix(name));
        let nonce = field("r=").ok_or(ScramError::Malformed)?;
        let salt = field("s=").ok_or(ScramError::Malformed)?;
        let iterations: u32 =
            field("i=").and_then(|count| count.parse().ok()).ok_or(ScramError::Malformed)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Nonce);
        }
        if iterations == 0 || iterations > ITERATIONS_MAX {
            return Err(ScramError::Iterations(iterations));
        }
        let keys = cache.keys(self.hash, password, salt, iterations)?;
        let without_proof = format!("c=biws,r={nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_signature = self.hash.hmac(&keys.stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = keys.client_key.iter().zip(&client_signature).map(|(a, b)| a ^ b).collect();
        Ok(Final {
            message: format!("{without_proof},p={}", BASE64.encode(proof)),
            signature: BASE64.encode(self.hash.hmac(&keys.server_key, auth_message.as_bytes())),
        })
    }
}

impl Final {
    /// Checks the server-final-message.
    pub(crate) fn verify(&self, server_final: &str) -> Result<(), ScramError> {
        let signature = server_final.split(',').find_map(|field| field.strip_prefix("v="));
        if signature == Some(self.signature.as_str()) { Ok(()) } else { Err(ScramError::Signature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (hash, client nonce, server-first, client-final, server-final): RFC 5802 5 and RFC 7677 3.
    const VECTORS: [(HashFunction, &str, &str, &str, &str); 2] = [
        (
            HashFunction::Sha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            HashFunction::Sha256,
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ];

    #[test]
    fn the_rfcs_examples() {
        let cache = KeyCache::default();
        for (hash, nonce, server_first, client_final, server_final) in VECTORS {
            for _ in ["stretched", "from the cache"] {
                let exchange = Exchange::new(hash, "user", nonce.to_owned());
                assert_eq!(exchange.first(), format!("n,,n=user,r={nonce}"));
                let answer = exchange.answer(server_first, "pencil", &cache).unwrap();
                assert_eq!(answer.message, client_final);
                assert_eq!(answer.verify(server_final), Ok(()));
                assert_eq!(answer.verify("v=AAAA"), Err(ScramError::Signature));
                assert_eq!(answer.verify("e=other-error"), Err(ScramError::Signature));
            }
        }
    }

    #[test]
    fn a_bad_server_is_refused() {
        let cases = [
            ("r=other,s=QSXC,i=4096", ScramError::Nonce),
            ("r=mine,s=QSXC,i=4096", ScramError::Nonce),
            ("r=mineyours,s=QSXC,i=0", ScramError::Iterations(0)),
            ("r=mineyours,s=QSXC,i=4000000000", ScramError::Iterations(4_000_000_000)),
            ("r=mineyours,s=?,i=1", ScramError::Malformed),
            ("r=mineyours,i=1", ScramError::Malformed),
            ("", ScramError::Malformed),
        ];
        for (server_first, expected) in cases {
            let exchange = Exchange::new(HashFunction::Sha1, "user", "mine".to_owned());
            let result = exchange.answer(server_first, "pencil", &KeyCache::default());
            assert_eq!(result.unwrap_err(), expected, "{server_first}");
        }
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(Exchange::new(HashFunction::Sha1, "a=b,c", "n".to_owned()).first(), "n,,n=a=3Db=2Cc,r=n");
    }
}
