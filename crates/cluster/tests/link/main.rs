//! The link: exactly once and in order whatever happens to connections, bounded, and never stuck.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod chance;
mod fuzz;
mod pair;
#[path = "../steward/random.rs"]
mod random;
mod rules;
mod seeded;
