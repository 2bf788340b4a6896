//! A member's whole view, as it is swapped with another: `version (1) | whether an answer is wanted (1) | members`.

use foca::Member;

use super::Refusal;
use super::identity::{Identity, read_member, write_member};
use crate::limits::GOSSIP_SENDERS_MAX;

const VERSION: u8 = 1;

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Swap {
    pub(super) wants_answer: bool,
    pub(super) members: Vec<Member<Identity>>,
}

impl Swap {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let [version, wants_answer, rest @ ..] = bytes else { return Err(Refusal::Malformed) };
        if *version != VERSION {
            return Err(Refusal::Version);
        }
        let wants_answer = match wants_answer {
            0 => false,
            1 => true,
            _ => return Err(Refusal::Malformed),
        };
        let mut rest = rest;
        let mut members = Vec::new();
        while !rest.is_empty() {
            if members.len() == GOSSIP_SENDERS_MAX {
                return Err(Refusal::Malformed);
            }
            members.push(read_member(&mut rest).map_err(|_| Refusal::Malformed)?);
        }
        Ok(Self { wants_answer, members })
    }
}

/// As [`Swap::read`] reads it, up to what it takes.
pub(super) fn write<'a>(wants_answer: bool, members: impl Iterator<Item = &'a Member<Identity>>) -> Vec<u8> {
    let mut bytes = vec![VERSION, u8::from(wants_answer)];
    for member in members.take(GOSSIP_SENDERS_MAX) {
        write_member(member, &mut bytes);
    }
    bytes
}
