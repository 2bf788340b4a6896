//! Tags: names, attributes, the elements that they open and close.

use super::{Open, Progress, Scanner, State, Step, Target};
use crate::char_class::{self, BLANK, Decoded, NAME, NAME_START};
use crate::outline::{ChildSpans, QName, Span};
use crate::{Error, Limit};

impl Scanner {
    /// At a `<`.
    #[inline]
    pub(super) fn markup(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        self.tag = self.position;
        match bytes.get(self.position + 1) {
            None => Ok(Step::More),
            Some(b'!') => self.cdata_start(bytes.get(self.position..).unwrap_or_default()),
            // Processing instructions, and XML declarations other than a stream's first bytes: RFC 6120 11.1.
            Some(b'?') => Err(self.restricted()),
            Some(b'/') => {
                if self.open.is_empty() {
                    self.end_parent()?;
                }
                self.position += 2;
                self.mark = self.position;
                self.state = State::EndName;
                self.end_name(bytes)
            }
            Some(_) => {
                self.position += 1;
                self.mark = self.position;
                self.colon = 0;
                self.bindings = self.outline.bindings.len();
                self.has_prefixed_attributes = false;
                self.count_element()?;
                self.state = State::StartName;
                self.start_name(bytes)
            }
        }
    }

    /// At an end tag with nothing open: it can only be the stream's.
    fn end_parent(&mut self) -> Result<(), Error> {
        if self.target != Target::Element || self.parent.is_empty() {
            return Err(self.malformed());
        }
        self.target = Target::End;
        self.open.push(Open { name: self.parent, bindings: 0, default: self.default });
        Ok(())
    }

    #[inline]
    pub(super) fn start_name(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        match usual_name(bytes.get(self.position..).unwrap_or_default()) {
            Some(length) if self.position == self.mark => self.position += length,
            _ if self.name(bytes)? == Progress::More => return Ok(Step::More),
            _ => {}
        }
        if self.open.len() >= usize::from(self.limits.depth_max) {
            return Err(Error::Limit(Limit::Depth));
        }
        let name = Span::new(self.mark, self.position);
        self.open.push(Open { name, bindings: super::names::index(self.bindings), default: self.default });
        self.element_name = self.qname();
        self.state = State::AfterValue;
        self.after_value(bytes)
    }

    /// After an element's name or an attribute: a blank, or the tag's end.
    pub(super) fn after_value(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        loop {
            match bytes.get(self.position) {
                None => return Ok(Step::More),
                Some(b'>') => return self.start_tag_end(bytes, false),
                Some(b'/') => {
                    self.position += 1;
                    self.state = State::Slash;
                    return self.slash(bytes);
                }
                Some(&byte) if char_class::is(byte, BLANK) => self.position += 1,
                Some(_) => return Err(self.malformed()),
            }
            if !self.usual_attribute(bytes)? {
                self.state = State::AfterBlank;
                return Ok(Step::Next);
            }
        }
    }

    /// Reads an attribute that is all there and written as nearly all are: no colon in its name, no blank around its
    /// `=`, nothing to unescape. Whether there is one here; if not, the states read what there is.
    #[inline]
    fn usual_attribute(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        let rest = bytes.get(self.position..).unwrap_or_default();
        let Some(name) = usual_name(rest) else { return Ok(false) };
        let Some([b'=', quote @ (b'"' | b'\''), value @ ..]) = rest.get(name..) else { return Ok(false) };
        let length = char_class::value_run(value);
        if value.get(length) != Some(quote) {
            return Ok(false);
        }
        self.mark = self.position;
        self.colon = 0;
        self.name_end = self.mark + name;
        self.value_start = self.name_end + 2;
        self.is_plain = true;
        self.position = self.value_start + length;
        self.attribute(bytes)?;
        self.position += 1;
        Ok(true)
    }

    /// In a start tag after a blank: an attribute, or the tag's end.
    pub(super) fn after_blank(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        self.skip_blanks(bytes);
        match bytes.get(self.position) {
            None => return Ok(Step::More),
            Some(b'>') => return self.start_tag_end(bytes, false),
            Some(b'/') => {
                self.position += 1;
                self.state = State::Slash;
            }
            Some(_) => {
                self.mark = self.position;
                self.colon = 0;
                self.state = State::AttributeName;
            }
        }
        Ok(Step::Next)
    }

    pub(super) fn attribute_name(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        if self.name(bytes)? == Progress::More {
            return Ok(Step::More);
        }
        self.name_end = self.position;
        self.state = State::BeforeEquals;
        Ok(Step::Next)
    }

    pub(super) fn before_equals(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        self.skip_blanks(bytes);
        match bytes.get(self.position) {
            None => return Ok(Step::More),
            Some(b'=') => self.position += 1,
            Some(_) => return Err(self.malformed()),
        }
        self.state = State::BeforeValue;
        Ok(Step::Next)
    }

    pub(super) fn before_value(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        self.skip_blanks(bytes);
        match bytes.get(self.position) {
            None => return Ok(Step::More),
            Some(&quote @ (b'"' | b'\'')) => {
                self.position += 1;
                self.quote = quote;
                self.value_start = self.position;
                self.is_plain = true;
            }
            Some(_) => return Err(self.malformed()),
        }
        self.state = State::Value;
        Ok(Step::Next)
    }

    /// After the `/` of an empty element's tag.
    #[inline]
    pub(super) fn slash(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        match bytes.get(self.position) {
            None => Ok(Step::More),
            Some(b'>') => self.start_tag_end(bytes, true),
            Some(_) => Err(self.malformed()),
        }
    }

