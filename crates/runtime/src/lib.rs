//! actix: the registry, entity actors, timers, store threads and drain.
//!
//! One [`Runtime`] per process, with some arbiters (threads). On each stands a [`Router`](router) with the arbiter's
//! registry: it turns keys into handles, by reference; nothing else holds an address. What happens to an entity is
//! decided by its [`stentor_engine::Shell`]; here its outputs are carried out.
//!
//! actix's mailboxes have no bound, so a [`stentor_engine::Gate`] stands before each; being refused is a decision
//! made in one place, [`local`]. A panic in an entity ends that entity, not its arbiter.

mod asks;
pub mod cluster;
mod credentials;
mod entities;
mod entity_actor;
mod figures;
pub mod limits;
mod local;
mod lookalikes;
mod members;
mod questions;
mod rarely;
mod router;
mod routing;
mod socket;
mod start;
mod timers;
mod waking;

pub use credentials::StoreCredentials;
pub use figures::Figure;
pub use local::{
    SessionMessage, after, belongs_to, forget_session, is_here, new_session, now, place_at, reattached, send,
    session_ends, tally,
};
pub use members::{Peers, Report, ToMember};
pub use questions::Answer;
pub use rarely::Rarely;
pub use socket::Socket;
pub use start::{Administration, Derive, Membership, Runtime, Shared, StartError};
pub use stentor_cluster::EndReason;
