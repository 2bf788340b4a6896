//! Events between entities.

use super::super::WireError;
use super::super::codec::{Reader, Writer};
use super::address::to_entity;
use super::error::{get_stanza_error, put_stanza_error};
use super::{from_session, get_stanza, handover, kind, operator, put_stanza};
use serde::{Deserialize, Serialize};
use stentor_engine::{Confirm, Event, Forward, ForwardName, FromSession, LogId, Outcome};

#[derive(Serialize, Deserialize)]
struct Name<'a> {
    kind: u8,
    sender: &'a str,
    id: u64,
    previous: Option<u64>,
}

const ACCEPTED: u8 = 1;
const REFUSED: u8 = 2;
const GAP: u8 = 3;

#[derive(Serialize, Deserialize)]
struct Fate<'a> {
    kind: u8,
    target: &'a str,
    id: u64,
    outcome: u8,
}

/// About how many bytes its payload takes.
pub(super) fn bytes(event: &Event) -> usize {
    match event {
        Event::Forward(forward) => forward.stanza.size(),
        Event::Relay(stanza) => stanza.size(),
        Event::Session(_, FromSession::Inbound { stanzas, .. }) => {
            stanzas.iter().map(|stanza| stanza.size() + 4).sum()
        }
        Event::Session(_, FromSession::Attach(attach)) => handover::bytes(attach),
        _ => 0,
    }
}

pub(super) fn put(event: &Event, writer: &mut Writer) -> Result<(), WireError> {
    match event {
        Event::Session(key, message) => from_session::put(*key, message, writer),
        Event::Forward(Forward { name, previous, stanza }) => {
            let (kind, sender) = name.sender.parts();
            writer.put(&Name { kind, sender, id: name.id.0, previous: previous.map(|id| id.0) });
            put_stanza(stanza, writer);
        }
        Event::Relay(stanza) => put_stanza(stanza, writer),
        Event::Confirm(confirm) => put_confirm(confirm, writer),
        Event::Command(ask, command) => operator::put_command(*ask, command, writer),
        Event::Rows(..)
        | Event::Derived(..)
        | Event::Timer(_)
        | Event::TakenOver(_)
        | Event::Gathered
        | Event::MemberGone { .. } => {
            return Err(WireError::NotCarried);
        }
    }
    Ok(())
}

pub(super) fn get(kind: u8, reader: &mut Reader<'_>) -> Result<Event, WireError> {
    Ok(match kind {
        kind::SESSION_EVENT | kind::SESSION_GOES => {
            let (session, message) = from_session::get(reader)?;
            Event::Session(session, message)
        }
        kind::FORWARD => {
            let Name { kind, sender, id, previous } = reader.get()?;
            let stanza = get_stanza(reader)?;
            let name = ForwardName { sender: to_entity(kind, sender, stanza.from())?, id: LogId(id) };
            Event::Forward(Forward { name, previous: previous.map(LogId), stanza })
        }
        kind::RELAY => Event::Relay(get_stanza(reader)?),
        kind::CONFIRM => Event::Confirm(get_confirm(reader)?),
        kind::COMMAND => {
            let (ask, command) = operator::get_command(reader)?;
            Event::Command(ask, command)
        }
        _ => return Err(WireError::Malformed("no kind of event")),
    })
}

fn put_confirm(Confirm { id, target, outcome }: &Confirm, writer: &mut Writer) {
    let (kind, target) = target.parts();
    let code = match outcome {
        Outcome::Accepted => ACCEPTED,
        Outcome::Refused(_) => REFUSED,
        Outcome::Gap => GAP,
    };
    writer.put(&Fate { kind, target, id: id.0, outcome: code });
    if let Outcome::Refused(error) = outcome {
        put_stanza_error(error, writer);
    }
}

fn get_confirm(reader: &mut Reader<'_>) -> Result<Confirm, WireError> {
    let Fate { kind, target, id, outcome } = reader.get()?;
    let outcome = match outcome {
        ACCEPTED => Outcome::Accepted,
        REFUSED => Outcome::Refused(get_stanza_error(reader)?),
        GAP => Outcome::Gap,
        _ => return Err(WireError::Malformed("no outcome")),
    };
    Ok(Confirm { id: LogId(id), target: to_entity(kind, target, None)?, outcome })
}
