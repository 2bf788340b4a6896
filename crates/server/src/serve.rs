//! `stentor serve`: the server from its start to its end.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use stentor_store::Store;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::backup;
use crate::cli::ConfigSource;
use crate::config::Config;
use crate::control::{
    BackupReport, BindError, ControlError, ControlErrorKind, ControlFuture, ControlHandler, ControlRequest,
    ControlResponse, ControlServer, ReloadReport, ServerStatus,
};
use crate::logging::LogControl;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder cannot be had.
    #[error("{}: {source}", path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("store: {0}")]
    Store(#[from] stentor_store::OpenError),
    /// The control socket cannot be had.
    #[error(transparent)]
    Control(#[from] BindError),
    /// The system refuses to hand over signals.
    #[error("signals: {0}")]
    Signals(io::Error),
}

/// Runs the server until a signal or `stentor stop` ends it.
///
/// # Errors
/// What forbids to start; nothing is left running then.
pub async fn serve(config: Config, source: ConfigSource, logs: LogControl) -> Result<(), ServeError> {
    create_data(&config.data)?;
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let socket = ControlServer::bind(&config.control.socket)?;
    let store = Store::open(&config.store.to_store())?;
    let (server, mut phase) = Server::new(config, source, logs, store.clone());
    let server = Arc::new(server);
    let mut ended = phase.clone();
    let control = tokio::spawn(socket.run(Arc::clone(&server), async move {
        // The sender lives in `server`, which this future outlives only when all has ended.
        let _ = ended.wait_for(|phase| *phase != Phase::Running).await;
    }));
    tracing::info!("ready");
    while *phase.borrow_and_update() == Phase::Running {
        tokio::select! {
            change = phase.changed() => if change.is_err() { break },
            () = signals.wait(&server) => {}
        }
    }
    tracing::info!("ending");
    if let Err(error) = control.await {
        tracing::error!(%error, "control socket failed");
    }
    if let Err(error) = tokio::task::spawn_blocking(move || store.close()).await {
        tracing::error!(%error, "store not closed");
    }
    tracing::info!("ended");
    Ok(())
}

/// The folder is the server's alone: it has the accounts' credentials in it.
fn create_data(path: &Path) -> Result<(), ServeError> {
    let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|source| ServeError::Data { path: path.to_owned(), source })
}

/// Where the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// No new sessions; those there are get time to end.
    Draining,
    Ending,
}

/// The signals that the server obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one, and does what it asks for.
    async fn wait(&mut self, server: &Server) {
        tokio::select! {
            _ = self.terminate.recv() => server.end(Phase::Draining),
            _ = self.interrupt.recv() => server.end(Phase::Draining),
            _ = self.hang_up.recv() => {
                if let Err(error) = server.reload() {
                    tracing::error!(%error, "configuration not reloaded, the old one stays in force");
                }
            }
        }
    }
}

/// What the operator can ask of a running server.
struct Server {
    started: Instant,
    source: ConfigSource,
    config: Mutex<Config>,
    logs: LogControl,
    store: Store,
    phase: watch::Sender<Phase>,
}

impl Server {
    fn new(
        config: Config,
        source: ConfigSource,
        logs: LogControl,
        store: Store,
    ) -> (Self, watch::Receiver<Phase>) {
        let (phase, observed) = watch::channel(Phase::Running);
        (Self { started: Instant::now(), source, config: Mutex::new(config), logs, store, phase }, observed)
    }

    fn end(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Reads the configuration again and applies what can change at run time.
    fn reload(&self) -> Result<ReloadReport, ControlError> {
        let refused = |message: String| ControlError::new(ControlErrorKind::Refused, message);
        let loaded = self.source.load().map_err(|failure| refused(failure.message))?;
        // Nothing below leaves the configuration half changed.
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = Config::diff(&config, &loaded.config);
        let next = config.reloaded(&loaded.config);
        self.logs.set_filter(&next.log.filter).map_err(|error| refused(error.to_string()))?;
        *config = next;
        loaded.warnings.log();
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
        Ok(ReloadReport { changes, warnings: loaded.warnings.lines() })
    }

    async fn back_up(&self, path: PathBuf) -> Result<BackupReport, ControlError> {
        let store = self.store.clone();
        let written = tokio::task::spawn_blocking(move || backup::write(&store, path)).await;
        written.unwrap_or_else(|error| Err(ControlError::new(ControlErrorKind::Fault, error.to_string())))
    }

    fn status(&self) -> ServerStatus {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        ServerStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            hosts: config.hosts.iter().map(|host| host.domain.clone()).collect(),
            is_draining: *self.phase.borrow() != Phase::Running,
            sessions: None,
        }
    }
}

impl ControlHandler for Server {
    fn handle(&self, request: ControlRequest) -> ControlFuture<'_> {
        Box::pin(async move {
            match request {
                ControlRequest::Status => Ok(ControlResponse::Status(self.status())),
                ControlRequest::Reload => self.reload().map(ControlResponse::Reloaded),
                ControlRequest::Shutdown { drain } => {
                    self.end(if drain { Phase::Draining } else { Phase::Ending });
                    Ok(ControlResponse::Done)
                }
                ControlRequest::Backup { path } => self.back_up(path).await.map(ControlResponse::BackedUp),
                ControlRequest::UserAdd { .. }
                | ControlRequest::UserPasswd { .. }
                | ControlRequest::UserRemove { .. }
                | ControlRequest::UserList { .. }
                | ControlRequest::UserShow { .. }
                | ControlRequest::SessionList { .. }
                | ControlRequest::SessionKick { .. } => {
                    let message = "this build serves no accounts and sessions yet";
                    Err(ControlError::new(ControlErrorKind::Unavailable, message))
                }
            }
        })
    }
}
