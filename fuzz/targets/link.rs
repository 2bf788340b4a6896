//! Fuzz target: bytes as what the peer sends on a link.
#![no_main]

#[path = "../../crates/cluster/tests/link/fuzz.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::link(data);
});
