//! Escaping on output.

use crate::char_class;

/// Appends text with `<`, `>`, `&` and carriage return escaped.
///
/// A carriage return would be read back as a line feed (XML 1.0 2.11); `>` only must be escaped after `]]`, and is
/// always. Characters that XML cannot carry become U+FFFD.
pub fn escape_text(text: &str, out: &mut String) {
    escape(text, char_class::text_run, in_text, |part| out.push_str(part));
}

/// Appends an attribute value for single or double quotes: also quotes, tab and line feed are escaped, which would
/// be read back as spaces (XML 1.0 3.3.3). Characters that XML cannot carry become U+FFFD.
pub fn escape_attribute(value: &str, out: &mut String) {
    escape(value, char_class::value_run, in_attribute, |part| out.push_str(part));
}

/// Like [`escape_attribute`], to bytes.
#[inline]
pub fn escape_attribute_to(value: &str, out: &mut Vec<u8>) {
    escape(value, char_class::value_run, in_attribute, |part| out.extend_from_slice(part.as_bytes()));
}

fn in_text(byte: u8) -> Option<&'static str> {
    match byte {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'\r' => Some("&#xD;"),
        b'\t' | b'\n' => None,
        0..0x20 => Some("\u{FFFD}"),
        _ => None,
    }
}

fn in_attribute(byte: u8) -> Option<&'static str> {
    match byte {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'\'' => Some("&apos;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        0..0x20 => Some("\u{FFFD}"),
        _ => None,
    }
}

/// Gives `push` the text with what must be replaced replaced. `plain` tells how many first bytes need no look.
#[inline]
fn escape(
    text: &str,
    plain: impl Fn(&[u8]) -> usize,
    replacement: impl Fn(u8) -> Option<&'static str>,
    mut push: impl FnMut(&str),
) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut position = plain(bytes);
    while let Some(&byte) = bytes.get(position) {
        // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
        let (replacement, length) = match replacement(byte) {
            Some(replacement) => (replacement, 1),
            None if byte == 0xEF && is_noncharacter(bytes.get(position..)) => ("\u{FFFD}", 3),
            None => {
                position += 1;
                continue;
            }
        };
        push(text.get(copied..position).unwrap_or_default());
        push(replacement);
        position += length;
        copied = position;
    }
    push(text.get(copied..).unwrap_or_default());
}

fn is_noncharacter(bytes: Option<&[u8]>) -> bool {
    matches!(bytes, Some([0xEF, 0xBF, 0xBE | 0xBF, ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_reader_would_change() {
        let check = |input: &str, text: &str, attribute: &str| {
            let (mut as_text, mut as_attribute) = (String::new(), String::new());
            escape_text(input, &mut as_text);
            escape_attribute(input, &mut as_attribute);
            assert_eq!((as_text.as_str(), as_attribute.as_str()), (text, attribute), "{input:?}");
        };
        check("", "", "");
        check("plain", "plain", "plain");
        check("a<b>&c]]>", "a&lt;b&gt;&amp;c]]&gt;", "a&lt;b&gt;&amp;c]]&gt;");
        check("'\"", "'\"", "&apos;&quot;");
        check("\t\n\r", "\t\n&#xD;", "&#x9;&#xA;&#xD;");
        check(
            "a\0b\u{1}\u{FFFF}\u{FFFE}\u{FFFD}",
            "a\u{FFFD}b\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
            "a\u{FFFD}b\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
        );
        check("\u{7F}é\u{1F600}", "\u{7F}é\u{1F600}", "\u{7F}é\u{1F600}");
    }
}
