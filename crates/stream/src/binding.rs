//! Resource binding (RFC 6120 7), or the resumption of an earlier session in its place (XEP-0198 5).

use std::mem;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stentor_xml::{ElementBuilder, RawElement, escape_attribute};
use stentor_xmpp::{BareJid, Condition, FullJid, StanzaError, ns};

use crate::action::Action;
use crate::bound::Bound;
use crate::limits::RESOURCE_BYTES;
use crate::settings::Host;
use crate::stage::{Next, Shared, Stage, append};
use crate::xep_0198::{self, Command, Malformed};

/// A client that is authenticated and has no resource yet.
#[derive(Debug)]
pub(crate) struct Binding {
    host: Arc<Host>,
    account: BareJid,
    asked: Asked,
}

/// What the caller was asked.
#[derive(Debug)]
enum Asked {
    Nothing,
    /// To bind a resource, by an iq with this id.
    Bind(String),
    /// To resume the session of this id.
    Resume(String),
}

impl Binding {
    pub(crate) fn new(host: Arc<Host>, account: BareJid) -> Self {
        Self { host, account, asked: Asked::Nothing }
    }

    pub(crate) fn account(&self) -> &BareJid {
        &self.account
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !matches!(self.asked, Asked::Nothing)
    }

    pub(crate) fn element(
        &mut self,
        element: &RawElement<'_>,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Next {
        let is_bind = element.is("iq", ns::CLIENT)
            && element.attribute("type").is_some_and(|kind| kind == "set")
            && element.child("bind", ns::BIND).is_some();
        if is_bind {
            return self.bind(element, shared, out);
        }
        if element.is("resume", ns::STREAM_MANAGEMENT) {
            return self.resume(element, shared, out);
        }
        shared.unexpected(element, out)
    }

    /// 7.6.1, 7.7.1
    fn bind(&mut self, element: &RawElement<'_>, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        let id = element.attribute("id");
        let request = element.child_element("bind", ns::BIND);
        let resource =
            request.as_ref().and_then(|bind| bind.child("resource", ns::BIND)).map(|node| node.text());
        let jid = match resource {
            None => self.account.with_resource(&URL_SAFE_NO_PAD.encode(shared.random::<RESOURCE_BYTES>())),
            Some(resource) => self.account.with_resource(&resource),
        };
        match (jid, id) {
            (Ok(jid), Some(id)) if element.children().len() == 1 => {
                self.asked = Asked::Bind(id.into_owned());
                shared.action = Some(Action::Bind { jid });
                Ok(None)
            }
            // 7.7.2.1; 8.1.3 for what has no id.
            (_, id) => {
                write_refusal(id.as_deref(), &Condition::BadRequest.into(), out);
                shared.refused()
            }
        }
    }

    fn resume(&mut self, element: &RawElement<'_>, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        if !self.host.stream_management {
            return shared.refuse_management(Condition::FeatureNotImplemented, out);
        }
        match Command::read(element) {
            Ok(Command::Resume { previd, h }) => {
                self.asked = Asked::Resume(previd.clone());
                shared.action = Some(Action::Resume { previd, h });
                Ok(None)
            }
            Ok(_) | Err(Malformed::Refuse) => shared.refuse_management(Condition::BadRequest, out),
            Err(Malformed::Fatal(condition)) => Err(condition.into()),
        }
    }

    /// The caller bound a resource. `None`: it was not asked to.
    pub(crate) fn bound(&mut self, jid: &FullJid, out: &mut Vec<u8>) -> Option<Stage> {
        let Asked::Bind(id) = &self.asked else { return None };
        let bind = ElementBuilder::new("bind", ns::BIND).open("jid", ns::BIND).text(jid.as_str()).build();
        append(out, |out| {
            write_iq("result", Some(id), out);
            bind.write_to(ns::CLIENT, out);
            out.push_str("</iq>");
        });
        Some(Stage::Bound(Box::new(Bound::new(Arc::clone(&self.host), jid.clone(), false))))
    }

    /// The caller did not bind the resource.
    pub(crate) fn refuse(&mut self, error: &StanzaError, shared: &mut Shared, out: &mut Vec<u8>) -> Next {
        let Asked::Bind(id) = mem::replace(&mut self.asked, Asked::Nothing) else { return Ok(None) };
        write_refusal(Some(&id), error, out);
        shared.refused()
    }

    /// The caller resumed the session.
    pub(crate) fn resumed(&mut self, jid: &FullJid, h: u32, out: &mut Vec<u8>) -> Option<Stage> {
        let Asked::Resume(previd) = &self.asked else { return None };
        append(out, |out| xep_0198::write_resumed(previd, h, out));
        Some(Stage::Bound(Box::new(Bound::new(Arc::clone(&self.host), jid.clone(), true))))
    }

    /// The caller could not resume the session; the client may bind a resource instead.
    pub(crate) fn resume_failed(
        &mut self,
        condition: Condition,
        h: Option<u32>,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Next {
        let Asked::Resume(_) = mem::replace(&mut self.asked, Asked::Nothing) else { return Ok(None) };
        append(out, |out| xep_0198::write_failed(condition, h, out));
        shared.refused()
    }
}

fn write_refusal(id: Option<&str>, error: &StanzaError, out: &mut Vec<u8>) {
    append(out, |out| {
        write_iq("error", id, out);
        error.write_to(out);
        out.push_str("</iq>");
    });
}

/// Writes the start tag of an iq that answers the client, which has no address yet.
fn write_iq(kind: &str, id: Option<&str>, out: &mut String) {
    for part in ["<iq type='", kind, "'"] {
        out.push_str(part);
    }
    if let Some(id) = id {
        out.push_str(" id='");
        escape_attribute(id, out);
        out.push('\'');
    }
    out.push('>');
}
