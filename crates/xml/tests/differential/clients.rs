//! S010: the parsers that clients are made with.

use super::{framed, ours};
use crate::programs::{line_of, read, takes};
use crate::support::{HEADER, Random, damage, stanza};

const DOCUMENTS: u64 = 8_000;

/// What we accept, and what we write of it, says the same to them.
fn agrees(parser: &str) {
    let (mut documents, mut expected) = (Vec::new(), Vec::new());
    for seed in 0..DOCUMENTS {
        let mut random = Random::new(seed);
        let mut fragment = stanza(&mut random, seed % 2 == 0).into_bytes();
        if seed % 5 == 0 {
            damage(&mut random, &mut fragment);
        }
        let Some((element, text)) = framed(&fragment).filter(|(_, text)| takes(parser, text)) else {
            continue;
        };
        let mut said = Vec::new();
        ours(element.root(), &mut said);
        let mut written = String::new();
        element.write_to("", &mut written);
        let line = line_of(&said);
        // As it came, within its stream, whose own start and end are the first and the last event.
        documents.push(format!("{HEADER}{text}</stream:stream>"));
        expected.push(line.clone());
        documents.push(written);
        expected.push(line);
    }
    let lines = match read(parser, &documents) {
        Ok(lines) => lines,
        Err(why) => return println!("skipped: {parser}: {why}"),
    };
    for (n, (line, expected)) in lines.iter().zip(&expected).enumerate() {
        let inner = line.split_once('\u{1e}').and_then(|(_, rest)| rest.rsplit_once('\u{1e}'));
        let found = if n % 2 == 0 { inner.map_or("", |(inner, _)| inner) } else { line.as_str() };
        assert_eq!(found, expected, "{parser} reads {:?}", documents.get(n));
    }
    println!("{parser}: {} documents", documents.len());
    assert!(documents.len() > 4_000, "{}", documents.len());
}

#[test]
fn s010_clients_read_the_same() {
    crate::programs::PARSERS.into_iter().for_each(agrees);
}
