//! A stream with a resource: stanzas, stream management, and what is still about the stream itself.

use std::sync::Arc;

use stentor_xml::RawElement;
use stentor_xmpp::{Condition, FullJid, IqType, Jid, Kind, Stanza, StanzaFault, StreamCondition, ns};

use crate::action::Action;
use crate::settings::Host;
use crate::stage::{Next, Shared};
use crate::xep_0198::{Command, Malformed};

/// A client with a resource.
#[derive(Debug)]
pub(crate) struct Bound {
    host: Arc<Host>,
    jid: FullJid,
    management: Management,
}

/// XEP-0198 3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Management {
    Off,
    /// The caller is asked to enable it.
    Asked,
    /// Enabled, or refused: either way the one attempt that a client has was made.
    Decided {
        is_on: bool,
    },
}

impl Bound {
    pub(crate) fn new(host: Arc<Host>, jid: FullJid, is_managed: bool) -> Self {
        let management = if is_managed { Management::Decided { is_on: true } } else { Management::Off };
        Self { host, jid, management }
    }

    pub(crate) fn jid(&self) -> &FullJid {
        &self.jid
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.management == Management::Asked
    }

    pub(crate) fn element(
        &mut self,
        element: &RawElement<'_>,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Next {
        match element.namespace() {
            ns::CLIENT => self.stanza(element, shared),
            ns::STREAM_MANAGEMENT => self.management(element, shared, out),
            _ => shared.unexpected(element, out),
        }
    }

    fn stanza(&self, element: &RawElement<'_>, shared: &mut Shared) -> Next {
        let action = match Stanza::from_raw(element, ns::CLIENT) {
            Ok(mut stanza) => {
                // RFC 6120 8.1.2.1: 'from' is the full or bare JID of this resource, or absent.
                if stanza.from().is_some_and(|from| !self.is_own(from)) {
                    return Err(StreamCondition::InvalidFrom.into());
                }
                // 8.1.5: the stream's language is the stanza's, unless it has one.
                if let Some(lang) = shared.lang.as_deref().filter(|_| stanza.lang().is_none()) {
                    stanza.set_lang(Some(lang));
                }
                match self.about_stream(&stanza) {
                    Some(answer) => Action::Answered(answer.map(Box::new)),
                    None => Action::Stanza(stanza),
                }
            }
            Err(StanzaFault::Stanza(answer)) => Action::Answered(Some(answer)),
            Err(StanzaFault::Drop) => Action::Answered(None),
            Err(StanzaFault::Stream(error)) => return Err(error),
        };
        shared.action = Some(action);
        Ok(None)
    }

    fn is_own(&self, address: &Jid) -> bool {
        let address = address.as_str();
        address == self.jid.as_str() || address == self.jid.bare()
    }

    /// Requests about the stream, and their answers.
    fn about_stream(&self, stanza: &Stanza) -> Option<Option<Stanza>> {
        let is_for_server =
            stanza.to().is_none_or(|to| to.as_str() == self.jid.domain() || to.as_str() == self.jid.bare());
        if stanza.kind() != Kind::Iq || stanza.iq_type() != IqType::Set || !is_for_server {
            return None;
        }
        if stanza.has_child("bind", ns::BIND) {
            // RFC 6120 7.6.2.2: there is one already.
            return Some(stanza.error_reply(Condition::NotAllowed.into()));
        }
        // RFC 3921 3: there is nothing left to establish.
        stanza.has_child("session", ns::SESSION).then(|| Some(stanza.result_reply(None)))
    }

    fn management(&mut self, element: &RawElement<'_>, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        let is_on = self.management == Management::Decided { is_on: true };
        let command = match Command::read(element) {
            Ok(command) => command,
            Err(Malformed::Refuse) => return shared.refuse_management(Condition::BadRequest, out),
            Err(Malformed::Fatal(condition)) => return Err(condition.into()),
        };
        let action = match command {
            Command::Request if is_on => Action::AckRequest,
            Command::Answer { h } if is_on => Action::Ack(h),
            Command::Enable { .. } if !self.host.stream_management => {
                return shared.refuse_management(Condition::FeatureNotImplemented, out);
            }
            Command::Enable { resume, max } if self.management == Management::Off => {
                self.management = Management::Asked;
                Action::Enable { resume, max }
            }
            _ => return shared.refuse_management(Condition::UnexpectedRequest, out),
        };
        shared.action = Some(action);
        Ok(None)
    }

    /// The caller enabled stream management, or refused it. Whether it was asked to.
    pub(crate) fn decide(&mut self, is_on: bool) -> bool {
        let asked = self.is_waiting();
        if asked {
            self.management = Management::Decided { is_on };
        }
        asked
    }
}
