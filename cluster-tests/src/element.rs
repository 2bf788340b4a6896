//! An element as a client reads it, and a pattern of one.
//!
//! Names and prefixes are compared as they are written. It is no XML parser: what comes from the server is taken for
//! well-formed, and what a stream may not have (RFC 6120 11.1) is an error.

use std::fmt;

/// What differs between a stanza and another where it is missing: a pattern without one of these is of an element
/// without it.
const DECISIVE: [&str; 4] = ["type", "subscription", "ask", "approved"];

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// With its prefix.
    pub name: String,
    /// In the order of the text.
    pub attributes: Vec<(String, String)>,
    /// Those directly in it.
    pub children: Vec<Self>,
    /// Its own, without that of its children.
    pub text: String,
}

impl Element {
    /// Reads the element that the text begins with, white space before it aside; and what comes behind it. None if not
    /// all of it is there.
    ///
    /// # Errors
    /// It cannot become an element, whatever comes.
    pub fn read(text: &str) -> Result<Option<(Self, &str)>, String> {
        let Some((mut element, mut rest, is_empty)) = start(text.trim_start())? else { return Ok(None) };
        if is_empty {
            return Ok(Some((element, rest)));
        }
        loop {
            let Some((before, _)) = rest.split_once('<') else { return Ok(None) };
            element.text += &unescape(before);
            rest = rest.get(before.len()..).unwrap_or_default();
            if let Some(end) = rest.strip_prefix("</") {
                let Some((name, behind)) = end.split_once('>') else { return Ok(None) };
                return match name.trim_end() == element.name {
                    true => Ok(Some((element, behind))),
                    false => Err(format!("<{}> ends as {name}", element.name)),
                };
            }
            let Some((child, behind)) = Self::read(rest)? else { return Ok(None) };
            element.children.push(child);
            rest = behind;
        }
    }

    /// An attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Whether it has all that `pattern` has, in elements that are in it as those of the pattern are, whatever else it
    /// has; some attributes must not be there if the pattern has none.
    pub fn fits(&self, pattern: &Self) -> bool {
        let mut wanted = pattern.attributes.iter().map(|(name, value)| (&**name, Some(&**value)));
        let mut decisive = DECISIVE.iter().map(|name| (*name, pattern.attribute(name)));
        self.name == pattern.name
            && wanted.all(|(name, value)| self.attribute(name) == value)
            && decisive.all(|(name, value)| self.attribute(name) == value)
            && (pattern.text.is_empty() || self.text == pattern.text)
            && pattern.children.iter().all(|wanted| self.children.iter().any(|child| child.fits(wanted)))
    }
}

/// For whoever reads it.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name)?;
        self.attributes.iter().try_for_each(|(name, value)| write!(f, " {name}='{value}'"))?;
        write!(f, ">{}", self.text)?;
        self.children.iter().try_for_each(|child| write!(f, "{child}"))?;
        write!(f, "</{}>", self.name)
    }
}

/// The start tag that the text begins with, as an element; what comes behind it, and whether that tag is all of it.
pub(crate) fn start(text: &str) -> Result<Option<(Element, &str, bool)>, String> {
    let Some(tag) = text.strip_prefix('<') else {
        return if text.is_empty() { Ok(None) } else { Err(format!("text instead of an element: {text}")) };
    };
    if tag.starts_with(['!', '?', '/']) {
        return Err(format!("no start tag: {text}"));
    }
    let end = |c: char| c.is_ascii_whitespace() || c == '/' || c == '>';
    let Some(length) = tag.find(end) else { return Ok(None) };
    let (name, mut rest) = tag.split_at(length);
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix('>') {
            return Ok(Some((element, behind, false)));
        }
        if rest.starts_with('/') {
            return Ok(rest.strip_prefix("/>").map(|behind| (element, behind, true)));
        }
        let Some((key, value)) = rest.split_once('=') else { return Ok(None) };
        let Some(quote) = value.chars().next() else { return Ok(None) };
        if quote != '\'' && quote != '"' {
            return Err(format!("an attribute without quotes: {rest}"));
        }
        let Some((value, behind)) = value.split_at(1).1.split_once(quote) else { return Ok(None) };
        element.attributes.push((key.to_owned(), unescape(value)));
        rest = behind;
    }
}

fn unescape(text: &str) -> String {
    let names = [("&lt;", "<"), ("&gt;", ">"), ("&apos;", "'"), ("&quot;", "\""), ("&amp;", "&")];
    names.iter().fold(text.to_owned(), |text, (name, character)| text.replace(name, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        Element::read(text).expect(text).expect("all of it").0
    }

    #[test]
    fn an_element_is_read_once_it_is_whole() {
        let text = "<message to='a/b>c' id=\"it's\"><body>x &lt;&amp; y</body><z:e z='&apos;' /></message>";
        for end in 0..text.len() {
            assert_eq!(Element::read(&text[..end]), Ok(None), "{end}");
        }
        let (read, rest) = Element::read(&format!(" \n{text}<r/>"))
            .map(Option::unwrap)
            .map(|(read, rest)| (read, rest.to_owned()))
            .unwrap();
        assert_eq!(rest, "<r/>");
        assert_eq!((read.attribute("to"), read.attribute("id")), (Some("a/b>c"), Some("it's")));
        assert_eq!(read.child("body").map(|body| &*body.text), Some("x <& y"));
        assert_eq!(read.child("z:e").and_then(|child| child.attribute("z")), Some("'"));
        for broken in ["x", "</a>", "<a></b>", "<a b=c>", "<?xml?>", "<a><!-- -->"] {
            Element::read(broken).expect_err(broken);
        }
    }

    #[test]
    fn a_pattern_is_a_part() {
        let check = |pattern, expected| {
            let given = "<iq type='set' id='1'><query><item jid='a' ask='subscribe'><group>x</group></item></query></iq>";
            assert_eq!(element(given).fits(&element(pattern)), expected, "{pattern}");
        };
        check("<iq type='set'/>", true);
        check("<iq/>", false);
        check("<iq type='get'/>", false);
        check("<presence type='set'/>", false);
        check("<iq type='set'><query><item jid='a' ask='subscribe'/></query></iq>", true);
        check("<iq type='set'><query><item jid='a'/></query></iq>", false);
        check(
            "<iq type='set'><query><item jid='a' ask='subscribe'><group>y</group></item></query></iq>",
            false,
        );
        check("<iq type='set'><item/></iq>", false);
    }
}
