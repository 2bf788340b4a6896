//! Stanzas from what the framer gave out, and what can be wrong with them.

use super::content::{Content, Span};
use super::{IqType, Kind, MessageType, PresenceType, Stanza, StanzaType};
use crate::{Condition, Jid, JidError, StreamCondition, StreamError, ns};
use std::sync::Arc;
use stentor_xml::{Error, Frame, Framer, Limits, RawAttribute, RawElement, XML_NS, escape_attribute};

/// Why an element is no stanza that can be routed.
#[derive(Clone, Debug)]
pub enum StanzaFault {
    /// Ends the stream.
    Stream(StreamError),
    /// Is answered: the reply, addressed as far as the stanza was, and ready.
    Stanza(Box<Stanza>),
    /// Malformed, but must not be answered (an error, or the result of an iq).
    Drop,
}

impl From<StreamCondition> for StanzaFault {
    fn from(condition: StreamCondition) -> Self {
        Self::Stream(condition.into())
    }
}

impl Stanza {
    /// From the framer. `content_ns` is the stream's content namespace (RFC 6120 4.8.2).
    ///
    /// # Errors
    /// - no message, presence or iq: the stream ends with `unsupported-stanza-type` (RFC 6120 4.9.3.24);
    /// - one in another namespace: `invalid-namespace` (4.9.3.10);
    /// - a `from` that is no address: `invalid-from` (4.9.3.9);
    /// - a `to` that is no address is answered with `jid-malformed` (8.3.3.8);
    /// - an iq without `id`, with no `type` or an unknown one, or with other than one child in a get or set or more
    ///   than one in a result (8.2.3), and a presence of unknown type (RFC 6121 4.7.1), with `bad-request`.
    ///
    /// What would be answered is dropped where the stanza is an error or a result.
    pub fn from_raw(raw: &RawElement<'_>, content_ns: &str) -> Result<Self, StanzaFault> {
        let Some(kind) = Kind::named(raw.name()) else {
            return Err(StreamCondition::UnsupportedStanzaType.into());
        };
        if !raw.is_in(content_ns) {
            return Err(StreamCondition::InvalidNamespace.into());
        }
        if !can_be_kept(raw, content_ns) {
            return canonical(raw, content_ns)
                .unwrap_or_else(|| Err(StreamCondition::InternalServerError.into()));
        }
        let header = Header::read(raw, kind);
        let fault = header.fault(raw);
        let Ok(from) = header.from.transpose() else { return Err(StreamCondition::InvalidFrom.into()) };
        let to = header.to.and_then(Result::ok);
        // Of an unknown type, only that it is answered matters.
        let stanza_type = header.stanza_type.unwrap_or(kind.usual_type());
        let stanza = Self { content: header.content, to, from, stanza_type };
        match fault {
            None => Ok(stanza),
            Some(condition) => {
                let reply = stanza.error_reply(condition.into());
                Err(reply.map_or(StanzaFault::Drop, |reply| StanzaFault::Stanza(Box::new(reply))))
            }
        }
    }

    /// Parses what `write_to` wrote (store, link): one stanza in `jabber:client`.
    ///
    /// # Errors
    /// What is wrong with the text; something that is no stanza, or has a `to`, `from` or `type` that is none,
    /// counts as not well-formed.
    pub fn parse(xml: &str) -> Result<Self, Error> {
        let mut framer = Framer::fragments(Limits::STORED, ns::CLIENT);
        let mut input = xml.as_bytes();
        let stanza = match framer.next(&mut input)? {
            Some(Frame::Element(raw)) => Self::from_own(&raw),
            _ => None,
        };
        let is_alone = framer.next(&mut input)?.is_none() && !framer.is_partial();
        stanza.filter(|_| is_alone).ok_or(Error::NotWellFormed(0))
    }

    /// From what we wrote ourselves, where a peer's mistakes in an iq may stand but nothing is answered.
    fn from_own(raw: &RawElement<'_>) -> Option<Self> {
        let kind = Kind::named(raw.name())?;
        if raw.is_prefixed() || !raw.is_in(ns::CLIENT) {
            return None;
        }
        let header = Header::read(raw, kind);
        let (to, from) = (header.to.transpose().ok()?, header.from.transpose().ok()?);
        Some(Self { content: header.content, to, from, stanza_type: header.stanza_type? })
    }
}

/// Whether the payload means the same behind a start tag without prefix in `jabber:client`.
fn can_be_kept(raw: &RawElement<'_>, content_ns: &str) -> bool {
    !raw.is_prefixed()
        && (content_ns == ns::CLIENT || raw.used_declarations().all(|(_, namespace)| namespace != content_ns))
}

/// The stanza read from a text where the stream's content namespace has no prefix. `None` if that cannot be, which
/// would be our fault.
fn canonical(raw: &RawElement<'_>, content_ns: &str) -> Option<Result<Stanza, StanzaFault>> {
    let mut text = String::with_capacity(raw.bytes.len());
    raw.to_element().with_namespace(content_ns, ns::CLIENT).write_to(ns::CLIENT, &mut text);
    let mut framer = Framer::fragments(Limits::STORED, ns::CLIENT);
    match framer.next(&mut text.as_bytes()) {
        Ok(Some(Frame::Element(raw))) if !raw.is_prefixed() => Some(Stanza::from_raw(&raw, ns::CLIENT)),
        _ => None,
    }
}

