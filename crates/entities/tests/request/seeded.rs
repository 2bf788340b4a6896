//! The fuzz body over its seeds, and over many inputs made of them.

use crate::body::{Fate, request};
use crate::support::{Random, damage};
use Fate::{Copied, Error, Result, Silence, Unread};
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;
use stentor_xmpp::Condition::{self, *};

const INPUTS: u64 = 100_000;

/// The seeds, and what becomes of the stanzas in each.
const SEEDS: &[(&str, &[Fate])] = &[
    ("clustered", &[Copied, Copied, Result, Copied]),
    ("disco_info", &[Result, Result, Result, Error(ServiceUnavailable)]),
    ("disco_info_node", &[Error(ItemNotFound), Error(ItemNotFound), Error(NotAllowed)]),
    ("disco_items", &[Result, Result, Result]),
    ("disco_items_node", &[Error(ItemNotFound), Error(ItemNotFound)]),
    ("error", &[Copied, Silence, Silence]),
    ("last", &[Result, Result, Result, Error(ServiceUnavailable)]),
    ("last_away", &[Copied, Result, Error(ItemNotFound)]),
    ("message", &[Copied, Copied, Error(ServiceUnavailable), Error(RemoteServerNotFound)]),
    ("message_away", &[Silence, Silence, Error(ServiceUnavailable), Error(ServiceUnavailable)]),
    ("message_error", &[Copied, Silence, Copied, Silence]),
    ("message_hints", &[Silence, Silence, Silence]),
    ("message_in_memory", &[Copied, Error(ServiceUnavailable), Copied, Error(ServiceUnavailable)]),
    ("message_managed", &[Copied, Error(RemoteServerNotFound), Error(ServiceUnavailable), Copied]),
    ("message_oneself", &[Copied, Copied, Copied, Error(ServiceUnavailable)]),
    ("ping", &[Result, Result, Copied, Error(ServiceUnavailable)]),
    ("ping_oneself", &[Copied, Copied, Error(ServiceUnavailable), Error(RemoteServerNotFound)]),
    ("ping_stranger", &[Error(ServiceUnavailable), Copied, Error(ServiceUnavailable)]),
    ("prefixed", &[Result]),
    ("presence", &[Copied, Error(BadRequest), Copied, Copied]),
    ("presence_directed", &[Copied, Copied, Copied, Error(RemoteServerNotFound)]),
    ("presence_probe", &[Silence, Silence, Error(BadRequest), Copied]),
    ("private", &[Error(ServiceUnavailable)]),
    ("register_get", &[Result, Result, Error(ServiceUnavailable)]),
    ("register_password", &[Result, Error(NotAcceptable), Error(Forbidden)]),
    ("register_password_refused", &[Error(NotAcceptable), Error(ServiceUnavailable)]),
    ("register_remove", &[Result, Unread]),
    ("register_remove_and_more", &[Error(BadRequest), Error(BadRequest)]),
    ("result", &[Copied, Silence, Copied, Silence]),
    ("roster_elsewhere", &[Result, Error(JidMalformed)]),
    ("roster_get", &[Result, Result]),
    ("roster_get_version", &[Result]),
    ("roster_groups_twice", &[Error(BadRequest)]),
    ("roster_malformed", &[Error(JidMalformed), Error(BadRequest), Error(NotAllowed)]),
    ("roster_of_another", &[Error(Forbidden), Error(Forbidden), Error(ServiceUnavailable)]),
    ("roster_remove", &[Result, Result, Error(ItemNotFound)]),
    ("roster_set", &[Result, Result]),
    ("session", &[Result, Result]),
    ("smuggled", &[Unread]),
    ("subscribe", &[Silence, Silence, Error(ServiceUnavailable), Error(RemoteServerNotFound)]),
    ("subscribed", &[Silence, Silence, Silence, Silence]),
    ("subscribed_before", &[Silence, Error(BadRequest), Silence]),
    ("time", &[Result, Error(ServiceUnavailable)]),
    ("unsubscribed", &[Silence, Silence, Silence]),
    ("vcard", &[Error(ServiceUnavailable)]),
    ("version", &[Result, Error(ServiceUnavailable), Error(NotAllowed)]),
];

/// Attributes, elements and texts that mean something to who answers.
const PIECES: &[&str] = &[
    " ver='1'",
    " node='x'",
    " jid='bob@b.example'",
    " jid='alice@a.example/x'",
    " subscription='remove'",
    " name='&quot;\\&#9;'",
    "<item/>",
    "<item jid='m@b.example'>",
    "</item>",
    "<group>g</group>",
    "<remove/>",
    "<username>alice</username>",
    "<password>x</password>",
    "<priority>-1</priority>",
    "<status>\u{1F339}</status>",
    "<x xmlns='urn:x'>",
    "</x>",
    "<body/>",
    "<no-store xmlns='urn:xmpp:hints'/>",
    "<![CDATA[]]&gt;]]>",
];

fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/request");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let name = |file: &std::fs::DirEntry| file.file_name().into_string().unwrap();
    let mut seeds: Vec<_> = files.map(|file| (name(&file), std::fs::read(file.path()).unwrap())).collect();
    seeds.sort();
    seeds
}

#[test]
fn each_seed_says_what_it_is_for() {
    let seeds = seeds();
    let names: Vec<&str> = seeds.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, SEEDS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for ((name, seed), (_, expected)) in seeds.iter().zip(SEEDS) {
        assert_eq!(request(seed), *expected, "{name}");
    }
}

/// A few stanzas of the seeds, in another state, to others, with pieces put in, and damage.
fn input(seed: u64, stanzas: &[&[u8]]) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut input = vec![random.next() as u8];
    for _ in 0..=random.below(3) {
        let mut stanza = random.pick(stanzas).to_vec();
        if random.one_in(3) {
            stanza[1] = random.next() as u8;
        }
        if random.one_in(8) {
            stanza[0] = random.next() as u8;
        }
        if random.one_in(2) {
            let places: Vec<usize> = (2..stanza.len()).filter(|at| b"<>/".contains(&stanza[*at])).collect();
            let at = if places.is_empty() { stanza.len() } else { random.pick(&places) };
            stanza.splice(at..at, random.pick(PIECES).bytes());
        }
        if random.one_in(4) {
            damage(&mut random, &mut stanza);
        }
        input.extend(stanza);
        input.push(0xff);
    }
    input
}

#[test]
fn seeded_inputs() {
    let seeds = seeds();
    let stanzas: Vec<&[u8]> = seeds.iter().flat_map(|(_, seed)| seed[1..].split(|b| *b == 0xff)).collect();
    let (mut read, mut seen) = (0, BTreeSet::new());
    for seed in 0..INPUTS {
        let bytes = input(seed, &stanzas);
        let Ok(fates) = catch_unwind(|| request(&bytes)) else {
            panic!("seed {seed}: {:?}", String::from_utf8_lossy(&bytes))
        };
        read += fates.iter().filter(|fate| **fate != Unread).count();
        seen.extend(fates.iter().map(|fate| format!("{fate:?}")));
    }
    // The inputs are worth something only if many of them are stanzas, and are answered in all ways that there are.
    assert!(read > 100_000, "{read}");
    let errors: [Condition; 9] = [
        BadRequest,
        Forbidden,
        ItemNotFound,
        JidMalformed,
        NotAcceptable,
        NotAllowed,
        RemoteServerNotFound,
        ServiceUnavailable,
        ResourceConstraint,
    ];
    for fate in errors.map(Error).into_iter().chain([Copied, Result, Silence]) {
        assert!(seen.contains(&format!("{fate:?}")), "{fate:?} in {seen:?}");
    }
}
