//! The usual address, recognised in one scan: ASCII, and of such a form that preparing it means lower case at
//! most. What is not recognised here may still be valid; `Address::parse_any` decides.

use crate::limits::PART_BYTES_MAX;

/// Where the parts of an address end.
pub(super) struct Split {
    /// Bytes of the localpart; 0 for none.
    pub(super) local_len: usize,
    /// Bytes before the resourcepart's `/`, or all.
    pub(super) bare_len: usize,
    /// Whether the bare address has an upper-case letter.
    pub(super) has_upper_case: bool,
    /// Whether XML has it as it is, between quotes of either kind.
    pub(super) is_plain: bool,
}

const LOCAL: u8 = 1;
/// Of a domain between dots and hyphens.
const DOMAIN: u8 = 2;
const RESOURCE: u8 = 4;
const UPPER_CASE: u8 = 8;
const LETTER: u8 = 16;
/// Is escaped in XML.
const ESCAPED: u8 = 32;

/// What a byte may be part of, and what it is.
const fn class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => LOCAL | DOMAIN | RESOURCE | LETTER,
        b'A'..=b'Z' => LOCAL | DOMAIN | RESOURCE | LETTER | UPPER_CASE,
        b'0'..=b'9' => LOCAL | DOMAIN | RESOURCE,
        // RFC 7622 3.3.1, and the space, which the IdentifierClass has not.
        b'"' | b'&' | b'\'' | b'<' | b'>' => RESOURCE | ESCAPED,
        b'/' | b':' | b'@' | b' ' => RESOURCE,
        b'!'..=b'~' => LOCAL | RESOURCE,
        _ => 0,
    }
}

static CLASSES: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8);
        byte += 1;
    }
    classes
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte is less than 256")]
fn class_of(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// How many first bytes are of a class, and what else any of them is.
#[inline]
fn run(bytes: &[u8], of: u8) -> (usize, u8) {
    let (mut length, mut any) = (0, 0);
    for &byte in bytes {
        let class = class_of(byte);
        if class & of == 0 {
            break;
        }
        any |= class;
        length += 1;
    }
    (length, any)
}

/// The same of a domain that is recognised: labels of letters, digits and single hyphens inside; the last begins with a
/// letter, so that it is no part of an IP address. A-labels have two hyphens.
#[inline]
fn domain(bytes: &[u8]) -> Option<(usize, u8)> {
    let (mut length, mut any, mut first_of_label) = (0, 0, class_of(*bytes.first()?));
    loop {
        let (part, of_part) = run(bytes.get(length..)?, DOMAIN);
        if part == 0 {
            return None;
        }
        any |= of_part;
        length += part;
        match bytes.get(length..) {
            Some([b'.', first, ..]) => first_of_label = class_of(*first),
            Some([b'-', ..]) => {}
            _ => break,
        }
        length += 1;
    }
    (first_of_label & LETTER != 0 && length <= PART_BYTES_MAX).then_some((length, any))
}

/// Splits `text` if it is a usual address.
pub(super) fn scan(text: &str) -> Option<Split> {
    let part = 1..=PART_BYTES_MAX;
    let bytes = text.as_bytes();
    let (local, mut any) = run(bytes, LOCAL);
    let (local_len, bare_len) = match bytes.get(local..)? {
        [b'@', rest @ ..] if part.contains(&local) => {
            let (length, more) = domain(rest)?;
            any |= more;
            (local, local + 1 + length)
        }
        _ => {
            let (length, more) = domain(bytes)?;
            any = more;
            (0, length)
        }
    };
    let in_resource = match bytes.get(bare_len..)? {
        [] => 0,
        [b'/', resource @ ..] if part.contains(&resource.len()) => {
            let (length, any) = run(resource, RESOURCE);
            (length == resource.len()).then_some(any)?
        }
        _ => return None,
    };
    let (has_upper_case, is_plain) = (any & UPPER_CASE != 0, in_resource & ESCAPED == 0);
    Some(Split { local_len, bare_len, has_upper_case, is_plain })
}

/// Whether `local` is an ASCII localpart, apart from upper case.
pub(super) fn is_localpart(local: &str) -> bool {
    local.bytes().all(|byte| class_of(byte) & LOCAL != 0)
}

/// Whether `resource` is an ASCII resourcepart.
pub(super) fn is_resourcepart(resource: &str) -> bool {
    resource.bytes().all(|byte| class_of(byte) & RESOURCE != 0)
}
