//! PRECIS (RFC 8264): the two string classes, and the profiles UsernameCaseMapped and OpaqueString (RFC 8265).
//!
//! The properties are derived by the algorithm of RFC 8264 8 from the same Unicode data that `idna` uses, so that
//! letters and emoji of this decade exist; IANA's registry stops at Unicode 6.3. The same derivation serves
//! the labels of domain names (RFC 5892), whose mapping is done by then.

use super::{bidi, context};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory as Category, HangulSyllableType as Hangul,
    NoncharacterCodePoint,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// A string class (RFC 8264 4).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Identifier,
    Freeform,
}

/// What a code point derives to (RFC 8264 8); unassigned ones are disallowed in both classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    Valid,
    /// Valid in the FreeformClass alone (FREE_PVAL, ID_DIS).
    Freeform,
    /// By its context (CONTEXTJ, CONTEXTO).
    Context,
    Disallowed,
}

/// UsernameCaseMapped (RFC 8265 3.3). `None`: not allowed.
pub(super) fn username_case_mapped(text: &str) -> Option<String> {
    until_stable(text, |text| {
        let wide = DecomposingNormalizerBorrowed::new_nfkd();
        let mut mapped = String::with_capacity(text.len());
        for c in text.chars() {
            // 3.3.1: full-width and half-width forms to what they are forms of.
            match c {
                '\u{3000}' | '\u{ff01}'..='\u{ffee}' => {
                    mapped.extend(wide.normalize_iter(std::iter::once(c)))
                }
                _ => mapped.push(c),
            }
        }
        if !is_allowed(&mapped, Class::Identifier) {
            return None;
        }
        let lower: String = mapped.chars().flat_map(char::to_lowercase).collect();
        let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&lower);
        bidi::is_satisfied(&composed).then(|| composed.into_owned())
    })
}

/// OpaqueString (RFC 8265 4.2). `None`: not allowed.
pub(super) fn opaque_string(text: &str) -> Option<String> {
    until_stable(text, |text| {
        if !is_allowed(text, Class::Freeform) {
            return None;
        }
        let is_space = |c: char| category(c) == Category::SpaceSeparator;
        let mapped: String = text.chars().map(|c| if is_space(c) { ' ' } else { c }).collect();
        Some(ComposingNormalizerBorrowed::new_nfc().normalize(&mapped).into_owned())
    })
}

/// Whether a label that UTS #46 has mapped is a U-label (RFC 5892 3): that lets symbols such as emoji through.
pub(super) fn is_u_label(label: &str) -> bool {
    !label.contains(is_in_ignorable_block) && is_allowed(label, Class::Identifier)
}

/// RFC 8264 7: rules are applied again until they change nothing, and what keeps changing is refused.
fn until_stable(text: &str, apply: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut text = apply(text)?;
    for _ in 0..3 {
        let again = apply(&text)?;
        if again == text {
            return Some(text);
        }
        text = again;
    }
    None
}

fn is_allowed(text: &str, class: Class) -> bool {
    let in_class = |c| match property(c) {
        Property::Valid | Property::Context => true,
        Property::Freeform => class == Class::Freeform,
        Property::Disallowed => false,
    };
    !text.is_empty() && text.chars().all(in_class) && context::is_satisfied(text)
}

/// RFC 8264 8, in its order.
fn property(c: char) -> Property {
    match c {
        // 9.6, Exceptions.
        'ß' | 'ς' | '\u{6fd}' | '\u{6fe}' | '\u{f0b}' | '〇' => return Property::Valid,
        '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => {
            return Property::Disallowed;
        }
        _ if context::has_rule(c) => return Property::Context,
        // 9.11, ASCII7. The rest of ASCII is controls and the space.
        '!'..='~' => return Property::Valid,
        _ => {}
    }
    match CodePointMapData::<Hangul>::new().get(c) {
        Hangul::LeadingJamo | Hangul::VowelJamo | Hangul::TrailingJamo => return Property::Disallowed,
        _ => {}
    }
    let category = category(c);
    let is_ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(c);
    if is_ignorable || matches!(category, Category::Unassigned | Category::Control) {
        return Property::Disallowed;
    }
    // 9.17, HasCompat.
    let is_own_nfkc = || ComposingNormalizerBorrowed::new_nfkc().is_normalized(c.encode_utf8(&mut [0; 4]));
    match category {
        Category::Format | Category::PrivateUse | Category::Surrogate => Property::Disallowed,
        Category::LineSeparator | Category::ParagraphSeparator => Property::Disallowed,
        Category::LowercaseLetter
        | Category::UppercaseLetter
        | Category::OtherLetter
        | Category::DecimalNumber
        | Category::ModifierLetter
        | Category::NonspacingMark
        | Category::SpacingMark
            if is_own_nfkc() =>
        {
            Property::Valid
        }
        _ => Property::Freeform,
    }
}

fn category(c: char) -> Category {
    CodePointMapData::<Category>::new().get(c)
}

/// RFC 5892 2.4: combining marks for symbols, musical symbols, ancient Greek musical notation.
fn is_in_ignorable_block(c: char) -> bool {
    matches!(c, '\u{20d0}'..='\u{20ff}' | '\u{1d100}'..='\u{1d1ff}' | '\u{1d200}'..='\u{1d24f}')
}
