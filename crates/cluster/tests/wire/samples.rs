//! Something of everything that a link carries, by chance.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::LazyJust;
use std::net::IpAddr;
use std::sync::Arc;
use stentor_cluster::PeerMessage;
use stentor_cluster::wire::{Carried, Outbounds, Relays, Source};
use stentor_engine::{
    Ask, Attach, Command, Confirm, Epoch, Event, Forward, ForwardName, FromSession, Key, LogId, Managed,
    MemberId, OutboundCopy, Outcome, Reply, Resumed, SessionInfo, SessionKey, Slot, Snapshot, StreamId,
    ToSession, Unconfirmed,
};
use stentor_xmpp::{
    BareJid, Condition, Counter, FullJid, Jid, Stanza, StanzaError, StreamCondition, StreamError,
};

pub(crate) fn bare() -> impl Strategy<Value = BareJid> {
    "[a-z]{1,8}@[a-z]{1,8}\\.example".prop_map(|text| BareJid::parse(&text).unwrap())
}

pub(crate) fn full() -> impl Strategy<Value = FullJid> {
    (bare(), "[a-zA-Z0-9 ü]{0,6}[a-z]").prop_map(|(jid, resource)| jid.with_resource(&resource).unwrap())
}

fn key() -> impl Strategy<Value = Key> {
    bare().prop_map(Key::User)
}

/// As `Stanza::parse` gives it, so that what comes back prints alike.
fn addressed(to: Option<Jid>, from: Option<Jid>, start: &str, rest: &str) -> Stanza {
    let mut stanza = Stanza::parse(&format!("<{start}>{rest}")).unwrap();
    stanza.set_to(to);
    stanza.set_from(from);
    Stanza::parse(std::str::from_utf8(&stanza.to_bytes()).unwrap()).unwrap()
}

