//! The body of a fuzz target: bytes read as the stanzas of a stream.

use stentor_xml::{ElementBuilder, Frame, Framer, Limits};
use stentor_xmpp::{Condition, Stanza, StanzaFault, ns};

/// What is accepted is written as a stanza that is the same, with the same children; changing it changes nothing else;
/// what is answered is answered with a stanza.
pub(crate) fn stanza(data: &[u8]) {
    let mut framer = Framer::new(Limits::CLIENT);
    let mut input = data;
    while let Ok(Some(frame)) = framer.next(&mut input) {
        let Frame::Element(raw) = frame else { continue };
        match Stanza::from_raw(&raw, ns::CLIENT) {
            Ok(stanza) => accepted(&stanza),
            Err(StanzaFault::Stanza(reply)) => {
                assert!(reply.is_error() && reply.has_child("error", ns::CLIENT));
                same_when_read(&reply);
            }
            Err(StanzaFault::Stream(_) | StanzaFault::Drop) => {}
        }
    }
}

fn accepted(stanza: &Stanza) {
    let before = same_when_read(stanza);
    for child in stanza.children() {
        assert!(stanza.element(child).is(child.name, child.namespace), "{before}");
    }
    let mut changed = stanza.clone();
    changed.set_id(Some("'<&"));
    changed.push(&ElementBuilder::new("delay", "urn:xmpp:delay").attr("stamp", "now").build());
    let count = changed.children().len();
    assert_eq!(count, stanza.children().len() + 1, "{before}");
    same_when_read(&changed);
    changed.remove(|child| child.is("delay", "urn:xmpp:delay"));
    changed.set_id(stanza.id());
    same_when_read(&changed);
    if !stanza.has_child("delay", "urn:xmpp:delay") {
        assert_eq!(text(&changed), before);
    }
    changed.remove(|_| true);
    assert_eq!(changed.children().len(), 0, "{before}");
    // Declarations may be left that nothing needs any more.
    like_when_read(&changed);
    if let Some(reply) = stanza.error_reply(Condition::ServiceUnavailable.into()) {
        same_when_read(&reply);
    }
    assert_eq!(text(stanza), before);
}

fn text(stanza: &Stanza) -> String {
    String::from_utf8(stanza.to_bytes().to_vec()).expect("UTF-8")
}

/// Writes a stanza and reads it again, which must make no difference.
fn same_when_read(stanza: &Stanza) -> String {
    let (read, written) = like_when_read(stanza);
    assert_eq!(text(&read), written);
    written
}

/// Writes a stanza and reads it again, which must give the same header and children.
fn like_when_read(stanza: &Stanza) -> (Stanza, String) {
    let written = text(stanza);
    let read = Stanza::parse(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!(read.stanza_type(), stanza.stanza_type(), "{written}");
    assert_eq!((read.to(), read.from()), (stanza.to(), stanza.from()), "{written}");
    assert_eq!((read.id(), read.lang()), (stanza.id(), stanza.lang()), "{written}");
    assert!(
        read.children().map(|c| (c.name, c.namespace)).eq(stanza.children().map(|c| (c.name, c.namespace)))
    );
    assert!(stanza.size() <= written.len(), "{written}");
    (read, written)
}
