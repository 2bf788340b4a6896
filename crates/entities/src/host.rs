//! What an entity knows of the hosts that are served here: settings, not state.

use std::collections::BTreeMap;
use std::sync::Arc;
use stentor_engine::Planted;

/// Settings of one virtual host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its domain, prepared (RFC 7622 3.2).
    pub domain: Box<str>,
    /// Whether messages are durable before they are acknowledged. If not, they live in memory as in other
    /// servers, and only what waits for somebody who is away is stored.
    pub keep: bool,
    /// Addresses for abuse, support and so on: field of XEP-0157 and addresses.
    pub contacts: Vec<(String, Vec<String>)>,
    /// Whether accounts may be made in-band (XEP-0077).
    pub registration: bool,
}

/// What bounds a user, and what clients are told.
#[derive(Clone, Debug)]
pub struct UserLimits {
    /// Resources of one account.
    pub resources_max: usize,
    /// Roster items of one account.
    pub roster_items_max: usize,
    /// Messages that wait for an account that is away.
    pub offline_messages_max: usize,
    /// Bytes of the same.
    pub offline_bytes_max: usize,
    /// Errors of messages that one account sent and no client of it has acknowledged, beside as many as may wait and
    /// be under way. Beyond, a message that is refused stays under way, until there is room for its error.
    pub errors_max: usize,
    /// Messages of one account under way to others and not yet confirmed.
    pub outbox_max: usize,
    /// Bytes of the same.
    pub outbox_bytes_max: usize,
    /// Seconds for which a stream can be resumed after its connection was lost (XEP-0198).
    pub resume_seconds: u32,
    /// Stanzas that wait for a client to acknowledge or come back; beyond, its stream cannot be resumed.
    pub unacknowledged_stanzas_max: usize,
    /// Bytes of the same.
    pub unacknowledged_bytes_max: usize,
}

impl Default for UserLimits {
    fn default() -> Self {
        Self {
            resources_max: 20,
            roster_items_max: 5_000,
            offline_messages_max: 1_000,
            offline_bytes_max: 5 * 1024 * 1024,
            errors_max: 1_024,
            outbox_max: 1_000,
            outbox_bytes_max: 4 * 1024 * 1024,
            resume_seconds: 300,
            unacknowledged_stanzas_max: 1_000,
            unacknowledged_bytes_max: 1024 * 1024,
        }
    }
}

/// All that entities of one process share: the hosts, the limits, what the program says of itself.
#[derive(Clone, Debug)]
pub struct Hosts {
    hosts: BTreeMap<Box<str>, Arc<Host>>,
    /// What bounds each user.
    pub limits: UserLimits,
    /// The program's version (XEP-0092).
    pub version: Box<str>,
    /// When the process started, milliseconds since 1970 UTC (XEP-0012).
    pub started: u64,
    /// Whether this process is one of many: who is available is on record then, for members that take over.
    pub is_clustered: bool,
    /// Bugs switched on, to see that the simulator's checkers catch them.
    pub planted: Planted,
}

impl Hosts {
    /// Serves these.
    pub fn new(hosts: Vec<Host>, limits: UserLimits, version: &str, started: u64) -> Self {
        let hosts = hosts.into_iter().map(|host| (host.domain.clone(), Arc::new(host))).collect();
        Self {
            hosts,
            limits,
            version: version.into(),
            started,
            is_clustered: false,
            planted: Planted::default(),
        }
    }

    /// The host of a domain, if it is served here.
    pub fn get(&self, domain: &str) -> Option<&Arc<Host>> {
        self.hosts.get(domain)
    }

    /// All of them, by domain.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values()
    }
}
