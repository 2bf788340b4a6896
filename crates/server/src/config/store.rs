//! `[store]`: where accounts and messages are kept.

use std::path::PathBuf;

use stentor_store::Engine;

use super::Config;
use super::rule::{File, Integer, OneOf, Optional};
use super::setting::{At, Component, Reader, Rule, Setting, restart};
use super::tree::{Node, Table};

/// What keeps accounts and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreEngine {
    /// An engine within this process, for a server alone.
    Embedded(Engine),
    /// PostgreSQL, or what speaks its protocol: for a server alone, or the members of a cluster, which share it.
    Postgres,
}

/// The engines that this program was built with.
pub const ENGINES: &[(&str, StoreEngine)] = &[
    #[cfg(feature = "fjall")]
    ("fjall", StoreEngine::Embedded(Engine::Fjall)),
    #[cfg(feature = "sled")]
    ("sled", StoreEngine::Embedded(Engine::Sled)),
    ("memory", StoreEngine::Embedded(Engine::Memory)),
    ("postgres", StoreEngine::Postgres),
];

/// How the connections to PostgreSQL are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreTls {
    /// By TLS; the database's certificate is for its host's name, and of an authority that is trusted.
    #[default]
    Verify,
    /// Not at all: for a database on the same machine.
    Off,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The engine.
    pub engine: StoreEngine,
    /// The folder of the engine's files; relative ones are below `data`. Of no use to `memory` and `postgres`.
    pub path: PathBuf,
    /// Bytes of memory for what was read before. Of no use to `memory` and `postgres`.
    pub cache_bytes: u64,
    /// Where PostgreSQL is: `postgresql://USER@HOST:PORT/DATABASE`.
    pub url: Option<String>,
    /// The file whose first line is the user's password.
    pub password_file: Option<PathBuf>,
    /// How the connections are protected.
    pub tls: StoreTls,
    /// PEM file of the authorities of the database's certificate; those of the system where none is named.
    pub authority: Option<PathBuf>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        // The first of those that are there: a build without any engine has only the memory.
        let engine = ENGINES.first().map_or(StoreEngine::Embedded(Engine::Memory), |(_, engine)| *engine);
        Self {
            engine,
            path: PathBuf::from("store"),
            cache_bytes: 64 << 20,
            url: None,
            password_file: None,
            tls: StoreTls::default(),
            authority: None,
        }
    }
}

impl StoreConfig {
    /// What an embedded store is opened with; none for PostgreSQL.
    pub fn embedded(&self) -> Option<stentor_store::Config> {
        let StoreEngine::Embedded(engine) = self.engine else { return None };
        let mut config = stentor_store::Config::new(engine, &self.path);
        config.cache_bytes = self.cache_bytes;
        Some(config)
    }
}

impl Component for StoreConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        restart("engine", &At(|config: &mut Self| &mut config.engine, OneOf(ENGINES))),
        restart("path", &At(|config: &mut Self| &mut config.path, File)),
        restart(
            "cache_bytes",
            &At(
                |config: &mut Self| &mut config.cache_bytes,
                Integer { min: 1 << 20, max: 1 << 40, unit: "bytes" },
            ),
        ),
        restart("url", &At(|config: &mut Self| &mut config.url, Optional(PostgresUrl))),
        restart("password_file", &At(|config: &mut Self| &mut config.password_file, Optional(File))),
        restart(
            "tls",
            &At(
                |config: &mut Self| &mut config.tls,
                OneOf(&[("verify", StoreTls::Verify), ("off", StoreTls::Off)]),
            ),
        ),
        restart("authority", &At(|config: &mut Self| &mut config.authority, Optional(File))),
    ];
}

/// What must go together: each is told where it is written.
pub(super) fn check(config: &Config, root: &Table, reader: &mut Reader) {
    let store = &config.store;
    let is_shared = store.engine == StoreEngine::Postgres;
    let engine = ENGINES.iter().find(|(_, engine)| *engine == store.engine).map_or("", |(name, _)| name);
    if is_shared && store.url.is_none() && root.node(&["store", "url"]).is_none() {
        let allowed = "url, such as \"postgresql://stentor@db.example.org:5432/stentor\"";
        reader.at(root, &["store", "engine"], "is \"postgres\", which lacks its url", allowed);
    }
    if store.tls == StoreTls::Off && store.authority.is_some() {
        reader.at(root, &["store", "authority"], "is of no use with tls = \"off\"", "only one of both");
    }
    for key in ["url", "password_file", "tls", "authority"] {
        if !is_shared && root.node(&["store", key]).is_some() {
            let what = format!("is of no use to the engine {engine:?}");
            reader.at(root, &["store", key], &what, "with engine = \"postgres\"");
        }
    }
}

/// Where PostgreSQL is. A password in it would stand in logs, lists of processes and copies of the file.
struct PostgresUrl;

impl Rule<String> for PostgresUrl {
    fn allowed(&self) -> String {
        "postgresql://USER@HOST:PORT/DATABASE, the password in password_file".to_owned()
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<String> {
        let Some(text) = node.text() else {
            reader.wrong_type(node, self.allowed());
            return None;
        };
        match url(text) {
            Ok(()) => return Some(text.to_owned()),
            Err(UrlMistake::Hidden(what)) => reader.mistake(&node.place, what.to_owned(), self.allowed()),
            Err(UrlMistake::Malformed(why)) => {
                reader.mistake(&node.place, format!("is {text:?}: {why}"), self.allowed());
            }
        }
        None
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }
}

enum UrlMistake {
    /// There may be a password in it, so the text is not shown.
    Hidden(&'static str),
    Malformed(&'static str),
}

fn url(text: &str) -> Result<(), UrlMistake> {
    let rest = ["postgresql://", "postgres://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let rest = rest.ok_or(UrlMistake::Hidden("does not begin with postgresql://"))?;
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    // The last @, as readers of such addresses do: a password may have one in it.
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') || text.to_ascii_lowercase().contains("password=") {
        return Err(UrlMistake::Hidden("has a password in it"));
    }
    let malformed = |why| Err(UrlMistake::Malformed(why));
    // Within brackets, colons are the address's own.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    match () {
        () if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            malformed("blanks and letters beyond ASCII are written as %20 and the like")
        }
        () if user.is_empty() => malformed("it names no user"),
        () if name.is_empty() => malformed("it names no host"),
        () if port.is_some_and(|port| port.parse::<std::num::NonZeroU16>().is_err()) => {
            malformed("the port is no number from 1 to 65535")
        }
        () if database.is_empty() => malformed("it names no database"),
        () if database.contains(['/', '?', '#']) => malformed("nothing can be behind the database's name"),
        () => Ok(()),
    }
}
