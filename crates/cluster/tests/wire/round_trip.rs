//! What is carried arrives as it was.

use crate::samples::carried;
use bytes::{BufMut, BytesMut};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use stentor_cluster::wire::{Frame, Hello, Received, Version, WireError, encode};
use stentor_engine::{Event, Key, MemberId};
use stentor_xmpp::BareJid;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000, failure_persistence: None, rng_seed: RngSeed::Fixed(13), ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_carried(carried in carried()) {
        let encoded = encode(Version::V1, &carried).unwrap();
        let mut input = BytesMut::from(&encoded.bytes()[..]);
        let frame = Frame::read(&mut input).unwrap().unwrap();
        prop_assert!(input.is_empty());
        prop_assert_eq!(frame.class(), encoded.class());
        prop_assert_eq!(frame.bytes(), encoded.bytes().len());
        let decoded = frame.decode().unwrap();
        prop_assert_eq!(format!("{decoded:?}"), format!("{carried:?}"));
        prop_assert_eq!(encode(Version::V1, &decoded).unwrap(), encoded);
    }

    #[test]
    fn in_any_pieces(carried in proptest::collection::vec(carried(), 1..4), piece in 1_usize..200) {
        let frames: Vec<_> = carried.iter().map(|carried| encode(Version::V1, carried).unwrap()).collect();
        let whole: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
        let (mut input, mut read) = (BytesMut::new(), Vec::new());
        for bytes in whole.chunks(piece) {
            input.put_slice(bytes);
            while let Some(frame) = Frame::read(&mut input).unwrap() {
                read.push(frame);
            }
        }
        prop_assert_eq!(read, frames.into_iter().map(|frame| frame.into_frame()).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_a_members_own_is_not_carried() {
    for event in [Event::Timer(1), Event::Rows(1, Vec::new()), Event::Derived(1, None)] {
        let carried = stentor_cluster::wire::Carried::Event {
            source: stentor_cluster::wire::Source::Member,
            target: Key::User(BareJid::parse("juliet@capulet.example").unwrap()),
            epoch: stentor_engine::Epoch(1),
            event,
        };
        assert_eq!(encode(Version::V1, &carried), Err(WireError::NotCarried));
    }
}

#[test]
fn greetings() {
    let hello = Hello {
        wire: Version::RANGE,
        cluster: 7,
        from: MemberId(1),
        to: MemberId(2),
        name: "verona".into(),
        received: Received { events: 3, answers: 4 },
    };
    let bytes = hello.encode().unwrap();
    let mut input = BytesMut::new();
    for byte in bytes.bytes() {
        assert_eq!(Hello::read(&mut input), Ok(None));
        input.put_u8(*byte);
    }
    assert_eq!(Hello::read(&mut input), Ok(Some(hello)));
}

#[test]
fn versions() {
    let check = |range, expected| assert_eq!(Version::common(range), expected, "{range:?}");
    check((1, 1), Some(Version::V1));
    check((1, 9), Some(Version::V1));
    check((0, 1), Some(Version::V1));
    check((2, 3), None);
    check((0, 0), None);
    check((3, 1), None);
}
