//! A tree for what must be looked into: in one arena, so that nothing recurses over its depth.

mod build;
mod write;

use crate::framer::{Frame, Framer};
use crate::{Error, Limits};
pub use build::ElementBuilder;

/// A range of an element's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    start: u32,
    end: u32,
}

/// An element or a run of text. Nodes stand in document order.
#[derive(Clone, Copy, Debug)]
struct NodeData {
    /// Local name, or the text itself.
    name: Range,
    namespace: Range,
    /// Indexes of its attributes.
    attributes: Range,
    /// Index of the first node behind it and all that is in it.
    end: u32,
    is_text: bool,
}

#[derive(Clone, Copy, Debug)]
struct AttributeData {
    namespace: Range,
    name: Range,
    value: Range,
}

/// An element with all that is in it, in one arena: no recursion to read, write or drop it.
///
/// Two are equal if a reader could not tell them apart: prefixes and the order of attributes do not count.
#[derive(Clone, Debug)]
pub struct Element {
    nodes: Vec<NodeData>,
    attributes: Vec<AttributeData>,
    text: String,
}

/// An attribute with its value unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its namespace; empty if it has none.
    pub namespace: &'a str,
    /// Its local name.
    pub name: &'a str,
    /// Its value, unescaped.
    pub value: &'a str,
}

/// A borrowed view of an element inside an `Element`.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    element: &'a Element,
    index: usize,
}

