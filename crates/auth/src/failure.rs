//! SASL failures (RFC 6120 6.5) and how they are written.

use std::fmt;

/// The namespace of SASL in XMPP (RFC 6120 6.4).
pub const NS_SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

/// Why an authentication failed: all conditions of RFC 6120 6.5. After any of them the exchange is over; the
/// stream is not, and another may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.name())]
pub enum SaslFailure {
    /// 6.5.1: the initiating entity sent `<abort/>`.
    Aborted,
    /// 6.5.2: the account is disabled for now.
    AccountDisabled,
    /// 6.5.3: the credentials have expired.
    CredentialsExpired,
    /// 6.5.4: the mechanism cannot be used before TLS.
    EncryptionRequired,
    /// 6.5.5: the base64 is wrong.
    IncorrectEncoding,
    /// 6.5.6: the authorization identity is malformed, or is not the identity that was authenticated.
    InvalidAuthzid,
    /// 6.5.7: no mechanism was named, or one that was not offered.
    InvalidMechanism,
    /// 6.5.8: the data breaks the mechanism's syntax, or comes out of order.
    MalformedRequest,
    /// 6.5.9: the mechanism is weaker than policy permits for the entity.
    MechanismTooWeak,
    /// 6.5.10: wrong credentials, or a reason that is not told.
    NotAuthorized,
    /// 6.5.11: a fault of ours that may pass.
    TemporaryAuthFailure,
}

impl SaslFailure {
    /// All of them, in the order of RFC 6120 6.5.
    pub const ALL: [Self; 11] = [
        Self::Aborted,
        Self::AccountDisabled,
        Self::CredentialsExpired,
        Self::EncryptionRequired,
        Self::IncorrectEncoding,
        Self::InvalidAuthzid,
        Self::InvalidMechanism,
        Self::MalformedRequest,
        Self::MechanismTooWeak,
        Self::NotAuthorized,
        Self::TemporaryAuthFailure,
    ];

    /// The name of its element.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::AccountDisabled => "account-disabled",
            Self::CredentialsExpired => "credentials-expired",
            Self::EncryptionRequired => "encryption-required",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::MechanismTooWeak => "mechanism-too-weak",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }

    /// Appends the `<failure/>` element of RFC 6120 6.4.5.
    pub fn write_to(self, out: &mut String) {
        for part in ["<failure xmlns='", NS_SASL, "'><", self.name(), "/></failure>"] {
            out.push_str(part);
        }
    }
}

/// Why credentials could not be looked up: the store, or whatever answers for it, is at fault. It is logged, and
/// answered `temporary-auth-failure`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("credentials could not be looked up: {reason}")]
pub struct Fault {
    reason: String,
}

impl Fault {
    /// A fault with its reason, for the log.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_written_with_its_condition() {
        let mut out = String::new();
        SaslFailure::NotAuthorized.write_to(&mut out);
        assert_eq!(out, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
    }

    #[test]
    fn each_failure_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = SaslFailure::ALL.iter().map(|f| f.name()).collect();
        assert_eq!(names.len(), SaslFailure::ALL.len());
    }
}
