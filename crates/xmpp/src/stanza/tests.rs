use super::*;
use crate::{Condition, StreamCondition};
use stentor_xml::{ElementBuilder, Frame, Framer, Limits};

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                      xmlns:q='urn:q'>";

fn read_in(header: &str, xml: &str, content_ns: &str) -> Result<Stanza, StanzaFault> {
    let mut framer = Framer::new(Limits::CLIENT);
    let text = format!("{header}{xml}");
    let mut input = text.as_bytes();
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))), "{header}");
    match framer.next(&mut input) {
        Ok(Some(Frame::Element(raw))) => Stanza::from_raw(&raw, content_ns),
        other => panic!("{xml}: {other:?}"),
    }
}

fn read(xml: &str) -> Result<Stanza, StanzaFault> {
    read_in(HEADER, xml, ns::CLIENT)
}

fn written(stanza: &Stanza) -> String {
    String::from_utf8(stanza.to_bytes().to_vec()).expect("UTF-8")
}

#[test]
fn what_is_sent_on_stands_alone() {
    let check = |xml: &str, expected: &str| {
        let stanza = read(xml).expect(xml);
        assert_eq!(written(&stanza), expected, "{xml}");
        let again = Stanza::parse(expected).expect(expected);
        assert_eq!(written(&again), expected, "{xml}");
        assert!(again.size() == expected.len() || expected.contains('&'), "{xml}");
        let children =
            |s: &Stanza| s.children().map(|c| format!("{{{}}}{}", c.namespace, c.name)).collect::<Vec<_>>();
        assert_eq!(children(&stanza), children(&again), "{xml}");
    };
    check("<message/>", "<message/>");
    check("<message></message>", "<message/>");
    check(
        "<message type='chat' to='A@b/c' id='1' xml:lang='de'><body>x &amp; y</body></message>",
        "<message to='a@b/c' type='chat' id='1' xml:lang='de'><body>x &amp; y</body></message>",
    );
    // A prefix of the stream header.
    check("<message><q:x q:y='1'/></message>", "<message xmlns:q='urn:q'><q:x q:y='1'/></message>");
    check("<message q:z=\"it's\"/>", "<message xmlns:q='urn:q' q:z='it&apos;s'/>");
    // A prefix of the start tag, and one nobody uses.
    check(
        "<message xmlns:p='urn:p' xmlns:u='urn:u'><p:x/></message>",
        "<message xmlns:p='urn:p'><p:x/></message>",
    );
    // One declared again inside.
    check("<message><q:x xmlns:q='urn:other'/></message>", "<message><q:x xmlns:q='urn:other'/></message>");
    // A prefix for the content namespace.
    check(
        "<c:message xmlns:c='jabber:client' xmlns='urn:d'><c:body>x</c:body><e/></c:message>",
        "<message><body>x</body><e xmlns='urn:d'/></message>",
    );
    check("<message foo='b&#10;r'>text</message>", "<message foo='b&#xA;r'>text</message>");
    check("<iq id=\"a'b\" type='result'/>", "<iq type='result' id='a&apos;b'/>");
}

#[test]
fn a_server_streams_content_becomes_a_clients() {
    let header = HEADER.replace("jabber:client", "jabber:server");
    let check = |xml: &str, expected: &str| {
        let stanza = read_in(&header, xml, "jabber:server").expect(xml);
        assert_eq!(written(&stanza), expected, "{xml}");
        assert!(stanza.has_child("body", ns::CLIENT), "{xml}");
    };
    check("<message><body>x</body></message>", "<message><body>x</body></message>");
    check(
        "<message xmlns:s='jabber:server'><s:body>x</s:body></message>",
        "<message><body>x</body></message>",
    );
}

#[test]
fn another_default_namespace_on_the_stream() {
    let header = "<stream xmlns='http://etherx.jabber.org/streams'>";
    let stanza = read_in(header, "<message xmlns='jabber:client'><body>x</body></message>", ns::CLIENT);
    assert_eq!(written(&stanza.expect("a stanza")), "<message><body>x</body></message>");
    let header = "<stream xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client'>";
    let stanza = read_in(header, "<c:message><c:body>x</c:body><y/></c:message>", ns::CLIENT);
    let expected = "<message><body>x</body><y xmlns='http://etherx.jabber.org/streams'/></message>";
    assert_eq!(written(&stanza.expect("a stanza")), expected);
}

