//! XEP-0198 1.6.3, Stream Management: the elements. What they count is the caller's.

use std::fmt::Write;

use stentor_xml::{RawElement, escape_attribute};
use stentor_xmpp::{Condition, StreamCondition, StreamError, StreamManagementError, ns};

/// An element of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `<enable/>`
    Enable {
        /// Whether the stream shall be resumable.
        resume: bool,
        /// For how long, in seconds.
        max: Option<u32>,
    },
    /// `<resume/>`
    Resume {
        /// The id of the former stream.
        previd: String,
        /// What the client handled of it.
        h: u32,
    },
    /// `<r/>`
    Request,
    /// `<a/>`
    Answer {
        /// What the client handled.
        h: u32,
    },
}

/// Why an element is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// `<enable/>` or `<resume/>`: recoverable, answered with `<failed/>`.
    Refuse,
    /// Anything else ends the stream.
    Fatal(StreamCondition),
}

impl Command {
    /// Reads an element in the namespace of stream management.
    pub(crate) fn read(element: &RawElement<'_>) -> Result<Self, Malformed> {
        let number = |name| element.attribute(name).map(|text| unsigned_int(&text));
        match element.name() {
            "enable" => {
                let resume = element.attribute("resume").map_or(Some(false), |text| boolean(&text));
                let max = number("max").map_or(Some(None), |max| max.filter(|max| *max > 0).map(Some));
                match (resume, max) {
                    (Some(resume), Some(max)) => Ok(Self::Enable { resume, max }),
                    _ => Err(Malformed::Refuse),
                }
            }
            "resume" => match (element.attribute("previd"), number("h").flatten()) {
                (Some(previd), Some(h)) => Ok(Self::Resume { previd: previd.into_owned(), h }),
                _ => Err(Malformed::Refuse),
            },
            "r" => Ok(Self::Request),
            "a" => match number("h").flatten() {
                Some(h) => Ok(Self::Answer { h }),
                None => Err(Malformed::Fatal(StreamCondition::InvalidXml)),
            },
            _ => Err(Malformed::Fatal(StreamCondition::UnsupportedStanzaType)),
        }
    }
}

/// `xs:boolean`.
fn boolean(text: &str) -> Option<bool> {
    match text.trim_ascii() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// `xs:unsignedInt`.
fn unsigned_int(text: &str) -> Option<u32> {
    text.trim_ascii().parse().ok()
}

/// What `<enabled/>` tells the client (XEP-0198 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enabled<'a> {
    /// The id by which the stream can be resumed; `None`: it cannot.
    pub id: Option<&'a str>,
    /// For how many seconds it can be resumed.
    pub max: Option<u32>,
    /// Where to reconnect first: `domain:port`, IPv6 in brackets.
    pub location: Option<&'a str>,
}

impl Enabled<'_> {
    pub(crate) fn write_to(&self, out: &mut String) {
        let _ = write!(out, "<enabled xmlns='{}'", ns::STREAM_MANAGEMENT);
        if let Some(id) = self.id {
            out.push_str(" resume='true'");
            attribute("id", id, out);
        }
        if let Some(max) = self.max {
            let _ = write!(out, " max='{max}'");
        }
        if let Some(location) = self.location {
            attribute("location", location, out);
        }
        out.push_str("/>");
    }
}

fn attribute(name: &str, value: &str, out: &mut String) {
    let _ = write!(out, " {name}='");
    escape_attribute(value, out);
    out.push('\'');
}

/// Appends `<resumed/>`.
pub(crate) fn write_resumed(previd: &str, h: u32, out: &mut String) {
    let _ = write!(out, "<resumed xmlns='{}' h='{h}'", ns::STREAM_MANAGEMENT);
    attribute("previd", previd, out);
    out.push_str("/>");
}

/// Appends `<failed/>`, with `h` where the former stream's count is still known.
pub(crate) fn write_failed(condition: Condition, h: Option<u32>, out: &mut String) {
    let _ = write!(out, "<failed xmlns='{}'", ns::STREAM_MANAGEMENT);
    if let Some(h) = h {
        let _ = write!(out, " h='{h}'");
    }
    let _ = write!(out, "><{} xmlns='{}'/></failed>", condition.name(), ns::STANZAS);
}

/// Appends `<a/>`. With `<r/>` the commonest elements of all: nothing is allocated for them.
pub(crate) fn write_answer(h: u32, out: &mut Vec<u8>) {
    use std::io::Write;
    let _ = write!(out, "<a xmlns='{}' h='{h}'/>", ns::STREAM_MANAGEMENT);
}

/// Appends `<r/>`.
pub(crate) fn write_request(out: &mut Vec<u8>) {
    for part in ["<r xmlns='", ns::STREAM_MANAGEMENT, "'/>"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// XEP-0198 6: the peer acknowledged more than it was sent.
pub(crate) fn handled_count_too_high(error: StreamManagementError) -> StreamError {
    let StreamManagementError { h, sent } = error;
    StreamError::new(StreamCondition::UndefinedCondition)
        .with_text(format!("You acknowledged {h} stanzas, but only {sent} were sent to you."))
        .with_application(format!(
            "<handled-count-too-high xmlns='{}' h='{h}' send-count='{sent}'/>",
            ns::STREAM_MANAGEMENT
        ))
}
