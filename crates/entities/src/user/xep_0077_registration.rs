//! XEP-0077 In-Band Registration, version 2.4: change of password and removal, by the account's own client. Making
//! an account is before authentication, so it belongs to the stream. There are no data forms (4), for nothing is asked
//! beyond username and password, and errors have no numbers (9), for XEP-0086, which gave them, is deprecated.

use super::User;
use super::iq::{Answer, Request};
use bytes::Bytes;
use stentor_engine::{Effects, Now};
use stentor_xml::{Element, ElementBuilder};
use stentor_xmpp::{Condition, FullJid, IqType, Stanza, ns};

/// For whoever is registered.
const INSTRUCTIONS: &str =
    "You have an account. To change its password, give your username and the new password.";

/// Changes of password of one account that may be under way.
const CHANGES_MAX: usize = 4;

/// A change of password whose keys are being derived, which never happens here.
#[derive(Debug)]
pub(crate) struct PasswordChange {
    token: u64,
    /// Who asked, and keeps its session.
    by: FullJid,
    request: Stanza,
}

impl User {
    /// What is registered (3.1).
    pub(crate) fn registration(&self, request: &Request<'_>) -> Answer {
        if request.kind != IqType::Get {
            return Err(Condition::BadRequest.into());
        }
        let query = ElementBuilder::new("query", ns::REGISTER).open("registered", ns::REGISTER).close();
        let query = query.open("instructions", ns::REGISTER).text(INSTRUCTIONS).close();
        let query = query.open("username", ns::REGISTER).text(self.jid.local().unwrap_or_default()).close();
        Ok(Some(query.open("password", ns::REGISTER).close().build()))
    }

    /// A removal (3.2) or a change of password (3.3). These answer by themselves: the one with the last thing on
    /// its stream, the other once the keys are derived.
    pub(crate) fn change_registration(
        &mut self,
        now: Now,
        index: usize,
        stanza: &Stanza,
        effects: &mut Effects,
    ) {
        let Some(payload) = stanza.payload() else {
            return self.refuse(index, stanza, Condition::BadRequest, effects);
        };
        let is_removal = payload.child("remove", ns::REGISTER).is_some();
        if is_removal && payload.children().count() > 1 {
            // 3.2: nothing else beside it.
            self.refuse(index, stanza, Condition::BadRequest, effects);
        } else if is_removal {
            self.reply(index, &stanza.result_reply(None), effects);
            self.remove(now, effects);
        } else if let Err(condition) = self.change_password(index, stanza, &payload, effects) {
            self.refuse(index, stanza, condition, effects);
        }
    }

    fn change_password(
        &mut self,
        index: usize,
        stanza: &Stanza,
        payload: &Element,
        effects: &mut Effects,
    ) -> Result<(), Condition> {
        let text = |name| payload.child(name, ns::REGISTER).map(|field| field.text());
        let (Some(username), Some(password)) = (text("username"), text("password")) else {
            return Err(Condition::BadRequest);
        };
        // 3.3: one's own only.
        if stentor_xmpp::prepare_localpart(&username).ok().as_deref() != self.jid.local() {
            return Err(Condition::Forbidden);
        }
        if password.is_empty() || stentor_xmpp::prepare_password(&password).is_err() {
            return Err(Condition::NotAcceptable);
        }
        if self.changes.len() >= CHANGES_MAX {
            return Err(Condition::ResourceConstraint);
        }
        let Some(by) = self.resources.get(index).map(|resource| resource.jid.clone()) else { return Ok(()) };
        let token = self.changes.last().map_or(0, |change| change.token + 1);
        self.changes.push(PasswordChange { token, by, request: stanza.clone() });
        effects.derive(token, password);
        Ok(())
    }

    /// The keys of a new password, or none if it cannot be one.
    pub(crate) fn derived(
        &mut self,
        now: Now,
        token: u64,
        credentials: Option<Bytes>,
        effects: &mut Effects,
    ) {
        let Some(at) = self.changes.iter().position(|change| change.token == token) else { return };
        let PasswordChange { by, request, .. } = self.changes.remove(at);
        let Some(index) = self.resources.iter().position(|resource| resource.jid == by) else { return };
        let Some(credentials) = credentials else {
            return self.refuse(index, &request, Condition::NotAcceptable, effects);
        };
        self.reply(index, &request.result_reply(None), effects);
        self.set_credentials(now, credentials, Some(by.resource()), effects);
    }
}
