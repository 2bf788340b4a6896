//! A member: its lease, the slots that it has, gets and gives away, and what it does about others that are silent.

use super::desk::{Desk, Wish};
use super::gathering::Gathering;
use super::moves::Moves;
use super::parting::Parting;
use super::passing::Passing;
use super::{Action, Ending};
use crate::PeerMessage;
use crate::limits::{LEASE_MS, OBSERVATION_GAP_MS, UNREACHABLE_MS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stentor_engine::{MemberId, RegisterRequest, Slot, Table, TableChange};

/// See the module.
#[derive(Debug)]
pub(super) struct Membership {
    me: MemberId,
    /// The version by which it became a member: older ones do not have it.
    since: u64,
    /// Until when its lease holds, on our clock.
    lease: u64,
    /// The table that the runtime goes by; none of ours before the first.
    installed: Arc<Table>,
    /// How many slots are ours by it.
    owned: usize,
    /// It has slots of nobody.
    has_orphans: bool,
    gathering: Gathering,
    moves: Moves,
    passing: Passing,
    parting: Parting,
    /// Something has changed that decides which slots are to be elsewhere.
    is_changed: bool,
    /// Members that might have had some when that was last looked at.
    takers: Vec<MemberId>,
    /// The others; while there is no link, when they are said to be unreachable next.
    links: BTreeMap<MemberId, Option<u64>>,
    /// Of them, those that there has never been a link with, and whether that has been so for [`UNREACHABLE_MS`].
    unlinked: BTreeMap<MemberId, bool>,
    /// The version by which all our sessions have attached.
    handed_over: u64,
    /// Who waits for us to hand over, and which version.
    awaited: BTreeMap<MemberId, u64>,
    has_drained: bool,
    /// When it last looked what can be done.
    looked_at: u64,
}

impl Membership {
    /// A process has become a member by this version, with a lease.
    pub(super) fn new(me: MemberId, since: u64, asked: u64, desk: &mut Desk) -> Self {
        let mut this = Self {
            me,
            since,
            lease: 0,
            installed: Arc::new(Table::empty()),
            owned: 0,
            has_orphans: false,
            gathering: Gathering::default(),
            moves: Moves::default(),
            passing: Passing::default(),
            parting: Parting::default(),
            is_changed: false,
            takers: Vec::new(),
            links: BTreeMap::new(),
            unlinked: BTreeMap::new(),
            handed_over: 0,
            awaited: BTreeMap::new(),
            has_drained: false,
            looked_at: asked,
        };
        desk.actions.push_back(Action::Joined(me));
        this.renewed(asked, desk);
        this
    }

    /// The lease was renewed by a question that was sent then: it is counted from there.
    pub(super) fn renewed(&mut self, asked: u64, desk: &mut Desk) {
        self.lease = self.lease.max(asked + LEASE_MS);
        if !matches!(desk.wish, Wish::Leave(_)) {
            desk.actions.push_back(Action::Lease { until: self.lease });
        }
    }

    /// Leases were read, or could not be: members may have become fit to have slots, or unfit.
    pub(super) fn looked(&mut self, desk: &Desk) {
        let takers = desk.takers(|member| self.is_fit(member, desk));
        self.is_changed |= !takers.iter().map(|(id, _)| id).eq(&self.takers);
    }

    pub(super) fn lease(&self) -> u64 {
        self.lease
    }

    /// What can be done now; why it is over, if it is.
    pub(super) fn step(&mut self, now: u64, desk: &mut Desk) -> Option<Ending> {
        let is_newer = desk.table.version() > self.installed.version();
        if is_newer && desk.table.version() >= self.since {
            if desk.table.member(self.me).is_none() {
                return Some(ending(desk));
            }
            self.install(now, desk);
        }
        desk.ask(now, RegisterRequest::Renew(self.me));
        desk.ask(now, RegisterRequest::Leases);
        desk.keep_table(now);
        self.find_unreachable(now, desk);
        // What others have handed over meanwhile is taken first.
        let stood_still = now.saturating_sub(core::mem::replace(&mut self.looked_at, now));
        if stood_still > OBSERVATION_GAP_MS {
            self.gathering.postpone(stood_still);
        }
        for (slots, missed) in self.gathering.complete(now) {
            self.is_changed = true;
            desk.actions.push_back(Action::Gathered { slots, missed });
        }
        self.pass(now, desk);
        if self.is_installed() && desk.may_decide() {
            self.decide(now, desk);
        }
        None
    }

    /// A message of another member.
    pub(super) fn told(&mut self, now: u64, from: MemberId, message: &PeerMessage, desk: &mut Desk) {
        match message {
            PeerMessage::Version(version) => {
                desk.hear(now, *version);
                let awaited = self.awaited.entry(from).or_default();
                *awaited = (*awaited).max(*version);
                self.answer_awaited(desk);
            }
            PeerMessage::HandedOver { version } => {
                self.gathering.handed_over(from, *version);
                self.parting.handed_over(from, *version);
            }
            PeerMessage::Passing(number) => {
                desk.actions.push_back(Action::Tell(from, PeerMessage::Passed(*number)));
            }
            PeerMessage::Passed(number) => self.passing.passed(from, *number),
            PeerMessage::Membership(_) => {}
        }
    }

    /// All our sessions have attached by this version.
    pub(super) fn handed_over(&mut self, version: u64, desk: &mut Desk) {
        self.handed_over = self.handed_over.max(version);
        self.gathering.handed_over(self.me, version);
        self.answer_awaited(desk);
    }

    fn answer_awaited(&mut self, desk: &mut Desk) {
        let version = self.handed_over;
        self.awaited.retain(|member, awaited| {
            let is_done = *awaited <= version;
            if is_done {
                let message = PeerMessage::HandedOver { version };
                desk.actions.push_back(Action::Tell(*member, message));
            }
            !is_done
        });
    }

    /// Whether there is a link with that member.
    pub(super) fn linked(&mut self, now: u64, member: MemberId, is_linked: bool, desk: &mut Desk) {
        self.is_changed = true;
        if is_linked {
            self.unlinked.remove(&member);
        }
        let Some(unreachable_at) = self.links.get_mut(&member) else { return };
        if !is_linked {
            unreachable_at.get_or_insert(now + UNREACHABLE_MS);
            self.parting.gone(member);
        } else if unreachable_at.take().is_some()
            && let Some(version) = self.gathering.waits_for(member)
        {
            // What it was told before may have gone nowhere.
            desk.actions.push_back(Action::Tell(member, PeerMessage::Version(version)));
        }
    }

    /// Who has not been linked with for so long, each again after as long.
    fn find_unreachable(&mut self, now: u64, desk: &mut Desk) {
        for (member, unreachable_at) in &mut self.links {
            if unreachable_at.is_some_and(|at| at <= now) {
                *unreachable_at = Some(now + UNREACHABLE_MS);
                desk.actions.push_back(Action::Unreachable(*member));
                if let Some(is_stranger) = self.unlinked.get_mut(member) {
                    *is_stranger = true;
                }
            }
        }
    }

    /// Others that may have something to hand over, or something on its way to them. Whoever has no slot and could never be
    /// linked with, as one whose certificate nobody trusts, has nothing: waiting for it would only hold up the rest.
    fn waited_for(&self) -> BTreeSet<MemberId> {
        let is_stranger = |id: &MemberId| {
            self.unlinked.get(id) == Some(&true) && self.installed.slots_of(*id).next().is_none()
        };
        self.links.keys().copied().filter(|id| !is_stranger(id)).collect()
    }

    /// Nothing of a slot of ours is under way here.
    pub(super) fn quiet(&mut self, slot: Slot) {
        self.passing.ended(slot);
    }

    /// Asks whether others have what was said in slots that are to move. Those of which they have can.
    fn pass(&mut self, now: u64, desk: &mut Desk) {
        loop {
            for slot in self.passing.take(now) {
                self.moves.quiet(now, slot);
            }
            let others = self.waited_for();
            let tell = |number| others.iter().map(move |id| Action::Tell(*id, PeerMessage::Passing(number)));
            let Some(number) = self.passing.ask(now, others.iter().copied()) else { break };
            desk.actions.extend(tell(number));
        }
    }

    /// Our own change was made, and is the table that we know now.
    pub(super) fn changed(&self, change: &TableChange, desk: &mut Desk) {
        let takers: BTreeSet<MemberId> = change.moves.iter().map(|(_, taker)| *taker).collect();
        for taker in takers.into_iter().filter(|taker| *taker != self.me) {
            let message = PeerMessage::Version(change.base + 1);
            desk.actions.push_back(Action::Tell(taker, message));
        }
    }

    /// What else happens at a certain time, unless something else happens first.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = u64> {
        let unreachable = self.links.values().filter_map(|at| *at);
        let deadlines = [
            self.gathering.deadline(),
            self.moves.deadline(),
            self.passing.deadline(),
            self.parting.deadline(),
        ];
        deadlines.into_iter().flatten().chain(unreachable)
    }

    fn is_installed(&self) -> bool {
        self.installed.version() >= self.since
    }

    fn install(&mut self, now: u64, desk: &mut Desk) {
        let before = core::mem::replace(&mut self.installed, Arc::clone(&desk.table));
        let after = &self.installed;
        let is_first = before.version() < self.since;
        let others: BTreeSet<MemberId> =
            after.members().keys().copied().filter(|id| *id != self.me).collect();
        for id in others.iter().filter(|id| before.member(**id).is_none()) {
            self.links.insert(*id, Some(now + UNREACHABLE_MS));
            self.unlinked.insert(*id, false);
            let info = after.member(*id).map(|member| member.info.clone());
            desk.actions.extend(info.map(|info| Action::Connect(*id, info)));
        }
        desk.actions.push_back(Action::Install(Arc::clone(after)));
        for gone in before.members().keys().filter(|id| after.member(**id).is_none()) {
            self.gathering.gone(*gone);
            self.parting.gone(*gone);
            self.passing.gone(*gone);
            self.links.remove(gone);
            self.unlinked.remove(gone);
            self.awaited.remove(gone);
            desk.actions.push_back(Action::Gone(*gone));
        }
        let mut gained = BTreeSet::new();
        (self.owned, self.has_orphans) = (0, false);
        for slot in Slot::all() {
            let (was, is) = (before.owner(slot), after.owner(slot));
            self.owned += usize::from(is.member == Some(self.me));
            self.has_orphans |= is.member.is_none_or(|owner| after.member(owner).is_none());
            if was == is {
                continue;
            }
            if was.member == Some(self.me) {
                self.gathering.lost(slot);
                self.moves.lost(slot);
                self.passing.lost(slot);
            }
            if is.member == Some(self.me) {
                gained.insert(slot);
            }
        }
        let is_draining = after.member(self.me).is_some_and(|member| member.is_draining);
        let has_none = is_draining && self.owned == 0;
        if !has_none {
            self.parting.stay();
        }
        let linked = self.links.iter().filter(|(_, unreachable_at)| unreachable_at.is_none());
        let linked = linked.map(|(member, _)| *member).collect();
        let parts = has_none && self.parting.begin(now, after.version(), linked);
        if is_first || parts || !gained.is_empty() {
            let tell = |id: &MemberId| Action::Tell(*id, PeerMessage::Version(after.version()));
            desk.actions.extend(others.iter().map(tell));
        }
        // Its own sessions have to attach as well.
        let waited_for = self.waited_for().into_iter().chain([self.me]).collect();
        self.gathering.gained(now, after.version(), gained, waited_for);
        self.is_changed = true;
        if is_first {
            // Somebody who joined at the same time, and before us.
            let opposed = desk.opposed(Some(self.me)).into_iter().find(|(id, _)| *id < self.me);
            if let Some((_, ending)) = opposed {
                desk.wish = Wish::Leave(ending);
            }
        }
    }

    /// Whether others live, and none could ever be linked with: it would have to give all that it gives out to itself, where
    /// nobody reaches it.
    fn is_apart(&self, desk: &Desk) -> bool {
        self.links.len() == self.unlinked.len() && self.links.keys().any(|id| desk.watch.is_fresh(*id))
    }

    /// Whether a member may be given slots: this one, or one that is linked with it and was seen alive of late.
    fn is_fit(&self, member: MemberId, desk: &Desk) -> bool {
        member == self.me || self.links.get(&member) == Some(&None) && desk.watch.is_fresh(member)
    }

    /// The table is the newest that is known of: what is to be changed.
    fn decide(&mut self, now: u64, desk: &mut Desk) {
        if matches!(desk.wish, Wish::Leave(_)) {
            let removed = vec![self.me];
            let moves = desk.give_out(&removed, |member| self.is_fit(member, desk));
            return desk.change(now, TableChange { removed, moves, ..TableChange::default() });
        }
        if now >= self.lease {
            // Whoever could not renew can say nothing of others.
            return;
        }
        let silent = desk.silent(Some(self.me));
        let is_to_fence = !silent.is_empty() || self.has_orphans && desk.before(Some(self.me)) == 0;
        if is_to_fence && !self.is_apart(desk) {
            let change = desk.fence(&silent, |member| self.is_fit(member, desk));
            if !change.removed.is_empty() || !change.moves.is_empty() {
                return desk.change(now, change);
            }
        }
        let is_draining = self.installed.member(self.me).is_some_and(|member| member.is_draining);
        if desk.wish == Wish::Drain && !is_draining {
            return desk.change(now, TableChange { draining: Some(self.me), ..TableChange::default() });
        }
        if core::mem::take(&mut self.is_changed) {
            self.move_away(desk);
        }
        if is_draining && !self.has_drained && self.has_nothing_to_give(now, desk) {
            self.has_drained = true;
            desk.actions.push_back(Action::Drained);
        }
        let moves = self.moves.ready(now);
        if !moves.is_empty() {
            desk.change(now, TableChange { moves, ..TableChange::default() });
        }
    }

    /// Each slot of ours to whom it belongs, if that is another; but not before it is gathered here.
    fn move_away(&mut self, desk: &mut Desk) {
        let takers = desk.takers(|member| self.is_fit(member, desk));
        self.takers = takers.iter().map(|(id, _)| *id).collect();
        let elsewhere = |slot: &Slot| {
            let taker = super::rendezvous::nearest(&takers, *slot)?;
            (taker != self.me && !self.gathering.contains(*slot)).then_some((*slot, taker))
        };
        let wanted = self.installed.slots_of(self.me).filter_map(|slot| elsewhere(&slot)).collect();
        let begin = self.moves.want(self.me, &wanted);
        if !begin.is_empty() {
            desk.actions.push_back(Action::Quiesce(begin));
        }
    }

    fn has_nothing_to_give(&self, now: u64, desk: &Desk) -> bool {
        let has_takers = desk.takers(|member| member != self.me).iter().any(|(_, info)| info.weight > 0);
        self.parting.is_over(now) || self.owned > 0 && !has_takers && self.moves.is_empty()
    }
}

/// Why a member that is in the table no more is not.
pub(super) fn ending(desk: &Desk) -> Ending {
    match &desk.wish {
        Wish::Leave(ending) => ending.clone(),
        Wish::Stay | Wish::Drain => Ending::Fenced,
    }
}
