//! What is stored of a password: SCRAM's salted keys (RFC 5802 3) for each hash, never the password nor
//! SaltedPassword, so that a copy of the store logs nobody in.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use stentor_xmpp::{BareJid, PasswordError, prepare_password};
use zeroize::Zeroizing;

use crate::hash::{Hash, Key};
use crate::limits::{
    CREDENTIAL_BYTES_MAX, ITERATIONS_DEFAULT, ITERATIONS_MAX, ITERATIONS_MIN, SALT_BYTES, SALT_BYTES_MAX,
};

/// The version that is written.
const VERSION: u32 = 1;

/// How often PBKDF2 iterates: at least [`ITERATIONS_MIN`], at most [`ITERATIONS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Iterations(u32);

impl Iterations {
    /// `None` if the count is out of bounds.
    pub fn new(count: u32) -> Option<Self> {
        (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&count).then_some(Self(count))
    }

    /// The count.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for Iterations {
    fn default() -> Self {
        Self(ITERATIONS_DEFAULT)
    }
}

/// Fresh salts for a new credential, one for each hash.
#[derive(Clone, Copy)]
pub struct Salts([[u8; SALT_BYTES]; 3]);

impl Salts {
    /// From bytes of the system's random number generator.
    pub fn from_random(random: [[u8; SALT_BYTES]; 3]) -> Self {
        Self(random)
    }
}

/// The keys of one account.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    sha_1: Option<ScramKeys>,
    sha_256: Option<ScramKeys>,
    sha_512: Option<ScramKeys>,
}

/// SCRAM's keys for one hash.
#[derive(Clone)]
pub(crate) struct ScramKeys {
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: Iterations,
    pub(crate) stored_key: Key,
    pub(crate) server_key: Key,
}

impl Credential {
    /// The keys for a password. **Blocking work** of some 10 milliseconds (three times PBKDF2): never on an
    /// arbiter.
    ///
    /// # Errors
    /// The password is empty, too long, or has characters that OpaqueString (RFC 8265 4.2) refuses.
    pub fn derive(password: &str, salts: &Salts, iterations: Iterations) -> Result<Self, PasswordError> {
        let password = Zeroizing::new(prepare_password(password)?.into_owned());
        let [sha_1, sha_256, sha_512] = salts.0;
        let keys = |hash, salt: [u8; SALT_BYTES]| {
            Some(ScramKeys::derive(hash, password.as_bytes(), salt.to_vec(), iterations))
        };
        Ok(Self {
            sha_1: keys(Hash::Sha1, sha_1),
            sha_256: keys(Hash::Sha256, sha_256),
            sha_512: keys(Hash::Sha512, sha_512),
        })
    }

    /// As large as any, of no password.
    pub(crate) fn zeros() -> Self {
        let keys = |hash: Hash| {
            let key = || Key::new(vec![0; hash.output_bytes()]);
            Some(ScramKeys {
                salt: vec![0; SALT_BYTES],
                iterations: Iterations::default(),
                stored_key: key(),
                server_key: key(),
            })
        };
        Self { sha_1: keys(Hash::Sha1), sha_256: keys(Hash::Sha256), sha_512: keys(Hash::Sha512) }
    }

    /// Reads what [`Credential::to_json`] wrote.
    ///
    /// # Errors
    /// What is wrong with it. It is treated as a fault of the store.
    pub fn from_json(json: &str) -> Result<Self, CredentialError> {
        if json.len() > CREDENTIAL_BYTES_MAX {
            return Err(CredentialError::TooLong);
        }
        let AtRest { v, sha_1, sha_256, sha_512 } = serde_json::from_str(json)?;
        if v != VERSION {
            return Err(CredentialError::Version(v));
        }
        let read = |hash, keys: Option<KeysAtRest>| keys.map(|keys| keys.read(hash)).transpose();
        Ok(Self {
            sha_1: read(Hash::Sha1, sha_1)?,
            sha_256: read(Hash::Sha256, sha_256)?,
            sha_512: read(Hash::Sha512, sha_512)?,
        })
    }

    /// As it is kept at rest: `{"v":1,"SHA-1":{"salt":"..","iterations":10000,"stored_key":"..",..},..}`.
    pub fn to_json(&self) -> String {
        let write = |keys: &Option<ScramKeys>| keys.as_ref().map(KeysAtRest::write);
        let at_rest = AtRest {
            v: VERSION,
            sha_1: write(&self.sha_1),
            sha_256: write(&self.sha_256),
            sha_512: write(&self.sha_512),
        };
        serde_json::to_string(&at_rest).expect("strings and numbers alone, with names for keys")
    }

