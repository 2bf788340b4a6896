//! Version 1 of the wire. The structs in here are frozen: what they write never changes (a file of bytes in the tests
//! holds them to it). Something new is another kind, or another version.

mod address;
mod control;
mod error;
mod event;
mod fanout;
mod from_session;
mod handover;
mod kind;
mod operator;
mod to_session;

use super::codec::{Raw, Reader, Writer};
use super::{Carried, Encoded, Version, WireError};
use crate::PeerMessage;
use address::{Source, from_entity, session, to_entity};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stentor_engine::{Epoch, Event, FromSession, Key, ToSession};
use stentor_xmpp::Stanza;

pub(super) use control::{decode as decode_control, encode as encode_control};

/// Bytes of a frame beside its payload, generously: two addresses and some numbers.
const NAMES_BYTES: usize = 160;

#[derive(Serialize, Deserialize)]
struct Target<'a> {
    kind: u8,
    text: &'a str,
    epoch: u64,
}

#[derive(Serialize, Deserialize)]
struct Letter<'a> {
    id: u64,
    #[serde(borrow)]
    body: Raw<'a>,
}

pub(super) fn encode(carried: &Carried) -> Result<Encoded, WireError> {
    let (writer, kind) = match carried {
        Carried::Event { source, target, epoch, event } => {
            let kind = event_kind(event)?;
            let writer = Writer::new(NAMES_BYTES + event::bytes(event));
            (put_event(writer, *source, target, *epoch, event)?, kind)
        }
        Carried::Returned { source, target, epoch, event, version } => {
            let mut writer = Writer::new(NAMES_BYTES + event::bytes(event));
            writer.put(&(*version, event_kind(event)?));
            (put_event(writer, *source, target, *epoch, event)?, kind::RETURNED)
        }
        Carried::Relays(relays) => (fanout::put_relays(relays), kind::RELAYS),
        Carried::Session { source, session: key, message } => {
            let mut writer = Writer::new(NAMES_BYTES + to_session::bytes(message));
            writer.put(&Source::entity(*source));
            writer.put(&session(*key));
            to_session::put(message, &mut writer);
            (writer, session_kind(message))
        }
        Carried::Outbounds(outbounds) => (fanout::put_outbounds(outbounds), kind::OUTBOUNDS),
        Carried::Reply { ask, reply } => {
            let mut writer = Writer::new(NAMES_BYTES);
            operator::put_reply(*ask, reply, &mut writer);
            (writer, kind::REPLY)
        }
        Carried::Peer(message) => put_peer(message),
        Carried::Question { id, body } => (put_letter(*id, body), kind::QUESTION),
        Carried::Answer { id, body } => (put_letter(*id, body), kind::ANSWER),
    };
    writer.finish(Version::V1, kind)
}

pub(super) fn decode(kind: u8, body: &[u8]) -> Result<Carried, WireError> {
    let mut reader = Reader::new(body);
    let carried = get(kind, &mut reader)?;
    reader.finish()?;
    Ok(carried)
}

fn get(kind: u8, reader: &mut Reader<'_>) -> Result<Carried, WireError> {
    Ok(match kind {
        kind::SESSION_EVENT
        | kind::SESSION_GOES
        | kind::FORWARD
        | kind::RELAY
        | kind::CONFIRM
        | kind::COMMAND => {
            let (source, target, epoch, event) = get_event(kind, reader)?;
            Carried::Event { source, target, epoch, event }
        }
        kind::RETURNED => {
            let (version, kind) = reader.get()?;
            let (source, target, epoch, event) = get_event(kind, reader)?;
            Carried::Returned { source, target, epoch, event, version }
        }
        kind::RELAYS => Carried::Relays(fanout::get_relays(reader)?),
        kind::SESSION | kind::SESSION_ENDS => {
            let source = from_entity(reader)?;
            let session = address::get_session(reader)?;
            let message = to_session::get(reader)?;
            is_its_own(kind, session_kind(&message))?;
            Carried::Session { source, session, message }
        }
        kind::OUTBOUNDS => Carried::Outbounds(fanout::get_outbounds(reader)?),
        kind::REPLY => {
            let (ask, reply) = operator::get_reply(reader)?;
            Carried::Reply { ask, reply }
        }
        kind::TABLE => Carried::Peer(PeerMessage::Version(reader.get()?)),
        kind::HANDED_OVER => Carried::Peer(PeerMessage::HandedOver { version: reader.get()? }),
        kind::PASSING => Carried::Peer(PeerMessage::Passing(reader.get()?)),
        kind::PASSED => Carried::Peer(PeerMessage::Passed(reader.get()?)),
        kind::MEMBERSHIP => {
            let Raw(bytes) = reader.get()?;
            Carried::Peer(PeerMessage::Membership(Bytes::copy_from_slice(bytes)))
        }
        kind::QUESTION | kind::ANSWER => {
            let Letter { id, body: Raw(body) } = reader.get()?;
            let body = Bytes::copy_from_slice(body);
            if kind == kind::QUESTION { Carried::Question { id, body } } else { Carried::Answer { id, body } }
        }
        unknown => return Err(WireError::UnknownKind(unknown)),
    })
}

