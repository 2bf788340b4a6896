//! Who is available, on record, so that contacts hear of those who went with a member. In a cluster only: a server alone
//! comes back without anybody, and its contacts with it.
//!
//! A resource that others see has a record, written with what shows it. A record that no resource has, once all have
//! attached that will, is of one that is gone: contacts are told. The record goes only a while later, also where a
//! resource ends in the ordinary way: so a member that dies before all have heard it has its successor repeat it.

use super::collection::ONLINE;
use super::rfc_6121_presence::bare_presence;
use super::{User, timer};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stentor_engine::{Effects, Now, Record};
use stentor_xmpp::{Jid, PresenceType};

/// Milliseconds for which a record stays after contacts were told that its resource is gone: longer than a link between
/// members may be down, or a take-over be held up by a store that is not reached. What is on the link can be lost, and what
/// the owner that is lost had taken; whoever comes after asks who is gone.
const STAYS: u64 = 120_000;
/// Milliseconds after which contacts have heard what they were told: whoever had no room for it would have said so.
const HEARD_AFTER: u64 = 5_000;
/// Of those to whom a resource has sent presence directly, so many are on record; others do not hear that it went with
/// its member. The record is written anew with each of them.
const DIRECTED_RECORDED_MAX: usize = 50;

/// Records that no resource has, by resourcepart.
#[derive(Debug, Default)]
pub(crate) struct Online {
    records: BTreeMap<Box<str>, Ownerless>,
    is_due: bool,
}

#[derive(Debug)]
enum Ownerless {
    /// Its resource may still come.
    Found(Shown),
    /// Contacts were told, at this time by the monotonic clock.
    Told(u64),
    /// Found then, and an owner of before told them, all of them.
    Heard(u64),
}

/// What others see of a resource.
#[derive(Debug, Serialize, Deserialize)]
struct Shown {
    v: u8,
    is_available: bool,
    /// Who has its presence directly.
    directed: Vec<String>,
    /// It ended, as they were told by an owner who has given the slot away since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_told: bool,
}

impl Shown {
    /// Its resource may be seen by contacts, and by these.
    fn new(is_available: bool, directed: Vec<String>) -> Self {
        Self { v: 1, is_available, directed, is_told: false }
    }

    fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl Online {
    /// Whether there is nothing to be told or removed.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether contacts know that this resource ended from an owner of before, who gave the slot away since.
    pub(crate) fn is_heard(&self, name: &str) -> bool {
        matches!(self.records.get(name), Some(Ownerless::Heard(_)))
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }

    /// A resource that is here again is shown by a record. Whether there is one.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        self.records.remove(name).is_some()
    }
}

impl User {
    /// Takes up records, at loading. One that cannot be read says that something was shown.
    pub(crate) fn load_online(&mut self, records: &[Record]) {
        for record in records {
            let shown = serde_json::from_slice::<Shown>(&record.value).ok().filter(|shown| shown.v == 1);
            let shown = shown.unwrap_or_else(|| Shown::new(true, Vec::new()));
            self.online.records.insert(record.key.as_ref().into(), Ownerless::Found(shown));
        }
    }

    /// Others see a resource, or see it no more, or, if `is_changed`, see other things of it: its record follows.
    pub(crate) fn record_online(&mut self, now: Now, index: usize, is_changed: bool, effects: &mut Effects) {
        if !self.hosts.is_clustered {
            return;
        }
        let Some(resource) = self.resources.get_mut(index) else { return };
        let directed = || resource.directed.iter().flat_map(|directed| directed.iter());
        if resource.is_shown() {
            self.online.take(resource.name());
            if is_changed || !resource.is_recorded {
                let directed =
                    directed().take(DIRECTED_RECORDED_MAX).map(|jid| jid.as_str().to_owned()).collect();
                let shown = Shown::new(resource.presence.is_some(), directed);
                effects.put(ONLINE, resource.name(), shown.to_json());
            }
            resource.is_recorded = true;
        } else if std::mem::take(&mut resource.is_recorded) {
            self.online.records.insert(resource.name().into(), Ownerless::Told(now.monotonic));
            self.remove_online_later(effects);
        }
    }

