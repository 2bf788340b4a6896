//! One payload to many.

use super::super::codec::{Raw, Reader, Writer};
use super::super::{Outbounds, Relays, WireError};
use super::address::{self, Source, from_entity, session};
use super::{NAMES_BYTES, get_stanza, put_stanza};
use crate::limits::FANOUT_TARGETS_MAX;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stentor_engine::{Epoch, LogId};
use stentor_xmpp::Jid;

#[derive(Serialize, Deserialize)]
struct Relayed<'a> {
    to: &'a str,
    epoch: u64,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    entry: Option<u64>,
    waiting: u64,
}

#[derive(Serialize, Deserialize)]
struct Outbound {
    member: u64,
    arbiter: u16,
    serial: u64,
    attachment: u64,
}

pub(super) fn put_relays(relays: &Relays) -> Writer {
    let addresses: usize = relays.to.iter().map(|(to, _)| to.as_str().len() + 12).sum();
    let mut writer = Writer::new(NAMES_BYTES + relays.stanza.size() + addresses);
    writer.put(&Source::of(relays.source));
    let mut stanza = relays.stanza.clone();
    stanza.set_to(None);
    put_stanza(&stanza, &mut writer);
    writer.list(&relays.to, |writer, (to, epoch)| writer.put(&Relayed { to: to.as_str(), epoch: epoch.0 }));
    writer
}

pub(super) fn get_relays(reader: &mut Reader<'_>) -> Result<Relays, WireError> {
    let source = reader.get::<Source>()?.into_source()?;
    let stanza = get_stanza(reader)?;
    if stanza.to().is_some() {
        return Err(WireError::Malformed("a stanza to many that is to one"));
    }
    let to = reader.list_up_to(FANOUT_TARGETS_MAX, |reader| {
        let Relayed { to, epoch } = reader.get()?;
        let to = Jid::parse(to).map_err(|_| WireError::Malformed("no address to relay to"))?;
        Ok((to, Epoch(epoch)))
    })?;
    Ok(Relays { source, stanza, to })
}

pub(super) fn put_outbounds(outbounds: &Outbounds) -> Writer {
    let mut writer = Writer::new(NAMES_BYTES + outbounds.stanza.len() + 24 * outbounds.to.len());
    writer.put(&Source::entity(outbounds.source));
    writer.put(&Raw(&outbounds.stanza));
    let (entry, waiting) = outbounds.entry;
    writer.put(&Entry { entry: entry.map(|id| id.0), waiting: waiting.0 });
    writer.list(&outbounds.to, |writer, (key, attachment)| {
        let address::Session { member, arbiter, serial } = session(*key);
        writer.put(&Outbound { member, arbiter, serial, attachment: *attachment });
    });
    writer
}

pub(super) fn get_outbounds(reader: &mut Reader<'_>) -> Result<Outbounds, WireError> {
    let source = from_entity(reader)?;
    let Raw(stanza) = reader.get()?;
    let Entry { entry, waiting } = reader.get()?;
    let entry = (entry.map(LogId), LogId(waiting));
    let to = reader.list_up_to(FANOUT_TARGETS_MAX, |reader| {
        let Outbound { member, arbiter, serial, attachment } = reader.get()?;
        Ok((address::Session { member, arbiter, serial }.into(), attachment))
    })?;
    Ok(Outbounds { source, stanza: Bytes::copy_from_slice(stanza), entry, to })
}
