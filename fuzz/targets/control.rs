//! Fuzz target: bytes as what stands on the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor_server::fuzz::control(data));
