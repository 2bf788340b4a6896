//! Stanza errors (RFC 6120 8.3) and stream errors (4.9): names, types, what is written and what is read.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use stentor_xml::{Element, Limit};
use stentor_xmpp::{
    Condition, ErrorType, StanzaError, StreamCondition, StreamError, StreamManagementError, ns,
};

/// RFC 6120 8.3.3: each condition with the types that its section names; none for any.
const STANZA: [(&str, &[ErrorType]); 22] = {
    use ErrorType::{Auth, Cancel, Modify, Wait};
    [
        ("bad-request", &[Modify]),
        ("conflict", &[Cancel]),
        ("feature-not-implemented", &[Cancel, Modify]),
        ("forbidden", &[Auth]),
        ("gone", &[Cancel]),
        ("internal-server-error", &[Cancel]),
        ("item-not-found", &[Cancel]),
        ("jid-malformed", &[Modify]),
        ("not-acceptable", &[Modify]),
        ("not-allowed", &[Cancel]),
        ("not-authorized", &[Auth]),
        ("policy-violation", &[Modify, Wait]),
        ("recipient-unavailable", &[Wait]),
        ("redirect", &[Modify]),
        ("registration-required", &[Auth]),
        ("remote-server-not-found", &[Cancel]),
        ("remote-server-timeout", &[Wait]),
        ("resource-constraint", &[Wait]),
        ("service-unavailable", &[Cancel]),
        ("subscription-required", &[Auth]),
        ("undefined-condition", &[]),
        ("unexpected-request", &[Wait, Modify]),
    ]
};

/// RFC 6120 4.9.3.
const STREAM: [&str; 25] = [
    "bad-format",
    "bad-namespace-prefix",
    "conflict",
    "connection-timeout",
    "host-gone",
    "host-unknown",
    "improper-addressing",
    "internal-server-error",
    "invalid-from",
    "invalid-namespace",
    "invalid-xml",
    "not-authorized",
    "not-well-formed",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "restricted-xml",
    "see-other-host",
    "system-shutdown",
    "undefined-condition",
    "unsupported-encoding",
    "unsupported-feature",
    "unsupported-stanza-type",
    "unsupported-version",
];

#[test]
fn every_stanza_condition() {
    assert_eq!(Condition::all().len(), STANZA.len());
    for (at, (condition, (name, types))) in Condition::all().zip(STANZA).enumerate() {
        let section = format!("RFC 6120 8.3.3.{}, {name}", at + 1);
        assert_eq!(condition.name(), name, "{section}");
        assert_eq!(Condition::from_name(name), Some(condition), "{section}");
        let kind = StanzaError::new(condition).kind;
        assert!(types.is_empty() || types.contains(&kind), "{section}: {kind:?}");
    }
    assert_eq!(Condition::from_name("payment-required"), None);
    assert_eq!(ErrorType::from_name("fatal"), None);
}

#[test]
fn every_stream_condition() {
    assert_eq!(StreamCondition::all().map(|c| c.name()), STREAM);
    for condition in StreamCondition::all() {
        assert_eq!(StreamCondition::from_name(condition.name()), Some(condition));
    }
    assert_eq!(StreamCondition::from_name("xml-not-well-formed"), None, "only RFC 3920 had it");
}

fn stanza_xml(error: &StanzaError) -> String {
    let mut out = String::new();
    error.write_to(&mut out);
    out
}

fn parse_stanza_error(xml: &str) -> Option<StanzaError> {
    StanzaError::parse(Element::parse(xml, ns::CLIENT).unwrap().root())
}

/// With the prefix declared, as the stream's header does.
fn stream_xml(error: &StreamError) -> String {
    let mut out = String::new();
    error.write_to(&mut out);
    out.replacen("<stream:error>", &format!("<stream:error xmlns:stream='{}'>", ns::STREAM), 1)
}

fn parse_stream_error(xml: &str) -> Option<StreamError> {
    StreamError::parse(Element::parse(xml, ns::CLIENT).unwrap().root())
}

