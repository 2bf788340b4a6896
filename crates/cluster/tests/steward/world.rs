//! Processes, a register and links between them, from a seed; what must hold is checked at every step.

use crate::process::{Process, info};
use crate::random::Random;
use crate::register::Register;
use std::collections::{BTreeMap, BTreeSet};
use stentor_cluster::limits::{GATHER_MS, MOVES_MAX};
use stentor_cluster::{Action, Ending, PeerMessage, Question};
use stentor_engine::{MemberId, RegisterReply, RegisterRequest, Slot, TableChange};

/// What is on its way.
enum Event {
    Asked(RegisterRequest),
    Answered(Question, RegisterReply),
    Told(MemberId, PeerMessage),
    Quiet(Slot),
    HandedOver(u64),
    Linked(MemberId, bool),
}

/// The store, for a while.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Up,
    /// Every question fails, some of them after they were carried out.
    Failing,
    /// Nothing is answered until it is up again.
    Hanging,
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: u64,
    pub(crate) random: Random,
    pub(crate) register: Register,
    pub(crate) processes: Vec<Process>,
    pub(crate) store: Store,
    events: BTreeMap<(u64, u64), (usize, Event)>,
    serial: u64,
    /// When the last message on each link arrives: they do not overtake.
    links: BTreeMap<(MemberId, MemberId), u64>,
}

