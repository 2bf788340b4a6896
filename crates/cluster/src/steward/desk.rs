//! What a steward has before and after it has joined: the table as it knows it, questions under way, what it has seen
//! of leases, and what it is about to say.

use super::questions::Questions;
use super::watch::Watch;
use super::{Action, Ending, Question, rendezvous};
use crate::limits::{CHANGE_PAUSE_MS, CHANGE_PAUSES_MAX};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use stentor_engine::{MemberId, MemberInfo, RegisterReply, RegisterRequest, Slot, Table, TableChange};

/// What the runtime wants to become of this member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stay,
    Drain,
    Leave(Ending),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) info: MemberInfo,
    pub(super) wish: Wish,
    pub(super) table: Arc<Table>,
    pub(super) questions: Questions,
    pub(super) watch: Watch,
    pub(super) actions: VecDeque<Action>,
    /// The newest version of the table that somebody spoke of, and when.
    heard: (u64, u64),
    /// Since when it is not known whether the table is as we know it.
    unknown: Option<u64>,
    /// The change that is under way.
    change: Option<TableChange>,
    /// How many changes came second, one after the other.
    stale: u32,
}

impl Desk {
    pub(super) fn new(info: MemberInfo) -> Self {
        Self {
            info,
            wish: Wish::Stay,
            table: Arc::new(Table::empty()),
            questions: Questions::default(),
            watch: Watch::default(),
            actions: VecDeque::new(),
            heard: (0, 0),
            unknown: Some(0),
            change: None,
            stale: 0,
        }
    }

    /// Puts a question, if its time has come.
    pub(super) fn ask(&mut self, now: u64, request: RegisterRequest) -> bool {
        let is_asked = self.questions.ask(now, Question::from(&request));
        if is_asked {
            self.actions.push_back(Action::Ask(request));
        }
        is_asked
    }

    /// Reads the table, if it is not the newest that is known of.
    pub(super) fn keep_table(&mut self, now: u64) {
        if self.unknown.is_some() || self.heard.0 > self.table.version() {
            self.ask(now, RegisterRequest::Table);
        }
    }

    /// Whether something may be decided by the table: it is the newest that is known of, and no change is under way.
    pub(super) fn may_decide(&self) -> bool {
        let is_known = self.unknown.is_none() && self.heard.0 <= self.table.version();
        is_known && !self.questions.is_under_way(Question::Change)
    }

    /// Asks for a change of the table as it is known.
    pub(super) fn change(&mut self, now: u64, change: TableChange) {
        let change = TableChange { base: self.table.version(), ..change };
        if self.ask(now, RegisterRequest::Change(change.clone())) {
            self.change = Some(change);
        }
    }

    /// Somebody has this version of the table.
    pub(super) fn hear(&mut self, now: u64, version: u64) {
        if version > self.heard.0 {
            self.heard = (version, now);
        }
    }

    /// The table may be another than is known.
    pub(super) fn doubt(&mut self, now: u64) {
        self.unknown = Some(now);
    }

    /// What follows from an answer to a question that was sent at `sent`, for members and others alike: the change, if
    /// one was made.
    pub(super) fn answered(
        &mut self,
        sent: u64,
        now: u64,
        question: Question,
        reply: RegisterReply,
    ) -> Option<TableChange> {
        let change = if question == Question::Change { self.change.take() } else { None };
        match (question, reply) {
            (Question::Leases, RegisterReply::Leases { version, counters }) => {
                self.watch.read(sent, now, &counters);
                self.hear(now, version);
            }
            (Question::Table, RegisterReply::Table(table)) => self.read(sent, table),
            (Question::Change, RegisterReply::Changed { version }) => {
                self.stale = 0;
                self.hear(now, version);
                self.apply(version, change.as_ref());
                return change;
            }
            (Question::Change, RegisterReply::Stale { version }) => {
                self.hear(now, version);
                for (member, _) in change.iter().flat_map(|change| &change.unchanged) {
                    self.watch.forget(*member);
                }
                self.pause(now);
            }
            (Question::Renew, RegisterReply::Renewed { version }) => self.hear(now, version),
            (Question::Renew, RegisterReply::Fenced) | (Question::Join, RegisterReply::Joined { .. }) => {}
            (Question::Join, RegisterReply::NameInUse { .. }) => {
                self.doubt(now);
                self.questions.failed(now, question);
            }
            // `Failed`, or an answer to another question, which says as little.
            (question, _) => self.failed(now, question),
        }
        None
    }

    fn failed(&mut self, now: u64, question: Question) {
        self.questions.failed(now, question);
        match question {
            Question::Leases => self.watch.restart(),
            // It may have been made all the same.
            Question::Join | Question::Change => self.doubt(now),
            Question::Renew | Question::Table => {}
        }
    }

