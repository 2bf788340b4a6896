//! Our PRECIS beside another implementation of it, on every character and on strings of a few.

use icu_properties::CodePointMapData;
use icu_properties::props::BidiClass;
use precis_core::profile::PrecisFastInvocation as _;
use precis_core::{DerivedPropertyValue, Error, IdentifierClass, StringClass as _};
use precis_profiles::{OpaqueString, UsernameCaseMapped};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::borrow::Cow;
use stentor_xmpp::{prepare_localpart, prepare_password};

type Enforce = fn(&str) -> Result<Cow<'_, str>, Error>;

/// It knows the characters of Unicode 6.3 alone, and what it says of others does not count.
struct Unknown;

fn is_mark(c: char) -> bool {
    // The two half-width ones become marks.
    matches!(c, '\u{ff9e}' | '\u{ff9f}')
        || CodePointMapData::<BidiClass>::new().get(c) == BidiClass::NonspacingMark
}

/// What the other makes of `text`; a result that it would change again is refused, as RFC 8264 7 asks.
fn other(text: &str, enforce: Enforce) -> Result<Option<String>, Unknown> {
    let is_unknown =
        |c| IdentifierClass::default().get_value_from_char(c) == DerivedPropertyValue::Unassigned;
    if text.contains(is_unknown) {
        return Err(Unknown);
    }
    let once = |text: &str| match enforce(text) {
        Ok(prepared) => Ok(Some(prepared.into_owned())),
        Err(Error::BadCodepoint(info)) if info.property == DerivedPropertyValue::Unassigned => Err(Unknown),
        // Its Bidi Rule refuses a mark that is not at the end, as in a vocalised name (RFC 5893 2, 3 and 6, speak
        // of the end alone).
        Err(Error::Invalid) if text.contains(is_mark) => Err(Unknown),
        Err(_) => Ok(None),
    };
    let Some(mut prepared) = once(text)? else { return Ok(None) };
    for _ in 0..3 {
        match once(&prepared)? {
            Some(again) if again == prepared => return Ok(Some(prepared)),
            Some(again) => prepared = again,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Whether the other had anything to say.
fn check(text: &str) -> bool {
    let excluded = ['"', '&', '\'', '/', ':', '<', '>', '@'];
    let localpart =
        other(text, |t| UsernameCaseMapped::enforce(t)).map(|p| p.filter(|p| !p.contains(excluded)));
    if let Ok(expected) = &localpart {
        assert_eq!(prepare_localpart(text).ok().as_deref(), expected.as_deref(), "localpart {text:?}");
    }
    let opaque = other(text, |t| OpaqueString::enforce(t));
    if let Ok(expected) = &opaque {
        assert_eq!(prepare_password(text).ok().as_deref(), expected.as_deref(), "opaque string {text:?}");
    }
    localpart.is_ok() || opaque.is_ok()
}

#[test]
fn every_character() {
    let known = ('\0'..=char::MAX).filter(|c| check(c.encode_utf8(&mut [0; 4]))).count();
    assert!(known > 240_000, "only {known} characters were compared");
}

/// Characters that mean something to some rule, many of them in a row.
fn telling() -> impl Strategy<Value = String> {
    let ranges = prop_oneof![
        Just('\0'..='\u{7f}'),
        Just('\u{80}'..='\u{24f}'),
        Just('\u{300}'..='\u{3ff}'),
        Just('\u{590}'..='\u{6ff}'),
        Just('\u{900}'..='\u{97f}'),
        Just('\u{1100}'..='\u{11ff}'),
        Just('\u{1e00}'..='\u{1fff}'),
        Just('\u{2000}'..='\u{206f}'),
        Just('\u{3000}'..='\u{30ff}'),
        Just('\u{ac00}'..='\u{ac60}'),
        Just('\u{ff00}'..='\u{ffef}'),
        Just('\u{10800}'..='\u{108ff}'),
    ];
    let one = prop_oneof![
        ranges.prop_flat_map(|range| proptest::char::range(*range.start(), *range.end())),
        proptest::sample::select(vec![
            'l', '\u{b7}', '\u{375}', '\u{5f3}', '\u{200c}', '\u{200d}', '\u{94d}', '\u{30fb}', '\u{660}',
            '\u{6f0}', '\u{5d0}', '\u{628}', '1', '.'
        ]),
    ];
    proptest::collection::vec(one, 1..8).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, rng_seed: RngSeed::Fixed(7622), ..ProptestConfig::default() })]

    #[test]
    fn strings(text in telling()) {
        check(&text);
    }
}
