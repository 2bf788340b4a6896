//! A user's log entry: one element in which the stanza stands as it was.
//!
//! `<log:entry v='1' way='out' at='1700000000000' stream='…' count='7'>…</log:entry>`: from this user; also the
//! outbox. `<log:entry v='1' way='in' at='…' to='any'>…</log:entry>`: for this user, with the delivery decision.
//! `way='own'` is both: a message to oneself, or the error that has taken the place of a message that was refused.

use bytes::Bytes;
use stentor_engine::StreamId;
use stentor_xmpp::{Stanza, ns};

/// Namespace of entries at rest.
const NS: &str = "urn:stentor:log:1";

/// What an entry says beside the stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Sent by this user, by the stanza with this count of this stream, if the stream is managed.
    Out(Option<(StreamId, u64)>),
    /// Received, for whom.
    In(For),
    /// Both.
    Own(For, Option<(StreamId, u64)>),
}

/// Which resources a received message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// All that take messages; those of the account that come later if there are none.
    Any,
    /// The one in the stanza's `to`; once that is gone, whoever takes messages, so that nothing accepted is lost
    /// (XEP-0198 5: delivery to an alternate resource).
    Named,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// When it was accepted, milliseconds since 1970 UTC.
    pub at: u64,
    /// From or for this user.
    pub way: Way,
    /// The stanza, `from` stamped.
    pub stanza: Stanza,
}

/// The entry cannot be read: damaged, or of a later version.
#[derive(Debug, thiserror::Error)]
#[error("a log entry cannot be read")]
pub(crate) struct Unreadable;

impl Entry {
    /// As it is stored.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.stanza.size() + 160);
        let (way, whom, counted) = match &self.way {
            Way::Out(counted) => ("out", None, *counted),
            Way::In(whom) => ("in", Some(*whom), None),
            Way::Own(whom, counted) => ("own", Some(*whom), *counted),
        };
        let whom = match whom {
            None => "",
            Some(For::Any) => " to='any'",
            Some(For::Named) => " to='named'",
        };
        let counted = counted.map(|(stream, count)| format!(" stream='{stream}' count='{count}'"));
        let meta = format!("way='{way}'{whom}{}", counted.unwrap_or_default());
        out.extend_from_slice(
            format!("<log:entry xmlns:log='{NS}' xmlns='{}' v='1' at='{}' {meta}>", ns::CLIENT, self.at)
                .as_bytes(),
        );
        self.stanza.write_to(&mut out);
        out.extend_from_slice(b"</log:entry>");
        out.into()
    }

    /// Reads what `to_bytes` wrote.
    ///
    /// # Errors
    /// It is not such an entry, or of a version not known.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable)?;
        let (head, rest) = text.split_once('>').ok_or(Unreadable)?;
        let inner = rest.strip_suffix("</log:entry>").ok_or(Unreadable)?;
        let field = |name: &str| {
            let (_, after) = head.split_once(&format!(" {name}='"))?;
            after.split_once('\'').map(|(value, _)| value)
        };
        if field("v") != Some("1") {
            return Err(Unreadable);
        }
        let at = field("at").and_then(|at| at.parse().ok()).ok_or(Unreadable)?;
        let stream = field("stream").and_then(StreamId::parse);
        let counted = stream.zip(field("count").and_then(|count| count.parse().ok()));
        let whom = match field("to") {
            Some("any") => Ok(For::Any),
            Some("named") => Ok(For::Named),
            _ => Err(Unreadable),
        };
        let way = match field("way") {
            Some("out") => Way::Out(counted),
            Some("in") => Way::In(whom?),
            Some("own") => Way::Own(whom?, counted),
            _ => return Err(Unreadable),
        };
        Ok(Self { at, way, stanza: Stanza::parse(inner).map_err(|_| Unreadable)? })
    }
}

impl Way {
    /// Where it stands in the stream of this user's client that sent it.
    pub(crate) fn counted(&self) -> Option<(StreamId, u64)> {
        match self {
            Self::Out(counted) | Self::Own(_, counted) => *counted,
            Self::In(_) => None,
        }
    }
}
