//! Stream headers (RFC 6120 4.7, 4.8).

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stentor_xml::{RawElement, escape_attribute};
use stentor_xmpp::{BareJid, Jid, StreamCondition, StreamError, ns};

use crate::limits::{LANG_BYTES_MAX, STREAM_ID_BYTES};

/// What a client's stream header says.
#[derive(Debug)]
pub(crate) struct Header {
    /// The domainpart that it asks for.
    pub(crate) to: Jid,
    /// Whom it says it is. Believed only if it is who authenticated.
    pub(crate) from: Option<BareJid>,
    /// The language of what it sends (4.7.4).
    pub(crate) lang: Option<Box<str>>,
    /// Whether it speaks XMPP 1.0 or later (4.7.5).
    pub(crate) has_version: bool,
}

impl Header {
    /// Reads a stream's root.
    pub(crate) fn read(root: &RawElement<'_>) -> Result<Self, StreamError> {
        // 4.8.1, 4.8.2
        if root.namespace() != ns::STREAM {
            return Err(StreamCondition::InvalidNamespace.into());
        }
        if root.name() != "stream" {
            return Err(StreamCondition::BadFormat.into());
        }
        // 4.9.3.2: "has sent no namespace prefix on an element that needs such a prefix".
        if root.prefix().is_empty() {
            return Err(StreamCondition::BadNamespacePrefix.into());
        }
        // 4.8.3: servers' streams have a port of their own.
        if root.default_namespace() != ns::CLIENT {
            return Err(StreamCondition::InvalidNamespace.into());
        }
        // 4.7.2 has every client name the host, and no error for those that do not: this one is the nearest.
        let to = root.attribute("to").and_then(|to| Jid::parse(&to).ok());
        let to = to.ok_or_else(|| {
            StreamError::new(StreamCondition::ImproperAddressing)
                .with_text("The 'to' of a stream header must be a domain.")
        })?;
        Ok(Self {
            to,
            from: root.attribute("from").and_then(|from| Jid::parse(&from).ok()).map(|from| from.to_bare()),
            lang: root.lang().filter(|lang| is_lang(lang)).map(|lang| lang.as_ref().into()),
            has_version: root.attribute("version").is_some_and(|version| is_1_0_or_later(&version)),
        })
    }
}

/// Whether it has the shape of a language tag (BCP 47).
fn is_lang(text: &str) -> bool {
    (1..=LANG_BYTES_MAX).contains(&text.len())
        && text
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// 4.7.5: two numbers with a dot between, leading zeros ignored. No version is 0.9; what follows 1 is not known, and
/// answered 1.0.
fn is_1_0_or_later(version: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    version.split_once('.').is_some_and(|(major, minor)| {
        is_number(major) && is_number(minor) && major.bytes().any(|digit| digit != b'0')
    })
}

/// Appends our stream header: the response to the client's, or what an error needs to stand in (4.9.1.2).
pub(crate) fn write(from: Option<&str>, to: Option<&BareJid>, id: [u8; STREAM_ID_BYTES], out: &mut String) {
    out.push_str("<?xml version='1.0'?><stream:stream xmlns='jabber:client'");
    out.push_str(" xmlns:stream='http://etherx.jabber.org/streams'");
    let _ = write!(out, " id='{}'", URL_SAFE_NO_PAD.encode(id));
    for (name, value) in [("from", from), ("to", to.map(BareJid::as_str))] {
        if let Some(value) = value {
            let _ = write!(out, " {name}='");
            escape_attribute(value, out);
            out.push('\'');
        }
    }
    // 4.7.4: our own texts are English, whatever the client speaks.
    out.push_str(" version='1.0' xml:lang='en'>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, expected) in [
            ("1.0", true),
            ("1.1", true),
            ("01.00", true),
            ("2.0", true),
            ("12.34", true),
            ("99999999999999999999.0", true),
            ("0.9", false),
            ("00.1", false),
            ("1", false),
            ("1.", false),
            (".1", false),
            ("", false),
            ("1.0.0", false),
            ("-1.0", false),
            ("one.zero", false),
        ] {
            assert_eq!(is_1_0_or_later(version), expected, "{version}");
        }
    }

    #[test]
    fn languages() {
        for (lang, expected) in [
            ("en", true),
            ("de-CH-1996", true),
            ("", false),
            ("-", false),
            ("en-", false),
            ("e n", false),
            ("en'", false),
            ("x-abcdefgh-abcdefgh-abcdefgh-abcdefgh", false),
        ] {
            assert_eq!(is_lang(lang), expected, "{lang}");
        }
    }
}
