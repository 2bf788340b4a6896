//! The fuzz targets over a corpus and many seeded inputs.

#[path = "fuzz/framer.rs"]
mod fuzz;
mod support;

use std::panic::catch_unwind;
use support::{HEADER, Random, damage, stanza};

const INPUTS: u64 = 100_000;

#[test]
fn holds_for_seeded_inputs() {
    for seed in 0..INPUTS {
        let mut random = Random::new(seed);
        let mut fragment = stanza(&mut random, seed % 3 == 0).into_bytes();
        if seed % 4 == 0 {
            damage(&mut random, &mut fragment);
        }
        let mut document = Vec::new();
        if seed % 8 != 1 {
            document.extend_from_slice(HEADER.as_bytes());
        }
        document.extend_from_slice(&fragment);
        if random.one_in(3) {
            document.extend_from_slice(b"\n<a/></stream:stream> ");
        }
        let run = || {
            fuzz::framer(&document);
            fuzz::element(&fragment);
        };
        assert!(catch_unwind(run).is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&document));
    }
}

#[test]
fn holds_for_the_corpus() {
    let corpus: [&[u8]; 12] = [
        b"",
        b" \n",
        b"<",
        b"<?xml version='1.0' encoding='utf-8' standalone='no' ?>\n<a xmlns='x'/> ",
        b"<?xml version='1.1'?><a>",
        b"<?xml encoding='UTF-8'?><a>",
        b"\xEF\xBB\xBF<a/>",
        b"<a><b xmlns:a='1' xmlns:b='2' xmlns:c='3' xmlns:d='4'><c xmlns:e='5'/></b>",
        b"<a><b c='1' d='2' e='3' f='4' g='5'/>",
        b"<a><b><c><d><e><f><g><h/></g></f></e></d></c></b>",
        b"<a></a x='1'>",
        b"<a:b xmlns:a='x'></a:c>",
    ];
    for document in corpus {
        fuzz::framer(document);
        fuzz::element(document);
    }
}
