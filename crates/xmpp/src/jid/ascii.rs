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
}

const LOCAL: u8 = 1;
const DOMAIN: u8 = 2;
const RESOURCE: u8 = 4;
const UPPER_CASE: u8 = 8;

/// What a byte may be part of.
const fn class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => LOCAL | DOMAIN | RESOURCE,
        b'A'..=b'Z' => LOCAL | DOMAIN | RESOURCE | UPPER_CASE,
        // RFC 7622 3.3.1, and the space, which the IdentifierClass has not.
        b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@' | b' ' => RESOURCE,
        b'!'..=b'~' => LOCAL | RESOURCE,
        _ => 0,
    }
}

/// The domainpart as far as it was read. Recognised are labels of letters, digits and single hyphens inside;
/// the last begins with a letter, so that it is no part of an IP address. A-labels have two hyphens.
struct Labels {
    previous: u8,
    label_first: u8,
    is_plain: bool,
}

impl Labels {
    const NONE: Self = Self { previous: b'.', label_first: 0, is_plain: true };

    fn read(&mut self, byte: u8) {
        let after_letter_or_digit = self.previous != b'.' && self.previous != b'-';
        match byte {
            b'.' | b'-' => self.is_plain &= after_letter_or_digit,
            _ if self.previous == b'.' => self.label_first = byte,
            _ => {}
        }
        self.previous = byte;
    }

    fn is_domain(&self) -> bool {
        self.is_plain
            && self.previous != b'.'
            && self.previous != b'-'
            && self.label_first.is_ascii_alphabetic()
    }
}

/// Splits `text` if it is a usual address; looks at each byte once.
pub(super) fn scan(text: &str) -> Option<Split> {
    let mut bytes = text.bytes().enumerate();
    let mut local_len = None;
    let mut bare_len = text.len();
    let mut seen = LOCAL | DOMAIN;
    let mut upper_case = 0;
    let mut labels = Labels::NONE;
    for (at, byte) in bytes.by_ref() {
        let class = class(byte);
        match byte {
            b'/' => {
                bare_len = at;
                break;
            }
            b'@' if local_len.is_none() && seen & LOCAL != 0 => {
                local_len = Some(at);
                seen = LOCAL | DOMAIN;
                labels = Labels::NONE;
            }
            _ => {
                seen &= class;
                labels.read(byte);
            }
        }
        upper_case |= class & UPPER_CASE;
        if seen == 0 {
            return None;
        }
    }
    let mut resource_len = 0;
    for (_, byte) in bytes {
        if class(byte) & RESOURCE == 0 {
            return None;
        }
        resource_len += 1;
    }
    let part = 1..=PART_BYTES_MAX;
    let domain_len = bare_len - local_len.map_or(0, |local| local + 1);
    let is_usual = seen & DOMAIN != 0
        && labels.is_domain()
        && part.contains(&domain_len)
        && local_len.is_none_or(|local| part.contains(&local))
        && (bare_len == text.len() || part.contains(&resource_len));
    is_usual.then_some(Split { local_len: local_len.unwrap_or(0), bare_len, has_upper_case: upper_case != 0 })
}

/// Whether `local` is an ASCII localpart, apart from upper case.
pub(super) fn is_localpart(local: &str) -> bool {
    local.bytes().all(|byte| class(byte) & LOCAL != 0)
}

/// Whether `resource` is an ASCII resourcepart.
pub(super) fn is_resourcepart(resource: &str) -> bool {
    resource.bytes().all(|byte| class(byte) & RESOURCE != 0)
}
