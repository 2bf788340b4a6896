//! The requests and replies of the control socket.

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use serde::{Deserialize, Serialize};
use stentor_xmpp::{BareJid, FullJid, Jid};
use subtle::ConstantTimeEq;

use super::cluster::{ClusterReport, Location, SlotEntry};
use crate::config::Diff;
use crate::limits::{CONTROL_LONG, CONTROL_SHORT};

/// What a command asks of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ControlRequest {
    /// How the server is.
    Status,
    /// Create an account.
    UserAdd {
        /// Its address, with a localpart.
        #[serde(with = "address")]
        jid: BareJid,
        /// Its password.
        password: Password,
    },
    /// Give an account another password and end its sessions.
    UserPasswd {
        /// Its address.
        #[serde(with = "address")]
        jid: BareJid,
        /// The new password.
        password: Password,
    },
    /// Remove an account with all that belongs to it.
    UserRemove {
        /// Its address.
        #[serde(with = "address")]
        jid: BareJid,
    },
    /// Put two accounts on each other's rosters, both subscribed.
    UserBefriend {
        /// One.
        #[serde(with = "address")]
        jid: BareJid,
        /// The other.
        #[serde(with = "address")]
        contact: BareJid,
    },
    /// A page of the accounts, in the order of their addresses.
    UserList {
        /// Only those of this domain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// Only those behind this address: the last one of the page before.
        #[serde(default, with = "optional_address", skip_serializing_if = "Option::is_none")]
        after: Option<BareJid>,
    },
    /// One account.
    UserShow {
        /// Its address.
        #[serde(with = "address")]
        jid: BareJid,
    },
    /// A page of the bound sessions, in the order of their accounts' addresses and then of their own.
    SessionList {
        /// Only those of this account.
        #[serde(default, with = "optional_address", skip_serializing_if = "Option::is_none")]
        user: Option<BareJid>,
        /// Only those behind this address: the last one of the page before.
        #[serde(default, with = "optional_address", skip_serializing_if = "Option::is_none")]
        after: Option<FullJid>,
    },
    /// End a session (full address), or all of an account (bare address).
    SessionKick {
        /// Whose.
        #[serde(with = "address")]
        jid: Jid,
        /// The text that the client is shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Write a copy of the store, as of one moment, into a new file on the server's machine.
    Backup {
        /// Its absolute path.
        path: PathBuf,
    },
    /// How this member sees its cluster.
    ClusterStatus,
    /// Which member serves an account.
    ClusterLocate {
        /// Its address.
        #[serde(with = "address")]
        jid: BareJid,
    },
    /// Which member has which slot.
    ClusterSlots,
    /// Give this member's accounts to the others, and end it.
    ClusterDrain,
    /// Read the configuration again.
    Reload,
    /// End the server.
    Shutdown {
        /// Whether its sessions get time to end.
        drain: bool,
    },
}

impl ControlRequest {
    /// How long the server may take for it.
    pub fn time_limit(&self) -> Duration {
        match self {
            Self::Backup { .. } | Self::Shutdown { .. } | Self::UserRemove { .. } => CONTROL_LONG,
            Self::Status
            | Self::UserAdd { .. }
            | Self::UserPasswd { .. }
            | Self::UserBefriend { .. }
            | Self::UserList { .. }
            | Self::UserShow { .. }
            | Self::SessionList { .. }
            | Self::SessionKick { .. }
            | Self::ClusterStatus
            | Self::ClusterLocate { .. }
            | Self::ClusterSlots
            | Self::ClusterDrain
            | Self::Reload => CONTROL_SHORT,
        }
    }
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlResponse {
    /// It is done, and there is no more to say.
    Done,
    /// To `Status`.
    Status(ServerStatus),
    /// To `UserList`.
    Users(UserPage),
    /// To `UserShow`.
    User(UserDetails),
    /// To `SessionList`.
    Sessions(SessionPage),
    /// To `SessionKick`: how many sessions were ended.
    Kicked(u64),
    /// To `Backup`.
    BackedUp(BackupReport),
    /// To `Reload`.
    Reloaded(ReloadReport),
    /// To `ClusterStatus`.
    Cluster(ClusterReport),
    /// To `ClusterLocate`.
    Location(Location),
    /// To `ClusterSlots`, by their numbers.
    Slots(Vec<SlotEntry>),
}

/// How the server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// The program's version.
    pub version: String,
    /// Its process.
    pub process: u32,
    /// Seconds since its start.
    pub uptime_seconds: u64,
    /// The domains served.
    pub hosts: Vec<String>,
    /// Whether it is about to end.
    pub is_draining: bool,
    /// Bound sessions; none where the build or the state of the server has no sessions to count.
    pub sessions: Option<u64>,
}

