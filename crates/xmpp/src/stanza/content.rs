//! What a stanza shares with its clones: the text as it came, what was added to it, and where everything stands.

use crate::ns;
use smallvec::SmallVec;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use stentor_xml::{Child, Element, RawElement, escape_attribute_to};

/// A range of one of a content's texts, in eight bytes, also where it is optional.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The highest bit tells which text it is of.
    start: u32,
    /// One more than its end.
    end: NonZeroU32,
}

/// In `start`: of the text that was added.
const ADDED: u32 = 1 << 31;

impl Span {
    /// Of the text that was received.
    pub(super) fn new(range: Range<usize>) -> Self {
        Self { start: position(range.start), end: NonZeroU32::MIN.saturating_add(position(range.end)) }
    }

    fn added(range: Range<usize>) -> Self {
        let span = Self::new(range);
        Self { start: span.start | ADDED, ..span }
    }

    const fn is_added(self) -> bool {
        self.start & ADDED != 0
    }

    const fn range(self) -> Range<usize> {
        (self.start & !ADDED) as usize..self.end.get() as usize - 1
    }

    fn contains(self, other: Self) -> bool {
        self.is_added() == other.is_added() && self.start <= other.start && other.end <= self.end
    }

    /// What is left of it without a span that it contains.
    fn without(self, hole: Self) -> impl Iterator<Item = Self> {
        let parts = [self.range().start..hole.range().start, hole.range().end..self.range().end];
        let span = move |range| if self.is_added() { Self::added(range) } else { Self::new(range) };
        parts.into_iter().filter(|part| !part.is_empty()).map(span)
    }
}

/// An entry of the index of first-level children.
#[derive(Clone, Copy, Debug)]
struct ChildSpans {
    bytes: Span,
    name: Span,
    /// `None` is `jabber:client`, the default namespace of what is written.
    namespace: Option<Span>,
}

/// All of a stanza but its addresses and its type.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// The whole element as it was received, start tag included: one copy, of its exact size.
    received: Option<Arc<str>>,
    /// Children that were added, and whatever of the header does not stand in `received` as it is meant.
    added: String,
    /// What stands between the tags, in order.
    payload: SmallVec<[Span; 2]>,
    children: SmallVec<[ChildSpans; 4]>,
    id: Option<Span>,
    lang: Option<Span>,
    /// Other attributes, ready to be written.
    attributes: Option<Span>,
    /// Prefixes with their namespaces that attributes and payload need.
    declarations: Vec<(Span, Span)>,
}

/// A position in a stanza, which the framer's limits keep far below 2^31.
fn position(length: usize) -> u32 {
    u32::try_from(length).map_or(ADDED - 1, |position| position & !ADDED)
}

impl Content {
    /// Takes up an element whose start tag has no prefix; id, lang and attributes are still to be set.
    pub(super) fn take_up(&mut self, raw: &RawElement<'_>) {
        self.received = Some(raw.bytes.into());
        // What inherits the stream's content namespace is in `jabber:client` when it is sent on; so is what declares it.
        for child in raw.child_ranges() {
            let namespace = child.namespace.filter(|&namespace| namespace != ns::CLIENT);
            let namespace = namespace.map(|namespace| self.part(raw, namespace));
            let (bytes, name) = (Span::new(child.bytes), Span::new(child.name));
            self.children.push(ChildSpans { bytes, name, namespace });
        }
        let content = raw.content_range();
        if !content.is_empty() {
            self.payload.push(Span::new(content));
        }
        for (prefix, namespace) in raw.used_declarations() {
            let declaration = (self.part(raw, prefix), self.part(raw, namespace));
            self.declarations.push(declaration);
        }
    }

    /// Where a name of the element, or a namespace, stands, which is added if it does not stand there as it is.
    pub(super) fn part(&mut self, raw: &RawElement<'_>, text: &str) -> Span {
        match raw.range_of(text) {
            Some(range) => Span::new(range),
            None => self.add(text),
        }
    }

    pub(super) fn add(&mut self, text: &str) -> Span {
        self.add_with(|added| added.push_str(text))
    }

    /// The span of what `write` appends.
    pub(super) fn add_with(&mut self, write: impl FnOnce(&mut String)) -> Span {
        let start = self.added.len();
        write(&mut self.added);
        Span::added(start..self.added.len())
    }

