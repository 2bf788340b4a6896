//! The fuzz body over many datagrams that are sealed as a member seals them, so that what is behind the seal is reached.

use crate::body::gossip;
use crate::random::Random;
use std::panic::catch_unwind;

const INPUTS: u64 = 100_000;

/// Who says it, in which incarnation, of foca's identities: version, member, family of the address, address, port.
fn identity(member: u8) -> Vec<u8> {
    let mut identity = vec![0, 0, 0, 0, 0, 0, 0, member, 0, 0, 0, 0, 4, 10, 0, 0, member];
    identity.extend(5270_u16.to_be_bytes());
    identity
}

fn plaintext(random: &mut Random, number: u64) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(random.between(0, 2).to_be_bytes());
    bytes.extend(identity(random.between(0, 4) as u8));
    bytes.extend([0, random.between(0, 2) as u8]);
    bytes.extend(identity(if random.chance(75) { 1 } else { random.between(0, 4) as u8 }));
    bytes.push(random.between(0, 12) as u8);
    for _ in 0..random.between(0, 2) {
        match random.between(0, 2) {
            0 => bytes.extend(identity(random.between(0, 4) as u8)),
            1 => bytes.extend([0, random.between(0, 3) as u8]),
            _ => bytes.push(random.between(0, 255) as u8),
        }
    }
    if random.chance(20) {
        bytes.truncate(random.between(0, bytes.len() as u64) as usize);
    }
    bytes
}

#[test]
fn seeded_inputs() {
    let mut heard = 0;
    for seed in 0..INPUTS {
        let mut random = Random::new(seed);
        let mut bytes = Vec::new();
        for number in 1..=random.between(0, 3) {
            let plaintext = plaintext(&mut random, number);
            bytes.push(plaintext.len() as u8);
            bytes.extend(plaintext);
        }
        if random.chance(10) {
            bytes.insert(0, random.between(0, 255) as u8);
        }
        match catch_unwind(|| gossip(&bytes)) {
            Ok(members) => heard += usize::from(members > 0),
            Err(_) => panic!("seed {seed}: {bytes:02x?}"),
        }
    }
    // The inputs are worth something only if many of them are understood.
    assert!(heard > 10_000, "{heard}");
}
