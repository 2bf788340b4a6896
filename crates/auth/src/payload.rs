//! SASL data as character data of XMPP elements: base64, with `=` for what is empty (RFC 6120 6.4.2, 6.4.6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::SaslFailure;
use crate::limits::{MESSAGE_BYTES_MAX, MESSAGE_TEXT_BYTES_MAX};

/// What `<auth/>` carries: `None` without an initial response, which is not the same as an empty one (`=`).
///
/// # Errors
/// `incorrect-encoding` for anything but canonical base64 without white space (RFC 4648 section 4);
/// `malformed-request` if it is longer than any mechanism needs.
pub fn decode_initial(text: &str) -> Result<Option<Vec<u8>>, SaslFailure> {
    match text {
        "" => Ok(None),
        "=" => Ok(Some(Vec::new())),
        _ if text.len() > MESSAGE_TEXT_BYTES_MAX => Err(SaslFailure::MalformedRequest),
        _ => match STANDARD.decode(text) {
            Ok(data) if data.len() > MESSAGE_BYTES_MAX => Err(SaslFailure::MalformedRequest),
            Ok(data) => Ok(Some(data)),
            Err(_) => Err(SaslFailure::IncorrectEncoding),
        },
    }
}

/// What `<response/>` carries: nothing and `=` are both the empty response.
///
/// # Errors
/// As [`decode_initial`].
pub fn decode_response(text: &str) -> Result<Vec<u8>, SaslFailure> {
    decode_initial(text).map(Option::unwrap_or_default)
}

/// Character data for `<challenge/>`, none for an empty challenge.
pub fn encode_challenge(data: &[u8]) -> String {
    STANDARD.encode(data)
}

/// Character data for the additional data of `<success/>`, which is there even if it is empty. Without additional
/// data `<success/>` is empty.
pub fn encode_success(data: &[u8]) -> String {
    if data.is_empty() { "=".to_owned() } else { STANDARD.encode(data) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_responses() {
        let check = |text: &str, expected: Result<Option<&[u8]>, SaslFailure>| {
            assert_eq!(decode_initial(text), expected.map(|o| o.map(<[u8]>::to_vec)), "{text:?}");
        };
        check("", Ok(None));
        check("=", Ok(Some(b"")));
        check("AA==", Ok(Some(b"\0")));
        check("biws", Ok(Some(b"n,,")));
        check("==", Err(SaslFailure::IncorrectEncoding));
        check("AA", Err(SaslFailure::IncorrectEncoding)); // No padding.
        check("AB==", Err(SaslFailure::IncorrectEncoding)); // Bits beyond the data.
        check("AA==AA==", Err(SaslFailure::IncorrectEncoding));
        check(" biws", Err(SaslFailure::IncorrectEncoding));
        check("bi\nws", Err(SaslFailure::IncorrectEncoding));
        check("bi-_", Err(SaslFailure::IncorrectEncoding)); // The URL-safe alphabet.
        check("\0", Err(SaslFailure::IncorrectEncoding));
        check("\u{e9}", Err(SaslFailure::IncorrectEncoding));
        check(&"A".repeat(1 << 20), Err(SaslFailure::MalformedRequest));
        check(&STANDARD.encode([0; MESSAGE_BYTES_MAX + 1]), Err(SaslFailure::MalformedRequest));
        assert!(decode_initial(&STANDARD.encode([0; MESSAGE_BYTES_MAX])).is_ok());
    }

    #[test]
    fn an_empty_response_is_empty_either_way() {
        assert_eq!(decode_response(""), Ok(Vec::new()));
        assert_eq!(decode_response("="), Ok(Vec::new()));
    }

    #[test]
    fn what_is_sent() {
        assert_eq!(encode_challenge(b""), "");
        assert_eq!(encode_challenge(b"n,,"), "biws");
        assert_eq!(encode_success(b""), "=");
        assert_eq!(encode_success(b"n,,"), "biws");
    }
}
