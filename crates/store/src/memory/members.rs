//! Leases, lanes and the routing table, as plain maps.

use super::Memory;
use crate::backend::Refusal;
use crate::register::{LaneId, Register};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use stentor_engine::{
    Batch, CommitError, Key, MemberId, MemberInfo, Planted, RegisterReply, RegisterRequest, Table,
    TableChange,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Members {
    pub(super) table: Arc<Table>,
    leases: BTreeMap<MemberId, u64>,
    lanes: BTreeMap<LaneId, Last>,
    /// The last id given.
    last: u64,
    pub(super) planted: Planted,
}

/// The last batch of a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Last {
    number: u64,
    refused: Vec<Refusal>,
}

impl Default for Members {
    fn default() -> Self {
        let table = Arc::new(Table::empty());
        Self { table, leases: BTreeMap::new(), lanes: BTreeMap::new(), last: 0, planted: Planted::default() }
    }
}

impl Members {
    pub(super) fn ignores_epochs(&self) -> bool {
        self.planted.is_on(Planted::IGNORE_THE_EPOCH)
    }

    /// Counts the batch; or answers for it without committing anything.
    pub(super) fn advance(&mut self, lane: LaneId, batch: &Batch) -> Result<(), Vec<Refusal>> {
        let refuse = |error: CommitError| {
            let owners: HashSet<&Key> = batch.sets.iter().map(|set| &set.owner).collect();
            Err(owners.into_iter().map(|owner| (owner.clone(), error.clone())).collect())
        };
        let ignores_epochs = self.ignores_epochs();
        match self.lanes.get_mut(&lane) {
            None if ignores_epochs => Ok(()),
            None => refuse(CommitError::Fenced),
            Some(last) if last.number + 1 == batch.number => {
                last.number = batch.number;
                Ok(())
            }
            Some(last) if last.number == batch.number => Err(last.refused.clone()),
            Some(_) => refuse(CommitError::Store("this is not the lane's next batch".to_owned())),
        }
    }

    /// Keeps the answer to the batch that was counted last.
    pub(super) fn answered(&mut self, lane: LaneId, refused: &[Refusal]) {
        if let Some(last) = self.lanes.get_mut(&lane) {
            last.refused = refused.to_vec();
        }
    }

    fn join(&mut self, info: &MemberInfo) -> RegisterReply {
        let mut members = self.table.members().iter();
        if let Some((&member, _)) = members.find(|(_, member)| member.info.name == info.name) {
            let counter = self.leases.get(&member).copied().unwrap_or_default();
            return RegisterReply::NameInUse { member, counter };
        }
        self.last += 1;
        let member = MemberId(self.last);
        Arc::make_mut(&mut self.table).join(member, info.clone());
        self.leases.insert(member, 1);
        self.lanes.insert(LaneId { member, lane: 0 }, Last::default());
        RegisterReply::Joined { member, version: self.table.version() }
    }

    fn renew(&mut self, member: MemberId) -> RegisterReply {
        let Some(counter) = self.leases.get_mut(&member) else { return RegisterReply::Fenced };
        *counter += 1;
        RegisterReply::Renewed { version: self.table.version() }
    }

    fn change(&mut self, change: &TableChange) -> RegisterReply {
        let is_unchanged = |(member, counter): &(MemberId, u64)| self.leases.get(member) == Some(counter);
        let is_current = change.base == self.table.version() && change.unchanged.iter().all(is_unchanged);
        if !is_current || Arc::make_mut(&mut self.table).apply(change).is_err() {
            return RegisterReply::Stale { version: self.table.version() };
        }
        for member in &change.removed {
            self.leases.remove(member);
        }
        self.lanes.retain(|lane, _| !change.removed.contains(&lane.member));
        RegisterReply::Changed { version: self.table.version() }
    }
}

impl Memory {
    /// The routing table.
    pub fn table(&self) -> &Arc<Table> {
        &self.members.table
    }

    /// Switches bugs on.
    pub fn plant(&mut self, planted: Planted) {
        self.members.planted = planted;
    }

    /// Whether the lane is one of a member that was not fenced.
    pub fn has_lane(&self, lane: LaneId) -> bool {
        self.members.lanes.contains_key(&lane)
    }
}

impl Register for Memory {
    fn ask(&mut self, request: &RegisterRequest) -> RegisterReply {
        let members = &mut self.members;
        match request {
            RegisterRequest::Join(info) => members.join(info),
            RegisterRequest::Renew(member) => members.renew(*member),
            RegisterRequest::Leases => RegisterReply::Leases {
                version: members.table.version(),
                counters: members.leases.iter().map(|(&member, &counter)| (member, counter)).collect(),
            },
            RegisterRequest::Table => RegisterReply::Table((*members.table).clone()),
            RegisterRequest::Change(change) => members.change(change),
        }
    }
}
