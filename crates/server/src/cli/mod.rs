//! The command line.

mod accounts;
mod arguments;
mod check;
mod cluster;
mod ending;
mod files;
mod init;
mod members;
mod output;
mod password;
mod restore;
mod source;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use tracing::Level;

pub use arguments::{Arguments, Command};
pub use source::ConfigSource;

use crate::control::{ControlClient, ControlErrorKind, ControlRequest};
use crate::serve::{self, ServeError};
use crate::{logging, member};
use arguments::{ClusterCommand, SessionCommand, UserCommand};
use output::{Failure, FailureKind, Output};

/// Runs the program and says how it went.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&error),
    };
    let output = Output { is_json: arguments.json };
    match run(arguments, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    }
}

/// What is no command line; or `--help` and `--version`, which are for people alone.
fn not_understood(error: &clap::Error) -> ExitCode {
    // What is behind `--` is no option.
    let is_json = std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    if !is_json || !error.use_stderr() {
        error.exit();
    }
    Output { is_json }.failure(&usage_failure(error))
}

fn usage_failure(error: &clap::Error) -> Failure {
    let missing = [ErrorKind::MissingSubcommand, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    if missing.contains(&error.kind()) {
        return Failure::of(FailureKind::Usage, "no command is named; --help lists them");
    }
    let text = error.render().to_string();
    let is_told = |paragraph: &&str| !paragraph.starts_with("For more information");
    let paragraphs: Vec<_> = text.split("\n\n").map(str::trim).filter(is_told).collect();
    let message = paragraphs.join("\n");
    Failure::of(FailureKind::Usage, message.trim_start_matches("error: "))
}

fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let config = arguments.config();
    let source = ConfigSource::new(config.clone());
    match arguments.command {
        Command::Serve => run_server(source, output),
        Command::Init(init) => init::run(&init, config.as_deref(), output),
        Command::Check => check::run(&source, output),
        Command::User(user) => run_user(user, &source, output),
        Command::Session(session) => run_session(session, &source, output),
        Command::Cluster(command) => run_cluster(command, &source, output),
        Command::Backup { path } => accounts::backup(&mut connect(&source, output)?, &path, output),
        Command::Restore { path } => restore::run(&source.read()?.config, &path, output),
        Command::Status => accounts::status(&mut connect(&source, output)?, output),
        Command::Reload => accounts::reload(&mut connect(&source, output)?, output),
        Command::Stop { now } => {
            ending::end(connect(&source, output)?, &ControlRequest::Shutdown { drain: !now }, output)
        }
        Command::Completions { shell } => {
            // It panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "stentor", &mut script);
            output::write([&*script].into_iter())
        }
        Command::Version => output::version(output),
    }
}

fn run_server(source: ConfigSource, output: &Output) -> Result<(), Failure> {
    let loaded = source.load()?;
    let logs = logging::start(&loaded.config.log);
    let logs = logs.map_err(|error| Failure::new(ControlErrorKind::Fault, error.to_string()))?;
    loaded.warnings.log();
    let system = actix_rt::System::new();
    let ended = system.block_on(serve::serve(loaded.config, source, logs));
    if matches!(ended, Err(ServeError::Fenced)) {
        tracing::warn!("the others have taken this member out: it begins anew");
        let error = member::begin_anew();
        let message = format!("this process cannot be replaced by a new one: {error}");
        return Err(Failure::new(ControlErrorKind::Fault, message));
    }
    let Err(error) = ended else {
        // All is written that was accepted, or somebody did not want to wait for it; the system would wait for its threads,
        // of which some may wait for the store.
        std::process::exit(0);
    };
    // Whoever reads the log finds it there, and no other text in between.
    tracing::error!(%error, "the server cannot go on");
    let is_told = tracing::enabled!(Level::ERROR) && !output.is_json;
    Err(Failure::new(error.kind(), if is_told { String::new() } else { error.to_string() }))
}

fn run_user(command: UserCommand, source: &ConfigSource, output: &Output) -> Result<(), Failure> {
    match command {
        UserCommand::Add { jid, password } => {
            // The server first: nobody should type a password that goes nowhere.
            let mut client = connect(source, output)?;
            let request = ControlRequest::UserAdd { password: password::read(&password, &jid, output)?, jid };
            accounts::done(&mut client, &request, "the account is created", output)
        }
        UserCommand::Passwd { jid, password } => {
            let mut client = connect(source, output)?;
            let request =
                ControlRequest::UserPasswd { password: password::read(&password, &jid, output)?, jid };
            accounts::done(&mut client, &request, "the password is changed", output)
        }
        UserCommand::Remove { jid } => {
            let request = ControlRequest::UserRemove { jid };
            accounts::done(&mut connect(source, output)?, &request, "the account is removed", output)
        }
        UserCommand::Befriend { jid, contact } => {
            let request = ControlRequest::UserBefriend { jid, contact };
            accounts::done(
                &mut connect(source, output)?,
                &request,
                "they are on each other's rosters",
                output,
            )
        }
        UserCommand::List { host } => accounts::user_list(&mut connect(source, output)?, host, output),
        UserCommand::Show { jid } => accounts::user_show(&mut connect(source, output)?, jid, output),
    }
}

fn run_session(command: SessionCommand, source: &ConfigSource, output: &Output) -> Result<(), Failure> {
    let mut client = connect(source, output)?;
    match command {
        SessionCommand::List { user } => accounts::session_list(&mut client, user, output),
        SessionCommand::Kick { jid, reason } => accounts::session_kick(&mut client, jid, reason, output),
    }
}

fn run_cluster(command: ClusterCommand, source: &ConfigSource, output: &Output) -> Result<(), Failure> {
    match command {
        ClusterCommand::Init { folder, members } => cluster::init(&folder, &members, output),
        ClusterCommand::Certificate { name, authority } => cluster::certificate(&name, &authority, output),
        ClusterCommand::Key { file } => cluster::key(file.as_deref(), output),
        ClusterCommand::Status => members::status(&mut connect(source, output)?, output),
        ClusterCommand::Members => members::members(&mut connect(source, output)?, output),
        ClusterCommand::Locate { jid } => members::locate(&mut connect(source, output)?, jid, output),
        ClusterCommand::Slots => members::slots(&mut connect(source, output)?, output),
        ClusterCommand::Drain => ending::end(connect(source, output)?, &ControlRequest::ClusterDrain, output),
    }
}

fn connect(source: &ConfigSource, output: &Output) -> Result<ControlClient, Failure> {
    Ok(ControlClient::connect(&source.socket(output)?)?)
}
