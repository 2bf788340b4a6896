//! The Bidi Rule (RFC 5893 2) for a localpart. Domain names get theirs from `idna`.

use icu_properties::CodePointMapData;
use icu_properties::props::BidiClass as Bidi;

/// Whether `text` has no right-to-left character, or satisfies the rule.
pub(super) fn is_satisfied(text: &str) -> bool {
    let classes = || text.chars().map(class);
    if !classes().any(|c| matches!(c, Bidi::RightToLeft | Bidi::ArabicLetter | Bidi::ArabicNumber)) {
        return true;
    }
    let last = classes().rev().find(|c| *c != Bidi::NonspacingMark);
    // 2, 5
    let is_neutral = |c| {
        matches!(
            c,
            Bidi::EuropeanNumber
                | Bidi::EuropeanSeparator
                | Bidi::CommonSeparator
                | Bidi::EuropeanTerminator
                | Bidi::OtherNeutral
                | Bidi::BoundaryNeutral
                | Bidi::NonspacingMark
        )
    };
    match classes().next() {
        Some(Bidi::RightToLeft | Bidi::ArabicLetter) => {
            let is_right_to_left =
                |c| matches!(c, Bidi::RightToLeft | Bidi::ArabicLetter | Bidi::ArabicNumber) || is_neutral(c);
            let both_numbers =
                classes().any(|c| c == Bidi::EuropeanNumber) && classes().any(|c| c == Bidi::ArabicNumber);
            // 3
            let ends_well = matches!(
                last,
                Some(Bidi::RightToLeft | Bidi::ArabicLetter | Bidi::EuropeanNumber | Bidi::ArabicNumber)
            );
            // 4 is the numbers.
            classes().all(is_right_to_left) && ends_well && !both_numbers
        }
        // 5 and 6 are for labels without right-to-left characters; with one, a label must begin right to left.
        _ => false,
    }
}

fn class(c: char) -> Bidi {
    CodePointMapData::<Bidi>::new().get(c)
}