    /// The resource is to be made anew, by a session that attaches once more: its record is found again then.
    pub(crate) fn leave_record(&mut self, name: &str) {
        self.online.records.insert(name.into(), Ownerless::Found(Shown::new(true, Vec::new())));
    }

    /// The slot is to be given away: who ended is on record as such, since contacts have heard it by the time that the next
    /// owner reads this; unless there was no room to tell somebody, as may yet turn out of what was told just now.
    pub(crate) fn record_told(&self, now: Now, effects: &mut Effects) {
        if !self.owed.is_empty() {
            return;
        }
        let told = Shown { is_told: true, ..Shown::new(true, Vec::new()) }.to_json();
        for (name, record) in &self.online.records {
            if matches!(record, Ownerless::Told(at) if at.saturating_add(HEARD_AFTER) <= now.monotonic) {
                effects.put(ONLINE, name.as_ref(), told.clone());
            }
        }
    }

    /// All have come that will: those who did not went with a member.
    pub(crate) fn take_back_lost(&mut self, now: Now, effects: &mut Effects) {
        let is_found = |record: &Ownerless| matches!(record, Ownerless::Found(_));
        if self.gathering.is_some() || !self.online.records.values().any(is_found) {
            return;
        }
        let is_given = self.given_at.is_some();
        let mut records: Vec<_> = std::mem::take(&mut self.online.records).into_iter().collect();
        // Of those who ended the last are borne in mind: rather those whom contacts are told of now.
        records.sort_by_key(|(_, record)| !matches!(record, Ownerless::Found(shown) if shown.is_told));
        for (name, record) in records {
            let Ownerless::Found(shown) = record else {
                self.online.records.insert(name, record);
                continue;
            };
            match self.jid.with_resource(&name) {
                Ok(jid) if shown.is_told && is_given => {
                    self.note_ended(&bare_presence(PresenceType::Unavailable, jid.into()));
                    self.online.records.insert(name, Ownerless::Heard(now.monotonic));
                }
                Ok(jid) if self.account.is_some() => {
                    let stanza = bare_presence(PresenceType::Unavailable, jid.into());
                    let directed: BTreeSet<Jid> =
                        shown.directed.iter().filter_map(|jid| Jid::parse(jid).ok()).collect();
                    self.take_back(now, &stanza, shown.is_available, Some(Arc::new(directed)), effects);
                    self.online.records.insert(name, Ownerless::Told(now.monotonic));
                }
                _ => effects.delete(ONLINE, name),
            }
        }
        self.remove_online_later(effects);
    }

    fn remove_online_later(&mut self, effects: &mut Effects) {
        if !std::mem::replace(&mut self.online.is_due, true) {
            effects.timer(STAYS, timer::ONLINE);
        }
    }

    /// Removes records of those of whom contacts were told a while ago.
    pub(crate) fn remove_online(&mut self, now: Now, effects: &mut Effects) {
        self.online.is_due = false;
        let is_over = |record: &Ownerless| match record {
            Ownerless::Told(at) | Ownerless::Heard(at) => at.saturating_add(STAYS) <= now.monotonic,
            Ownerless::Found(_) => false,
        };
        let (over, stay) =
            std::mem::take(&mut self.online.records).into_iter().partition(|(_, r)| is_over(r));
        let over: BTreeMap<Box<str>, Ownerless> = over;
        self.online.records = stay;
        for name in over.into_keys() {
            self.ended.retain(|ended| ended.resource() != &*name);
            effects.delete(ONLINE, name);
        }
        if self.online.records.values().any(|record| !matches!(record, Ownerless::Found(_))) {
            self.remove_online_later(effects);
        }
    }
}
