//! Each stream error of RFC 6120 4.9.3, from what brings it about.

use stentor_xmpp::StreamCondition;

use crate::harness::{Event, Given, HEADER, Session};

fn header(attributes: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' {attributes}>"
    )
}

/// (section, where, what the client sends, the error)
fn table() -> Vec<(&'static str, Given, String, &'static str)> {
    use Given::{Authenticated, Bound, Clear, Features, Managed, Mechanisms, Tls};
    let good = "to='im.example.com' version='1.0'";
    let mut rows: Vec<(&str, Given, String, &str)> = Vec::new();
    let mut row = |section, given, input: &str, error| rows.push((section, given, input.to_owned(), error));

    row("4.9.3.1", Clear, &header(good).replace("stream:stream", "stream:flood"), "bad-format");
    row(
        "4.9.3.2",
        Clear,
        "<stream xmlns='http://etherx.jabber.org/streams' to='im.example.com' version='1.0'>",
        "bad-namespace-prefix",
    );
    row("4.9.3.2", Bound, "<foo:bar/>", "bad-namespace-prefix");
    row("4.9.3.2", Bound, "<message foo:bar=''/>", "bad-namespace-prefix");

    for to in ["to='example.com'", "to='192.0.2.1'", "to='[2001:db8::1]'", "to='xn--fa-hia.example'"] {
        row("4.9.3.6", Clear, &header(&format!("{to} version='1.0'")), "host-unknown");
        row("4.9.3.6", Tls, &header(&format!("{to} version='1.0'")), "host-unknown");
    }
    row("4.9.3.6", Clear, &header("to='juliet@im.example.com' version='1.0'"), "host-unknown");
    row("4.9.3.6", Clear, &header("to='im.example.com/x' version='1.0'"), "host-unknown");
    row("4.9.3.6", Authenticated, &header("to='example.com' version='1.0'"), "host-unknown");
    row("4.7.2", Clear, &header("version='1.0'"), "improper-addressing");
    row("4.7.2", Clear, &header("to='' version='1.0'"), "improper-addressing");
    row("4.7.2", Clear, &header("to='@' version='1.0'"), "improper-addressing");

    row("8.1.2.1", Bound, "<presence from='romeo@im.example.com'/>", "invalid-from");
    row("8.1.2.1", Bound, "<presence from='im.example.com'/>", "invalid-from");
    row(
        "8.1.2.1",
        Bound,
        "<iq id='1' type='get' from='juliet@im.example.com/orchard'><x xmlns='y'/></iq>",
        "invalid-from",
    );
    row(
        "4.9.3.9",
        Authenticated,
        &header("from='romeo@im.example.com' to='im.example.com' version='1.0'"),
        "invalid-from",
    );

    row("4.8.1", Clear, &header(good).replace("etherx", "aether"), "invalid-namespace");
    row("4.8.2", Clear, &header(good).replace("jabber:client", "jabber:server"), "invalid-namespace");
    row("4.8.2", Clear, &header(good).replace("xmlns='jabber:client'", ""), "invalid-namespace");
    row("4.8.2", Clear, "<stream to='im.example.com' version='1.0'>", "invalid-namespace");

    row("4.9.3.11", Bound, "<stream:stream to='im.example.com' version='1.0'/>", "invalid-xml");
    row("4.9.3.11", Bound, "<stream:features/>", "invalid-xml");
    row("XEP-0198", Managed, "<a xmlns='urn:xmpp:sm:3' h='many'/>", "invalid-xml");

    for stanza in
        ["<message/>", "<presence/>", "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"]
    {
        for given in [Clear, Mechanisms, Features] {
            let input = if given == Clear { header(good) + stanza } else { stanza.to_owned() };
            row("4.9.3.12", given, &input, "not-authorized");
        }
    }
    row("S045", Authenticated, &header("to='chat.example.org' version='1.0'"), "not-authorized");

    for given in [Clear, Tls, Authenticated] {
        row("4.9.3.13", given, "hello", "not-well-formed");
        row("4.9.3.13", given, "</stream:stream>", "not-well-formed");
    }
    for input in ["<a></b>", "<a b='1' b='2'/>", "<a b='<'/>", "<message>&#0;</message>", "x"] {
        for given in [Mechanisms, Features, Bound] {
            row("4.9.3.13", given, input, "not-well-formed");
        }
    }

    // 13.12, S017, S019: the limits, small before there is a resource.
    let large = format!("<message><body>{}</body></message>", "x".repeat(8 * 1024));
    row("4.9.3.14", Mechanisms, &large, "policy-violation");
    row("4.9.3.14", Features, &large, "policy-violation");
    row("4.9.3.14", Bound, &format!("<message>{}</message>", "x".repeat(256 * 1024)), "policy-violation");
    row("4.9.3.14", Clear, &header(&format!("{good} x='{}'", "x".repeat(8 * 1024))), "policy-violation");
    let many = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</auth>", "<a/>".repeat(33));
    row("4.9.3.14", Mechanisms, &many, "policy-violation");
    row("4.9.3.14", Bound, &"<a>".repeat(65), "policy-violation");
    row(
        "6.4.5",
        Mechanisms,
        &"<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".repeat(5),
        "policy-violation",
    );
    row("4.9.3.14", Features, &"<enable xmlns='urn:xmpp:sm:3'/>".repeat(10), "policy-violation");
    row("4.9.3.14", Managed, &"<enable xmlns='urn:xmpp:sm:3'/>".repeat(10), "policy-violation");

    for input in
        ["<!-- -->", "<!DOCTYPE x>", "<?x?>", "<message>&foo;</message>", "<message><!--x--></message>"]
    {
        for given in [Mechanisms, Features, Bound] {
            row("4.9.3.18", given, input, "restricted-xml");
        }
    }
    row("4.9.3.18", Clear, "<!DOCTYPE foo [<!ENTITY a 'b'>]>", "restricted-xml");
    row("4.9.3.19", Tls, &header("to='moved.example.net' version='1.0'"), "see-other-host");
    row("4.9.3.22", Clear, "<?xml version='1.0' encoding='UTF-16'?>", "unsupported-encoding");

    for given in [Clear, Mechanisms, Features, Bound, Managed] {
        for element in
            ["<foo xmlns='bar'/>", "<foo/>", "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"]
        {
            let input = if given == Clear { header(good) + element } else { element.to_owned() };
            row("4.9.3.24", given, &input, "unsupported-stanza-type");
        }
    }
    row(
        "XEP-0388",
        Mechanisms,
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>",
        "unsupported-stanza-type",
    );
    for version in ["", "version='0.9'", "version='1'", "version='x.y'"] {
        row("4.9.3.25", Clear, &header(&format!("to='im.example.com' {version}")), "unsupported-version");
        row("4.9.3.25", Tls, &header(&format!("to='im.example.com' {version}")), "unsupported-version");
    }
    rows
}

