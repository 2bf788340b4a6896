//! The command line.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::failover;
use crate::run::Quota;
use crate::scram::KeyCache;
use crate::target::{Mechanism, Resumption, Target};
use crate::tls::{Trust, connector};

/// Puts an XMPP server under load and checks that it loses nothing.
///
/// Many clients log in over TLS and chat, change presence, log in and out, or just stay. Each message is checked
/// on arrival: lost, doubled, out of order or changed ones are counted. With --server-pid, on the server's own
/// machine, the report tells the server's CPU time per operation and its memory per session.
///
/// It works with any XMPP server. The accounts must exist; `prepare` creates them where the server allows in-band
/// registration, and `prepare-rosters` makes them contacts of each other.
///
/// A first try, with a server on this machine for the domain example.org:
///
///   stentor-load prepare --domain example.org --connect 127.0.0.1:5222 --insecure --clients 20
///
///   stentor-load chat --domain example.org --connect 127.0.0.1:5222 --insecure --clients 20 --seconds 10
///
/// One process uses one core. Where that is not enough, start several, each with its own --first.
///
/// The exit code is 0 when all was well, 1 when something was lost, wrong or refused, 2 for a mistake in the command.
#[derive(Debug, Parser)]
#[command(name = "stentor-load", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pairs of clients send each other messages
    ///
    /// Client 0 chats with 1, 2 with 3, and so on, both ways. An operation is a message delivered.
    Chat {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        pace: Pace,
        /// Bytes of text in a message
        #[arg(long, default_value_t = 100)]
        body_bytes: usize,
        /// Address messages to the contact's full JID instead of the bare one
        #[arg(long)]
        to_full_jid: bool,
    },
    /// Contacts change their presence
    ///
    /// The clients' rosters must be prepared (see prepare-rosters). An operation is a presence delivered to a contact.
    Presence {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        pace: Pace,
        #[command(flatten)]
        rosters: Rosters,
    },
    /// Pairs of clients chat while somebody else takes a member of the cluster away
    ///
    /// With stream management. Clients whose connection is lost come back at the next server of --connect, resume their
    /// stream or send again what the server has not got, and chat on. At the end each message must have arrived once.
    /// The report tells how they came back and how long that took. An operation is a message delivered.
    Failover {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        coming_back: ComingBack,
    },
    /// Clients log in and out, again and again
    ///
    /// An operation is a login: connection, TLS handshake without resumption, SASL and resource binding. --clients
    /// accounts do so at the same time. Passwords are stretched once, before the measurement.
    Login {
        #[command(flatten)]
        common: Common,
        /// Logins a second, of all clients together [default: as fast as it goes]
        #[arg(long)]
        rate: Option<f64>,
    },
    /// Clients log in, send presence and stay silent, for --seconds
    ///
    /// Tells the server's memory per session. The clients' rosters must be prepared (see prepare-rosters).
    Idle {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        rosters: Rosters,
    },
    /// Creates the accounts by in-band registration (XEP-0077)
    Prepare {
        #[command(flatten)]
        common: Common,
    },
    /// Makes the accounts contacts of each other, in groups of --contacts + 1
    PrepareRosters {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        rosters: Rosters,
    },
}

