//! The messages of a SCRAM client (RFC 5802 7), read strictly: attributes in their order, none twice, no mandatory
//! extension.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::SaslFailure;

/// `gs2-cbind-flag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingFlag<'a> {
    /// `n`: the client does not support channel binding.
    Unsupported,
    /// `y`: it does, but thinks that the server does not.
    NotOffered,
    /// `p=`: it binds to a channel of this type.
    Used(&'a str),
}

/// `client-first-message`.
#[derive(Debug)]
pub(crate) struct ClientFirst<'a> {
    /// `gs2-header`, with both commas.
    pub(crate) gs2_header: &'a str,
    pub(crate) flag: BindingFlag<'a>,
    pub(crate) authzid: Option<String>,
    /// `client-first-message-bare`.
    pub(crate) bare: &'a str,
    pub(crate) username: String,
    pub(crate) nonce: &'a str,
}

/// `client-final-message`.
#[derive(Debug)]
pub(crate) struct ClientFinal<'a> {
    /// `client-final-message-without-proof`.
    pub(crate) without_proof: &'a str,
    /// `cbind-input`, decoded.
    pub(crate) channel_binding: Vec<u8>,
    pub(crate) nonce: &'a str,
    pub(crate) proof: Vec<u8>,
}

const MALFORMED: SaslFailure = SaslFailure::MalformedRequest;

impl<'a> ClientFirst<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, SaslFailure> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(MALFORMED)?;
        let flag = match flag {
            "n" => BindingFlag::Unsupported,
            "y" => BindingFlag::NotOffered,
            _ => BindingFlag::Used(flag.strip_prefix("p=").filter(|name| is_cb_name(name)).ok_or(MALFORMED)?),
        };
        let (authzid, bare) = rest.split_once(',').ok_or(MALFORMED)?;
        let authzid = match authzid {
            "" => None,
            _ => Some(sasl_name(authzid.strip_prefix("a=").ok_or(MALFORMED)?)?),
        };
        let gs2_header = message.strip_suffix(bare).ok_or(MALFORMED)?;

        let mut attributes = bare.split(',');
        let username = match attributes.next().ok_or(MALFORMED)? {
            // RFC 5802 5.1: a mandatory extension that is not understood fails the authentication.
            first if first.starts_with("m=") => return Err(SaslFailure::NotAuthorized),
            first => sasl_name(first.strip_prefix("n=").ok_or(MALFORMED)?)?,
        };
        let nonce = nonce(attributes.next())?;
        extensions(attributes)?;
        Ok(Self { gs2_header, flag, authzid, bare, username, nonce })
    }
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, SaslFailure> {
        let message = text(message)?;
        // The proof is base64, so the last comma stands before it.
        let (without_proof, proof) = message.rsplit_once(',').ok_or(MALFORMED)?;
        let proof = base64(proof.strip_prefix("p=").ok_or(MALFORMED)?)?;
        let mut attributes = without_proof.split(',');
        let channel_binding = attributes.next().and_then(|c| c.strip_prefix("c=")).ok_or(MALFORMED)?;
        let channel_binding = base64(channel_binding)?;
        let nonce = nonce(attributes.next())?;
        extensions(attributes)?;
        Ok(Self { without_proof, channel_binding, nonce, proof })
    }
}

/// Whether all of it is `printable`, as a nonce must be.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21..=0x2b | 0x2d..=0x7e))
}

fn text(message: &[u8]) -> Result<&str, SaslFailure> {
    std::str::from_utf8(message).ok().filter(|text| !text.contains('\0')).ok_or(MALFORMED)
}

fn is_cb_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

fn base64(text: &str) -> Result<Vec<u8>, SaslFailure> {
    STANDARD.decode(text).map_err(|_| MALFORMED)
}

fn nonce(attribute: Option<&str>) -> Result<&str, SaslFailure> {
    attribute.and_then(|r| r.strip_prefix("r=")).filter(|nonce| is_printable(nonce)).ok_or(MALFORMED)
}

/// `saslname`, decoded: `=2C` is a comma, `=3D` an equals sign, and no other `=` may stand there.
fn sasl_name(name: &str) -> Result<String, SaslFailure> {
    let mut parts = name.split('=');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(MALFORMED),
        };
        decoded.push(character);
        decoded.push_str(rest);
    }
    if decoded.is_empty() { Err(MALFORMED) } else { Ok(decoded) }
}

/// Optional extensions, which are ignored (RFC 5802 5.1): `attr-val`s with names that SCRAM does not use itself, and
/// each but once.
fn extensions<'a>(attributes: impl Iterator<Item = &'a str>) -> Result<(), SaslFailure> {
    let mut seen = Vec::new();
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').ok_or(MALFORMED)?;
        let is_letter = matches!(name.as_bytes(), [letter] if letter.is_ascii_alphabetic());
        if name == "m" {
            return Err(SaslFailure::NotAuthorized);
        }
        if !is_letter || value.is_empty() || "anrcsipve".contains(name) || seen.contains(&name) {
            return Err(MALFORMED);
        }
        seen.push(name);
    }
    Ok(())
}
