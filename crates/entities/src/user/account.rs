//! The account itself, and what administration asks of it.

use super::User;
use super::collection::{ACCOUNT, STATE};
use super::rfc_6121_subscription::State;
use super::roster::Item;
use bytes::Bytes;
use stentor_engine::{Ask, Command, Effects, LogId, Now, Reply, SessionInfo, Write};
use stentor_xmpp::{BareJid, StreamCondition, StreamError};

/// An account that exists. What it may log in with is read by whoever checks it, not held here.
#[derive(Debug)]
pub(crate) struct Account;

/// The name of the one record of [`ACCOUNT`].
pub const CREDENTIALS: &str = "credentials";

impl User {
    /// Administration asks; the answer leaves once what was asked is durable.
    pub(crate) fn command(&mut self, now: Now, ask: Ask, command: Command, effects: &mut Effects) {
        let reply = match command {
            Command::CreateAccount(credentials) => self.create(now, credentials, effects),
            Command::SetCredentials(credentials, but) => {
                self.set_credentials(now, credentials, but.as_deref(), effects)
            }
            Command::RemoveAccount => self.remove(now, effects),
            Command::AddContact { jid, name } => self.add_contact(jid, &name, effects),
            Command::Sessions if self.account.is_none() => Reply::NotFound,
            Command::Sessions => Reply::Sessions(self.sessions()),
            Command::Describe if self.account.is_none() => Reply::NotFound,
            Command::Describe => {
                let (contacts, waiting) = (self.roster.visible() as u64, self.inbox.len() as u64);
                Reply::Account { contacts, waiting }
            }
            Command::Kick(name, text) => self.kick(now, name.as_deref(), &text, effects),
            Command::Settle => {
                self.write_settled(now, effects);
                Reply::Done
            }
        };
        effects.reply(ask, reply);
    }

    /// Whatever others and clients remember of an account that had this address before must not fit this one: the
    /// names of forwards, by which repeats are told, and the versions of the roster begin with the time.
    fn create(&mut self, now: Now, credentials: Bytes, effects: &mut Effects) -> Reply {
        if self.account.is_some() || self.host.is_none() || self.jid.local().is_none() {
            return if self.account.is_some() { Reply::Exists } else { Reply::NotFound };
        }
        effects.put(ACCOUNT, CREDENTIALS, credentials);
        effects.put(STATE, "created", format!("{{\"v\":1,\"at\":{}}}", now.unix));
        self.account = Some(Account);
        self.begin_at(now.unix);
        self.roster.version = now.unix;
        self.put_roster_version(effects);
        Reply::Done
    }

    /// No log id is below those of the time when the account was made, milliseconds since 1970 UTC.
    pub(crate) fn begin_at(&mut self, created: u64) {
        self.tail = self.tail.max(LogId(created << 10));
    }

    /// Sessions that logged in with the old ones end, but for the one that asked.
    pub(crate) fn set_credentials(
        &mut self,
        now: Now,
        credentials: Bytes,
        but: Option<&str>,
        effects: &mut Effects,
    ) -> Reply {
        if self.account.is_none() {
            return Reply::NotFound;
        }
        effects.put(ACCOUNT, CREDENTIALS, credentials);
        let error = StreamError::new(StreamCondition::Reset).with_text("the password was changed");
        self.end_all(now, but, &error, effects);
        Reply::Done
    }

    pub(crate) fn remove(&mut self, now: Now, effects: &mut Effects) -> Reply {
        if self.account.take().is_none() {
            return Reply::NotFound;
        }
        let error = StreamError::new(StreamCondition::NotAuthorized).with_text("the account was removed");
        self.end_all(now, None, &error, effects);
        let contacts: Vec<BareJid> = self.roster.iter().map(|item| item.jid.clone()).collect();
        for contact in contacts {
            self.leave(now, &contact, effects);
        }
        effects.write(Write::Erase);
        self.forget_all();
        self.tail = LogId(0);
        Reply::Done
    }

    fn add_contact(&mut self, jid: BareJid, name: &str, effects: &mut Effects) -> Reply {
        if self.account.is_none() {
            return Reply::NotFound;
        }
        let mut item = self.roster.get(&jid).cloned().unwrap_or_else(|| Item::new(jid));
        item.name = Some(name).filter(|name| !name.is_empty()).map(Into::into);
        item.is_listed = true;
        item.subscription.state = State::Both;
        self.change_item(item, true, effects);
        Reply::Done
    }

    fn sessions(&self) -> Vec<SessionInfo> {
        let info = |resource: &super::Resource| SessionInfo {
            jid: resource.jid.clone(),
            is_connected: resource.session.is_some(),
            priority: resource.priority(),
            is_managed: resource.management.is_some(),
            since: resource.since,
            peer: resource.peer.filter(|_| resource.session.is_some()),
        };
        self.resources.iter().map(info).collect()
    }

    fn kick(&mut self, now: Now, name: Option<&str>, text: &str, effects: &mut Effects) -> Reply {
        let error = StreamError::new(StreamCondition::Reset).with_text(text);
        let mut reply = Reply::NotFound;
        while let Some(index) = self.resources.iter().position(|r| name.is_none_or(|name| r.name() == name)) {
            reply = Reply::Done;
            self.end_resource(now, index, Some(error.clone()), effects);
        }
        reply
    }

    fn end_all(&mut self, now: Now, but: Option<&str>, error: &StreamError, effects: &mut Effects) {
        while let Some(index) = self.resources.iter().position(|r| Some(r.name()) != but) {
            self.end_resource(now, index, Some(error.clone()), effects);
        }
    }

    /// Notes when the last resource went (XEP-0012).
    pub(crate) fn note_last_activity(
        &mut self,
        now: Now,
        stanza: &stentor_xmpp::Stanza,
        effects: &mut Effects,
    ) {
        if self.resources.iter().any(|resource| resource.presence.is_some()) {
            return;
        }
        let status = stanza.text_of("status").unwrap_or_default();
        self.last_activity = Some((now.unix, status.clone().into()));
        let value = serde_json::json!({ "v": 1, "at": now.unix, "status": status });
        effects.put(STATE, "last", value.to_string());
    }
}
