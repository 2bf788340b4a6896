//! Stanzas to bytes.

use super::content::{write_attribute, write_plain};
use super::{IqType, MessageType, PresenceType, Stanza, StanzaType};
use crate::Jid;
use bytes::Bytes;

impl Stanza {
    /// Appends it, for a stream or store whose default namespace is `jabber:client`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let (name, stanza_type) = self.stanza_type.names();
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        for (start, address) in [(" to='", &self.to), (" from='", &self.from)] {
            match address {
                Some(address) if address.is_plain() => write_plain(start, address.as_str().as_bytes(), out),
                Some(address) => write_attribute(start, address.as_str(), out),
                None => {}
            }
        }
        if let Some(stanza_type) = stanza_type {
            write_plain(" type='", stanza_type.as_bytes(), out);
        }
        self.content.write_id_and_lang(out);
        for (prefix, namespace) in self.content.declarations() {
            out.extend_from_slice(b" xmlns:");
            out.extend_from_slice(prefix.as_bytes());
            write_attribute("='", namespace, out);
        }
        out.extend_from_slice(self.content.attributes());
        let payload = self.content.payload();
        if payload.len() == 0 {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        for part in payload {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(b"</");
        out.extend_from_slice(name.as_bytes());
        out.push(b'>');
    }

    /// What [`write_to`](Self::write_to) appends, alone.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.size());
        self.write_to(&mut out);
        out.into()
    }

    /// Length of what `write_to` appends, near enough for quotas: exact but for characters that must be escaped in
    /// the header.
    #[must_use]
    pub fn size(&self) -> usize {
        let attribute = |name: usize, value: Option<&str>| value.map_or(0, |value| name + value.len() + 4);
        let (name, stanza_type) = self.stanza_type.names();
        let declarations: usize =
            self.content.declarations().map(|(prefix, ns)| attribute(6 + prefix.len(), Some(ns))).sum();
        let payload: usize = self.content.payload().map(<[u8]>::len).sum();
        let tags = if payload == 0 { name.len() + 3 } else { 2 * name.len() + 5 };
        tags + attribute(2, self.to.as_ref().map(Jid::as_str))
            + attribute(4, self.from.as_ref().map(Jid::as_str))
            + attribute(4, stanza_type)
            + attribute(2, self.content.id())
            + attribute(8, self.content.lang())
            + declarations
            + self.content.attributes().len()
            + payload
    }
}

impl StanzaType {
    /// The element's name, and the value of `type` if one is written.
    pub(super) const fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Message(t) => ("message", t.name()),
            Self::Presence(t) => ("presence", t.name()),
            Self::Iq(t) => ("iq", Some(t.name())),
        }
    }
}

impl MessageType {
    /// The value of `type`; none for `Normal`, the default (RFC 6121 5.2.2).
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("chat"),
            Self::Error => Some("error"),
            Self::Groupchat => Some("groupchat"),
            Self::Headline => Some("headline"),
            Self::Normal => None,
        }
    }
}

impl PresenceType {
    /// The value of `type`; none for `Available`.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Available => None,
            Self::Error => Some("error"),
            Self::Probe => Some("probe"),
            Self::Subscribe => Some("subscribe"),
            Self::Subscribed => Some("subscribed"),
            Self::Unavailable => Some("unavailable"),
            Self::Unsubscribe => Some("unsubscribe"),
            Self::Unsubscribed => Some("unsubscribed"),
        }
    }
}

impl IqType {
    /// The value of `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Get => "get",
            Self::Result => "result",
            Self::Set => "set",
        }
    }
}
