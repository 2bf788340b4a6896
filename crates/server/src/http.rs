//! What HTTP tells of the server: readiness and metrics.

use std::net::TcpListener;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use stentor_http::limits::BACKLOG;
use stentor_http::{HttpServer, Kind, Metric, Source, Told};
use stentor_net::Services;
use stentor_runtime::cluster::{ClusterHandle, ClusterStatus};
use stentor_xmpp::BareJid;
use tokio::sync::watch;

use crate::config::Config;
use crate::figures;
use crate::limits::READY_TIME;
use crate::serve::ServeError;
use crate::server::Phase;

const SETTING: &str = "http.listen";

/// HTTP for operators, as long as the process lives.
pub(crate) struct Http {
    server: HttpServer,
    told: Arc<Teller>,
}

impl Http {
    /// Listens on the addresses of the configuration, if there are any: alive from now on, and not ready yet.
    ///
    /// # Errors
    /// An address cannot be had, or a thread.
    pub(crate) fn start(config: &Config) -> Result<Option<Self>, ServeError> {
        if config.http.listen.is_empty() {
            return Ok(None);
        }
        let told = Arc::new(Teller { started: Instant::now(), running: OnceLock::new() });
        let server = HttpServer::start(open(config)?, Arc::clone(&told) as Arc<dyn Source>);
        Ok(Some(Self { server: server.map_err(ServeError::Http)?, told }))
    }

    /// Clients are served from now on.
    pub(crate) fn tell(&self, running: Running) {
        // It is told once.
        let _ = self.told.running.set(running);
    }

    /// Ends it.
    pub(crate) async fn stop(&self) {
        self.server.stop().await;
    }
}

fn open(config: &Config) -> Result<Vec<TcpListener>, ServeError> {
    let mut listeners = Vec::new();
    for &address in &config.http.listen {
        let listener = stentor_net::listen(address, BACKLOG);
        let listener = listener.map_err(|source| ServeError::Listen { setting: SETTING, address, source })?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, setting = SETTING, "listening");
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// What there is once clients are served.
pub(crate) struct Running {
    pub(crate) services: Arc<Services>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) cluster: Option<ClusterHandle>,
    /// Whom the store is asked for, as at a login; there need not be such an account.
    pub(crate) somebody: BareJid,
}

impl Running {
    /// Whoever balances load sends nobody to a server that ends, nor to a member that serves no account or may let
    /// nothing leave.
    async fn ready(&self) -> Result<(), String> {
        if *self.phase.borrow() != Phase::Running {
            return Err("the server ends".to_owned());
        }
        if let Some(cluster) = &self.cluster {
            let status = cluster.status().await.ok_or("this server is no member any more")?;
            serves(&status)?;
        }
        let asked = tokio::time::timeout(READY_TIME, self.services.credentials.credential(&self.somebody));
        match asked.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(format!("the store cannot be read: {why}")),
            Err(_) => Err(format!("the store gave no answer in {} seconds", READY_TIME.as_secs())),
        }
    }

    async fn metrics(&self) -> Vec<Metric> {
        let administration = &self.services.administration;
        let (entities, sessions) = administration.count().await;
        let (sets, queries) = administration.store().waiting();
        let mut metrics = vec![
            gauge(
                "stentor_connections",
                "Connections of clients, logged in or not",
                self.services.addresses.streams(),
            ),
            gauge("stentor_sessions", "Sessions of clients with a resource", sessions),
            gauge("stentor_entities", "Entities in memory, users above all", entities),
            gauge("stentor_store_write_sets_waiting", "Write sets that wait for the store", sets),
            gauge("stentor_store_queries_waiting", "Questions that wait for the store", queries),
        ];
        metrics.extend(figures::metrics(administration, self.cluster.is_some()));
        if let Some(cluster) = &self.cluster
            && let Some(status) = cluster.status().await
        {
            metrics.extend(of_cluster(&status));
        }
        metrics
    }
}

/// The slots that this member owns.
fn slots(status: &ClusterStatus) -> usize {
    let me = status.members.iter().find(|member| Some(member.member) == status.member);
    me.map_or(0, |me| me.slots)
}

fn serves(status: &ClusterStatus) -> Result<(), &'static str> {
    match (status.lease_ms, slots(status)) {
        (0, _) => Err("this member's lease has run out, so nothing leaves it"),
        (_, 0) => Err("this member has no slots yet, or no more"),
        _ => Ok(()),
    }
}

fn of_cluster(status: &ClusterStatus) -> Vec<Metric> {
    let waiting = status.members.iter().map(|member| member.waiting_bytes).sum();
    let unlinked = status.members.iter().filter(|member| !member.is_linked).count();
    let lease = status.lease_ms as f64 / 1_000.0;
    let refused = |name, help, counts: &std::collections::BTreeMap<&'static str, u64>| Metric {
        name,
        help,
        kind: Kind::Counter,
        samples: counts
            .iter()
            .map(|(why, count)| (Some(("why", (*why).to_owned())), *count as f64))
            .collect(),
    };
    vec![
        gauge("stentor_cluster_members", "Members of the cluster, this one among them", status.members.len()),
        gauge("stentor_cluster_members_unlinked", "Members without a link to this one", unlinked),
        gauge("stentor_cluster_slots", "Slots of this member", slots(status)),
        gauge(
            "stentor_cluster_slots_gathering",
            "Slots that have come and are not whole yet",
            status.gathering,
        ),
        gauge("stentor_cluster_slots_quiescing", "Slots that are about to move away", status.quiescing),
        Metric::gauge("stentor_cluster_lease_seconds", "What is left of this member's lease", lease),
        gauge(
            "stentor_cluster_links_waiting_bytes",
            "Bytes that other members have not acknowledged",
            waiting,
        ),
        refused(
            "stentor_cluster_connections_refused_total",
            "Connections to the cluster's port that were not let in",
            &status.refused_connections,
        ),
        refused(
            "stentor_cluster_gossip_refused_total",
            "Datagrams of gossip that were not taken",
            &status.refused_gossip,
        ),
    ]
}

fn gauge(name: &'static str, help: &'static str, value: usize) -> Metric {
    Metric::gauge(name, help, value as f64)
}

/// Knows what there is to tell, from the start of the process.
struct Teller {
    started: Instant,
    running: OnceLock<Running>,
}

impl Source for Teller {
    fn ready(&self) -> Told<'_, Result<(), String>> {
        Box::pin(async {
            match self.running.get() {
                Some(running) => running.ready().await,
                None => Err("the server starts".to_owned()),
            }
        })
    }

    fn metrics(&self) -> Told<'_, Vec<Metric>> {
        Box::pin(async {
            let version = (Some(("version", env!("CARGO_PKG_VERSION").to_owned())), 1.0);
            let ready = usize::from(self.ready().await.is_ok());
            let mut metrics = vec![
                Metric { samples: vec![version], ..Metric::gauge("stentor_build_info", "The program", 1.0) },
                Metric::gauge(
                    "stentor_uptime_seconds",
                    "Since the program was started",
                    self.started.elapsed().as_secs_f64(),
                ),
                gauge("stentor_ready", "Whether clients should be sent here, as /ready says it", ready),
            ];
            if let Some(running) = self.running.get() {
                metrics.extend(running.metrics().await);
            }
            metrics
        })
    }
}
