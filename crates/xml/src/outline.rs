//! What the scanner notes of an element while reading it: the start tag and the first-level children.

use crate::element::Element;
use crate::{XML_NS, unescape};
use std::borrow::Cow;
use std::ops::Range;

/// A range of an element's bytes, or of the outline's own text (the stream header's declarations, and names of
/// namespaces that were written with references).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

const IN_TEXT: u32 = 1 << 31;

impl Span {
    /// A range of the element's bytes, which limits keep below 2^31.
    #[expect(clippy::cast_possible_truncation, reason = "limits.rs asserts that positions have 31 bits")]
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// A range of the outline's own text.
    pub(crate) const fn in_text(start: usize, end: usize) -> Self {
        let span = Self::new(start, end);
        Self { start: span.start | IN_TEXT, end: span.end }
    }

    pub(crate) const fn start(self) -> usize {
        (self.start & !IN_TEXT) as usize
    }

    pub(crate) const fn end(self) -> usize {
        self.end as usize
    }

    const fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.start() == self.end()
    }

    /// The bytes meant, of an element's bytes and the outline's text.
    #[inline]
    pub(crate) fn of<'a>(self, bytes: &'a [u8], text: &'a str) -> &'a [u8] {
        let source = if self.start & IN_TEXT == 0 { bytes } else { text.as_bytes() };
        source.get(self.start()..self.end()).unwrap_or_default()
    }

    /// The text meant, of an element's text and the outline's.
    #[inline]
    pub(crate) fn str_of<'a>(self, bytes: &'a str, text: &'a str) -> &'a str {
        let source = if self.start & IN_TEXT == 0 { bytes } else { text };
        source.get(self.start()..self.end()).unwrap_or_default()
    }
}

/// A qualified name, split at its colon.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QName {
    pub(crate) prefix: Span,
    pub(crate) local: Span,
}

/// An attribute that is no namespace declaration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeSpans {
    pub(crate) name: QName,
    pub(crate) namespace: Span,
    pub(crate) value: Span,
    pub(crate) is_plain: bool,
}

/// A namespace declaration in scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) prefix: Span,
    pub(crate) namespace: Span,
    /// Something inside the element, or one of its attributes, depends on this declaration.
    pub(crate) is_used: bool,
}

impl AttributeSpans {
    pub(crate) const fn name_start(&self) -> usize {
        if self.name.prefix.is_empty() { self.name.local.start() } else { self.name.prefix.start() }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ChildSpans {
    pub(crate) name: Span,
    pub(crate) namespace: Span,
    pub(crate) bytes: Span,
}

/// Start tag and first-level children of an element, found in the one pass.
#[derive(Debug, Default)]
pub struct Outline {
    pub(crate) name: QName,
    pub(crate) namespace: Span,
    pub(crate) attributes: Vec<AttributeSpans>,
    pub(crate) children: Vec<ChildSpans>,
    /// The declarations of the stream header, then those of the element. While the element is being read, those of
    /// the open elements inside it follow.
    pub(crate) bindings: Vec<Binding>,
    /// How many of `bindings` stand outside the element.
    pub(crate) inherited: usize,
    /// The namespace of unprefixed elements in the element's content.
    pub(crate) default_namespace: Span,
    pub(crate) content: Span,
    pub(crate) text: String,
}

/// A validated element as the bytes it was, with its outline. Borrowed from the input or the framer.
#[derive(Clone, Copy, Debug)]
pub struct RawElement<'a> {
    /// From `<` to `>`; of a stream header the start tag only.
    pub bytes: &'a str,
    /// What was noted while reading.
    pub outline: &'a Outline,
}

/// A first-level child in an outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child<'a> {
    /// Its namespace; empty if it has none.
    pub namespace: &'a str,
    /// Its local name.
    pub name: &'a str,
    /// The whole child as it was written; it may need declarations of its parent.
    pub bytes: &'a str,
}

/// Where a first-level child stands in its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildRanges<'a> {
    /// The whole child.
    pub bytes: Range<usize>,
    /// Its local name.
    pub name: Range<usize>,
    /// Its namespace, unless it is in the default namespace that its parent's content has.
    pub namespace: Option<&'a str>,
}

impl Child<'_> {
    /// Whether name and namespace are these.
    #[must_use]
    #[inline]
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && self.namespace == namespace
    }
}

/// An attribute of an element's start tag.
#[derive(Clone, Copy, Debug)]
pub struct RawAttribute<'a> {
    element: RawElement<'a>,
    spans: &'a AttributeSpans,
}

impl<'a> RawAttribute<'a> {
    /// The prefix as it was written; empty if there is none.
    #[must_use]
    #[inline]
    pub fn prefix(&self) -> &'a str {
        self.element.str(self.spans.name.prefix)
    }

    /// Its namespace; empty if it has none, which is so without a prefix only.
    #[must_use]
    #[inline]
    pub fn namespace(&self) -> &'a str {
        self.element.str(self.spans.namespace)
    }

    /// Its local name.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &'a str {
        self.element.str(self.spans.name.local)
    }

    /// What stood between the quotes: escaped for either quote or for one only.
    #[must_use]
    #[inline]
    pub fn raw(&self) -> &'a str {
        self.element.str(self.spans.value)
    }

    /// The local name's bytes, if it has no namespace: what is cheapest to compare.
    #[must_use]
    #[inline]
    pub fn plain_name(&self) -> Option<&'a [u8]> {
        let name = self.spans.name;
        name.prefix.is_empty().then(|| self.element.bytes_of(name.local))
    }

    /// The value, unescaped.
    #[must_use]
    #[inline]
    pub fn value(&self) -> Cow<'a, str> {
        if self.spans.is_plain { Cow::Borrowed(self.raw()) } else { unescape::attribute(self.raw()) }
    }

    /// Where in the element's bytes the value stands, if it stands for itself: there is nothing to unescape in it, nor to
    /// escape where it is written again, between quotes of either kind.
    #[must_use]
    #[inline]
    pub fn value_range(&self) -> Option<Range<usize>> {
        self.spans.is_plain.then(|| self.spans.value.range())
    }
}

