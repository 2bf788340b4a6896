//! References, and the normalisation of line ends and attribute values.

use crate::char_class;
use crate::limits::REFERENCE_BYTES_MAX;
use memchr::{memchr, memchr_iter, memchr2};
use std::borrow::Cow;

/// What stands at an `&`.
pub(crate) enum Reference {
    /// A character, and the length of the reference in bytes.
    Char(char, usize),
    /// The beginning of a reference, so far as the bytes go.
    Partial,
    /// A reference to an entity that is not one of XML's five.
    OtherEntity,
    /// No reference, or to a character that XML cannot carry.
    Invalid,
}

/// Reads the reference that begins with the `&` at the first byte.
pub(crate) fn reference(bytes: &[u8]) -> Reference {
    let window = bytes.get(..bytes.len().min(REFERENCE_BYTES_MAX)).unwrap_or_default();
    let Some(end) = memchr(b';', window) else {
        let is_plausible =
            window.iter().skip(1).all(|&b| b >= 0x80 || b == b'#' || char_class::is(b, char_class::NAME));
        let is_partial = is_plausible && window.len() < REFERENCE_BYTES_MAX;
        return if is_partial { Reference::Partial } else { Reference::Invalid };
    };
    let Ok(name) = std::str::from_utf8(window.get(1..end).unwrap_or_default()) else {
        return Reference::Invalid;
    };
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "apos" => '\'',
        "quot" => '"',
        _ => match name.strip_prefix('#') {
            Some(number) => match character(number) {
                Some(c) => c,
                None => return Reference::Invalid,
            },
            None if char_class::is_ncname(name) => return Reference::OtherEntity,
            None => return Reference::Invalid,
        },
    };
    Reference::Char(c, end + 1)
}

fn character(number: &str) -> Option<char> {
    // from_str_radix alone would take a sign.
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    let is_number = digits.bytes().all(|b| b.is_ascii_hexdigit());
    let code = is_number.then(|| u32::from_str_radix(digits, radix).ok())??;
    char::from_u32(code).filter(|&c| char_class::is_xml_char(c))
}

/// The text that validated character data stands for: references resolved, line ends as `\n` (XML 1.0 2.11).
pub(crate) fn text(raw: &str) -> Cow<'_, str> {
    if memchr2(b'&', b'\r', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(resolve(raw, |c, out| {
        if c != '\r' {
            out.push(c);
        }
    }))
}

/// The value that a validated attribute stands for: references resolved, blanks as spaces (XML 1.0 3.3.3).
pub(crate) fn attribute(raw: &str) -> Cow<'_, str> {
    if !raw.bytes().any(|b| matches!(b, b'&' | b'\t' | b'\n' | b'\r')) {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(resolve(raw, |c, out| match c {
        '\r' => {}
        '\t' | '\n' => out.push(' '),
        c => out.push(c),
    }))
}

/// The text of a CDATA section: only line ends change.
pub(crate) fn cdata(raw: &str) -> Cow<'_, str> {
    if memchr(b'\r', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(line_ends(raw))
}

/// `\r\n` and `\r` as `\n`.
fn line_ends(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut copied = 0;
    for position in memchr_iter(b'\r', raw.as_bytes()) {
        out.push_str(raw.get(copied..position).unwrap_or_default());
        copied = position + 1;
        if raw.as_bytes().get(copied) != Some(&b'\n') {
            out.push('\n');
        }
    }
    out.push_str(raw.get(copied..).unwrap_or_default());
    out
}

/// Resolves references; `literal` gets what stands as itself, with line ends as `\n`.
fn resolve(raw: &str, literal: impl Fn(char, &mut String)) -> String {
    let normalised =
        if memchr(b'\r', raw.as_bytes()).is_some() { Cow::Owned(line_ends(raw)) } else { raw.into() };
    let mut out = String::with_capacity(normalised.len());
    let mut rest: &str = &normalised;
    while let Some(c) = rest.chars().next() {
        let resolved = if c == '&' { reference(rest.as_bytes()) } else { Reference::Invalid };
        let length = match resolved {
            Reference::Char(resolved, length) => {
                out.push(resolved);
                length
            }
            _ => {
                literal(c, &mut out);
                c.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_references() {
        let check = |input: &str, expected: Option<char>| {
            let found = match reference(input.as_bytes()) {
                Reference::Char(c, length) => Some(c).filter(|_| length == input.len()),
                _ => None,
            };
            assert_eq!(found, expected, "{input}");
        };
        check("&amp;", Some('&'));
        check("&quot;", Some('"'));
        check("&#10;", Some('\n'));
        check("&#x1F600;", Some('\u{1F600}'));
        check("&#x10ffff;", Some('\u{10FFFF}'));
        for invalid in
            ["&#0;", "&#x1;", "&#xD800;", "&#xFFFE;", "&#x110000;", "&#;", "&#x;", "&#+1;", "&#X41;", "&;"]
        {
            check(invalid, None);
        }
    }

    #[test]
    fn normalises() {
        let check = |raw: &str, as_text: &str, as_attribute: &str| {
            assert_eq!((text(raw).as_ref(), attribute(raw).as_ref()), (as_text, as_attribute), "{raw:?}");
        };
        check("a\r\nb\rc\n\td", "a\nb\nc\n\td", "a b c  d");
        check("&#13;&#10;&#9;", "\r\n\t", "\r\n\t");
        check("&lt;&amp;lt;", "<&lt;", "<&lt;");
    }
}