    /// At the `>` of a start tag: its prefixes can be resolved now.
    fn start_tag_end(&mut self, bytes: &[u8], is_empty: bool) -> Result<Step, Error> {
        let namespace = self.resolve_tag(bytes)?;
        if self.is_parent_again(bytes, namespace) {
            return Err(Error::Nested(self.origin + self.tag as u64));
        }
        self.position += 1;
        let depth = self.open.len();
        if depth == 1 {
            self.outline.name = self.element_name;
            self.outline.namespace = namespace;
            self.outline.default_namespace = self.default_namespace();
            self.outline.content = Span::new(self.position, self.position);
            self.attributes = self.outline.attributes.len();
        } else {
            self.outline.attributes.truncate(self.attributes);
            if depth == 2 {
                self.begin_child(namespace)?;
            }
        }
        if self.target == Target::Header {
            self.is_empty_tag = is_empty;
            return Ok(Step::Done);
        }
        if is_empty {
            return Ok(self.close(self.position));
        }
        self.state = State::Text;
        Ok(Step::Next)
    }

    fn begin_child(&mut self, namespace: Span) -> Result<(), Error> {
        if self.outline.children.len() >= self.limits.children_max() {
            return Err(Error::Limit(Limit::Elements));
        }
        let bytes = Span::new(self.tag, self.tag);
        self.outline.children.push(ChildSpans { name: self.element_name.local, namespace, bytes });
        Ok(())
    }

    /// In an end tag: the name of the element that is open.
    #[inline]
    pub(super) fn end_name(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        let Some(open) = self.open.last() else { return Err(self.malformed()) };
        let name = open.name.of(bytes, &self.outline.text);
        let expected = name.get(self.position - self.mark..).unwrap_or_default();
        let rest = bytes.get(self.position..).unwrap_or_default();
        let length = expected.len().min(rest.len());
        if rest.get(..length) != expected.get(..length) {
            self.position += rest.iter().zip(expected).take_while(|(a, b)| a == b).count();
            return Err(self.malformed());
        }
        self.position += length;
        if length < expected.len() {
            return Ok(Step::More);
        }
        self.state = State::AfterEndName;
        self.after_end_name(bytes)
    }

    #[inline]
    pub(super) fn after_end_name(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        self.skip_blanks(bytes);
        match bytes.get(self.position) {
            None => Ok(Step::More),
            Some(b'>') => {
                self.position += 1;
                Ok(self.close(self.tag))
            }
            Some(_) => Err(self.malformed()),
        }
    }

    /// The innermost element ended; its content did at `content_end`.
    fn close(&mut self, content_end: usize) -> Step {
        if let Some(open) = self.open.pop() {
            self.default = open.default;
            // What the stanza itself declares stays, for its reader.
            if !self.open.is_empty() {
                self.outline.bindings.truncate(open.bindings as usize);
            }
        }
        match self.open.len() {
            0 => {
                let content = &mut self.outline.content;
                *content = Span::new(content.start(), content_end.max(content.start()));
                return Step::Done;
            }
            1 => {
                if let Some(child) = self.outline.children.last_mut() {
                    child.bytes = Span::new(child.bytes.start(), self.position);
                }
            }
            _ => {}
        }
        self.state = State::Text;
        Step::Next
    }

    /// A name, with one colon at most and none at either end (Namespaces in XML 1.0, 4). Notes the colon. At the end
    /// of the bytes it may go on.
    fn name(&mut self, bytes: &[u8]) -> Result<Progress, Error> {
        loop {
            let rest = bytes.get(self.position..).unwrap_or_default();
            let Some(&byte) = rest.first() else { return Ok(Progress::More) };
            let is_part_start = self.position == self.mark || self.position == self.colon + 1;
            if char_class::is(byte, if is_part_start { NAME_START } else { NAME }) {
                self.position += char_class::run(rest, NAME);
                continue;
            }
            match byte {
                b':' if !is_part_start && self.colon == 0 => {
                    self.colon = self.position;
                    self.position += 1;
                }
                0x80.. => match char_class::decode(rest) {
                    Decoded::Partial => return Ok(Progress::More),
                    Decoded::Char(c, n) if char_class::is_name_start(c) => self.position += n,
                    Decoded::Char(c, n) if char_class::is_name_char(c) && !is_part_start => {
                        self.position += n
                    }
                    _ => return Err(self.malformed()),
                },
                b':' => return Err(self.malformed()),
                _ if is_part_start => return Err(self.malformed()),
                _ => return Ok(Progress::Done),
            }
        }
    }

    /// The name that was just read.
    pub(super) fn qname(&self) -> QName {
        let end = self.position;
        if self.colon == 0 {
            return QName { prefix: Span::default(), local: Span::new(self.mark, end) };
        }
        QName { prefix: Span::new(self.mark, self.colon), local: Span::new(self.colon + 1, end) }
    }

    fn skip_blanks(&mut self, bytes: &[u8]) {
        self.position += char_class::run(bytes.get(self.position..).unwrap_or_default(), BLANK);
    }
}

/// Length of a name as nearly all are: ASCII without a colon, and all there.
#[inline]
fn usual_name(rest: &[u8]) -> Option<usize> {
    if !rest.first().is_some_and(|&byte| char_class::is(byte, NAME_START)) {
        return None;
    }
    let length = char_class::run(rest, NAME);
    rest.get(length).is_some_and(|&byte| byte.is_ascii() && byte != b':').then_some(length)
}
