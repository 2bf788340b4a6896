//! What came over a link: waits for the table by which it was sent, and is handed on.

use super::super::Input;
use super::super::carry::open;
use super::super::limits::WARNING_MS;
use super::super::peers::Ways;
use crate::members::ToMember;
use crate::start::Shared;
use std::collections::VecDeque;
use std::sync::Arc;
use stentor_cluster::link::{Arrived, Weight};
use stentor_cluster::wire::{Carried, WireError};
use stentor_engine::MemberId;

/// See the module.
pub(super) struct Arrivals {
    member: MemberId,
    shared: Arc<Shared>,
    ways: Arc<Ways>,
    /// What was sent by a table that is not here yet. Bounded by the link's credit, which is given back later.
    held: VecDeque<Arrived>,
    /// What was said of the member's table.
    heard: u64,
    /// Frames that could not be read.
    malformed: u64,
    /// When the next warning may be given.
    warned: u64,
}

impl Arrivals {
    pub(super) fn new(member: MemberId, shared: Arc<Shared>, ways: Arc<Ways>) -> Self {
        Self { member, shared, ways, held: VecDeque::new(), heard: 0, malformed: 0, warned: 0 }
    }

    /// Frames that wait, and how many could not be read.
    pub(super) fn count(&self) -> (usize, u64) {
        (self.held.len(), self.malformed)
    }

    /// Takes frames, in order: each now, or when its sender's table is here. The credit of those that were taken now.
    pub(super) fn take(&mut self, now: u64, frames: Vec<Arrived>) -> Vec<Weight> {
        self.held.extend(frames);
        // A sender never goes back to an older table.
        let Some(newest) = self.held.back().map(|arrived| arrived.table) else { return Vec::new() };
        let installed = self.ways.version();
        if newest > installed.max(self.heard) {
            self.heard = newest;
            self.ways.tell(Input::Newer(newest));
        }
        let (mut items, mut weights) = (Vec::new(), Vec::new());
        while let Some(arrived) = self.held.pop_front_if(|arrived| arrived.table <= installed) {
            self.hand_on(now, arrived, &mut items, &mut weights);
        }
        self.to_arbiters(&mut items);
        weights
    }

    /// For the arbiters, or for the steward: that keeps its place behind what came before, and its weight until it was
    /// told.
    fn hand_on(&mut self, now: u64, arrived: Arrived, items: &mut Vec<ToMember>, weights: &mut Vec<Weight>) {
        match arrived.frame.decode() {
            Ok(Carried::Peer(message)) => {
                self.to_arbiters(items);
                return self.ways.tell(Input::Told(self.member, message, arrived.weight));
            }
            Ok(carried) => open(carried, items),
            Err(error) => self.malformed(now, error),
        }
        weights.push(arrived.weight);
    }

    fn to_arbiters(&self, items: &mut Vec<ToMember>) {
        if !items.is_empty() {
            self.shared.from_member(self.member, std::mem::take(items));
        }
    }

    fn malformed(&mut self, now: u64, error: WireError) {
        self.malformed += 1;
        if now >= self.warned {
            self.warned = now + WARNING_MS;
            tracing::warn!(member = self.member.0, %error, "a frame of a member was passed over");
        }
    }
}
