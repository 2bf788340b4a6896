//! Who takes part in gossip, and how that and foca's messages stand in a datagram.
//!
//! Written by hand: the enums are foca's, and their order is not ours to freeze. Numbers are big-endian.

use bytes::{Buf, BufMut};
use core::cmp::Ordering;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use foca::{Header, Member, Message, State};
use stentor_engine::MemberId;

/// A member as gossip knows it. The cluster is no part of it: what is sealed for another one is not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Which incarnation of the member.
    pub(super) member: MemberId,
    /// Where it takes datagrams.
    pub(super) address: SocketAddr,
    /// One more each time that it was declared down while it was alive.
    pub(super) generation: u32,
}

impl Identity {
    /// An IPv6 scope means nothing on another machine, and would make one address two.
    pub(super) fn new(member: MemberId, address: SocketAddr) -> Self {
        Self { member, address: SocketAddr::new(address.ip(), address.port()), generation: 0 }
    }
}

impl foca::Identity for Identity {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Self> {
        Some(Self { generation: self.generation.checked_add(1)?, ..self.clone() })
    }

    fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Ids of members only grow, so whoever came last has the address.
    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        let ours = (self.member, self.generation);
        ours.cmp(&(adversary.member, adversary.generation)) == Ordering::Greater
    }
}

/// What cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CodecError {
    /// It ends too early, or names what does not exist.
    #[error("malformed")]
    Malformed,
    /// It does not fit into the rest of the datagram.
    #[error("no room")]
    NoRoom,
}

const PING: u8 = 1;
const ACK: u8 = 2;
const PING_REQ: u8 = 3;
const INDIRECT_PING: u8 = 4;
const INDIRECT_ACK: u8 = 5;
const FORWARDED_ACK: u8 = 6;
const ANNOUNCE: u8 = 7;
const FEED: u8 = 8;
const GOSSIP: u8 = 9;
const BROADCAST: u8 = 10;
const TURN_UNDEAD: u8 = 11;

/// The format.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codec;

impl foca::Codec<Identity> for Codec {
    type Error = CodecError;

