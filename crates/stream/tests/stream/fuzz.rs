//! The body of a fuzz target: whatever a client sends, in whatever stage, and however it is cut.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;

use stentor_xml::{Frame, Framer, Limits};

use crate::harness::{Event, Given, Session};

const STAGES: [Given; 8] = [
    Given::Clear,
    Given::Tls,
    Given::Mechanisms,
    Given::Registration,
    Given::Authenticated,
    Given::Features,
    Given::Bound,
    Given::Managed,
];

/// The first byte chooses the stage, the second how the rest is cut and whether we close the stream halfway. Nothing panics; the cut changes nothing; what is
/// written is well-formed and ends with the stream; nobody gets in. What happened is the answer.
pub(crate) fn client_stream(data: &[u8]) -> Vec<Event> {
    let [stage, cut, input @ ..] = data else { return Vec::new() };
    let given = STAGES[usize::from(*stage) % STAGES.len()];
    let closes = cut & 0xc0 == 0;
    let whole = run(given, input, input.len(), closes);
    let pieces = run(given, input, usize::from(cut % 32) + 1, closes);
    assert_eq!(whole.events, pieces.events, "cut into {}", cut % 32 + 1);
    check_output(&whole);
    for event in &whole.events {
        if let Event::Asked(asked) = event {
            assert!(!asked.starts_with("Authenticated "), "{asked}");
        }
    }
    whole.events
}

fn run(given: Given, input: &[u8], length: usize, closes: bool) -> Session {
    let mut session = Session::begin(given);
    let (first, second) = input.split_at(input.len() / 2);
    feed(&mut session, first, length);
    if closes {
        session.answer("close");
    }
    feed(&mut session, second, length);
    session
}

fn feed(session: &mut Session, input: &[u8], length: usize) {
    for piece in input.chunks(length.max(1)) {
        session.feed(piece);
        // A question is answered by what there is, until there is none.
        while let Some(answer) = question(session) {
            session.events.push(Event::Asked(format!("answered: {answer}")));
            session.answer(answer);
        }
    }
}

/// The answer to the question that the stream waits with.
fn question(session: &Session) -> Option<&'static str> {
    let Some(Event::Asked(asked)) = session.events.last() else { return None };
    let (verb, _) = asked.split_once(' ').unwrap_or((asked, ""));
    Some(match verb {
        "NeedCredentials" => "credentials",
        "Verify" => "refuse",
        "Register" => "registered",
        "Bind" => "bound",
        "Resume" => "resume-failed 1",
        "Enable" => "enabled",
        "Closed" => "close",
        _ => return None,
    })
}

fn check_output(session: &Session) {
    let limits = Limits {
        stanza_bytes_max: 1 << 20,
        depth_max: 64,
        attributes_max: 64,
        namespaces_max: 16,
        elements_max: 1 << 10,
    };
    let mut framer = Framer::new(limits);
    // Each stream on the connection begins with a declaration.
    for stream in session.written.split("<?xml version='1.0'?>").filter(|stream| !stream.is_empty()) {
        framer.restart();
        let mut bytes = stream.as_bytes();
        let mut is_over = false;
        while let Some(frame) = framer.next(&mut bytes).unwrap_or_else(|error| panic!("{error}: {stream}")) {
            assert!(!is_over, "{stream}");
            is_over = matches!(frame, Frame::End);
        }
        assert!(!framer.is_partial(), "{stream}");
    }
    // Between two streams there is nowhere to write an end.
    if session.events.last() == Some(&Event::Ended) && !session.written.is_empty() {
        let ends = ["</stream:stream>", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "</success>"];
        assert!(ends.iter().any(|end| session.written.ends_with(end)), "{}", session.written);
    }
}

/// What clients send in the transcripts, cut, joined and damaged: the same inputs in each run.
#[test]
fn seeded() {
    let corpus: Vec<Vec<u8>> = crate::transcripts::client_lines();
    assert!(corpus.len() > 100);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (below.max(1) as u64)).expect("below a usize")
    };
    let mut seen = BTreeSet::new();
    for _ in 0..100_000 {
        let mut input =
            vec![u8::try_from(random(256)).expect("a byte"), u8::try_from(random(256)).expect("a byte")];
        for _ in 0..=random(3) {
            input.extend_from_slice(&corpus[random(corpus.len())]);
        }
        for _ in 0..random(4) {
            let at = 2 + random(input.len() - 1);
            let other = &corpus[random(corpus.len())];
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
        for event in client_stream(&input) {
            if let Event::Asked(asked) = event {
                seen.insert(asked.split(' ').next().unwrap_or_default().to_owned());
            }
        }
    }
    // The inputs come far enough for every action that needs no password.
    for action in [
        "AckRequest",
        "Ack",
        "Answered",
        "AuthenticationFailed",
        "Bind",
        "Closed",
        "Enable",
        "Failed",
        "NeedCredentials",
        "Register",
        "Resume",
        "Stanza",
        "StartTls",
        "Verify",
    ] {
        assert!(seen.contains(action), "{action} in {seen:?}");
    }
}
