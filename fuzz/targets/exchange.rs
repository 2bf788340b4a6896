//! Fuzz target: bytes as what a client sends to authenticate.
#![no_main]

#[path = "../../crates/auth/tests/fuzz/exchange.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::exchange(data);
});
