//! What is in a client's stanza is anything: a fuzz body over the entities, and many inputs for it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod body;
mod scene;
mod seeded;
mod state;
#[allow(dead_code, reason = "of the documents, only the generator and the damage are of use here")]
#[path = "../../../xml/tests/support/mod.rs"]
mod support;
