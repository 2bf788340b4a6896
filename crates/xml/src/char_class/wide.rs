//! Runs of a class sixteen bytes at a time, by SSE2, which every x86-64 has. Comparisons are of signed bytes, so that
//! bytes above ASCII are less than all others.

use super::{TEXT, VALUE};
use std::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
};

/// How many of the first bytes are of the class TEXT.
#[inline]
#[expect(unsafe_code, reason = "measured: half of the time that text and values take byte by byte")]
pub(crate) fn text_run(bytes: &[u8]) -> usize {
    #[target_feature(enable = "sse2")]
    #[inline]
    fn text_run(bytes: &[u8]) -> usize {
        run(bytes, |bytes| not_text(bytes), TEXT)
    }
    // SAFETY: SSE2 is part of x86-64.
    unsafe { text_run(bytes) }
}

/// How many of the first bytes are of the class VALUE.
#[inline]
#[expect(unsafe_code, reason = "measured: half of the time that text and values take byte by byte")]
pub(crate) fn value_run(bytes: &[u8]) -> usize {
    #[target_feature(enable = "sse2")]
    #[inline]
    fn value_run(bytes: &[u8]) -> usize {
        run(bytes, |bytes| not_value(bytes), VALUE)
    }
    // SAFETY: SSE2 is part of x86-64.
    unsafe { value_run(bytes) }
}

/// How many of the first bytes are of a class. `marks` tells which of sixteen are not, or need a look; those that do
/// are of the class all the same if the table says so.
#[target_feature(enable = "sse2")]
#[inline]
fn run(bytes: &[u8], marks: impl Fn(__m128i) -> u16, class: u8) -> usize {
    let mut position = 0;
    while let Some(chunk) = bytes.get(position..).and_then(|rest| rest.first_chunk::<16>()) {
        let &[low, high] = chunk.as_chunks::<8>().0 else { return position };
        let sixteen = _mm_set_epi64x(i64::from_le_bytes(high), i64::from_le_bytes(low));
        let marked = marks(sixteen).trailing_zeros() as usize;
        position += marked;
        if marked < 16 {
            if !chunk.get(marked).is_some_and(|&byte| super::is(byte, class)) {
                return position;
            }
            position += 1;
        }
    }
    position + bytes.get(position..).map_or(0, |rest| super::run(rest, class))
}

/// Marks what is not of the class TEXT, and tabs and line feeds.
#[target_feature(enable = "sse2")]
#[inline]
fn not_text(bytes: __m128i) -> u16 {
    let special = any([is(bytes, b'<'), is(bytes, b'&'), is(bytes, b'>'), unusual(bytes)]);
    mask(special)
}

/// Marks what is not of the class VALUE.
#[target_feature(enable = "sse2")]
#[inline]
fn not_value(bytes: __m128i) -> u16 {
    let special = any([is(bytes, b'<'), is(bytes, b'&'), is(bytes, b'"'), is(bytes, b'\''), unusual(bytes)]);
    mask(special)
}

/// Control characters and bytes above ASCII.
#[target_feature(enable = "sse2")]
#[inline]
fn unusual(bytes: __m128i) -> __m128i {
    _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20))
}

#[target_feature(enable = "sse2")]
#[inline]
fn is(bytes: __m128i, byte: u8) -> __m128i {
    _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8))
}

#[target_feature(enable = "sse2")]
#[inline]
fn any<const N: usize>(parts: [__m128i; N]) -> __m128i {
    let mut all = _mm_set1_epi8(0);
    for part in parts {
        all = _mm_or_si128(all, part);
    }
    all
}

#[target_feature(enable = "sse2")]
#[inline]
fn mask(bytes: __m128i) -> u16 {
    _mm_movemask_epi8(bytes) as u16
}
