//! Fuzz target: bytes as an XML stream.
#![no_main]

#[path = "../../crates/xml/tests/fuzz/framer.rs"]
#[allow(dead_code, reason = "the other target's body")]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::framer(data));
