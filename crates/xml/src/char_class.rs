//! XML 1.0 characters and names, by byte where ASCII decides.

/// May begin a name; `:` is not among them, for names are split at it (Namespaces in XML 1.0, 4).
pub(crate) const NAME_START: u8 = 1;
/// May stand in a name.
pub(crate) const NAME: u8 = 1 << 1;
/// Space, tab, line feed, carriage return.
pub(crate) const BLANK: u8 = 1 << 2;
/// Needs no look in text: all but `<`, `&`, `>`, carriage return, control characters, and bytes above ASCII.
pub(crate) const TEXT: u8 = 1 << 3;
/// Needs no look in an attribute value: all but `<`, `&`, quotes, control characters (blanks among them, which are
/// read as spaces), and bytes above ASCII.
pub(crate) const VALUE: u8 = 1 << 4;
/// Needs no look in a CDATA section: all but `]`, control characters, and bytes above ASCII.
pub(crate) const CDATA: u8 = 1 << 5;

static CLASSES: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        if b.is_ascii_alphabetic() || b == b'_' {
            table[byte] |= NAME_START | NAME;
        }
        if b.is_ascii_digit() || b == b'-' || b == b'.' {
            table[byte] |= NAME;
        }
        let is_blank = matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        if is_blank {
            table[byte] |= BLANK;
        }
        if is_blank || b >= b' ' {
            if !matches!(b, b'<' | b'&' | b'>' | b'\r') {
                table[byte] |= TEXT;
            }
            if b >= b' ' && !matches!(b, b'<' | b'&' | b'"' | b'\'') {
                table[byte] |= VALUE;
            }
            if b != b']' {
                table[byte] |= CDATA;
            }
        }
        byte += 1;
    }
    table
}

/// Whether a byte is of a class.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte is less than 256")]
pub(crate) fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// How many of the first bytes are of a class.
#[inline]
pub(crate) fn run(bytes: &[u8], class: u8) -> usize {
    let mut length = 0;
    while bytes.get(length).is_some_and(|&byte| is(byte, class)) {
        length += 1;
    }
    length
}

/// How many of the first bytes are of the class TEXT.
#[inline]
pub(crate) fn text_run(bytes: &[u8]) -> usize {
    // `<` is `>` but for its second bit.
    word_run(bytes, TEXT, |word| with(word | LOW_BITS << 1, b'>') | with(word, b'&'))
}

/// How many of the first bytes are of the class VALUE.
#[inline]
pub(crate) fn value_run(bytes: &[u8]) -> usize {
    // `&` is `'` but for its first bit.
    word_run(bytes, VALUE, |word| with(word, b'<') | with(word | LOW_BITS, b'\'') | with(word, b'"'))
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = LOW_BITS << 7;

/// Marks the high bit of each zero byte. Above the first one it may mark others too.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS
}

/// Marks the bytes that are this one, as `zeros` does.
#[inline]
const fn with(word: u64, byte: u8) -> u64 {
    zeros(word ^ (LOW_BITS * byte as u64))
}

/// Marks the bytes that are control characters, as `zeros` does, or above ASCII.
#[inline]
const fn unusual(word: u64) -> u64 {
    let controls = word.wrapping_sub(LOW_BITS * 0x20) & !word;
    (controls | word) & HIGH_BITS
}

/// `run`, eight bytes at a time. `others` marks what is not of the class besides control characters and bytes above
/// ASCII; a blank among the control characters is looked at by itself.
#[inline]
fn word_run(bytes: &[u8], class: u8, others: impl Fn(u64) -> u64) -> usize {
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let marks = unusual(word) | others(word);
        if marks == 0 {
            rest = behind;
            continue;
        }
        let place = (marks.trailing_zeros() / 8) as usize;
        if !chunk.get(place).is_some_and(|&byte| is(byte, class)) {
            return bytes.len() - rest.len() + place;
        }
        rest = rest.get(place + 1..).unwrap_or_default();
    }
    bytes.len() - rest.len() + run(rest, class)
}

