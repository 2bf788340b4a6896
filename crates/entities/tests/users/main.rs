//! Users as transcripts: what clients send, and what each of them gets.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod attaching;
mod client;
mod delivery;
mod errors;
mod iq;
mod kept;
mod online;
mod presence;
mod registration;
mod roster;
mod scene;
mod stream_management;
mod subscriptions;
mod superseded;
mod taking_over;

use scene::{Scene, error};
