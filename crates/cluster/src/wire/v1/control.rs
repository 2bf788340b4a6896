//! The link's own frames.

use super::super::codec::{Reader, Writer};
use super::super::greeting::Control;
use super::super::{self as wire, Encoded, Received, Refusal, Version, WireError};
use super::kind;
use serde::{Deserialize, Serialize};
use stentor_engine::MemberId;

#[derive(Serialize, Deserialize)]
struct Hello<'a> {
    lowest: u16,
    highest: u16,
    cluster: u64,
    from: u64,
    to: u64,
    name: &'a str,
    events: u64,
    answers: u64,
}

const OTHER_CLUSTER: u8 = 1;
const OTHER_MEMBER: u8 = 2;
const UNKNOWN_MEMBER: u8 = 3;
const NO_VERSION: u8 = 4;
const OTHER_HISTORY: u8 = 5;

#[derive(Serialize, Deserialize)]
struct Refused {
    why: u8,
    member: u64,
    lowest: u16,
    highest: u16,
}

#[derive(Serialize, Deserialize)]
struct Status {
    table: u64,
    events: u64,
    answers: u64,
    events_max: u64,
    bytes_max: u64,
}

pub(in super::super) fn encode(control: &Control) -> Result<Encoded, WireError> {
    let mut writer = Writer::new(64);
    let kind = match control {
        Control::Hello(hello) => {
            put_hello(hello, &mut writer);
            kind::HELLO
        }
        Control::Refused(refusal) => {
            writer.put(&refused(*refusal));
            kind::REFUSED
        }
        Control::Status(wire::Status { table, received, events_max, bytes_max }) => {
            let (Received { events, answers }, table) = (*received, *table);
            let (events_max, bytes_max) = (*events_max, *bytes_max);
            writer.put(&Status { table, events, answers, events_max, bytes_max });
            kind::STATUS
        }
    };
    writer.finish(Version::V1, kind)
}

pub(in super::super) fn decode(kind: u8, body: &[u8]) -> Result<Control, WireError> {
    let mut reader = Reader::new(body);
    let control = match kind {
        kind::HELLO => Control::Hello(get_hello(&mut reader)?),
        kind::REFUSED => Control::Refused(refusal(&reader.get()?)?),
        kind::STATUS => {
            let Status { table, events, answers, events_max, bytes_max } = reader.get()?;
            let received = Received { events, answers };
            Control::Status(wire::Status { table, received, events_max, bytes_max })
        }
        unknown => return Err(WireError::UnknownKind(unknown)),
    };
    reader.finish()?;
    Ok(control)
}

fn put_hello(hello: &wire::Hello, writer: &mut Writer) {
    let wire::Hello { wire: (lowest, highest), cluster, from, to, name, received } = hello;
    let Received { events, answers } = *received;
    let (lowest, highest, cluster) = (*lowest, *highest, *cluster);
    writer.put(&Hello { lowest, highest, cluster, from: from.0, to: to.0, name, events, answers });
}

fn get_hello(reader: &mut Reader<'_>) -> Result<wire::Hello, WireError> {
    let Hello { lowest, highest, cluster, from, to, name, events, answers } = reader.get()?;
    let (from, to, received) = (MemberId(from), MemberId(to), Received { events, answers });
    Ok(wire::Hello { wire: (lowest, highest), cluster, from, to, name: name.into(), received })
}

fn refused(refusal: Refusal) -> Refused {
    let refused = |why| Refused { why, member: 0, lowest: 0, highest: 0 };
    match refusal {
        Refusal::OtherCluster => refused(OTHER_CLUSTER),
        Refusal::OtherMember(member) => Refused { member: member.0, ..refused(OTHER_MEMBER) },
        Refusal::UnknownMember => refused(UNKNOWN_MEMBER),
        Refusal::NoVersion((lowest, highest)) => Refused { lowest, highest, ..refused(NO_VERSION) },
        Refusal::OtherHistory => refused(OTHER_HISTORY),
    }
}

fn refusal(refused: &Refused) -> Result<Refusal, WireError> {
    Ok(match refused.why {
        OTHER_CLUSTER => Refusal::OtherCluster,
        OTHER_MEMBER => Refusal::OtherMember(MemberId(refused.member)),
        UNKNOWN_MEMBER => Refusal::UnknownMember,
        NO_VERSION => Refusal::NoVersion((refused.lowest, refused.highest)),
        OTHER_HISTORY => Refusal::OtherHistory,
        _ => return Err(WireError::Malformed("no reason of a refusal")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// As `tests/wire/golden.rs` has it of all other kinds; this one no caller can make.
    #[test]
    fn the_status_is_written_as_members_in_the_field_write_it() {
        let received = Received { events: 70_000, answers: 3 };
        let status = wire::Status { table: 258, received, events_max: 256, bytes_max: 1 << 22 };
        let encoded = encode(&Control::Status(status)).expect("it is short");
        let mut hex = String::new();
        encoded.bytes().iter().for_each(|byte| _ = write!(hex, "{byte:02x}"));
        assert_eq!(hex, "000000130103fb0201fc7011010003fb0001fc00004000");
    }
}
