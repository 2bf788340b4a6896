//! What goes about within a member.

use crate::stage::FromClient;
use std::sync::Arc;
use stentor_cluster::Round;
use stentor_cluster::wire::{Carried, Source};
use stentor_engine::{CommitError, Epoch, Event, Key, MemberId, Query, Rows, Slot, Table, ToSession};

/// To a member, its store and its sessions.
#[derive(Debug)]
pub(crate) enum ToMember {
    /// To an arbiter, for an entity: by which version of the table.
    Event(u64, Source, Key, Event),
    /// Into the mailbox of the actor with this number.
    Mail(Key, u64, Mail),
    /// To the lane.
    Set(stentor_engine::WriteSet),
    /// The reader's answer; without a token it is to load the entity.
    Rows(Key, Epoch, Option<u64>, Vec<Rows>),
    /// The batch under way is over; or the disk has failed for good.
    Committed { fails: bool },
    /// The shared store's answer to the batch under way.
    Refused(Vec<(Key, CommitError)>),
    /// A timer of an entity.
    Timer(Key, Epoch, u64),
    /// An entity has had nothing to do for a while.
    Idle(Key),
    /// To a session, from its user, in this slot and epoch if that is to be looked at.
    Session(u64, Source, ToSession),
    /// To a session, from its client.
    Wire(u64, FromClient),
    /// The kernel took what a session wrote up to this number.
    Flushed(u64, u64),
    /// A session learns that its connection is gone.
    Cut(u64),
    /// A timer of a session.
    SessionTimer(u64, SessionTimer),
    /// To an arbiter: what another member sent, by a table that is not newer.
    FromMember(u16, MemberId, Carried),
    /// To an arbiter: about the cluster.
    Slots(u16, ToSlots),
}

/// What an arbiter is told of slots and the lease.
#[derive(Clone, Debug)]
pub(crate) enum ToSlots {
    Table(Arc<Table>),
    /// The sessions of an arbiter have attached: by its table, by which version.
    Attached(u16, u64, u64),
    Gathered(Arc<[Slot]>),
    Quiesce(Arc<[Slot]>),
    /// The entities of this slot have ended on their arbiter, and nothing of them comes behind this.
    Quiet(Slot, Round),
    Gone(MemberId),
    Unreachable(MemberId),
    Released,
    /// All sessions end: the process does.
    End,
}

/// What an arbiter reports of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// All sessions have attached by this version, as far as it goes by this arbiter.
    HandedOver(u16, u64),
    /// What entities of a slot that quiesces said by this arbiter is on the links; said once by each.
    Quiet(Slot),
}

/// To a reader.
#[derive(Debug)]
pub(crate) struct Asked {
    pub key: Key,
    pub epoch: Epoch,
    pub token: Option<u64>,
    pub queries: Vec<Query>,
}

/// What an entity's actor handles.
#[derive(Debug)]
pub(crate) enum Mail {
    /// An event, and whether the gate counted it.
    Deliver(Event, bool),
    Loaded(Vec<Rows>),
    Committed(u64, Result<(), CommitError>),
    StopIfIdle,
    /// Its slot is to move: it ends once nothing of it is under way.
    Retire,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionTimer {
    /// Ask the client to acknowledge.
    Request,
    /// It should have answered by now.
    Answer,
    /// Has anything been heard of it?
    Idle,
    /// The user to which it attaches should have answered by now, to the attempt with this number.
    Attach(u64),
}
