//! The routing table: the members, and who owns which slot. It grows with members, never with users.

use crate::{Epoch, MemberId, Slot};
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a member says of itself when it joins; others find it by this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// Its name in the configuration, which no other live member has.
    pub name: Box<str>,
    /// Where it takes links.
    pub link: SocketAddr,
    /// Where it takes gossip.
    pub gossip: SocketAddr,
    /// Its share of the slots, relative to the weights of others.
    pub weight: u16,
    /// The versions of the wire that it speaks, lowest and highest.
    pub wire: (u16, u16),
    /// A digest of the settings that must be equal on all members.
    pub settings: u64,
}

/// A member in the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What it said of itself.
    pub info: MemberInfo,
    /// It is leaving: it is given no more slots, and gives away those that it has.
    pub is_draining: bool,
}

/// Who owns a slot, and since which change of owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// None until the first member of the cluster has joined.
    pub member: Option<MemberId>,
    /// One more with each change, so that what an earlier owner says is known for old.
    pub epoch: Epoch,
}

/// See the module. One version of it; versions only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    version: u64,
    members: BTreeMap<MemberId, Member>,
    slots: Box<[Owner]>,
}

impl Table {
    /// Version 0: no members, and slots that nobody owns.
    pub fn empty() -> Self {
        let nobody = Owner { member: None, epoch: Epoch(0) };
        let slots = vec![nobody; usize::from(Slot::COUNT)].into_boxed_slice();
        Self { version: 0, members: BTreeMap::new(), slots }
    }

    /// One member that is not named and owns every slot, in the first epoch: a server that is no cluster.
    pub fn alone(member: MemberId) -> Self {
        let mut table = Self::empty();
        table.version = 1;
        table.slots.fill(Owner { member: Some(member), epoch: Epoch(1) });
        table
    }

    /// As stored: slots that are not named are nobody's.
    pub fn from_parts(
        version: u64,
        members: BTreeMap<MemberId, Member>,
        slots: impl IntoIterator<Item = (Slot, Owner)>,
    ) -> Self {
        let mut table = Self { version, members, ..Self::empty() };
        for (slot, owner) in slots {
            table.set(slot, owner);
        }
        table
    }

    /// Which version of the table this is.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Who owns a slot.
    pub fn owner(&self, slot: Slot) -> Owner {
        // `slots` has one for each number that a `Slot` can have.
        self.slots.get(usize::from(slot.number())).copied().unwrap_or(Owner { member: None, epoch: Epoch(0) })
    }

    /// The slots of a member, ascending.
    pub fn slots_of(&self, member: MemberId) -> impl Iterator<Item = Slot> + '_ {
        Slot::all().filter(move |slot| self.owner(*slot).member == Some(member))
    }

    /// The members, by id.
    pub fn members(&self) -> &BTreeMap<MemberId, Member> {
        &self.members
    }

    /// One member.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// Enters a member, as one more version.
    pub fn join(&mut self, id: MemberId, info: MemberInfo) {
        self.version += 1;
        self.members.insert(id, Member { info, is_draining: false });
    }

    /// Carries out a change that was made from this version; the next version results.
    ///
    /// # Errors
    /// It was made from another version; nothing is changed.
    pub fn apply(&mut self, change: &TableChange) -> Result<(), StaleChange> {
        if change.base != self.version {
            return Err(StaleChange);
        }
        self.version += 1;
        for gone in &change.removed {
            self.members.remove(gone);
        }
        if let Some(member) = change.draining.and_then(|id| self.members.get_mut(&id)) {
            member.is_draining = true;
        }
        for (slot, member) in &change.moves {
            let epoch = Epoch(self.owner(*slot).epoch.0 + 1);
            self.set(*slot, Owner { member: Some(*member), epoch });
        }
        Ok(())
    }

    fn set(&mut self, slot: Slot, owner: Owner) {
        if let Some(place) = self.slots.get_mut(usize::from(slot.number())) {
            *place = owner;
        }
    }
}

/// The change was made from another version of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table has changed meanwhile")]
pub struct StaleChange;

/// One change of the table: committed whole, as its next version, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableChange {
    /// The version that it was made from; any other refuses it.
    pub base: u64,
    /// Members that are gone: their leases and lanes end with it. A member takes itself out by this too.
    pub removed: Vec<MemberId>,
    /// The counters of leases that must be as they were read: those of members that are removed for having been
    /// silent.
    pub unchanged: Vec<(MemberId, u64)>,
    /// A member that begins to leave.
    pub draining: Option<MemberId>,
    /// Slots and their next owners; each in an epoch one higher than before.
    pub moves: Vec<(Slot, MemberId)>,
}
