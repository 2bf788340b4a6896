//! Passwords as RFC 8265 has them compared.

use precis_core::profile::PrecisFastInvocation;
use precis_profiles::OpaqueString;
use zeroize::Zeroizing;

use crate::limits::PASSWORD_BYTES_MAX;

/// Why a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Longer than [`PASSWORD_BYTES_MAX`] bytes.
    #[error("the password is longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    /// Empty, or with characters that OpaqueString refuses (RFC 8265 4.2.2).
    #[error("the password is empty or has characters that are not allowed")]
    NotAllowed,
}

/// The OpaqueString profile of a password (RFC 8265 4.2): other spaces become U+0020, then NFC.
pub(crate) fn prepare_password(password: &str) -> Result<Zeroizing<String>, PasswordError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    // Printable ASCII is its own OpaqueString.
    if !password.is_empty() && password.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return Ok(Zeroizing::new(password.to_owned()));
    }
    match OpaqueString::enforce(password) {
        Ok(prepared) => Ok(Zeroizing::new(prepared.into_owned())),
        Err(_) => Err(PasswordError::NotAllowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        let check = |password: &str, expected: Result<&str, PasswordError>| {
            let prepared = prepare_password(password);
            assert_eq!(prepared.as_ref().map(|p| p.as_str()), expected.as_ref().copied(), "{password:?}");
        };
        // RFC 8265 4.3, table 4.
        check("correct horse battery staple", Ok("correct horse battery staple"));
        check("Correct Horse Battery Staple", Ok("Correct Horse Battery Staple"));
        check("\u{3c0}\u{df}\u{e5}", Ok("\u{3c0}\u{df}\u{e5}"));
        check("Jack of \u{2666}s", Ok("Jack of \u{2666}s"));
        check("foo\u{1680}bar", Ok("foo bar"));
        check("", Err(PasswordError::NotAllowed));
        check("my cat is a \u{9}by", Err(PasswordError::NotAllowed));
        // NFC, and no NFKC.
        check("e\u{301}", Ok("\u{e9}"));
        check("\u{bd}", Ok("\u{bd}"));
        check(&"a".repeat(1_024), Ok(&"a".repeat(1_024)));
        check(&"a".repeat(1_025), Err(PasswordError::TooLong));
    }
}
