//! The users: roster, presence, delivery, stream management; one module per specification.
//!
//! Entities are pure: events in, effects out. What drives them is in `stentor_engine`.

mod host;
pub mod specifications;
pub mod user;
mod xep_0115_caps;
mod xep_0203_delay;

pub use host::{Host, Hosts, UserLimits};
pub use user::User;
pub use xep_0115_caps::server_caps;
