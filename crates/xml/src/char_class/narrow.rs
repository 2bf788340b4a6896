//! Runs of a class byte by byte, for processors that `wide` does not know.

use super::{TEXT, VALUE, run};

/// How many of the first bytes are of the class TEXT.
pub(crate) fn text_run(bytes: &[u8]) -> usize {
    run(bytes, TEXT)
}

/// How many of the first bytes are of the class VALUE.
pub(crate) fn value_run(bytes: &[u8]) -> usize {
    run(bytes, VALUE)
}
