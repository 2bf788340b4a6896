//! bincode, and nobody else knows: structs to bytes and back.
//!
//! What is written are plain structs of numbers, texts, bytes and optional ones of these: no enums, whose order would be
//! their meaning, nothing recursive, and no collections, whose lengths would be believed. A list is a count and then
//! its items, and a count is at most the bytes that are left, and never more than a limit.

use super::frame::HEADER_BYTES;
use super::{Encoded, Version, WireError};
use crate::limits::{FRAME_BYTES_MAX, LIST_ITEMS_MAX};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

const CONFIG: Configuration<LittleEndian, Varint, Limit<FRAME_BYTES_MAX>> =
    bincode::config::standard().with_limit::<FRAME_BYTES_MAX>();

/// Writes one frame.
pub(super) struct Writer {
    bytes: Vec<u8>,
    failed: bool,
}

impl Writer {
    /// `capacity` is what the body may take, so that it is allocated once.
    pub(super) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + capacity);
        bytes.resize(HEADER_BYTES, 0);
        Self { bytes, failed: false }
    }

    /// Appends a struct.
    pub(super) fn put(&mut self, value: &impl Serialize) {
        self.failed |= bincode::serde::encode_into_std_write(value, &mut self.bytes, CONFIG).is_err();
    }

    /// Appends what `write` appends, as [`Raw`] would; it takes about `bytes`. So nothing is written twice.
    pub(super) fn put_written(&mut self, bytes: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let prefix = self.bytes.len();
        self.put(&(bytes as u64));
        let start = self.bytes.len();
        write(&mut self.bytes);
        let written = self.bytes.len() - start;
        if written != bytes {
            // The guess was wrong: the length in front may even be of another length.
            let Some(tail) = self.bytes.get(start..).map(<[u8]>::to_vec) else { return };
            self.bytes.truncate(prefix);
            self.put(&Raw(&tail));
        }
    }

    /// Appends a list.
    pub(super) fn list<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Self, &T)) {
        self.failed |= items.len() > LIST_ITEMS_MAX;
        self.put(&(items.len() as u64));
        for item in items {
            put(self, item);
        }
    }

    /// The frame.
    pub(super) fn finish(self, version: Version, kind: u8) -> Result<Encoded, WireError> {
        if self.failed {
            return Err(WireError::TooLong(self.bytes.len()));
        }
        Encoded::new(version, kind, self.bytes)
    }
}

/// Reads the body of one frame.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// The next struct, which borrows from the body.
    pub(super) fn get<T: Deserialize<'a>>(&mut self) -> Result<T, WireError> {
        let (value, used) = bincode::serde::borrow_decode_from_slice(self.rest, CONFIG)
            .map_err(|_| WireError::Malformed("a body that its kind does not have"))?;
        self.rest = self.rest.get(used..).unwrap_or_default();
        Ok(value)
    }

    /// The next list.
    pub(super) fn list<T>(
        &mut self,
        get: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        self.list_up_to(LIST_ITEMS_MAX, get)
    }

    /// The next list, of so many items at most.
    pub(super) fn list_up_to<T>(
        &mut self,
        items_max: usize,
        mut get: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let count = usize::try_from(self.get::<u64>()?).unwrap_or(usize::MAX);
        // Each item has a byte at least; what they take in memory is claimed as they come.
        if count > self.rest.len() || count > items_max {
            return Err(WireError::Malformed("a list longer than its frame, or than it may be"));
        }
        let mut items = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            items.push(get(self)?);
        }
        Ok(items)
    }

    /// That nothing is left.
    pub(super) fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Malformed("bytes behind the body")) }
    }
}

/// Bytes as such, written at once and borrowed when read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw<'a>(pub &'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Raw<'de>, E> {
                Ok(Raw(bytes))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}
