//! What is not as it should be is an error, told apart by what can be done about it.

use crate::samples::carried;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use stentor_cluster::limits::{FANOUT_TARGETS_MAX, FRAME_BYTES_MAX, HELLO_BYTES_MAX, LIST_ITEMS_MAX};
use stentor_cluster::wire::{Carried, Class, Frame, Hello, Version, WireError, encode};
use stentor_engine::{Epoch, Managed, MemberId, Resumed, SessionKey, Slot, Snapshot, StreamId, ToSession};
use stentor_xmpp::{Counter, FullJid};

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
    assert_eq!(unknown, 256 - 19);
}

/// Whoever calls an event an end would have it admitted without credit.
#[test]
fn a_kind_is_not_the_senders_to_choose() {
    let check = |name: &str, own: u8, other: u8| {
        for bytes in crate::golden::frames() {
            let mut frame = Frame::read(&mut BytesMut::from(&bytes[..])).unwrap().unwrap();
            if frame.kind == own {
                frame.kind = other;
                assert_eq!(
                    frame.decode().err(),
                    Some(WireError::Malformed("a body of another kind")),
                    "{name}"
                );
            }
        }
    };
    check("an event of a session", 0x81, 0xc1);
    check("the end of a session", 0xc1, 0x81);
    check("a message to a session", 0x85, 0xc2);
    check("a message that ends a session", 0xc2, 0x85);
}

/// A session would take it for a stream that nobody manages, of which nothing is kept.
#[test]
fn a_stream_that_is_resumed_is_managed() {
    let session = SessionKey { member: MemberId(1), arbiter: 0, serial: 2 };
    let resumed = |management| {
        let resumed = Resumed {
            attachment: 1,
            jid: FullJid::parse("a@b/c").unwrap(),
            snapshot: Box::new(Snapshot { management, ..Snapshot::default() }),
            handled: 0,
            acknowledged: Counter(0),
            again: Vec::new(),
            taken: Vec::new(),
        };
        let source = (Slot::new(1).unwrap(), Epoch(1));
        let carried = Carried::Session { source, session, message: ToSession::Resumed(resumed) };
        encode(Version::V1, &carried).unwrap().into_frame().decode()
    };
    assert!(resumed(Some(Managed { stream: StreamId(1), is_resumable: true, max: 9, unmanaged: 0 })).is_ok());
    let refused = WireError::Malformed("a stream is resumed that is not managed");
    assert_eq!(resumed(None).err(), Some(refused));
}

#[test]
fn lists_longer_than_they_may_be() {
    let check = |kind: u8, head: &[u8], count: u32, item: &[u8], items_max: usize| {
        let mut body = [head, &[252], &count.to_le_bytes()].concat();
        body.extend(item.repeat(count as usize));
        let decoded = Frame { version: Version::V1, kind, body: body.into() }.decode();
        assert_eq!(decoded.is_ok(), count as usize <= items_max, "{count}: {:?}", decoded.err());
    };
    // A reply with sessions; the same bytes to many sessions; presence to many users.
    let session = [&[5][..], b"a@b/c", &[0, 0, 0, 0, 0, 0]].concat();
    let relays = [&[1, 1, 1, 11][..], b"<presence/>"].concat();
    for over in [0, 1] {
        check(0x42, &[9, 5], LIST_ITEMS_MAX as u32 + over, &session, LIST_ITEMS_MAX);
        check(0x87, &[1, 1, 1, 0, 0, 1], FANOUT_TARGETS_MAX as u32 + over, &[2, 1, 3, 4], FANOUT_TARGETS_MAX);
        check(0x86, &relays, FANOUT_TARGETS_MAX as u32 + over, &[1, b'a', 2], FANOUT_TARGETS_MAX);
    }
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
