//! Fan-out: what differs by its target alone becomes one frame, and unfolds to what it was.

use bytes::Bytes;
use stentor_cluster::wire::{Carried, Gatherer, Source};
use stentor_engine::{Epoch, Event, Key, LogId, MemberId, SessionKey, Slot, ToSession};
use stentor_xmpp::{Jid, Stanza};

fn relay(stanza: &Stanza, to: &str, source: Source) -> Carried {
    let mut stanza = stanza.clone();
    let to = Jid::parse(to).unwrap();
    let target = Key::User(to.to_bare());
    stanza.set_to(Some(to));
    Carried::Event { source, target, epoch: Epoch(2), event: Event::Relay(stanza) }
}

fn outbound(stanza: &Bytes, serial: u64) -> Carried {
    Carried::Session {
        source: (Slot::new(1).unwrap(), Epoch(1)),
        session: SessionKey { member: MemberId(2), arbiter: 0, serial },
        message: ToSession::Outbound {
            attachment: serial + 10,
            stanza: stanza.clone(),
            entry: None,
            waiting: LogId(0),
        },
    }
}

/// What leaves, each with how many it is for; and that it unfolds to what went in.
fn gathered(added: Vec<Carried>) -> Vec<usize> {
    let expected: Vec<String> = added.iter().map(told).collect();
    let (mut gatherer, mut out) = (Gatherer::default(), Vec::new());
    for carried in added {
        gatherer.add(carried, &mut out);
    }
    gatherer.flush(&mut out);
    let (mut unfolded, mut counts) = (Vec::new(), Vec::new());
    for carried in out {
        let before = unfolded.len();
        match carried {
            Carried::Relays(relays) => {
                let source = relays.source;
                unfolded.extend(
                    relays
                        .into_events()
                        .map(|(target, epoch, event)| told(&Carried::Event { source, target, epoch, event })),
                );
            }
            Carried::Outbounds(outbounds) => {
                let source = outbounds.source;
                unfolded.extend(
                    outbounds
                        .into_messages()
                        .map(|(session, message)| told(&Carried::Session { source, session, message })),
                );
            }
            alone => unfolded.push(told(&alone)),
        }
        counts.push(unfolded.len() - before);
    }
    assert_eq!(unfolded, expected);
    counts
}

fn told(carried: &Carried) -> String {
    format!("{carried:?}")
}

#[test]
fn presence_to_contacts_on_one_member() {
    let source = Source::Entity(Slot::new(9).unwrap(), Epoch(4));
    let presence = Stanza::parse("<presence from='r@m.example/o'><show>away</show></presence>").unwrap();
    let alike = Stanza::parse("<presence from='r@m.example/o'><show>away</show></presence>").unwrap();
    let to = |to: &str| relay(&presence, to, source);
    assert_eq!(gathered(vec![to("a@c.example"), to("b@c.example"), to("c@c.example/x")]), [3]);
    assert_eq!(gathered(vec![to("a@c.example")]), [1]);
    // Of another broadcast, of another entity, of another sender: not the same, whatever it says.
    assert_eq!(gathered(vec![to("a@c.example"), relay(&alike, "b@c.example", source)]), [1, 1]);
    let elsewhere = Source::Entity(Slot::new(9).unwrap(), Epoch(5));
    let others = vec![to("a@c.example"), to("b@c.example"), relay(&presence, "d@c.example", elsewhere)];
    assert_eq!(gathered(others), [2, 1]);
    let mut other = presence.clone();
    other.set_from(Some(Jid::parse("r@m.example/p").unwrap()));
    assert_eq!(gathered(vec![to("a@c.example"), relay(&other, "b@c.example", source)]), [1, 1]);
}

#[test]
fn a_stanza_to_the_sessions_of_one_user() {
    let (stanza, alike) = (Bytes::from_static(b"<message/>"), Bytes::from(b"<message/>".to_vec()));
    let source = Source::Entity(Slot::new(1).unwrap(), Epoch(1));
    let presence = Stanza::parse("<presence from='r@m.example/o'/>").unwrap();
    assert_eq!(gathered(vec![outbound(&stanza, 1), outbound(&stanza, 2), outbound(&alike, 3)]), [2, 1]);
    // The order stays, so what stands between parts them.
    let between = vec![
        outbound(&stanza, 1),
        relay(&presence, "a@c.example", source),
        outbound(&stanza, 2),
        outbound(&stanza, 3),
        Carried::Answer { id: 1, body: Bytes::new() },
    ];
    assert_eq!(gathered(between), [1, 1, 2, 1]);
}

#[test]
fn a_frame_to_many_is_not_for_any_number() {
    let stanza = Bytes::from_static(b"<message/>");
    let max = stentor_cluster::limits::FANOUT_TARGETS_MAX;
    let all = (0..2 * max as u64 + 1).map(|serial| outbound(&stanza, serial)).collect();
    assert_eq!(gathered(all), [max, max, 1]);
}
