//! What a message costs the allocator on its way to another member.

use crate::counting::counted;
use bytes::BytesMut;
use stentor_cluster::wire::{Carried, Frame, Source, Version, encode};
use stentor_engine::{Epoch, Event, Forward, ForwardName, Key, LogId, Slot};
use stentor_xmpp::{BareJid, Stanza};

const STANZA: &str = "<message to='juliet@capulet.example' from='romeo@montague.example/orchard' type='chat' \
    id='d4b1c2e3-77aa-4f0e'><body>Wherefore art thou? I will be at the orchard wall at nine.</body>\
    <request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='d4b1c2e3-77aa-4f0e'/></message>";

fn forward(stanza: Stanza) -> Carried {
    let user = |jid| Key::User(BareJid::parse(jid).unwrap());
    Carried::Event {
        source: Source::Entity(Slot::new(1_234).unwrap(), Epoch(5)),
        target: user("juliet@capulet.example"),
        epoch: Epoch(5),
        event: Event::Forward(Forward {
            name: ForwardName { sender: user("romeo@montague.example"), id: LogId(70_000) },
            previous: Some(LogId(69_999)),
            stanza,
        }),
    }
}

/// The frame and its owner at the sender; what was read, beside the stanza, at the receiver: its names are the stanza's
/// own addresses, so they cost nothing.
#[test]
fn a_message_forward_allocates_at_most_three_times_beyond_its_stanza() {
    // What is kept for the next on this thread is made by the first.
    drop(Stanza::parse(STANZA));
    let (stanza, parsed, _) = counted(|| Stanza::parse(STANZA).unwrap());
    let carried = forward(stanza);
    let (encoded, encoding, _) = counted(|| encode(Version::V1, &carried).unwrap());
    let mut input = BytesMut::from(&encoded.bytes()[..]);
    let (decoded, decoding, _) =
        counted(|| Frame::read(&mut input).map(|frame| frame.map(|frame| frame.decode())));
    assert!(matches!(decoded, Ok(Some(Ok(Carried::Event { .. })))));
    assert!(encoding <= 2 && decoding <= parsed + 1, "{encoding} and {decoding}, {parsed} for the stanza");
}

/// A length that is guessed wrong, for characters that are escaped, is put right, also where it then has another
/// length itself.
#[test]
fn what_is_escaped_is_measured_again() {
    for padding in 0..400 {
        let mut stanza =
            Stanza::parse(&format!("<message><body>{}</body></message>", "x".repeat(padding))).unwrap();
        stanza.set_id(Some("<'&'>"));
        let carried = forward(stanza);
        let frame = encode(Version::V1, &carried).unwrap().into_frame();
        assert_eq!(encode(Version::V1, &frame.decode().unwrap()).unwrap().into_frame(), frame);
    }
}
