//! PLAIN (RFC 4616), as the server sees it: the password is checked against the salted keys, which is work for a
//! thread of its own.

use stentor_xmpp::{BareJid, prepare_password};
use zeroize::Zeroizing;

use crate::credential::ScramKeys;
use crate::exchange::{State, Step, identity};
use crate::{Found, Hash, Iterations, SaslFailure, ServerSecret};

/// The hashes to check with, the first that the account has keys for.
const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha512, Hash::Sha1];

/// Before the client's message.
pub(crate) struct Start {
    pub(crate) domain: String,
    pub(crate) iterations: Iterations,
    pub(crate) secret: ServerSecret,
}

/// While the keys are looked up.
pub(crate) struct LookUp {
    start: Start,
    identity: BareJid,
    password: Zeroizing<String>,
}

impl Start {
    pub(crate) fn message(self, message: &[u8]) -> Result<(State, Step), SaslFailure> {
        let mut parts = message.split(|byte| *byte == 0).map(std::str::from_utf8);
        let (Some(Ok(authzid)), Some(Ok(username)), Some(Ok(password)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SaslFailure::MalformedRequest);
        };
        if username.is_empty() || password.is_empty() {
            return Err(SaslFailure::MalformedRequest);
        }
        let authzid = Some(authzid).filter(|authzid| !authzid.is_empty());
        let identity = identity(username, authzid, &self.domain)?;
        let password = prepare_password(password).map_err(|_| SaslFailure::NotAuthorized)?;
        let password = Zeroizing::new(password.into_owned());
        let look_up = LookUp { identity: identity.clone(), password, start: self };
        Ok((State::PlainLookUp(look_up), Step::NeedCredentials { identity }))
    }
}

impl LookUp {
    pub(crate) fn credentials(self, found: Found) -> (State, Step) {
        let [preferred, ..] = HASHES;
        let fake = self.start.secret.fake_keys(preferred, &self.identity, self.start.iterations);
        let (credential, exists) = found.into_parts();
        let real = HASHES.into_iter().find_map(|hash| Some((hash, credential.keys(hash)?)));
        let real = real.filter(|_| exists);
        let is_known = real.is_some();
        let (hash, keys) = real.unwrap_or((preferred, &fake));
        let check = PlainCheck { password: self.password, hash, keys: keys.clone(), is_known };
        (State::PlainCheck(self.identity), Step::Verify(check))
    }
}

/// A password to be checked. Taking it to the answer is **blocking work** of some milliseconds (PBKDF2), to be done
/// on a thread of its own and never on an arbiter.
pub struct PlainCheck {
    password: Zeroizing<String>,
    hash: Hash,
    keys: ScramKeys,
    is_known: bool,
}

impl PlainCheck {
    /// Does the work. It takes as long for an account that does not exist.
    pub fn run(self) -> PlainVerdict {
        let ScramKeys { salt, iterations, stored_key, .. } = self.keys;
        let derived = ScramKeys::derive(self.hash, self.password.as_bytes(), salt, iterations);
        PlainVerdict { is_right: stored_key.is(derived.stored_key.as_bytes()) & self.is_known }
    }
}

impl std::fmt::Debug for PlainCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainCheck(..)")
    }
}

/// What came of a [`PlainCheck`]: to be given to the exchange that asked for it.
#[derive(Debug)]
pub struct PlainVerdict {
    is_right: bool,
}

pub(crate) fn verified(identity: BareJid, verdict: PlainVerdict) -> Result<(State, Step), SaslFailure> {
    if !verdict.is_right {
        return Err(SaslFailure::NotAuthorized);
    }
    Ok((State::Done, Step::Success { identity, data: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Even if the keys made up for an account that does not exist were those of the password.
    #[test]
    fn an_unknown_account_fails_whatever_its_keys() {
        let keys = ScramKeys::derive(Hash::Sha256, b"pencil", vec![1], Iterations::default());
        let check = |is_known| {
            let password = Zeroizing::new("pencil".to_owned());
            PlainCheck { password, hash: Hash::Sha256, keys: keys.clone(), is_known }.run().is_right
        };
        assert!(check(true));
        assert!(!check(false));
    }
}
