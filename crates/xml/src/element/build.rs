//! Building elements: from validated text, from nodes, by hand.

use super::{AttributeData, Element, Node, NodeData, Range};
use crate::{XML_NS, char_class, unescape};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Prefix, PrefixDeclaration};
use std::iter;

/// Builds an element:
///
/// ```
/// use stentor_xml::ElementBuilder;
/// let query = ElementBuilder::new("query", "jabber:iq:roster")
///     .attr("ver", "3")
///     .open("item", "jabber:iq:roster")
///     .attr("jid", "romeo@example.net")
///     .close()
///     .build();
/// let mut out = String::new();
/// query.write_to("jabber:client", &mut out);
/// assert_eq!(out, "<query xmlns='jabber:iq:roster' ver='3'><item jid='romeo@example.net'/></query>");
/// ```
///
/// Names are given by the program and must be names; characters in values and text that XML cannot carry are written
/// as U+FFFD.
#[derive(Debug)]
pub struct ElementBuilder {
    builder: Builder,
}

impl ElementBuilder {
    /// Begins an element.
    #[must_use]
    pub fn new(name: &str, namespace: &str) -> Self {
        let mut builder = Builder::default();
        debug_assert!(char_class::is_ncname(name), "{name:?} is no name");
        builder.open(name, namespace);
        Self { builder }
    }

    /// Sets an attribute without namespace, or `xml:lang`, of the element that is open.
    #[must_use]
    pub fn attr(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let (namespace, local) = name.strip_prefix("xml:").map_or(("", name), |local| (XML_NS, local));
        debug_assert!(char_class::is_ncname(local) && name != "xmlns", "{name:?} is no attribute's name");
        self.builder.set_attribute(namespace, local, value.as_ref());
        self
    }

    /// Begins a child; everything until its `close` is inside it.
    #[must_use]
    pub fn open(mut self, name: &str, namespace: &str) -> Self {
        debug_assert!(char_class::is_ncname(name), "{name:?} is no name");
        self.builder.open(name, namespace);
        self
    }

    /// Ends the child that is open.
    #[must_use]
    pub fn close(mut self) -> Self {
        if self.builder.open.len() > 1 {
            self.builder.close();
        }
        self
    }

    /// Appends text to the element that is open.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.builder.text(text);
        self
    }

    /// Appends a copy of an element as a child.
    #[must_use]
    pub fn child(mut self, child: Node<'_>) -> Self {
        self.builder.copy(child);
        self
    }

    /// Closes whatever is open.
    #[must_use]
    pub fn build(self) -> Element {
        self.builder.finish()
    }
}

/// An element being built, in document order.
#[derive(Debug)]
pub(super) struct Builder {
    element: Element,
    /// Indexes of the elements that are open.
    open: Vec<usize>,
    /// The last node is text of the innermost open element.
    is_in_text: bool,
}

impl Default for Builder {
    fn default() -> Self {
        let element = Element { nodes: Vec::new(), attributes: Vec::new(), text: String::new() };
        Self { element, open: Vec::new(), is_in_text: false }
    }
}

/// Arena indexes: limits keep what is read below 2^31 bytes; what a program builds is far smaller.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Builder {
    fn keep(&mut self, text: &str) -> Range {
        let start = index(self.element.text.len());
        self.element.text.push_str(text);
        Range { start, end: index(self.element.text.len()) }
    }

    /// Keeps a namespace, which is most often that of the element around.
    fn keep_namespace(&mut self, namespace: &str) -> Range {
        let around = self.open.last().map(|&parent| self.element.node(parent).namespace);
        match around {
            Some(range) if self.element.str(range) == namespace => range,
            _ => self.keep(namespace),
        }
    }

    pub(super) fn open(&mut self, name: &str, namespace: &str) {
        let namespace = self.keep_namespace(namespace);
        self.open_in(name, namespace);
    }

    fn open_in(&mut self, name: &str, namespace: Range) {
        let name = self.keep(name);
        let attributes = index(self.element.attributes.len());
        self.open.push(self.element.nodes.len());
        self.is_in_text = false;
        self.element.nodes.push(NodeData {
            name,
            namespace,
            attributes: Range { start: attributes, end: attributes },
            end: 0,
            is_text: false,
        });
    }

    pub(super) fn close(&mut self) {
        let end = index(self.element.nodes.len());
        if let Some(node) = self.open.pop().and_then(|opened| self.element.nodes.get_mut(opened)) {
            node.end = end;
        }
        self.is_in_text = false;
    }

    pub(super) fn text(&mut self, text: &str) {
        if text.is_empty() || self.open.is_empty() {
            return;
        }
        let range = self.keep(text);
        match self.element.nodes.last_mut() {
            Some(last) if self.is_in_text => last.name.end = range.end,
            _ => {
                let end = index(self.element.nodes.len() + 1);
                self.element.nodes.push(NodeData { name: range, end, ..super::TEXT_BY_DEFAULT });
                self.is_in_text = true;
            }
        }
    }

    /// Adds an attribute to the element that was opened last.
    fn add_attribute(&mut self, namespace: &str, name: &str, value: &str) {
        let namespace = if namespace.is_empty() { Range::default() } else { self.keep(namespace) };
        self.add_attribute_in(namespace, name, value);
    }

    fn add_attribute_in(&mut self, namespace: Range, name: &str, value: &str) {
        let (name, value) = (self.keep(name), self.keep(value));
        self.element.attributes.push(AttributeData { namespace, name, value });
        if let Some(node) = self.open.last().and_then(|&opened| self.element.nodes.get_mut(opened)) {
            node.attributes.end = index(self.element.attributes.len());
        }
        self.is_in_text = false;
    }

    /// Sets an attribute of the innermost open element, which may have children already.
    fn set_attribute(&mut self, namespace: &str, name: &str, value: &str) {
        let Some(&opened) = self.open.last() else { return };
        let node = Node { element: &self.element, index: opened };
        let range = node.data().attributes;
        let same = node.attributes().position(|a| a.name == name && a.namespace == namespace);
        if let Some(position) = same {
            let value = self.keep(value);
            self.is_in_text = false;
            if let Some(attribute) = self.element.attributes.get_mut(range.start as usize + position) {
                attribute.value = value;
            }
            return;
        }
        if range.end as usize == self.element.attributes.len() {
            return self.add_attribute(namespace, name, value);
        }
        let namespace = if namespace.is_empty() { Range::default() } else { self.keep(namespace) };
        let data = AttributeData { namespace, name: self.keep(name), value: self.keep(value) };
        self.is_in_text = false;
        self.element.attributes.insert(range.end as usize, data);
        for (position, node) in self.element.nodes.iter_mut().enumerate().skip(opened) {
            node.attributes.end += u32::from(!node.is_text);
            node.attributes.start += u32::from(!node.is_text && position != opened);
        }
    }

    /// Appends a copy of an element and all that is in it.
    pub(super) fn copy(&mut self, source: Node<'_>) {
        let around = self.open.len();
        let mut ends = Vec::new();
        let element = source.element;
        for position in source.index..source.data().end as usize {
            while ends.last().is_some_and(|&end| end <= position) {
                ends.pop();
                self.close();
            }
            let node = Node { element, index: position };
            if node.data().is_text {
                self.text(node.name());
                continue;
            }
            self.open(node.name(), node.namespace());
            for attribute in node.attributes() {
                self.add_attribute(attribute.namespace, attribute.name, attribute.value);
            }
            ends.push(node.data().end as usize);
        }
        while self.open.len() > around {
            self.close();
        }
    }

    /// Closes whatever is open.
    pub(super) fn finish(mut self) -> Element {
        while !self.open.is_empty() {
            self.close();
        }
        self.element
    }
}

