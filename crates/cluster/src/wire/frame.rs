//! Frames: where one ends, which version and kind it is.

use crate::limits::{FRAME_BYTES_MAX, HELLO_BYTES_MAX};
use bytes::{Buf, Bytes, BytesMut};

/// A version of the wire. Bodies of one version are frozen; neighbouring versions work together, by the highest that
/// both speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// The first.
    V1,
}

impl Version {
    /// The lowest and the highest that are spoken here, as [`stentor_engine::MemberInfo::wire`] says them.
    pub const RANGE: (u16, u16) = (1, 1);

    /// The highest that is spoken here and by a member with this range; none if there is none.
    pub fn common((lowest, highest): (u16, u16)) -> Option<Self> {
        let version = highest.min(Self::RANGE.1);
        (version >= lowest.max(Self::RANGE.0)).then_some(())?;
        u8::try_from(version).ok().and_then(Self::of)
    }

    fn of(byte: u8) -> Option<Self> {
        (byte == 1).then_some(Self::V1)
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            Self::V1 => 1,
        }
    }
}

/// How a frame is admitted and ordered; the two highest bits of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The link's own: not numbered, not sent again.
    Control,
    /// Ends something that is under way: always admitted, bounded by what it answers, and goes before events that wait
    /// for credit. In order among themselves.
    Answer,
    /// Needs room in the buffer and the receiver's credit. In order among themselves.
    Event,
    /// In order with the events, but always admitted and without credit: what ends a session, and hand-overs.
    Behind,
}

impl Class {
    /// That of a kind, also of one that is not known.
    pub const fn of(kind: u8) -> Self {
        match kind >> 6 {
            0 => Self::Control,
            1 => Self::Answer,
            2 => Self::Event,
            _ => Self::Behind,
        }
    }
}

/// Why bytes are no frame, or a frame carries nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Shorter or longer than a frame may be. The connection is useless from there on.
    #[error("a frame of {0} bytes")]
    TooLong(usize),
    /// Of a version that is not spoken here. The connection is useless from there on.
    #[error("wire version {0} is not spoken here")]
    UnknownVersion(u8),
    /// Of a kind that this version does not have; it can be skipped.
    #[error("a frame of the unknown kind {0:#04x}")]
    UnknownKind(u8),
    /// Its body is not what its kind says; it can be skipped.
    #[error("a malformed frame: {0}")]
    Malformed(&'static str),
    /// An event that never leaves its member.
    #[error("an event that is its member's own")]
    NotCarried,
}

/// A frame that came, not yet decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// In which its body is written.
    pub version: Version,
    /// What its body is.
    pub kind: u8,
    /// Shares the memory of what it was read from until it is decoded.
    pub body: Bytes,
}

/// A whole frame to be sent, its length first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub(crate) bytes: Bytes,
}

/// Bytes of the length, the version and the kind.
pub(super) const HEADER_BYTES: usize = 6;

impl Encoded {
    /// From bytes that begin with room for a header.
    pub(super) fn new(version: Version, kind: u8, mut bytes: Vec<u8>) -> Result<Self, WireError> {
        let length = bytes.len().saturating_sub(4);
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(WireError::TooLong(bytes.len()));
        }
        let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(header) = bytes.first_chunk_mut::<HEADER_BYTES>() {
            *header = [a, b, c, d, version.byte(), kind];
        }
        Ok(Self { bytes: bytes.into() })
    }

    /// Its class.
    pub fn class(&self) -> Class {
        Class::of(self.kind())
    }

    /// The whole frame.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same as its receiver gets it.
    pub fn into_frame(self) -> Frame {
        let kind = self.kind();
        let mut body = self.bytes;
        body.advance(HEADER_BYTES.min(body.len()));
        Frame { version: Version::V1, kind, body }
    }

    fn kind(&self) -> u8 {
        self.bytes.get(HEADER_BYTES - 1).copied().unwrap_or_default()
    }
}

impl Frame {
    /// Takes the next frame off what was read; none if it is not there to its end.
    ///
    /// # Errors
    /// [`WireError::TooLong`] and [`WireError::UnknownVersion`], as soon as its header is there.
    pub fn read(input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        Self::read_up_to(FRAME_BYTES_MAX, input)
    }

    /// The same of the first frame on a connection.
    pub(crate) fn read_greeting(input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        Self::read_up_to(HELLO_BYTES_MAX, input)
    }

    /// Whether a frame begins here and is there to its end.
    pub(crate) fn is_whole(input: &[u8]) -> bool {
        let length = input.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize);
        length.is_some_and(|length| input.len() >= length.saturating_add(4))
    }

    fn read_up_to(bytes_max: usize, input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        let Some([a, b, c, d, version, kind]) = input.first_chunk::<HEADER_BYTES>().copied() else {
            return Ok(None);
        };
        let bytes = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_add(4);
        if !(HEADER_BYTES..=bytes_max).contains(&bytes) {
            return Err(WireError::TooLong(bytes));
        }
        let version = Version::of(version).ok_or(WireError::UnknownVersion(version))?;
        if input.len() < bytes {
            return Ok(None);
        }
        let mut body = input.split_to(bytes).freeze();
        body.advance(HEADER_BYTES);
        Ok(Some(Self { version, kind, body }))
    }

    /// Its class.
    pub fn class(&self) -> Class {
        Class::of(self.kind)
    }

    /// Bytes of the whole frame.
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }
}
