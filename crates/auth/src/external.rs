//! EXTERNAL by the client's certificate (RFC 4422 appendix A, XEP-0178 1.2).

use stentor_xmpp::BareJid;

use crate::exchange::{State, Step};
use crate::{Found, SaslFailure};

/// Before the client's message.
pub(crate) struct Start {
    /// Whom the certificate names at this host.
    pub(crate) identities: Vec<BareJid>,
}

impl Start {
    /// The message is the authorization identity, or empty.
    pub(crate) fn message(self, message: &[u8]) -> Result<(State, Step), SaslFailure> {
        let identity = match (message, self.identities.as_slice()) {
            ([], [only]) => only.clone(),
            // XEP-0178 2: with several addresses the client must say which.
            ([], _) => return Err(SaslFailure::InvalidAuthzid),
            (authzid, identities) => std::str::from_utf8(authzid)
                .ok()
                .and_then(|authzid| BareJid::parse(authzid).ok())
                .filter(|authzid| identities.contains(authzid))
                .ok_or(SaslFailure::InvalidAuthzid)?,
        };
        Ok((State::ExternalLookUp(identity.clone()), Step::NeedCredentials { identity }))
    }
}

/// The certificate has proved who it is; that leaves whether there is such an account.
pub(crate) fn credentials(identity: BareJid, found: Found) -> Result<(State, Step), SaslFailure> {
    match found {
        Found::Account(_) => Ok((State::Done, Step::Success { identity, data: None })),
        Found::Nobody(_) => Err(SaslFailure::NotAuthorized),
    }
}
