//! Answers to stanzas.

use super::{IqType, MessageType, PresenceType, Stanza, StanzaType};
use crate::{StanzaError, ns};
use stentor_xml::Element;

impl Stanza {
    /// The error that answers it: to and from swapped, id kept. `None` for an error or a result, which are never
    /// answered (RFC 6120 8.3.1).
    #[must_use]
    pub fn error_reply(&self, error: StanzaError) -> Option<Self> {
        let stanza_type = match self.stanza_type {
            StanzaType::Message(MessageType::Error)
            | StanzaType::Presence(PresenceType::Error)
            | StanzaType::Iq(IqType::Error | IqType::Result) => return None,
            StanzaType::Message(_) => StanzaType::Message(MessageType::Error),
            StanzaType::Presence(_) => StanzaType::Presence(PresenceType::Error),
            StanzaType::Iq(_) => StanzaType::Iq(IqType::Error),
        };
        let mut reply = self.reply(stanza_type);
        let mut written = String::new();
        error.write_to(&mut written);
        if let Ok(element) = Element::parse(&written, ns::CLIENT) {
            reply.push(&element);
        }
        Some(reply)
    }

    /// The result of an iq: to and from swapped, id kept.
    #[must_use]
    pub fn result_reply(&self, payload: Option<&Element>) -> Self {
        let mut reply = self.reply(StanzaType::Iq(IqType::Result));
        if let Some(payload) = payload {
            reply.push(payload);
        }
        reply
    }

    fn reply(&self, stanza_type: StanzaType) -> Self {
        let mut reply = Self::new(stanza_type);
        (reply.to, reply.from) = (self.from.clone(), self.to.clone());
        reply.set_id(self.id());
        reply
    }
}
