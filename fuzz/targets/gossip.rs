//! Fuzz target: bytes as datagrams of gossip, sealed and not, and as a swap.
#![no_main]

#[path = "../../crates/cluster/tests/gossip/body.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::gossip(data);
});
