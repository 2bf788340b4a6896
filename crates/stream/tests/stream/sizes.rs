//! The limits, each at its edge.

use crate::harness::{Event, Given, Session};

/// The last thing that happened.
fn outcome(given: Given, input: &str) -> String {
    let mut session = Session::begin(given);
    session.feed(input.as_bytes());
    match session.events.iter().rev().find(|event| **event != Event::Ended) {
        Some(Event::Asked(asked)) => {
            asked.split(' ').take(2).collect::<Vec<_>>().join(" ").chars().take(24).collect()
        }
        Some(Event::Sent(sent)) => sent.chars().take(24).collect(),
        _ => String::new(),
    }
}

fn padded(open: &str, close: &str, bytes: usize) -> String {
    format!("{open}{}{close}", "x".repeat(bytes - open.len() - close.len()))
}

#[test]
fn bytes_of_an_element() {
    let auth = ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>", "</auth>");
    let message = ("<message xml:lang='en'>", "</message>");
    for (given, (open, close), bytes, expected) in [
        (Given::Mechanisms, auth, 8_192, "AuthenticationFailed -"),
        (Given::Mechanisms, auth, 8_193, "Failed policy-violation"),
        (Given::Bound, message, 262_144, "Stanza <message"),
        (Given::Bound, message, 262_145, "Failed policy-violation"),
    ] {
        assert_eq!(outcome(given, &padded(open, close, bytes)), expected, "{given:?} {bytes}");
    }
}

#[test]
fn elements_in_an_element() {
    for (given, count, expected) in [
        (Given::Features, 32, "Failed not-authorized"),
        (Given::Features, 33, "Failed policy-violation"),
        (Given::Bound, 10_000, "Stanza <message"),
        (Given::Bound, 10_001, "Failed policy-violation"),
    ] {
        let message = format!("<message><b>{}</b></message>", "<a/>".repeat(count - 2));
        assert_eq!(outcome(given, &message), expected, "{given:?} {count}");
    }
}

#[test]
fn depth() {
    for (given, depth, expected) in [
        (Given::Features, 8, "Failed not-authorized"),
        (Given::Features, 9, "Failed policy-violation"),
        (Given::Bound, 64, "Stanza <message"),
        (Given::Bound, 65, "Failed policy-violation"),
    ] {
        let message = format!("<message>{}{}</message>", "<a>".repeat(depth - 1), "</a>".repeat(depth - 1));
        assert_eq!(outcome(given, &message), expected, "{given:?} {depth}");
    }
}

/// S063
#[test]
fn a_resource() {
    for (bytes, expected) in [
        (0, "<iq type='error' id='1'>"),
        (1, "Bind juliet@im.example.c"),
        (1_023, "Bind juliet@im.example.c"),
        (1_024, "<iq type='error' id='1'>"),
        (1 << 20, "Failed policy-violation"),
    ] {
        let resource = "r".repeat(bytes);
        let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>";
        let iq = format!("<iq id='1' type='set'>{bind}<resource>{resource}</resource></bind></iq>");
        assert_eq!(outcome(Given::Features, &iq), expected, "{bytes}");
    }
}

/// S017, S018: an element without an end is refused at its limit, not later.
#[test]
fn no_end() {
    for (given, begin, limit) in [
        (Given::Clear, "<stream:stream a='", 8_192),
        (Given::Mechanisms, "<auth", 8_192),
        (Given::Bound, "<message>", 262_144),
        (Given::Bound, "<message to='", 262_144),
    ] {
        let mut session = Session::begin(given);
        session.feed(begin.as_bytes());
        let mut read = begin.len();
        while !session.events.contains(&Event::Ended) {
            assert!(read <= limit, "{given:?} {begin}");
            session.feed(b"x");
            read += 1;
        }
        assert!(read >= limit, "{given:?} {begin}: ended after {read}");
    }
}