#[test]
fn by_the_client() {
    let table = table();
    assert_eq!(table.len(), 111);
    for (section, given, input, error) in table {
        for piece in [input.len(), 1] {
            let mut session = Session::begin(given);
            // A client that goes on as if nothing had happened.
            let all = input.clone() + HEADER + "<presence/>";
            all.as_bytes().chunks(piece.max(1)).for_each(|bytes| session.feed(bytes));
            let shown = all.chars().take(200).collect::<String>();
            let [.., failed, Event::Ended] = session.events.as_slice() else {
                panic!("{section} {given:?} {shown}: {:#?}", session.events)
            };
            assert_eq!(*failed, Event::Asked(format!("Failed {error}")), "{section} {given:?} {shown}");
            let sent = &session.written;
            assert!(
                sent.contains(&format!("<stream:error><{error} xmlns=")),
                "{section} {given:?} {shown}: {sent}"
            );
            assert!(sent.contains("<stream:stream "), "{section} {given:?} {shown}");
            assert!(
                session.written.ends_with("</stream:error></stream:stream>"),
                "{section} {given:?} {shown}"
            );
        }
    }
}

/// What no input brings about, the caller does: by `fail`, in any stage.
#[test]
fn by_the_caller() {
    for condition in StreamCondition::all() {
        for given in
            [Given::Clear, Given::Tls, Given::Mechanisms, Given::Features, Given::Bound, Given::Managed]
        {
            let mut session = Session::begin(given);
            session.answer(&format!("fail {}", condition.name()));
            let failed = Event::Asked(format!("Failed {}", condition.name()));
            let [Event::Sent(sent), asked, Event::Ended] = session.events.as_slice() else {
                panic!("{condition:?} {given:?}: {:#?}", session.events)
            };
            assert_eq!(*asked, failed);
            assert!(sent.ends_with("</stream:error></stream:stream>"), "{sent}");
            assert!(session.written.contains("<stream:stream "), "{sent}");
        }
    }
}

#[test]
fn every_error_has_a_cause_here_or_one_that_is_the_callers() {
    // Of the caller, of servers' streams, or superseded by more specific ones.
    let callers = [
        "conflict",
        "connection-timeout",
        "host-gone",
        "internal-server-error",
        "remote-connection-failed",
        "reset",
        "resource-constraint",
        "system-shutdown",
        "undefined-condition",
        "unsupported-feature",
    ];
    let table = table();
    for condition in StreamCondition::all() {
        let name = condition.name();
        let is_here = table.iter().any(|(_, _, _, error)| *error == name);
        assert!(is_here != callers.contains(&name), "{name}");
    }
}
