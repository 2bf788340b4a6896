//! RFC 6121 section 2: the roster. Get, set, push, versioning (2.6).

use super::User;
use super::collection::{ROSTER, STATE};
use super::iq::{Answer, Request};
use super::roster::Item;
use stentor_engine::{Effects, Now};
use stentor_xml::{Element, ElementBuilder, Node};
use stentor_xmpp::{BareJid, Condition, IqType, Stanza, ns};

/// Bytes of a contact's name, and of a group's (RFC 6121 2.3.3 asks for a limit).
const NAME_BYTES_MAX: usize = 1_023;
/// Groups of one contact.
const GROUPS_MAX: usize = 64;

impl User {
    /// A roster get (2.2), which also asks for pushes, or a roster set (2.3 to 2.5).
    pub(crate) fn roster_iq(&mut self, request: &Request<'_>, effects: &mut Effects) -> Answer {
        match request.kind {
            IqType::Get => self.roster_get(request, effects),
            _ => self.roster_set(request.now, &request.payload, effects),
        }
    }

    /// 2.1.5, 2.3.3: only the account's own clients may. A stranger does not even learn that there is an account.
    pub(crate) fn foreign_roster_iq(&self, request: &Request<'_>) -> Answer {
        self.check_trusted(request)?;
        Err(Condition::Forbidden.into())
    }

    fn roster_get(&mut self, request: &Request<'_>, effects: &mut Effects) -> Answer {
        if let Some(resource) = self.resources.get_mut(request.index)
            && !std::mem::replace(&mut resource.is_interested, true)
        {
            resource.show(effects);
        }
        let version = self.roster.version.to_string();
        if request.payload.attribute("ver") == Some(&version) {
            // 2.6.3: nothing has changed.
            return Ok(None);
        }
        let mut query = ElementBuilder::new("query", ns::ROSTER).attr("ver", &version);
        for item in self.roster.iter().filter(|item| item.is_visible()) {
            query = item.write(query);
        }
        Ok(Some(query.build()))
    }

    fn roster_set(&mut self, now: Now, payload: &Element, effects: &mut Effects) -> Answer {
        let mut items = payload.children();
        // 2.1.5: exactly one item.
        let (Some(given), None) = (items.next(), items.next()) else {
            return Err(Condition::BadRequest.into());
        };
        if !given.is("item", ns::ROSTER) {
            return Err(Condition::BadRequest.into());
        }
        let jid = given.attribute("jid").ok_or(Condition::BadRequest)?;
        let jid = BareJid::parse(jid).map_err(|_| Condition::JidMalformed)?;
        if jid == self.jid {
            // 2.3.3: may be refused; a user's own resources see each other without it.
            return Err(Condition::NotAllowed.into());
        }
        if given.attribute("subscription") == Some("remove") {
            return self.roster_remove(now, &jid, effects);
        }
        let mut item = match self.roster.get(&jid) {
            Some(item) => item.clone(),
            None if self.roster.visible() >= self.hosts.limits.roster_items_max => {
                return Err(Condition::ResourceConstraint.into());
            }
            None => Item::new(jid),
        };
        item.name = given.attribute("name").filter(|name| !name.is_empty()).map(Into::into);
        item.groups = groups(given)?;
        if item.name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
            return Err(Condition::NotAcceptable.into());
        }
        item.is_listed = true;
        self.change_item(item, true, effects);
        Ok(None)
    }

    /// 2.5: also ends both subscriptions.
    fn roster_remove(&mut self, now: Now, jid: &BareJid, effects: &mut Effects) -> Answer {
        let Some(item) = self.roster.get(jid).filter(|item| item.is_visible()).cloned() else {
            return Err(Condition::ItemNotFound.into());
        };
        self.leave(now, &item.jid, effects);
        self.roster.remove(jid);
        effects.delete(ROSTER, jid.as_str());
        let query = ElementBuilder::new("query", ns::ROSTER);
        let removed = |query: ElementBuilder| {
            query.open("item", ns::ROSTER).attr("jid", jid.as_str()).attr("subscription", "remove").close()
        };
        self.push(|version| removed(query.attr("ver", version)).build(), effects);
        Ok(None)
    }

    /// Stores an item as it is now, and pushes it to the clients that see it.
    pub(crate) fn change_item(&mut self, item: Item, is_pushed: bool, effects: &mut Effects) {
        effects.put(ROSTER, item.jid.as_str(), item.to_json());
        let pushed = item.clone();
        self.roster.put(item);
        if is_pushed {
            let query = ElementBuilder::new("query", ns::ROSTER);
            self.push(|version| pushed.write(query.attr("ver", version)).build(), effects);
        }
    }

    /// Forgets an item that says nothing any more.
    pub(crate) fn forget_item(&mut self, jid: &BareJid, effects: &mut Effects) {
        self.roster.remove(jid);
        effects.delete(ROSTER, jid.as_str());
    }

    pub(crate) fn put_roster_version(&self, effects: &mut Effects) {
        let version = self.roster.version;
        effects.put(STATE, "roster", format!("{{\"v\":1,\"version\":{version}}}"));
    }

    /// A roster push (2.1.6), to every resource that asked for the roster, under a new version.
    fn push(&mut self, query: impl FnOnce(&str) -> Element, effects: &mut Effects) {
        self.roster.version += 1;
        self.put_roster_version(effects);
        let query = query(&self.roster.version.to_string());
        for index in 0..self.resources.len() {
            let Some(resource) = self.resources.get_mut(index).filter(|r| r.is_interested) else { continue };
            let mut push = Stanza::iq(IqType::Set, &resource.next_iq_id());
            push.set_to(Some(resource.jid.clone().into()));
            push.push(&query);
            self.reply(index, &push, effects);
        }
    }
}

/// The groups of an item (2.1.2.6): not empty, not too long, none twice.
fn groups(item: Node<'_>) -> Result<Box<[Box<str>]>, Condition> {
    let mut groups: Vec<Box<str>> = Vec::new();
    for group in item.children().filter(|child| child.is("group", ns::ROSTER)) {
        let name: Box<str> = group.text().into();
        // 2.3.3.
        if name.is_empty() || name.len() > NAME_BYTES_MAX || groups.len() >= GROUPS_MAX {
            return Err(Condition::NotAcceptable);
        }
        if groups.contains(&name) {
            return Err(Condition::BadRequest);
        }
        groups.push(name);
    }
    Ok(groups.into())
}
