//! `stentor stop` and `stentor cluster drain`: they end the server, and wait until it has ended.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::accounts::unexpected;
use super::output::{Failure, Output};
use crate::control::{ControlClient, ControlRequest, ControlResponse};
use crate::limits::END_PATIENCE;

/// Asks for the end, and waits until the process is gone: whoever starts another one then finds its ports and its store
/// free.
pub(super) fn end(
    mut client: ControlClient,
    request: &ControlRequest,
    output: &Output,
) -> Result<(), Failure> {
    // Before it ends: its number may be another's then.
    let process = client.server_process();
    match client.ask(request)? {
        ControlResponse::Done => {}
        other => return Err(unexpected(&other)),
    }
    // The server waits for it else.
    drop(client);
    let has_ended = process.is_some_and(|process| ends(&process));
    output.print(&serde_json::json!({ "done": true, "has_ended": has_ended }), |_| {
        vec![if has_ended { "the server has ended" } else { "the server ends" }.to_owned()]
    })
}

/// Whether the process has ended, for which it gets its time.
fn ends(process: &OwnedFd) -> bool {
    let patience = Timespec::try_from(END_PATIENCE).ok();
    let mut waited = [PollFd::new(process, PollFlags::IN)];
    poll(&mut waited, patience.as_ref()).is_ok_and(|count| count > 0)
}
