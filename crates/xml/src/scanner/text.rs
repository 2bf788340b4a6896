//! Character data, and what may stand for characters in it.

use super::{Scanner, State, Step};
use crate::Error;
use crate::char_class::{self, Decoded};
use crate::unescape::{Reference, reference};

const CDATA_START: &[u8] = b"<![CDATA[";
const CDATA_END: &[u8] = b"]]>";

impl Scanner {
    /// Text between tags.
    pub(super) fn text(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        loop {
            let rest = bytes.get(self.position..).unwrap_or_default();
            let plain = char_class::text_run(rest);
            self.position += plain;
            let rest = rest.get(plain..).unwrap_or_default();
            let length = match rest.first() {
                None => return Ok(Step::More),
                Some(b'<') => {
                    self.state = State::Markup;
                    return self.markup(bytes);
                }
                Some(b'&') => self.reference(rest)?,
                // XML 1.0 2.4: `]]>` must not stand in text.
                Some(b'>') if bytes.get(..self.position).is_some_and(|before| before.ends_with(b"]]")) => {
                    return Err(self.malformed());
                }
                Some(b'>' | b'\r') => Some(1),
                Some(_) => self.character(rest)?,
            };
            match length {
                Some(length) => self.position += length,
                None => return Ok(Step::More),
            }
        }
    }

    /// An attribute's value, to its closing quote.
    pub(super) fn value(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        loop {
            let rest = bytes.get(self.position..).unwrap_or_default();
            let plain = char_class::value_run(rest);
            self.position += plain;
            let rest = rest.get(plain..).unwrap_or_default();
            let length = match rest.first() {
                None => return Ok(Step::More),
                Some(&quote) if quote == self.quote => {
                    self.attribute(bytes)?;
                    self.position += 1;
                    self.state = State::AfterValue;
                    return Ok(Step::Next);
                }
                Some(b'"' | b'\'') => {
                    self.is_plain = false;
                    Some(1)
                }
                Some(b'&') => {
                    self.is_plain = false;
                    self.reference(rest)?
                }
                Some(b'\t' | b'\n' | b'\r') => {
                    self.is_plain = false;
                    Some(1)
                }
                // `<` among them: XML 1.0 3.1, no `<` in attribute values.
                Some(_) => self.character(rest)?,
            };
            match length {
                Some(length) => self.position += length,
                None => return Ok(Step::More),
            }
        }
    }

    /// A CDATA section, to its end.
    pub(super) fn cdata(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        loop {
            let rest = bytes.get(self.position..).unwrap_or_default();
            let plain = char_class::run(rest, char_class::CDATA);
            self.position += plain;
            let rest = rest.get(plain..).unwrap_or_default();
            let length = match rest.first() {
                None => return Ok(Step::More),
                Some(b']') if rest.starts_with(CDATA_END) => {
                    self.position += CDATA_END.len();
                    self.state = State::Text;
                    return Ok(Step::Next);
                }
                Some(b']') if CDATA_END.starts_with(rest) => return Ok(Step::More),
                Some(b']') => Some(1),
                Some(_) => self.character(rest)?,
            };
            match length {
                Some(length) => self.position += length,
                None => return Ok(Step::More),
            }
        }
    }

    /// `<!`: the beginning of a CDATA section, or nothing that a stream may have (RFC 6120 11.1).
    pub(super) fn cdata_start(&mut self, rest: &[u8]) -> Result<Step, Error> {
        if rest.starts_with(CDATA_START) {
            if self.open.is_empty() {
                return Err(self.malformed());
            }
            self.position += CDATA_START.len();
            self.state = State::Cdata;
            return Ok(Step::Next);
        }
        if CDATA_START.starts_with(rest) {
            return Ok(Step::More);
        }
        Err(self.restricted())
    }

    /// Length of the reference at the first byte, if all of it is there.
    fn reference(&self, rest: &[u8]) -> Result<Option<usize>, Error> {
        match reference(rest) {
            Reference::Char(_, length) => Ok(Some(length)),
            Reference::Partial => Ok(None),
            Reference::OtherEntity => Err(self.restricted()),
            Reference::Invalid => Err(self.malformed()),
        }
    }

    /// Length of the characters at the first byte, which is above ASCII or not allowed, if all of one is there.
    fn character(&self, rest: &[u8]) -> Result<Option<usize>, Error> {
        if rest.first().is_some_and(u8::is_ascii) {
            return Err(self.malformed());
        }
        let usual = char_class::usual_run(rest);
        if usual > 0 {
            return Ok(Some(usual));
        }
        match char_class::decode(rest) {
            Decoded::Char(c, length) if char_class::is_xml_char(c) => Ok(Some(length)),
            Decoded::Partial => Ok(None),
            Decoded::Char(..) | Decoded::Invalid => Err(self.malformed()),
        }
    }
}
