//! The contextual rules of RFC 5892 appendix A, which PRECIS and IDNA share.

use icu_properties::CodePointMapData;
use icu_properties::props::{CanonicalCombiningClass, JoiningType, Script};

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const MIDDLE_DOT: char = '\u{b7}';
const GREEK_KERAIA: char = '\u{375}';
const HEBREW_GERESH: char = '\u{5f3}';
const HEBREW_GERSHAYIM: char = '\u{5f4}';
const KATAKANA_MIDDLE_DOT: char = '\u{30fb}';

/// Whether a code point is allowed by its context alone (CONTEXTJ, CONTEXTO).
pub(super) fn has_rule(c: char) -> bool {
    matches!(
        c,
        ZERO_WIDTH_NON_JOINER
            | ZERO_WIDTH_JOINER
            | MIDDLE_DOT
            | GREEK_KERAIA
            | HEBREW_GERESH
            | HEBREW_GERSHAYIM
            | KATAKANA_MIDDLE_DOT
    ) || is_arabic_indic(c)
        || is_extended_arabic_indic(c)
}

/// Whether every such code point in `text` stands where its rule allows it.
pub(super) fn is_satisfied(text: &str) -> bool {
    if !text.chars().any(has_rule) {
        return true;
    }
    // Asked at most once for the whole text, so that the work stays linear.
    let has = |wanted: fn(char) -> bool| text.chars().any(wanted);
    // A.8, A.9: one kind of digits.
    if has(is_arabic_indic) && has(is_extended_arabic_indic) {
        return false;
    }
    // A.7
    if text.contains(KATAKANA_MIDDLE_DOT) && !has(is_japanese) {
        return false;
    }
    text.char_indices().all(|(at, c)| {
        let (before, from) = text.split_at(at);
        let after = &from[c.len_utf8()..];
        let previous = before.chars().next_back();
        let next = after.chars().next();
        match c {
            // A.1
            ZERO_WIDTH_NON_JOINER => previous.is_some_and(is_virama) || joins(before, after),
            // A.2
            ZERO_WIDTH_JOINER => previous.is_some_and(is_virama),
            // A.3
            MIDDLE_DOT => previous == Some('l') && next == Some('l'),
            // A.4
            GREEK_KERAIA => next.is_some_and(|c| script(c) == Script::Greek),
            // A.5, A.6
            HEBREW_GERESH | HEBREW_GERSHAYIM => previous.is_some_and(|c| script(c) == Script::Hebrew),
            _ => true,
        }
    })
}

/// A.1: `(L or D) T* ZWNJ T* (R or D)`, by joining types.
fn joins(before: &str, after: &str) -> bool {
    let is_opaque = |joining: &JoiningType| *joining != JoiningType::Transparent;
    let previous = before.chars().rev().map(joining).find(is_opaque);
    let next = after.chars().map(joining).find(is_opaque);
    matches!(previous, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(next, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

fn is_arabic_indic(c: char) -> bool {
    matches!(c, '\u{660}'..='\u{669}')
}

fn is_extended_arabic_indic(c: char) -> bool {
    matches!(c, '\u{6f0}'..='\u{6f9}')
}

fn is_japanese(c: char) -> bool {
    matches!(script(c), Script::Hiragana | Script::Katakana | Script::Han)
}

fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

fn joining(c: char) -> JoiningType {
    CodePointMapData::<JoiningType>::new().get(c)
}
