//! Single rules.

use crate::pair::{Pair, settings};
use bytes::{Bytes, BytesMut};
use stentor_cluster::limits::{
    BACKOFF_MAX_MS, CREDIT_EVENTS, HEARTBEAT_MS, LINK_BYTES_MAX, LINK_EVENTS_MAX, PEER_SILENT_MS,
};
use stentor_cluster::link::{Full, Link, LinkEvent, LinkLost};
use stentor_cluster::wire::{Carried, Class, Hello, Received, Refusal, Version, encode};
use stentor_engine::MemberId;

#[test]
fn a_quiet_link_stays_up_and_says_little() {
    let mut pair = Pair::new();
    pair.run(60_000);
    for end in &pair.ends {
        assert!(end.link.is_up());
        assert!(!end.happened.iter().any(|event| matches!(event, LinkEvent::Down(_))), "{:?}", end.happened);
    }
}

#[test]
fn a_silent_peer_is_lost_and_found_again() {
    let mut pair = Pair::new();
    pair.run(100);
    let start = pair.now;
    while pair.ends[0].link.is_up() {
        pair.now += 100;
        pair.drive();
    }
    // Counted from when something was last heard, which was before.
    assert!((PEER_SILENT_MS - HEARTBEAT_MS..=PEER_SILENT_MS + 100).contains(&(pair.now - start)));
    assert!(pair.ends[0].happened.contains(&LinkEvent::Down(LinkLost::Silent)));
    pair.run(2 * BACKOFF_MAX_MS);
    assert!(pair.ends.iter().all(|end| end.link.is_up()));
}

#[test]
fn a_receiver_that_is_busy_itself_does_not_call_the_peer_silent() {
    let mut pair = Pair::new();
    pair.run(100);
    pair.send(1, Class::Event, 10).unwrap();
    pair.drive();
    pair.read(0, usize::MAX);
    pair.now += 2 * PEER_SILENT_MS;
    pair.ends[0].link.handle_timeout(pair.now);
    assert!(pair.ends[0].link.is_up());
}

#[test]
fn a_slow_receiver_holds_events_and_not_answers() {
    let mut pair = Pair::new();
    pair.run(100);
    let all = CREDIT_EVENTS as usize + 10;
    for _ in 0..all {
        pair.send(0, Class::Event, 10).unwrap();
    }
    for _ in 0..200 {
        pair.drive();
        pair.read(1, usize::MAX);
        pair.take(1);
    }
    assert_eq!(pair.ends[1].got[0].len(), CREDIT_EVENTS as usize);
    pair.send(0, Class::Answer, 10).unwrap();
    pair.send(0, Class::Behind, 0).unwrap();
    pair.drive();
    pair.read(1, usize::MAX);
    pair.take(1);
    assert_eq!(pair.ends[1].got[1], [0]);
    // What is behind events stays behind them.
    assert_eq!(pair.ends[1].got[0].len(), CREDIT_EVENTS as usize);
    pair.hand_on(1);
    pair.run(1_000);
    assert!(pair.all_arrived());
}

/// A peer that has gone mad: as many events as an honest one may send, and one more.
#[test]
fn a_peer_that_sends_more_than_its_credit_is_cut() {
    let mut link = Link::new(0, settings(2, 1), 0);
    let (from, to) = (MemberId(1), MemberId(2));
    let hello =
        Hello { wire: Version::RANGE, cluster: 7, from, to, name: "a".into(), received: Received::default() };
    link.accepted(0, &hello, BytesMut::new()).unwrap();
    while link.poll_transmit(0, 4_096, &mut Vec::new()) {}
    let event = Carried::Question { id: 1, body: Bytes::new() };
    let event = encode(Version::V1, &event).unwrap();
    for _ in 0..=CREDIT_EVENTS {
        link.received(0, BytesMut::from(&event.bytes()[..]));
    }
    for _ in 0..CREDIT_EVENTS {
        assert!(link.next_frame(0).is_some());
    }
    assert!(link.next_frame(0).is_none() && !link.is_up());
}

