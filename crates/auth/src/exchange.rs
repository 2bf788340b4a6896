//! One authentication, from `<auth/>` to `<success/>` or `<failure/>`, as a state machine: messages and look-ups go
//! in, the next step comes out.

use std::{fmt, mem};

use stentor_xmpp::BareJid;

use crate::limits::MESSAGE_BYTES_MAX;
use crate::{
    Fault, Found, Mechanism, Offer, PlainCheck, PlainVerdict, SaslFailure, ServerNonce, ServerSecret,
    external, plain, scram,
};

/// What to do next. Debug output leaves out what is sent.
pub enum Step {
    /// Send it in a `<challenge/>`; the answer goes to [`Exchange::response`].
    Challenge(Vec<u8>),
    /// Look up the credential of an account; what is found goes to [`Exchange::credentials`]. Read nothing from the
    /// client in the meantime.
    NeedCredentials {
        /// The account.
        identity: BareJid,
    },
    /// Run it on a thread for blocking work; the verdict goes to [`Exchange::verified`]. Read nothing from the client
    /// in the meantime.
    Verify(PlainCheck),
    /// The client is who it says. Over.
    Success {
        /// Who it is, and whom it acts as.
        identity: BareJid,
        /// Additional data for `<success/>`.
        data: Option<Vec<u8>>,
    },
    /// Over.
    Failure(SaslFailure),
}

/// One authentication. Whatever is called out of turn fails it, and nothing succeeds after that. Another `<auth/>`
/// before its end begins another one, and this is dropped (RFC 6120 6.4.2). Debug output names
/// the mechanism alone.
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

/// What an exchange waits for.
pub(crate) enum State {
    /// The client's first message.
    Scram(Box<scram::Start>),
    Plain(plain::Start),
    External(external::Start),
    /// The account's credential.
    ScramLookUp(Box<scram::LookUp>),
    PlainLookUp(plain::LookUp),
    ExternalLookUp(BareJid),
    /// The client's final message.
    ScramChallenged(Box<scram::Challenged>),
    /// The verdict on a password.
    PlainCheck(BareJid),
    /// Nothing.
    Done,
}

impl Exchange {
    /// Begins with the mechanism that `<auth/>` names. `nonce` is fresh; `secret` is the server's.
    ///
    /// # Errors
    /// The mechanism is not offered: `encryption-required` before TLS, else `invalid-mechanism`.
    pub fn start(
        offer: &Offer,
        mechanism: &str,
        nonce: ServerNonce,
        secret: &ServerSecret,
    ) -> Result<Self, SaslFailure> {
        let mechanism = offer.mechanism(mechanism)?;
        let secret = secret.clone();
        let state = match mechanism {
            Mechanism::Scram { hash, is_plus } => {
                State::Scram(Box::new(scram::Start { hash, is_plus, offer: offer.clone(), nonce, secret }))
            }
            Mechanism::Plain => State::Plain(plain::Start {
                domain: offer.domain.clone(),
                iterations: offer.iterations,
                secret,
            }),
            Mechanism::External => State::External(external::Start { identities: offer.identities.clone() }),
        };
        Ok(Self { mechanism, state })
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What `<auth/>` carries. Without it the client, which in all these mechanisms speaks first, is asked for it by
    /// an empty challenge (RFC 4422 3.3).
    pub fn initial(&mut self, response: Option<&[u8]>) -> Step {
        match (response, &self.state) {
            (Some(response), _) => self.response(response),
            (None, State::Scram(_) | State::Plain(_) | State::External(_)) => Step::Challenge(Vec::new()),
            (None, _) => self.fail(SaslFailure::MalformedRequest),
        }
    }

    /// What `<response/>` carries.
    pub fn response(&mut self, message: &[u8]) -> Step {
        if message.len() > MESSAGE_BYTES_MAX {
            return self.fail(SaslFailure::MalformedRequest);
        }
        let next = match mem::replace(&mut self.state, State::Done) {
            State::Scram(start) => start.client_first(message),
            State::ScramChallenged(challenged) => challenged.client_final(message),
            State::Plain(start) => start.message(message),
            State::External(start) => start.message(message),
            _ => Err(SaslFailure::MalformedRequest),
        };
        self.advance(next)
    }

    /// What the look-up found. With an account that does not exist the exchange goes on as with any other until it
    /// fails.
    pub fn credentials(&mut self, found: Result<Found, Fault>) -> Step {
        let Ok(found) = found else { return self.fail(SaslFailure::TemporaryAuthFailure) };
        let next = match mem::replace(&mut self.state, State::Done) {
            State::ScramLookUp(look_up) => Ok(look_up.credentials(found)),
            State::PlainLookUp(look_up) => Ok(look_up.credentials(found)),
            State::ExternalLookUp(identity) => external::credentials(identity, found),
            _ => Err(SaslFailure::TemporaryAuthFailure),
        };
        self.advance(next)
    }

    /// The verdict on the password that this exchange had verified.
    pub fn verified(&mut self, verdict: PlainVerdict) -> Step {
        let next = match mem::replace(&mut self.state, State::Done) {
            State::PlainCheck(identity) => plain::verified(identity, verdict),
            _ => Err(SaslFailure::TemporaryAuthFailure),
        };
        self.advance(next)
    }

    #[cfg(test)]
    pub(crate) fn into_state(self) -> State {
        self.state
    }

    fn advance(&mut self, next: Result<(State, Step), SaslFailure>) -> Step {
        match next {
            Ok((state, step)) => {
                self.state = state;
                step
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn fail(&mut self, failure: SaslFailure) -> Step {
        self.state = State::Done;
        Step::Failure(failure)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge(_) => f.write_str("Challenge(..)"),
            Self::NeedCredentials { identity } => {
                f.debug_struct("NeedCredentials").field("identity", identity).finish()
            }
            Self::Verify(_) => f.write_str("Verify(..)"),
            Self::Success { identity, .. } => {
                f.debug_struct("Success").field("identity", identity).finish_non_exhaustive()
            }
            Self::Failure(failure) => f.debug_tuple("Failure").field(failure).finish(),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// The account that a simple user name (RFC 6120 6.3.7) means at a domain. An authorization identity must be its bare
/// JID (6.3.8).
pub(crate) fn identity(username: &str, authzid: Option<&str>, domain: &str) -> Result<BareJid, SaslFailure> {
    let identity = BareJid::new(Some(username), domain).map_err(|_| SaslFailure::NotAuthorized)?;
    match authzid.map(BareJid::parse) {
        None => Ok(identity),
        Some(Ok(authzid)) if authzid == identity => Ok(identity),
        Some(_) => Err(SaslFailure::InvalidAuthzid),
    }
}
