//! A store that members share under test, and short ways to say what is asked of it.

use crate::engines::{append, set, user};
use stentor_engine::{
    Batch, CommitError, Epoch, Key, MemberId, MemberInfo, Query, RegisterReply, RegisterRequest, Rows, Slot,
    Table, TableChange, WriteSet,
};
use stentor_store::{Backend, LaneId, Shared};

/// A store of several members, that two handles have open.
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) shared: Box<dyn Shared>,
    pub(crate) other: Box<dyn Shared>,
}

impl Bench {
    pub(crate) fn ask(&mut self, request: RegisterRequest) -> RegisterReply {
        self.shared.ask(&request)
    }

    pub(crate) fn check(&mut self, request: RegisterRequest, expected: RegisterReply) {
        assert_eq!(self.ask(request.clone()), expected, "{}: {request:?}", self.name);
    }

    pub(crate) fn join(&mut self, name: &str) -> MemberId {
        match self.ask(RegisterRequest::Join(info(name))) {
            RegisterReply::Joined { member, .. } => member,
            reply => panic!("{}: {name}: {reply:?}", self.name),
        }
    }

    pub(crate) fn table(&mut self) -> Table {
        match self.ask(RegisterRequest::Table) {
            RegisterReply::Table(table) => table,
            reply => panic!("{}: {reply:?}", self.name),
        }
    }

    /// Carries out a change made from the present version.
    pub(crate) fn change(&mut self, change: TableChange) {
        let base = self.table().version();
        let reply = self.ask(RegisterRequest::Change(TableChange { base, ..change }));
        assert_eq!(reply, RegisterReply::Changed { version: base + 1 }, "{}", self.name);
    }

    /// Gives slots to a member.
    pub(crate) fn give(&mut self, to: MemberId, slots: impl IntoIterator<Item = Slot>) {
        let moves = slots.into_iter().map(|slot| (slot, to)).collect();
        self.change(TableChange { moves, ..TableChange::default() });
    }

    pub(crate) fn lane(&self, member: MemberId) -> Lane {
        Lane { backend: self.shared.backend(LaneId { member, lane: 0 }).unwrap(), number: 0 }
    }

    /// A member that owns every slot in epoch 1.
    pub(crate) fn only_member(&mut self) -> (MemberId, Lane) {
        let member = self.join("one");
        self.give(member, Slot::all());
        (member, self.lane(member))
    }
}

pub(crate) struct Lane {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) number: u64,
}

impl Lane {
    pub(crate) fn commit(&mut self, sets: Vec<WriteSet>) -> Vec<(Key, CommitError)> {
        self.number += 1;
        self.backend.commit(&Batch { number: self.number, sets })
    }

    pub(crate) fn tail(&self, owner: &Key) -> u64 {
        match self.backend.reader().query(owner, &[Query::Tail])[..] {
            [Rows::Tail(id)] => id.0,
            ref rows => panic!("{rows:?}"),
        }
    }
}

pub(crate) fn info(name: &str) -> MemberInfo {
    MemberInfo {
        name: name.into(),
        link: "127.0.0.1:7000".parse().unwrap(),
        gossip: "[::1]:7001".parse().unwrap(),
        weight: 100,
        wire: (1, 2),
        settings: u64::MAX - 1,
    }
}

pub(crate) fn slot(number: u16) -> Slot {
    Slot::new(number).unwrap()
}

pub(crate) fn romeo() -> Key {
    user("romeo@example.org")
}

/// An append in an epoch.
pub(crate) fn entry(owner: &Key, epoch: u64, id: u64) -> WriteSet {
    WriteSet { epoch: Epoch(epoch), ..set(owner, vec![append(id, "x")]) }
}
