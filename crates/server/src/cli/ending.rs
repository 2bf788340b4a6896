//! `stentor stop` and `stentor cluster drain`: they end the server, and wait until it has ended.

use std::fs;
use std::thread::sleep;
use std::time::Instant;

use super::accounts::unexpected;
use super::output::{Failure, Output};
use crate::control::{ControlClient, ControlRequest, ControlResponse};
use crate::limits::{END_CHECK, END_PATIENCE};

/// Asks for the end, and waits until the process is gone: whoever starts another one then finds its ports and its store
/// free.
pub(super) fn end(
    client: &mut ControlClient,
    request: &ControlRequest,
    output: &Output,
) -> Result<(), Failure> {
    // Asked of the system: a server that waits for its store tells nobody how it is.
    let process = client.server_process();
    let runs = || process.is_some_and(runs);
    match client.ask(request)? {
        ControlResponse::Done => {}
        other => return Err(unexpected(&other)),
    }
    let asked = Instant::now();
    while runs() && asked.elapsed() < END_PATIENCE {
        sleep(END_CHECK);
    }
    let has_ended = process.is_some() && !runs();
    output.print(&serde_json::json!({ "done": true, "has_ended": has_ended }), |_| {
        vec![if has_ended { "the server has ended" } else { "the server ends" }.to_owned()]
    })
}

/// Whether there is a process of this number that is ours. One that only waits for its parent to take notice has ended.
fn runs(process: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    let Some((name, state)) = stat.rsplit_once(") ") else { return false };
    name.ends_with("(stentor") && !state.starts_with(['Z', 'X'])
}
