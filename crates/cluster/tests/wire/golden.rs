//! The bytes of each kind, as members in the field write them: one that changes is another version, not a mistake of the
//! file.

use bytes::{Bytes, BytesMut};
use std::fmt::Write as _;
use std::sync::Arc;
use stentor_cluster::PeerMessage;
use stentor_cluster::wire::{
    Carried, Frame, Hello, Outbounds, Received, Refusal, Relays, Source, Version, encode,
};
use stentor_engine::{
    Ask, Attach, Command, Confirm, Epoch, Event, Forward, ForwardName, FromSession, Key, LogId, Managed,
    MemberId, OutboundCopy, Outcome, Reply, Resumed, SessionInfo, SessionKey, Slot, Snapshot, StreamId,
    ToSession, Unconfirmed,
};
use stentor_xmpp::{
    BareJid, Condition, Counter, FullJid, Jid, Stanza, StanzaError, StreamCondition, StreamError,
};

const V1: &str = include_str!("golden_v1.txt");

const SESSION: SessionKey = SessionKey { member: MemberId(258), arbiter: 3, serial: 70_000 };

fn juliet() -> Key {
    Key::User(BareJid::parse("juliet@capulet.example").unwrap())
}

fn romeo() -> FullJid {
    FullJid::parse("romeo@montague.example/orchard").unwrap()
}

fn message() -> Stanza {
    let xml = "<message to='juliet@capulet.example' from='romeo@montague.example/orchard' type='chat' id='1'>\
               <body>Art thou not Romeo &amp; a Montague?</body></message>";
    Stanza::parse(xml).unwrap()
}

fn entity() -> (Slot, Epoch) {
    (Slot::new(4_095).unwrap(), Epoch(7))
}

fn event(source: Source, event: Event) -> Carried {
    Carried::Event { source, target: juliet(), epoch: Epoch(300), event }
}

fn from(message: FromSession) -> Carried {
    event(Source::Member, Event::Session(SESSION, message))
}

fn to(message: ToSession) -> Carried {
    Carried::Session { source: entity(), session: SESSION, message }
}

fn copies() -> Vec<OutboundCopy> {
    let stanza = Bytes::from_static(b"<message/>");
    vec![OutboundCopy { stanza: stanza.clone(), entry: Some(LogId(7)) }, OutboundCopy { stanza, entry: None }]
}

fn snapshot() -> Snapshot {
    Snapshot {
        since: 1_700_000_000_000,
        presence: Some(Stanza::parse("<presence from='romeo@montague.example/orchard'/>").unwrap()),
        is_interested: true,
        directed: Some(Arc::new([romeo().into()].into())),
        management: Some(Managed { stream: StreamId(3), is_resumable: true, max: 300, unmanaged: 2 }),
        reached: LogId(9),
    }
}

fn attach() -> Attach {
    Attach {
        attachment: 5,
        jid: romeo(),
        peer: None,
        snapshot: snapshot(),
        confirmed: 7,
        unconfirmed: vec![
            Unconfirmed::Stanza(message()),
            Unconfirmed::Passed(None),
            Unconfirmed::Passed(Some(message())),
        ],
        acknowledged: Counter(3),
        unacknowledged: copies(),
        taken: vec![LogId(5), LogId(6)],
    }
}

