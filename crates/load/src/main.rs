//! `stentor-load`: puts an XMPP server under load, checks each message in and out, and reports what it cost.

mod acks;
mod chat;
mod check;
mod cli;
mod due;
mod element;
mod failover;
mod link;
mod live;
mod mesh;
mod presence;
mod process;
mod report;
mod resume;
mod run;
mod scan;
mod scram;
mod served;
mod sessions;
mod tally;
mod target;
mod tls;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::cli::{Cli, Command, Common};
use crate::failover::{Field, Outcome};
use crate::link::LinkError;
use crate::mesh::{Befriend, Mesh};
use crate::report::Report;
use crate::run::{Group, Run, conduct};
use crate::sessions::{Idle, Logins};
use crate::tally::Tally;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("stentor-load: {message}");
            ExitCode::from(2)
        }
    }
}

/// Whether all was well.
fn start(command: Command) -> Result<bool, String> {
    let (Command::Chat { common, .. }
    | Command::Presence { common, .. }
    | Command::Failover { common, .. }
    | Command::Login { common, .. }
    | Command::Idle { common, .. }
    | Command::Prepare { common }
    | Command::PrepareRosters { common, .. }) = &command;
    let files = process::raise_open_files_limit().map_err(|error| format!("open files: {error}"))?;
    if u64::from(common.clients) + 50 > files && !matches!(command, Command::Prepare { .. }) {
        return Err(format!("{} clients need as many open files, and the limit is {files}", common.clients));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(perform(command))
}

async fn perform(command: Command) -> Result<bool, String> {
    match command {
        Command::Chat { common, pace, body_bytes, to_full_jid } => {
            let pairs = pairs(&common)?;
            let style = chat::Style {
                window: pace.window,
                interval: pace.interval(common.clients),
                body_bytes,
                is_to_full_jid: to_full_jid,
                pairs,
            };
            let groups = (0..pairs).map(|number| chat::Pair::new(number, common.first, style)).collect();
            measure("chat", &common, groups, "message").await
        }
        Command::Presence { common, pace, rosters } => {
            let (first, clients) = (common.first, common.clients);
            let interval = pace.interval(clients);
            let groups = Mesh::split(first, clients, rosters.contacts)
                .map(|mesh| presence::Presences::new(mesh, first, clients, pace.window, interval))
                .collect();
            measure("presence", &common, groups, "presence").await
        }
        Command::Failover { common, coming_back } => {
            let (pairs, style) = (pairs(&common)?, coming_back.style(common.clients)?);
            let field = Arc::new(Field::new(coming_back.plan()));
            if coming_back.until_eof {
                field.end_with(std::io::stdin());
            }
            let pair = |number| failover::Pair::new(number, common.first, style, field.clone());
            let run = Run::new("failover", common.resuming_target(coming_back.resumption())?, &common)
                .map_err(|error| error.to_string())?;
            let report = conducted(run, (0..pairs).map(pair).collect(), "message").await;
            print(&report.with_outcome(Outcome::new(&field)), &common)
        }
        Command::Login { common, rate } => {
            let logins = |number: u32| Logins {
                account: common.first + number,
                number: number.into(),
                workers: common.clients.into(),
                interval: cli::interval(rate, common.clients),
                no_links: Vec::new(),
            };
            measure("login", &common, (0..common.clients).map(logins).collect(), "login").await
        }
        Command::Idle { common, rosters } => {
            let groups = Mesh::split(common.first, common.clients, rosters.contacts).map(Idle).collect();
            measure("idle", &common, groups, "session").await
        }
        Command::PrepareRosters { common, rosters } => {
            let meshes = Mesh::split(common.first, common.clients, rosters.contacts);
            measure("prepare-rosters", &common, meshes.map(Befriend::new).collect(), "roster").await
        }
        Command::Prepare { common } => prepare(&common).await,
    }
}

fn pairs(common: &Common) -> Result<u32, String> {
    let is_even = common.clients.is_multiple_of(2);
    is_even
        .then_some(common.clients / 2)
        .ok_or_else(|| "--clients must be even: they chat in pairs".to_owned())
}

/// Conducts the run and prints its report.
async fn measure<G: Group>(
    name: &'static str,
    common: &Common,
    groups: Vec<G>,
    operation: &'static str,
) -> Result<bool, String> {
    let run = Run::new(name, common.target()?, common).map_err(|error| error.to_string())?;
    if name == "idle" {
        // What a server sets up for its first client is no part of what a session takes.
        match run.target.log_in(common.first, Some("first")).await {
            Ok(mut link) => link.close().await,
            Err(error) => return Err(error.to_string()),
        }
    }
    print(&conducted(run, groups, operation).await, common)
}

async fn conducted<G: Group>(run: Run, groups: Vec<G>, operation: &'static str) -> Report {
    let run = Arc::new(run);
    let measured = conduct(&run, groups).await;
    Report::new(&run, &measured, operation)
}

/// Prints the report; whether all was well.
fn print(report: &Report, common: &Common) -> Result<bool, String> {
    if common.json {
        println!("{}", serde_json::to_string_pretty(report).map_err(|error| error.to_string())?);
    } else {
        print!("{report}");
    }
    Ok(report.is_clean())
}

/// Registers all accounts, a few at a time.
async fn prepare(common: &Common) -> Result<bool, String> {
    let run = Arc::new(Run::new("prepare", common.target()?, common).map_err(|error| error.to_string())?);
    let mut tasks = tokio::task::JoinSet::new();
    for account in common.first..common.first.saturating_add(common.clients) {
        let run = run.clone();
        tasks.spawn(async move {
            let _turn = run.logins.acquire().await.map_err(|_| LinkError::Closed)?;
            run.target.register(account).await.inspect_err(|error| run.tally.error(error))
        });
    }
    let (mut created, mut existing) = (0_u32, 0_u32);
    while let Some(result) = tasks.join_next().await {
        match result {
            Ok(Ok(true)) => created += 1,
            Ok(Ok(false)) => existing += 1,
            _ => Tally::add(&run.tally.failed_logins, 1),
        }
    }
    println!("{created} accounts created, {existing} were there already");
    for (error, count) in run.tally.errors() {
        println!("{count} x {error}");
    }
    Ok(created + existing == common.clients)
}
