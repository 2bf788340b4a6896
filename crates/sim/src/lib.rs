//! The deterministic simulator: the same engine and entities, driven from a seed, and its checkers.
//!
//! One thread, one seed, a clock that only the queue of things to happen moves. Members of the same shells, entities,
//! attachments, gates and lanes as in the server, alone or in a cluster, with its stewards, gossip, slots, links and wire; a
//! disk that is slow, fails and forgets what was not synced, or a store that all share; clients that come, go, resume
//! and stay silent; crashes at any point. After every step the promises are
//! checked: what was acknowledged is kept, once, in order; nobody gets a message and its error both; `h` never goes
//! back; nobody is said to be gone whose stream was kept or resumed. A failure names its seed, and the seed replays it.
//!
//! A [`crowd`] is another kind of run: nothing goes wrong in it, and it shows what many users cost each member.

mod arbiter;
mod client;
mod coverage;
mod crowd;
mod faults;
mod history;
mod mail;
mod member;
mod network;
mod plan;
mod presence;
mod process;
mod queue;
mod random;
mod session;
mod shared_store;
mod stage;
mod world;

pub use coverage::{Coverage, Of};
pub use crowd::{Held, Holds, crowd};
pub use world::{Failure, Options, run};
