//! Fuzz target: bytes as an address.
#![no_main]

#[path = "../../crates/xmpp/tests/fuzz/address.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::address(data));