fn events() -> Vec<(&'static str, Carried)> {
    let source = Source::Entity(entity().0, entity().1);
    let name = ForwardName { sender: Key::User(romeo().to_bare()), id: LogId(65_536) };
    let forward = |previous| Event::Forward(Forward { name: name.clone(), previous, stanza: message() });
    let confirm = |outcome| Event::Confirm(Confirm { id: LogId(1), target: juliet(), outcome });
    let refused = StanzaError::new(Condition::ServiceUnavailable).with_text("away");
    let command = |command| event(Source::Member, Event::Command(Ask(9), command));
    vec![
        ("forward", event(source, forward(Some(LogId(65_535))))),
        ("forward, the first", event(source, forward(None))),
        ("relay", event(source, Event::Relay(message()))),
        ("confirm: accepted", event(source, confirm(Outcome::Accepted))),
        ("confirm: refused", event(source, confirm(Outcome::Refused(refused)))),
        ("confirm: gap", event(source, confirm(Outcome::Gap))),
        ("command: create account", command(Command::CreateAccount(Bytes::from_static(b"{}")))),
        (
            "command: set credentials",
            command(Command::SetCredentials(Bytes::from_static(b"{}"), Some("orchard".into()))),
        ),
        ("command: remove account", command(Command::RemoveAccount)),
        (
            "command: add contact",
            command(Command::AddContact { jid: romeo().to_bare(), name: "R".to_owned() }),
        ),
        ("command: sessions", command(Command::Sessions)),
        ("command: describe", command(Command::Describe)),
        ("command: kick", command(Command::Kick(None, "out".to_owned()))),
        ("command: settle", command(Command::Settle)),
        (
            "returned",
            Carried::Returned {
                source,
                target: juliet(),
                epoch: Epoch(1),
                event: Event::Relay(message()),
                version: 12,
            },
        ),
    ]
}

fn sessions() -> Vec<(&'static str, Carried)> {
    let (attachment, stream, h) = (5, StreamId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), Counter(u32::MAX));
    let peer = Some("192.0.2.1".parse().unwrap());
    vec![
        ("session: bind", from(FromSession::Bind { resource: "orchard".into(), peer })),
        (
            "session: resume",
            from(FromSession::Resume { stream, h, peer: Some("2001:db8::1".parse().unwrap()) }),
        ),
        (
            "session: inbound",
            from(FromSession::Inbound { attachment, first: 1, stanzas: vec![message(); 2] }),
        ),
        ("session: passed", from(FromSession::Passed { attachment, number: 3, answer: None })),
        (
            "session: passed, answered",
            from(FromSession::Passed { attachment, number: 3, answer: Some(message()) }),
        ),
        (
            "session: enable management",
            from(FromSession::EnableManagement { attachment, stream, resume: true, max: Some(600) }),
        ),
        ("session: request", from(FromSession::Request { attachment })),
        ("session: acknowledged", from(FromSession::Acknowledged { attachment, h })),
        ("session: flushed", from(FromSession::Flushed { attachment, outbound: 11 })),
        ("session: attach", from(FromSession::Attach(Box::new(attach())))),
        ("session: gone", from(FromSession::Gone)),
        ("session: detached", from(FromSession::Detached { attachment, resumable: true })),
        ("to session: bound", to(ToSession::Bound { attachment, jid: romeo() })),
        ("to session: bind refused", to(ToSession::BindRefused(Condition::Conflict.into()))),
        (
            "to session: resumed",
            to(ToSession::Resumed(Resumed {
                attachment,
                jid: romeo(),
                snapshot: Box::new(snapshot()),
                handled: 9,
                acknowledged: h,
                again: copies(),
                taken: vec![LogId(5)],
            })),
        ),
        ("to session: resume failed", to(ToSession::ResumeFailed { handled: Some(h) })),
        (
            "to session: management enabled",
            to(ToSession::ManagementEnabled { resumable: Some(stream), max: 300 }),
        ),
        ("to session: confirmed", to(ToSession::Confirmed { attachment, inbound: 8 })),
        ("to session: answer", to(ToSession::Answer { attachment, inbound: 8 })),
        (
            "to session: outbound",
            to(ToSession::Outbound {
                attachment,
                stanza: Bytes::from_static(b"<message/>"),
                entry: Some(LogId(65_535)),
                waiting: LogId(65_530),
            }),
        ),
        ("to session: attached", to(ToSession::Attached { attachment, inbound: 9 })),
        ("to session: snapshot", to(ToSession::Snapshot { attachment, snapshot: Box::new(snapshot()) })),
        ("to session: reattach", to(ToSession::Reattach)),
        (
            "to session: end",
            to(ToSession::End(StreamError::new(StreamCondition::SeeOtherHost("b.example".to_owned())))),
        ),
    ]
}

