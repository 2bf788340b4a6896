//! Stanza errors (RFC 6120 8.3) and stream errors (4.9): all defined conditions, written and read. No other file
//! writes error XML.

mod stanza_error;
mod stream_error;

pub use stanza_error::{Condition, ErrorType, StanzaError};
pub use stream_error::{StreamCondition, StreamError};

/// Appends `<name xmlns='namespace'>content</name>`.
fn write_condition(name: &str, namespace: &str, content: Option<&str>, out: &mut String) {
    out.push('<');
    out.push_str(name);
    out.push_str(" xmlns='");
    out.push_str(namespace);
    match content {
        None => out.push_str("'/>"),
        Some(content) => {
            out.push_str("'>");
            stentor_xml::escape_text(content, out);
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
    }
}

/// Appends `<text/>`. What we say is English.
fn write_text(text: &str, namespace: &str, out: &mut String) {
    out.push_str("<text xmlns='");
    out.push_str(namespace);
    out.push_str("' xml:lang='en'>");
    stentor_xml::escape_text(text, out);
    out.push_str("</text>");
}

/// The content of an element, if it has any, without the white space of those who indent.
fn content_of(node: stentor_xml::Node<'_>) -> Option<String> {
    Some(node.text().trim().to_owned()).filter(|text| !text.is_empty())
}
