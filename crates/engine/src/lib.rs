//! Entities, effects, the rule that nothing leaves before what it depends on is durable, batches and gates.
//!
//! An [`Entity`] is a plain struct with no I/O, no clock and no randomness: it takes one [`Event`] at a time and
//! answers with [`Effects`]. A [`Shell`] stands around it and obeys one rule: an event's sends wait for its
//! writes, and later sends wait behind earlier ones. A [`Lane`] gathers the writes of many entities into
//! batches. The server drives all of it by actors, the simulator by a loop; neither implements any of it again.

mod attachment;
mod effects;
mod entity;
mod event;
mod gate;
mod handover;
mod key;
mod lane;
pub mod limits;
mod planted;
mod register;
mod shell;
mod storage;
mod table;

pub use attachment::{Asking, Attachment};
pub use effects::{Effects, Password, Sent};
pub use entity::{Entity, Now};
pub use event::{
    Ask, Command, Confirm, Event, Forward, ForwardName, FromSession, Outcome, Reply, Resumed, SessionInfo,
    StreamId, ToSession,
};
pub use gate::{Gate, Refused};
pub use handover::{Attach, Expected, Managed, OutboundCopy, Snapshot, TakenOver, Unconfirmed};
pub use key::{Epoch, Key, MemberId, SessionKey, Slot};
pub use lane::{Batch, Lane, Settled};
pub use planted::Planted;
pub use register::{RegisterReply, RegisterRequest};
pub use shell::{Output, Shell};
pub use storage::{
    Append, Collection, CommitError, Expect, LogId, LogRow, Query, Record, Rows, Write, WriteSet,
};
pub use table::{Member, MemberInfo, Owner, StaleChange, Table, TableChange};
