//! What it costs to send an event or a session's message to another member: encoding at one end, reading and decoding
//! at the other. A stanza of 300 bytes; beside it, what it costs to copy its bytes with bincode, and to read the stanza.
//!
//! On Linux it is the thread's CPU time that counts, which a busy machine does not stretch by much.

use bytes::{Bytes, BytesMut};
use criterion::Criterion;
use std::hint::black_box;
use std::time::{Duration, Instant};
use stentor_cluster::wire::{Carried, Frame, Source, Version, encode};
use stentor_engine::{Epoch, Event, Forward, ForwardName, Key, LogId, MemberId, SessionKey, Slot, ToSession};
use stentor_xmpp::{BareJid, Stanza};

const STANZA: &str = "<message to='juliet@capulet.example' from='romeo@montague.example/orchard' type='chat' \
    id='d4b1c2e3-77aa-4f0e'><body>Wherefore art thou? I will be at the orchard wall at nine.</body>\
    <request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='d4b1c2e3-77aa-4f0e'/></message>";

fn user(jid: &str) -> Key {
    Key::User(BareJid::parse(jid).expect("an address"))
}

/// Nanoseconds that this thread has run, from Linux; none elsewhere.
fn cpu_time() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// How long `work` takes for each of `inputs` together.
fn timed<I, T>(inputs: Vec<I>, mut work: impl FnMut(I) -> T) -> Duration {
    let (start, wall) = (cpu_time(), Instant::now());
    for input in inputs {
        black_box(work(black_box(input)));
    }
    match (start, cpu_time()) {
        (Some(start), Some(end)) => Duration::from_nanos(end - start),
        _ => wall.elapsed(),
    }
}

/// As many as criterion asks for, some thousands at a time, each made before the clock runs.
fn repeated<I, T>(times: u64, make: impl Fn() -> I, mut work: impl FnMut(I) -> T) -> Duration {
    let mut left = usize::try_from(times).unwrap_or(usize::MAX);
    let mut total = Duration::ZERO;
    while left > 0 {
        let count = left.min(20_000);
        total += timed((0..count).map(|_| make()).collect(), &mut work);
        left -= count;
    }
    total
}

fn main() {
    let entity = (Slot::new(1_234).expect("a slot"), Epoch(5));
    let forward = Carried::Event {
        source: Source::Entity(entity.0, entity.1),
        target: user("juliet@capulet.example"),
        epoch: Epoch(5),
        event: Event::Forward(Forward {
            name: ForwardName { sender: user("romeo@montague.example"), id: LogId(70_000) },
            previous: Some(LogId(69_999)),
            stanza: Stanza::parse(STANZA).expect("a stanza"),
        }),
    };
    let outbound = Carried::Session {
        source: entity,
        session: SessionKey { member: MemberId(3), arbiter: 1, serial: 70_000 },
        message: ToSession::Outbound {
            attachment: 3,
            stanza: Bytes::from_static(STANZA.as_bytes()),
            entry: Some(LogId(1)),
            waiting: LogId(1),
        },
    };
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("wire");
    for (name, carried) in [("forward", forward), ("outbound", outbound)] {
        let encoded = encode(Version::V1, &carried).expect("it is carried");
        group.bench_function(format!("encode {name}"), |b| {
            b.iter_custom(|times| repeated(times, || (), |()| encode(Version::V1, black_box(&carried))));
        });
        let read = || BytesMut::from(&encoded.bytes()[..]);
        let decode = |mut input: BytesMut| {
            Frame::read(&mut input).expect("a frame").map(|frame| frame.decode().expect("carried"))
        };
        group.bench_function(format!("decode {name}"), |b| {
            b.iter_custom(|times| repeated(times, read, decode));
        });
    }
    group.bench_function("copy the stanza's bytes with bincode, there and back", |b| {
        b.iter_custom(|times| repeated(times, || (), |()| copied(black_box(STANZA.as_bytes()))));
    });
    group.bench_function("parse the stanza alone", |b| {
        b.iter_custom(|times| repeated(times, || (), |()| Stanza::parse(black_box(STANZA))));
    });
    group.finish();
    criterion.final_summary();
}

/// Four numbers and the bytes, as bincode alone would carry them.
fn copied(bytes: &[u8]) -> Option<(u64, u64, u64, u64, Vec<u8>)> {
    let config = bincode::config::standard();
    let frame =
        bincode::serde::encode_to_vec((1_234_u64, 5_u64, 70_000_u64, 69_999_u64, bytes), config).ok()?;
    bincode::serde::decode_from_slice(&frame, config).ok().map(|(carried, _)| carried)
}