/// Time goes in steps of so much.
const STEP: u64 = 5;

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            now: 1_000,
            random: Random::new(seed),
            register: Register::new(),
            processes: Vec::new(),
            store: Store::Up,
            events: BTreeMap::new(),
            serial: 0,
            links: BTreeMap::new(),
        }
    }

    pub(crate) fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        assert!(holds, "seed {}, at {} ms: {}", self.seed, self.now, what());
    }

    /// Starts a process of that name; where it is in the list.
    pub(crate) fn start(&mut self, name: &str) -> usize {
        let (offset, rate) = (self.random.between(0, 1_000_000), self.random.between(985, 1_015));
        self.processes.push(Process::new(info(name), offset, rate));
        self.processes.len() - 1
    }

    pub(crate) fn kill(&mut self, at: usize) {
        self.processes[at].is_dead = true;
    }

    pub(crate) fn run(&mut self, period: u64) {
        let until = self.now + period;
        while self.now < until {
            self.now += STEP;
            self.step();
        }
    }

    /// Runs until this holds, but not for ever.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = self.now;
        while !holds(self) {
            self.check(self.now < began + 120_000, || format!("it never came to this: {what}"));
            self.run(STEP);
        }
    }

    pub(crate) fn link(&mut self, at: usize, member: MemberId, is_linked: bool) {
        self.later(0, at, Event::Linked(member, is_linked));
    }

    fn later(&mut self, delay: u64, at: usize, event: Event) {
        self.serial += 1;
        self.events.insert((self.now + delay, self.serial), (at, event));
    }

    fn step(&mut self) {
        while self.events.first_key_value().is_some_and(|((time, _), _)| *time <= self.now) {
            let Some((_, (at, event))) = self.events.pop_first() else { break };
            if matches!(event, Event::Asked(_)) || self.processes[at].is_dead {
                if let Event::Asked(request) = event {
                    self.asked(at, request);
                }
            } else if self.processes[at].paused > self.now {
                let delay = self.processes[at].paused - self.now;
                self.later(delay, at, event);
            } else {
                self.happen(at, event);
                self.carry_out(at);
            }
        }
        for at in 0..self.processes.len() {
            let process = &mut self.processes[at];
            let clock = process.clock(self.now);
            let is_due = process.steward.next_deadline().is_none_or(|deadline| deadline <= clock);
            if process.is_alive() && process.paused <= self.now && is_due {
                process.steward.tick(clock);
                self.carry_out(at);
            }
        }
    }

    /// A question comes to the store.
    fn asked(&mut self, at: usize, request: RegisterRequest) {
        let question = Question::from(&request);
        let delay = self.random.between(0, 20);
        match self.store {
            Store::Up => {
                let reply = self.answer(at, &request);
                self.later(delay, at, Event::Answered(question, reply));
            }
            Store::Failing => {
                if self.random.chance(30) {
                    self.answer(at, &request);
                }
                self.later(delay, at, Event::Answered(question, RegisterReply::Failed("away".into())));
            }
            Store::Hanging => self.later(STEP, at, Event::Asked(request)),
        }
    }

    fn answer(&mut self, at: usize, request: &RegisterRequest) -> RegisterReply {
        let owners: BTreeMap<Slot, _> =
            Slot::all().map(|slot| (slot, self.register.table.owner(slot))).collect();
        let reply = self.register.answer(request);
        if let (RegisterRequest::Change(change), RegisterReply::Changed { .. }) = (request, &reply) {
            for (slot, before) in &owners {
                let after = self.register.table.owner(*slot);
                let is_later = after.epoch > before.epoch;
                self.check(after.member == before.member || is_later, || {
                    format!("{slot:?} has no new epoch")
                });
                if before.member != after.member {
                    self.may_move(at, *slot, before.member, change);
                }
            }
            for removed in &change.removed {
                let mut of_id = self.processes.iter().filter(|process| process.id == Some(*removed));
                let releases = of_id.any(|process| {
                    process.is_alive() && process.steward.may_release(process.clock(self.now))
                });
                self.check(!releases, || format!("{removed:?} was removed, and releases effects"));
            }
        }
        reply
    }

    /// A slot is moved only from who is removed, from nobody, or by its owner when it is quiet.
    fn may_move(&self, at: usize, slot: Slot, before: Option<MemberId>, change: &TableChange) {
        let process = &self.processes[at];
        let is_quiet = before == process.id && process.quiet.contains(&slot);
        let is_nobodys = before.is_none_or(|owner| self.register.table.member(owner).is_none());
        self.check(is_quiet || is_nobodys, || format!("{slot:?} of {before:?} moves: {:?}", change.removed));
    }

    fn happen(&mut self, at: usize, event: Event) {
        let now = self.now;
        let process = &mut self.processes[at];
        let clock = process.clock(now);
        match event {
            Event::Asked(_) => {}
            Event::Answered(question, reply) => process.steward.answered(clock, question, reply),
            Event::Told(from, message) => process.steward.told(clock, from, &message),
            Event::Quiet(slot) => {
                if process.quiescing.contains(&slot) {
                    process.quiet.insert(slot);
                    process.steward.quiet(clock, slot);
                }
            }
            Event::HandedOver(version) => {
                process.handed_over = process.handed_over.max(version);
                process.steward.handed_over(clock, version);
            }
            Event::Linked(member, is_linked) => {
                if process.table.member(member).is_some() {
                    process.steward.linked(clock, member, is_linked);
                }
            }
        }
    }

    fn carry_out(&mut self, at: usize) {
        while let Some(action) = self.processes[at].steward.poll() {
            self.check(self.processes[at].ending.is_none(), || format!("after its end: {action:?}"));
            match action {
                Action::Ask(request) => {
                    let delay = self.random.between(0, 20);
                    self.later(delay, at, Event::Asked(request));
                }
                Action::Joined(id) => {
                    self.processes[at].id = Some(id);
                    self.processes[at].joined_by = self.register.table.version();
                }
                Action::Lease { .. } | Action::Gone(_) | Action::Unreachable(_) => {}
                Action::Connect(member, _) if self.is_apart(at, member) => {}
                Action::Connect(member, _) => {
                    let delay = self.random.between(5, 300);
                    self.later(delay, at, Event::Linked(member, true));
                }
                Action::Install(table) => {
                    let version = table.version();
                    let is_newer = version > self.processes[at].table.version();
                    self.check(is_newer, || format!("version {version} is no newer"));
                    let now = self.now;
                    self.processes[at].install(now, table);
                    let delay = self.random.between(1, 60);
                    self.later(delay, at, Event::HandedOver(version));
                }
                Action::Gathered { slots, .. } => self.gathered(at, &slots),
                Action::Quiesce(slots) => self.quiesce(at, &slots),
                Action::Tell(to, message) => self.tell(at, to, message),
                Action::Drained => {
                    self.processes[at].has_drained = true;
                    let clock = self.processes[at].clock(self.now);
                    self.processes[at].steward.leave(clock);
                }
                Action::Ended(ending) => self.processes[at].ending = Some(ending),
            }
        }
    }

    fn is_apart(&self, at: usize, member: MemberId) -> bool {
        let of_id = self.processes.iter().find(|process| process.id == Some(member));
        [self.processes.get(at), of_id].into_iter().flatten().any(|process| process.is_apart)
    }

    fn quiesce(&mut self, at: usize, slots: &[Slot]) {
        for slot in slots {
            let process = &mut self.processes[at];
            let may = process.owns(*slot) && !process.gathering.contains_key(slot);
            let is_new = process.quiescing.insert(*slot);
            let few = process.quiescing.len() <= MOVES_MAX;
            self.check(may && is_new && few, || format!("{slot:?} is stopped"));
            let most = if self.random.chance(1) { 400 } else { 30 };
            let delay = self.random.between(1, most);
            self.later(delay, at, Event::Quiet(*slot));
        }
    }

    /// Who is in the table, and was when the slot moved, has handed over; or time is over.
    fn gathered(&mut self, at: usize, slots: &[Slot]) {
        for slot in slots {
            let since = self.processes[at].gathering.remove(slot);
            self.check(since.is_some() && self.processes[at].owns(*slot), || {
                format!("{slot:?} is not gathering")
            });
            let process = &self.processes[at];
            let is_time = since.is_some_and(|since| process.clock(self.now) >= since + GATHER_MS);
            if is_time || process.table.owner(*slot) != self.register.table.owner(*slot) {
                continue;
            }
            let moved = self.register.moved.get(slot).copied().unwrap_or(0);
            for member in process.table.members().keys() {
                let owes = |process: &&Process| {
                    process.id == Some(*member)
                        && !process.is_apart
                        && process.joined_by < moved
                        && process.handed_over < moved
                };
                let owing = self.processes.iter().find(owes).map(|process| process.id);
                self.check(owing.is_none(), || format!("{slot:?} of {moved} waits for {owing:?} no more"));
            }
        }
    }

    fn tell(&mut self, at: usize, to: MemberId, message: PeerMessage) {
        let Some(from) = self.processes[at].id else { return };
        let Some(target) = self.processes.iter().position(|process| process.id == Some(to)) else { return };
        let most = if self.random.chance(5) { 3_000 } else { 30 };
        if self.is_apart(target, from) {
            return;
        }
        let arrives = self.now + self.random.between(1, most);
        let last = self.links.entry((from, to)).or_default();
        *last = (*last).max(arrives);
        let delay = *last - self.now;
        // A link gives way only with one of its ends; but a message may meet its end.
        if !self.random.chance(1) {
            self.later(delay, target, Event::Told(from, message));
        }
    }

    pub(crate) fn alive(&self) -> Vec<usize> {
        (0..self.processes.len()).filter(|at| self.processes[*at].is_alive()).collect()
    }

    /// Who was taken out for being silent comes back.
    pub(crate) fn revive(&mut self) {
        for at in 0..self.processes.len() {
            if self.processes[at].ending == Some(Ending::Fenced) && !self.processes[at].is_dead {
                let name = self.processes[at].info.name.clone();
                self.processes[at].is_dead = true;
                self.start(&name);
            }
        }
    }

    /// Everybody who is alive is a member and has its share; nothing is on its way.
    pub(crate) fn is_settled(&self) -> bool {
        let members: BTreeSet<_> = self.register.table.members().keys().copied().collect();
        let alive = self.alive();
        let ids: BTreeSet<_> = alive.iter().filter_map(|at| self.processes[*at].id).collect();
        let share = usize::from(Slot::COUNT) / alive.len().max(1);
        let is_fair = |id: &MemberId| self.register.table.slots_of(*id).count().abs_diff(share) * 5 <= share;
        ids.len() == alive.len() && ids == members && (ids.iter().all(is_fair)) && self.is_quiet()
    }

    fn is_quiet(&self) -> bool {
        self.alive().iter().all(|at| {
            let process = &self.processes[*at];
            let is_current = process.table.version() == self.register.table.version();
            let is_open = process.gathering.is_empty() && process.quiescing.is_empty();
            is_current && is_open && process.steward.may_release(process.clock(self.now))
        })
    }
}