#[test]
fn the_buffer_is_bounded() {
    let check = |bytes: usize, expected: usize| {
        let mut pair = Pair::new();
        let mut taken = 0;
        while pair.send(0, Class::Event, bytes) == Ok(()) {
            taken += 1;
        }
        assert_eq!(taken, expected, "{bytes} bytes each");
        // What ends something is taken all the same.
        pair.send(0, Class::Answer, 1).unwrap();
        pair.send(0, Class::Behind, 0).unwrap();
        assert_eq!(pair.send(0, Class::Event, 1), Err(Full));
        pair.run(1_000);
        assert!(pair.all_arrived() && pair.send(0, Class::Event, 1).is_ok());
    };
    check(1, LINK_EVENTS_MAX);
    check(LINK_BYTES_MAX / 2, 2);
}

#[test]
fn what_follows_says_the_senders_table() {
    let mut pair = Pair::new();
    pair.run(100);
    pair.send(0, Class::Event, 1).unwrap();
    pair.run(10);
    pair.ends[0].link.set_table(12);
    pair.send(0, Class::Answer, 1).unwrap();
    pair.run(10);
    assert_eq!(pair.ends[1].tables, [1, 12]);
}

#[test]
fn the_end_of_a_peer_gives_back_what_it_may_not_have() {
    let mut pair = Pair::new();
    pair.run(100);
    pair.send(0, Class::Event, 1).unwrap();
    pair.run(1_000);
    pair.cut();
    pair.send(0, Class::Event, 1).unwrap();
    pair.send(0, Class::Answer, 1).unwrap();
    let [end, _] = pair.ends;
    let classes: Vec<_> = end.link.into_unacknowledged().map(|frame| frame.class()).collect();
    assert_eq!(classes, [Class::Answer, Class::Event]);
}

#[test]
fn greetings_are_checked() {
    let hello = Hello {
        wire: Version::RANGE,
        cluster: 7,
        from: MemberId(1),
        to: MemberId(2),
        name: "a".into(),
        received: Received::default(),
    };
    let check = |hello: &Hello, expected| {
        let mut link = Link::new(0, settings(2, 1), 0);
        assert_eq!(link.accepted(0, hello, BytesMut::new()), expected);
        assert_eq!(link.is_up(), expected.is_ok());
    };
    check(&hello, Ok(()));
    check(&Hello { cluster: 8, ..hello.clone() }, Err(Refusal::OtherCluster));
    check(&Hello { to: MemberId(3), ..hello.clone() }, Err(Refusal::OtherMember(MemberId(2))));
    check(&Hello { from: MemberId(3), ..hello.clone() }, Err(Refusal::UnknownMember));
    check(&Hello { wire: (2, 3), ..hello.clone() }, Err(Refusal::NoVersion(Version::RANGE)));
    let received = Received { events: 1, answers: 0 };
    check(&Hello { received, ..hello }, Err(Refusal::OtherHistory));
}

#[test]
fn a_refusal_is_told_and_tried_again_later() {
    let mut link = Link::new(0, settings(1, 2), 0);
    link.handle_timeout(0);
    assert_eq!(link.poll_event(), Some(LinkEvent::Connect));
    link.connected(0);
    let refusal = Refusal::UnknownMember.encode().unwrap();
    link.received(1, BytesMut::from(&refusal.bytes()[..]));
    assert_eq!(link.poll_event(), Some(LinkEvent::Down(LinkLost::Refused(Refusal::UnknownMember))));
    let next = link.next_deadline().unwrap();
    link.handle_timeout(next);
    assert_eq!(link.poll_event(), Some(LinkEvent::Connect));
}

#[test]
fn bytes_that_are_no_frames_cost_the_connection_alone() {
    let mut pair = Pair::new();
    pair.run(100);
    pair.ends[0].link.received(pair.now, BytesMut::from(&[0, 0, 0, 2, 9, 9][..]));
    pair.take(0);
    assert!(!pair.ends[0].link.is_up());
    pair.send(1, Class::Event, 1).unwrap();
    pair.run(10_000);
    assert!(pair.all_arrived());
}
