//! The configuration: one TOML file, the environment laid over it, a struct per component.
//!
//! Every mistake is reported, all at once, with its place and what is allowed. Each setting is one line in
//! its component's table (`SETTINGS`): key, rule, and whether a reload applies it.

mod auth;
mod certificate;
mod cluster;
mod control;
mod host;
mod http;
mod limits;
mod listen;
mod log;
mod mend;
mod mistake;
mod rule;
mod setting;
mod store;
mod stream_management;
mod suggest;
#[cfg(test)]
mod tests;
mod tls;
mod tree;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use auth::{AuthConfig, Mechanism};
pub(crate) use certificate::bytes_and_mode;
pub use cluster::{
    ClusterConfig, GossipKeyBytes, GossipKeysError, MEMBER_DOMAIN, difference, is_label, is_of_authority,
    read_gossip_keys, settings_digest,
};
pub use control::ControlConfig;
pub use host::{ContactConfig, HostConfig, Registration};
pub use http::HttpConfig;
pub use limits::LimitsConfig;
pub use listen::ListenConfig;
pub use log::{LogConfig, LogFormat};
pub use mistake::{Mistake, Mistakes, Place, Severity};
pub use setting::{Change, Diff, Reload};
pub use stentor_store::Engine;
pub use store::{ENGINES, StoreConfig, StoreEngine, StoreTls};
pub use stream_management::StreamManagementConfig;
pub use tls::{TlsConfig, TlsVersion};
pub use tree::ENVIRONMENT_PREFIX;

use crate::limits::{CONFIG_BYTES_MAX, SOCKET_PATH_BYTES_MAX};
use rule::File;
use setting::{At, Component, Reader, Rule, Section, Setting, live, restart};
use tree::Table;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder of what the server writes. In the file, relative to the file's folder.
    pub data: PathBuf,
    /// Where clients connect.
    pub listen: ListenConfig,
    /// TLS of all hosts.
    pub tls: TlsConfig,
    /// Authentication of clients.
    pub auth: AuthConfig,
    /// Where accounts and messages are kept.
    pub store: StoreConfig,
    /// This server as one member of several; none of a server alone.
    pub cluster: Option<ClusterConfig>,
    /// What one peer or account may use.
    pub limits: LimitsConfig,
    /// XEP-0198.
    pub stream_management: StreamManagementConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// The control socket.
    pub control: ControlConfig,
    /// Health and metrics over HTTP.
    pub http: HttpConfig,
    /// The domains served, at least one.
    pub hosts: Vec<HostConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            listen: ListenConfig::default(),
            tls: TlsConfig::default(),
            auth: AuthConfig::default(),
            store: StoreConfig::default(),
            cluster: None,
            limits: LimitsConfig::default(),
            stream_management: StreamManagementConfig::default(),
            log: LogConfig::default(),
            control: ControlConfig::default(),
            http: HttpConfig::default(),
            hosts: Vec::new(),
        }
    }
}

impl Component for Config {
    const SETTINGS: &'static [Setting<Self>] = &[
        restart("data", &At(|config: &mut Self| &mut config.data, File)),
        live("listen", &At(|config: &mut Self| &mut config.listen, Section)),
        live("tls", &At(|config: &mut Self| &mut config.tls, Section)),
        live("auth", &At(|config: &mut Self| &mut config.auth, Section)),
        live("store", &At(|config: &mut Self| &mut config.store, Section)),
        live("cluster", &At(|config: &mut Self| &mut config.cluster, cluster::Membership)),
        live("limits", &At(|config: &mut Self| &mut config.limits, Section)),
        live("stream_management", &At(|config: &mut Self| &mut config.stream_management, Section)),
        live("log", &At(|config: &mut Self| &mut config.log, Section)),
        live("control", &At(|config: &mut Self| &mut config.control, Section)),
        live("http", &At(|config: &mut Self| &mut config.http, Section)),
        live("host", &At(|config: &mut Self| &mut config.hosts, host::Hosts)),
    ];
    const REQUIRED: &'static [&'static str] = &["host"];
}

/// A configuration that the server can run on.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, its paths resolved.
    pub config: Config,
    /// What is worth knowing.
    pub warnings: Mistakes,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file or the environment has mistakes, warnings among them.
    #[error("{0}")]
    Mistakes(Mistakes),
}

