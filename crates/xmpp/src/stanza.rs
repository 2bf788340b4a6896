//! Stanzas (RFC 6120 8): the header read once, the payload the validated bytes that it was.
//!
//! A stanza is cheap to move and to clone: its addresses and its content are shared. The content is the text that
//! the framer gave out, with an index of the first-level children, so nothing is parsed to route it; another
//! address, identifier or child changes the header or the index, and the rest of the text stays as it is.

mod content;
mod read;
mod reply;
mod write;

use crate::{Jid, ns};
use content::Content;
pub use read::StanzaFault;
use std::sync::Arc;
use stentor_xml::{Child, Element};

/// The kind of a stanza (RFC 6120 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RFC 6120 8.2.1.
    Message,
    /// RFC 6120 8.2.2.
    Presence,
    /// RFC 6120 8.2.3.
    Iq,
}

/// The type of a message (RFC 6121 5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// Of a conversation between two.
    Chat,
    /// Answers a message.
    Error,
    /// Of a room.
    Groupchat,
    /// To which no answer is expected.
    Headline,
    /// Neither of these; the default.
    Normal,
}

/// The type of a presence stanza (RFC 6121 4.7.1), `Available` being none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresenceType {
    /// No `type`: available for communication.
    Available,
    /// Answers a presence stanza.
    Error,
    /// Asks for the current presence.
    Probe,
    /// Asks for a subscription.
    Subscribe,
    /// Grants a subscription.
    Subscribed,
    /// No longer available.
    Unavailable,
    /// Ends the sender's subscription.
    Unsubscribe,
    /// Denies or ends the recipient's subscription.
    Unsubscribed,
}

/// The type of an iq (RFC 6120 8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IqType {
    /// Answers a request that failed.
    Error,
    /// Asks for something.
    Get,
    /// Answers a request.
    Result,
    /// Changes something.
    Set,
}

/// Kind and type together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StanzaType {
    /// A message of a type.
    Message(MessageType),
    /// A presence stanza of a type.
    Presence(PresenceType),
    /// An iq of a type.
    Iq(IqType),
}

/// A message, presence or iq. Cloning shares the content.
#[derive(Clone, Debug)]
pub struct Stanza {
    content: Arc<Content>,
    to: Option<Jid>,
    from: Option<Jid>,
    stanza_type: StanzaType,
}

// Stanzas are moved through queues and channels.
const _: () = assert!(size_of::<Stanza>() <= 64);

impl Stanza {
    /// An empty message.
    #[must_use]
    pub fn message(t: MessageType) -> Self {
        Self::new(StanzaType::Message(t))
    }

    /// An empty presence stanza.
    #[must_use]
    pub fn presence(t: PresenceType) -> Self {
        Self::new(StanzaType::Presence(t))
    }

    /// An empty iq.
    #[must_use]
    pub fn iq(t: IqType, id: &str) -> Self {
        let mut stanza = Self::new(StanzaType::Iq(t));
        stanza.set_id(Some(id));
        stanza
    }

    fn new(stanza_type: StanzaType) -> Self {
        Self { content: Arc::default(), to: None, from: None, stanza_type }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.stanza_type {
            StanzaType::Message(_) => Kind::Message,
            StanzaType::Presence(_) => Kind::Presence,
            StanzaType::Iq(_) => Kind::Iq,
        }
    }

    /// Its kind and type.
    #[must_use]
    pub const fn stanza_type(&self) -> StanzaType {
        self.stanza_type
    }

    /// Of a message; `Normal` if absent or unknown (RFC 6121 5.2.2). `Error` for another kind of stanza.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        match self.stanza_type {
            StanzaType::Message(t) => t,
            _ => MessageType::Error,
        }
    }

    /// Of a presence stanza. `Error` for another kind of stanza.
    #[must_use]
    pub const fn presence_type(&self) -> PresenceType {
        match self.stanza_type {
            StanzaType::Presence(t) => t,
            _ => PresenceType::Error,
        }
    }

    /// Of an iq. `Error` for another kind of stanza.
    #[must_use]
    pub const fn iq_type(&self) -> IqType {
        match self.stanza_type {
            StanzaType::Iq(t) => t,
            _ => IqType::Error,
        }
    }

    /// Whether its type is `error`.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(
            self.stanza_type,
            StanzaType::Message(MessageType::Error)
                | StanzaType::Presence(PresenceType::Error)
                | StanzaType::Iq(IqType::Error)
        )
    }

    /// The intended recipient (RFC 6120 8.1.1).
    #[must_use]
    pub const fn to(&self) -> Option<&Jid> {
        self.to.as_ref()
    }

    /// The sender (RFC 6120 8.1.2).
    #[must_use]
    pub const fn from(&self) -> Option<&Jid> {
        self.from.as_ref()
    }

    /// What a response or error will carry as well (RFC 6120 8.1.3).
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.content.id()
    }

    /// The language of human-readable text in it (RFC 6120 8.1.5).
    #[must_use]
    pub fn lang(&self) -> Option<&str> {
        self.content.lang()
    }

    /// Sets or removes `to`.
    pub fn set_to(&mut self, to: Option<Jid>) {
        self.to = to;
    }

    /// Sets or removes `from`.
    pub fn set_from(&mut self, from: Option<Jid>) {
        self.from = from;
    }

    /// Sets or removes the identifier.
    pub fn set_id(&mut self, id: Option<&str>) {
        if self.id() != id {
            Arc::make_mut(&mut self.content).set_id(id);
        }
    }

    /// Sets or removes `xml:lang`.
    pub fn set_lang(&mut self, lang: Option<&str>) {
        if self.lang() != lang {
            Arc::make_mut(&mut self.content).set_lang(lang);
        }
    }

    /// Whether it was made of the same stanza as `other` and differs from it by `to` at most. Looks at no content, so
    /// two that were read apart are never the same.
    #[must_use]
    pub fn is_same_but_to(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.content, &other.content)
            && self.stanza_type == other.stanza_type
            && self.from == other.from
    }

    /// First-level children: namespace, name, bytes.
    pub fn children(&self) -> impl ExactSizeIterator<Item = Child<'_>> {
        self.content.children()
    }

    /// Whether there is a first-level child of this name.
    #[must_use]
    pub fn has_child(&self, name: &str, namespace: &str) -> bool {
        self.children().any(|child| child.is(name, namespace))
    }

    /// The first first-level child of this name as a tree.
    #[must_use]
    pub fn child(&self, name: &str, namespace: &str) -> Option<Element> {
        self.children().find(|child| child.is(name, namespace)).map(|child| self.element(child))
    }

    /// A child that [`children`](Self::children) gave, as a tree.
    #[must_use]
    pub fn element(&self, child: Child<'_>) -> Element {
        self.content.element(child)
    }

    /// The one payload of an iq get or set, as a tree. Of any other stanza, the first child.
    #[must_use]
    pub fn payload(&self) -> Option<Element> {
        self.children().next().map(|child| self.element(child))
    }

    /// Text of a first-level child in `jabber:client` (`body`, `show`, `priority`), unescaped.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<String> {
        self.child(name, ns::CLIENT).map(|child| child.text())
    }

    /// Appends a child.
    pub fn push(&mut self, child: &Element) {
        Arc::make_mut(&mut self.content).push(child);
    }

    /// Removes first-level children for which `f` holds.
    pub fn remove(&mut self, mut f: impl FnMut(Child<'_>) -> bool) {
        let removed: Vec<bool> = self.children().map(&mut f).collect();
        if removed.contains(&true) {
            Arc::make_mut(&mut self.content).remove(&removed);
        }
    }
}

#[cfg(test)]
mod tests;
