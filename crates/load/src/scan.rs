//! Finds where the elements of a server's stream end (RFC 6120 4), without checking more than it needs: the
//! peer is a server under measurement, and what the generator spends must not show in the result.

use memchr::{memchr, memchr3, memmem};

/// What stands between `start` and `end` of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// The start tag of the stream.
    Header,
    /// A whole first-level element.
    Element,
    /// The end tag of the stream.
    End,
}

/// An item with its place, in bytes from the buffer's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) item: Item,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The stream holds what RFC 6120 11.1 forbids; the scanner cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restricted;

/// Remembers how far the buffer was read, so that input in small pieces is not read again.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    header_seen: bool,
    depth: usize,
    start: usize,
    at: usize,
}

const CDATA: &[u8] = b"<![CDATA[";

impl Scanner {
    /// The next item of `buffer`, whose first byte must be the one after the last item's `end`.
    pub(crate) fn next(&mut self, buffer: &[u8]) -> Result<Option<Found>, Restricted> {
        loop {
            let Some(open) = buffer.get(self.at..).and_then(|rest| memchr(b'<', rest)) else {
                self.at = buffer.len();
                return Ok(None);
            };
            self.at += open;
            if self.depth == 0 {
                self.start = self.at;
            }
            let rest = buffer.get(self.at..).unwrap_or_default();
            let Some(length) = tag_length(rest) else { return Ok(None) };
            let tag = rest.get(..length).unwrap_or_default();
            self.at += length;
            if let Some(item) = self.pass(tag)? {
                let found = Found { item, start: self.start, end: self.at };
                (self.depth, self.start, self.at) = (0, 0, 0);
                return Ok(Some(found));
            }
        }
    }

    /// Counts one whole tag; an item when it ends one.
    fn pass(&mut self, tag: &[u8]) -> Result<Option<Item>, Restricted> {
        match tag.get(1) {
            Some(b'?') if !self.header_seen => Ok(None),
            Some(b'!') if tag.starts_with(CDATA) && self.depth > 0 => Ok(None),
            Some(b'?' | b'!') => Err(Restricted),
            Some(b'/') if self.depth == 0 => Ok(Some(Item::End)),
            Some(b'/') => {
                self.depth -= 1;
                Ok((self.depth == 0).then_some(Item::Element))
            }
            _ if !self.header_seen => {
                self.header_seen = true;
                Ok(Some(Item::Header))
            }
            _ if tag.ends_with(b"/>") => Ok((self.depth == 0).then_some(Item::Element)),
            _ => {
                self.depth += 1;
                Ok(None)
            }
        }
    }
}

/// Bytes from `<` to its `>`, or to the end of a CDATA section; `None` when the end is not there yet.
fn tag_length(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(CDATA) {
        return memmem::find(rest, b"]]>").map(|at| at + 3);
    }
    let mut at = 1;
    loop {
        let found = at + memchr3(b'>', b'"', b'\'', rest.get(at..)?)?;
        match rest.get(found)? {
            b'>' => return Some(found + 1),
            quote => at = found + 2 + memchr(*quote, rest.get(found + 1..)?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `size` bytes, as a connection would.
    fn items(input: &str, size: usize) -> Result<Vec<(Item, String)>, Restricted> {
        let (mut scanner, mut buffer, mut found) = (Scanner::default(), Vec::new(), Vec::new());
        for piece in input.as_bytes().chunks(size) {
            buffer.extend_from_slice(piece);
            while let Some(Found { item, start, end }) = scanner.next(&buffer)? {
                found.push((item, String::from_utf8(buffer[start..end].to_vec()).unwrap()));
                buffer.drain(..end);
            }
        }
        Ok(found)
    }

    fn check(input: &str, expected: &[(Item, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(item, text)| (*item, (*text).to_owned())).collect();
        for size in 1..=input.len() {
            assert_eq!(items(input, size).as_ref(), Ok(&expected), "{input} in pieces of {size}");
        }
    }

    #[test]
    fn any_split_gives_the_same_items() {
        check(
            "<?xml version='1.0'?><stream:stream to='a>b'> \n<a/>  <b x=\"/>\"><c/><b>t</b></b></stream:stream>",
            &[
                (Item::Header, "<stream:stream to='a>b'>"),
                (Item::Element, "<a/>"),
                (Item::Element, "<b x=\"/>\"><c/><b>t</b></b>"),
                (Item::End, "</stream:stream>"),
            ],
        );
        check(
            "<s><m><![CDATA[</m> ' <]]></m><n>'</n>",
            &[
                (Item::Header, "<s>"),
                (Item::Element, "<m><![CDATA[</m> ' <]]></m>"),
                (Item::Element, "<n>'</n>"),
            ],
        );
    }

    #[test]
    fn forbidden_xml_is_an_error() {
        for input in ["<s><!-- c -->", "<s><a><?x?></a>", "<!DOCTYPE a><s>"] {
            assert_eq!(items(input, input.len()), Err(Restricted), "{input}");
        }
    }
}
