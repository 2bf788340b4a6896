//! Requests that the server answers: for the account to its own clients, for the account to others, for the server.

use super::User;
use stentor_engine::{Effects, Now, Outcome};
use stentor_xml::Element;
use stentor_xmpp::{Condition, IqType, Jid, Stanza, StanzaError, ns};

/// A request to be answered here.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub now: Now,
    /// Get or set.
    pub kind: IqType,
    /// Who asks.
    pub from: &'a Jid,
    /// The resource that asks, if it is one of the account's own; meaningless for others.
    pub index: usize,
    /// Which domain is asked.
    pub to_domain: &'a str,
    pub payload: Element,
}

/// A result's payload, or the error.
pub(crate) type Answer = Result<Option<Element>, StanzaError>;

type Handler = fn(&mut User, &Request<'_>, &mut Effects) -> Answer;

/// What the account's own clients may ask of it: namespace of the payload, who answers.
const OWN: &[(&str, Handler)] = &[
    (ns::ROSTER, |user, request, effects| user.roster_iq(request, effects)),
    (ns::PING, |_, request, _| pong(request)),
    (ns::SESSION, |_, _, _| Ok(None)),
    (ns::DISCO_INFO, |user, request, _| user.account_info(request)),
    (ns::DISCO_ITEMS, |user, request, _| user.account_items(request)),
    (ns::LAST_ACTIVITY, |user, request, _| user.last_activity(request)),
    (ns::REGISTER, |user, request, _| user.registration(request)),
];

/// What they may ask of the server.
const SERVER: &[(&str, Handler)] = &[
    (ns::PING, |_, request, _| pong(request)),
    (ns::SESSION, |_, _, _| Ok(None)),
    (ns::DISCO_INFO, |user, request, _| user.server_info(request)),
    (ns::DISCO_ITEMS, |user, request, _| user.server_items(request)),
    (ns::LAST_ACTIVITY, |user, request, _| user.server_uptime(request)),
    (ns::VERSION, |user, request, _| user.server_version(request)),
    (ns::TIME, |user, request, _| user.server_time(request)),
    (ns::REGISTER, |user, request, _| user.registration(request)),
];

/// What others may ask of the account.
const OTHERS: &[(&str, Handler)] = &[
    (ns::ROSTER, |user, request, _| user.foreign_roster_iq(request)),
    (ns::DISCO_INFO, |user, request, _| user.account_info(request)),
    (ns::DISCO_ITEMS, |user, request, _| user.account_items(request)),
    (ns::LAST_ACTIVITY, |user, request, _| user.last_activity(request)),
];

impl User {
    /// A request of one of our own resources to its account or to the server.
    pub(crate) fn serve(&mut self, now: Now, index: usize, stanza: &Stanza, effects: &mut Effects) {
        let is_server = stanza.to().is_some_and(|to| to.local().is_none());
        if stanza.has_child("query", ns::REGISTER) {
            // XEP-0077 says `to` is the server; clients also leave it out. Another server has no account of theirs.
            let is_ours = stanza.to().is_none_or(|to| to.domain() == self.jid.domain());
            match stanza.iq_type() {
                _ if !is_ours => return self.refuse(index, stanza, Condition::ServiceUnavailable, effects),
                IqType::Set => return self.change_registration(now, index, stanza, effects),
                _ => {}
            }
        }
        let handlers = if is_server { SERVER } else { OWN };
        if let Some(reply) = self.ask(now, index, stanza, handlers, effects) {
            self.reply(index, &reply, effects);
        }
    }

    /// A request of somebody else to the account, which the server answers for it.
    pub(crate) fn serve_other(&mut self, now: Now, stanza: &Stanza, effects: &mut Effects) -> Outcome {
        if let Some(reply) = self.ask(now, usize::MAX, stanza, OTHERS, effects) {
            self.route(reply, effects);
        }
        Outcome::Accepted
    }

    fn ask(
        &mut self,
        now: Now,
        index: usize,
        stanza: &Stanza,
        handlers: &[(&str, Handler)],
        effects: &mut Effects,
    ) -> Option<Stanza> {
        let answer = match (stanza.payload(), stanza.from()) {
            (Some(payload), Some(from)) => {
                let handler = handlers.iter().find(|(namespace, _)| *namespace == payload.namespace());
                let to_domain = stanza.to().unwrap_or(from).domain();
                let request = Request { now, kind: stanza.iq_type(), from, index, to_domain, payload };
                match handler {
                    Some((_, handler)) => handler(self, &request, effects),
                    None => Err(Condition::ServiceUnavailable.into()),
                }
            }
            _ => Err(Condition::BadRequest.into()),
        };
        match answer {
            Ok(payload) => Some(stanza.result_reply(payload.as_ref())),
            Err(error) => stanza.error_reply(error),
        }
    }
}

/// XEP-0199 XMPP Ping, version 2.0.1 (4.1, 4.2).
fn pong(request: &Request<'_>) -> Answer {
    only_get(request)?;
    Ok(None)
}

/// For what can be asked and not set.
pub(crate) fn only_get(request: &Request<'_>) -> Result<(), Condition> {
    if request.kind == IqType::Get { Ok(()) } else { Err(Condition::NotAllowed) }
}
