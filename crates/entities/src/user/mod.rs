//! A user: an account, its roster, its log, and the resources that are connected now.
//!
//! One stanza's way: [`sent`] takes it from a session, decides where it goes, and puts it into the [`outbox`]
//! (kept) or sends it off (not kept); [`received`] takes what others send, decides by
//! [`rfc_6121_delivery`] and hands it to the [`inbox`] (kept) or to resources at once. [`binding`] has what
//! concerns attachments, [`attaching`] how sessions survive the loss of a user. A module per specification does the rest.

mod account;
mod attaching;
mod binding;
mod entry;
mod inbox;
mod iq;
mod leaving;
mod load;
mod online;
mod outbox;
mod owed;
mod reading;
mod received;
mod resent;
mod resource;
mod rfc_6121_delivery;
mod rfc_6121_presence;
mod rfc_6121_roster;
pub mod rfc_6121_subscription;

mod roster;
mod sent;
mod subscribing;
mod timer;
mod xep_0012_last_activity;
mod xep_0030_disco;
mod xep_0077_registration;
mod xep_0334_hints;
mod xep_0359_stanza_ids;

use crate::{Host, Hosts};
use account::Account;
use attaching::Gathering;
use inbox::Inbox;
use load::Over;
use online::Online;
use outbox::Outbox;
use owed::{Gone, Owed};
use resent::Accepted;
use resource::Resource;
use roster::Roster;
use std::collections::BTreeMap;
use std::sync::Arc;
use stentor_engine::{
    Collection, Effects, Entity, Epoch, Event, Key, LogId, Now, Planted, Query, Reply, Rows, SessionKey,
    StreamId, ToSession,
};
use stentor_xmpp::{BareJid, FullJid, StreamCondition};
use xep_0077_registration::PasswordChange;

pub use account::CREDENTIALS;
pub(crate) use xep_0030_disco::server_info;

/// Collections of a user's records.
pub mod collection {
    use super::Collection;
    /// One record, [`super::CREDENTIALS`]. Without it there is no account.
    pub const ACCOUNT: Collection = Collection("account");
    /// A record a contact.
    pub const ROSTER: Collection = Collection("roster");
    /// A record a sender: the last forward taken from it.
    pub const SEEN: Collection = Collection("seen");
    /// A record a stream: how many of its stanzas were handled, beyond what the log says.
    pub const STREAMS: Collection = Collection("streams");
    /// A record a resource that others see, in a cluster.
    pub const ONLINE: Collection = Collection("online");
    /// Marks of messages that clients sent in the last day, some to a record.
    pub const SENT: Collection = Collection("sent");
    /// Single records: the roster's version, the last logout, which entries of the log clients have that stay for others.
    pub const STATE: Collection = Collection("state");
}

/// The user of a bare JID.
#[derive(Debug)]
pub struct User {
    key: Key,
    epoch: Epoch,
    jid: BareJid,
    hosts: Arc<Hosts>,
    host: Option<Arc<Host>>,
    /// None if there is no such account; then everything is refused.
    account: Option<Account>,
    roster: Roster,
    resources: Vec<Resource>,
    /// Sessions of the user in whose place this one was loaded are still expected.
    gathering: Option<Box<Gathering>>,
    /// Sessions of which nothing is known, that were told to attach.
    strangers: Vec<SessionKey>,
    /// When it was loaded, by the monotonic clock, if the member that had it before gave it away: contacts know what that
    /// one knew.
    given_at: Option<u64>,
    online: Online,
    /// Resources that are not available any more, lately.
    ended: Vec<FullJid>,
    owed: Owed,
    gone: Gone,
    /// The last number given to an attachment.
    attachments: u64,
    /// The last id used in the log.
    tail: LogId,
    outbox: Outbox,
    accepted: Accepted,
    inbox: Inbox,
    /// Log entries of messages that clients took, to be removed with a later write.
    settled: Vec<(LogId, Option<(StreamId, u64)>)>,
    is_settle_due: bool,
    is_sent_settle_due: bool,
    /// Streams that are over.
    streams: BTreeMap<StreamId, Over>,
    /// Changes of password under way.
    changes: Vec<PasswordChange>,
    /// When the last resource went, and what it said then (XEP-0012).
    last_activity: Option<(u64, Box<str>)>,
    /// The store could not be read: nothing is known, so nothing is decided.
    is_unreadable: bool,
}