impl Element {
    /// Builds an element from text that a framer gave out, without looking again at what that has checked. `around`
    /// is what is declared around it, as prefix and namespace; an empty prefix is the default namespace. From any
    /// other text some element is built, or an empty one.
    pub fn from_validated<'a>(xml: &str, around: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::from_validated_in(xml, iter::once(("xml", XML_NS)).chain(around))
    }

    /// Builds the element that some text begins with, which the scanner has validated; a start tag alone will do.
    /// `outer` is what is declared around it, `xml` included.
    pub(crate) fn from_validated_in<'a>(xml: &str, outer: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut scope = Scope::default();
        let mut builder = Builder::default();
        for (prefix, namespace) in outer {
            scope.declarations.push((builder.keep(prefix), builder.keep(namespace)));
        }
        let mut reader = Reader::from_str(xml);
        // The scanner has compared them.
        reader.config_mut().check_end_names = false;
        while let Ok(event) = reader.read_event() {
            match event {
                Event::Start(start) => scope.open(&start, &mut builder),
                Event::Empty(start) => {
                    scope.open(&start, &mut builder);
                    scope.close(&mut builder);
                }
                Event::End(_) => scope.close(&mut builder),
                Event::Text(text) => builder.text(&unescape::text(&text)),
                Event::CData(text) => builder.text(&unescape::cdata(&text)),
                Event::GeneralRef(name) => builder.text(&unescape::text(&format!("&{};", &*name))),
                Event::Eof => break,
                // The scanner lets through none of them.
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
            }
        }
        builder.finish()
    }
}

/// What prefixes stand for while an element is built from text.
#[derive(Default)]
struct Scope {
    /// Prefixes and namespaces, in the text of the element being built.
    declarations: Vec<(Range, Range)>,
    /// How many there were around each open element.
    marks: Vec<usize>,
}

impl Scope {
    fn open(&mut self, start: &BytesStart<'_>, builder: &mut Builder) {
        self.marks.push(self.declarations.len());
        let mut attributes = start.attributes();
        attributes.with_checks(false);
        for attribute in attributes.clone().flatten() {
            let prefix = match attribute.key.as_namespace_binding() {
                Some(PrefixDeclaration::Default) => "",
                Some(PrefixDeclaration::Named(prefix)) => prefix,
                None => continue,
            };
            let namespace = builder.keep(&unescape::attribute(&attribute.value));
            self.declarations.push((builder.keep(prefix), namespace));
        }
        let (name, prefix) = start.name().decompose();
        let namespace = self.resolve(prefix.map_or("", Prefix::into_inner), builder);
        builder.open_in(name.into_inner(), namespace);
        for attribute in attributes.flatten().filter(|a| a.key.as_namespace_binding().is_none()) {
            let (name, prefix) = attribute.key.decompose();
            let namespace =
                prefix.map(|prefix| self.resolve(prefix.into_inner(), builder)).unwrap_or_default();
            builder.add_attribute_in(namespace, name.into_inner(), &unescape::attribute(&attribute.value));
        }
    }

    fn close(&mut self, builder: &mut Builder) {
        self.declarations.truncate(self.marks.pop().unwrap_or_default());
        builder.close();
    }

    fn resolve(&self, prefix: &str, builder: &Builder) -> Range {
        let found = self.declarations.iter().rfind(|(declared, _)| builder.element.str(*declared) == prefix);
        found.map(|&(_, namespace)| namespace).unwrap_or_default()
    }
}
