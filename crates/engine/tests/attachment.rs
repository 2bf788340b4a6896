//! The session's half of an attachment: what it counts, and what it keeps.

use bytes::Bytes;
use stentor_engine::limits::{INBOUND_BYTES_MAX, INBOUND_STANZAS_MAX};
use stentor_engine::{
    Attach, Attachment, FromSession, LogId, Managed, OutboundCopy, Resumed, Snapshot, StreamId, Unconfirmed,
};
use stentor_xmpp::{Counter, FullJid, MessageType, PresenceType, Stanza};

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
    assert!(attachment.enable(StreamId(7), true, None).is_some());
    assert!(attachment.enable(StreamId(8), true, None).is_none(), "only once");
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

fn attach(attachment: &Attachment) -> Option<Attach> {
    match attachment.attach(None)? {
        FromSession::Attach(attach) => Some(*attach),
        other => panic!("{other:?}"),
    }
}

fn copy(text: &'static str, entry: Option<u64>) -> OutboundCopy {
    OutboundCopy { stanza: Bytes::from_static(text.as_bytes()), entry: entry.map(LogId) }
}

#[test]
fn a_stream_without_management_goes_on_unless_messages_are_under_way() {
    let mut attachment = attachment();
    attachment.receive(vec![Stanza::presence(PresenceType::Available)]);
    attachment.passed(None);
    let attach_of = attach(&attachment).expect("presence is copied");
    assert_eq!((attach_of.attachment, attach_of.confirmed), (1, 0));
    assert!(matches!(*attach_of.unconfirmed, [Unconfirmed::Stanza(_), Unconfirmed::Passed(None)]));
    attachment.receive(stanzas(1));
    assert!(attach(&attachment).is_none());
    attachment.confirmed(3);
    assert!(attach(&attachment).is_some());
}

#[test]
fn a_session_hands_over_what_it_holds() {
    let mut attachment = attachment();
    attachment.receive(stanzas(2));
    attachment.confirmed(2);
    attachment.enable(StreamId(7), true, None);
    attachment.enabled(Some(StreamId(7)));
    let management = Managed { stream: StreamId(7), is_resumable: true, max: 300, unmanaged: 2 };
    attachment.note(Box::new(Snapshot { management: Some(management), since: 5, ..Snapshot::default() }));
    attachment.receive(stanzas(3));
    attachment.confirmed(3);
    for (text, entry) in [("one", Some(4)), ("two", None), ("three", Some(6)), ("four", Some(9))] {
        attachment.sent(&Bytes::from_static(text.as_bytes()), entry.map(LogId), LogId(0));
    }
    attachment.acknowledged(Counter(2)).expect("it was sent");
    let held = attach(&attachment).expect("it is managed");
    assert_eq!((held.confirmed, held.unconfirmed.len(), held.acknowledged), (3, 2, Counter(2)));
    assert_eq!(held.unacknowledged, [copy("three", Some(6)), copy("four", Some(9))]);
    assert_eq!(
        (held.taken.as_slice(), held.snapshot.reached, held.snapshot.since),
        ([LogId(4)].as_slice(), LogId(9), 5)
    );
    attachment.attached(12, 4);
    assert_eq!((attachment.number(), attachment.handled()), (12, Counter(2)));
    // What is known to have left the log is not named again.
    attachment.sent(&Bytes::from_static(b"five"), Some(LogId(10)), LogId(5));
    assert_eq!(attach(&attachment).expect("it is managed").taken, []);
}

#[test]
fn what_was_asked_and_not_answered_is_asked_again() {
    let mut attachment = attachment();
    attachment.receive(vec![Stanza::presence(PresenceType::Available)]);
    attachment.enable(StreamId(7), true, Some(9));
    // The user had turned it on, and was lost before its answer left.
    let management = Managed { stream: StreamId(7), is_resumable: true, max: 9, unmanaged: 1 };
    attachment.note(Box::new(Snapshot { management: Some(management), ..Snapshot::default() }));
    assert_eq!(attach(&attachment).expect("nothing is under way").snapshot.management, None);
    attachment.attached(3, 1);
    assert!(matches!(
        attachment.asks_to_enable(),
        Some(FromSession::EnableManagement {
            attachment: 3,
            stream: StreamId(7),
            resume: true,
            max: Some(9)
        })
    ));
    attachment.enabled(Some(StreamId(7)));
    assert!(attachment.asks_to_enable().is_none());
}

#[test]
fn what_was_not_sent_cannot_be_acknowledged() {
    let mut attachment = attachment();
    attachment.sent(&Bytes::from_static(b"before"), None, LogId(0));
    attachment.enable(StreamId(7), true, None);
    attachment.enabled(None);
    attachment.sent(&Bytes::from_static(b"one"), None, LogId(0));
    attachment.sent(&Bytes::from_static(b"three"), None, LogId(0));
    assert_eq!(attachment.unacknowledged(), (2, 8));
    assert!(attachment.acknowledged(Counter(3)).is_err());
    assert!(attachment.acknowledged(Counter(1)).is_ok());
    assert_eq!(attachment.unacknowledged(), (1, 5));
}

#[test]
fn a_resumed_stream_goes_on_counting() {
    let jid = FullJid::parse("a@example.org/x").expect("an address");
    let managed = Managed { stream: StreamId(7), is_resumable: true, max: 300, unmanaged: 4 };
    let mut attachment = Attachment::resumed(&Resumed {
        attachment: 2,
        jid,
        snapshot: Box::new(Snapshot {
            management: Some(managed),
            is_interested: true,
            ..Snapshot::default()
        }),
        handled: 10,
        acknowledged: Counter(20),
        again: vec![copy("again", None)],
        taken: vec![LogId(3)],
    });
    assert_eq!(attachment.handled(), Counter(6));
    assert_eq!(first(&attachment.receive(stanzas(1))), 11);
    assert!(attachment.acknowledged(Counter(22)).is_err());
    assert!(attachment.acknowledged(Counter(21)).is_ok());
    assert_eq!(attachment.unacknowledged(), (0, 0));

    // Its user is lost before it said anything more.
    let Some(FromSession::Attach(attach)) = attachment.attach(None) else { panic!("it goes on") };
    assert_eq!(attach.snapshot.management, Some(managed));
    assert!(attach.snapshot.is_interested);
}
