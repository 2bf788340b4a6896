//! What sessions keep for the next user, and hand to it.

use super::super::WireError;
use super::super::codec::{Raw, Reader, Writer};
use super::address::Peer;
use super::to_session::full;
use super::{NAMES_BYTES, get_stanza, put_stanza};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use stentor_engine::{Attach, LogId, Managed, OutboundCopy, Snapshot, StreamId, Unconfirmed};
use stentor_xmpp::{Counter, Jid, Stanza};

const FOR_USER: u8 = 1;
const PASSED: u8 = 2;
const PASSED_AND_ANSWERED: u8 = 3;

#[derive(Serialize, Deserialize)]
struct Shown {
    since: u64,
    has_presence: bool,
    is_interested: bool,
    reached: u64,
    management: Option<Management>,
}

#[derive(Serialize, Deserialize)]
struct Management {
    stream: u128,
    is_resumable: bool,
    max: u32,
    unmanaged: u64,
}

#[derive(Serialize, Deserialize)]
struct Attaching<'a> {
    attachment: u64,
    jid: &'a str,
    peer: Peer,
    confirmed: u64,
    acknowledged: u32,
}

#[derive(Serialize, Deserialize)]
struct Copied<'a> {
    entry: Option<u64>,
    #[serde(borrow)]
    stanza: Raw<'a>,
}

/// About how many bytes each takes.
pub(super) fn bytes(attach: &Attach) -> usize {
    let inbound = attach.unconfirmed.iter().map(|copy| match copy {
        Unconfirmed::Stanza(stanza) | Unconfirmed::Passed(Some(stanza)) => stanza.size() + 8,
        Unconfirmed::Passed(None) => 1,
    });
    let taken = attach.taken.len() * 9;
    snapshot_bytes(&attach.snapshot) + copies_bytes(&attach.unacknowledged) + inbound.sum::<usize>() + taken
}

pub(super) fn copies_bytes(copies: &[OutboundCopy]) -> usize {
    copies.iter().map(|copy| copy.stanza.len() + 16).sum()
}

pub(super) fn snapshot_bytes(snapshot: &Snapshot) -> usize {
    let directed = snapshot.directed.iter().flat_map(|directed| directed.iter());
    NAMES_BYTES
        + snapshot.presence.as_ref().map_or(0, Stanza::size)
        + directed.map(|jid| jid.as_str().len() + 2).sum::<usize>()
}

pub(super) fn put_snapshot(snapshot: &Snapshot, writer: &mut Writer) {
    let management = snapshot.management.map(|managed| Management {
        stream: managed.stream.0,
        is_resumable: managed.is_resumable,
        max: managed.max,
        unmanaged: managed.unmanaged,
    });
    let (since, is_interested, reached) = (snapshot.since, snapshot.is_interested, snapshot.reached.0);
    let has_presence = snapshot.presence.is_some();
    writer.put(&Shown { since, has_presence, is_interested, reached, management });
    if let Some(presence) = &snapshot.presence {
        put_stanza(presence, writer);
    }
    let directed: Vec<&Jid> = snapshot.directed.iter().flat_map(|directed| directed.iter()).collect();
    writer.list(&directed, |writer, jid| writer.put(&jid.as_str()));
}

pub(super) fn get_snapshot(reader: &mut Reader<'_>) -> Result<Snapshot, WireError> {
    let Shown { since, has_presence, is_interested, reached, management } = reader.get()?;
    let presence = has_presence.then(|| get_stanza(reader)).transpose()?;
    let directed: Vec<Jid> = reader.list(|reader| {
        Jid::parse(reader.get::<&str>()?).map_err(|_| WireError::Malformed("no address of presence"))
    })?;
    let directed = (!directed.is_empty()).then(|| Arc::new(BTreeSet::from_iter(directed)));
    let management = management.map(|Management { stream, is_resumable, max, unmanaged }| Managed {
        stream: StreamId(stream),
        is_resumable,
        max,
        unmanaged,
    });
    Ok(Snapshot { since, presence, is_interested, directed, management, reached: LogId(reached) })
}

pub(super) fn put_copies(copies: &[OutboundCopy], writer: &mut Writer) {
    writer.list(copies, |writer, OutboundCopy { stanza, entry }| {
        writer.put(&Copied { entry: entry.map(|id| id.0), stanza: Raw(stanza) });
    });
}

pub(super) fn get_copies(reader: &mut Reader<'_>) -> Result<Vec<OutboundCopy>, WireError> {
    reader.list(|reader| {
        let Copied { entry, stanza: Raw(stanza) } = reader.get()?;
        Ok(OutboundCopy { stanza: Bytes::copy_from_slice(stanza), entry: entry.map(LogId) })
    })
}

pub(super) fn put_attach(attach: &Attach, writer: &mut Writer) {
    writer.put(&Attaching {
        attachment: attach.attachment,
        jid: attach.jid.as_str(),
        peer: Peer::of(attach.peer),
        confirmed: attach.confirmed,
        acknowledged: attach.acknowledged.0,
    });
    put_snapshot(&attach.snapshot, writer);
    writer.list(&attach.unconfirmed, |writer, copy| match copy {
        Unconfirmed::Stanza(stanza) => {
            writer.put(&FOR_USER);
            put_stanza(stanza, writer);
        }
        Unconfirmed::Passed(None) => writer.put(&PASSED),
        Unconfirmed::Passed(Some(answer)) => {
            writer.put(&PASSED_AND_ANSWERED);
            put_stanza(answer, writer);
        }
    });
    put_copies(&attach.unacknowledged, writer);
    writer.list(&attach.taken, |writer, id| writer.put(&id.0));
}

pub(super) fn get_attach(reader: &mut Reader<'_>) -> Result<Attach, WireError> {
    let Attaching { attachment, jid, peer, confirmed, acknowledged } = reader.get()?;
    let (jid, peer, acknowledged) = (full(jid)?, peer.into_address()?, Counter(acknowledged));
    let snapshot = get_snapshot(reader)?;
    let unconfirmed = reader.list(|reader| {
        Ok(match reader.get::<u8>()? {
            FOR_USER => Unconfirmed::Stanza(get_stanza(reader)?),
            PASSED => Unconfirmed::Passed(None),
            PASSED_AND_ANSWERED => Unconfirmed::Passed(Some(get_stanza(reader)?)),
            _ => return Err(WireError::Malformed("nothing that is handed over")),
        })
    })?;
    let unacknowledged = get_copies(reader)?;
    let taken = reader.list(|reader| reader.get().map(LogId))?;
    Ok(Attach {
        attachment,
        jid,
        peer,
        snapshot,
        confirmed,
        unconfirmed,
        acknowledged,
        unacknowledged,
        taken,
    })
}
