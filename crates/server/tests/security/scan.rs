//! S034: what is accepted in a handshake, found out by offering one thing at a time, byte by byte.

use std::io::{Read, Write};
use std::net::IpAddr;

use crate::client::connect;
use crate::server::{Server, address};

/// What TLS 1.2 may be spoken with: AEAD and forward secrecy, of RFC 5289 and RFC 7905. The first three are for
/// certificates like those of these tests (ECDSA), the others for RSA.
const AEAD: [u16; 6] = [0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8];

const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

/// An offer.
struct Hello<'a> {
    version: u16,
    suites: &'a [u16],
    /// What the extension names (RFC 8446 4.2.1), without which `version` counts.
    versions: &'a [u16],
    has_extended_master_secret: bool,
}

pub(crate) fn scan(server: &Server) {
    // Every suite of TLS 1.2 and before that was ever numbered, and those of 1.3.
    let numbered = (0x0000..=0x00ff).chain(0xc000..=0xc0ff).chain(0xcc13..=0xcc15).chain(0xcca8..=0xccae);
    let suites: Vec<u16> = numbered.chain(0xd001..=0xd005).chain(0x1301..=0x1307).collect();
    let mut accepted = Vec::new();
    for (n, suite) in suites.iter().enumerate() {
        let from = address(&format!("S034 {}", n % 5));
        if let Some(chosen) = offer(server, from, &hello(&[*suite])) {
            assert_eq!(chosen, *suite);
            accepted.push(*suite);
        }
    }
    accepted.sort_unstable();
    assert_eq!(accepted, [0xc02b, 0xc02c, 0xcca9]);
    assert!(accepted.iter().all(|suite| AEAD.contains(suite)));

    let from = address("S034 1.3");
    let mut accepted = Vec::new();
    for suite in 0x1301..=0x1307 {
        let hello = Hello { versions: &[TLS_1_3], ..hello(std::slice::from_ref(&suite)) };
        accepted.extend(offer(server, from, &hello));
    }
    // AES-GCM and ChaCha20-Poly1305 (RFC 8446 B.4).
    assert_eq!(accepted, [0x1301, 0x1302, 0x1303]);

    // Versions: SSL 3.0, TLS 1.0 and 1.1, as they named themselves then and as they would now; with all suites.
    let all: Vec<u16> = suites.iter().copied().chain([0x5600, 0x00ff]).collect();
    for version in [0x0200, 0x0300, 0x0301, 0x0302] {
        let old = Hello { version, ..hello(&all) };
        assert_eq!(offer(server, from, &old), None, "{version:#x}");
        let old = Hello { versions: &[version], ..hello(&all) };
        assert_eq!(offer(server, from, &old), None, "{version:#x}");
    }
    // RFC 9266 4.2: what is bound to the connection of TLS 1.2 needs the extended master secret.
    let without = Hello { has_extended_master_secret: false, ..hello(&all) };
    assert_eq!(offer(server, from, &without), None);
    // The same hello is good with it: the refusals are not of this form.
    assert!(offer(server, from, &hello(&all)).is_some());
    // SSL 2.0's own form of a hello, from the time before records.
    let mut old = vec![0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10];
    old.extend([7; 37]);
    assert_eq!(answer(server, from, &old), None);
}

fn hello(suites: &[u16]) -> Hello<'_> {
    Hello { version: TLS_1_2, suites, versions: &[], has_extended_master_secret: true }
}

/// The suite that the server chooses, if it goes on.
fn offer(server: &Server, from: IpAddr, hello: &Hello<'_>) -> Option<u16> {
    answer(server, from, &hello.record())
}

fn answer(server: &Server, from: IpAddr, sent: &[u8]) -> Option<u16> {
    let mut socket = connect(server.direct, from);
    socket.write_all(sent).unwrap();
    // Nothing more follows; a server that went on does not see that before it has answered.
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said);
    // A record of a handshake with a ServerHello in it; everything else is an alert, or the end.
    let [0x16, _, _, _, _, 0x02, _, _, _, _, _, rest @ ..] = said.as_slice() else {
        assert!(said.first().is_none_or(|kind| *kind == 0x15), "{said:?}");
        return None;
    };
    let (_random, rest) = rest.split_at(32);
    let (session, rest) = rest.split_first()?;
    let rest = rest.get(usize::from(*session)..)?;
    Some(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]))
}

impl Hello<'_> {
    fn record(&self) -> Vec<u8> {
        let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let mut body = words(&[self.version]);
        body.extend([7; 32]);
        body.push(0);
        body.extend(sized::<2>(&words(self.suites)));
        body.extend([1, 0]);
        let mut extensions = Vec::new();
        let mut extend = |kind: u16, data: &[u8]| {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(sized::<2>(data));
        };
        // Groups x25519 and P-256, uncompressed points, the signatures that were ever common.
        extend(10, &sized::<2>(&words(&[0x001d, 0x0017])));
        extend(11, &[1, 0]);
        extend(13, &sized::<2>(&words(&[0x0403, 0x0503, 0x0804, 0x0401, 0x0501, 0x0203, 0x0201])));
        if self.has_extended_master_secret {
            extend(23, &[]);
        }
        if !self.versions.is_empty() {
            extend(43, &sized::<1>(&words(self.versions)));
            // A share of x25519: any 32 bytes are a point.
            let share = [words(&[0x001d]), sized::<2>(&[9; 32])].concat();
            extend(51, &sized::<2>(&share));
        }
        body.extend(sized::<2>(&extensions));
        let handshake = [vec![1], sized::<3>(&body)].concat();
        [vec![0x16, 3, 1], sized::<2>(&handshake)].concat()
    }
}

/// The bytes behind their number, which takes `N` bytes.
fn sized<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let count = bytes.len().to_be_bytes();
    [&count[count.len() - N..], bytes].concat()
}
