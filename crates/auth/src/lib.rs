//! SASL for XMPP (RFC 4422, RFC 6120 6) as the server sees it: the mechanisms as state machines, what is stored of
//! passwords, and the trait that answers for accounts.
//!
//! An [`Offer`] says which mechanisms a stream has; an [`Exchange`] runs one of them and says at each [`Step`] what is
//! needed next. It does no I/O, and has no clock and no randomness of its own: nonces, salts and what was looked up
//! are given to it. The two functions that take milliseconds, [`Credential::derive`] and [`PlainCheck::run`], are the
//! caller's to run on a thread for blocking work.
//!
//! Here: SCRAM-SHA-1, -SHA-256 and -SHA-512 (RFC 5802, RFC 7677), each with `-PLUS` by `tls-exporter` (RFC 9266) and
//! `tls-server-end-point` (RFC 5929), XEP-0440 1.0.0, XEP-0474 0.5.0, PLAIN (RFC 4616), EXTERNAL by the client's
//! certificate (XEP-0178 1.2). Not here: ANONYMOUS, and mechanisms that are not salted (DIGEST-MD5, CRAM-MD5).

mod certificate;
mod channel_binding;
mod credential;
mod credentials;
mod exchange;
mod external;
mod failure;
mod hash;
pub mod limits;
mod mechanism;
mod offer;
pub mod payload;
mod plain;
mod scram;
#[cfg(test)]
mod tests;

pub use certificate::{CertificateError, ClientIdentities};
pub use channel_binding::{ChannelBindingType, ChannelBindings, tls_server_end_point};
pub use credential::{Credential, CredentialError, Iterations, Salts, ServerSecret};
pub use credentials::{Credentials, Decoy, Found, Lookup};
pub use exchange::{Exchange, Step};
pub use failure::{Fault, NS_SASL, SaslFailure};
pub use hash::Hash;
pub use mechanism::{Family, Mechanism};
pub use offer::{NS_CHANNEL_BINDING, Offer, Security, Settings};
pub use plain::{PlainCheck, PlainVerdict};
pub use scram::ServerNonce;