#[test]
fn what_is_written_is_read() {
    let application = "<stanza-too-big xmlns='urn:xmpp:errors'/>";
    for condition in Condition::all() {
        let plain = StanzaError::new(condition);
        let mut full =
            plain.clone().with_type(ErrorType::Wait).with_text("<a> & 'b'").with_application(application);
        if matches!(condition, Condition::Gone | Condition::Redirect) {
            full = full.with_uri("xmpp:juliet@example.com?x=1&y='2'");
        }
        for error in [plain, full] {
            assert_eq!(parse_stanza_error(&stanza_xml(&error)), Some(error));
        }
    }
    for condition in StreamCondition::all() {
        let plain = StreamError::new(match condition {
            StreamCondition::SeeOtherHost(_) => {
                StreamCondition::SeeOtherHost("[2001:41D0:1:A49b::1]:9222".into())
            }
            other => other,
        });
        let full = plain.clone().with_text("]]> <").with_application(application);
        for error in [plain, full] {
            assert_eq!(parse_stream_error(&stream_xml(&error)), Some(error));
        }
    }
}

#[test]
fn written() {
    let check = |error: StanzaError, expected: &str| assert_eq!(stanza_xml(&error), expected);
    check(
        Condition::ItemNotFound.into(),
        "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    );
    check(
        StanzaError::new(Condition::Gone).with_uri("xmpp:romeo@afterlife.example.net"),
        "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>\
         xmpp:romeo@afterlife.example.net</gone></error>",
    );
    check(
        StanzaError::new(Condition::Forbidden).with_uri("xmpp:only@where.it.belongs"),
        "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    );
    // XEP-0198 7, but for the order: RFC 6120 4.9.2 has the text first.
    assert_eq!(
        stream_xml(&StreamManagementError { h: 10, sent: 8 }.into()),
        "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>\
         <undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>\
         You acknowledged 10 stanzas, but I only sent you 8 so far.</text>\
         <handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/></stream:error>"
    );
}

#[test]
fn read() {
    let check = |xml: &str, expected: Option<(Condition, ErrorType)>| {
        assert_eq!(parse_stanza_error(xml).map(|e| (e.condition, e.kind)), expected, "{xml}");
    };
    let defined = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'";
    let cancel = Some((Condition::ItemNotFound, ErrorType::Cancel));
    check(&format!("<error type='cancel'><item-not-found {defined}/></error>"), cancel);
    // The condition need not come first, nor the type be known.
    check(
        &format!("<error><x xmlns='y'/><text {defined}>t</text><item-not-found {defined}/></error>"),
        cancel,
    );
    check(&format!("<error type='fatal' code='404'><item-not-found {defined}/></error>"), cancel);
    check(&format!("<error xmlns='jabber:server' type='cancel'><item-not-found {defined}/></error>"), cancel);
    // 8.3.1: a condition that is not defined.
    let undefined = Some((Condition::UndefinedCondition, ErrorType::Wait));
    check(&format!("<error type='wait'><payment-required {defined}/></error>"), undefined);
    check("<error type='cancel'/>", None);
    check("<error type='cancel'><item-not-found/></error>", None);
    check(&format!("<message><item-not-found {defined}/></message>"), None);
    let redirect = format!("<error type='modify'><redirect {defined}>\n  xmpp:a@b\n</redirect></error>");
    assert_eq!(parse_stanza_error(&redirect).unwrap().uri.as_deref(), Some("xmpp:a@b"), "RFC 6120 8.3.3.14");
    assert_eq!(parse_stream_error("<error/>"), None);
    assert_eq!(
        parse_stream_error("<error xmlns='http://etherx.jabber.org/streams'/>"),
        Some(StreamCondition::UndefinedCondition.into())
    );
}

#[test]
fn what_the_framer_refuses() {
    use stentor_xml::Error;
    for (error, expected) in [
        (Error::NotWellFormed(3), "not-well-formed"),
        (Error::BadNamespacePrefix(3), "bad-namespace-prefix"),
        (Error::Restricted(3), "restricted-xml"),
        (Error::UnsupportedEncoding, "unsupported-encoding"),
        (Error::Nested(1), "invalid-xml"),
        (Error::Limit(Limit::StanzaBytes), "policy-violation"),
        (Error::Limit(Limit::Depth), "policy-violation"),
        (Error::Limit(Limit::Attributes), "policy-violation"),
        (Error::Limit(Limit::Namespaces), "policy-violation"),
        (Error::Limit(Limit::Elements), "policy-violation"),
    ] {
        let stream_error = StreamError::from(error);
        assert_eq!(stream_error.condition.name(), expected, "{error:?}");
        assert_eq!(parse_stream_error(&stream_xml(&stream_error)), Some(stream_error), "{error:?}");
    }
}