/// What can be in an element.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// An element.
    Element(Node<'a>),
    /// All text between two tags.
    Text(&'a str),
}

const TEXT_BY_DEFAULT: NodeData = NodeData {
    name: Range { start: 0, end: 0 },
    namespace: Range { start: 0, end: 0 },
    attributes: Range { start: 0, end: 0 },
    end: 0,
    is_text: true,
};

impl Element {
    /// Parses one element (no prolog) with the same strictness as the framer. `default_ns` is the namespace in scope.
    ///
    /// # Errors
    /// What is wrong with the text, or with what stands behind the element; the limits are those of
    /// [`Limits::STORED`].
    pub fn parse(xml: &str, default_ns: &str) -> Result<Self, Error> {
        let mut framer = Framer::fragments(Limits::STORED, default_ns);
        let mut input = xml.as_bytes();
        let element = match framer.next(&mut input)? {
            Some(Frame::Element(raw)) => raw.to_element(),
            _ => return Err(Error::NotWellFormed(xml.len() as u64)),
        };
        let is_alone = framer.next(&mut input)?.is_none() && !framer.is_partial();
        if is_alone { Ok(element) } else { Err(Error::NotWellFormed(xml.len() as u64)) }
    }

    /// The element itself as a node.
    #[must_use]
    pub const fn root(&self) -> Node<'_> {
        Node { element: self, index: 0 }
    }

    /// Its local name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root().name()
    }

    /// Its namespace; empty if it has none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.root().namespace()
    }

    /// Whether local name and namespace are these.
    #[must_use]
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.root().is(name, namespace)
    }

    /// Value of an attribute without namespace.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.root().attribute(name)
    }

    /// Elements directly in it.
    pub fn children(&self) -> impl Iterator<Item = Node<'_>> {
        self.root().children()
    }

    /// The first element directly in it with this name.
    #[must_use]
    pub fn child(&self, name: &str, namespace: &str) -> Option<Node<'_>> {
        self.root().child(name, namespace)
    }

    /// Text directly in it, concatenated.
    #[must_use]
    pub fn text(&self) -> String {
        self.root().text()
    }

    /// The same with one namespace for another, of elements and attributes.
    #[must_use]
    pub fn with_namespace(mut self, from: &str, to: &str) -> Self {
        if from == to {
            return self;
        }
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.push_str(to);
        let to = Range { start, end: u32::try_from(self.text.len()).unwrap_or(u32::MAX) };
        let text = &self.text;
        let is_from = |range: &Range| text.get(range.start as usize..range.end as usize) == Some(from);
        let nodes = self.nodes.iter_mut().filter(|node| !node.is_text).map(|node| &mut node.namespace);
        // An attribute without namespace is in none, not in an empty one that could be renamed.
        let attributes = self.attributes.iter_mut().map(|attribute| &mut attribute.namespace);
        let attributes = attributes.filter(|range| range.start < range.end);
        for namespace in nodes.chain(attributes).filter(|range| is_from(range)) {
            *namespace = to;
        }
        self
    }

    fn node(&self, index: usize) -> &NodeData {
        self.nodes.get(index).unwrap_or(&TEXT_BY_DEFAULT)
    }

    fn str(&self, range: Range) -> &str {
        self.text.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

impl<'a> Node<'a> {
    fn data(self) -> &'a NodeData {
        self.element.node(self.index)
    }

    /// Its local name.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.element.str(self.data().name)
    }

    /// Its namespace; empty if it has none.
    #[must_use]
    pub fn namespace(self) -> &'a str {
        self.element.str(self.data().namespace)
    }

    /// Whether local name and namespace are these.
    #[must_use]
    pub fn is(self, name: &str, namespace: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// Value of an attribute without namespace.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'a str> {
        self.attribute_in("", name)
    }

    /// Value of an attribute in a namespace.
    #[must_use]
    pub fn attribute_in(self, namespace: &str, name: &str) -> Option<&'a str> {
        self.attributes().find(|a| a.name == name && a.namespace == namespace).map(|a| a.value)
    }

    /// Its attributes.
    pub fn attributes(self) -> impl ExactSizeIterator<Item = Attribute<'a>> + use<'a> {
        let element = self.element;
        let range = self.data().attributes;
        let attributes = element.attributes.get(range.start as usize..range.end as usize).unwrap_or_default();
        attributes.iter().map(|a| Attribute {
            namespace: element.str(a.namespace),
            name: element.str(a.name),
            value: element.str(a.value),
        })
    }

    /// Nodes directly in it, by index.
    fn nodes(self) -> impl Iterator<Item = (usize, &'a NodeData)> + use<'a> {
        let element = self.element;
        let end = self.data().end as usize;
        let mut next = self.index + 1;
        std::iter::from_fn(move || {
            let index = next;
            let node = (index < end).then(|| element.node(index))?;
            next = (node.end as usize).max(index + 1);
            Some((index, node))
        })
    }

    /// What is directly in it, in order.
    pub fn content(self) -> impl Iterator<Item = Content<'a>> + use<'a> {
        let element = self.element;
        self.nodes().map(move |(index, node)| match node.is_text {
            true => Content::Text(element.str(node.name)),
            false => Content::Element(Self { element, index }),
        })
    }

    /// Elements directly in it.
    pub fn children(self) -> impl Iterator<Item = Self> + use<'a> {
        let element = self.element;
        self.nodes().filter(|(_, node)| !node.is_text).map(move |(index, _)| Self { element, index })
    }

    /// The first element directly in it with this name.
    #[must_use]
    pub fn child(self, name: &str, namespace: &str) -> Option<Self> {
        self.children().find(|child| child.is(name, namespace))
    }

    /// Text directly in it, concatenated.
    #[must_use]
    pub fn text(self) -> String {
        let mut text = String::new();
        for (_, node) in self.nodes().filter(|(_, node)| node.is_text) {
            text.push_str(self.element.str(node.name));
        }
        text
    }

    /// A copy of it that stands alone.
    #[must_use]
    pub fn to_element(self) -> Element {
        let mut builder = build::Builder::default();
        builder.copy(self);
        builder.finish()
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |index: usize| {
            let (a, b) = (Node { element: self, index }, Node { element: other, index });
            a.data().is_text == b.data().is_text
                && a.data().end == b.data().end
                && a.is(b.name(), b.namespace())
                && a.attributes().len() == b.attributes().len()
                && a.attributes().all(|x| b.attributes().any(|y| x == y))
        };
        self.nodes.len() == other.nodes.len() && (0..self.nodes.len()).all(is_same)
    }
}

impl Eq for Element {}

#[cfg(test)]
mod tests;
