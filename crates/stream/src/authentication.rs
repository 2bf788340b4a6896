//! SASL on a stream (RFC 6120 6): the elements around an exchange of `stentor-auth`.

use std::mem;
use std::sync::Arc;

use stentor_auth::{Exchange, Fault, Found, Offer, PlainVerdict, SaslFailure, ServerNonce, Step, payload};
use stentor_xml::RawElement;
use stentor_xmpp::{BareJid, Condition, IqType, Stanza, StanzaFault, StreamCondition, StreamError, ns};

use crate::action::Action;
use crate::settings::Host;
use crate::stage::{Layer, Next, Shared, Stage, append};

/// A client that is offered SASL.
#[derive(Debug)]
pub(crate) struct Authenticating {
    host: Arc<Host>,
    offer: Offer,
    turn: Turn,
    /// Whom the exchange is about, once it has said.
    account: Option<BareJid>,
    failures: u8,
}

/// Who has to speak next.
#[derive(Debug)]
enum Turn {
    /// The client, with `<auth/>`.
    Idle,
    /// The client, with `<response/>`.
    Client(Exchange),
    /// The caller.
    Caller(Exchange),
    /// The caller, about a registration.
    Register,
}

impl Authenticating {
    pub(crate) fn new(host: Arc<Host>, offer: Offer) -> Self {
        Self { host, offer, turn: Turn::Idle, account: None, failures: 0 }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.turn, Turn::Caller(_) | Turn::Register)
    }

    pub(crate) fn element(
        &mut self,
        element: &RawElement<'_>,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Next {
        if element.is("iq", ns::CLIENT) && element.child("query", ns::REGISTER).is_some() {
            return self.register(element, shared, out);
        }
        if element.namespace() != ns::SASL {
            return shared.unexpected(element, out);
        }
        let turn = mem::replace(&mut self.turn, Turn::Idle);
        let step = match (element.name(), turn) {
            ("auth", Turn::Idle) => self.auth(element, shared),
            ("response", Turn::Client(mut exchange)) => {
                match text(element).and_then(|t| payload::decode_response(&t)) {
                    Ok(message) => Ok((exchange.response(&message), exchange)),
                    Err(failure) => Err(failure),
                }
            }
            // 6.4.4: with nothing to abort, too, it is answered.
            ("abort", _) => Err(SaslFailure::Aborted),
            // 6.5.8, and out of turn: what was going on is over.
            ("auth" | "response", _) => Err(SaslFailure::MalformedRequest),
            _ => return Err(StreamCondition::UnsupportedStanzaType.into()),
        };
        match step {
            Ok((step, exchange)) => self.step(step, exchange, shared, out),
            Err(failure) => self.fail(failure, shared, out),
        }
    }

    /// 6.4.2
    fn auth(
        &mut self,
        element: &RawElement<'_>,
        shared: &mut Shared,
    ) -> Result<(Step, Exchange), SaslFailure> {
        let mechanism = element.attribute("mechanism").ok_or(SaslFailure::InvalidMechanism)?;
        let nonce = ServerNonce::from_random(shared.random());
        let mut exchange = Exchange::start(&self.offer, &mechanism, nonce, &shared.settings.secret)?;
        let response = payload::decode_initial(&text(element)?)?;
        Ok((exchange.initial(response.as_deref()), exchange))
    }

    pub(crate) fn credentials(
        &mut self,
        found: Result<Found, Fault>,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Next {
        self.answer(|exchange| exchange.credentials(found), shared, out)
    }

    pub(crate) fn verified(&mut self, verdict: PlainVerdict, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        self.answer(|exchange| exchange.verified(verdict), shared, out)
    }

    pub(crate) fn refuse(&mut self, failure: SaslFailure, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        self.answer(|_| Step::Failure(failure), shared, out)
    }

    /// The caller's answer. One that was not asked for is ignored.
    fn answer(
        &mut self,
        answer: impl FnOnce(&mut Exchange) -> Step,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Next {
        match mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Caller(mut exchange) => {
                let step = answer(&mut exchange);
                self.step(step, exchange, shared, out)
            }
            turn => {
                self.turn = turn;
                Ok(None)
            }
        }
    }

    /// XEP-0077 3.1
    fn register(&mut self, element: &RawElement<'_>, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        match Stanza::from_raw(element, ns::CLIENT) {
            // 3.1: a host that does not support it says so; the stream goes on.
            Ok(request) if !self.host.registration => {
                if let Some(mut answer) = request.error_reply(Condition::ServiceUnavailable.into()) {
                    answer.set_to(None);
                    answer.write_to(out);
                }
            }
            Ok(request) if matches!(request.iq_type(), IqType::Get | IqType::Set) => {
                let host = self.host.domain.clone();
                shared.action = Some(Action::Register { host, request: Box::new(request) });
                self.turn = Turn::Register;
            }
            Ok(_) | Err(StanzaFault::Drop) => {}
            Err(StanzaFault::Stanza(answer)) => answer.write_to(out),
            Err(StanzaFault::Stream(error)) => return Err(error),
        }
        shared.refused()
    }

    /// The caller's answer to it.
    pub(crate) fn registered(&mut self, answer: &Stanza, out: &mut Vec<u8>) {
        if matches!(self.turn, Turn::Register) {
            self.turn = Turn::Idle;
            answer.write_to(out);
        }
    }

    fn step(&mut self, step: Step, exchange: Exchange, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        match step {
            Step::Challenge(data) => {
                write("challenge", &payload::encode_challenge(&data), out);
                self.turn = Turn::Client(exchange);
            }
            Step::NeedCredentials { identity } => {
                self.account = Some(identity.clone());
                shared.action = Some(Action::NeedCredentials { account: identity });
                self.turn = Turn::Caller(exchange);
            }
            Step::Verify(check) => {
                shared.action = Some(Action::Verify(check));
                self.turn = Turn::Caller(exchange);
            }
            Step::Success { identity, data } => {
                write("success", &data.as_deref().map(payload::encode_success).unwrap_or_default(), out);
                let mechanism = exchange.mechanism();
                shared.action = Some(Action::Authenticated { account: identity.clone(), mechanism });
                let layer = Layer::Authenticated { host: Arc::clone(&self.host), account: identity };
                return Ok(Some(Stage::Header(layer)));
            }
            Step::Failure(failure) => return self.fail(failure, shared, out),
        }
        Ok(None)
    }

    /// 6.4.5
    fn fail(&mut self, failure: SaslFailure, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        self.turn = Turn::Idle;
        append(out, |out| failure.write_to(out));
        shared.action = Some(Action::AuthenticationFailed { account: self.account.take(), failure });
        self.failures = self.failures.saturating_add(1);
        if self.failures >= shared.settings.authentications_max {
            let text = "Too many failed authentications.";
            return Err(StreamError::new(StreamCondition::PolicyViolation).with_text(text));
        }
        Ok(None)
    }
}

/// The character data of an element that has no elements inside.
fn text(element: &RawElement<'_>) -> Result<String, SaslFailure> {
    if element.children().next().is_some() {
        return Err(SaslFailure::MalformedRequest);
    }
    Ok(element.to_element().text())
}

fn write(name: &str, data: &str, out: &mut Vec<u8>) {
    append(out, |out| {
        for part in ["<", name, " xmlns='", ns::SASL, "'>", data, "</", name, ">"] {
            out.push_str(part);
        }
    });
}
