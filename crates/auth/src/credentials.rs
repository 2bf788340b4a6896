//! Who answers for accounts: the store, a directory, another service.

use std::future::Future;
use std::pin::Pin;

use stentor_xmpp::BareJid;

use crate::{Credential, Fault};

/// The answer to a look-up, when it comes.
pub type Lookup = Pin<Box<dyn Future<Output = Result<Option<Credential>, Fault>> + Send>>;

/// Looks up what accounts authenticate with. The answer goes to [`Exchange::credentials`] as it is.
///
/// [`Exchange::credentials`]: crate::Exchange::credentials
pub trait Credentials: Send + Sync {
    /// The credential of an account. `None`: there is no such account; the exchange goes on as if there were.
    ///
    /// The future holds what it needs itself, so that it can outlive the borrow of `self`. Its error is a fault of
    /// ours, never an account that does not exist.
    fn credential(&self, account: &BareJid) -> Lookup;
}
