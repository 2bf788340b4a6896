//! Incremental framing of XML streams, a compact element and a writer, with limits; nothing of XMPP.
mod element;
mod error;
mod framer;
mod limits;
mod writer;

pub use element::{Attribute, Element, ElementBuilder, Node};
pub use error::{Error, Limit};
pub use framer::{Child, Frame, Framer, Outline, RawElement};
pub use limits::Limits;
pub use writer::{escape_attribute, escape_text};
