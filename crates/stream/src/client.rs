//! The stream of one client, from its connection to its end.

use std::mem;
use std::sync::Arc;

use stentor_auth::{Fault, Found, PlainVerdict, SaslFailure};
use stentor_xml::{Frame, Framer};
use stentor_xmpp::{
    BareJid, Condition, FullJid, Stanza, StanzaError, StreamCondition, StreamError, StreamManagementError, ns,
};

use crate::action::{Action, Deadline, Progress};
use crate::features;
use crate::settings::{Connection, Settings, TlsInfo};
use crate::stage::{Layer, Next, Sent, Shared, Stage, append};
use crate::xep_0198::{self, Enabled};

/// Fills a buffer from the system's random number generator (in the simulator: from the seed).
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// One client's stream. See the crate's documentation for the loop around it.
///
/// Answers that were not asked for change nothing.
#[derive(Debug)]
pub struct ClientStream {
    framer: Framer,
    stage: Stage,
    shared: Shared,
}

impl ClientStream {
    /// A connection that was just accepted (and, for [`Connection::Tls`], has TLS).
    pub fn new(settings: Arc<Settings>, connection: Connection, entropy: Entropy) -> Self {
        let layer = match connection {
            Connection::Clear => Layer::Clear,
            Connection::Tls(tls) => Layer::Tls { tls, host: None },
        };
        Self {
            framer: Framer::new(settings.unbound_limits),
            stage: Stage::Header(layer),
            shared: Shared::new(settings, entropy),
        }
    }

