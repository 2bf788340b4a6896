//! The register as a store keeps it, in memory.

use std::collections::BTreeMap;
use stentor_engine::{MemberId, RegisterReply, RegisterRequest, Slot, Table};

pub(crate) struct Register {
    pub(crate) table: Table,
    pub(crate) counters: BTreeMap<MemberId, u64>,
    /// The version by which each slot got the owner that it has.
    pub(crate) moved: BTreeMap<Slot, u64>,
    next: u64,
}

impl Register {
    pub(crate) fn new() -> Self {
        Self { table: Table::empty(), counters: BTreeMap::new(), moved: BTreeMap::new(), next: 1 }
    }

    pub(crate) fn answer(&mut self, request: &RegisterRequest) -> RegisterReply {
        let version = self.table.version();
        match request {
            RegisterRequest::Join(info) => {
                let same = self.table.members().iter().find(|(_, member)| member.info.name == info.name);
                if let Some((member, _)) = same {
                    return RegisterReply::NameInUse { member: *member, counter: self.counters[member] };
                }
                let member = MemberId(self.next);
                self.next += 1;
                self.table.join(member, info.clone());
                self.counters.insert(member, 1);
                RegisterReply::Joined { member, version: version + 1 }
            }
            RegisterRequest::Renew(member) => match self.counters.get_mut(member) {
                Some(counter) => {
                    *counter += 1;
                    RegisterReply::Renewed { version }
                }
                None => RegisterReply::Fenced,
            },
            RegisterRequest::Leases => {
                let counters = self.counters.iter().map(|(member, counter)| (*member, *counter)).collect();
                RegisterReply::Leases { version, counters }
            }
            RegisterRequest::Table => RegisterReply::Table(self.table.clone()),
            RegisterRequest::Change(change) => {
                let is_as_read =
                    |(member, counter): &(MemberId, u64)| self.counters.get(member) == Some(counter);
                if !change.unchanged.iter().all(is_as_read) || self.table.apply(change).is_err() {
                    return RegisterReply::Stale { version };
                }
                for gone in &change.removed {
                    self.counters.remove(gone);
                }
                self.moved.extend(change.moves.iter().map(|(slot, _)| (*slot, version + 1)));
                RegisterReply::Changed { version: version + 1 }
            }
        }
    }
}
