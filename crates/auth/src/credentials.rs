//! Who answers for accounts: the store, a directory, another service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use stentor_xmpp::BareJid;

use crate::{Credential, Fault};

/// The answer to a look-up, when it comes.
pub type Lookup = Pin<Box<dyn Future<Output = Result<Found, Fault>> + Send>>;

/// What a look-up found. Both are made with the same work, and the exchange goes on with both in the same way, so that
/// an account that does not exist is not told by time, either.
#[derive(Clone)]
pub enum Found {
    /// The account's credential.
    Account(Credential),
    /// There is no such account.
    Nobody(Decoy),
}

/// Stands for the credential of an account that does not exist. It proves nothing.
#[derive(Clone)]
pub struct Decoy(Credential);

/// What a decoy is read from: as long as a credential.
static DECOY: LazyLock<String> = LazyLock::new(|| Credential::zeros().to_json());

impl Found {
    /// No account: what [`Credential::from_json`] costs is done here, too.
    pub fn nobody() -> Self {
        Self::Nobody(Decoy(Credential::from_json(&DECOY).expect("it was written here")))
    }

    /// The credential, if there is such an account.
    pub fn into_account(self) -> Option<Credential> {
        match self {
            Self::Account(credential) => Some(credential),
            Self::Nobody(_) => None,
        }
    }

    /// The credential or what stands for it, and whether it is one.
    pub(crate) fn into_parts(self) -> (Credential, bool) {
        match self {
            Self::Account(credential) => (credential, true),
            Self::Nobody(Decoy(credential)) => (credential, false),
        }
    }
}

impl From<Option<Credential>> for Found {
    fn from(found: Option<Credential>) -> Self {
        found.map_or_else(Self::nobody, Self::Account)
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account(_) => "Account(..)",
            Self::Nobody(_) => "Nobody",
        })
    }
}

/// Looks up what accounts authenticate with. The answer goes to [`Exchange::credentials`] as it is.
///
/// [`Exchange::credentials`]: crate::Exchange::credentials
pub trait Credentials: Send + Sync {
    /// The credential of an account. [`Found::Nobody`]: there is no such account; the exchange goes on as if there
    /// were.
    ///
    /// The future holds what it needs itself, so that it can outlive the borrow of `self`. Its error is a fault of
    /// ours, never an account that does not exist.
    fn credential(&self, account: &BareJid) -> Lookup;
}
