//! The deterministic simulator: the same engine and entities, driven from a seed, and its checkers.
//!
//! One thread, one seed, a clock that only the queue of things to happen moves. A member of the same shells,
//! entities, attachments, gates and lane as in the server; a disk that is slow, fails and forgets what was not
//! synced; clients that come, go, resume and stay silent; crashes at any point. After every step the promises are
//! checked: what was acknowledged is kept, once, in order; nobody gets a message and its error both; `h` never goes
//! back. A failure names its seed, and the seed replays it.

mod client;
mod coverage;
mod history;
mod member;
mod plan;
mod queue;
mod random;
mod session;
mod stage;
mod world;

pub use coverage::Coverage;
pub use world::{Failure, Options, run};
