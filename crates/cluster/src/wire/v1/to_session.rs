//! What users tell their sessions.

use super::super::WireError;
use super::super::codec::{Raw, Reader, Writer};
use super::error::{get_stanza_error, get_stream_error, put_stanza_error, put_stream_error};
use super::handover;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stentor_engine::{self as engine, LogId, StreamId, ToSession};
use stentor_xmpp::{Counter, FullJid};

const BOUND: u8 = 1;
const BIND_REFUSED: u8 = 2;
const RESUMED: u8 = 3;
const RESUME_FAILED: u8 = 4;
const MANAGEMENT_ENABLED: u8 = 5;
const CONFIRMED: u8 = 6;
const ANSWER: u8 = 7;
const OUTBOUND: u8 = 8;
const REATTACH: u8 = 9;
const END: u8 = 10;
const ATTACHED: u8 = 11;
const SNAPSHOT: u8 = 12;

#[derive(Serialize, Deserialize)]
struct Bound<'a> {
    attachment: u64,
    jid: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Resumed<'a> {
    attachment: u64,
    jid: &'a str,
    handled: u64,
    acknowledged: u32,
}

#[derive(Serialize, Deserialize)]
struct ResumeFailed {
    handled: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct ManagementEnabled {
    resumable: Option<u128>,
    max: u32,
}

/// All of `Confirmed`, of `Answer` and of `Attached`.
#[derive(Serialize, Deserialize)]
struct Confirmed {
    attachment: u64,
    inbound: u64,
}

#[derive(Serialize, Deserialize)]
struct Outbound<'a> {
    attachment: u64,
    entry: Option<u64>,
    waiting: u64,
    #[serde(borrow)]
    stanza: Raw<'a>,
}

/// About how many bytes its payload takes.
pub(super) fn bytes(message: &ToSession) -> usize {
    match message {
        ToSession::Outbound { stanza, .. } => stanza.len(),
        ToSession::Resumed(resumed) => {
            handover::copies_bytes(&resumed.again) + handover::snapshot_bytes(&resumed.snapshot)
        }
        ToSession::Snapshot { snapshot, .. } => handover::snapshot_bytes(snapshot),
        _ => 0,
    }
}

pub(super) fn put(message: &ToSession, writer: &mut Writer) {
    match message {
        ToSession::Bound { attachment, jid } => {
            writer.put(&BOUND);
            writer.put(&Bound { attachment: *attachment, jid: jid.as_str() });
        }
        ToSession::BindRefused(error) => {
            writer.put(&BIND_REFUSED);
            put_stanza_error(error, writer);
        }
        ToSession::Resumed(resumed) => {
            let engine::Resumed { attachment, jid, handled, acknowledged, .. } = resumed;
            writer.put(&RESUMED);
            let (attachment, jid) = (*attachment, jid.as_str());
            let (handled, acknowledged) = (*handled, acknowledged.0);
            writer.put(&Resumed { attachment, jid, handled, acknowledged });
            handover::put_snapshot(&resumed.snapshot, writer);
            handover::put_copies(&resumed.again, writer);
            writer.list(&resumed.taken, |writer, id| writer.put(&id.0));
        }
        ToSession::ResumeFailed { handled } => {
            writer.put(&RESUME_FAILED);
            writer.put(&ResumeFailed { handled: handled.map(|h| h.0) });
        }
        ToSession::ManagementEnabled { resumable, max } => {
            writer.put(&MANAGEMENT_ENABLED);
            writer.put(&ManagementEnabled { resumable: resumable.map(|stream| stream.0), max: *max });
        }
        ToSession::Confirmed { attachment, inbound } => {
            writer.put(&CONFIRMED);
            writer.put(&Confirmed { attachment: *attachment, inbound: *inbound });
        }
        ToSession::Answer { attachment, inbound } => {
            writer.put(&ANSWER);
            writer.put(&Confirmed { attachment: *attachment, inbound: *inbound });
        }
        ToSession::Outbound { attachment, stanza, entry, waiting } => {
            writer.put(&OUTBOUND);
            let (attachment, entry, waiting) = (*attachment, entry.map(|id| id.0), waiting.0);
            writer.put(&Outbound { attachment, entry, waiting, stanza: Raw(stanza) });
        }
        ToSession::Attached { attachment, inbound } => {
            writer.put(&ATTACHED);
            writer.put(&Confirmed { attachment: *attachment, inbound: *inbound });
        }
        ToSession::Snapshot { attachment, snapshot } => {
            writer.put(&SNAPSHOT);
            writer.put(attachment);
            handover::put_snapshot(snapshot, writer);
        }
        ToSession::Reattach => writer.put(&REATTACH),
        ToSession::End(error) => {
            writer.put(&END);
            put_stream_error(error, writer);
        }
    }
}

pub(super) fn get(reader: &mut Reader<'_>) -> Result<ToSession, WireError> {
    Ok(match reader.get::<u8>()? {
        BOUND => {
            let Bound { attachment, jid } = reader.get()?;
            ToSession::Bound { attachment, jid: full(jid)? }
        }
        BIND_REFUSED => ToSession::BindRefused(get_stanza_error(reader)?),
        RESUMED => {
            let Resumed { attachment, jid, handled, acknowledged } = reader.get()?;
            let (jid, acknowledged) = (full(jid)?, Counter(acknowledged));
            let snapshot = Box::new(handover::get_snapshot(reader)?);
            if snapshot.management.is_none() {
                return Err(WireError::Malformed("a stream is resumed that is not managed"));
            }
            let (again, taken) =
                (handover::get_copies(reader)?, reader.list(|reader| reader.get().map(LogId))?);
            ToSession::Resumed(engine::Resumed {
                attachment,
                jid,
                snapshot,
                handled,
                acknowledged,
                again,
                taken,
            })
        }
        RESUME_FAILED => {
            let ResumeFailed { handled } = reader.get()?;
            ToSession::ResumeFailed { handled: handled.map(Counter) }
        }
        MANAGEMENT_ENABLED => {
            let ManagementEnabled { resumable, max } = reader.get()?;
            ToSession::ManagementEnabled { resumable: resumable.map(StreamId), max }
        }
        CONFIRMED => {
            let Confirmed { attachment, inbound } = reader.get()?;
            ToSession::Confirmed { attachment, inbound }
        }
        ANSWER => {
            let Confirmed { attachment, inbound } = reader.get()?;
            ToSession::Answer { attachment, inbound }
        }
        OUTBOUND => {
            // Copied, for the session keeps it long, and the rest of what was read with it is not to stay for that.
            let Outbound { attachment, entry, waiting, stanza: Raw(stanza) } = reader.get()?;
            let (entry, waiting) = (entry.map(LogId), LogId(waiting));
            ToSession::Outbound { attachment, stanza: Bytes::copy_from_slice(stanza), entry, waiting }
        }
        ATTACHED => {
            let Confirmed { attachment, inbound } = reader.get()?;
            ToSession::Attached { attachment, inbound }
        }
        SNAPSHOT => {
            let attachment = reader.get()?;
            ToSession::Snapshot { attachment, snapshot: Box::new(handover::get_snapshot(reader)?) }
        }
        REATTACH => ToSession::Reattach,
        END => ToSession::End(get_stream_error(reader)?),
        _ => return Err(WireError::Malformed("nothing that a user says to a session")),
    })
}

pub(super) fn full(jid: &str) -> Result<FullJid, WireError> {
    FullJid::parse(jid).map_err(|_| WireError::Malformed("no full address"))
}
