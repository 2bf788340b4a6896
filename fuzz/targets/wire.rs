//! Fuzz target: bytes as the frames of another member.
#![no_main]

#[path = "../../crates/cluster/tests/wire/fuzz.rs"]
mod body;
#[path = "../../crates/cluster/tests/support/counting.rs"]
mod counting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::wire(data);
});
