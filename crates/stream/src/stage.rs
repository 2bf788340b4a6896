//! Where a stream stands, and what the stages share.

use std::sync::Arc;

use stentor_xml::RawElement;
use stentor_xmpp::{BareJid, Condition, StreamCondition, StreamError, ns};

use crate::action::Action;
use crate::authentication::Authenticating;
use crate::binding::Binding;
use crate::bound::Bound;
use crate::limits::{REFUSALS_MAX, STREAM_ID_BYTES};
use crate::settings::{Host, Settings, TlsInfo};
use crate::{Entropy, header, xep_0198};

/// Where a stream stands.
#[derive(Debug)]
pub(crate) enum Stage {
    /// The client's header is awaited.
    Header(Layer),
    /// STARTTLS was offered to a client of this host.
    Clear(Arc<Host>),
    /// `<proceed/>` is written; the caller does the handshake.
    Handshake(Arc<Host>),
    /// SASL was offered.
    Authenticating(Box<Authenticating>),
    /// Resource binding was offered.
    Binding(Box<Binding>),
    /// Stanzas go to and fro.
    Bound(Box<Bound>),
    /// The client closed its stream; ours is open for what is still to be sent.
    PeerClosed,
    /// We closed our stream before a resource was bound; the client's is awaited.
    Closing,
    /// Over.
    Ended,
}

/// What was established before a header is awaited.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Nothing.
    Clear,
    /// TLS.
    Tls {
        tls: TlsInfo,
        /// The host of the stream on which TLS was negotiated. Nothing else is kept of that stream (RFC 6120 5.4.3.3).
        host: Option<Arc<Host>>,
    },
    /// TLS and SASL.
    Authenticated { host: Arc<Host>, account: BareJid },
}

/// What became of our side of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// No header was written since the last restart.
    Nothing,
    Header,
    Close,
}

/// The next stage, if it is another one; or the error that ends the stream.
pub(crate) type Next = Result<Option<Stage>, StreamError>;

/// What all stages share.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) entropy: Entropy,
    pub(crate) sent: Sent,
    /// The language of the client's header.
    pub(crate) lang: Option<Box<str>>,
    /// What the caller is to do next: each step asks for one thing at most.
    pub(crate) action: Option<Action>,
    /// What ended the stream, to be told after that.
    pub(crate) failed: Option<Box<StreamError>>,
    refusals: u8,
}

impl Shared {
    pub(crate) fn new(settings: Arc<Settings>, entropy: Entropy) -> Self {
        Self { settings, entropy, sent: Sent::Nothing, lang: None, action: None, failed: None, refusals: 0 }
    }

    /// Random bytes of the caller's.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes);
        bytes
    }

    /// Writes our header.
    pub(crate) fn open(&mut self, from: Option<&str>, to: Option<&BareJid>, out: &mut Vec<u8>) {
        let id: [u8; STREAM_ID_BYTES] = self.random();
        append(out, |out| header::write(from, to, id, out));
        self.sent = Sent::Header;
    }

    /// Counts a request that was refused; too many end the stream.
    pub(crate) fn refused(&mut self) -> Next {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals >= REFUSALS_MAX {
            return Err(
                StreamError::new(StreamCondition::PolicyViolation).with_text("Too many refused requests.")
            );
        }
        Ok(None)
    }

    /// Answers a request of stream management with `<failed/>` (XEP-0198 6).
    pub(crate) fn refuse_management(&mut self, condition: Condition, out: &mut Vec<u8>) -> Next {
        append(out, |out| xep_0198::write_failed(condition, None, out));
        self.refused()
    }

    /// What is answered alike wherever a client that is not bound sends it.
    pub(crate) fn unexpected(&mut self, element: &RawElement<'_>, out: &mut Vec<u8>) -> Next {
        match (element.namespace(), element.name()) {
            // RFC 6120 4.9.3.12, 7.1: not processed.
            (ns::CLIENT, "message" | "presence" | "iq") => Err(StreamCondition::NotAuthorized.into()),
            // XEP-0198 3: "The server SHALL enforce this order".
            (ns::STREAM_MANAGEMENT, "enable" | "resume") => {
                self.refuse_management(Condition::UnexpectedRequest, out)
            }
            // XEP-0138 2.1. No compression is offered: it shows lengths of secrets, and small input becomes large.
            (COMPRESS, "compress") => {
                append(out, |out| {
                    out.push_str("<failure xmlns='");
                    out.push_str(COMPRESS);
                    out.push_str("'><unsupported-method/></failure>");
                });
                self.refused()
            }
            // RFC 6120 5.4.2.2: TLS is there already; what asks for it once more is refused, and the stream ends.
            (ns::TLS, "starttls") => {
                append(out, |out| {
                    out.push_str("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>")
                });
                self.sent = Sent::Close;
                Ok(Some(Stage::Ended))
            }
            (ns::STREAM, "error") => Ok(Some(self.peer_closed())),
            // Nothing else of this namespace is a client's to say.
            (ns::STREAM, _) => Err(StreamCondition::InvalidXml.into()),
            _ => Err(StreamCondition::UnsupportedStanzaType.into()),
        }
    }

    /// The client is done, by `</stream:stream>` or by an error of its own.
    pub(crate) fn peer_closed(&mut self) -> Stage {
        if self.sent == Sent::Close {
            return Stage::Ended;
        }
        self.action = Some(Action::Closed);
        Stage::PeerClosed
    }
}

/// Stream compression (XEP-0138).
const COMPRESS: &str = "http://jabber.org/protocol/compress";

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// Appends what `write` writes.
pub(crate) fn append(out: &mut Vec<u8>, write: impl FnOnce(&mut String)) {
    let mut text = String::new();
    write(&mut text);
    out.extend_from_slice(text.as_bytes());
}