fn others() -> Vec<(&'static str, Carried)> {
    let source = Source::Entity(entity().0, entity().1);
    let session = SessionInfo {
        jid: romeo(),
        is_connected: true,
        priority: Some(-1),
        is_managed: true,
        since: 1_700_000_000_000,
        peer: Some("192.0.2.1".parse().unwrap()),
    };
    let relayed = [("juliet@capulet.example", 1), ("nurse@capulet.example/hall", 2)];
    let relayed = relayed.map(|(to, epoch)| (Jid::parse(to).unwrap(), Epoch(epoch)));
    let mut presence = Stanza::parse("<presence from='romeo@montague.example/orchard'/>").unwrap();
    presence.set_to(None);
    let outbounds = Outbounds {
        source: entity(),
        stanza: Bytes::from_static(b"<presence/>"),
        entry: (None, LogId(0)),
        to: vec![(SESSION, 5), (SessionKey { serial: 1, ..SESSION }, 6)],
    };
    let reply = |reply| Carried::Reply { ask: Ask(9), reply };
    vec![
        ("relays", Carried::Relays(Relays { source, stanza: presence, to: relayed.to_vec() })),
        ("outbounds", Carried::Outbounds(outbounds)),
        ("reply: done", reply(Reply::Done)),
        ("reply: not found", reply(Reply::NotFound)),
        ("reply: exists", reply(Reply::Exists)),
        ("reply: failed", reply(Reply::Failed)),
        ("reply: sessions", reply(Reply::Sessions(vec![session]))),
        ("reply: account", reply(Reply::Account { contacts: 3, waiting: 400 })),
        ("peer: version", Carried::Peer(PeerMessage::Version(1_000))),
        ("peer: handed over", Carried::Peer(PeerMessage::HandedOver { version: 1_000 })),
        ("peer: passing", Carried::Peer(PeerMessage::Passing(1_000))),
        ("peer: passed", Carried::Peer(PeerMessage::Passed(1_000))),
        ("peer: membership", Carried::Peer(PeerMessage::Membership(Bytes::from_static(b"\x01\x02")))),
        ("question", Carried::Question { id: 1, body: Bytes::from_static(b"{\"v\":1}") }),
        ("answer", Carried::Answer { id: 1, body: Bytes::from_static(b"[]") }),
    ]
}

fn greetings() -> Vec<(&'static str, Bytes)> {
    let hello = Hello {
        wire: (1, 2),
        cluster: 0x0123_4567_89ab_cdef,
        from: MemberId(1),
        to: MemberId(2),
        name: "verona".into(),
        received: Received { events: 1_000, answers: 20 },
    };
    let refused = |refusal: Refusal| refusal.encode().unwrap().bytes().clone();
    vec![
        ("hello", hello.encode().unwrap().bytes().clone()),
        ("refused: other cluster", refused(Refusal::OtherCluster)),
        ("refused: other member", refused(Refusal::OtherMember(MemberId(3)))),
        ("refused: unknown member", refused(Refusal::UnknownMember)),
        ("refused: no version", refused(Refusal::NoVersion((1, 2)))),
        ("refused: other history", refused(Refusal::OtherHistory)),
    ]
}

fn line(name: &str, bytes: &[u8]) -> String {
    let mut line = format!("{name}: ");
    for byte in bytes {
        write!(line, "{byte:02x}").unwrap();
    }
    line
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The frames of all kinds.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    V1.lines().map(|line| bytes(line.rsplit(": ").next().unwrap())).collect()
}

#[test]
fn bytes_of_version_1() {
    let all: Vec<_> = [events(), sessions(), others()].into_iter().flatten().collect();
    let mut lines: Vec<String> = greetings().iter().map(|(name, bytes)| line(name, bytes)).collect();
    for (name, carried) in &all {
        lines.push(line(name, encode(Version::V1, carried).unwrap().bytes()));
    }
    assert_eq!(lines.join("\n"), V1.trim_end(), "\nas it is now:\n{}\n", lines.join("\n"));
    for (name, carried) in &all {
        let hex = V1.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap();
        let frame = Frame::read(&mut BytesMut::from(&bytes(hex)[..])).unwrap().unwrap();
        let again = encode(Version::V1, &frame.decode().unwrap()).unwrap();
        assert_eq!(again, encode(Version::V1, carried).unwrap(), "{name}");
    }
}
