//! The fuzz body over many inputs made of frames, good and bad.

use crate::fuzz::link;
use crate::random::Random;
use std::collections::BTreeSet;
use std::panic::catch_unwind;

const INPUTS: u64 = 100_000;

fn frame(random: &mut Random, bytes: &mut Vec<u8>) {
    let kind = random.pick(&[1, 2, 3, 3, 3, 3, 3, 4, 0x41, 0x46, 0x81, 0x83, 0x88, 0x88, 0xc1, 0xc3, 0xff]);
    let kind = kind.unwrap();
    let mut body = Vec::new();
    for _ in 0..if kind == 3 { 5 } else { random.between(0, 8) } {
        // A variable-length integer of bincode: small, of two bytes, or the largest.
        match random.between(0, 9) {
            0 => body.extend([251, 0, 16]),
            1 => body.extend([253, 255, 255, 255, 255, 255, 255, 255, 255]),
            _ => body.push(random.between(0, 4) as u8),
        }
    }
    if kind == 3 && random.chance(60) {
        // Credit, and perhaps what was sent by it acknowledged.
        let (events, answers) = (random.between(0, 1) as u8, random.between(0, 1) as u8);
        body = [&[1, events, answers][..], &[251, 0, 16], &[251, 0, 16]].concat();
    }
    let length = body.len() as u32 + 2;
    let length = if random.chance(2) { random.between(0, 40) as u32 } else { length };
    bytes.extend(length.to_be_bytes());
    bytes.push(if random.chance(2) { 2 } else { 1 });
    bytes.push(kind);
    bytes.extend(body);
}

#[test]
fn seeded_inputs() {
    let mut kinds = BTreeSet::new();
    let (mut up, mut acknowledged) = (0, 0);
    for seed in 0..INPUTS {
        let mut random = Random::new(seed);
        let mut bytes = vec![random.between(0, 3) as u8, random.between(0, 255) as u8];
        if random.chance(30) {
            // The greeting of member 1 or 2, of the right cluster or not; then nothing is written by the body itself.
            bytes[0] |= 2;
            let (from, to) = if bytes[0] & 1 == 0 { (2, 1) } else { (1, 2) };
            let cluster = if random.chance(90) { 7 } else { 8 };
            bytes.extend([0, 0, 0, 11, 1, 1, 1, 1, cluster, from, to, 1, b'p', 0, 0]);
        }
        for _ in 0..random.between(0, 8) {
            frame(&mut random, &mut bytes);
        }
        if random.chance(20) {
            bytes.truncate(random.between(2, bytes.len() as u64) as usize);
        }
        match catch_unwind(|| link(&bytes)) {
            Ok(seen) => {
                up += usize::from(seen.is_up);
                acknowledged += usize::from(seen.acknowledged > 0);
                kinds.extend(seen.kinds);
            }
            Err(_) => panic!("seed {seed}: {bytes:02x?}"),
        }
    }
    // The inputs are worth something only if many of them leave the link as it is, and some get further.
    assert!(up > 10_000 && acknowledged > 500 && kinds.len() == 8, "{up}, {acknowledged}, {kinds:02x?}");
}
