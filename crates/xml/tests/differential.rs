//! What the framer accepts is read the same by other parsers, and so is what an element writes of it.

#[path = "support/by_rxml.rs"]
mod by_rxml;
#[path = "differential/clients.rs"]
mod clients;
#[path = "support/programs.rs"]
mod programs;
#[path = "support/said.rs"]
mod said;
mod support;

use by_rxml::rxml;
use said::{Said, push_text, roxmltree};
use stentor_xml::{Content, Element, Frame, Framer, Limits, Node};
use support::{HEADER, Random, damage, stanza};

fn ours(node: Node<'_>, said: &mut Vec<Said>) {
    let attributes =
        node.attributes().map(|a| (a.namespace.to_owned(), a.name.to_owned(), a.value.to_owned()));
    said.push(Said::Start(node.namespace().to_owned(), node.name().to_owned(), attributes.collect()));
    for content in node.content() {
        match content {
            Content::Element(child) => ours(child, said),
            Content::Text(text) => push_text(said, text),
        }
    }
    said.push(Said::End);
}

/// The others, by name.
const OTHERS: [(&str, Read); 2] = [("rxml", rxml), ("roxmltree", roxmltree)];

type Read = fn(&str) -> Option<Vec<Said>>;

/// Whether a parser knows what is in a document: roxmltree binds `xml` for attributes alone.
fn knows(name: &str, document: &str) -> bool {
    name != "roxmltree" || !document.contains("<xml:")
}

/// Reads a fragment in a stream. `None` if the framer refuses it or it is not exactly one element.
fn framed(fragment: &[u8]) -> Option<(Element, String)> {
    let document = [HEADER.as_bytes(), fragment].concat();
    let mut framer = Framer::new(Limits::CLIENT);
    let mut input = document.as_slice();
    framer.next(&mut input).expect("a header");
    let found = match framer.next(&mut input) {
        Ok(Some(Frame::Element(raw))) => (raw.to_element(), raw.bytes.to_owned()),
        _ => return None,
    };
    (found.1.as_bytes() == fragment).then_some(found)
}

#[test]
fn what_is_accepted_is_read_the_same_by_others() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let mut fragment = stanza(&mut random, seed % 2 == 0).into_bytes();
        if seed % 5 == 0 {
            damage(&mut random, &mut fragment);
        }
        let in_stream = format!("{HEADER}{}</stream:stream>", String::from_utf8_lossy(&fragment));
        let Some((element, text)) = framed(&fragment) else {
            refused += 1;
            continue;
        };
        accepted += 1;
        let mut expected = Vec::new();
        ours(element.root(), &mut expected);
        for (name, read) in OTHERS.into_iter().filter(|(name, _)| knows(name, &text)) {
            let found = read(&in_stream).unwrap_or_else(|| panic!("{name} refuses {text:?} (seed {seed})"));
            // Without the stream around it.
            assert_eq!(found[1..found.len() - 1], expected, "{name} reads {text:?} (seed {seed})");
        }
        let mut written = String::new();
        element.write_to("", &mut written);
        for (name, read) in OTHERS.into_iter().filter(|(name, _)| knows(name, &written)) {
            let found = read(&written).unwrap_or_else(|| panic!("{name} refuses {written:?} (seed {seed})"));
            assert_eq!(found, expected, "{name} reads {written:?}, written for {text:?} (seed {seed})");
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(accepted > 5_000 && refused > 2_000, "{accepted} accepted, {refused} refused");
}

/// What well-behaved parsers accept must not be refused here, or clients could not talk to us; but for a stream in the
/// stream (S011).
#[test]
fn what_others_accept_is_accepted() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let fragment = stanza(&mut random, seed % 2 == 0);
        let in_stream = format!("{HEADER}{fragment}</stream:stream>");
        let (Some(by_rxml), Some(_)) = (rxml(&in_stream), roxmltree(&in_stream)) else { continue };
        // Text beside the element is an error on a stream, and no concern of a parser's.
        let is_one_element = matches!(by_rxml.get(1), Some(Said::Start(..))) && fragment.ends_with('>');
        let is_stream = |said: &Said| {
            matches!(said, Said::Start(namespace, name, _)
                if namespace == "http://etherx.jabber.org/streams" && name == "stream")
        };
        if is_one_element {
            let is_nested = by_rxml.iter().skip(1).any(is_stream);
            assert_eq!(framed(fragment.as_bytes()).is_none(), is_nested, "{fragment:?} (seed {seed})");
        }
    }
}
