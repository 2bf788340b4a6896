//! Body of a fuzz target: bytes as what a peer sends that has gone mad, at the other end of a link.

use bytes::{Bytes, BytesMut};
use stentor_cluster::limits::{BACKOFF_MAX_MS, CREDIT_BYTES, CREDIT_EVENTS, HEARTBEAT_MS};
use stentor_cluster::link::{Link, LinkEvent, LinkSettings};
use stentor_cluster::wire::{Carried, Class, Frame, Hello, Received, Version, encode};
use stentor_engine::MemberId;

const CLUSTER: u64 = 7;
/// Events, and as many answers, that wait to be sent when the peer begins.
const WAITING: u64 = 3;

/// What became of a link.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The frames that came, kinds alone.
    pub kinds: Vec<u8>,
    pub is_up: bool,
    /// How many events of ours were acknowledged.
    pub acknowledged: u64,
}

/// How the peer behaves.
#[derive(Clone, Copy)]
struct Form {
    /// Whether we are the end that connects.
    connects: bool,
    /// Whether the peer greets as it should, before the rest.
    greets: bool,
    /// Whether we write after each piece that it sends, or once, as soon as frames flow.
    converses: bool,
}

/// The first byte says how the peer behaves, the second how the rest is cut. Nothing panics; the cut alone changes
/// nothing; what is written are frames; the peer gets no more events in than it has credit for; and whatever happened,
/// a peer that is well again finds the link as it should be.
pub(crate) fn link(bytes: &[u8]) -> Seen {
    let [form, cut, input @ ..] = bytes else { return Seen::default() };
    let form = Form { connects: form & 1 == 0, greets: form & 2 == 0, converses: form & 4 == 0 };
    let pieces = run(form, input, usize::from(cut % 64) + 1);
    if !form.converses {
        assert_eq!(run(form, input, input.len()), pieces, "cut into {}", cut % 64 + 1);
    }
    pieces
}

fn settings(me: u64, peer: u64) -> LinkSettings {
    LinkSettings { cluster: CLUSTER, me: MemberId(me), name: "m".into(), peer: MemberId(peer) }
}

fn hello(from: u64, to: u64, received: Received) -> Hello {
    let (from, to) = (MemberId(from), MemberId(to));
    Hello { wire: Version::RANGE, cluster: CLUSTER, from, to, name: "p".into(), received }
}

fn run(form: Form, input: &[u8], piece: usize) -> Seen {
    let Form { connects, greets, converses } = form;
    let (me, peer) = if connects { (1, 2) } else { (2, 1) };
    let mut link = Link::new(0, settings(me, peer), 1);
    for id in 0..WAITING {
        for carried in
            [Carried::Question { id, body: Bytes::new() }, Carried::Answer { id, body: Bytes::new() }]
        {
            link.send(encode(Version::V1, &carried).unwrap()).unwrap();
        }
    }
    let mut greeting = BytesMut::new();
    if greets {
        greeting.extend_from_slice(hello(peer, me, Received::default()).encode().unwrap().bytes());
    }
    let mut seen = Seen::default();
    let mut held = (0, 0);
    if connects {
        link.handle_timeout(0);
        assert_eq!(link.poll_event(), Some(LinkEvent::Connect));
        link.connected(0);
        transmit(&mut link, 0);
    }
    let mut wrote = false;
    let mut rest =
        if connects || !greets { Vec::new() } else { vec![Bytes::from(greeting.split().to_vec())] };
    rest.extend(input.chunks(piece.max(1)).map(Bytes::copy_from_slice));
    for bytes in rest {
        if connects || link.is_up() {
            link.received(0, bytes[..].into());
        } else {
            // What came before the greeting was whole is read by whoever accepted the connection.
            greeting.extend_from_slice(&bytes);
            match Hello::read(&mut greeting) {
                Ok(None) => {}
                Ok(Some(hello)) if link.accepted(0, &hello, greeting.split()).is_ok() => {}
                _ => break,
            }
        }
        if link.is_up() && !wrote {
            // Its credit first, or nothing that it sends would be taken.
            wrote = true;
            transmit(&mut link, 0);
        }
        take(&mut link, &mut seen, &mut held);
        if converses {
            transmit(&mut link, 0);
        }
        if !link.is_up() && seen_end(&mut link) {
            break;
        }
    }
    seen.is_up = link.is_up();
    seen.acknowledged = heals(link, connects);
    seen
}

/// Whether the connection is over.
fn seen_end(link: &mut Link) -> bool {
    let mut is_over = false;
    while let Some(event) = link.poll_event() {
        is_over |= matches!(event, LinkEvent::Down(_));
    }
    is_over
}

/// Takes the frames that are there; events are held for good, so the peer has only its first credit.
fn take(link: &mut Link, seen: &mut Seen, held: &mut (u64, u64)) {
    while let Some(arrived) = link.next_frame(0) {
        let frame = arrived.frame;
        assert_ne!(frame.class(), Class::Control);
        if frame.class() == Class::Event {
            // The event that crosses it is still taken.
            assert!(held.0 < CREDIT_EVENTS && held.1 < CREDIT_BYTES, "{held:?} are held");
            *held = (held.0 + 1, held.1 + frame.bytes() as u64);
        }
        // What it carries is another target's business; here, that it can be asked for.
        let _ = frame.decode();
        seen.kinds.push(frame.kind);
    }
}

/// What is written is frames, and no more than was there to say.
fn transmit(link: &mut Link, now: u64) -> Vec<Frame> {
    let mut out = Vec::new();
    while link.poll_transmit(now, 64, &mut out) {}
    let mut bytes = BytesMut::from(&out.concat()[..]);
    let mut frames = Vec::new();
    while let Some(frame) = Frame::read(&mut bytes).unwrap() {
        frames.push(frame);
    }
    assert!(bytes.is_empty() && frames.len() <= 64, "{} frames", frames.len());
    frames
}

/// The peer is well again and connects anew: it finds the link, and gets what it has not acknowledged. How many events
/// it had acknowledged.
fn heals(mut link: Link, connects: bool) -> u64 {
    let mut now = 2 * BACKOFF_MAX_MS;
    link.disconnected(now);
    let (me, peer) = if connects { (1, 2) } else { (2, 1) };
    // It does not know any more what it has acknowledged, so it tries.
    for events in 0..=WAITING {
        for answers in 0..=WAITING {
            let hello = hello(peer, me, Received { events, answers });
            if connects {
                now += 2 * BACKOFF_MAX_MS;
                link.handle_timeout(now);
                link.connected(now);
                link.received(now, hello.encode().unwrap().bytes()[..].into());
            } else {
                let _ = link.accepted(now, &hello, BytesMut::new());
            }
            if !link.is_up() {
                continue;
            }
            let written = transmit(&mut link, now);
            let count = |class| written.iter().filter(|frame| frame.class() == class).count() as u64;
            assert_eq!(count(Class::Answer), WAITING - answers, "answers need no credit");
            assert!(count(Class::Event) <= WAITING - events);
            assert_eq!(transmit(&mut link, now + HEARTBEAT_MS).len(), 1, "a heartbeat, and nothing twice");
            return events;
        }
    }
    panic!("the link is lost for good");
}
