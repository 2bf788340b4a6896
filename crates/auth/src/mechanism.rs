//! The mechanisms.

use crate::Hash;

/// What an operator names as a mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// [`Mechanism::External`].
    External,
    /// [`Mechanism::Scram`] with this hash function, with and without channel binding.
    Scram(Hash),
    /// [`Mechanism::Plain`], which shows the password to the server and to whoever is between.
    Plain,
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4422 appendix A, by the client's certificate (XEP-0178).
    External,
    /// RFC 5802, RFC 7677.
    Scram {
        /// The hash function.
        hash: Hash,
        /// Whether it is the variant with channel binding, `-PLUS`.
        is_plus: bool,
    },
    /// RFC 4616, inside TLS alone.
    Plain,
}

impl Mechanism {
    const ALL: [Self; 8] = [
        Self::External,
        Self::Scram { hash: Hash::Sha512, is_plus: true },
        Self::Scram { hash: Hash::Sha256, is_plus: true },
        Self::Scram { hash: Hash::Sha1, is_plus: true },
        Self::Scram { hash: Hash::Sha512, is_plus: false },
        Self::Scram { hash: Hash::Sha256, is_plus: false },
        Self::Scram { hash: Hash::Sha1, is_plus: false },
        Self::Plain,
    ];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::Scram { hash: Hash::Sha1, is_plus: false } => "SCRAM-SHA-1",
            Self::Scram { hash: Hash::Sha1, is_plus: true } => "SCRAM-SHA-1-PLUS",
            Self::Scram { hash: Hash::Sha256, is_plus: false } => "SCRAM-SHA-256",
            Self::Scram { hash: Hash::Sha256, is_plus: true } => "SCRAM-SHA-256-PLUS",
            Self::Scram { hash: Hash::Sha512, is_plus: false } => "SCRAM-SHA-512",
            Self::Scram { hash: Hash::Sha512, is_plus: true } => "SCRAM-SHA-512-PLUS",
            Self::Plain => "PLAIN",
        }
    }

    /// The mechanism of that name, which is case-sensitive (RFC 4422 3.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}
