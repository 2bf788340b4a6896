//! Contract; the implementation follows.
/// An element with all that is in it, in one arena: no recursion to read, write or drop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {}
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> { pub namespace: &'a str, pub name: &'a str, pub value: &'a str }
/// A borrowed view of an element inside an `Element`.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> { _e: &'a Element }
/// Builds an element: `ElementBuilder::new("query", "jabber:iq:roster").attr("ver", "3").open("item", ns).attr(..).close().text("x").build()`.
#[derive(Debug)]
pub struct ElementBuilder {}
impl Element {
    /// Parses one element (no prolog) with the same strictness as the framer. `default_ns` is the namespace in scope.
    pub fn parse(xml: &str, default_ns: &str) -> Result<Self, crate::Error> { let _ = (xml, default_ns); todo!() }
    pub fn root(&self) -> Node<'_> { todo!() }
    pub fn name(&self) -> &str { todo!() }
    pub fn namespace(&self) -> &str { todo!() }
    pub fn is(&self, name: &str, namespace: &str) -> bool { let _ = (name, namespace); todo!() }
    pub fn attribute(&self, name: &str) -> Option<&str> { let _ = name; todo!() }
    pub fn children(&self) -> impl Iterator<Item = Node<'_>> { std::iter::empty() }
    pub fn child(&self, name: &str, namespace: &str) -> Option<Node<'_>> { let _ = (name, namespace); todo!() }
    /// Text directly in it, concatenated.
    pub fn text(&self) -> String { todo!() }
    /// Appends it to `out`, correct where `default_ns` is the default namespace in scope and no prefix is declared.
    pub fn write_to(&self, default_ns: &str, out: &mut String) { let _ = (default_ns, out); todo!() }
}
impl<'a> Node<'a> {
    pub fn name(self) -> &'a str { todo!() }
    pub fn namespace(self) -> &'a str { todo!() }
    pub fn is(self, name: &str, namespace: &str) -> bool { let _ = (name, namespace); todo!() }
    pub fn attribute(self, name: &str) -> Option<&'a str> { let _ = name; todo!() }
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'a>> { std::iter::empty() }
    pub fn children(self) -> impl Iterator<Item = Node<'a>> { std::iter::empty() }
    pub fn child(self, name: &str, namespace: &str) -> Option<Node<'a>> { let _ = (name, namespace); todo!() }
    pub fn text(self) -> String { todo!() }
    pub fn write_to(self, default_ns: &str, out: &mut String) { let _ = (default_ns, out); todo!() }
    pub fn to_element(self) -> Element { todo!() }
}
impl ElementBuilder {
    pub fn new(name: &str, namespace: &str) -> Self { let _ = (name, namespace); todo!() }
    pub fn attr(self, name: &str, value: impl AsRef<str>) -> Self { let _ = (name, value); todo!() }
    /// Begins a child; everything until its `close` is inside it.
    pub fn open(self, name: &str, namespace: &str) -> Self { let _ = (name, namespace); todo!() }
    pub fn close(self) -> Self { todo!() }
    pub fn text(self, text: &str) -> Self { let _ = text; todo!() }
    /// Appends a copy of an element as a child.
    pub fn child(self, child: Node<'_>) -> Self { let _ = child; todo!() }
    /// Closes whatever is open.
    pub fn build(self) -> Element { todo!() }
}