impl<'a> RawElement<'a> {
    #[inline]
    fn str(&self, span: Span) -> &'a str {
        span.str_of(self.bytes, &self.outline.text)
    }

    /// As `str`, without what it takes to know that it is text.
    #[inline]
    fn bytes_of(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes.as_bytes(), &self.outline.text)
    }

    /// Local name of the element.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &'a str {
        self.str(self.outline.name.local)
    }

    /// Namespace of the element; empty if it has none.
    #[must_use]
    #[inline]
    pub fn namespace(&self) -> &'a str {
        self.str(self.outline.namespace)
    }

    /// The element's prefix as it was written; empty if there is none.
    #[must_use]
    #[inline]
    pub fn prefix(&self) -> &'a str {
        self.str(self.outline.name.prefix)
    }

    /// Whether its name was written with a prefix.
    #[must_use]
    #[inline]
    pub fn is_prefixed(&self) -> bool {
        !self.outline.name.prefix.is_empty()
    }

    /// Whether its namespace is this.
    #[must_use]
    #[inline]
    pub fn is_in(&self, namespace: &str) -> bool {
        self.bytes_of(self.outline.namespace) == namespace.as_bytes()
    }

    /// Whether local name and namespace are these.
    #[must_use]
    #[inline]
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.bytes_of(self.outline.name.local) == name.as_bytes() && self.is_in(namespace)
    }

    /// Where in [`bytes`](Self::bytes) a part of the element stands. `None` if the part is not one that this element
    /// gave out, or had to be unescaped.
    #[must_use]
    #[inline]
    pub fn range_of(&self, part: &str) -> Option<Range<usize>> {
        let start = part.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    /// Attributes in the order in which they were written, namespace declarations apart.
    #[inline]
    pub fn attributes(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        let element = *self;
        self.outline.attributes.iter().map(move |spans| RawAttribute { element, spans })
    }

    /// Unescaped value of an attribute without namespace.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.attribute_in("", name)
    }

    /// Unescaped value of an attribute in a namespace.
    #[must_use]
    pub fn attribute_in(&self, namespace: &str, name: &str) -> Option<Cow<'a, str>> {
        self.attributes().find(|a| a.name() == name && a.namespace() == namespace).map(|a| a.value())
    }

    /// The `xml:lang` of the element itself.
    #[must_use]
    pub fn lang(&self) -> Option<Cow<'a, str>> {
        self.attribute_in(XML_NS, "lang")
    }

    /// First-level children.
    #[inline]
    pub fn children(&self) -> impl ExactSizeIterator<Item = Child<'a>> + use<'a> {
        let element = *self;
        self.outline.children.iter().map(move |spans| Child {
            namespace: element.str(spans.namespace),
            name: element.str(spans.name),
            bytes: element.str(spans.bytes),
        })
    }

    /// Where in [`bytes`](Self::bytes) each first-level child stands, and its local name.
    pub fn child_ranges(&self) -> impl ExactSizeIterator<Item = ChildRanges<'a>> + use<'a> {
        let element = *self;
        self.outline.children.iter().map(move |spans| ChildRanges {
            bytes: spans.bytes.range(),
            name: spans.name.range(),
            namespace: (spans.namespace != element.outline.default_namespace)
                .then(|| element.str(spans.namespace)),
        })
    }

    /// The first child with this name.
    #[must_use]
    pub fn child(&self, name: &str, namespace: &str) -> Option<Child<'a>> {
        self.children().find(|child| child.is(name, namespace))
    }

    /// A first-level child as a tree.
    #[must_use]
    pub fn child_element(&self, name: &str, namespace: &str) -> Option<Element> {
        self.child(name, namespace).map(|child| Element::from_validated_in(child.bytes, self.declarations()))
    }

    /// What stands between the start tag and the end tag.
    #[must_use]
    #[inline]
    pub fn content(&self) -> &'a str {
        self.str(self.outline.content)
    }

    /// Where in [`bytes`](Self::bytes) the [content](Self::content) stands.
    #[must_use]
    #[inline]
    pub fn content_range(&self) -> Range<usize> {
        self.outline.content.range()
    }

    /// The namespace that an unprefixed element in the content is in.
    #[must_use]
    #[inline]
    pub fn default_namespace(&self) -> &'a str {
        self.str(self.outline.default_namespace)
    }

    /// Prefixes declared by the element or the stream header that its attributes or its content use, with their
    /// namespaces: what must be declared where they are written again. No prefix is given twice.
    #[inline]
    pub fn used_declarations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let element = *self;
        let used =
            self.outline.bindings.iter().filter(|binding| binding.is_used && !binding.prefix.is_empty());
        let used = used.map(move |binding| (element.str(binding.prefix), element.str(binding.namespace)));
        used.filter(|&(prefix, _)| prefix != "xml")
    }

    /// What the element itself declares.
    pub(crate) fn own_declarations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.declarations().skip(self.outline.inherited)
    }

    /// All that is declared at the element's content; an empty prefix is the default namespace.
    fn declarations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let element = *self;
        let bindings = self.outline.bindings.iter();
        bindings.map(move |binding| (element.str(binding.prefix), element.str(binding.namespace)))
    }

    /// The whole as a tree.
    #[must_use]
    pub fn to_element(&self) -> Element {
        Element::from_validated_in(self.bytes, self.declarations().take(self.outline.inherited))
    }
}
