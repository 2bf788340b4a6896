//! The wire: whatever is carried arrives as it was, its bytes never change, and what is malformed is told apart.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod allocations;
#[path = "../support/counting.rs"]
#[allow(dead_code, reason = "for tests of other kinds")]
mod counting;
mod fuzz;
mod gathered;
mod golden;
mod hostile;
#[path = "../steward/random.rs"]
#[allow(dead_code, reason = "for tests of other kinds")]
mod random;
mod round_trip;
mod samples;
mod seeded;