/// What stands at the beginning of some bytes.
pub(crate) enum Decoded {
    /// A character, and its length in bytes.
    Char(char, usize),
    /// The beginning of one, so far as the bytes go.
    Partial,
    /// Nothing that UTF-8 allows.
    Invalid,
}

/// Decodes the character that begins with a byte above ASCII.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let Some(&lead) = bytes.first() else { return Decoded::Partial };
    let (length, second) = match lead {
        0xC2..=0xDF => (2, 0x80..=0xBF),
        0xE0 => (3, 0xA0..=0xBF),
        0xED => (3, 0x80..=0x9F),
        0xE1..=0xEF => (3, 0x80..=0xBF),
        0xF0 => (4, 0x90..=0xBF),
        0xF4 => (4, 0x80..=0x8F),
        0xF1..=0xF3 => (4, 0x80..=0xBF),
        _ => return Decoded::Invalid,
    };
    let lead_bits = u32::from(lead) & (0x7F >> length);
    let mut code = lead_bits;
    for index in 1..length {
        let Some(&byte) = bytes.get(index) else { return Decoded::Partial };
        if !(0x80..=0xBF).contains(&byte) || (index == 1 && !second.contains(&byte)) {
            return Decoded::Invalid;
        }
        code = code << 6 | u32::from(byte & 0x3F);
    }
    char::from_u32(code).map_or(Decoded::Invalid, |c| Decoded::Char(c, length))
}

/// Bytes of the characters above ASCII that some text begins with, so far as two and three bytes each tell that they
/// are characters that XML can carry: most of the world's writing, but for the ends of UTF-8's table.
#[inline]
pub(crate) fn usual_run(bytes: &[u8]) -> usize {
    let mut length = 0;
    loop {
        length += match bytes.get(length..) {
            Some([0xC2..=0xDF, 0x80..=0xBF, ..]) => 2,
            Some([0xE1..=0xEC | 0xEE, 0x80..=0xBF, 0x80..=0xBF, ..]) => 3,
            _ => return length,
        };
    }
}

/// XML 1.0 (5th edition) 2.2, production 2.
pub(crate) const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// XML 1.0 (5th edition) 2.3, production 4, without `:`.
pub(crate) const fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// XML 1.0 (5th edition) 2.3, production 4a, without `:`.
pub(crate) const fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether some text is a name without `:`.
pub(crate) fn is_ncname(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_class_does() {
        let filler: Vec<u8> = (0..40_u8).map(|n| b'a' + n % 26).collect();
        for special in 0..=255_u8 {
            for place in 0..filler.len() {
                for next in [b'a', b'<', b'\t', 0x80, 0x1F] {
                    let mut bytes = filler.clone();
                    bytes[place] = special;
                    bytes.insert(place + 1, next);
                    assert_eq!(text_run(&bytes), run(&bytes, TEXT), "{bytes:?}");
                    assert_eq!(value_run(&bytes), run(&bytes, VALUE), "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn decodes_what_the_standard_library_decodes() {
        for code in (0x80..=0x10FFFF).filter_map(char::from_u32) {
            let mut buffer = [0; 4];
            let bytes = code.encode_utf8(&mut buffer).as_bytes();
            assert!(
                matches!(decode(bytes), Decoded::Char(c, n) if c == code && n == bytes.len()),
                "{code:?}"
            );
            for cut in 1..bytes.len() {
                assert!(matches!(decode(&bytes[..cut]), Decoded::Partial), "{code:?}");
            }
        }
        for lead in 0x80..=0xFF_u8 {
            for second in 0..=0xFF_u8 {
                for third in [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0] {
                    let bytes = [lead, second, third, 0x80];
                    let expected = std::str::from_utf8(&bytes);
                    let valid = expected.map_or_else(|e| e.valid_up_to() > 0, |_| true);
                    assert_eq!(matches!(decode(&bytes), Decoded::Char(..)), valid, "{bytes:x?}");
                    assert!(valid || usual_run(&bytes) == 0, "{bytes:x?}");
                }
            }
        }
    }
}
