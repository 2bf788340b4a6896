//! Fuzz target: bytes as the stanzas of a stream.
#![no_main]

#[path = "../../crates/xmpp/tests/fuzz/stanza.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::stanza(data));
