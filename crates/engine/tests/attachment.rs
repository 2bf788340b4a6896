//! The session's half of an attachment: what it counts, and what it keeps.

use bytes::Bytes;
use stentor_engine::limits::{INBOUND_BYTES_MAX, INBOUND_STANZAS_MAX};
use stentor_engine::{Attachment, FromSession, StreamId};
use stentor_xmpp::{Counter, FullJid, MessageType, Stanza};

fn attachment() -> Attachment {
    Attachment::bound(1, FullJid::parse("a@example.org/x").expect("an address"))
}

fn stanzas(count: usize) -> Vec<Stanza> {
    (0..count).map(|_| Stanza::message(MessageType::Chat)).collect()
}

fn first(event: &FromSession) -> u64 {
    match event {
        FromSession::Inbound { first, .. } => *first,
        other => panic!("{other:?}"),
    }
}

#[test]
fn stanzas_are_numbered_without_holes_and_counted_from_enable_on() {
    let mut attachment = attachment();
    assert_eq!(first(&attachment.receive(stanzas(2))), 1);
    assert!(attachment.enable());
    assert!(!attachment.enable(), "only once");
    assert_eq!(first(&attachment.receive(stanzas(1))), 3);
    attachment.enabled(Some(StreamId(7)));
    assert!(matches!(attachment.passed(None), FromSession::Passed { number: 4, .. }));
    assert_eq!(attachment.handled(), Counter(0));
    attachment.confirmed(3);
    assert_eq!(attachment.handled(), Counter(1));
    assert!(!attachment.is_confirmed());
    attachment.confirmed(4);
    assert!(attachment.is_confirmed());
}

#[test]
fn the_window_is_bounded_in_stanzas_and_bytes() {
    let mut attachment = attachment();
    attachment.receive(stanzas(INBOUND_STANZAS_MAX));
    assert_eq!(attachment.room(), 0);
    attachment.confirmed(1);
    assert_eq!(attachment.room(), 1);
    attachment.confirmed(INBOUND_STANZAS_MAX as u64);
    let mut large = Stanza::message(MessageType::Chat);
    let body = stentor_xml::ElementBuilder::new("body", "jabber:client").text(&"x".repeat(INBOUND_BYTES_MAX));
    large.push(&body.build());
    attachment.receive(vec![large]);
    assert_eq!(attachment.room(), 0);
}

#[test]
fn copies_are_kept_of_a_managed_stream_alone() {
    let mut attachment = attachment();
    attachment.receive(stanzas(2));
    assert_eq!(attachment.unconfirmed().1.len(), 0);
    attachment.confirmed(2);
    attachment.enable();
    attachment.enabled(None);
    attachment.receive(stanzas(3));
    attachment.confirmed(3);
    let (number, copies) = attachment.unconfirmed();
    assert_eq!((number, copies.len()), (4, 2));
}

#[test]
fn what_was_not_sent_cannot_be_acknowledged() {
    let mut attachment = attachment();
    attachment.sent(&Bytes::from_static(b"before"));
    attachment.enable();
    attachment.enabled(None);
    attachment.sent(&Bytes::from_static(b"one"));
    attachment.sent(&Bytes::from_static(b"three"));
    assert_eq!(attachment.unacknowledged(), (2, 8));
    assert!(attachment.acknowledged(Counter(3)).is_err());
    assert!(attachment.acknowledged(Counter(1)).is_ok());
    assert_eq!(attachment.unacknowledged(), (1, 5));
}

#[test]
fn a_resumed_stream_goes_on_counting() {
    let jid = FullJid::parse("a@example.org/x").expect("an address");
    let again = [Bytes::from_static(b"again")];
    let mut attachment = Attachment::resumed(2, jid, StreamId(7), (10, 4), Counter(20), &again);
    assert_eq!(attachment.handled(), Counter(6));
    assert_eq!(first(&attachment.receive(stanzas(1))), 11);
    assert!(attachment.acknowledged(Counter(22)).is_err());
    assert!(attachment.acknowledged(Counter(21)).is_ok());
    assert_eq!(attachment.unacknowledged(), (0, 0));
}