pub(crate) fn stanza(with_to: bool) -> impl Strategy<Value = Stanza> {
    let forms = prop_oneof![
        Just(("message type='chat' id='1'", "<body>Wherefore art thou?</body></message>")),
        Just(("message xmlns:q='urn:q'", "<q:x y='&lt;'/><body>\u{1F339} &amp; &gt;</body></message>")),
        Just(("presence xml:lang='en'", "<show>away</show><priority>3</priority></presence>")),
        Just(("presence type='unavailable'", "</presence>")),
        Just(("iq type='get' id='a&apos;b'", "<ping xmlns='urn:xmpp:ping'/></iq>")),
    ];
    (forms, full(), option::of(full())).prop_map(move |((start, rest), to, from)| {
        addressed(with_to.then(|| to.into()), from.map(Jid::from), start, rest)
    })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn session() -> impl Strategy<Value = SessionKey> {
    (any::<u64>(), any::<u16>(), any::<u64>()).prop_map(|(member, arbiter, serial)| SessionKey {
        member: MemberId(member),
        arbiter,
        serial,
    })
}

fn peer() -> impl Strategy<Value = Option<IpAddr>> {
    option::of(any::<IpAddr>())
}

fn stream() -> impl Strategy<Value = StreamId> {
    any::<u128>().prop_map(StreamId)
}

fn entity() -> impl Strategy<Value = (Slot, Epoch)> {
    (0..Slot::COUNT, any::<u64>()).prop_map(|(slot, epoch)| (Slot::new(slot).unwrap(), Epoch(epoch)))
}

fn source() -> impl Strategy<Value = Source> {
    option::of(entity()).prop_map(|entity| match entity {
        Some((slot, epoch)) => Source::Entity(slot, epoch),
        None => Source::Member,
    })
}

fn stanza_error() -> impl Strategy<Value = StanzaError> {
    let conditions = proptest::sample::select(Condition::all().collect::<Vec<_>>());
    (conditions, option::of(".{0,9}"), option::of("xmpp:[a-z]{3}"), option::of("<x xmlns='urn:x'/>"))
        .prop_map(|(condition, text, uri, application)| StanzaError {
            text,
            uri: uri.map(Into::into),
            application: application.map(Into::into),
            ..StanzaError::new(condition)
        })
}

fn stream_error() -> impl Strategy<Value = StreamError> {
    let mut conditions = StreamCondition::all().to_vec();
    conditions.push(StreamCondition::SeeOtherHost("b.example:5222".to_owned()));
    let conditions = proptest::sample::select(conditions);
    (conditions, option::of(".{0,9}"), option::of("<x xmlns='urn:x'/>"))
        .prop_map(|(condition, text, application)| StreamError { condition, text, application })
}

fn from_session() -> BoxedStrategy<FromSession> {
    let n = any::<u64>;
    let h = || any::<u32>().prop_map(Counter);
    prop_oneof![
        ("[a-z]{0,6}", peer())
            .prop_map(|(resource, peer)| FromSession::Bind { resource: resource.into(), peer }),
        (stream(), h(), peer()).prop_map(|(stream, h, peer)| FromSession::Resume { stream, h, peer }),
        (n(), n(), vec(stanza(true), 0..4)).prop_map(|(attachment, first, stanzas)| FromSession::Inbound {
            attachment,
            first,
            stanzas
        }),
        (n(), n(), option::of(stanza(true))).prop_map(|(attachment, number, answer)| FromSession::Passed {
            attachment,
            number,
            answer
        }),
        (n(), stream(), any::<bool>(), any::<Option<u32>>()).prop_map(|(attachment, stream, resume, max)| {
            FromSession::EnableManagement { attachment, stream, resume, max }
        }),
        n().prop_map(|attachment| FromSession::Request { attachment }),
        (n(), h()).prop_map(|(attachment, h)| FromSession::Acknowledged { attachment, h }),
        (n(), n()).prop_map(|(attachment, outbound)| FromSession::Flushed { attachment, outbound }),
        attach().prop_map(|attach| FromSession::Attach(Box::new(attach))),
        LazyJust::new(|| FromSession::Gone),
        (n(), any::<bool>())
            .prop_map(|(attachment, resumable)| FromSession::Detached { attachment, resumable }),
    ]
    .boxed()
}

fn managed() -> impl Strategy<Value = Managed> {
    (stream(), any::<bool>(), any::<u32>(), any::<u64>())
        .prop_map(|(stream, is_resumable, max, unmanaged)| Managed { stream, is_resumable, max, unmanaged })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let n = any::<u64>;
    let directed = proptest::collection::btree_set(full().prop_map(Jid::from), 1..4).prop_map(Arc::new);
    (n(), option::of(stanza(true)), any::<bool>(), option::of(directed), option::of(managed()), n()).prop_map(
        |(since, presence, is_interested, directed, management, reached)| Snapshot {
            since,
            presence,
            is_interested,
            directed,
            management,
            reached: LogId(reached),
        },
    )
}

fn copies() -> impl Strategy<Value = Vec<OutboundCopy>> {
    let copy = (bytes(), option::of(any::<u64>().prop_map(LogId)));
    vec(copy.prop_map(|(stanza, entry)| OutboundCopy { stanza, entry }), 0..4)
}

fn attach() -> impl Strategy<Value = Attach> {
    let n = any::<u64>;
    let unconfirmed = prop_oneof![
        stanza(true).prop_map(Unconfirmed::Stanza),
        option::of(stanza(true)).prop_map(Unconfirmed::Passed)
    ];
    let numbers = (n(), n(), any::<u32>().prop_map(Counter));
    let taken = vec(n().prop_map(LogId), 0..4);
    (numbers, full(), peer(), snapshot(), vec(unconfirmed, 0..4), copies(), taken).prop_map(
        |((attachment, confirmed, acknowledged), jid, peer, snapshot, unconfirmed, unacknowledged, taken)| {
            Attach {
                attachment,
                jid,
                peer,
                snapshot,
                confirmed,
                unconfirmed,
                acknowledged,
                unacknowledged,
                taken,
            }
        },
    )
}

fn to_session() -> BoxedStrategy<ToSession> {
    let n = any::<u64>;
    let h = || any::<u32>().prop_map(Counter);
    let shown = (snapshot(), managed())
        .prop_map(|(snapshot, managed)| Box::new(Snapshot { management: Some(managed), ..snapshot }));
    let resumed = (n(), full(), shown, n(), h(), copies(), vec(n().prop_map(LogId), 0..4));
    prop_oneof![
        (n(), full()).prop_map(|(attachment, jid)| ToSession::Bound { attachment, jid }),
        stanza_error().prop_map(ToSession::BindRefused),
        resumed.prop_map(|(attachment, jid, snapshot, handled, acknowledged, again, taken)| {
            ToSession::Resumed(Resumed { attachment, jid, snapshot, handled, acknowledged, again, taken })
        }),
        option::of(h()).prop_map(|handled| ToSession::ResumeFailed { handled }),
        (option::of(stream()), any::<u32>())
            .prop_map(|(resumable, max)| ToSession::ManagementEnabled { resumable, max }),
        (n(), n()).prop_map(|(attachment, inbound)| ToSession::Confirmed { attachment, inbound }),
        (n(), n()).prop_map(|(attachment, inbound)| ToSession::Answer { attachment, inbound }),
        (n(), bytes(), option::of(n()), n()).prop_map(|(attachment, stanza, entry, waiting)| {
            let (entry, waiting) = (entry.map(LogId), LogId(waiting));
            ToSession::Outbound { attachment, stanza, entry, waiting }
        }),
        (n(), n()).prop_map(|(attachment, inbound)| ToSession::Attached { attachment, inbound }),
        (n(), snapshot()).prop_map(|(attachment, snapshot)| ToSession::Snapshot {
            attachment,
            snapshot: Box::new(snapshot)
        }),
        LazyJust::new(|| ToSession::Reattach),
        stream_error().prop_map(ToSession::End),
    ]
    .boxed()
}

fn command() -> BoxedStrategy<Command> {
    let resource = || option::of("[a-z]{1,6}").prop_map(|resource| resource.map(String::into_boxed_str));
    prop_oneof![
        bytes().prop_map(Command::CreateAccount),
        (bytes(), resource()).prop_map(|(credentials, except)| Command::SetCredentials(credentials, except)),
        LazyJust::new(|| Command::RemoveAccount),
        (bare(), ".{0,8}").prop_map(|(jid, name)| Command::AddContact { jid, name }),
        LazyJust::new(|| Command::Sessions),
        LazyJust::new(|| Command::Describe),
        (resource(), ".{0,8}").prop_map(|(resource, text)| Command::Kick(resource, text)),
        LazyJust::new(|| Command::Settle),
    ]
    .boxed()
}

fn reply() -> BoxedStrategy<Reply> {
    let info = (full(), any::<bool>(), any::<Option<i8>>(), any::<bool>(), any::<u64>(), peer()).prop_map(
        |(jid, is_connected, priority, is_managed, since, peer)| SessionInfo {
            jid,
            is_connected,
            priority,
            is_managed,
            since,
            peer,
        },
    );
    prop_oneof![
        Just(Reply::Done),
        Just(Reply::NotFound),
        Just(Reply::Exists),
        Just(Reply::Failed),
        vec(info, 0..4).prop_map(Reply::Sessions),
        (any::<u64>(), any::<u64>()).prop_map(|(contacts, waiting)| Reply::Account { contacts, waiting }),
    ]
    .boxed()
}

fn event() -> BoxedStrategy<Event> {
    let outcome =
        prop_oneof![Just(Outcome::Accepted), stanza_error().prop_map(Outcome::Refused), Just(Outcome::Gap)];
    let id = || any::<u64>().prop_map(LogId);
    prop_oneof![
        (session(), from_session()).prop_map(|(session, message)| Event::Session(session, message)),
        (key(), id(), option::of(id()), stanza(true)).prop_map(|(sender, id, previous, stanza)| {
            Event::Forward(Forward { name: ForwardName { sender, id }, previous, stanza })
        }),
        stanza(true).prop_map(Event::Relay),
        (id(), key(), outcome)
            .prop_map(|(id, target, outcome)| { Event::Confirm(Confirm { id, target, outcome }) }),
        (any::<u64>(), command()).prop_map(|(ask, command)| Event::Command(Ask(ask), command)),
    ]
    .boxed()
}

/// Anything that is carried.
pub(crate) fn carried() -> BoxedStrategy<Carried> {
    let n = any::<u64>;
    let relayed = (full(), n()).prop_map(|(to, epoch)| (to.into(), Epoch(epoch)));
    let alone = || (source(), key(), n().prop_map(Epoch), event());
    prop_oneof![
        4 => alone().prop_map(|(source, target, epoch, event)| {
            Carried::Event { source, target, epoch, event }
        }),
        4 => (entity(), session(), to_session()).prop_map(|(source, session, message)| {
            Carried::Session { source, session, message }
        }),
        1 => (source(), stanza(false), vec(relayed, 0..5)).prop_map(|(source, stanza, to)| {
            Carried::Relays(Relays { source, stanza, to })
        }),
        1 => (entity(), bytes(), option::of(n()), n(), vec((session(), n()), 0..5)).prop_map(
            |(source, stanza, entry, waiting, to)| {
                let entry = (entry.map(LogId), LogId(waiting));
                Carried::Outbounds(Outbounds { source, stanza, entry, to })
            },
        ),
        1 => (n(), reply()).prop_map(|(ask, reply)| Carried::Reply { ask: Ask(ask), reply }),
        1 => (alone(), n()).prop_map(|((source, target, epoch, event), version)| {
            Carried::Returned { source, target, epoch, event, version }
        }),
        1 => n().prop_map(|version| Carried::Peer(PeerMessage::Version(version))),
        1 => n().prop_map(|version| Carried::Peer(PeerMessage::HandedOver { version })),
        1 => n().prop_map(|number| Carried::Peer(PeerMessage::Passing(number))),
        1 => n().prop_map(|number| Carried::Peer(PeerMessage::Passed(number))),
        1 => bytes().prop_map(|bytes| Carried::Peer(PeerMessage::Membership(bytes))),
        1 => (n(), bytes()).prop_map(|(id, body)| Carried::Question { id, body }),
        1 => (n(), bytes()).prop_map(|(id, body)| Carried::Answer { id, body }),
    ]
    .boxed()
}
