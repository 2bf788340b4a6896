//! The local control socket, by which `stentor user`, `session`, `backup` and the like reach the running
//! server: a unix socket that only the server's own user and root may use, requests and replies as lines of
//! JSON.

mod client;
mod protocol;
mod server;
#[cfg(test)]
mod tests;

pub use client::{ClientError, ControlClient};
pub use protocol::{
    BackupReport, ControlError, ControlErrorKind, ControlRequest, ControlResponse, PROTOCOL_VERSION,
    Password, ReloadReport, ServerStatus, SessionEntry, SessionPage, UserDetails, UserEntry, UserPage,
    decode_reply, decode_request, encode_reply, encode_request,
};
pub use server::{BindError, ControlFuture, ControlHandler, ControlServer};
