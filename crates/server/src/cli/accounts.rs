//! Commands that ask the running server.

use std::path::Path;

use stentor_xmpp::{BareJid, Jid};

use super::output::{Failure, Output, table};
use crate::config::Change;
use crate::control::{
    ControlClient, ControlErrorKind, ControlRequest, ControlResponse, ReloadReport, ServerStatus,
    SessionEntry, UserDetails, UserEntry,
};

/// Asks for what is only done or not.
pub(super) fn done(
    client: &mut ControlClient,
    request: &ControlRequest,
    text: &str,
    output: &Output,
) -> Result<(), Failure> {
    match client.ask(request)? {
        ControlResponse::Done => {
            output.print(&serde_json::json!({ "done": true }), |_| vec![text.to_owned()])
        }
        other => Err(unexpected(&other)),
    }
}

/// A server of another build may answer what this one does not expect.
pub(super) fn unexpected(response: &ControlResponse) -> Failure {
    let message = format!("the server gave an answer to another question: {response:?}");
    Failure::new(ControlErrorKind::Fault, message)
}

pub(super) fn user_list(
    client: &mut ControlClient,
    host: Option<String>,
    output: &Output,
) -> Result<(), Failure> {
    let mut users: Vec<UserEntry> = Vec::new();
    loop {
        let after = users.last().map(|user| user.jid.clone());
        match client.ask(&ControlRequest::UserList { host: host.clone(), after })? {
            ControlResponse::Users(page) => {
                let is_last = !page.has_more || page.entries.is_empty();
                users.extend(page.entries);
                if is_last {
                    break;
                }
            }
            other => return Err(unexpected(&other)),
        }
    }
    output.print(&users, |users| {
        let rows: Vec<_> =
            users.iter().map(|user| vec![user.jid.to_string(), user.sessions.to_string()]).collect();
        table(&["ACCOUNT", "SESSIONS"], &rows)
    })
}

pub(super) fn user_show(client: &mut ControlClient, jid: BareJid, output: &Output) -> Result<(), Failure> {
    match client.ask(&ControlRequest::UserShow { jid })? {
        ControlResponse::User(user) => output.print(&user, show_user),
        other => Err(unexpected(&other)),
    }
}

fn show_user(user: &UserDetails) -> Vec<String> {
    let mut lines = vec![
        format!("account:           {}", user.jid),
        format!("mechanisms:        {}", user.mechanisms.join(", ")),
        format!("contacts:          {}", user.contacts),
        format!("messages waiting:  {}", user.offline_messages),
        format!("sessions:          {}", user.sessions.len()),
    ];
    if !user.sessions.is_empty() {
        lines.extend(show_sessions(&user.sessions).into_iter().map(|line| format!("  {line}")));
    }
    lines
}

pub(super) fn session_list(
    client: &mut ControlClient,
    user: Option<BareJid>,
    output: &Output,
) -> Result<(), Failure> {
    let mut sessions: Vec<SessionEntry> = Vec::new();
    loop {
        let after = sessions.last().map(|session| session.jid.clone());
        match client.ask(&ControlRequest::SessionList { user: user.clone(), after })? {
            ControlResponse::Sessions(page) => {
                let is_last = !page.has_more || page.entries.is_empty();
                sessions.extend(page.entries);
                if is_last {
                    break;
                }
            }
            other => return Err(unexpected(&other)),
        }
    }
    output.print(&sessions, |sessions| show_sessions(sessions))
}

fn show_sessions(sessions: &[SessionEntry]) -> Vec<String> {
    let row = |session: &SessionEntry| {
        vec![
            session.jid.to_string(),
            session.priority.map_or("none".to_owned(), |priority| priority.to_string()),
            session.peer.clone().unwrap_or_else(|| "away".to_owned()),
            duration(session.age_seconds),
        ]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    table(&["SESSION", "PRIORITY", "FROM", "AGE"], &rows)
}

pub(super) fn session_kick(
    client: &mut ControlClient,
    jid: Jid,
    reason: Option<String>,
    output: &Output,
) -> Result<(), Failure> {
    match client.ask(&ControlRequest::SessionKick { jid, reason })? {
        ControlResponse::Kicked(sessions) => {
            let data = serde_json::json!({ "ended": sessions });
            output.print(&data, |_| vec![format!("sessions ended: {sessions}")])
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) fn backup(client: &mut ControlClient, path: &Path, output: &Output) -> Result<(), Failure> {
    // The server may run in another folder.
    let path = std::path::absolute(path)?;
    match client.ask(&ControlRequest::Backup { path })? {
        ControlResponse::BackedUp(report) => output.print(&report, |report| {
            vec![format!("{}: {} rows, {} bytes", report.path.display(), report.rows, report.bytes)]
        }),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn status(client: &mut ControlClient, output: &Output) -> Result<(), Failure> {
    match client.ask(&ControlRequest::Status)? {
        ControlResponse::Status(status) => output.print(&status, show_status),
        other => Err(unexpected(&other)),
    }
}

fn show_status(status: &ServerStatus) -> Vec<String> {
    let state = if status.is_draining { "ending" } else { "running" };
    let mut lines = vec![
        format!("stentor {} is {state}, process {}", status.version, status.process),
        format!("since:     {}", duration(status.uptime_seconds)),
        format!("hosts:     {}", status.hosts.join(", ")),
    ];
    lines.extend(status.sessions.map(|sessions| format!("sessions:  {sessions}")));
    lines
}

pub(super) fn reload(client: &mut ControlClient, output: &Output) -> Result<(), Failure> {
    match client.ask(&ControlRequest::Reload)? {
        ControlResponse::Reloaded(report) => output.print(&report, show_reload),
        other => Err(unexpected(&other)),
    }
}

fn show_reload(report: &ReloadReport) -> Vec<String> {
    let line = |change: &Change| format!("  {}: {} -> {}", change.setting, change.old, change.new);
    let mut lines = report.warnings.clone();
    let (applied, waiting) = (&report.changes.applied, &report.changes.needs_restart);
    if applied.is_empty() && waiting.is_empty() {
        let read = "no setting has changed; certificates, and a member's keys of gossip, were read again";
        lines.push(read.to_owned());
    }
    if !applied.is_empty() {
        lines.push("in force:".to_owned());
        lines.extend(applied.iter().map(line));
    }
    if !waiting.is_empty() {
        lines.push("in force after the next start:".to_owned());
        lines.extend(waiting.iter().map(line));
    }
    lines
}

/// Seconds in the two largest units that say something: `3d 4h`, `12m 5s`.
fn duration(seconds: u64) -> String {
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(parts.len() - 1);
    let shown = parts.iter().skip(first).take(2).map(|(count, unit)| format!("{count}{unit}"));
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let check = |seconds, expected: &str| assert_eq!(duration(seconds), expected);
        check(0, "0s");
        check(59, "59s");
        check(60, "1m 0s");
        check(3_725, "1h 2m");
        check(90_000, "1d 1h");
    }
}
