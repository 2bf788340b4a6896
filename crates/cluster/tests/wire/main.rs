//! The wire: whatever is carried arrives as it was, its bytes never change, and what is malformed is told apart.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod gathered;
mod golden;
mod hostile;
mod round_trip;
mod samples;