impl Entity for User {
    type Context = Arc<Hosts>;

    fn new(key: Key, epoch: Epoch, hosts: &Arc<Hosts>) -> (Self, Vec<Query>) {
        let jid = key.jid().clone();
        let host = hosts.get(jid.domain()).cloned();
        let user = Self {
            key,
            epoch,
            jid,
            hosts: hosts.clone(),
            host,
            account: None,
            roster: Roster::default(),
            resources: Vec::new(),
            gathering: None,
            given_at: None,
            strangers: Vec::new(),
            online: Online::default(),
            ended: Vec::new(),
            owed: Owed::default(),
            gone: Gone::default(),
            attachments: 0,
            tail: LogId(0),
            outbox: Outbox::default(),
            accepted: Accepted::default(),
            inbox: Inbox::default(),
            settled: Vec::new(),
            is_settle_due: false,
            is_sent_settle_due: false,
            streams: BTreeMap::new(),
            changes: Vec::new(),
            last_activity: None,
            is_unreadable: false,
        };
        let queries = load::queries(&user.hosts);
        (user, queries)
    }

    fn loaded(&mut self, now: Now, rows: Vec<Rows>, effects: &mut Effects) {
        self.load(now, rows, effects);
    }

    fn handle(&mut self, now: Now, event: Event, effects: &mut Effects) {
        if self.is_unreadable {
            return self.decline(event, effects);
        }
        if let Some(event) = self.gather(now, event, effects) {
            self.take_back_lost(now, effects);
            self.take(now, event, effects);
        }
        self.bounce_refused(now, effects);
        self.settle_along(now, effects);
    }

    fn abandon(mut self, effects: &mut Effects) {
        for index in 0..self.resources.len() {
            self.becomes_unavailable(Now::default(), index, None, effects);
        }
        for session in self.resources.iter().filter_map(|resource| resource.session) {
            effects.session(session, ToSession::End(StreamCondition::InternalServerError.into()));
        }
        for event in self.gathering.into_iter().flat_map(|gathering| gathering.deferred()) {
            if let Event::Command(ask, _) = event {
                effects.reply(ask, Reply::Failed);
            }
        }
    }

    fn hand_over(self, effects: &mut Effects) -> Vec<Event> {
        self.left(effects)
    }

    fn retire(&mut self, now: Now, effects: &mut Effects) {
        self.record_told(now, effects);
        self.write_settled(now, effects);
        self.pay_all(effects);
    }

    fn is_idle(&self) -> bool {
        self.resources.is_empty()
            && self.gathering.is_none()
            && self.outbox.is_quiet()
            && self.online.is_empty()
            && self.owed.is_empty()
            && self.settled.is_empty()
            && self.inbox.unrecorded() == 0
            && self.outbox.settled.is_empty()
            && self.changes.is_empty()
    }

    fn planted(&self) -> Planted {
        self.hosts.planted
    }
}

impl User {
    /// Whether there is nobody: no account, and no host of ours, which answers for itself as well.
    pub fn is_vacant(&self) -> bool {
        self.account.is_none() && (self.host.is_none() || self.jid.local().is_some())
    }

    fn take(&mut self, now: Now, event: Event, effects: &mut Effects) {
        match event {
            Event::Session(session, event) => self.session(now, session, event, effects),
            Event::Forward(forward) => self.forwarded(now, forward, effects),
            Event::Confirm(confirm) => self.confirmed(now, confirm, effects),
            Event::Relay(stanza) => {
                self.received(now, stanza, false, effects);
            }
            Event::Rows(token, rows) => self.rows(token, rows, effects),
            Event::Timer(token) => self.timer(now, token, effects),
            Event::Derived(token, credentials) => self.derived(now, token, credentials, effects),
            Event::Command(ask, command) => self.command(now, ask, command, effects),
            Event::MemberGone { member, gave } => self.member_gone(now, member, gave, effects),
            Event::TakenOver(_) | Event::Gathered => {}
        }
    }

    fn next_id(&mut self) -> LogId {
        self.tail = self.tail.next();
        self.tail
    }
}
