//! What a stream says of itself: what to watch the clock for, whose it is, its ids.

use stentor_stream::Deadline;

use crate::harness::{Event, Given, HEADER, Session};

#[test]
fn deadlines() {
    let partial = Deadline::Element;
    for (given, input, answers, expected) in [
        (Given::Clear, "", &[][..], Deadline::Negotiation),
        (Given::Clear, HEADER, &[], Deadline::Negotiation),
        (Given::Clear, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", &[], Deadline::Handshake),
        (
            Given::Clear,
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            &["tls"],
            Deadline::Negotiation,
        ),
        (Given::Tls, "", &[], Deadline::Negotiation),
        (Given::Mechanisms, "<auth", &[], Deadline::Negotiation),
        (Given::Authenticated, "", &[], Deadline::Negotiation),
        (Given::Features, "<iq", &[], Deadline::Negotiation),
        (Given::Bound, "", &[], Deadline::None),
        (Given::Bound, " ", &[], Deadline::None),
        (Given::Bound, "<presence", &[], partial),
        (Given::Bound, "<presence>", &[], partial),
        (Given::Bound, "<presence/>", &[], Deadline::None),
        (Given::Bound, "<presence/><", &[], partial),
        (Given::Bound, "", &["close"], Deadline::Close),
        (Given::Bound, "<presence", &["close"], Deadline::Close),
        (Given::Bound, "</stream:stream>", &[], Deadline::Close),
        (Given::Mechanisms, "", &["close"], Deadline::Close),
        (Given::Bound, "", &["fail reset"], Deadline::Close),
    ] {
        let mut session = Session::begin(given);
        if input.starts_with("<starttls") {
            session.feed(HEADER.as_bytes());
        }
        session.feed(input.as_bytes());
        answers.iter().for_each(|answer| session.answer(answer));
        assert_eq!(session.stream.deadline(), expected, "{given:?} {input} {answers:?}");
    }
}

#[test]
fn whose_it_is() {
    for (given, account, jid) in [
        (Given::Clear, None, None),
        (Given::Mechanisms, None, None),
        (Given::Authenticated, Some("juliet@im.example.com"), None),
        (Given::Features, Some("juliet@im.example.com"), None),
        (Given::Bound, Some("juliet@im.example.com"), Some("juliet@im.example.com/balcony")),
        (Given::Managed, Some("juliet@im.example.com"), Some("juliet@im.example.com/balcony")),
    ] {
        let session = Session::begin(given);
        assert_eq!(session.stream.account().as_ref().map(|account| account.as_str()), account, "{given:?}");
        assert_eq!(session.stream.jid().map(|jid| jid.as_str()), jid, "{given:?}");
    }
}

/// Answers that nobody asked for change nothing, in any stage.
#[test]
fn uncalled_for() {
    let answers = [
        "tls",
        "credentials",
        "no-credentials",
        "fault",
        "refuse",
        "bound juliet@im.example.com/x",
        "bind-refused conflict",
        "resumed 1",
        "resume-failed 1",
        "enabled",
        "enable-refused",
    ];
    for given in
        [Given::Clear, Given::Tls, Given::Mechanisms, Given::Authenticated, Given::Features, Given::Bound]
    {
        let mut session = Session::begin(given);
        let (deadline, account) = (session.stream.deadline(), session.stream.account());
        answers.iter().for_each(|answer| session.answer(answer));
        assert_eq!(session.events, [], "{given:?}");
        assert_eq!((session.stream.deadline(), session.stream.account()), (deadline, account), "{given:?}");
        session.feed(b"<foo xmlns='bar'/>");
        assert_eq!(session.events.last(), Some(&Event::Ended), "{given:?}");
    }
}

/// What was not asked yet when the stream ended, is not asked any more.
#[test]
fn a_late_question() {
    let mut session = Session::begin(Given::Mechanisms);
    session.feed(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAB4</auth>");
    session.events.clear();
    session.stream.credentials(Ok(stentor_auth::Found::nobody()), &mut Vec::new());
    session.answer("fail system-shutdown");
    let [Event::Sent(_), Event::Asked(asked), Event::Ended] = session.events.as_slice() else {
        panic!("{:?}", session.events)
    };
    assert_eq!(asked, "Failed system-shutdown");
}
