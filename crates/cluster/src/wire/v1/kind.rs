//! The kinds of version 1. The two highest bits are the class.

use crate::wire::Class;

// The link's own.
pub(super) const HELLO: u8 = 0x01;
pub(super) const REFUSED: u8 = 0x02;
pub(super) const STATUS: u8 = 0x03;

// Always admitted.
pub(super) const CONFIRM: u8 = 0x41;
pub(super) const REPLY: u8 = 0x42;
pub(super) const RETURNED: u8 = 0x43;
pub(super) const TABLE: u8 = 0x44;
pub(super) const MEMBERSHIP: u8 = 0x45;
pub(super) const ANSWER: u8 = 0x46;

// By room and credit.
pub(super) const SESSION_EVENT: u8 = 0x81;
pub(super) const FORWARD: u8 = 0x82;
pub(super) const RELAY: u8 = 0x83;
pub(super) const COMMAND: u8 = 0x84;
pub(super) const SESSION: u8 = 0x85;
pub(super) const RELAYS: u8 = 0x86;
pub(super) const OUTBOUNDS: u8 = 0x87;
pub(super) const QUESTION: u8 = 0x88;

// Behind these, without either.
pub(super) const SESSION_GOES: u8 = 0xc1;
pub(super) const SESSION_ENDS: u8 = 0xc2;
pub(super) const HANDED_OVER: u8 = 0xc3;
pub(super) const PASSING: u8 = 0xc4;
pub(super) const PASSED: u8 = 0xc5;

const _: () = assert!(matches!(Class::of(STATUS), Class::Control));
const _: () = assert!(matches!(Class::of(ANSWER), Class::Answer));
const _: () = assert!(matches!(Class::of(QUESTION), Class::Event));
const _: () = assert!(matches!(Class::of(HANDED_OVER), Class::Behind));
const _: () = assert!(matches!(Class::of(PASSING), Class::Behind));
