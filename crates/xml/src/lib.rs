//! Incremental framing of XML streams, a compact element and a writer, with limits; nothing of XMPP.
//!
//! [`Framer`] reads the bytes of a stream once. In that pass it finds the end of the header and of each first-level
//! element, and refuses what is not XML 1.0, not namespace-well-formed, or not allowed on a stream (RFC 6120 11.1).
//! What it gives out is the text as it came, with an outline: nothing is copied that lies whole in the input, and
//! nothing is allocated per element. [`Element`] is a tree for what must be looked into.

mod char_class;
mod element;
mod error;
mod framer;
mod limits;
mod outline;
mod scanner;
mod unescape;
mod writer;

pub use element::{Attribute, Content, Element, ElementBuilder, Node};
pub use error::{Error, Limit};
pub use framer::{Frame, Framer};
pub use limits::Limits;
pub use outline::{Child, ChildRanges, Outline, RawAttribute, RawElement};
pub use writer::{escape_attribute, escape_attribute_to, escape_text};

/// The namespace of the prefix `xml` (Namespaces in XML 1.0, 3).
pub const XML_NS: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of declarations themselves, which nothing may be bound to (Namespaces in XML 1.0, 3).
pub(crate) const XMLNS_NS: &str = "http://www.w3.org/2000/xmlns/";
