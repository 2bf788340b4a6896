//! SCRAM as the server sees it (RFC 5802, RFC 7677), with XEP-0474 0.5.0. The `-PLUS` variants bind to the types of
//! [`ChannelBindingType`]. A failure sends no `server-final-message` (RFC 5802 5.1, attribute `e`).

mod message;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use stentor_xmpp::BareJid;

use crate::channel_binding::{ChannelBindingType, offer_hash};
use crate::credential::ScramKeys;
use crate::exchange::{State, Step, identity};
use crate::hash::Key;
use crate::limits::NONCE_RANDOM_BYTES;
use crate::{Found, Hash, Offer, SaslFailure, ServerSecret};
use message::{BindingFlag, ClientFinal, ClientFirst};

/// The server's part of a nonce, used for one exchange.
#[derive(Debug)]
pub struct ServerNonce(String);

impl ServerNonce {
    /// From bytes of the system's random number generator.
    pub fn from_random(random: [u8; NONCE_RANDOM_BYTES]) -> Self {
        Self(STANDARD_NO_PAD.encode(random))
    }

    /// A nonce as text. `None` if it is not `printable` (RFC 5802 7).
    #[cfg(test)]
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        message::is_printable(text).then(|| Self(text.to_owned()))
    }
}

/// Before the client's first message.
pub(crate) struct Start {
    pub(crate) hash: Hash,
    pub(crate) is_plus: bool,
    pub(crate) offer: Offer,
    pub(crate) nonce: ServerNonce,
    pub(crate) secret: ServerSecret,
}

/// While the keys are looked up.
pub(crate) struct LookUp {
    start: Start,
    identity: BareJid,
    /// `gs2-header` and the channel's data: what `c=` must carry.
    binding_input: Key,
    client_first_bare: String,
    /// Both parts.
    nonce: String,
}

/// Before the client's final message.
pub(crate) struct Challenged {
    hash: Hash,
    identity: BareJid,
    binding_input: Key,
    nonce: String,
    /// `AuthMessage` up to the comma before the client's final message.
    messages: String,
    keys: ScramKeys,
    is_known: bool,
}

impl Start {
    pub(crate) fn client_first(self, message: &[u8]) -> Result<(State, Step), SaslFailure> {
        let first = ClientFirst::parse(message)?;
        let binding = self.binding(first.flag)?;
        let identity = identity(&first.username, first.authzid.as_deref(), &self.offer.domain)?;
        let mut binding_input = first.gs2_header.as_bytes().to_vec();
        binding_input.extend_from_slice(binding);
        let look_up = LookUp {
            binding_input: Key::new(binding_input),
            client_first_bare: first.bare.to_owned(),
            nonce: format!("{}{}", first.nonce, self.nonce.0),
            identity: identity.clone(),
            start: self,
        };
        Ok((State::ScramLookUp(Box::new(look_up)), Step::NeedCredentials { identity }))
    }

    /// The data of the channel to bind to, empty without channel binding (RFC 5802 6).
    fn binding(&self, flag: BindingFlag<'_>) -> Result<&[u8], SaslFailure> {
        match flag {
            // The client supports channel binding and saw none: somebody took it out of what we offered.
            BindingFlag::NotOffered if self.offer.offers_plus() => Err(SaslFailure::NotAuthorized),
            BindingFlag::NotOffered | BindingFlag::Unsupported if !self.is_plus => Ok(&[]),
            BindingFlag::Used(name) if self.is_plus => ChannelBindingType::ALL
                .into_iter()
                .find(|kind| kind.name() == name)
                .and_then(|kind| self.offer.bindings.data(kind))
                .ok_or(SaslFailure::NotAuthorized),
            // The flag is not one of the mechanism that was chosen (RFC 5801 5).
            _ => Err(SaslFailure::MalformedRequest),
        }
    }
}

impl LookUp {
    pub(crate) fn credentials(self, found: Found) -> (State, Step) {
        let Start { hash, offer, secret, .. } = self.start;
        let fake = secret.fake_keys(hash, &self.identity, offer.iterations);
        let (credential, exists) = found.into_parts();
        // Either way one of two is copied, and both are dropped.
        let real = credential.keys(hash).filter(|_| exists);
        let is_known = real.is_some();
        let keys = real.unwrap_or(&fake).clone();
        let salt = STANDARD.encode(&keys.salt);
        let mut server_first = format!("r={},s={salt},i={}", self.nonce, keys.iterations.get());
        if offer.downgrade_protection {
            server_first.push_str(",h=");
            server_first.push_str(&STANDARD.encode(hash_of(&offer, hash).as_bytes()));
        }
        let challenged = Challenged {
            hash,
            identity: self.identity,
            binding_input: self.binding_input,
            nonce: self.nonce,
            messages: format!("{},{server_first},", self.client_first_bare),
            keys,
            is_known,
        };
        (State::ScramChallenged(Box::new(challenged)), Step::Challenge(server_first.into_bytes()))
    }
}

fn hash_of(offer: &Offer, hash: Hash) -> Key {
    let mechanisms: Vec<_> = offer.mechanisms().iter().map(|mechanism| mechanism.name()).collect();
    let bindings: Vec<_> = offer.channel_bindings().into_iter().map(ChannelBindingType::name).collect();
    offer_hash(hash, &mechanisms, &bindings)
}

impl Challenged {
    pub(crate) fn client_final(self, message: &[u8]) -> Result<(State, Step), SaslFailure> {
        let last = ClientFinal::parse(message)?;
        let auth_message: [&[u8]; 2] = [self.messages.as_bytes(), last.without_proof.as_bytes()];
        let signature = self.hash.hmac(self.keys.stored_key.as_bytes(), &auth_message);
        let client_key = signature.xor(&last.proof);
        let is_proof = self.keys.stored_key.is(self.hash.digest(client_key.as_bytes()).as_bytes())
            && last.proof.len() == self.hash.output_bytes();
        let is_binding = self.binding_input.is(&last.channel_binding);
        let is_nonce = Key::new(self.nonce.into_bytes()).is(last.nonce.as_bytes());
        if !(is_proof & is_binding & is_nonce & self.is_known) {
            return Err(SaslFailure::NotAuthorized);
        }
        let signature = self.hash.hmac(self.keys.server_key.as_bytes(), &auth_message);
        let data = format!("v={}", STANDARD.encode(signature.as_bytes())).into_bytes();
        Ok((State::Done, Step::Success { identity: self.identity, data: Some(data) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{challenge, client_final, pencil, start, tls};

    /// Even if the keys made up for an account that does not exist were those of the password.
    #[test]
    fn an_unknown_account_fails_whatever_its_keys() {
        let check = |is_known| {
            let client_first = "n,,n=user,r=abc";
            let mut exchange = start(&tls(Default::default()), "SCRAM-SHA-1", "srv");
            exchange.response(client_first.as_bytes());
            let server_first = challenge(exchange.credentials(Ok(Found::Account(pencil()))));
            let last = client_final(Hash::Sha1, "pencil", client_first, &server_first, b"");
            let State::ScramChallenged(mut challenged) = exchange.into_state() else { panic!() };
            challenged.is_known = is_known;
            challenged.client_final(last.as_bytes()).is_ok()
        };
        assert!(check(true));
        assert!(!check(false));
    }
}