#[test]
fn faults() {
    let check = |xml: &str, expected: &str| {
        let found = match read(xml) {
            Ok(_) => "stanza".to_owned(),
            Err(StanzaFault::Stream(error)) => error.condition.name().to_owned(),
            Err(StanzaFault::Stanza(reply)) => written(&reply),
            Err(StanzaFault::Drop) => "drop".to_owned(),
        };
        assert_eq!(found, expected, "{xml}");
    };
    let error = |kind: &str, attributes: &str, condition: &str, error_type: &str| {
        format!(
            "<{kind} type='error'{attributes}><error type='{error_type}'>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{kind}>"
        )
    };
    let bad_iq = |attributes: &str| error("iq", attributes, "bad-request", "modify");
    check("<foo/>", "unsupported-stanza-type");
    check("<foo xmlns='urn:x'/>", "unsupported-stanza-type");
    check("<message xmlns='urn:x'/>", "invalid-namespace");
    check("<message xmlns='jabber:server'/>", "invalid-namespace");
    check("<message from='@'/>", "invalid-from");
    // RFC 6120 8.2.3.
    check("<iq id='1' type='get'><x/></iq>", "stanza");
    check("<iq type='get'><x/></iq>", &bad_iq(""));
    check("<iq id='1'><x/></iq>", &bad_iq(" id='1'"));
    check("<iq id='1' type='chat'><x/></iq>", &bad_iq(" id='1'"));
    check("<iq id='1' type='get'/>", &bad_iq(" id='1'"));
    check("<iq id='1' type='set'><x/><y/></iq>", &bad_iq(" id='1'"));
    check("<iq id='1' type='result'/>", "stanza");
    check("<iq id='1' type='result'><x/></iq>", "stanza");
    check("<iq id='1' type='result'><x/><y/></iq>", "drop");
    check("<iq type='result'/>", "drop");
    check("<iq type='error'/>", "drop");
    check("<iq id='1' type='error'><x/><error/></iq>", "stanza");
    // RFC 6120 8.3.3.8.
    let jid_malformed = error("message", " id='1'", "jid-malformed", "modify");
    check("<message id='1' to='@'/>", &jid_malformed);
    check("<message id='1' to=''/>", &jid_malformed);
    check("<message type='error' to='@'/>", "drop");
    check("<presence type='error' to='@'/>", "drop");
    // RFC 6121 4.7.1 and 5.2.2.
    check("<presence type='away'/>", &error("presence", "", "bad-request", "modify"));
    check("<message type='away'/>", "stanza");
}

#[test]
fn header_is_read() {
    let stanza = read("<message to='b@c' from='d@e/f' id='a&amp;b' type='groupchat' xml:lang='de'/>")
        .expect("a stanza");
    assert_eq!(stanza.stanza_type(), StanzaType::Message(MessageType::Groupchat));
    assert_eq!(stanza.to().map(Jid::as_str), Some("b@c"));
    assert_eq!(stanza.from().map(Jid::as_str), Some("d@e/f"));
    assert_eq!((stanza.id(), stanza.lang()), (Some("a&b"), Some("de")));
    let stanza = read("<presence><show>aw<![CDATA[ay]]></show></presence>").expect("a stanza");
    assert_eq!(stanza.presence_type(), PresenceType::Available);
    assert_eq!(stanza.text_of("show").as_deref(), Some("away"));
    assert_eq!((stanza.id(), stanza.lang(), stanza.to()), (None, None, None));
}

#[test]
fn is_changed_without_touching_the_rest() {
    let xml = "<message to='a@b'>1<body>x</body> <q:x/><body>y</body>2</message>";
    let mut stanza = read(xml).expect("a stanza");
    let before = stanza.clone();
    stanza.set_to(None);
    stanza.set_from(Some(Jid::parse("c@d/e&f").expect("an address")));
    stanza.set_id(Some("<i>"));
    stanza.set_lang(Some("fr"));
    stanza.push(&ElementBuilder::new("delay", "urn:xmpp:delay").attr("stamp", "now").build());
    stanza.push(&ElementBuilder::new("thread", ns::CLIENT).text("t").build());
    stanza.remove(|child| child.is("body", ns::CLIENT));
    let expected = "<message from='c@d/e&amp;f' id='&lt;i&gt;' xml:lang='fr' xmlns:q='urn:q'>1 <q:x/>2\
                    <delay xmlns='urn:xmpp:delay' stamp='now'/><thread>t</thread></message>";
    assert_eq!(written(&stanza), expected);
    assert_eq!(stanza.child("x", "urn:q").map(|x| x.namespace().to_owned()).as_deref(), Some("urn:q"));
    assert_eq!(stanza.text_of("thread").as_deref(), Some("t"));
    stanza.remove(|child| child.name != "x");
    assert_eq!(stanza.children().len(), 1);
    stanza.remove(|_| true);
    assert_eq!(stanza.children().len(), 0);
    assert_eq!(written(&before), xml.replace("<message to='a@b'>", "<message to='a@b' xmlns:q='urn:q'>"));
}

#[test]
fn replies() {
    let stanza = read("<iq to='a@b' from='c@d/e' id='1' type='get'><q:x/></iq>").expect("a stanza");
    let result = stanza.result_reply(Some(&ElementBuilder::new("x", "urn:q").build()));
    assert_eq!(written(&result), "<iq to='c@d/e' from='a@b' type='result' id='1'><x xmlns='urn:q'/></iq>");
    let error = stanza.error_reply(Condition::ItemNotFound.into()).expect("a reply");
    assert!(error.is_error() && error.has_child("error", ns::CLIENT));
    assert!(error.error_reply(Condition::ItemNotFound.into()).is_none());
    assert!(result.error_reply(Condition::ItemNotFound.into()).is_none());
}

#[test]
fn condition_of_a_wrong_root_is_a_stream_error() {
    let fault = read("<r xmlns='urn:xmpp:sm:3'/>").expect_err("no stanza");
    assert!(
        matches!(fault, StanzaFault::Stream(error) if error.condition == StreamCondition::UnsupportedStanzaType)
    );
}
