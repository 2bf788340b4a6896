//! Fuzz target: bytes as what is in the stanzas of a client, to whoever answers them.
#![no_main]
#![allow(dead_code, reason = "what became of the stanzas is for a test")]

#[path = "../../crates/entities/tests/request/body.rs"]
mod body;
#[path = "../../crates/entities/tests/request/scene.rs"]
mod scene;
#[path = "../../crates/entities/tests/request/state.rs"]
mod state;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::request(data);
});
