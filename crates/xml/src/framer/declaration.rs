//! The XML declaration (XML 1.0 2.8), which a stream may begin with.

use crate::Error;
use crate::char_class::{self, BLANK};
use crate::limits::DECLARATION_BYTES_MAX;

const START: &[u8] = b"<?xml";
const END: &[u8] = b"?>";

/// What stands at the beginning of a stream.
pub(super) enum Declaration {
    Absent,
    /// The beginning of one, so far as the bytes go.
    Partial,
    /// Its length in bytes.
    Complete(usize),
}

/// Reads the declaration at the first byte, if there is one.
pub(super) fn read(bytes: &[u8], offset: u64) -> Result<Declaration, Error> {
    let Some(rest) = bytes.strip_prefix(START) else {
        let is_partial = START.starts_with(bytes);
        return Ok(if is_partial { Declaration::Partial } else { Declaration::Absent });
    };
    match rest.first() {
        None => return Ok(Declaration::Partial),
        Some(&byte) if char_class::is(byte, BLANK) => {}
        // Some other processing instruction, `<?xml-stylesheet` for one.
        Some(_) => return Ok(Declaration::Absent),
    }
    let window = rest.get(..DECLARATION_BYTES_MAX).unwrap_or(rest);
    let Some(end) = memchr::memmem::find(window, END) else {
        let is_partial = window.len() < DECLARATION_BYTES_MAX;
        return if is_partial { Ok(Declaration::Partial) } else { Err(Error::NotWellFormed(offset)) };
    };
    check(window.get(..end).unwrap_or_default()).map_err(|error| match error {
        Wrong::Syntax => Error::NotWellFormed(offset),
        Wrong::Encoding => Error::UnsupportedEncoding,
    })?;
    Ok(Declaration::Complete(START.len() + end + END.len()))
}

#[derive(Clone, Copy)]
enum Wrong {
    Syntax,
    Encoding,
}

/// Checks what stands between `<?xml` and `?>`: version, encoding and standalone, in this order.
fn check(mut rest: &[u8]) -> Result<(), Wrong> {
    // XML 1.0 2.8, production 26: any 1.x is read as 1.0; only 1.0 is sent on streams (RFC 6120 11.5).
    let version = value(&mut rest, b"version")?.ok_or(Wrong::Syntax)?;
    if version != b"1.0" {
        return Err(Wrong::Syntax);
    }
    let encoding = value(&mut rest, b"encoding")?;
    let standalone = value(&mut rest, b"standalone")?;
    if !rest.iter().all(|&byte| char_class::is(byte, BLANK))
        || !matches!(standalone, None | Some(b"yes" | b"no"))
    {
        return Err(Wrong::Syntax);
    }
    match encoding {
        Some(encoding) if !encoding.eq_ignore_ascii_case(b"utf-8") => Err(Wrong::Encoding),
        _ => Ok(()),
    }
}

/// Reads ` name='value'`, if that comes next.
fn value<'a>(rest: &mut &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>, Wrong> {
    let after_blanks = skip_blanks(rest);
    let Some(after_name) = after_blanks.strip_prefix(name) else { return Ok(None) };
    if after_blanks.len() == rest.len() {
        return Err(Wrong::Syntax);
    }
    let after_equals = skip_blanks(after_name).strip_prefix(b"=").ok_or(Wrong::Syntax)?;
    let (&quote, quoted) = skip_blanks(after_equals).split_first().ok_or(Wrong::Syntax)?;
    if !matches!(quote, b'"' | b'\'') {
        return Err(Wrong::Syntax);
    }
    let end = memchr::memchr(quote, quoted).ok_or(Wrong::Syntax)?;
    let (value, tail) = quoted.split_at(end);
    *rest = tail.get(1..).unwrap_or_default();
    Ok(Some(value))
}

fn skip_blanks(bytes: &[u8]) -> &[u8] {
    bytes.get(char_class::run(bytes, BLANK)..).unwrap_or_default()
}