/// What all commands take.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("trust").required(true).args(["insecure", "ca"])))]
pub(crate) struct Common {
    /// The XMPP domain of the accounts
    #[arg(long)]
    pub(crate) domain: String,
    /// Host or address, and port, to connect to; several, given again or by commas, for the members of a cluster:
    /// clients log in at them in turn, so the two of a chat pair at different ones [default: the domain, port 5222 or
    /// 5223]
    #[arg(long, alias = "server", value_name = "HOST:PORT", value_delimiter = ',')]
    connect: Vec<String>,
    /// TLS from the first byte (port 5223) instead of STARTTLS
    #[arg(long)]
    direct_tls: bool,
    /// Take any certificate
    #[arg(long)]
    insecure: bool,
    /// PEM file of certificates to trust: the server's own, or who signed it
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// SASL mechanism
    #[arg(long, value_enum, default_value = "auto")]
    mechanism: Mechanism,
    /// Localpart of the accounts; {} stands for the account's number
    #[arg(long, default_value = "load{}")]
    user: String,
    /// Password of the accounts; {} stands for the account's number
    #[arg(long, default_value = "secret{}", env = "STENTOR_LOAD_PASSWORD", hide_env_values = true)]
    password: String,
    /// Number of the first account
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub(crate) first: u32,
    /// How many clients
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,
    /// How long to work [default: 30]
    #[arg(long)]
    seconds: Option<f64>,
    /// How many messages, presence changes or logins to do instead
    #[arg(long, conflicts_with = "seconds")]
    count: Option<u64>,
    /// Use stream management (XEP-0198)
    #[arg(long)]
    sm: bool,
    /// With --sm, ask for an acknowledgement after so many stanzas
    #[arg(long, default_value_t = 5, value_name = "STANZAS")]
    ack_every: u32,
    /// Process of the server, on this machine; its children count too. All that serve may be given, again or by
    /// commas: the members of a cluster, and their store (PostgreSQL's first process). They are told together and
    /// each
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(crate) server_pid: Vec<u32>,
    /// Logins under way at once
    #[arg(long, default_value_t = 16, value_name = "LOGINS")]
    pub(crate) login_concurrency: usize,
    /// Seconds that one login may take
    #[arg(long, default_value = "60", value_name = "SECONDS")]
    login_timeout: Seconds,
    /// Seconds without any arrival after which what is missing counts as lost
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    pub(crate) patience: Seconds,
    /// Seconds that nothing may arrive before the work begins
    #[arg(long, default_value = "1", value_name = "SECONDS")]
    pub(crate) settle: Seconds,
    /// Address to connect from; several are used in turn (for more than some 28,000 connections)
    #[arg(long, value_name = "ADDRESS")]
    source: Vec<IpAddr>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress line
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// How fast to send.
#[derive(Debug, Args)]
pub(crate) struct Pace {
    /// Messages or presence changes a second, of all clients together [default: as fast as the window lets]
    #[arg(long)]
    rate: Option<f64>,
    /// How many of one client's may be under way
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) window: u64,
}

impl Pace {
    /// Between two operations of one of `parts` senders.
    pub(crate) fn interval(&self, parts: u32) -> Option<Duration> {
        interval(self.rate, parts)
    }
}

/// What clients do when a member is taken away.
#[derive(Debug, Args)]
pub(crate) struct ComingBack {
    /// Messages a second, of all clients together
    #[arg(long, default_value_t = 300.0)]
    rate: f64,
    /// How many of one client's messages may not be acknowledged yet
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    window: u32,
    /// One of so many clients stays away if it loses its connection, until its contacts have been told or --away has
    /// passed; 0 for none. With a divisor in common with the number of members, those are not at every member
    #[arg(long, default_value_t = 0, value_name = "CLIENTS")]
    stay_away: u32,
    /// How long those stay away at most
    #[arg(long, default_value = "60", value_name = "SECONDS")]
    away: Seconds,
    /// How long the streams of those are to be resumable; then their contacts are told
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    resume_away: u32,
    /// How long any other broken stream is to be resumable
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    resume: u32,
    /// Chat until the standard input ends, but no longer than --seconds
    #[arg(long)]
    pub(crate) until_eof: bool,
    /// Send messages without an id by which a server recognises what is sent again (XEP-0359): what it says it has
    /// handled must be exact then
    #[arg(long)]
    no_origin_ids: bool,
    /// Seconds that one attempt to come back may take
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    attempt: Seconds,
    /// Seconds of attempts after which a client gives up
    #[arg(long, default_value = "60", value_name = "SECONDS")]
    give_up: Seconds,
    /// Seconds without an acknowledgement that was asked for after which a client gives its connection up
    #[arg(long, default_value = "15", value_name = "SECONDS")]
    silence: Seconds,
}

impl ComingBack {
    pub(crate) fn plan(&self) -> failover::Plan {
        failover::Plan {
            resumption: self.resumption(),
            away: self.away.0,
            attempt: self.attempt.0,
            give_up: self.give_up.0,
            silence: self.silence.0,
        }
    }

    pub(crate) fn resumption(&self) -> Resumption {
        Resumption { seconds: self.resume, stay_away: self.stay_away, away_seconds: self.resume_away }
    }