    /// Whether it has keys for a hash. An account without them fails SCRAM with that hash as an unknown one does.
    pub fn has(&self, hash: Hash) -> bool {
        self.keys(hash).is_some()
    }

    pub(crate) fn keys(&self, hash: Hash) -> Option<&ScramKeys> {
        match hash {
            Hash::Sha1 => self.sha_1.as_ref(),
            Hash::Sha256 => self.sha_256.as_ref(),
            Hash::Sha512 => self.sha_512.as_ref(),
        }
    }
}

impl ScramKeys {
    pub(crate) fn derive(hash: Hash, password: &[u8], salt: Vec<u8>, iterations: Iterations) -> Self {
        let salted = hash.salted_password(password, &salt, iterations.get());
        let client_key = hash.hmac(salted.as_bytes(), &[b"Client Key"]);
        Self {
            salt,
            iterations,
            stored_key: hash.digest(client_key.as_bytes()),
            server_key: hash.hmac(salted.as_bytes(), &[b"Server Key"]),
        }
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations.get()).finish_non_exhaustive()
    }
}

/// A secret of the server, the same on all members: from it an account that does not exist gets a salt that
/// stays the same, so that nobody can tell it from one that does.
#[derive(Clone)]
pub struct ServerSecret(Key);

impl ServerSecret {
    /// From 32 bytes of the system's random number generator, kept for good.
    pub fn new(random: [u8; 32]) -> Self {
        Self(Key::new(random.to_vec()))
    }

    /// Keys for an account that does not exist, or has none for this hash. No proof fits them.
    pub(crate) fn fake_keys(&self, hash: Hash, account: &BareJid, iterations: Iterations) -> ScramKeys {
        // A label per use; neither a hash's name nor a JID has a NUL, so no two inputs run together.
        let derive = |label: &[u8]| {
            let parts = [label, b"\0", hash.name().as_bytes(), b"\0", account.as_str().as_bytes()];
            Hash::Sha512.hmac(self.0.as_bytes(), &parts)
        };
        ScramKeys {
            salt: derive(b"salt").truncated(SALT_BYTES).as_bytes().to_vec(),
            iterations,
            stored_key: derive(b"stored key").truncated(hash.output_bytes()),
            server_key: derive(b"server key").truncated(hash.output_bytes()),
        }
    }
}

impl fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSecret(..)")
    }
}

/// Why a stored credential cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It is longer than any credential.
    #[error("longer than any credential")]
    TooLong,
    /// No JSON, or not of this shape.
    #[error("not the JSON of a credential: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a later version.
    #[error("version {0} is not known")]
    Version(u32),
    /// A key or salt is no base64, or has not the length it must have.
    #[error("{} keys are malformed", .0.name())]
    Keys(Hash),
    /// Iterations out of bounds.
    #[error("{count} iterations of {}", .hash.name())]
    Iterations {
        /// For which hash.
        hash: Hash,
        /// How many.
        count: u32,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AtRest {
    v: u32,
    #[serde(rename = "SHA-1", default, skip_serializing_if = "Option::is_none")]
    sha_1: Option<KeysAtRest>,
    #[serde(rename = "SHA-256", default, skip_serializing_if = "Option::is_none")]
    sha_256: Option<KeysAtRest>,
    #[serde(rename = "SHA-512", default, skip_serializing_if = "Option::is_none")]
    sha_512: Option<KeysAtRest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysAtRest {
    salt: String,
    iterations: u32,
    stored_key: String,
    server_key: String,
}

impl KeysAtRest {
    fn write(keys: &ScramKeys) -> Self {
        Self {
            salt: STANDARD.encode(&keys.salt),
            iterations: keys.iterations.get(),
            stored_key: STANDARD.encode(keys.stored_key.as_bytes()),
            server_key: STANDARD.encode(keys.server_key.as_bytes()),
        }
    }

    fn read(self, hash: Hash) -> Result<ScramKeys, CredentialError> {
        let count = self.iterations;
        let iterations = Iterations::new(count).ok_or(CredentialError::Iterations { hash, count })?;
        let decode = |text: &str, lengths: std::ops::RangeInclusive<usize>| match STANDARD.decode(text) {
            Ok(bytes) if lengths.contains(&bytes.len()) => Ok(bytes),
            _ => Err(CredentialError::Keys(hash)),
        };
        let key = hash.output_bytes()..=hash.output_bytes();
        Ok(ScramKeys {
            salt: decode(&self.salt, 1..=SALT_BYTES_MAX)?,
            iterations,
            stored_key: Key::new(decode(&self.stored_key, key.clone())?),
            server_key: Key::new(decode(&self.server_key, key)?),
        })
    }
}