    fn encode_header(&mut self, header: &Header<Identity>, buf: impl BufMut) -> Result<(), CodecError> {
        let mut bytes = Vec::with_capacity(64);
        write_identity(&header.src, &mut bytes);
        bytes.put_u16(header.src_incarnation);
        write_identity(&header.dst, &mut bytes);
        write_message(&header.message, &mut bytes);
        put(&bytes, buf)
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Identity>, CodecError> {
        Ok(Header {
            src: read_identity(&mut buf)?,
            src_incarnation: buf.try_get_u16().map_err(|_| CodecError::Malformed)?,
            dst: read_identity(&mut buf)?,
            message: read_message(&mut buf)?,
        })
    }

    fn encode_member(&mut self, member: &Member<Identity>, buf: impl BufMut) -> Result<(), CodecError> {
        let mut bytes = Vec::with_capacity(40);
        write_member(member, &mut bytes);
        put(&bytes, buf)
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Identity>, CodecError> {
        read_member(&mut buf)
    }
}

fn put(bytes: &[u8], mut buf: impl BufMut) -> Result<(), CodecError> {
    if buf.remaining_mut() < bytes.len() {
        return Err(CodecError::NoRoom);
    }
    buf.put_slice(bytes);
    Ok(())
}

fn byte(buf: &mut impl Buf) -> Result<u8, CodecError> {
    buf.try_get_u8().map_err(|_| CodecError::Malformed)
}

pub(super) fn write_identity(identity: &Identity, out: &mut Vec<u8>) {
    out.put_u64(identity.member.0);
    out.put_u32(identity.generation);
    match identity.address.ip() {
        IpAddr::V4(ip) => {
            out.put_u8(4);
            out.put_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.put_u8(6);
            out.put_slice(&ip.octets());
        }
    }
    out.put_u16(identity.address.port());
}

pub(super) fn read_identity(buf: &mut impl Buf) -> Result<Identity, CodecError> {
    let malformed = |_| CodecError::Malformed;
    let member = MemberId(buf.try_get_u64().map_err(malformed)?);
    let generation = buf.try_get_u32().map_err(malformed)?;
    let ip = match byte(buf)? {
        4 => IpAddr::V4(Ipv4Addr::from_bits(buf.try_get_u32().map_err(malformed)?)),
        6 => IpAddr::V6(Ipv6Addr::from_bits(buf.try_get_u128().map_err(malformed)?)),
        _ => return Err(CodecError::Malformed),
    };
    let address = SocketAddr::new(ip, buf.try_get_u16().map_err(malformed)?);
    Ok(Identity { member, address, generation })
}

pub(super) fn write_member(member: &Member<Identity>, out: &mut Vec<u8>) {
    write_identity(member.id(), out);
    out.put_u16(member.incarnation());
    out.put_u8(match member.state() {
        State::Alive => 1,
        State::Suspect => 2,
        State::Down => 3,
    });
}

pub(super) fn read_member(buf: &mut impl Buf) -> Result<Member<Identity>, CodecError> {
    let identity = read_identity(buf)?;
    let incarnation = buf.try_get_u16().map_err(|_| CodecError::Malformed)?;
    let state = match byte(buf)? {
        1 => State::Alive,
        2 => State::Suspect,
        3 => State::Down,
        _ => return Err(CodecError::Malformed),
    };
    Ok(Member::new(identity, incarnation, state))
}

fn write_message(message: &Message<Identity>, out: &mut Vec<u8>) {
    match message {
        Message::Ping(number) => out.put_slice(&[PING, *number]),
        Message::Ack(number) => out.put_slice(&[ACK, *number]),
        Message::PingReq { target, probe_number } => write_indirect(PING_REQ, target, *probe_number, out),
        Message::IndirectPing { origin, probe_number } => {
            write_indirect(INDIRECT_PING, origin, *probe_number, out);
        }
        Message::IndirectAck { target, probe_number } => {
            write_indirect(INDIRECT_ACK, target, *probe_number, out);
        }
        Message::ForwardedAck { origin, probe_number } => {
            write_indirect(FORWARDED_ACK, origin, *probe_number, out);
        }
        Message::Announce => out.put_u8(ANNOUNCE),
        Message::Feed => out.put_u8(FEED),
        Message::Gossip => out.put_u8(GOSSIP),
        Message::Broadcast => out.put_u8(BROADCAST),
        Message::TurnUndead => out.put_u8(TURN_UNDEAD),
    }
}

fn write_indirect(kind: u8, other: &Identity, number: u8, out: &mut Vec<u8>) {
    out.put_slice(&[kind, number]);
    write_identity(other, out);
}

fn read_message(buf: &mut impl Buf) -> Result<Message<Identity>, CodecError> {
    Ok(match byte(buf)? {
        PING => Message::Ping(byte(buf)?),
        ACK => Message::Ack(byte(buf)?),
        PING_REQ => {
            let probe_number = byte(buf)?;
            Message::PingReq { probe_number, target: read_identity(buf)? }
        }
        INDIRECT_PING => {
            let probe_number = byte(buf)?;
            Message::IndirectPing { probe_number, origin: read_identity(buf)? }
        }
        INDIRECT_ACK => {
            let probe_number = byte(buf)?;
            Message::IndirectAck { probe_number, target: read_identity(buf)? }
        }
        FORWARDED_ACK => {
            let probe_number = byte(buf)?;
            Message::ForwardedAck { probe_number, origin: read_identity(buf)? }
        }
        ANNOUNCE => Message::Announce,
        FEED => Message::Feed,
        GOSSIP => Message::Gossip,
        BROADCAST => Message::Broadcast,
        TURN_UNDEAD => Message::TurnUndead,
        _ => return Err(CodecError::Malformed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use foca::{Codec as _, Identity as _};

    fn identity(member: u64, address: &str) -> Identity {
        Identity::new(MemberId(member), address.parse().unwrap())
    }

    /// One of each kind; some name another member.
    fn messages(named: &Identity) -> [Message<Identity>; 11] {
        [
            Message::Ping(7),
            Message::Ack(255),
            Message::PingReq { target: named.clone(), probe_number: 1 },
            Message::IndirectPing { origin: named.clone(), probe_number: 2 },
            Message::IndirectAck { target: named.clone(), probe_number: 3 },
            Message::ForwardedAck { origin: named.clone(), probe_number: 4 },
            Message::Announce,
            Message::Feed,
            Message::Gossip,
            Message::Broadcast,
            Message::TurnUndead,
        ]
    }

    #[test]
    fn headers_are_as_written_and_every_shorter_one_is_refused() {
        let (a, b) = (identity(1, "10.0.0.1:5270"), identity(u64::MAX, "[2001:db8::1]:1"));
        let c = identity(3, "127.0.0.1:65535").renew().unwrap();
        for message in messages(&c) {
            let header = Header { src: a.clone(), src_incarnation: 9, dst: b.clone(), message };
            let mut bytes = Vec::new();
            Codec.encode_header(&header, &mut bytes).unwrap();
            assert_eq!(Codec.decode_header(&bytes[..]), Ok(header.clone()));
            for end in 0..bytes.len() {
                assert_eq!(
                    Codec.decode_header(&bytes[..end]),
                    Err(CodecError::Malformed),
                    "{header:?} {end}"
                );
            }
        }
    }

    #[test]
    fn the_format_is_frozen() {
        let mut bytes = Vec::new();
        write_member(&Member::new(identity(258, "10.0.0.1:5270"), 3, State::Suspect), &mut bytes);
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 4, 10, 0, 0, 1, 20, 150, 0, 3, 2]);
        assert_eq!(
            read_member(&mut &bytes[..]),
            Ok(Member::new(identity(258, "10.0.0.1:5270"), 3, State::Suspect))
        );
    }

    #[test]
    fn the_format_of_messages_is_frozen() {
        let (a, b) = (identity(258, "10.0.0.1:5270"), identity(3, "[2001:db8::1]:1"));
        let one = [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 4, 10, 0, 0, 1, 20, 150];
        let other =
            [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 6, 32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
        let addresses = [&one[..], &[0, 9], &other].concat();
        let mut tails = vec![vec![1, 7], vec![2, 255]];
        tails.extend((1..=4).map(|n| [&[n + 2, n][..], &one].concat()));
        tails.extend((7..=11).map(|kind| vec![kind]));
        for (message, tail) in messages(&a).into_iter().zip(tails) {
            let header = Header { src: a.clone(), src_incarnation: 9, dst: b.clone(), message };
            let mut bytes = Vec::new();
            Codec.encode_header(&header, &mut bytes).unwrap();
            assert_eq!(bytes, [addresses.clone(), tail].concat(), "{header:?}");
        }
    }

    #[test]
    fn what_does_not_fit_leaves_the_buffer_clean() {
        let mut bytes = Vec::new();
        let member = Member::alive(identity(1, "10.0.0.1:5270"));
        assert_eq!(Codec.encode_member(&member, (&mut bytes).limit(20)), Err(CodecError::NoRoom));
        assert!(bytes.is_empty());
    }

    #[test]
    fn the_later_identity_has_the_address() {
        let first = identity(1, "10.0.0.1:5270");
        let renewed = first.renew().unwrap();
        let next = identity(2, "10.0.0.1:5270");
        assert!(renewed.win_addr_conflict(&first) && !first.win_addr_conflict(&renewed));
        assert!(next.win_addr_conflict(&renewed) && !renewed.win_addr_conflict(&next));
        assert!(!first.win_addr_conflict(&first));
    }
}
