//! Bytes in to bytes out for typical stanzas of a chat, beside what other parsers take to read the same bytes.
//!
//! Ours is the whole way: framing, all checks, header read, `from` stamped, written. The others only read. The
//! ratios at the end compare the best of many short runs, in turn, in this one process.

use criterion::{Criterion, Throughput};
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use rxml::{Parse, Parser};
use std::hint::black_box;
use std::time::{Duration, Instant};
use stentor_xml::{Frame, Framer, Limits};
use stentor_xmpp::{Jid, Stanza, ns};

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='example.net' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";

/// What clients in use send in a chat.
const STANZAS: [&str; 5] = [
    "<message to='juliet@example.net' type='chat' id='d4b1c2e3-77aa-4f0e-9d7a-5b1e0c1a2f33'>\
     <body>Wherefore art thou? I will be at the orchard wall at nine.</body>\
     <active xmlns='http://jabber.org/protocol/chatstates'/>\
     <request xmlns='urn:xmpp:receipts'/></message>",
    "<message to=\"juliet@example.net/balcony\" type=\"chat\" id=\"a1\" xml:lang=\"en\"><body>ok &amp; thanks</body>\
     <origin-id xmlns=\"urn:xmpp:sid:0\" id=\"a1\"/><markable xmlns=\"urn:xmpp:chat-markers:0\"/></message>",
    "<message to='juliet@example.net' type='chat' id='b2'><composing xmlns='http://jabber.org/protocol/chatstates'/>\
     <no-store xmlns='urn:xmpp:hints'/></message>",
    "<message to='juliet@example.net' type='chat' id='c3'><body>Привет, как дела? Увидимся завтра вечером \u{1F339}</body>\
     <thread>e0ffe42b28561960c6b12b944a092794b9683a38</thread></message>",
    "<message to='juliet@example.net' type='chat' id='d5'><displayed xmlns='urn:xmpp:chat-markers:0' \
     id='d4b1c2e3-77aa-4f0e-9d7a-5b1e0c1a2f33'/><store xmlns='urn:xmpp:hints'/></message>",
];

const ROUNDS: usize = 20;

/// A stream as it comes off a socket: the header, then the stanzas many times over.
fn document() -> String {
    let mut document = String::from(HEADER);
    for _ in 0..ROUNDS {
        document.extend(STANZAS);
    }
    document
}

fn stentor(document: &str, from: &Jid, out: &mut Vec<u8>) -> usize {
    let mut framer = Framer::new(Limits::CLIENT);
    let mut input = document.as_bytes();
    let mut stanzas = 0;
    while let Some(frame) = framer.next(&mut input).expect("valid") {
        if let Frame::Element(raw) = frame {
            let mut stanza = Stanza::from_raw(&raw, ns::CLIENT).expect("a stanza");
            stanza.set_from(Some(from.clone()));
            out.clear();
            stanza.write_to(black_box(out));
            stanzas += 1;
        }
    }
    stanzas
}

fn framer_alone(document: &str) -> usize {
    let mut framer = Framer::new(Limits::CLIENT);
    let mut input = document.as_bytes();
    let mut frames = 0;
    while let Some(frame) = framer.next(&mut input).expect("valid") {
        black_box(frame);
        frames += 1;
    }
    frames
}

fn rxml(document: &str) -> usize {
    let mut parser = Parser::new();
    let mut input = document.as_bytes();
    let mut events = 0;
    while let Ok(Some(event)) = parser.parse(&mut input, false) {
        black_box(event);
        events += 1;
    }
    assert!(input.is_empty());
    events
}

fn minidom_only_reads() -> usize {
    for stanza in STANZAS.iter().cycle().take(ROUNDS * STANZAS.len()) {
        let element =
            minidom::Element::from_reader_with_prefixes(stanza.as_bytes(), "jabber:client".to_owned());
        black_box(element.expect("valid"));
    }
    ROUNDS * STANZAS.len()
}

fn minidom_reads_and_writes(out: &mut Vec<u8>) -> usize {
    for stanza in STANZAS.iter().cycle().take(ROUNDS * STANZAS.len()) {
        let element =
            minidom::Element::from_reader_with_prefixes(stanza.as_bytes(), "jabber:client".to_owned());
        let mut element = element.expect("valid");
        element.set_attr(
            rxml::Namespace::NONE,
            rxml::NcName::try_from("from").expect("a name"),
            "romeo@example.net/orchard",
        );
        out.clear();
        element.write_to(black_box(out)).expect("written");
    }
    ROUNDS * STANZAS.len()
}

fn ns_reader(document: &str) -> usize {
    let mut reader = quick_xml::NsReader::from_str(document);
    let mut events = 0;
    loop {
        let (namespace, event) = reader.read_resolved_event().expect("valid");
        assert!(!matches!(namespace, ResolveResult::Unknown(_)));
        match &event {
            Event::Eof => return events,
            Event::Start(start) | Event::Empty(start) => {
                for attribute in start.attributes() {
                    let attribute = attribute.expect("valid");
                    black_box(reader.resolver().resolve_attribute(attribute.key));
                }
            }
            _ => {}
        }
        black_box(&event);
        events += 1;
    }
}

/// A name, and what reads the document once.
type Reader<'a> = (&'static str, Box<dyn FnMut() -> usize + 'a>);

/// The best time of many runs of each, taken in turn so that a busy machine is busy for all.
fn best(runs: usize, readers: &mut [Reader<'_>]) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; readers.len()];
    for _ in 0..runs {
        for (reader, best) in readers.iter_mut().zip(&mut best) {
            let start = Instant::now();
            black_box((reader.1)());
            *best = start.elapsed().min(*best);
        }
    }
    best
}

fn main() {
    let document = document();
    let from = Jid::parse("romeo@example.net/orchard").expect("an address");
    let (mut out, mut other) = (Vec::new(), Vec::new());
    let mut readers: [Reader<'_>; 6] = [
        ("stentor, bytes in to bytes out", Box::new(|| stentor(&document, &from, &mut out))),
        ("stentor, framer alone", Box::new(|| framer_alone(&document))),
        ("quick-xml NsReader, reads", Box::new(|| ns_reader(&document))),
        ("rxml, reads", Box::new(|| rxml(&document))),
        ("minidom, reads", Box::new(minidom_only_reads)),
        ("minidom, bytes in to bytes out", Box::new(|| minidom_reads_and_writes(&mut other))),
    ];

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("stanza");
    group.throughput(Throughput::Bytes(document.len() as u64));
    for (name, reader) in &mut readers {
        group.bench_function(*name, |b| b.iter(&mut *reader));
    }
    group.finish();

    if std::env::args().any(|argument| argument == "--profile-time") {
        // For a profiler: nothing but what was asked for.
        return;
    }
    let stanzas = (ROUNDS * STANZAS.len()) as f64;
    let times = best(400, &mut readers);
    println!("\n{} stanzas, {:.0} bytes each on average", stanzas, document.len() as f64 / stanzas);
    let ours = times.first().map_or(0.0, Duration::as_secs_f64);
    for ((name, _), time) in readers.iter().zip(&times) {
        let ratio = time.as_secs_f64() / ours;
        println!("{name:32} {:8.0} ns a stanza, {ratio:5.2} times ours", time.as_nanos() as f64 / stanzas);
    }
    criterion.final_summary();
}
