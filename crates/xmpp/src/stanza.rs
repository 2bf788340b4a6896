//! Contract; the implementation follows. A stanza: its header read once, its payload the validated bytes that it was.
use crate::{Jid, StanzaError};
use bytes::Bytes;
use stentor_xml::{Child, Element, RawElement};
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind { Message, Presence, Iq }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType { Chat, Error, Groupchat, Headline, Normal }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceType { Available, Error, Probe, Subscribe, Subscribed, Unavailable, Unsubscribe, Unsubscribed }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IqType { Error, Get, Result, Set }
/// A message, presence or iq. Cloning shares the payload.
#[derive(Clone, Debug)]
pub struct Stanza {}
/// Why an element is no stanza that can be routed. `Stream` ends the stream; `Stanza` is answered.
#[derive(Clone, Debug)]
pub enum StanzaFault { Stream(crate::StreamError), /// The reply, addressed and ready.
    Stanza(Box<Stanza>) , /// Malformed but must not be answered (an error stanza).
    Drop }
impl Stanza {
    /// From the framer: `content_ns` is the stream's (`jabber:client`). An iq without id or type, two payloads in a get..., a malformed `to`: see `StanzaFault`.
    pub fn from_raw(raw: &RawElement<'_>, content_ns: &str) -> Result<Self, StanzaFault> { let _ = (raw, content_ns); todo!() }
    /// Parses what `write_to` wrote (store, link): one stanza in `jabber:client`.
    pub fn parse(xml: &str) -> Result<Self, stentor_xml::Error> { let _ = xml; todo!() }
    /// Built by us. `element`'s first level becomes the payload.
    pub fn message(t: MessageType) -> Self { let _ = t; todo!() }
    pub fn presence(t: PresenceType) -> Self { let _ = t; todo!() }
    pub fn iq(t: IqType, id: &str) -> Self { let _ = (t, id); todo!() }
    pub fn kind(&self) -> Kind { todo!() }
    /// Of a message; `Normal` if absent or unknown (RFC 6121 5.2.2).
    pub fn message_type(&self) -> MessageType { todo!() }
    pub fn presence_type(&self) -> PresenceType { todo!() }
    pub fn iq_type(&self) -> IqType { todo!() }
    pub fn is_error(&self) -> bool { todo!() }
    pub fn to(&self) -> Option<&Jid> { todo!() }
    pub fn from(&self) -> Option<&Jid> { todo!() }
    pub fn id(&self) -> Option<&str> { todo!() }
    pub fn lang(&self) -> Option<&str> { todo!() }
    pub fn set_to(&mut self, to: Option<Jid>) { let _ = to; todo!() }
    pub fn set_from(&mut self, from: Option<Jid>) { let _ = from; todo!() }
    pub fn set_id(&mut self, id: Option<&str>) { let _ = id; todo!() }
    pub fn set_lang(&mut self, lang: Option<&str>) { let _ = lang; todo!() }
    /// First-level children: namespace, name, bytes.
    pub fn children(&self) -> impl Iterator<Item = Child<'_>> { std::iter::empty() }
    pub fn has_child(&self, name: &str, namespace: &str) -> bool { let _ = (name, namespace); todo!() }
    /// A first-level child as a tree.
    pub fn child(&self, name: &str, namespace: &str) -> Option<Element> { let _ = (name, namespace); todo!() }
    /// The one payload of an iq get or set, as a tree.
    pub fn payload(&self) -> Option<Element> { todo!() }
    /// Text of a first-level child in `jabber:client` (`body`, `show`, `priority`), unescaped.
    pub fn text_of(&self, name: &str) -> Option<String> { let _ = name; todo!() }
    /// Appends a child.
    pub fn push(&mut self, child: &Element) { let _ = child; todo!() }
    /// Removes first-level children for which `f` holds.
    pub fn remove(&mut self, f: impl FnMut(Child<'_>) -> bool) { let _ = f; todo!() }
    /// The error that answers it: to and from swapped, id kept. `None` for an error or a result, which are never answered.
    pub fn error_reply(&self, error: StanzaError) -> Option<Self> { let _ = error; todo!() }
    /// The result of an iq: to and from swapped, id kept.
    pub fn result_reply(&self, payload: Option<&Element>) -> Self { let _ = payload; todo!() }
    /// Appends it, for a stream or store whose default namespace is `jabber:client`.
    pub fn write_to(&self, out: &mut Vec<u8>) { let _ = out; todo!() }
    pub fn to_bytes(&self) -> Bytes { todo!() }
    /// Length of what `write_to` appends, near enough for quotas.
    pub fn size(&self) -> usize { todo!() }
}
