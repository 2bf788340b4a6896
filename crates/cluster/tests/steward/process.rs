//! One process with a steward, and what a runtime around it knows.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stentor_cluster::{Ending, Steward};
use stentor_engine::{MemberId, MemberInfo, Slot, Table};

pub(crate) fn info(name: &str) -> MemberInfo {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    MemberInfo { name: name.into(), link: address, gossip: address, weight: 4, wire: (1, 1), settings: 7 }
}

pub(crate) struct Process {
    pub(crate) info: MemberInfo,
    pub(crate) steward: Steward,
    /// Its clock: where it began, and how fast it is, in thousandths.
    pub(crate) offset: u64,
    pub(crate) rate: u64,
    /// Until when it stands still.
    pub(crate) paused: u64,
    pub(crate) is_dead: bool,
    /// It can be linked with nobody.
    pub(crate) is_apart: bool,
    pub(crate) ending: Option<Ending>,
    pub(crate) id: Option<MemberId>,
    pub(crate) joined_by: u64,
    pub(crate) table: Arc<Table>,
    pub(crate) handed_over: u64,
    /// Slots of ours that others hand over, and since when on our clock.
    pub(crate) gathering: BTreeMap<Slot, u64>,
    pub(crate) quiescing: BTreeSet<Slot>,
    pub(crate) quiet: BTreeSet<Slot>,
    pub(crate) is_draining: bool,
    pub(crate) has_drained: bool,
}

impl Process {
    pub(crate) fn new(info: MemberInfo, offset: u64, rate: u64) -> Self {
        Self {
            steward: Steward::new(info.clone()),
            info,
            offset,
            rate,
            paused: 0,
            is_dead: false,
            is_apart: false,
            ending: None,
            id: None,
            joined_by: 0,
            table: Arc::new(Table::empty()),
            handed_over: 0,
            gathering: BTreeMap::new(),
            quiescing: BTreeSet::new(),
            quiet: BTreeSet::new(),
            is_draining: false,
            has_drained: false,
        }
    }

    /// What its clock shows.
    pub(crate) fn clock(&self, now: u64) -> u64 {
        self.offset + now * self.rate / 1_000
    }

    /// It runs, and is a member or wants to be.
    pub(crate) fn is_alive(&self) -> bool {
        !self.is_dead && self.ending.is_none()
    }

    pub(crate) fn owns(&self, slot: Slot) -> bool {
        self.id.is_some() && self.table.owner(slot).member == self.id
    }

    /// A new table, as a runtime takes it.
    pub(crate) fn install(&mut self, now: u64, table: Arc<Table>) {
        let clock = self.clock(now);
        for slot in Slot::all() {
            if self.table.owner(slot) != table.owner(slot) {
                self.quiescing.remove(&slot);
                self.quiet.remove(&slot);
                self.gathering.remove(&slot);
                if table.owner(slot).member == self.id {
                    self.gathering.insert(slot, clock);
                }
            }
        }
        self.table = table;
    }
}
