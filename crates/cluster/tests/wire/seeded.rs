//! The fuzz body over the golden frames, and over many that are made from them.

use crate::fuzz::wire;
use crate::golden::frames;
use crate::random::Random;
use std::collections::BTreeSet;
use std::panic::catch_unwind;

const INPUTS: u64 = 100_000;

/// Bytes that mean something: marks of bincode's integers, kinds, counts, XML.
const INTERESTING: &[u8] = &[
    0, 1, 2, 3, 8, 250, 251, 252, 253, 254, 255, 0x41, 0x43, 0x81, 0x82, 0x86, 0xc1, b'u', b'<', b'>', b'\'',
    b'/', b'&', b'@',
];

fn damage(random: &mut Random, others: &[Vec<u8>], bytes: &mut Vec<u8>) {
    let at = random.between(0, bytes.len() as u64) as usize;
    match random.between(0, 6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.pick(INTERESTING).unwrap()),
        2 => bytes.extend(&others[random.between(0, others.len() as u64 - 1) as usize]),
        3 => {
            // The end of another, behind the beginning of this one.
            let other = &others[random.between(0, others.len() as u64 - 1) as usize];
            bytes.truncate(at);
            bytes.extend(&other[at.min(other.len())..]);
        }
        4 => {
            let part = bytes[at..].to_vec();
            bytes.extend(part);
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.pick(INTERESTING).unwrap();
            }
        }
    }
}

#[test]
fn golden_frames() {
    for frame in frames() {
        wire(&frame);
    }
}

#[test]
fn seeded_inputs() {
    let frames = frames();
    let mut kinds = BTreeSet::new();
    let mut carried = 0;
    for seed in 0..INPUTS {
        let mut random = Random::new(seed);
        let mut bytes = frames[random.between(0, frames.len() as u64 - 1) as usize].clone();
        for _ in 0..random.between(0, 3) {
            damage(&mut random, &frames, &mut bytes);
        }
        match catch_unwind(|| wire(&bytes)) {
            Ok(decoded) => {
                carried += usize::from(!decoded.is_empty());
                kinds.extend(decoded);
            }
            Err(_) => panic!("seed {seed}: {bytes:02x?}"),
        }
    }
    // The inputs are worth something only if many of them are read to their end, of every kind.
    assert_eq!(kinds.len(), 19, "{kinds:02x?}");
    assert!(carried > 30_000, "{carried}");
}
