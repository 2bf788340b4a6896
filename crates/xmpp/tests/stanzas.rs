//! Stanzas from random and hostile streams: what is sent on is a stanza that stands alone, and is read by other parsers
//! as they read what came in.

#[path = "../../xml/tests/support/by_rxml.rs"]
mod by_rxml;
#[path = "fuzz/stanza.rs"]
mod fuzz;
#[path = "../../xml/tests/support/said.rs"]
mod said;
#[path = "../../xml/tests/support/mod.rs"]
mod support;

use by_rxml::rxml;
use said::{Said, roxmltree};
use std::panic::catch_unwind;
use stentor_xml::{Frame, Framer, Limits};
use stentor_xmpp::{Kind, Stanza, ns};
use support::{HEADER, Random, damage, stanza as fragment};

/// Stream headers that declare the content namespace in the ways there are, `q`, and perhaps more.
const HEADERS: [&str; 4] = [
    HEADER,
    "<stream xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client' xmlns:q='urn:q'>",
    "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:q='urn:q' xmlns='jabber:client' xmlns:p='urn:x'>",
    "<stream:stream xmlns='urn:other' xmlns:stream='http://etherx.jabber.org/streams' xmlns:c='jabber:client' \
     xmlns:q='urn:q'>",
];

/// A stream with one stanza, whose children are anything.
fn document(random: &mut Random, hostile: bool) -> (&'static str, String) {
    let kind = random.pick(&["message", "presence", "iq"]);
    let mut children = String::new();
    for _ in 0..random.below(4) {
        children.push_str(&fragment(random, hostile));
    }
    let header = random.pick(&HEADERS);
    let has_default = header.contains("xmlns='jabber:client'");
    let (prefix, declaration) = match random.below(3) {
        0 => ("d:", " xmlns:d='jabber:client'"),
        1 if header.contains("xmlns:c=") => ("c:", ""),
        _ if has_default => ("", ""),
        _ => ("", " xmlns='jabber:client'"),
    };
    let other =
        random.pick(&["", " xmlns:p='urn:p'", " xmlns:q='urn:r' q:k='1'", " k='&apos;\n'", " q:k=\"'\""]);
    let header_attributes = random.pick(&[
        " id='1' type='result'",
        " type='chat' id='a&amp;b'",
        " to='a@b/c' id='1' type='error'",
        "",
    ]);
    let stanza =
        format!("<{prefix}{kind}{declaration}{other}{header_attributes}>{children}</{prefix}{kind}>");
    (header, stanza)
}

/// What a parser says of the only stanza in a stream: name and namespace, attributes, content.
fn stanza_of(parser: &str, said: Option<Vec<Said>>, document: &str) -> Vec<Said> {
    let mut said = said.unwrap_or_else(|| panic!("{parser} refuses {document}"));
    // Without the stream around it.
    said.drain(1..said.len() - 1).collect()
}

/// The stanza that our framer reads from a stream, if it is one.
fn accepted(document: &str) -> Option<Stanza> {
    let mut framer = Framer::new(Limits::CLIENT);
    let mut input = document.as_bytes();
    loop {
        match framer.next(&mut input).ok()?? {
            Frame::Header(_) => {}
            Frame::Element(raw) => return Stanza::from_raw(&raw, ns::CLIENT).ok(),
            Frame::End => return None,
        }
    }
}

#[test]
fn what_is_sent_on_is_read_as_what_came_in() {
    let mut count = 0;
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let (header, stanza) = document(&mut random, seed % 3 == 0);
        let end = if header.starts_with("<stream ") {
            "</stream>"
        } else if header.starts_with("<s:") {
            "</s:stream>"
        } else {
            "</stream:stream>"
        };
        let came_in = format!("{header}{stanza}{end}");
        let Some(stanza) = accepted(&came_in) else { continue };
        count += 1;
        let written = String::from_utf8(stanza.to_bytes().to_vec()).expect("UTF-8");
        // For a stream that declares the content namespace and nothing else.
        let sent_on = format!("<s:stream xmlns:s='urn:s' xmlns='jabber:client'>{written}</s:stream>");
        let mut expected = stanza_of("rxml", rxml(&came_in), &came_in);
        if let Some(Said::Start(_, _, attributes)) = expected.first_mut() {
            // Of a message an unknown type is read as none (RFC 6121 5.2.2).
            let is_unknown = stanza.kind() == Kind::Message;
            attributes.retain(|(_, name, value)| name != "type" || value != "result" || !is_unknown);
        }
        assert_eq!(
            stanza_of("rxml", rxml(&sent_on), &sent_on),
            expected,
            "seed {seed}: {came_in} became {written}"
        );
        // roxmltree binds `xml` for attributes alone.
        if !came_in.contains("<xml:") {
            assert_eq!(
                stanza_of("roxmltree", roxmltree(&sent_on), &sent_on),
                expected,
                "seed {seed}: {came_in} became {written}"
            );
        }
    }
    assert!(count > 4_000, "{count} accepted");
}

#[test]
fn holds_for_seeded_inputs() {
    for seed in 0..100_000 {
        let mut random = Random::new(seed);
        let (header, stanza) = document(&mut random, seed % 4 == 0);
        let mut stream = format!("{header}{stanza}<message/>").into_bytes();
        if seed % 5 == 0 {
            damage(&mut random, &mut stream);
        }
        let result = catch_unwind(|| fuzz::stanza(&stream));
        assert!(result.is_ok(), "seed {seed}: {}", String::from_utf8_lossy(&stream));
    }
}