/// A page of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPage {
    /// At most [`CONTROL_PAGE_ENTRIES_MAX`](crate::limits::CONTROL_PAGE_ENTRIES_MAX).
    pub entries: Vec<UserEntry>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

/// An account in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEntry {
    /// Its address.
    #[serde(with = "address")]
    pub jid: BareJid,
    /// Its bound sessions.
    pub sessions: u64,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDetails {
    /// Its address.
    #[serde(with = "address")]
    pub jid: BareJid,
    /// The SASL mechanisms that it has credentials for.
    pub mechanisms: Vec<String>,
    /// Contacts on its roster.
    pub contacts: u64,
    /// Messages that wait for it.
    pub offline_messages: u64,
    /// Its bound sessions.
    pub sessions: Vec<SessionEntry>,
}

/// A page of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPage {
    /// At most [`CONTROL_PAGE_ENTRIES_MAX`](crate::limits::CONTROL_PAGE_ENTRIES_MAX).
    pub entries: Vec<SessionEntry>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

/// A bound session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// Its address.
    #[serde(with = "address")]
    pub jid: FullJid,
    /// The priority of its presence; none before the first one.
    pub priority: Option<i8>,
    /// Where it comes from; none while it waits to be resumed.
    pub peer: Option<String>,
    /// Seconds since it was bound.
    pub age_seconds: u64,
}

/// A backup that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// Where.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// The settings that changed.
    pub changes: Diff,
    /// What is worth knowing of the new configuration, a line each.
    pub warnings: Vec<String>,
}

/// A password on its way; never shown.
#[derive(Clone, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

/// In a time that depends on the lengths alone.
impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ControlError {
    /// The kind, for programs.
    pub kind: ControlErrorKind,
    /// The reason, for people.
    pub message: String,
    /// Where it is one, the mistakes of the configuration, as `stentor check --json` has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<serde_json::Value>,
}

/// The kinds of refusals. None but `Fault` and `TimedOut` leaves anything done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlErrorKind {
    /// The request cannot be understood, or is of another version.
    BadRequest,
    /// The peer may not ask.
    Forbidden,
    /// There is no such account, session or host.
    NotFound,
    /// There is one already.
    Conflict,
    /// What was asked for is not allowed: a weak password, a broken configuration.
    Refused,
    /// Not now: the server starts, drains or lacks what is needed.
    Unavailable,
    /// It took too long; it may still be carried out.
    TimedOut,
    /// The server's own fault or its disk's; its log says more.
    Fault,
}

impl ControlError {
    /// An error of this kind.
    pub fn new(kind: ControlErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), mistakes: Vec::new() }
    }
}

impl ControlErrorKind {
    /// The kind of what the system says.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::AddrInUse => Self::Conflict,
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Fault,
        }
    }
}

/// Addresses as text, parsed and prepared on the way in.
pub(super) mod address {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::control) fn serialize<T: Display, S: Serializer>(
        jid: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(jid)
    }

    pub(in crate::control) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format_args!("{text:?}: {error}")))
    }
}

mod optional_address {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(
        jid: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match jid {
            Some(jid) => serializer.collect_str(jid),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| D::Error::custom(format_args!("{text:?}: {error}")))
    }
}
