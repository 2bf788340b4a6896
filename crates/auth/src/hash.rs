//! The hash functions of SCRAM, and keys that show nothing and are cleared when dropped.

use std::fmt;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A hash function that SCRAM is used with (RFC 5802, RFC 7677).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Hash {
    /// Its name in the IANA registry of hash function textual names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Bytes of its output.
    pub fn output_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// `H(data)`.
    pub(crate) fn digest(self, data: &[u8]) -> Key {
        match self {
            Self::Sha1 => Key::new(Sha1::digest(data).to_vec()),
            Self::Sha256 => Key::new(Sha256::digest(data).to_vec()),
            Self::Sha512 => Key::new(Sha512::digest(data).to_vec()),
        }
    }

    /// `HMAC(key, data)`, with `data` given in parts.
    pub(crate) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Key {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, parts),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, parts),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, parts),
        }
    }

    /// `Hi(password, salt, iterations)`: PBKDF2 with one block of output. Blocking work of milliseconds.
    pub(crate) fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Key {
        let mut out = Zeroizing::new(vec![0; self.output_bytes()]);
        match self {
            Self::Sha1 => pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, iterations, &mut out),
            Self::Sha256 => pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, iterations, &mut out),
            Self::Sha512 => pbkdf2::pbkdf2::<Hmac<Sha512>>(password, salt, iterations, &mut out),
        }
        .expect("HMAC takes a key of any length");
        Key(out)
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    Key::new(mac.finalize().into_bytes().to_vec())
}

/// A secret of a few bytes: compared in constant time, shown by nothing, cleared when dropped.
#[derive(Clone)]
pub(crate) struct Key(Zeroizing<Vec<u8>>);

impl Key {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `other` is the same, in a time that depends on the lengths alone.
    pub(crate) fn is(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }

    /// The bitwise exclusive or with `other`, as long as the shorter of the two.
    pub(crate) fn xor(&self, other: &[u8]) -> Self {
        Self::new(self.0.iter().zip(other).map(|(a, b)| a ^ b).collect())
    }

    pub(crate) fn truncated(mut self, bytes: usize) -> Self {
        self.0.truncate(bytes);
        self
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
