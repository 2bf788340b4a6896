//! Fuzz target: bytes as what a client sends at any stage of its stream.
#![no_main]

#[path = "../../crates/stream/tests/stream/fuzz.rs"]
#[allow(unused_imports, reason = "its seeded test is not compiled")]
mod body;
#[path = "../../crates/stream/tests/stream/harness.rs"]
#[allow(dead_code, reason = "for tests of other kinds")]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::client_stream(data);
});