    /// Reads from `input`, advances it past what was read, and appends what is to be sent to `out`. It stops at each
    /// action, so that the caller decides how fast it goes on.
    pub fn receive(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Progress {
        loop {
            if let Some(action) = self.shared.action.take() {
                return Progress::Action(action);
            }
            if let Some(error) = self.shared.failed.take() {
                return Progress::Action(Action::Failed(*error));
            }
            match &self.stage {
                Stage::Ended => return Progress::Ended,
                Stage::Handshake(_) => {
                    *input = &[];
                    return Progress::Wait;
                }
                Stage::PeerClosed => return Progress::Wait,
                stage if stage.is_waiting() => return Progress::Wait,
                _ => {}
            }
            let mut rest = *input;
            // 4.4: after our `</stream:stream>` nothing is written.
            let silent_from = (self.shared.sent == Sent::Close).then_some(out.len());
            let next = match self.framer.next(&mut rest) {
                Ok(None) => {
                    *input = rest;
                    return Progress::More;
                }
                Ok(Some(frame)) => Self::frame(&mut self.stage, frame, &mut self.shared, out),
                Err(error) => Err(error.into()),
            };
            *input = rest;
            self.go(next, out);
            out.truncate(silent_from.unwrap_or(out.len()));
            if let Stage::Handshake(_) = self.stage {
                // RFC 6120 5.4.3.3: what came in clear is not acted on after it.
                *input = &[];
            }
        }
    }

    fn frame(stage: &mut Stage, frame: Frame<'_>, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        match frame {
            Frame::Header(root) => match mem::replace(stage, Stage::Ended) {
                Stage::Header(layer) => features::header(layer, &root, shared, out).map(Some),
                // The framer gives one header between restarts.
                _ => Err(StreamCondition::InvalidXml.into()),
            },
            Frame::Element(element) => match stage {
                Stage::Clear(host) => {
                    if element.is("starttls", ns::TLS) {
                        // 5.4.2.1
                        append(out, |out| out.push_str("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
                        shared.action = Some(Action::StartTls { host: host.domain.clone() });
                        return Ok(Some(Stage::Handshake(Arc::clone(host))));
                    }
                    if element.is("auth", ns::SASL) {
                        append(out, |out| SaslFailure::EncryptionRequired.write_to(out));
                        return shared.refused();
                    }
                    shared.unexpected(&element, out)
                }
                Stage::Authenticating(stage) => stage.element(&element, shared, out),
                Stage::Binding(stage) => stage.element(&element, shared, out),
                Stage::Bound(stage) => stage.element(&element, shared, out),
                _ => Ok(None),
            },
            Frame::End => Ok(Some(shared.peer_closed())),
        }
    }

    /// Enters the next stage.
    fn go(&mut self, next: Next, out: &mut Vec<u8>) {
        match next {
            Ok(None) => {}
            Ok(Some(stage)) => {
                match &stage {
                    Stage::Header(_) => self.restart(),
                    Stage::Bound(_) => self.framer.set_limits(self.shared.settings.bound_limits),
                    _ => {}
                }
                self.stage = stage;
            }
            Err(error) => self.end(error, out),
        }
    }

    /// 4.3.3: a new stream on the same connection; of the old one nothing is kept.
    fn restart(&mut self) {
        self.framer.restart();
        self.shared.sent = Sent::Nothing;
    }

    /// TLS stands: the answer to [`Action::StartTls`].
    pub fn tls_established(&mut self, tls: TlsInfo) {
        if let Stage::Handshake(host) = &self.stage {
            let host = Some(Arc::clone(host));
            self.restart();
            self.stage = Stage::Header(Layer::Tls { tls, host });
        }
    }

    /// What the look-up found: the answer to [`Action::NeedCredentials`]. With an account that does not exist the
    /// exchange goes on as if it did, until it fails.
    pub fn credentials(&mut self, found: Result<Found, Fault>, out: &mut Vec<u8>) {
        if let Stage::Authenticating(stage) = &mut self.stage {
            let next = stage.credentials(found, &mut self.shared, out);
            self.go(next, out);
        }
    }

    /// The verdict of the check: the answer to [`Action::Verify`].
    pub fn verified(&mut self, verdict: PlainVerdict, out: &mut Vec<u8>) {
        if let Stage::Authenticating(stage) = &mut self.stage {
            let next = stage.verified(verdict, &mut self.shared, out);
            self.go(next, out);
        }
    }

    /// Fails the authentication: another answer to [`Action::NeedCredentials`] and [`Action::Verify`].
    pub fn refuse_authentication(&mut self, failure: SaslFailure, out: &mut Vec<u8>) {
        if let Stage::Authenticating(stage) = &mut self.stage {
            let next = stage.refuse(failure, &mut self.shared, out);
            self.go(next, out);
        }
    }

    /// The answer to [`Action::Register`]: the form, an empty result, or an error. The client may authenticate now, or
    /// ask again, a few times.
    pub fn registration_answered(&mut self, answer: &Stanza, out: &mut Vec<u8>) {
        if let Stage::Authenticating(stage) = &mut self.stage {
            stage.registered(answer, out);
        }
    }

    /// The resource is bound: the answer to [`Action::Bind`], with the JID that was asked for or another one of the
    /// same account.
    pub fn bound(&mut self, jid: &FullJid, out: &mut Vec<u8>) {
        if let Stage::Binding(stage) = &mut self.stage {
            let next = Ok(stage.bound(jid, out));
            self.go(next, out);
        }
    }

    /// The resource is not bound (RFC 6120 7.6.2, 7.7.2: `resource-constraint`, `not-allowed`, `conflict`): the other
    /// answer to [`Action::Bind`]. The client may try again.
    pub fn bind_refused(&mut self, error: &StanzaError, out: &mut Vec<u8>) {
        if let Stage::Binding(stage) = &mut self.stage {
            let next = stage.refuse(error, &mut self.shared, out);
            self.go(next, out);
        }
    }

    /// The session is resumed: the answer to [`Action::Resume`]. `h` is what was handled of the client's stanzas. What
    /// the client did not handle is to be sent after this, in order.
    pub fn resumed(&mut self, jid: &FullJid, h: u32, out: &mut Vec<u8>) {
        if let Stage::Binding(stage) = &mut self.stage {
            let next = Ok(stage.resumed(jid, h, out));
            self.go(next, out);
        }
    }

    /// The session is not resumed: the other answer to [`Action::Resume`]: `item-not-found`, with the count of the
    /// client's stanzas that were handled if it is still known. The client may bind a resource.
    pub fn resume_failed(&mut self, condition: Condition, h: Option<u32>, out: &mut Vec<u8>) {
        if let Stage::Binding(stage) = &mut self.stage {
            let next = stage.resume_failed(condition, h, &mut self.shared, out);
            self.go(next, out);
        }
    }

    /// Stream management is enabled: the answer to [`Action::Enable`].
    pub fn management_enabled(&mut self, enabled: &Enabled<'_>, out: &mut Vec<u8>) {
        if let Stage::Bound(stage) = &mut self.stage
            && stage.decide(true)
            && self.shared.sent == Sent::Header
        {
            append(out, |out| enabled.write_to(out));
        }
    }

    /// Stream management is not enabled: the other answer to [`Action::Enable`].
    pub fn management_refused(&mut self, condition: Condition, out: &mut Vec<u8>) {
        if let Stage::Bound(stage) = &mut self.stage
            && stage.decide(false)
            && self.shared.sent == Sent::Header
        {
            append(out, |out| xep_0198::write_failed(condition, None, out));
        }
    }

    /// Appends `<a/>`: so many of the client's stanzas were handled.
    pub fn handled(&self, h: u32, out: &mut Vec<u8>) {
        if self.shared.sent == Sent::Header {
            xep_0198::write_answer(h, out);
        }
    }

    /// Appends `<r/>`: asks the client how many it handled.
    pub fn request_ack(&self, out: &mut Vec<u8>) {
        if self.shared.sent == Sent::Header {
            xep_0198::write_request(out);
        }
    }

    /// Ends the stream: the client acknowledged more than was sent (XEP-0198 6).
    pub fn handled_count_too_high(&mut self, error: StreamManagementError, out: &mut Vec<u8>) {
        self.fail(xep_0198::handled_count_too_high(error), out);
    }

    /// Closes our side of the stream (RFC 6120 4.4). The client's side is read on until it is closed, too: stanzas of
    /// a bound client are still given out, and nothing more can be sent.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        let was_open = self.shared.sent == Sent::Header && !matches!(self.stage, Stage::Handshake(_));
        if was_open {
            out.extend_from_slice(b"</stream:stream>");
        }
        self.shared.sent = Sent::Close;
        self.stage = match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Bound(stage) => Stage::Bound(stage),
            Stage::PeerClosed | Stage::Ended => Stage::Ended,
            _ if was_open => Stage::Closing,
            _ => Stage::Ended,
        };
    }

