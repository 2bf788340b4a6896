//! Client streams as their clients see them: transcripts, each standard error, real SCRAM, hostile bytes, and any
//! split of the input.

mod errors;
mod fuzz;
mod harness;
mod scram;
mod sizes;
mod stages;
mod transcripts;