impl Config {
    /// Reads the file at `path`, lays `environment` over it, and checks the certificates and keys that are named, as of
    /// `now`.
    pub fn load(
        path: &Path,
        environment: &[(String, String)],
        now: SystemTime,
    ) -> Result<Loaded, ConfigError> {
        let text =
            read_file(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let (config, mut mistakes, root) = read(path, &text, environment);
        for (index, host) in config.hosts.iter().enumerate() {
            let node = root.get("host").and_then(|hosts| hosts.item(index));
            mistakes.extend(certificate::check(host, &format!("host.{index}"), node, now));
        }
        mistakes.extend(cluster::check_files(&config, &root, now));
        finish(path, config, mistakes)
    }

    /// [`Config::load`] without a look at the certificates.
    ///
    /// # Errors
    /// As there.
    pub fn read(path: &Path, environment: &[(String, String)]) -> Result<Loaded, ConfigError> {
        let text =
            read_file(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text, environment)
    }

    /// Where the control socket of the server with the configuration at `path` is, as far as that can be read, and the
    /// mistakes that leave a doubt about it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn socket(path: &Path, environment: &[(String, String)]) -> Result<(PathBuf, Mistakes), ConfigError> {
        let text =
            read_file(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let (config, mistakes, _) = read(path, &text, environment);
        Ok((config.control.socket, Mistakes::new(path, mistakes)))
    }

    /// [`Config::load`] of a `text` as of the file at `path`, without a look at any file.
    pub fn parse(path: &Path, text: &str, environment: &[(String, String)]) -> Result<Loaded, ConfigError> {
        let (config, mistakes, _) = read(path, text, environment);
        finish(path, config, mistakes)
    }

    /// What a reload does with the differences between the configuration in force and a new one.
    pub fn diff(running: &Self, new: &Self) -> Diff {
        let mut diff = Diff::default();
        Section.compare("", Reload::Live, &mut running.clone(), &mut new.clone(), &mut diff);
        diff
    }

    /// The configuration in force after a reload: this one, with what can change at run time from `new`.
    pub fn reloaded(&self, new: &Self) -> Self {
        let mut config = self.clone();
        Section.apply(Reload::Live, &mut config, &mut new.clone());
        config
    }

    /// The full names of all settings, in the order of the tables; those of hosts as `host.domain`.
    pub fn setting_names() -> Vec<String> {
        let mut names = Vec::new();
        Rule::<Self>::names(&Section, "", &mut names);
        names
    }

    /// Makes each path stand on its own: `data` and what hosts name are relative to `base`, the folder of
    /// the configuration's file; what the server writes is relative to `data`.
    fn resolve(&mut self, base: &Path) {
        self.data = base.join(&self.data);
        self.store.path = self.data.join(&self.store.path);
        self.control.socket = self.data.join(&self.control.socket);
        for path in [&mut self.store.password_file, &mut self.store.authority] {
            *path = path.as_ref().map(|path| base.join(path));
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.resolve(base);
        }
        for host in &mut self.hosts {
            for path in [&mut host.certificate, &mut host.key] {
                // That none is named has been told: it is not to become the folder.
                if !path.as_os_str().is_empty() {
                    *path = base.join(&path);
                }
            }
            host.client_authorities = host.client_authorities.as_ref().map(|path| base.join(path));
            host.client_crls.iter_mut().for_each(|path| *path = base.join(&path));
        }
    }
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(std::io::Error::other(format!("is larger than {CONFIG_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// The configuration, its mistakes, and what it was read from.
fn read(path: &Path, text: &str, environment: &[(String, String)]) -> (Config, Vec<Mistake>, Table) {
    let mut reader = Reader::default();
    let mut root = tree::parse(text, &mut reader.mistakes);
    let broken: Vec<Place> = reader.mistakes.iter().map(|mistake| mistake.place.clone()).collect();
    reader.is_partial = !broken.is_empty();
    tree::overlay(&mut root, environment, &mut reader.mistakes);
    let mut config: Config = reader.component(&root, &Place::Whole);
    config.resolve(path.parent().unwrap_or(Path::new("")));
    check_socket(&config, &root, &mut reader);
    if !reader.is_partial {
        listen::check(&config, &root, &mut reader);
        store::check(&config, &root, &mut reader);
        cluster::check(&config, &root, &mut reader);
    }
    if reader.is_partial {
        // What was made of a broken line may mean anything.
        let syntax = broken.len();
        let mut index = 0;
        reader.mistakes.retain(|mistake| {
            index += 1;
            index <= syntax || !broken.iter().any(|place| place.is_on_line_of(&mistake.place))
        });
    }
    (config, reader.mistakes, root)
}

/// Told where the socket is named, or else where the folder is in which it lies.
fn check_socket(config: &Config, root: &Table, reader: &mut Reader) {
    let bytes = config.control.socket.as_os_str().len();
    if bytes > SOCKET_PATH_BYTES_MAX {
        let named = root.node(&["control", "socket"]).or_else(|| root.node(&["data"]));
        let place = named.map_or(Place::Whole, |node| node.place.clone());
        let what = format!("is {}, of {bytes} bytes", config.control.socket.display());
        let allowed = format!(
            "at most {SOCKET_PATH_BYTES_MAX} bytes with all folders, such as \"/run/stentor/control.sock\""
        );
        reader.within("control.socket", |reader| reader.mistake(&place, what, allowed));
    }
}

fn finish(path: &Path, config: Config, mistakes: Vec<Mistake>) -> Result<Loaded, ConfigError> {
    let mistakes = Mistakes::new(path, mistakes);
    if mistakes.is_fatal() {
        Err(ConfigError::Mistakes(mistakes))
    } else {
        Ok(Loaded { config, warnings: mistakes })
    }
}