    fn read(&mut self, sent: u64, table: Table) {
        if self.unknown.is_some_and(|since| sent >= since) {
            self.unknown = None;
        }
        // Nobody can have a newer one than the register had afterwards, whatever he says.
        if sent > self.heard.1 {
            self.heard.0 = table.version();
        }
        if table.version() > self.table.version() {
            self.table = Arc::new(table);
        }
    }

    /// Our own change makes the same of our table as of the register's, so it need not be read.
    fn apply(&mut self, version: u64, change: Option<&TableChange>) {
        let mut table = Table::clone(&self.table);
        let is_next = change.is_some_and(|change| table.apply(change).is_ok());
        if is_next && table.version() == version {
            self.table = Arc::new(table);
        }
    }

    /// Many may want to change the table at once, and one change in so many is the first: each waits differently long.
    fn pause(&mut self, now: u64) {
        self.stale = self.stale.saturating_add(1);
        let most = 1_u64.checked_shl(self.stale).unwrap_or(u64::MAX).min(CHANGE_PAUSES_MAX);
        let chance = rendezvous::number(&self.info.name, now);
        self.questions.pause(Question::Change, now + chance % most * CHANGE_PAUSE_MS);
    }

    /// The change that takes out these silent members, with all slots that they or nobody have given to the others:
    /// to `fit` ones, or if there are none to whoever is not known to be silent.
    pub(super) fn fence(&self, silent: &[(MemberId, u64)], is_fit: impl Fn(MemberId) -> bool) -> TableChange {
        let removed: Vec<MemberId> = silent.iter().map(|(member, _)| *member).collect();
        TableChange {
            moves: self.give_out(&removed, is_fit),
            removed,
            unchanged: silent.to_vec(),
            ..TableChange::default()
        }
    }

    /// Next owners for all slots of those who are removed, and for those of nobody.
    pub(super) fn give_out(
        &self,
        removed: &[MemberId],
        is_fit: impl Fn(MemberId) -> bool,
    ) -> Vec<(Slot, MemberId)> {
        let stay = |member: MemberId| !removed.contains(&member);
        let mut takers = self.takers(|member| stay(member) && is_fit(member));
        if takers.is_empty() {
            takers = self.takers(|member| stay(member) && self.watch.silent(member).is_none());
        }
        let remain: BTreeSet<MemberId> =
            self.table.members().keys().copied().filter(|id| stay(*id)).collect();
        Slot::all()
            .filter(|slot| self.table.owner(*slot).member.is_none_or(|owner| !remain.contains(&owner)))
            .filter_map(|slot| rendezvous::nearest(&takers, slot).map(|taker| (slot, taker)))
            .collect()
    }

    /// Members that may have slots, of those that are fit for it.
    pub(super) fn takers(&self, is_fit: impl Fn(MemberId) -> bool) -> Vec<(MemberId, &MemberInfo)> {
        self.table
            .members()
            .iter()
            .filter(|(id, member)| !member.is_draining && is_fit(**id))
            .map(|(id, member)| (*id, &member.info))
            .collect()
    }

    /// Members but `me` that may be fenced now by whoever has so many live ones before it.
    pub(super) fn silent(&self, me: Option<MemberId>) -> Vec<(MemberId, u64)> {
        let others = || self.table.members().keys().copied().filter(|id| Some(*id) != me);
        let before = self.before(me);
        if !others().any(|id| self.watch.silent_behind(id, before).is_some()) {
            return Vec::new();
        }
        others().filter_map(|id| self.watch.silent(id).map(|counter| (id, counter))).collect()
    }

    /// How many live members come before `me` to do what one has to do; all, before one who is none yet.
    pub(super) fn before(&self, me: Option<MemberId>) -> usize {
        let comes_before = |id: MemberId| me.is_none_or(|me| id < me) && self.watch.silent(id).is_none();
        self.table.members().keys().filter(|id| comes_before(**id)).count()
    }

    /// Members that this one cannot be in one cluster with, and what would become of it if they are alive.
    pub(super) fn opposed(&self, me: Option<MemberId>) -> Vec<(MemberId, Ending)> {
        let ours = &self.info;
        let opposes = |theirs: &MemberInfo| {
            if theirs.name == ours.name {
                Some(Ending::NameInUse { name: ours.name.clone() })
            } else if theirs.settings != ours.settings {
                let (name, other) = (ours.name.clone(), theirs.name.clone());
                Some(Ending::SettingsDiffer { name, other, theirs: theirs.settings })
            } else if theirs.wire.0 > ours.wire.1 || ours.wire.0 > theirs.wire.1 {
                let (name, other) = (ours.name.clone(), theirs.name.clone());
                Some(Ending::WireDiffers { name, ours: ours.wire, other, theirs: theirs.wire })
            } else {
                None
            }
        };
        let others = self.table.members().iter().filter(|(id, _)| Some(**id) != me);
        others.filter_map(|(id, member)| opposes(&member.info).map(|ending| (*id, ending))).collect()
    }
}