/// What a start tag says.
struct Header {
    to: Option<Result<Jid, JidError>>,
    from: Option<Result<Jid, JidError>>,
    /// `None` if it is unknown, or missing where it must not be.
    stanza_type: Option<StanzaType>,
    content: Arc<Content>,
}

impl Header {
    #[inline]
    fn read(raw: &RawElement<'_>, kind: Kind) -> Self {
        // Made where it stays: it is large.
        let mut shared = Arc::<Content>::default();
        let content = Arc::make_mut(&mut shared);
        content.take_up(raw);
        let (mut to, mut from, mut id, mut lang, mut others) = (None, None, None, None, None);
        let mut stanza_type = kind.with_type(None);
        for attribute in raw.attributes() {
            // By their bytes: compared as numbers, since their lengths are known.
            match attribute.plain_name() {
                Some(b"to") => to = Some(Jid::parse(&attribute.value())),
                Some(b"from") => from = Some(Jid::parse(&attribute.value())),
                Some(b"type") => stanza_type = kind.with_type(Some(&attribute.value())),
                Some(b"id") => id = Some(content.value(attribute)),
                None if attribute.name() == "lang" && attribute.namespace() == XML_NS => {
                    lang = Some(content.value(attribute));
                }
                _ => {
                    let text = others.get_or_insert_with(String::new);
                    write_other(attribute, text);
                }
            }
        }
        let others = others.map(|text| content.add(&text));
        content.set_header(id, lang, others);
        Self { to, from, stanza_type, content: shared }
    }

    /// What is answered, if anything is wrong with it.
    fn fault(&self, raw: &RawElement<'_>) -> Option<Condition> {
        let children = raw.children().len();
        let is_malformed = match self.stanza_type {
            None => true,
            Some(StanzaType::Iq(t)) => {
                let has_wrong_children = match t {
                    IqType::Get | IqType::Set => children != 1,
                    IqType::Result => children > 1,
                    IqType::Error => false,
                };
                self.content.id().is_none() || has_wrong_children
            }
            Some(StanzaType::Message(_) | StanzaType::Presence(_)) => false,
        };
        match &self.to {
            _ if is_malformed => Some(Condition::BadRequest),
            Some(Err(_)) => Some(Condition::JidMalformed),
            _ => None,
        }
    }
}

impl Content {
    /// Where an attribute's value stands, unescaped.
    fn value(&mut self, attribute: RawAttribute<'_>) -> Span {
        match attribute.value_range() {
            Some(range) => Span::new(range),
            None => self.add(&attribute.value()),
        }
    }
}

fn write_other(attribute: RawAttribute<'_>, out: &mut String) {
    out.push(' ');
    if !attribute.prefix().is_empty() {
        out.push_str(attribute.prefix());
        out.push(':');
    }
    out.push_str(attribute.name());
    out.push_str("='");
    escape_attribute(&attribute.value(), out);
    out.push('\'');
}

impl Kind {
    /// By its name.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "message" => Self::Message,
            "presence" => Self::Presence,
            "iq" => Self::Iq,
            _ => return None,
        })
    }

    /// What stands for a type that is unknown.
    const fn usual_type(self) -> StanzaType {
        match self {
            Self::Message => StanzaType::Message(MessageType::Normal),
            Self::Presence => StanzaType::Presence(PresenceType::Available),
            Self::Iq => StanzaType::Iq(IqType::Get),
        }
    }

    /// With a type by its name. `None` if there is no such type of it, or must be one.
    fn with_type(self, name: Option<&str>) -> Option<StanzaType> {
        Some(match self {
            Self::Message => StanzaType::Message(message_type(name)),
            Self::Presence => StanzaType::Presence(presence_type(name)?),
            // RFC 6120 8.1.4: only an iq must have a type.
            Self::Iq => StanzaType::Iq(iq_type(name?)?),
        })
    }
}

/// RFC 6121 5.2.2: an unknown type is read as `normal`.
fn message_type(name: Option<&str>) -> MessageType {
    match name {
        Some("chat") => MessageType::Chat,
        Some("error") => MessageType::Error,
        Some("groupchat") => MessageType::Groupchat,
        Some("headline") => MessageType::Headline,
        _ => MessageType::Normal,
    }
}

fn presence_type(name: Option<&str>) -> Option<PresenceType> {
    Some(match name {
        None => PresenceType::Available,
        Some("error") => PresenceType::Error,
        Some("probe") => PresenceType::Probe,
        Some("subscribe") => PresenceType::Subscribe,
        Some("subscribed") => PresenceType::Subscribed,
        Some("unavailable") => PresenceType::Unavailable,
        Some("unsubscribe") => PresenceType::Unsubscribe,
        Some("unsubscribed") => PresenceType::Unsubscribed,
        Some(_) => return None,
    })
}

fn iq_type(name: &str) -> Option<IqType> {
    Some(match name {
        "error" => IqType::Error,
        "get" => IqType::Get,
        "result" => IqType::Result,
        "set" => IqType::Set,
        _ => return None,
    })
}
