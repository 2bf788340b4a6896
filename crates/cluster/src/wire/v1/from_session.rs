//! What sessions tell their users.

use super::super::WireError;
use super::super::codec::{Reader, Writer};
use super::address::{self, Peer};
use super::{get_stanza, handover, put_stanza};
use serde::{Deserialize, Serialize};
use stentor_engine::{FromSession, SessionKey, StreamId};
use stentor_xmpp::Counter;

const BIND: u8 = 1;
const RESUME: u8 = 2;
const INBOUND: u8 = 3;
const PASSED: u8 = 4;
const ENABLE_MANAGEMENT: u8 = 5;
const REQUEST: u8 = 6;
const ACKNOWLEDGED: u8 = 7;
const FLUSHED: u8 = 8;
const GONE: u8 = 9;
const DETACHED: u8 = 10;
const ATTACH: u8 = 11;

#[derive(Serialize, Deserialize)]
struct Head {
    member: u64,
    arbiter: u16,
    serial: u64,
    what: u8,
}

#[derive(Serialize, Deserialize)]
struct Bind<'a> {
    resource: &'a str,
    peer: Peer,
}

#[derive(Serialize, Deserialize)]
struct Resume {
    stream: u128,
    h: u32,
    peer: Peer,
}

#[derive(Serialize, Deserialize)]
struct Inbound {
    attachment: u64,
    first: u64,
}

#[derive(Serialize, Deserialize)]
struct Passed {
    attachment: u64,
    number: u64,
    is_answered: bool,
}

#[derive(Serialize, Deserialize)]
struct EnableManagement {
    attachment: u64,
    stream: u128,
    resume: bool,
    max: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Request {
    attachment: u64,
}

#[derive(Serialize, Deserialize)]
struct Acknowledged {
    attachment: u64,
    h: u32,
}

#[derive(Serialize, Deserialize)]
struct Flushed {
    attachment: u64,
    outbound: u64,
}

#[derive(Serialize, Deserialize)]
struct Detached {
    attachment: u64,
    resumable: bool,
}

pub(super) fn put(session: SessionKey, message: &FromSession, writer: &mut Writer) {
    let address::Session { member, arbiter, serial } = address::session(session);
    writer.put(&Head { member, arbiter, serial, what: what(message) });
    match message {
        FromSession::Bind { resource, peer } => writer.put(&Bind { resource, peer: Peer::of(*peer) }),
        FromSession::Resume { stream, h, peer } => {
            writer.put(&Resume { stream: stream.0, h: h.0, peer: Peer::of(*peer) });
        }
        FromSession::Inbound { attachment, first, stanzas } => {
            writer.put(&Inbound { attachment: *attachment, first: *first });
            writer.list(stanzas, |writer, stanza| put_stanza(stanza, writer));
        }
        FromSession::Passed { attachment, number, answer } => {
            writer.put(&Passed { attachment: *attachment, number: *number, is_answered: answer.is_some() });
            if let Some(answer) = answer {
                put_stanza(answer, writer);
            }
        }
        FromSession::EnableManagement { attachment, stream, resume, max } => {
            let (attachment, stream, resume, max) = (*attachment, stream.0, *resume, *max);
            writer.put(&EnableManagement { attachment, stream, resume, max });
        }
        FromSession::Request { attachment } => writer.put(&Request { attachment: *attachment }),
        FromSession::Acknowledged { attachment, h } => {
            writer.put(&Acknowledged { attachment: *attachment, h: h.0 });
        }
        FromSession::Flushed { attachment, outbound } => {
            writer.put(&Flushed { attachment: *attachment, outbound: *outbound });
        }
        FromSession::Attach(attach) => handover::put_attach(attach, writer),
        FromSession::Gone => {}
        FromSession::Detached { attachment, resumable } => {
            writer.put(&Detached { attachment: *attachment, resumable: *resumable });
        }
    }
}

fn what(message: &FromSession) -> u8 {
    match message {
        FromSession::Bind { .. } => BIND,
        FromSession::Resume { .. } => RESUME,
        FromSession::Inbound { .. } => INBOUND,
        FromSession::Passed { .. } => PASSED,
        FromSession::EnableManagement { .. } => ENABLE_MANAGEMENT,
        FromSession::Request { .. } => REQUEST,
        FromSession::Acknowledged { .. } => ACKNOWLEDGED,
        FromSession::Flushed { .. } => FLUSHED,
        FromSession::Attach(_) => ATTACH,
        FromSession::Gone => GONE,
        FromSession::Detached { .. } => DETACHED,
    }
}

pub(super) fn get(reader: &mut Reader<'_>) -> Result<(SessionKey, FromSession), WireError> {
    let Head { member, arbiter, serial, what } = reader.get()?;
    let message = match what {
        BIND => {
            let Bind { resource, peer } = reader.get()?;
            FromSession::Bind { resource: resource.into(), peer: peer.into_address()? }
        }
        RESUME => {
            let Resume { stream, h, peer } = reader.get()?;
            FromSession::Resume { stream: StreamId(stream), h: Counter(h), peer: peer.into_address()? }
        }
        INBOUND => {
            let Inbound { attachment, first } = reader.get()?;
            FromSession::Inbound { attachment, first, stanzas: reader.list(get_stanza)? }
        }
        PASSED => {
            let Passed { attachment, number, is_answered } = reader.get()?;
            let answer = is_answered.then(|| get_stanza(reader)).transpose()?;
            FromSession::Passed { attachment, number, answer }
        }
        ENABLE_MANAGEMENT => {
            let EnableManagement { attachment, stream, resume, max } = reader.get()?;
            FromSession::EnableManagement { attachment, stream: StreamId(stream), resume, max }
        }
        REQUEST => {
            let Request { attachment } = reader.get()?;
            FromSession::Request { attachment }
        }
        ACKNOWLEDGED => {
            let Acknowledged { attachment, h } = reader.get()?;
            FromSession::Acknowledged { attachment, h: Counter(h) }
        }
        FLUSHED => {
            let Flushed { attachment, outbound } = reader.get()?;
            FromSession::Flushed { attachment, outbound }
        }
        ATTACH => FromSession::Attach(Box::new(handover::get_attach(reader)?)),
        GONE => FromSession::Gone,
        DETACHED => {
            let Detached { attachment, resumable } = reader.get()?;
            FromSession::Detached { attachment, resumable }
        }
        _ => return Err(WireError::Malformed("nothing that a session says")),
    };
    Ok((address::Session { member, arbiter, serial }.into(), message))
}
