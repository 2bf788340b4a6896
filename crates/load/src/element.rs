//! Reads the little that the generator needs out of an element's text. Names are compared as written: servers
//! send what clients read with the default namespace or the `stream` prefix.

use std::borrow::Cow;

/// The name in the element's start tag, prefix included.
pub(crate) fn name(element: &str) -> &str {
    let rest = element.strip_prefix('<').unwrap_or(element);
    rest.split([' ', '\t', '\r', '\n', '/', '>']).next().unwrap_or_default()
}

/// The value of an attribute of the start tag, as it stands on the wire.
pub(crate) fn attribute<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = element.strip_prefix('<')?.get(name(element).len()..)?;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with(['/', '>']) {
            return None;
        }
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next()?;
        let (value, next) = after.get(1..)?.split_once(quote)?;
        if key.trim_end() == wanted {
            return Some(value);
        }
        rest = next;
    }
}

/// The text of the element from the first descendant called `wanted` on.
pub(crate) fn descendant<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = element;
    loop {
        rest = rest.get(1..)?;
        let at = memchr::memchr(b'<', rest.as_bytes())?;
        rest = rest.get(at..)?;
        if name(rest) == wanted {
            return Some(rest);
        }
    }
}

/// The text directly after the start tag of the first descendant called `wanted`; empty when it has none.
pub(crate) fn text<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    let (start, rest) = descendant(element, wanted)?.split_once('>')?;
    if start.ends_with('/') {
        return Some("");
    }
    rest.split('<').next()
}

/// Every text of a descendant called `wanted`.
pub(crate) fn texts<'a>(element: &'a str, wanted: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = element;
    std::iter::from_fn(move || {
        rest = descendant(rest, wanted)?;
        text_of(rest)
    })
}

fn text_of(element: &str) -> Option<&str> {
    element.split_once('>')?.1.split('<').next()
}

/// Appends text or an attribute's value with what XML reserves escaped.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '>', '&', '\'', '"']) {
        return Cow::Borrowed(text);
    }
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Cow::Owned(escaped.replace('\'', "&apos;").replace('"', "&quot;"))
}

/// What `escape` did, undone.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'");
    Cow::Owned(plain.replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_attributes_and_text() {
        let element =
            "<message to='a@b/c' id = \"x>y\"><body>hi &amp; ho</body><empty/><m>1</m><m>2</m></message>";
        assert_eq!(name(element), "message");
        assert_eq!(name("<r/>"), "r");
        for (wanted, expected) in [("to", Some("a@b/c")), ("id", Some("x>y")), ("from", None), ("body", None)]
        {
            assert_eq!(attribute(element, wanted), expected, "{wanted}");
        }
        for (wanted, expected) in
            [("body", Some("hi &amp; ho")), ("empty", Some("")), ("none", None), ("m", Some("1"))]
        {
            assert_eq!(text(element, wanted), expected, "{wanted}");
        }
        assert_eq!(texts(element, "m").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(unescape("hi &amp;lt; ho"), "hi &lt; ho");
        assert_eq!(unescape(&escape("<a b='c' & \"d\">")), "<a b='c' & \"d\">");
    }

    #[test]
    fn broken_text_is_none() {
        for element in ["", "<", "<a", "<a b", "<a b=", "<a b='", "é", "<é é=é"] {
            assert_eq!(attribute(element, "b"), None, "{element}");
            assert_eq!(text(element, "b"), None, "{element}");
        }
    }
}
