//! What a steward asks of the runtime, and is told by it.

use crate::PeerMessage;
use std::sync::Arc;
use stentor_engine::{MemberId, MemberInfo, RegisterRequest, Slot, Table};

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Put this question to the register, and answer it by [`super::Steward::answered`]; by
    /// [`stentor_engine::RegisterReply::Failed`] if the store gives no answer. Of each kind one is under way at most.
    Ask(RegisterRequest),
    /// This process is a member now, by this id. The first table follows.
    Joined(MemberId),
    /// The lease holds until then, on our clock: effects may leave before, and those that were held since the last ended
    /// may leave now.
    Lease {
        /// In milliseconds.
        until: u64,
    },
    /// A member of the table, to be linked with; what it is told before waits for the link.
    Connect(MemberId, MemberInfo),
    /// A newer table, in which this member is. The runtime goes by it, ends what it has of slots that are another's
    /// now, has its own sessions of moved slots attach to the new owners, and then says
    /// [`super::Steward::handed_over`]. Slots that became this member's are gathering until [`Action::Gathered`].
    Install(Arc<Table>),
    /// A member is in the table no more: so are its sessions. Its link is closed.
    Gone(MemberId),
    /// There has been no link with a member of the table for so long that sessions here of users there are better off to
    /// end: their clients resume where they can. Again after as long, as long as that lasts.
    Unreachable(MemberId),
    /// Everybody has handed over what he had of these slots, or cannot any more: they are served in full.
    Gathered {
        /// Which slots.
        slots: Vec<Slot>,
        /// Members that had not, in the time that there is for it. What sessions they have of users there is taken to be
        /// gone.
        missed: Vec<MemberId>,
    },
    /// Admit nothing more to these slots, and say [`super::Steward::quiet`] of each when every batch of it has a known
    /// result and nothing of it is under way: they are to be moved.
    Quiesce(Vec<Slot>),
    /// To be sent over the link with that member, behind what was put on it so far.
    Tell(MemberId, PeerMessage),
    /// Draining has come to its end: no slot is left and all that others sent to the entities of any is here, or nobody is
    /// there to take them. The runtime ends its sessions, and says [`super::Steward::leave`].
    Drained,
    /// It is over. Nothing of this incarnation may leave any more, and nothing more comes of this steward.
    Ended(Ending),
}

/// Why a process is no member, or not any longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// It has left, as it was told to.
    #[error("this member has left the cluster")]
    Left,
    /// Others have taken it out for being silent. It may join anew, as another incarnation.
    #[error("the others have taken this member out of the cluster: its lease was not renewed in time")]
    Fenced,
    /// A member of that name is alive. Nothing was changed.
    #[error("a member named {name:?} is alive in this cluster; each needs a name of its own")]
    NameInUse {
        /// The name of both.
        name: Box<str>,
    },
    /// Settings that must be equal on all members are not. Nothing was changed.
    #[error("the settings that all members must share differ between {name:?} and the member {other:?}")]
    SettingsDiffer {
        /// This member.
        name: Box<str>,
        /// A live member with other settings.
        other: Box<str>,
        /// Its digest of them.
        theirs: u64,
    },
    /// They have no version of the wire in common. Nothing was changed.
    #[error(
        "{name:?} speaks versions {}-{} of the wire, the member {other:?} {}-{}: none in common",
        ours.0, ours.1, theirs.0, theirs.1
    )]
    WireDiffers {
        /// This member.
        name: Box<str>,
        /// What it speaks.
        ours: (u16, u16),
        /// A live member that speaks none of it.
        other: Box<str>,
        /// What that one speaks.
        theirs: (u16, u16),
    },
}

/// What gossip says. Nothing hangs on it: it makes the steward look, sooner than it would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A member is suspected to be dead.
    Suspected(MemberId),
    /// Somebody has this version of the table.
    Version(u64),
}

/// The kinds of questions to the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// [`RegisterRequest::Join`].
    Join,
    /// [`RegisterRequest::Renew`].
    Renew,
    /// [`RegisterRequest::Leases`].
    Leases,
    /// [`RegisterRequest::Table`].
    Table,
    /// [`RegisterRequest::Change`].
    Change,
}

impl From<&RegisterRequest> for Question {
    fn from(request: &RegisterRequest) -> Self {
        match request {
            RegisterRequest::Join(_) => Self::Join,
            RegisterRequest::Renew(_) => Self::Renew,
            RegisterRequest::Leases => Self::Leases,
            RegisterRequest::Table => Self::Table,
            RegisterRequest::Change(_) => Self::Change,
        }
    }
}
