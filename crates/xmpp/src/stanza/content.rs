//! What a stanza shares with its clones: the text as it came, what was added to it, and where everything stands.

use crate::ns;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;
use stentor_xml::{Child, Element, RawElement};

/// Which of a content's texts a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Received,
    Added,
}

/// A range of one of a content's texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    source: Source,
    start: u32,
    end: u32,
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

/// A position in a stanza, which the framer's limits keep far below 2^32.
fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Content {
    /// The content of an element whose start tag has no prefix; id, lang and attributes are still to be set.
    pub(super) fn new(raw: &RawElement<'_>) -> Self {
        let mut content = Self { received: Some(raw.bytes.into()), ..Self::default() };
        let inherited = raw.default_namespace();
        for child in raw.children() {
            // By content or by place: what the stream calls its content is `jabber:client` when it is sent on.
            let is_inherited = child.namespace == ns::CLIENT || child.namespace == inherited;
            let namespace = (!is_inherited).then(|| content.part(raw, child.namespace));
            let entry = ChildSpans {
                bytes: content.part(raw, child.bytes),
                name: content.part(raw, child.name),
                namespace,
            };
            content.children.push(entry);
        }
        if !raw.content().is_empty() {
            let payload = content.part(raw, raw.content());
            content.payload.push(payload);
        }
        for (prefix, namespace) in raw.used_declarations() {
            let declaration = (content.part(raw, prefix), content.part(raw, namespace));
            content.declarations.push(declaration);
        }
        content
    }

    /// Where some text of the element stands, which is added if it does not stand there as it is.
    pub(super) fn part(&mut self, raw: &RawElement<'_>, text: &str) -> Span {
        match raw.range_of(text) {
            Some(Range { start, end }) => {
                Span { source: Source::Received, start: position(start), end: position(end) }
            }
            None => self.add(text),
        }
    }

    fn add(&mut self, text: &str) -> Span {
        self.add_with(|added| added.push_str(text))
    }

    /// The span of what `write` appends.
    pub(super) fn add_with(&mut self, write: impl FnOnce(&mut String)) -> Span {
        let start = position(self.added.len());
        write(&mut self.added);
        Span { source: Source::Added, start, end: position(self.added.len()) }
    }

    fn str(&self, span: Span) -> &str {
        let source = match span.source {
            Source::Received => self.received.as_deref().unwrap_or_default(),
            Source::Added => &self.added,
        };
        source.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.map(|span| self.str(span))
    }

    pub(super) fn lang(&self) -> Option<&str> {
        self.lang.map(|span| self.str(span))
    }

    /// Other attributes, ready to be written.
    pub(super) fn attributes(&self) -> &str {
        self.attributes.map(|span| self.str(span)).unwrap_or_default()
    }

    /// Prefixes that must be declared, with their namespaces.
    pub(super) fn declarations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.declarations.iter().map(|&(prefix, namespace)| (self.str(prefix), self.str(namespace)))
    }

    /// What stands between the tags, in order.
    pub(super) fn payload(&self) -> impl Iterator<Item = &str> {
        self.payload.iter().map(|&span| self.str(span))
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
            let parts = [Span { end: hole.start, ..around }, Span { start: hole.end, ..around }];
            let left = parts.into_iter().filter(|part| part.start < part.end);
            self.payload.insert_many(place, left.collect::<SmallVec<[Span; 2]>>());
        }
    }
}

impl Span {
    fn contains(self, other: Self) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
}