/// That of an event's own frame.
fn event_kind(event: &Event) -> Result<u8, WireError> {
    Ok(match event {
        Event::Session(_, FromSession::Gone | FromSession::Detached { .. }) => kind::SESSION_GOES,
        Event::Session(..) => kind::SESSION_EVENT,
        Event::Forward(_) => kind::FORWARD,
        Event::Relay(_) => kind::RELAY,
        Event::Confirm(_) => kind::CONFIRM,
        Event::Command(..) => kind::COMMAND,
        Event::Rows(..)
        | Event::Derived(..)
        | Event::Timer(_)
        | Event::TakenOver(_)
        | Event::Gathered
        | Event::MemberGone { .. } => {
            return Err(WireError::NotCarried);
        }
    })
}

/// That of a message to a session.
fn session_kind(message: &ToSession) -> u8 {
    match message {
        ToSession::End(_) | ToSession::Reattach => kind::SESSION_ENDS,
        _ => kind::SESSION,
    }
}

/// The kind says how a frame is admitted, so it is not the sender's to choose.
fn is_its_own(kind: u8, own: u8) -> Result<(), WireError> {
    if kind == own { Ok(()) } else { Err(WireError::Malformed("a body of another kind")) }
}

fn put_event(
    mut writer: Writer,
    source: super::Source,
    target: &Key,
    epoch: Epoch,
    event: &Event,
) -> Result<Writer, WireError> {
    writer.put(&Source::of(source));
    let (kind, text) = target.parts();
    writer.put(&Target { kind, text, epoch: epoch.0 });
    event::put(event, &mut writer)?;
    Ok(writer)
}

fn get_event(kind: u8, reader: &mut Reader<'_>) -> Result<(super::Source, Key, Epoch, Event), WireError> {
    let source = reader.get::<Source>()?.into_source()?;
    let target: Target<'_> = reader.get()?;
    let event = event::get(kind, reader)?;
    is_its_own(kind, event_kind(&event)?)?;
    let near = match &event {
        Event::Relay(stanza) => stanza.to(),
        Event::Forward(forward) => forward.stanza.to(),
        _ => None,
    };
    Ok((source, to_entity(target.kind, target.text, near)?, Epoch(target.epoch), event))
}

fn put_peer(message: &PeerMessage) -> (Writer, u8) {
    let mut writer = Writer::new(NAMES_BYTES);
    let kind = match message {
        PeerMessage::Version(version) => {
            writer.put(version);
            kind::TABLE
        }
        PeerMessage::HandedOver { version } => {
            writer.put(version);
            kind::HANDED_OVER
        }
        PeerMessage::Passing(number) => {
            writer.put(number);
            kind::PASSING
        }
        PeerMessage::Passed(number) => {
            writer.put(number);
            kind::PASSED
        }
        PeerMessage::Membership(bytes) => {
            writer.put(&Raw(bytes));
            kind::MEMBERSHIP
        }
    };
    (writer, kind)
}

fn put_letter(id: u64, body: &[u8]) -> Writer {
    let mut writer = Writer::new(16 + body.len());
    writer.put(&Letter { id, body: Raw(body) });
    writer
}

/// Appends a stanza, as the bytes that it is.
fn put_stanza(stanza: &Stanza, writer: &mut Writer) {
    writer.put_written(stanza.size(), |out| stanza.write_to(out));
}

fn get_stanza(reader: &mut Reader<'_>) -> Result<Stanza, WireError> {
    let text: &str = reader.get()?;
    Stanza::parse(text).map_err(|_| WireError::Malformed("no stanza"))
}
