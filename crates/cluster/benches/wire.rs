//! What it costs to send an event or a session's message to another member: encoding at one end, reading and decoding
//! at the other. A stanza of 250 bytes.

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion};
use std::hint::black_box;
use stentor_cluster::wire::{Carried, Frame, Source, Version, encode};
use stentor_engine::{Epoch, Event, Forward, ForwardName, Key, LogId, MemberId, SessionKey, Slot, ToSession};
use stentor_xmpp::{BareJid, Stanza};

const STANZA: &str = "<message to='juliet@capulet.example' from='romeo@montague.example/orchard' type='chat' \
    id='d4b1c2e3-77aa-4f0e'><body>Wherefore art thou? I will be at the orchard wall at nine.</body>\
    <request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='d4b1c2e3-77aa-4f0e'/></message>";

fn user(jid: &str) -> Key {
    Key::User(BareJid::parse(jid).expect("an address"))
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
            b.iter(|| encode(Version::V1, black_box(&carried)))
        });
        group.bench_function(format!("decode {name}"), |b| {
            b.iter_batched_ref(
                || BytesMut::from(&encoded.bytes()[..]),
                |input| Frame::read(input).expect("a frame").map(|frame| frame.decode().expect("carried")),
                BatchSize::SmallInput,
            );
        });
    }
    group.bench_function("parse the stanza alone", |b| b.iter(|| Stanza::parse(black_box(STANZA))));
    group.finish();
    criterion.final_summary();
}
