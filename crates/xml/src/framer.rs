//! Contract; the implementation follows.
use crate::{Error, Limits};

/// Frames an endless stream: a header, first-level elements, the end. Any split of the input gives the same frames.
#[derive(Debug)]
pub struct Framer {}

/// What the framer found.
#[derive(Debug)]
pub enum Frame<'a> {
    /// The root's start tag (`<stream:stream ...>`). As `RawElement` with no children.
    Header(RawElement<'a>),
    /// A whole first-level element, validated.
    Element(RawElement<'a>),
    /// The root's end tag.
    End,
}

/// A validated element as the bytes it was, with its outline. Borrowed from the input or the framer.
#[derive(Debug)]
pub struct RawElement<'a> { pub bytes: &'a str, pub outline: &'a Outline }

/// Start tag and first-level children, found in the one pass. Offsets count from the element's first byte.
#[derive(Debug, Default)]
pub struct Outline {}

/// A first-level child in an outline.
#[derive(Debug, Clone, Copy)]
pub struct Child<'a> { pub namespace: &'a str, pub name: &'a str, pub bytes: &'a str }

impl<'a> RawElement<'a> {
    /// Local name and namespace (resolved) of the element.
    pub fn name(&self) -> &'a str { todo!() }
    pub fn namespace(&self) -> &'a str { todo!() }
    /// Unescaped value of an attribute without namespace.
    pub fn attribute(&self, name: &str) -> Option<std::borrow::Cow<'a, str>> { let _ = name; todo!() }
    /// First-level children.
    pub fn children(&self) -> impl Iterator<Item = Child<'a>> { std::iter::empty() }
    /// The whole as a tree.
    pub fn to_element(&self) -> crate::Element { todo!() }
}

impl Framer {
    /// A framer that expects a stream header.
    pub fn new(limits: Limits) -> Self { let _ = limits; todo!() }
    /// Other limits from the next frame on.
    pub fn set_limits(&mut self, limits: Limits) { let _ = limits; todo!() }
    /// Forgets the stream and everything read but not yet framed: a new header is expected (after TLS, after SASL).
    pub fn restart(&mut self) { todo!() }
    /// The next frame; advances `input` past what was read. `None`: all of `input` was read and more is needed.
    /// White space between stanzas is skipped (a keep-alive).
    /// # Errors
    /// What is wrong with the bytes. The framer must not be used any more.
    pub fn next<'a>(&'a mut self, input: &mut &'a [u8]) -> Result<Option<Frame<'a>>, Error> { let _ = input; todo!() }
    /// Whether a frame was begun and not finished (a time limit on slow senders hangs on this).
    pub fn is_partial(&self) -> bool { todo!() }
}
