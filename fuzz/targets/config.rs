//! Fuzz target: bytes as a configuration.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor_server::fuzz::config(data));
