//! Body of a fuzz target: bytes as frames that another member sent.

use crate::counting::counted;
use bytes::{Bytes, BytesMut};
use stentor_cluster::wire::{Class, Frame, Hello, Version, WireError, encode};

/// Bytes that are held while a frame is decoded, for each of its own: the shortest stanza is 9 bytes, and becomes one
/// with an index and a text of its own in a list that grows.
const HELD_PER_BYTE: usize = 192;
/// And beside that, whatever it is.
const HELD: usize = 8 * 1024;

/// Bytes of a frame before its body.
const HEADER: usize = 6;

/// What is no frame, or carries nothing, is an error that says so. What carries something says the same once written
/// again, by the same kind and in bytes that stay as they are from then on; and nothing holds much more memory than
/// there are bytes. The bytes are read as frames one behind the other, and again as one frame whatever its length says.
pub(crate) fn wire(bytes: &[u8]) -> Vec<u8> {
    let mut carried = Vec::new();
    greeting(bytes);
    let mut input = BytesMut::from(bytes);
    while let Ok(Some(frame)) = Frame::read(&mut input) {
        assert_eq!(frame.bytes(), HEADER + frame.body.len());
        carried.extend(check(&frame));
    }
    if let (Some(kind), Some(body)) = (bytes.get(HEADER - 1), bytes.get(HEADER..)) {
        let frame = Frame { version: Version::V1, kind: *kind, body: Bytes::copy_from_slice(body) };
        carried.extend(check(&frame));
        let length = u32::try_from(body.len() + 2).unwrap().to_be_bytes();
        greeting(&[&length[..], &[1, *kind], body].concat());
    }
    carried
}

/// The kind, if it carries something.
fn check(frame: &Frame) -> Option<u8> {
    let (decoded, _, held) = counted(|| frame.decode());
    assert!(held <= HELD + HELD_PER_BYTE * frame.body.len(), "{held} bytes for {}", frame.body.len());
    let carried = match decoded {
        Ok(carried) => carried,
        Err(WireError::UnknownKind(kind)) => {
            assert_eq!(kind, frame.kind);
            return None;
        }
        Err(WireError::Malformed(_)) => return None,
        Err(other) => panic!("{other:?}"),
    };
    assert_ne!(frame.class(), Class::Control, "{carried:?}");
    let again = encode(Version::V1, &carried).unwrap();
    let frame_again = again.clone().into_frame();
    assert_eq!(frame_again.kind, frame.kind, "{carried:?}");
    let carried_again = frame_again.decode().unwrap();
    assert_eq!(encode(Version::V1, &carried_again).unwrap(), again, "{carried:?}, then {carried_again:?}");
    Some(frame.kind)
}

/// A greeting is the same once written again.
fn greeting(bytes: &[u8]) {
    let (read, _, held) = counted(|| Hello::read(&mut BytesMut::from(bytes)));
    assert!(held <= HELD + 4 * bytes.len(), "{held} bytes for {}", bytes.len());
    if let Ok(Some(hello)) = read {
        let mut again = BytesMut::from(&hello.encode().unwrap().bytes()[..]);
        assert_eq!(Hello::read(&mut again), Ok(Some(hello)));
    }
}
