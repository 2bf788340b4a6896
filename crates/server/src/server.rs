//! A running server, as its operator meets it: what the control socket asks for, and reloads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stentor_net::{Certificates, Services};
use stentor_runtime::cluster::ClusterHandle;
use tokio::sync::watch;

use crate::administration::Operator;
use crate::cli::ConfigSource;
use crate::config::{Config, Diff};
use crate::control::{
    ControlError, ControlErrorKind, ControlFuture, ControlHandler, ControlRequest, ControlResponse,
    ReloadReport, ServerStatus,
};
use crate::logging::LogControl;
use crate::{member, overview, start};

/// Where the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// No new sessions; those there are get time to end.
    Draining,
    Ending,
}

/// What the operator can ask of a running server.
pub(crate) struct Server {
    started: Instant,
    source: ConfigSource,
    config: Mutex<Config>,
    logs: LogControl,
    operator: Operator,
    services: Arc<Services>,
    phase: watch::Sender<Phase>,
    cluster: Option<ClusterHandle>,
}

impl Server {
    pub(crate) fn new(
        config: Config,
        source: ConfigSource,
        logs: LogControl,
        operator: Operator,
        services: Arc<Services>,
        cluster: Option<ClusterHandle>,
        phase: watch::Sender<Phase>,
    ) -> Self {
        let config = Mutex::new(config);
        let started = Instant::now();
        Self { started, source, config, logs, operator, services, phase, cluster }
    }

    /// How long sessions may take to end.
    pub(crate) fn drain_time(&self) -> Duration {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_secs(config.control.drain_seconds)
    }

    pub(crate) fn end(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Reads the configuration again and applies what can change at run time.
    pub(crate) fn reload(&self) -> Result<ReloadReport, ControlError> {
        let refused = |message: String| ControlError::new(ControlErrorKind::Refused, message);
        let loaded = self
            .source
            .load()
            .map_err(|failure| ControlError { mistakes: failure.mistakes, ..refused(failure.message) })?;
        // Nothing below leaves the configuration half changed.
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = Config::diff(&config, &loaded.config);
        let next = config.reloaded(&loaded.config);
        let hosts = start::certificates(&next).map_err(|error| refused(error.to_string()))?;
        let certificates = Certificates::new(hosts, start::oldest_tls(&next));
        let certificates = certificates.map_err(|error| refused(error.to_string()))?;
        if let (Some(handle), Some(config)) = (&self.cluster, &next.cluster) {
            member::renew(handle, config).map_err(|error| refused(error.to_string()))?;
        }
        // It was parsed with the configuration, so only a log that is gone refuses it.
        self.logs.set_filter(&next.log.filter).map_err(|error| refused(error.to_string()))?;
        self.services.certificates.replace(certificates);
        let secret = self.services.settings.load().secret().clone();
        self.services.settings.store(Arc::new(start::stream_settings(&next, secret)));
        self.services.limits.store(Arc::new(start::session_limits(&next)));
        self.services.addresses.set_limits(start::address_limits(&next));
        *config = next;
        loaded.warnings.log();
        self.log_reload(&changes);
        Ok(ReloadReport { changes, warnings: loaded.warnings.lines() })
    }

    /// Also where nothing has changed: whoever renews a certificate, and sends a signal, learns of it nowhere else.
    fn log_reload(&self, changes: &Diff) {
        for change in &changes.applied {
            tracing::info!(setting = change.setting, old = change.old, new = change.new, "setting changed");
        }
        for change in &changes.needs_restart {
            tracing::warn!(
                setting = change.setting,
                old = change.old,
                new = change.new,
                "setting needs a restart"
            );
        }
        let waiting: Vec<_> = changes.needs_restart.iter().map(|change| change.setting.as_str()).collect();
        let needs_restart = (!waiting.is_empty()).then(|| waiting.join(", "));
        if self.cluster.is_some() {
            tracing::info!(needs_restart, "configuration, certificates and keys of gossip were read again");
        } else {
            tracing::info!(needs_restart, "configuration and certificates were read again");
        }
    }

    fn cluster(&self) -> Result<&ClusterHandle, ControlError> {
        self.cluster.as_ref().ok_or_else(|| {
            let message = "this server is no member of a cluster: its configuration has no [cluster]";
            ControlError::new(ControlErrorKind::Unavailable, message)
        })
    }

    async fn status(&self) -> ServerStatus {
        let sessions = self.operator.count_sessions().await;
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        ServerStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            hosts: config.hosts.iter().map(|host| host.domain.clone()).collect(),
            is_draining: *self.phase.borrow() != Phase::Running,
            sessions: Some(sessions),
        }
    }
}

impl ControlHandler for Server {
    fn handle(&self, request: ControlRequest) -> ControlFuture<'_> {
        Box::pin(async move {
            match request {
                ControlRequest::Status => Ok(ControlResponse::Status(self.status().await)),
                ControlRequest::ClusterStatus => overview::report(self.cluster()?).await,
                ControlRequest::ClusterLocate { jid } => {
                    let cluster = self.cluster()?;
                    self.operator.expect_served(jid.domain())?;
                    Ok(overview::locate(cluster, jid))
                }
                ControlRequest::ClusterSlots => Ok(overview::slots(self.cluster()?)),
                ControlRequest::ClusterDrain => {
                    self.cluster()?;
                    self.end(Phase::Draining);
                    Ok(ControlResponse::Done)
                }
                ControlRequest::Reload => self.reload().map(ControlResponse::Reloaded),
                ControlRequest::Shutdown { drain } => {
                    self.end(if drain { Phase::Draining } else { Phase::Ending });
                    Ok(ControlResponse::Done)
                }
                ControlRequest::Backup { path } => self.operator.backup(path).await,
                ControlRequest::UserAdd { jid, password } => self.operator.add(jid, password).await,
                ControlRequest::UserPasswd { jid, password } => {
                    self.operator.change_password(jid, password).await
                }
                ControlRequest::UserRemove { jid } => self.operator.remove(jid).await,
                ControlRequest::UserBefriend { jid, contact } => self.operator.befriend(jid, contact).await,
                ControlRequest::UserList { host, after } => self.operator.list(host, after).await,
                ControlRequest::UserShow { jid } => self.operator.show(jid).await,
                ControlRequest::SessionList { user, after } => self.operator.sessions(user, after).await,
                ControlRequest::SessionKick { jid, reason } => self.operator.kick(jid, reason).await,
            }
        })
    }
}