    fn source(&self, span: Span) -> &str {
        let received = self.received.as_deref().unwrap_or_default();
        if span.is_added() { &self.added } else { received }
    }

    fn str(&self, span: Span) -> &str {
        self.source(span).get(span.range()).unwrap_or_default()
    }

    /// Appends the identifier and the language, as attributes.
    pub(super) fn write_id_and_lang(&self, out: &mut Vec<u8>) {
        for (start, value) in [(" id='", self.id), (" xml:lang='", self.lang)] {
            match value {
                // What stands for itself there was not added.
                Some(span) if !span.is_added() => write_plain(start, self.bytes(span), out),
                Some(span) => write_attribute(start, self.str(span), out),
                None => {}
            }
        }
    }

    /// As `str`, without what it takes to know that it is text: for what is written on.
    fn bytes(&self, span: Span) -> &[u8] {
        self.source(span).as_bytes().get(span.range()).unwrap_or_default()
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.map(|span| self.str(span))
    }

    pub(super) fn lang(&self) -> Option<&str> {
        self.lang.map(|span| self.str(span))
    }

    /// Other attributes, ready to be written.
    pub(super) fn attributes(&self) -> &[u8] {
        self.attributes.map(|span| self.bytes(span)).unwrap_or_default()
    }

    /// Prefixes that must be declared, with their namespaces.
    pub(super) fn declarations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.declarations.iter().map(|&(prefix, namespace)| (self.str(prefix), self.str(namespace)))
    }

    /// What stands between the tags, in order.
    pub(super) fn payload(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.payload.iter().map(|&span| self.bytes(span))
    }

    pub(super) fn set_id(&mut self, id: Option<&str>) {
        self.id = id.map(|id| self.add(id));
    }

    pub(super) fn set_lang(&mut self, lang: Option<&str>) {
        self.lang = lang.map(|lang| self.add(lang));
    }

    /// Sets what was read from the start tag.
    pub(super) fn set_header(&mut self, id: Option<Span>, lang: Option<Span>, attributes: Option<Span>) {
        (self.id, self.lang, self.attributes) = (id, lang, attributes);
    }

    pub(super) fn children(&self) -> impl ExactSizeIterator<Item = Child<'_>> {
        self.children.iter().map(|child| Child {
            namespace: child.namespace.map_or(ns::CLIENT, |span| self.str(span)),
            name: self.str(child.name),
            bytes: self.str(child.bytes),
        })
    }

    /// A child as a tree.
    pub(super) fn element(&self, child: Child<'_>) -> Element {
        Element::from_validated(child.bytes, [("", ns::CLIENT)].into_iter().chain(self.declarations()))
    }

    pub(super) fn push(&mut self, child: &Element) {
        let bytes = self.add_with(|added| child.write_to(ns::CLIENT, added));
        let name = self.add(child.name());
        let namespace = (child.namespace() != ns::CLIENT).then(|| self.add(child.namespace()));
        self.children.push(ChildSpans { bytes, name, namespace });
        self.payload.push(bytes);
    }

    /// Removes the children that are marked, by their place.
    pub(super) fn remove(&mut self, marks: &[bool]) {
        let mut marks = marks.iter();
        let mut cut = SmallVec::<[Span; 4]>::new();
        self.children.retain(|child| {
            let is_cut = marks.next().is_some_and(|&mark| mark);
            if is_cut {
                cut.push(child.bytes);
            }
            !is_cut
        });
        for hole in cut {
            let Some(place) = self.payload.iter().position(|span| span.contains(hole)) else { continue };
            let around = self.payload.remove(place);
            self.payload.insert_many(place, around.without(hole).collect::<SmallVec<[Span; 2]>>());
        }
        if self.children.is_empty() && self.attributes.is_none() {
            self.declarations.clear();
        }
    }
}

/// [`write_attribute`], where nothing must be escaped.
pub(super) fn write_plain(start: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(start.as_bytes());
    out.extend_from_slice(value);
    out.push(b'\'');
}

/// Appends an attribute from its name on, with what begins its value.
pub(super) fn write_attribute(start: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(start.as_bytes());
    escape_attribute_to(value, out);
    out.push(b'\'');
}
