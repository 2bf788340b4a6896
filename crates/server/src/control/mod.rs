//! The local control socket, by which `stentor user`, `session`, `backup` and the like reach the running
//! server: a unix socket that only the server's own user and root may use, requests and replies as lines of
//! JSON.

mod client;
mod cluster;
mod line;
mod protocol;
mod server;
#[cfg(test)]
mod tests;

pub use client::{ClientError, ControlClient};
pub use cluster::{ClusterReport, Liveness, Location, MemberEntry, SlotEntry};
pub use line::{PROTOCOL_VERSION, decode_reply, decode_request, encode_reply, encode_request};
pub use protocol::{
    BackupReport, ControlError, ControlErrorKind, ControlRequest, ControlResponse, Password, ReloadReport,
    ServerStatus, SessionEntry, SessionPage, UserDetails, UserEntry, UserPage,
};
pub use server::{BindError, ControlFuture, ControlHandler, ControlServer};
