//! Who: entities, slots in an epoch, sessions, and where a client is.

use super::super::codec::Reader;
use super::super::{self as wire, WireError};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use serde::{Deserialize, Serialize};
use stentor_engine::{Epoch, Key, MemberId, SessionKey, Slot};
use stentor_xmpp::{BareJid, Jid};

/// The member itself.
const MEMBER: u8 = 0;
/// An entity in a slot.
const ENTITY: u8 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct Source {
    what: u8,
    slot: u16,
    epoch: u64,
}

impl Source {
    pub(super) fn of(source: wire::Source) -> Self {
        match source {
            wire::Source::Member => Self { what: MEMBER, slot: 0, epoch: 0 },
            wire::Source::Entity(slot, epoch) => Self::entity((slot, epoch)),
        }
    }

    pub(super) fn entity((slot, epoch): (Slot, Epoch)) -> Self {
        Self { what: ENTITY, slot: slot.number(), epoch: epoch.0 }
    }

    pub(super) fn into_source(self) -> Result<wire::Source, WireError> {
        let slot = Slot::new(self.slot).ok_or(WireError::Malformed("no slot"))?;
        match self.what {
            MEMBER => Ok(wire::Source::Member),
            ENTITY => Ok(wire::Source::Entity(slot, Epoch(self.epoch))),
            _ => Err(WireError::Malformed("no source")),
        }
    }
}

/// The source of what only entities send.
pub(super) fn from_entity(reader: &mut Reader<'_>) -> Result<(Slot, Epoch), WireError> {
    match reader.get::<Source>()?.into_source()? {
        wire::Source::Entity(slot, epoch) => Ok((slot, epoch)),
        wire::Source::Member => Err(WireError::Malformed("a message that only entities send")),
    }
}

/// The entity of this kind and name; shares the memory of `near` where that is the same address.
pub(super) fn to_entity(kind: u8, text: &str, near: Option<&Jid>) -> Result<Key, WireError> {
    if kind != b'u' {
        return Err(WireError::Malformed("no kind of entity"));
    }
    if let Some(near) = near.filter(|near| near.bare() == text) {
        return Ok(Key::User(near.to_bare()));
    }
    BareJid::parse(text).map(Key::User).map_err(|_| WireError::Malformed("no address of an entity"))
}

#[derive(Serialize, Deserialize)]
pub(super) struct Session {
    pub member: u64,
    pub arbiter: u16,
    pub serial: u64,
}

pub(super) fn session(SessionKey { member, arbiter, serial }: SessionKey) -> Session {
    Session { member: member.0, arbiter, serial }
}

impl From<Session> for SessionKey {
    fn from(Session { member, arbiter, serial }: Session) -> Self {
        Self { member: MemberId(member), arbiter, serial }
    }
}

pub(super) fn get_session(reader: &mut Reader<'_>) -> Result<SessionKey, WireError> {
    reader.get::<Session>().map(SessionKey::from)
}

/// Where a client is: version of IP, or 0 for unknown, and the bits of the address.
#[derive(Serialize, Deserialize)]
pub(super) struct Peer(u8, u128);

impl Peer {
    pub(super) fn of(peer: Option<IpAddr>) -> Self {
        match peer {
            None => Self(0, 0),
            Some(IpAddr::V4(address)) => Self(4, address.to_bits().into()),
            Some(IpAddr::V6(address)) => Self(6, address.to_bits()),
        }
    }

    pub(super) fn into_address(self) -> Result<Option<IpAddr>, WireError> {
        match self {
            Self(0, 0) => Ok(None),
            Self(4, bits) => {
                let bits = u32::try_from(bits).map_err(|_| WireError::Malformed("no IPv4 address"))?;
                Ok(Some(Ipv4Addr::from_bits(bits).into()))
            }
            Self(6, bits) => Ok(Some(Ipv6Addr::from_bits(bits).into())),
            Self(..) => Err(WireError::Malformed("no IP address")),
        }
    }
}
