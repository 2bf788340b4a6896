//! Records and logs with group commit, on several engines.
//!
//! # For whoever drives it
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use stentor_engine::{Key, Query, WriteSet};
//! # use stentor_store::{Committed, Completion, Config, Engine, Question, Store};
//! # struct Mailbox;
//! # impl Completion for Mailbox {
//! #     fn committed(&self, results: Vec<Committed>) {}
//! #     fn room(&self) {}
//! # }
//! # fn example(key: Key, set: WriteSet) -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::open(&Config::new(Engine::Fjall, "/var/lib/stentor/store"))?;
//! let arbiter = 0;
//! store.register(arbiter, Arc::new(Mailbox));
//! if let Err((refused, set)) = store.write(arbiter, set) { /* keep it until `room` */ }
//! let reply = Box::new(|rows| { /* post to the entity */ });
//! let question = Question { arbiter, owner: key, queries: vec![Query::Tail], reply };
//! if let Err((refused, question)) = store.query(question) { /* keep it until `room` */ }
//! store.close();
//! # Ok(())
//! # }
//! ```
//!
//! - One writer thread drives the lane: a batch is all that came while the commit before it was under way.
//!   [`Completion::committed`] is called once for each batch and arbiter; every set taken by [`Store::write`] has
//!   exactly one [`Committed`], in the order of its owner's tickets.
//! - A refused owner stays refused until it writes its ticket 1 again: sets that its entity had issued before it
//!   learned of the refusal are answered with the same error, never committed after a hole.
//! - Once [`Store::failure`] tells of one, nothing is committed and nothing answered until the store is closed and
//!   opened again: whoever sees a [`stentor_engine::CommitError::Store`] asks for it, and ends the process.
//! - Nothing here waits on the caller's thread but [`Store::open`], [`Store::close`], [`Store::export`] and
//!   [`import`]: these are not for an arbiter.
//! - A [`Question`] sees what was reported as committed before it was asked. A query is not cut short: `limit` is
//!   the asker's bound, and fewer rows than asked means that there are no more.
//!
//! The layout of rows is described in `ordered/layout.rs`; [`export`](Store::export) is independent of it.

mod backend;
mod directory;
mod export;
mod export_format;
mod import;
pub mod limits;
mod memory;
#[cfg(any(feature = "fjall", feature = "sled"))]
mod ordered;
#[cfg(feature = "postgres")]
pub mod postgres;
mod queue;
mod readers;
mod register;
mod row;
mod store;
mod unsynced;
mod writer;

pub use backend::{Backend, Fault, Having, Reader, Refusal};
pub use directory::DirectoryError;
pub use export::{ExportError, Summary, export};
pub use import::{ImportError, import, restore};
pub use memory::{Memory, MemoryBackend};
pub use register::{LaneId, Register, Shared};
pub use row::{OwnedRow, Owner, Row};
pub use store::{Committed, Completion, Config, Engine, OpenError, Question, Store, open_backend};
pub use unsynced::Unsynced;