    /// Ends the stream with an error: our header if none was written yet, the error, `</stream:stream>`. That is also
    /// how a client is sent to another member, by `see-other-host` (RFC 6120 4.9.3.19), once it is authenticated.
    /// Actions that were not fetched are gone; [`Action::Failed`] follows.
    pub fn fail(&mut self, error: impl Into<StreamError>, out: &mut Vec<u8>) {
        if !matches!(self.stage, Stage::Ended) {
            self.shared.action = None;
            self.end(error.into(), out);
        }
    }

    fn end(&mut self, error: StreamError, out: &mut Vec<u8>) {
        let is_handshake = matches!(self.stage, Stage::Handshake(_));
        if self.shared.sent == Sent::Nothing {
            self.shared.open(None, None, out);
        }
        if self.shared.sent == Sent::Header && !is_handshake {
            append(out, |out| {
                error.write_to(out);
                out.push_str("</stream:stream>");
            });
        }
        self.shared.sent = Sent::Close;
        self.stage = Stage::Ended;
        self.shared.failed = Some(Box::new(error));
    }

    /// What the caller's clock is to watch. It may change with every call.
    pub fn deadline(&self) -> Deadline {
        match &self.stage {
            Stage::Handshake(_) => Deadline::Handshake,
            Stage::PeerClosed | Stage::Closing | Stage::Ended => Deadline::Close,
            Stage::Bound(_) if self.shared.sent == Sent::Close => Deadline::Close,
            Stage::Bound(_) if self.framer.is_partial() => Deadline::Element,
            Stage::Bound(_) => Deadline::None,
            _ => Deadline::Negotiation,
        }
    }

    /// The client's address, once it has one.
    pub fn jid(&self) -> Option<&FullJid> {
        match &self.stage {
            Stage::Bound(stage) => Some(stage.jid()),
            _ => None,
        }
    }

    /// The account that is authenticated.
    pub fn account(&self) -> Option<BareJid> {
        match &self.stage {
            Stage::Header(Layer::Authenticated { account, .. }) => Some(account.clone()),
            Stage::Binding(stage) => Some(stage.account().clone()),
            Stage::Bound(stage) => Some(stage.jid().to_bare()),
            _ => None,
        }
    }
}

impl Stage {
    fn is_waiting(&self) -> bool {
        match self {
            Self::Authenticating(stage) => stage.is_waiting(),
            Self::Binding(stage) => stage.is_waiting(),
            Self::Bound(stage) => stage.is_waiting(),
            _ => false,
        }
    }
}
