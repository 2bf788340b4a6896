//! Body of the fuzz target: bytes as a datagram, as what a member has sealed, and as a swap.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use stentor_cluster::{Gossip, GossipConfig, GossipKeys, GossipOutput, GossipSeal};
use stentor_engine::MemberId;
use zeroize::Zeroizing;

fn keys() -> GossipKeys {
    GossipKeys::new(&[Zeroizing::new([1; 32])]).expect("one key")
}

fn member() -> Gossip {
    let address = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), 5270);
    let config = GossipConfig { member: MemberId(1), address, cluster: "c".into(), keys: keys() };
    Gossip::new(config, [7; 32], Duration::ZERO)
}

/// What is not sealed is refused and without any effect; what is sealed or swapped is answered within bounds, and
/// whatever it was, the member goes on. How many members it has heard of.
pub(crate) fn gossip(bytes: &[u8]) -> usize {
    let mut gossip = member();
    let mut out = Vec::new();
    gossip.datagram(Duration::ZERO, bytes, &mut out);
    assert!(out.is_empty() && gossip.refusals().values().sum::<u64>() == 1);

    // Pieces of a byte for the length, each a plaintext.
    let seal = GossipSeal::new("c", keys());
    let mut chance = ChaCha20Rng::from_seed([2; 32]);
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first() {
        let (plaintext, behind) = behind.split_at(behind.len().min(usize::from(*length)));
        let datagram = seal.seal(plaintext, &mut chance).expect("short");
        gossip.datagram(Duration::from_millis(1), &datagram, &mut out);
        rest = behind;
    }
    let heard = gossip.alive().count();
    gossip.membership(Duration::from_millis(2), MemberId(2), bytes, &mut out);
    for second in 1..8 {
        gossip.time(Duration::from_secs(second), &mut out);
    }
    let sends = out.iter().filter(|output| matches!(output, GossipOutput::Send { .. })).count();
    assert!(sends <= 64 * (bytes.len() + 8), "{sends} datagrams for {} bytes", bytes.len());
    heard
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            super::gossip(&bytes);
        }

        /// Well-formed up to the message: sender, incarnation, receiver.
        #[test]
        fn any_message_is_answered(
            parts in prop::collection::vec((0..4_u8, 0..4_u8, any::<[u8; 2]>(), 1..12_u8, prop::collection::vec(0..6_u8, 0..60)), 0..6),
        ) {
            let mut bytes = Vec::new();
            for (index, (from, to, incarnation, kind, tail)) in parts.iter().enumerate() {
                let identity = |member: u8| [&[0, 0, 0, 0, 0, 0, 0, member, 0, 0, 0, 0, 4, 10, 0, 0, member][..], &5270_u16.to_be_bytes()].concat();
                let number = (index as u64 + 1).to_be_bytes();
                let plaintext =
                    [&number[..], &[0; 8], &identity(*from), incarnation, &identity(*to), &[*kind], tail].concat();
                bytes.push(plaintext.len() as u8);
                bytes.extend(plaintext);
            }
            super::gossip(&bytes);
        }
    }
}
