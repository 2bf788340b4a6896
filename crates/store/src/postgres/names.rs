//! Names as the tables' keys. An index takes rows of at most 2,704 bytes, and a JID may have 3,071: a long name is cut,
//! and its digest stands for the rest. Among names that are long and begin alike for so long, the order is the digests';
//! all others sort as the program's strings do.

use crate::row::Owner;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Bytes of an owner's name that are kept as they are.
const OWNER_BYTES_MAX: usize = 500;
/// Bytes of a record's name that are kept as they are.
const KEY_BYTES_MAX: usize = 1_900;
/// Bytes of the name of a collection. They are fixed in the program, and short.
pub(super) const COLLECTION_BYTES_MAX: usize = 200;

const _: () = assert!(
    OWNER_BYTES_MAX + KEY_BYTES_MAX + COLLECTION_BYTES_MAX + 2 + 64 <= 2_704,
    "a row of an index with its headers must fit"
);

/// What is cut is one byte longer than what is not, so that neither is ever taken for the other.
const fn cut(max: usize) -> usize {
    max + 1 - 32
}

fn shortened(name: &[u8], max: usize) -> Cow<'_, [u8]> {
    if name.len() <= max {
        return Cow::Borrowed(name);
    }
    let mut short = name.get(..cut(max)).unwrap_or_default().to_vec();
    short.extend(Sha256::digest(name));
    Cow::Owned(short)
}

/// A key as it is stored.
pub(super) fn key(key: &str) -> Cow<'_, [u8]> {
    shortened(key.as_bytes(), KEY_BYTES_MAX)
}

/// The key itself, if it is stored otherwise.
pub(super) fn long_key(key: &str) -> Option<&[u8]> {
    (key.len() > KEY_BYTES_MAX).then_some(key.as_bytes())
}

/// An owner's name: the kind's letter and the address.
pub(super) fn name(kind: u8, address: &str) -> Vec<u8> {
    [&[kind], address.as_bytes()].concat()
}

/// An owner's name as it is stored in keys.
pub(super) fn owner(name: &[u8]) -> Cow<'_, [u8]> {
    shortened(name, OWNER_BYTES_MAX)
}

/// The owner of a name; none if it is no such name.
pub(super) fn parsed(name: &[u8]) -> Option<Owner> {
    let (kind, address) = name.split_first()?;
    Some(Owner { kind: *kind, address: std::str::from_utf8(address).ok()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_names_are_cut() {
        for (bytes, stored) in [(0, 0), (1, 1), (1_900, 1_900), (1_901, 1_901), (9_000, 1_901)] {
            let name = "x".repeat(bytes);
            assert_eq!(key(&name).len(), stored, "{bytes}");
            assert_eq!(long_key(&name).is_some(), bytes > KEY_BYTES_MAX, "{bytes}");
            assert_eq!(*key(&name) == *name.as_bytes(), bytes <= KEY_BYTES_MAX, "{bytes}");
        }
        let alike = [format!("{}a", "x".repeat(3_000)), format!("{}b", "x".repeat(3_000))];
        let [one, other] = &alike;
        assert_ne!(key(one), key(other));
        assert_eq!(owner(&[b'u'; 500]).len(), 500);
        assert_eq!(owner(&[b'u'; 501]).len(), 501);
    }
}
