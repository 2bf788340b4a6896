//! What the arbiters are told of the cluster, and what they report.

use super::core::Core;
use crate::members::ToMember;
use crate::start::Shared;
use std::sync::Arc;
use stentor_cluster::HandOvers;
use stentor_engine::{MemberId, Slot, Table};

/// What the arbiters are to do, once there are some.
pub(super) enum Order {
    Install(Arc<Table>),
    Gathered(Vec<Slot>),
    Quiesce(Vec<Slot>),
    Released,
    Rerouted(MemberId, Vec<ToMember>),
    Gone(MemberId),
    Unreachable(MemberId),
}

impl Core {
    /// The arbiters are there.
    pub(super) fn run(&mut self, shared: Arc<Shared>) {
        self.hand_overs = HandOvers::new(shared.routers.len());
        self.ways.run(&shared);
        self.shared = Some(shared);
        for order in std::mem::take(&mut self.waiting) {
            self.order(order);
        }
        self.start_links();
    }

    pub(super) fn order(&mut self, order: Order) {
        let Some(shared) = &self.shared else { return self.waiting.push(order) };
        match order {
            Order::Install(table) => {
                shared.install(&table);
                self.ways.installed(table.version());
            }
            Order::Gathered(slots) => shared.gathered(&slots.into()),
            Order::Quiesce(slots) => shared.quiesce(&slots.into()),
            Order::Released => shared.released(),
            Order::Rerouted(member, items) => shared.from_member(member, items),
            Order::Gone(member) => shared.gone(member),
            Order::Unreachable(member) => shared.unreachable(member),
        }
    }

    /// Each arbiter says it of each version; the steward is told of what all have said.
    pub(super) fn handed_over(&mut self, now: u64, arbiter: u16, version: u64) {
        self.hand_overs.said(arbiter, version, version);
        if let Some(version) = self.hand_overs.take(self.table.version()) {
            self.steward.handed_over(now, version);
        }
    }
}