    /// How `clients` clients chat.
    ///
    /// # Errors
    /// What is wrong with the rate.
    pub(crate) fn style(&self, clients: u32) -> Result<failover::Style, String> {
        let interval = interval(Some(self.rate), clients).ok_or("--rate must be above 0")?;
        let (window, has_origin_ids) = (self.window, !self.no_origin_ids);
        Ok(failover::Style { window, interval, clients, has_origin_ids })
    }
}

/// The rosters of the clients.
#[derive(Debug, Args)]
pub(crate) struct Rosters {
    /// Contacts of each client
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) contacts: u32,
}

/// A number of seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|error| error.to_string())
    }
}

/// Between two operations of one of `parts` that make `rate` a second together.
pub(crate) fn interval(rate: Option<f64>, parts: u32) -> Option<Duration> {
    let seconds = f64::from(parts) / rate?;
    Duration::try_from_secs_f64(seconds).ok().filter(|interval| !interval.is_zero())
}

impl Common {
    pub(crate) fn quota(&self) -> Quota {
        let default = Duration::from_secs(30);
        match self.count {
            Some(count) => Quota::Operations(count),
            None => Quota::For(Duration::try_from_secs_f64(self.seconds.unwrap_or(30.0)).unwrap_or(default)),
        }
    }

    /// The target of clients that resume their streams.
    ///
    /// # Errors
    /// As `target`.
    pub(crate) fn resuming_target(&self, resumption: Resumption) -> Result<Target, String> {
        let (resumption, stream_management) = (Some(resumption), Some(self.ack_every));
        Ok(Target { resumption, stream_management, ..self.target()? })
    }

    pub(crate) fn target(&self) -> Result<Target, String> {
        let port = if self.direct_tls { 5223 } else { 5222 };
        let servers = match self.connect.as_slice() {
            [] => vec![resolve(&format!("{}:{port}", self.domain))?],
            servers => servers.iter().map(|server| resolve(server)).collect::<Result<_, _>>()?,
        };
        let trust = match &self.ca {
            Some(file) => Trust::Certificates(certificates(file)?),
            None => Trust::Anyone,
        };
        Ok(Target {
            domain: self.domain.clone(),
            servers,
            is_direct_tls: self.direct_tls,
            connector: connector(trust, self.direct_tls).map_err(|error| error.to_string())?,
            server_name: ServerName::try_from(self.domain.clone())
                .map_err(|_| format!("{}: not a domain that TLS can name", self.domain))?,
            sources: self.source.clone(),
            next_source: AtomicUsize::new(0),
            mechanism: self.mechanism,
            keys: KeyCache::default(),
            resumption: None,
            stream_management: self.sm.then_some(self.ack_every),
            login_timeout: self.login_timeout.0,
            user: self.user.clone(),
            password: self.password.clone(),
        })
    }
}

fn resolve(connect: &str) -> Result<SocketAddr, String> {
    let mut addresses = connect.to_socket_addrs().map_err(|error| format!("{connect}: {error}"))?;
    addresses.next().ok_or_else(|| format!("{connect}: no address"))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let complain = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| complain(&error))?;
    if certificates.is_empty() { Err(complain(&"no certificate in it")) } else { Ok(certificates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn whom_to_trust_is_asked_for_by_both_ways_to_tell() {
        let error = Cli::try_parse_from(["stentor-load", "chat", "--domain", "localhost"]);
        let told = error.expect_err("nobody is trusted").to_string();
        assert!(told.contains("<--insecure|--ca <FILE>>"), "{told}");
        let both = ["stentor-load", "chat", "--domain", "localhost", "--insecure", "--ca", "x"];
        assert!(Cli::try_parse_from(both).is_err());
    }

    #[test]
    fn rates_become_intervals() {
        for (rate, parts, expected) in [
            (None, 4, None),
            (Some(2.0), 4, Some(Duration::from_secs(2))),
            (Some(0.0), 4, None),
            (Some(-1.0), 4, None),
            (Some(f64::NAN), 4, None),
        ] {
            assert_eq!(interval(rate, parts), expected, "{rate:?} of {parts}");
        }
    }
}
