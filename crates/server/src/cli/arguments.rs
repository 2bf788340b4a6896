//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use stentor_xmpp::{BareJid, Jid};

/// Stentor, an XMPP server that keeps what it acknowledges.
#[derive(Debug, Parser)]
#[command(name = "stentor", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Arguments {
    /// The configuration file [env: STENTOR_CONFIG] [default: ./stentor.toml, then /etc/stentor/stentor.toml]
    // Not by clap: usage errors would have the option for required where the variable is set, and empty is unset.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print data as JSON; warnings and errors too, an object a line, to the standard error output
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// The configuration file, where one is named.
    pub fn config(&self) -> Option<PathBuf> {
        let variable = || std::env::var_os("STENTOR_CONFIG").filter(|value| !value.is_empty());
        self.config.clone().or_else(|| variable().map(PathBuf::from))
    }
}

const AFTER_HELP: &str = "\
First steps:
  stentor init example.org              write a configuration and a certificate into this folder
  stentor serve                         start the server
  stentor user add juliet@example.org   create an account, from another terminal

Exit codes:
  0  done
  1  the server or the system said no; the message says why
  2  the command line cannot be understood
  3  the configuration is missing or has mistakes
  4  no server is running";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server and run until it is told to stop
    ///
    /// SIGHUP reads the configuration again, SIGTERM and Ctrl-C give the sessions time to end.
    Serve,
    /// Write a configuration, a data folder and self-signed certificates
    ///
    /// The configuration is the file that --config names, or else stentor.toml, and the rest goes into its folder.
    Init(InitArguments),
    /// Check the configuration and the certificates it names, and tell every mistake
    Check,
    /// Create, change and list accounts
    #[command(subcommand)]
    User(UserCommand),
    /// List and end the sessions of connected clients
    #[command(subcommand)]
    Session(SessionCommand),
    /// Make what the members of a cluster trust each other by, and tell how a cluster is
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Write a copy of all data as of one moment, while the server runs
    Backup {
        /// The file to write; must not exist
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
    /// Make the store anew from a backup, while no server runs
    ///
    /// The backup may come from a store of another engine. The store's folder must not exist, or be empty.
    Restore {
        /// The file that `stentor backup` wrote
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
    /// Tell how the running server is
    Status,
    /// Have the running server read its configuration again, and tell what has changed
    ///
    /// The files that it names are read again as well, whether or not a setting has changed: certificates, keys and lists
    /// of what is revoked, and the keys of gossip of a cluster's member.
    Reload,
    /// End the running server, and wait until it has ended
    Stop {
        /// Do not wait for the sessions to end
        #[arg(long)]
        now: bool,
    },
    /// Print a script that completes this program's commands in a shell
    ///
    /// For bash: `stentor completions bash > /etc/bash_completion.d/stentor`
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Tell the version of this program
    Version,
}

/// `stentor init`
#[derive(Debug, Args)]
pub struct InitArguments {
    /// The domains to serve: the part of addresses behind the @
    #[arg(value_name = "DOMAIN", default_value = "localhost", value_parser = domain)]
    pub domains: Vec<String>,
    /// The folder to write to; is created [default: that of --config, else this one]
    #[arg(long)]
    pub folder: Option<PathBuf>,
}

/// `stentor user`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create an account
    Add {
        /// Its address, such as juliet@example.org
        #[arg(value_parser = account)]
        jid: BareJid,
        /// Where its password comes from
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Give an account another password; its sessions end
    Passwd {
        /// Its address
        #[arg(value_parser = account)]
        jid: BareJid,
        /// Where the password comes from
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Remove an account with all its data; its sessions end
    Remove {
        /// Its address
        #[arg(value_parser = account)]
        jid: BareJid,
    },
    /// Put two accounts on each other's rosters, each seeing the other's presence
    Befriend {
        /// The address of one
        #[arg(value_parser = account)]
        jid: BareJid,
        /// The address of the other
        #[arg(value_parser = account)]
        contact: BareJid,
    },
    /// List the accounts
    List {
        /// Only those of this domain
        #[arg(long, value_parser = domain)]
        host: Option<String>,
    },
    /// Tell about one account
    Show {
        /// Its address
        #[arg(value_parser = account)]
        jid: BareJid,
    },
}

/// Where a password comes from. Asked for on the terminal where nothing is said.
#[derive(Debug, Args)]
pub struct PasswordArguments {
    /// The password itself; others may see it in the list of processes and in the shell's history
    #[arg(long, conflicts_with = "password_stdin")]
    pub password: Option<String>,
    /// Read the password from the first line of the standard input
    #[arg(long)]
    pub password_stdin: bool,
}

/// `stentor session`
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List the sessions
    List {
        /// Only those of this account
        #[arg(long, value_parser = account, value_name = "JID")]
        user: Option<BareJid>,
    },
    /// End a session (juliet@example.org/phone), or all of an account (juliet@example.org)
    Kick {
        /// Whose
        #[arg(value_parser = account_or_session)]
        jid: Jid,
        /// What the client is told
        #[arg(long)]
        reason: Option<String>,
    },
}

/// `stentor cluster`
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Write a new cluster's authority, its key of gossip, and a certificate for each member
    Init {
        /// The folder to write to; is created
        folder: PathBuf,
        /// The name of a member; once for each
        #[arg(long = "member", value_name = "NAME", value_parser = member)]
        members: Vec<String>,
    },
    /// Write a certificate for one more member, or for one whose certificate ends
    Certificate {
        /// The member's name
        #[arg(value_parser = member)]
        name: String,
        /// The folder of the cluster's authority, which `stentor cluster init` made
        #[arg(long, value_name = "FOLDER")]
        authority: PathBuf,
    },
    /// Print a fresh key of gossip
    ///
    /// To change the key of a running cluster: append a fresh one to the file of each member and reload each, move it to
    /// the first line and reload each, remove the old one and reload each.
    Key {
        /// Write it to this file, which must not exist
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Tell how this member sees the cluster
    Status,
    /// List the members
    Members,
    /// Tell which member serves an account
    Locate {
        /// Its address, such as juliet@example.org
        #[arg(value_parser = account)]
        jid: BareJid,
    },
    /// Tell how many slots each member has; with --json, which
    Slots,
    /// Give this member's accounts to the others, end it, and wait until it has ended
    Drain,
}

fn member(text: &str) -> Result<String, String> {
    if text == "authority" || !crate::config::is_label(text) {
        return Err("a member's name has 1 to 63 small letters, digits and -, none of these at either end, and is not \
                    \"authority\""
            .to_owned());
    }
    Ok(text.to_owned())
}

fn account(text: &str) -> Result<BareJid, String> {
    if text.contains('/') {
        return Err("an account is written name@domain, without a resource".to_owned());
    }
    let jid = BareJid::parse(text).map_err(|error| error.to_string())?;
    if jid.local().is_none() {
        return Err("an account is written name@domain".to_owned());
    }
    Ok(jid)
}

fn account_or_session(text: &str) -> Result<Jid, String> {
    let jid = Jid::parse(text).map_err(|error| error.to_string())?;
    if jid.local().is_none() {
        return Err("a session is written name@domain/resource, all of an account name@domain".to_owned());
    }
    Ok(jid)
}

fn domain(text: &str) -> Result<String, String> {
    if text.contains('/') {
        return Err("a domain has no / in it".to_owned());
    }
    let jid = BareJid::parse(text).map_err(|error| error.to_string())?;
    if jid.local().is_some() {
        return Err("a domain has no @ in it".to_owned());
    }
    // RFC 1035 2.3.4, of the form that stands in DNS.
    let ascii = idna::domain_to_ascii(jid.domain()).unwrap_or_else(|_| jid.domain().to_owned());
    if !jid.domain().starts_with('[') && ascii.split('.').any(|label| label.len() > 63) {
        return Err("each part of a domain has at most 63 bytes".to_owned());
    }
    Ok(jid.domain().to_owned())
}
