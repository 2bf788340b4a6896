//! What is not as it should be is an error, told apart by what can be done about it.

use crate::samples::carried;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use stentor_cluster::limits::{FRAME_BYTES_MAX, HELLO_BYTES_MAX};
use stentor_cluster::wire::{Class, Frame, Hello, Version, WireError, encode};

fn read(bytes: &[u8]) -> Result<Option<Frame>, WireError> {
    Frame::read(&mut BytesMut::from(bytes))
}

fn header(length: u32, version: u8, kind: u8) -> Vec<u8> {
    [&length.to_be_bytes()[..], &[version, kind]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000, failure_persistence: None, rng_seed: RngSeed::Fixed(14), ..ProptestConfig::default()
    })]

    #[test]
    fn a_body_cut_short_or_with_more_behind_it(carried in carried(), cut in any::<prop::sample::Index>()) {
        let frame = encode(Version::V1, &carried).unwrap().into_frame();
        let short = frame.body.slice(..cut.index(frame.body.len()));
        let decoded = Frame { body: short, ..frame.clone() }.decode();
        prop_assert!(matches!(decoded, Err(WireError::Malformed(_))), "{decoded:?}");
        let long = Bytes::from([&frame.body[..], &[0]].concat());
        let decoded = Frame { body: long, ..frame }.decode();
        prop_assert!(matches!(decoded, Err(WireError::Malformed(_))), "{decoded:?}");
    }
}

#[test]
fn lengths() {
    assert_eq!(read(&header(0, 1, 1)), Err(WireError::TooLong(4)));
    assert_eq!(read(&header(1, 1, 1)), Err(WireError::TooLong(5)));
    let most = u32::try_from(FRAME_BYTES_MAX).unwrap() - 4;
    assert_eq!(read(&header(most, 1, 1)), Ok(None));
    assert_eq!(read(&header(most + 1, 1, 1)), Err(WireError::TooLong(FRAME_BYTES_MAX + 1)));
    assert!(matches!(read(&header(u32::MAX, 1, 1)), Err(WireError::TooLong(_))));
    // Of a greeting, from whoever it may be, far less.
    let most = u32::try_from(HELLO_BYTES_MAX).unwrap() - 4;
    assert_eq!(Hello::read(&mut BytesMut::from(&header(most, 1, 1)[..])), Ok(None));
    assert!(Hello::read(&mut BytesMut::from(&header(most + 1, 1, 1)[..])).is_err());
}

#[test]
fn versions_and_kinds() {
    for version in [0, 2, 255] {
        assert_eq!(read(&header(2, version, 0x81)), Err(WireError::UnknownVersion(version)));
    }
    let mut unknown = 0;
    for kind in 0..=255 {
        let frame = Frame { version: Version::V1, kind, body: Bytes::new() };
        match frame.decode() {
            Err(WireError::UnknownKind(told)) => {
                assert_eq!(told, kind);
                unknown += 1;
            }
            Err(WireError::Malformed(_)) => {}
            other => panic!("{other:?}"),
        }
        let class = [Class::Control, Class::Answer, Class::Event, Class::Behind][usize::from(kind >> 6)];
        assert_eq!(frame.class(), class);
    }
    assert_eq!(unknown, 256 - 17);
}

#[test]
fn lists_and_texts_that_claim_more_than_there_is() {
    // 2^63 relays, and a stanza of 2^63 bytes: variable-length integers of bincode.
    let huge = [253, 0, 0, 0, 0, 0, 0, 0, 128];
    let source = [1, 1, 1];
    let check = |kind, body: &[&[u8]]| {
        let body = Bytes::from(body.concat());
        let decoded = Frame { version: Version::V1, kind, body }.decode();
        assert!(matches!(decoded, Err(WireError::Malformed(_))), "{decoded:?}");
    };
    check(0x86, &[&source, &huge]);
    check(0x86, &[&source, &[11], b"<presence/>", &huge]);
    check(0x86, &[&source, &[11], b"<presence/>", &[9], &[0; 8]]);
    check(0x87, &[&source, &huge]);
    check(0x45, &[&huge]);
    // A list of as many bytes as there are, of items that each need more.
    check(0x87, &[&source, &[0], &[251, 0, 16], &[1; 4096]]);
}
