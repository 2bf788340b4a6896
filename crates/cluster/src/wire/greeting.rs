//! What the two ends of a link say about the link itself.

use super::{Encoded, Frame, Version, WireError, v1};
use crate::limits::HELLO_BYTES_MAX;
use bytes::BytesMut;
use stentor_engine::MemberId;

/// How many numbered frames of the peer were received, ever: of events and what is behind them, and of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Of the classes that are in order with events.
    pub events: u64,
    /// Of answers.
    pub answers: u64,
}

/// The first frame of either end; that of the member which connected comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The lowest and highest version of the wire that the sender speaks.
    pub wire: (u16, u16),
    /// A number that only members of one cluster share.
    pub cluster: u64,
    /// Who says it.
    pub from: MemberId,
    /// Whom the sender means to talk to: this incarnation, and no other.
    pub to: MemberId,
    /// The sender's name in its configuration, for logs.
    pub name: Box<str>,
    /// What it has of the peer, which goes on behind it.
    pub received: Received,
}

/// Why an end will not talk; the connection ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It belongs to another cluster.
    #[error("it is of another cluster")]
    OtherCluster,
    /// It is another incarnation than the one that was meant.
    #[error("it is {} now", .0.0)]
    OtherMember(MemberId),
    /// It does not find the other in its table; it may have to fetch it first.
    #[error("it does not know this member")]
    UnknownMember,
    /// There is no version that both speak; its lowest and highest.
    #[error("it speaks versions {} to {} of the wire", .0.0, .0.1)]
    NoVersion((u16, u16)),
    /// What the other has received is not what was sent: one end is not what it was. Never seen in health.
    #[error("it remembers the link otherwise")]
    OtherHistory,
}

/// Leads everything that is written at once; alone, it is the heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The version of the sender's table: a receiver with an older one fetches it before it takes what follows.
    pub table: u64,
    /// What the sender has received, which its peer need not keep any more.
    pub received: Received,
    /// How many events the peer may send, counted from the first.
    pub events_max: u64,
    /// How many bytes of events the peer may send, counted from the first. The event that crosses it still may go.
    pub bytes_max: u64,
}

/// A frame of the link's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Hello(Hello),
    Refused(Refusal),
    Status(Status),
}

impl Control {
    pub(crate) fn encode(&self) -> Result<Encoded, WireError> {
        v1::encode_control(self)
    }

    pub(crate) fn decode(frame: &Frame) -> Result<Self, WireError> {
        match frame.version {
            Version::V1 => v1::decode_control(frame.kind, &frame.body),
        }
    }
}

impl Hello {
    /// The frame.
    ///
    /// # Errors
    /// [`WireError::TooLong`], if the name is.
    pub fn encode(&self) -> Result<Encoded, WireError> {
        let encoded = Control::Hello(self.clone()).encode()?;
        let bytes = encoded.bytes().len();
        if bytes > HELLO_BYTES_MAX { Err(WireError::TooLong(bytes)) } else { Ok(encoded) }
    }

    /// Takes the greeting off what was read first on a connection that came in; none if it is not there to its end.
    ///
    /// # Errors
    /// Something else came: the connection is to be closed.
    pub fn read(input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        let Some(frame) = Frame::read_greeting(input)? else { return Ok(None) };
        match Control::decode(&frame)? {
            Control::Hello(hello) => Ok(Some(hello)),
            _ => Err(WireError::Malformed("the first frame is no greeting")),
        }
    }
}

impl Refusal {
    /// The frame to be written before the connection is closed.
    ///
    /// # Errors
    /// None in fact: it is far shorter than a frame may be.
    pub fn encode(self) -> Result<Encoded, WireError> {
        Control::Refused(self).encode()
    }
}
