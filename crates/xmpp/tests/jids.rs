//! Addresses: the golden file, lengths, sharing, and what must hold for all.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "fuzz/address.rs"]
mod fuzz;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::HashSet;
use stentor_xmpp::{BareJid, FullJid, Jid, JidError, prepare_password};

/// The escapes of the golden file.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        rest = match escape.split_at(1) {
            ("u", tail) => {
                let (code, tail) = tail.strip_prefix('{').unwrap().split_once('}').unwrap();
                out.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                tail
            }
            ("t", tail) => {
                out.push('\t');
                tail
            }
            (_, tail) => {
                out.push('\\');
                tail
            }
        };
    }
    out + rest
}

fn golden_rows() -> impl Iterator<Item = &'static str> {
    include_str!("jids.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn golden_file() {
    let (mut rows, mut wrong) = (0, Vec::new());
    for line in golden_rows() {
        let (given, expected) = line.split_once("=> ").unwrap();
        let given = unescape(given.strip_suffix(' ').unwrap());
        let expected = match expected {
            "!local" => Err(JidError::Local),
            "!domain" => Err(JidError::Domain),
            "!resource" => Err(JidError::Resource),
            prepared => Ok(unescape(prepared)),
        };
        let found = Jid::parse(&given).map(|jid| jid.to_string());
        if found != expected {
            wrong.push(format!("{line}, but {found:?}"));
        }
        rows += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(rows, 526);
}

#[test]
fn lengths_count_bytes() {
    // RFC 7622 3.1: 1,023 bytes a part, 3,071 in all.
    let part = |n: usize| "a".repeat(n);
    let check = |text: &str, expected: Result<usize, JidError>| {
        assert_eq!(Jid::parse(text).map(|jid| jid.as_str().len()), expected, "{} bytes", text.len());
    };
    let longest = part(1023);
    check(&format!("{longest}@{longest}/{longest}"), Ok(3071));
    check(&format!("{}@{longest}/{longest}", part(1024)), Err(JidError::Local));
    check(&format!("{longest}@{}/{longest}", part(1024)), Err(JidError::Domain));
    check(&format!("{longest}@{longest}/{}", part(1024)), Err(JidError::Resource));
    check("a@b/c", Ok(5));
    // Two bytes each, before and after preparation.
    check(&format!("{}a@b", "ä".repeat(511)), Ok(1025));
    check(&format!("{}@b", "ä".repeat(512)), Err(JidError::Local));
    check(&format!("{}@b", "Ä".repeat(512)), Err(JidError::Local));
    check(&format!("a@b/{}a", "ä".repeat(511)), Ok(1027));
    check(&format!("a@b/{}", "ä".repeat(512)), Err(JidError::Resource));
    // Counted after preparation: full-width letters have three bytes, and become one.
    check(&format!("{}@b", "ａ".repeat(1023)), Ok(1025));
    check(&format!("{}@b", "ａ".repeat(1024)), Err(JidError::Local));
    check(&part(1 << 20), Err(JidError::Domain));
}

#[test]
fn parts() {
    let jid = Jid::parse("Romeo@Montague.example/Orchard/x").unwrap();
    assert_eq!(
        (jid.local(), jid.domain(), jid.resource()),
        (Some("romeo"), "montague.example", Some("Orchard/x"))
    );
    let bare = jid.to_bare();
    assert_eq!(
        (bare.as_str(), bare.local(), bare.domain()),
        ("romeo@montague.example", Some("romeo"), "montague.example")
    );
    assert_eq!(bare.as_str().as_ptr(), jid.as_str().as_ptr(), "the bare address shares the text");
    assert_eq!(bare.to_jid().as_str(), bare.as_str());
    assert_eq!(jid.to_full().unwrap().to_jid(), jid);
    assert_eq!(bare.with_resource("Orchard/x").unwrap(), jid.to_full().unwrap());
    assert_eq!(bare.with_resource(""), Err(JidError::Resource));
    assert_eq!(bare.to_domain().as_str(), "montague.example");
    assert_eq!(bare.to_jid().to_full(), None);
    assert_eq!(BareJid::parse("a@b/c"), Err(JidError::Resource));
    assert_eq!(FullJid::parse("a@b"), Err(JidError::Resource));
    assert_eq!(BareJid::new(Some("A"), "B"), BareJid::parse("a@b"));
    assert_eq!(BareJid::new(Some("a/b"), "c"), Err(JidError::Local));
    assert_eq!(BareJid::new(None, "a@b"), Err(JidError::Domain));
    assert_eq!(BareJid::new(None, "a/b"), Err(JidError::Domain));
    assert!(size_of::<Jid>() <= 24 && size_of::<Option<FullJid>>() <= 24);
}

#[test]
fn bare_addresses_are_one_key_wherever_they_come_from() {
    let mut set = HashSet::new();
    for text in
        ["romeo@montague.example", "ROMEO@montague.example./Orchard", "romeo@Montague.example/balcony"]
    {
        set.insert(Jid::parse(text).unwrap().to_bare());
    }
    assert_eq!(set.len(), 1);
    assert!(set.contains("romeo@montague.example"));
}

#[test]
fn passwords() {
    // RFC 8265 4.3.
    for (given, expected) in [
        ("correct horse battery staple", Some("correct horse battery staple")),
        ("Correct Horse Battery Staple", Some("Correct Horse Battery Staple")),
        ("πßå", Some("πßå")),
        ("Jack of \u{2666}s", Some("Jack of \u{2666}s")),
        ("foo\u{1680}bar", Some("foo bar")),
        ("", None),
        ("my cat is a \u{9}by", None),
    ] {
        assert_eq!(prepare_password(given).ok().as_deref(), expected, "{given:?}");
    }
    assert!(prepare_password(&"a".repeat(4096)).is_ok() && prepare_password(&"a".repeat(4097)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, rng_seed: RngSeed::Fixed(7622), ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        fuzz::address(text.as_bytes());
    }

    #[test]
    fn what_looks_like_an_address(
        text in "(\\PC{0,4}@)?([a-z]{1,3}|xn--[a-z0-9-]{1,6}|\\p{L}\\p{M}?){1,2}[.。]?\\p{L}{0,3}[.。]?(/\\PC{1,4})?",
    ) {
        fuzz::address(text.as_bytes());
    }
}

/// The golden rows, cut, joined and damaged: 100,000 inputs, the same in each run.
#[test]
fn seeded_fuzz() {
    let corpus: Vec<Vec<u8>> = golden_rows()
        .filter_map(|row| row.split_once(" =>"))
        .map(|(given, _)| unescape(given).into_bytes())
        .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for _ in 0..100_000 {
        let mut input = corpus[random(corpus.len())].clone();
        for _ in 0..random(4) {
            let other = &corpus[random(corpus.len())];
            let at = random(input.len() + 1);
            match random(4) {
                0 => input.truncate(at),
                1 => input.extend_from_slice(&other[random(other.len() + 1)..]),
                2 => drop(input.splice(at..at, other.iter().copied())),
                _ => {
                    if let Some(byte) = input.get_mut(at) {
                        *byte ^= 1 << random(8);
                    }
                }
            }
        }
        fuzz::address(&input);
    }
}
