//! Runs the fuzz target over 100,000 inputs made from seeds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod exchange;

use exchange::exchange;

const INPUTS: u64 = 100_000;

/// Honest conversations, which are then spoilt.
const CORPUS: [&[u8]; 9] = [
    b"\x00n,,n=user,r=abcdefgh\nc=biws,r=abcdefghAAAAAAAAAAAAAAAAAAAAAAAA,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    b"\x01n,a=user@example.org,n=user,r=abc,x=1\nc=biws,r=abcAAAAAAAAAAAAAAAAAAAAAAAA,p=AAAA",
    b"\x02n,,n=us=2Cer=3D,r=%hvYDpWUa2RaTC\nc=biws,r=%hvYDpWUa2RaTCAAAAAAAAAAAAAAAAAAAAAAAA,y=1,p=",
    b"\x03p=tls-exporter,,n=user,r=abc\nc=cD10bHMtZXhwb3J0ZXIsLAEBAQ==,r=abc,p=AAAA",
    b"\x0cp=tls-server-end-point,a=user@example.org,n=user,r=abc\nc=cD10,r=abc,p=AAAA",
    b"\x05p=tls-unique,,n=user,r=abc",
    b"\x06\0user\0pencil",
    b"\x0euser@example.org\0user\0p\xc3\xa9ncil",
    br#"{"v":1,"SHA-1":{"salt":"AA==","iterations":4096,"stored_key":"AA==","server_key":"AA=="}}"#,
];

/// Bytes that mean something in these grammars.
const INTERESTING: &[u8] = b",,,===\0\nnyparcsimvex@/AB=2C=3D\xff\xc3\xa9\x80 \"{}";

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn input(seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut data = CORPUS[random.below(CORPUS.len())].to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(data.len() + 1);
        let byte = INTERESTING[random.below(INTERESTING.len())];
        match random.below(5) {
            0 => data.insert(at, byte),
            1 if at < data.len() => data[at] = byte,
            2 if at < data.len() => data[at] ^= 1 << random.below(8),
            3 => data.truncate(at.max(1)),
            _ => {
                let part = data[at..].to_vec();
                data.extend(part);
            }
        }
    }
    data
}

#[test]
fn seeded_inputs() {
    let mut understood = [0_usize; 3];
    for seed in 0..INPUTS {
        let outcome = std::panic::catch_unwind(|| exchange(&input(seed)));
        match outcome {
            Ok(messages) => understood[messages.min(2)] += 1,
            Err(_) => panic!("seed {seed}: {:?}", String::from_utf8_lossy(&input(seed))),
        }
    }
    // The inputs are worth something only if many of them get beyond the first message.
    assert!(understood[1] > 20_000, "{understood:?}");
    assert_eq!(understood[2], 0, "no second message can be right");
}
