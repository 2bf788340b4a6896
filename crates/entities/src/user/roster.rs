//! The roster as data: items by contact, as loaded, stored and shown.

use super::rfc_6121_subscription::Subscription;
use serde::{Deserialize, Serialize};
use stentor_xml::ElementBuilder;
use stentor_xmpp::{BareJid, ns};

/// Contacts, by address.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    items: Vec<Item>,
    /// Counts the changes that clients see (RFC 6121 2.6).
    pub version: u64,
}

/// One contact.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub jid: BareJid,
    pub name: Option<Box<str>>,
    pub groups: Box<[Box<str>]>,
    pub subscription: Subscription,
    /// Put there by the user, and not only by a request of the contact.
    pub is_listed: bool,
    /// The subscription request that waits for the user's answer, whole (RFC 6121 3.1.3).
    pub request: Option<Box<str>>,
}

/// An item at rest.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    groups: Box<[Box<str>]>,
    subscription: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    listed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ask: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pending_in: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    approved: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Box<str>>,
}

impl Item {
    /// A contact about whom nothing is said yet.
    pub(crate) fn new(jid: BareJid) -> Self {
        Self {
            jid,
            name: None,
            groups: Box::default(),
            subscription: Subscription::default(),
            is_listed: false,
            request: None,
        }
    }

    /// As stored.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let stored = Stored {
            v: 1,
            name: self.name.clone(),
            groups: self.groups.clone(),
            subscription: self.subscription.attribute().to_owned(),
            listed: self.is_listed,
            ask: self.subscription.state.is_pending_out(),
            pending_in: self.subscription.state.is_pending_in(),
            approved: self.subscription.approved,
            request: self.request.clone(),
        };
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads what `to_json` wrote; none if it cannot be read.
    pub(crate) fn parse(jid: &str, json: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(json).ok().filter(|stored: &Stored| stored.v == 1)?;
        let subscription =
            Subscription::from_stored(&stored.subscription, stored.ask, stored.approved, stored.pending_in)?;
        let jid = BareJid::parse(jid).ok()?;
        Some(Self {
            jid,
            name: stored.name,
            groups: stored.groups,
            subscription,
            is_listed: stored.listed,
            request: stored.request,
        })
    }

    /// Whether clients see it: not where there is only a request of the contact (RFC 6121 3.1.3).
    pub(crate) fn is_visible(&self) -> bool {
        self.is_listed || self.subscription.needs_item()
    }

    /// Whether it says nothing that is worth keeping.
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_visible() && self.subscription == Subscription::default()
    }

    /// As `<item/>` of the query (RFC 6121 2.1.2).
    pub(crate) fn write(&self, query: ElementBuilder) -> ElementBuilder {
        let mut item = query.open("item", ns::ROSTER).attr("jid", self.jid.as_str());
        if let Some(name) = &self.name {
            item = item.attr("name", name);
        }
        item = item.attr("subscription", self.subscription.attribute());
        if self.subscription.state.is_pending_out() {
            item = item.attr("ask", "subscribe");
        }
        if self.subscription.approved {
            item = item.attr("approved", "true");
        }
        for group in &self.groups {
            item = item.open("group", ns::ROSTER).text(group).close();
        }
        item.close()
    }
}

impl Roster {
    /// Takes up a stored item.
    pub(crate) fn recover(&mut self, item: Item) {
        self.put(item);
    }

    /// All is taken up: it seldom grows from here.
    pub(crate) fn shrink(&mut self) {
        self.items.shrink_to_fit();
    }

    /// The item of a contact.
    pub(crate) fn get(&self, jid: &BareJid) -> Option<&Item> {
        self.items.binary_search_by(|item| item.jid.cmp(jid)).ok().and_then(|at| self.items.get(at))
    }

    /// Puts an item in place of the contact's.
    pub(crate) fn put(&mut self, item: Item) {
        match self.items.binary_search_by(|other| other.jid.cmp(&item.jid)) {
            Ok(at) => {
                if let Some(place) = self.items.get_mut(at) {
                    *place = item;
                }
            }
            Err(at) => self.items.insert(at, item),
        }
    }

    /// Takes an item out.
    pub(crate) fn remove(&mut self, jid: &BareJid) -> Option<Item> {
        let at = self.items.binary_search_by(|item| item.jid.cmp(jid)).ok()?;
        Some(self.items.remove(at))
    }

    /// How many contacts clients see.
    pub(crate) fn visible(&self) -> usize {
        self.items.iter().filter(|item| item.is_visible()).count()
    }

    /// How many have asked and are not seen otherwise.
    pub(crate) fn requests(&self) -> usize {
        self.items.len() - self.visible()
    }

    /// All, by address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    /// Contacts that get the user's presence.
    pub(crate) fn subscribers(&self) -> impl Iterator<Item = &BareJid> {
        self.items.iter().filter(|item| item.subscription.state.is_from()).map(|item| &item.jid)
    }

    /// Contacts whose presence the user gets.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &BareJid> {
        self.items.iter().filter(|item| item.subscription.state.is_to()).map(|item| &item.jid)
    }
}
