//! What members ask of the shared store about themselves: leases and the routing table. The store decides; gossip
//! only makes it fast.

use crate::{MemberId, MemberInfo, Table, TableChange};

/// A question to the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterRequest {
    /// Enters a member, with a lease whose counter is 1 and a lane. [`RegisterReply::Joined`] or
    /// [`RegisterReply::NameInUse`].
    Join(MemberInfo),
    /// Adds one to the counter of a lease. [`RegisterReply::Renewed`] or [`RegisterReply::Fenced`].
    Renew(MemberId),
    /// The counters of all leases: [`RegisterReply::Leases`].
    Leases,
    /// The whole table: [`RegisterReply::Table`].
    Table,
    /// Changes the table. [`RegisterReply::Changed`] or [`RegisterReply::Stale`].
    Change(TableChange),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterReply {
    /// It is a member, by an id that no member had before; the table has it from this version on.
    Joined {
        /// Its id, for as long as its lease is not fenced.
        member: MemberId,
        /// The table's version.
        version: u64,
    },
    /// A member of that name is in the table; it may be dead, and is to be fenced before the name is free.
    NameInUse {
        /// Which.
        member: MemberId,
        /// The counter of its lease.
        counter: u64,
    },
    /// The lease goes on.
    Renewed {
        /// The table's version.
        version: u64,
    },
    /// There is no such lease: the member was taken out.
    Fenced,
    /// All leases.
    Leases {
        /// The table's version.
        version: u64,
        /// Members and the counters of their leases.
        counters: Vec<(MemberId, u64)>,
    },
    /// The table.
    Table(Table),
    /// The change is the table's next version.
    Changed {
        /// That version.
        version: u64,
    },
    /// Another change was first, or a lease was renewed that had to be unchanged. Nothing was changed.
    Stale {
        /// The table's version.
        version: u64,
    },
    /// The store gave no answer; whether a change was made is unknown.
    Failed(String),
}
