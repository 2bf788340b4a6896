//! `[cluster]`: this server as one member of several.

mod digest;
mod files;
mod rules;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::rule::{File, Integer, ListenAddress, Optional};
use super::setting::{At, Change, Component, Diff, Reader, Reload, Rule, Section, Setting, live, restart};
use super::tree::{Node, Table};
use super::{Config, StoreEngine};
pub use digest::{difference, settings_digest};
pub(super) use files::check as check_files;
pub use files::{GossipKeyBytes, GossipKeysError, is_of_authority, read_gossip_keys};
pub use rules::is_label;
use rules::{DatagramAddress, Label, OtherAddress};

/// The ending of the DNS name in each member's certificate: `NAME.stentor-cluster`.
pub const MEMBER_DOMAIN: &str = "stentor-cluster";

/// This server as a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Which cluster.
    pub id: String,
    /// This member's name, which no other has.
    pub name: String,
    /// Where it takes links of other members, by TCP.
    pub link: SocketAddr,
    /// Where others find that; `link` where none is named.
    pub advertise_link: Option<SocketAddr>,
    /// Where it takes gossip, by UDP.
    pub gossip: SocketAddr,
    /// Where others find that; `gossip` where none is named.
    pub advertise_gossip: Option<SocketAddr>,
    /// Its share of the users, relative to the weights of others.
    pub weight: u64,
    /// PEM file of the cluster's authority.
    pub authority: PathBuf,
    /// PEM file of this member's certificate, for `NAME.stentor-cluster`.
    pub certificate: PathBuf,
    /// PEM file of its private key. The content of all three is read again at each reload.
    pub key: PathBuf,
    /// The file of the cluster's keys of gossip, one a line: the first seals, all open. Read again at each reload.
    pub gossip_keys: PathBuf,
}

impl Default for ClusterConfig {
    /// Without what has no default.
    fn default() -> Self {
        // No address that could be written by mistake: what is not read is told by itself.
        let nowhere = SocketAddr::from(([255, 255, 255, 255], 0));
        Self {
            id: String::new(),
            name: String::new(),
            link: nowhere,
            advertise_link: None,
            gossip: nowhere,
            advertise_gossip: None,
            weight: 1,
            authority: PathBuf::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            gossip_keys: PathBuf::new(),
        }
    }
}

impl ClusterConfig {
    /// Makes each path relative to `base`, the folder of the configuration's file.
    pub(super) fn resolve(&mut self, base: &Path) {
        for path in [&mut self.authority, &mut self.certificate, &mut self.key, &mut self.gossip_keys] {
            if !path.as_os_str().is_empty() {
                *path = base.join(&path);
            }
        }
    }
}

impl Component for ClusterConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        restart("id", &At(|config: &mut Self| &mut config.id, Label)),
        restart("name", &At(|config: &mut Self| &mut config.name, Label)),
        restart("link", &At(|config: &mut Self| &mut config.link, ListenAddress)),
        restart(
            "advertise_link",
            &At(|config: &mut Self| &mut config.advertise_link, Optional(OtherAddress)),
        ),
        restart("gossip", &At(|config: &mut Self| &mut config.gossip, DatagramAddress)),
        restart(
            "advertise_gossip",
            &At(|config: &mut Self| &mut config.advertise_gossip, Optional(OtherAddress)),
        ),
        restart(
            "weight",
            &At(|config: &mut Self| &mut config.weight, Integer { min: 1, max: 1_000, unit: "shares" }),
        ),
        live("authority", &At(|config: &mut Self| &mut config.authority, File)),
        live("certificate", &At(|config: &mut Self| &mut config.certificate, File)),
        live("key", &At(|config: &mut Self| &mut config.key, File)),
        live("gossip_keys", &At(|config: &mut Self| &mut config.gossip_keys, File)),
    ];
    const REQUIRED: &'static [&'static str] =
        &["id", "name", "link", "gossip", "authority", "certificate", "key", "gossip_keys"];
}

/// A server without the section is alone.
pub(super) struct Membership;

impl Rule<Option<ClusterConfig>> for Membership {
    fn allowed(&self) -> String {
        Rule::<ClusterConfig>::allowed(&Section)
    }

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Option<ClusterConfig>> {
        Section.read(node, reader).map(Some)
    }

    fn show(&self, value: &Option<ClusterConfig>) -> String {
        value.as_ref().map_or_else(|| "alone".to_owned(), |config| format!("a member of {}", config.id))
    }

    fn compare(
        &self,
        path: &str,
        reload: Reload,
        old: &mut Option<ClusterConfig>,
        new: &mut Option<ClusterConfig>,
        diff: &mut Diff,
    ) {
        match (&mut *old, &mut *new) {
            (Some(old), Some(new)) => Section.compare(path, reload, old, new, diff),
            (None, None) => {}
            _ => {
                let (old, new) = (self.show(old), self.show(new));
                diff.needs_restart.push(Change { setting: path.to_owned(), old, new });
            }
        }
    }

    fn apply(&self, reload: Reload, running: &mut Option<ClusterConfig>, new: &mut Option<ClusterConfig>) {
        if let (Some(running), Some(new)) = (running, new) {
            Section.apply(reload, running, new);
        }
    }

    fn names(&self, path: &str, names: &mut Vec<String>) {
        Rule::<ClusterConfig>::names(&Section, path, names);
    }
}

/// What must go together: each is told where it is written.
pub(super) fn check(config: &Config, root: &Table, reader: &mut Reader) {
    let Some(cluster) = &config.cluster else { return };
    if config.store.engine != StoreEngine::Postgres {
        let what = "needs a store that its members share";
        reader.at(root, &["cluster"], what, "with engine = \"postgres\" in [store]");
    }
    let places = [("link", cluster.link, "advertise_link"), ("gossip", cluster.gossip, "advertise_gossip")];
    for (key, address, advertise) in places {
        // What is written there and cannot be read is told by itself.
        if address.ip().is_unspecified() && root.node(&["cluster", advertise]).is_none() {
            let what = format!("is {address}, where no other member can find it");
            let allowed = format!("the address of one interface, or {advertise} beside it");
            reader.at(root, &["cluster", key], &what, &allowed);
        }
    }
}
