//! What members say to each other, as bytes: `u32 length | u8 version | u8 kind | body`, the length counting what
//! comes behind it, most significant byte first.
//!
//! A body is a sequence of structs that are frozen for each version ([`v1`]) and written by [`codec`], the one module
//! that knows how. Stanzas travel as the bytes that they are. The two highest bits of a kind are its [`Class`], so that
//! a receiver counts also what it does not know. A member trusts the members that it has authenticated, but not their
//! memory: a malformed frame is an error, never a panic, and claims no more memory than some times its bytes.
//!
//! So a stanza is read again where it arrives, as any other. That gives its header and the index of its children, which
//! would else have to be on the wire, as positions in a text that nobody checks; it is most of what a frame costs
//! (`docs/benchmarks.md`).

mod carried;
mod codec;
mod frame;
mod gather;
mod greeting;
mod v1;

pub use carried::{Carried, Outbounds, Relays, Source};
pub use frame::{Class, Encoded, Frame, Version, WireError};
pub use gather::Gatherer;
pub(crate) use greeting::Control;
pub use greeting::{Hello, Received, Refusal, Status};

/// The frame of something that is carried.
///
/// # Errors
/// [`WireError::NotCarried`] for events that never leave a member, [`WireError::TooLong`] for what no frame may hold.
pub fn encode(version: Version, carried: &Carried) -> Result<Encoded, WireError> {
    match version {
        Version::V1 => v1::encode(carried),
    }
}

impl Frame {
    /// What it carries.
    ///
    /// # Errors
    /// [`WireError::UnknownKind`], which is to be ignored and counted; [`WireError::Malformed`], which is a fault of
    /// the sender.
    pub fn decode(&self) -> Result<Carried, WireError> {
        match self.version {
            Version::V1 => v1::decode(self.kind, &self.body),
        }
    }
}
