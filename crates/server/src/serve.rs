//! `stentor serve`: the server from its start to its end.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stentor_net::{Addresses, Certificates, Listener, Security, Services};
use stentor_runtime::{Administration, Membership, Runtime, StoreCredentials};
use stentor_store::Store;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::administration::Operator;
use crate::cli::ConfigSource;
use crate::config::Config;
use crate::control::{
    BindError, ControlError, ControlErrorKind, ControlFuture, ControlHandler, ControlRequest,
    ControlResponse, ControlServer, ReloadReport, ServerStatus,
};
use crate::limits::DRAIN_CHECK;
use crate::logging::LogControl;
use crate::start;

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
    /// The configuration is that of a member.
    #[error("this version of the program cannot be a member of a cluster yet")]
    NoClusters,
    /// The store failed while the server ran. What was acknowledged is in it; nothing else can be.
    #[error("the store failed, and the server ends so that it is opened anew: {0}")]
    StoreFailed(String),
    /// A port cannot be had.
    #[error("{setting}: {address} cannot be listened on: {source}{}", listen_hint(*address, source, setting))]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file that the configuration names, or one of the server's own, cannot be used.
    #[error(transparent)]
    Unusable(#[from] start::Unusable),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] stentor_net::TlsError),
    /// The arbiters did not start.
    #[error(transparent)]
    Runtime(#[from] stentor_runtime::StartError),
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
    let listeners = open_listeners(&config)?;
    let store = Store::open(&config.store.embedded().ok_or(ServeError::NoClusters)?)?;
    let runtime = start_runtime(&config, store).await?;
    let services = services(&config, &runtime)?;
    let operator = operator(&config, &runtime, &services);
    let (server, mut phase) = Server::new(config, source, logs, operator, Arc::clone(&services));
    let server = Arc::new(server);
    let mut ended = phase.clone();
    let control = tokio::spawn(socket.run(Arc::clone(&server), async move {
        // The sender lives in `server`, which this future outlives only when all has ended.
        let _ = ended.wait_for(|phase| *phase != Phase::Running).await;
    }));
    let runtime = Arc::new(runtime);
    let accepting = accept(listeners, &runtime, &services);
    let waking = tokio::task::spawn_local(wake_senders(runtime.administration()));
    tracing::info!("ready");
    while *phase.borrow_and_update() == Phase::Running {
        tokio::select! {
            change = phase.changed() => if change.is_err() { break },
            () = signals.wait(&server) => {}
            why = runtime.store_failed() => return Err(ServeError::StoreFailed(why)),
        }
    }
    tracing::info!("ending");
    accepting.iter().for_each(JoinHandle::abort);
    waking.abort();
    let drain = match *phase.borrow() {
        Phase::Ending => Duration::ZERO,
        Phase::Draining | Phase::Running => server.drain_time(),
    };
    end_sessions(&runtime.administration(), drain).await;
    if let Err(error) = control.await {
        tracing::error!(%error, "control socket failed");
    }
    runtime.stop().await;
    tracing::info!("ended");
    Ok(())
}

/// Every port is opened before anything else is begun: that another process has one is the most frequent mistake.
fn open_listeners(config: &Config) -> Result<Vec<Listener>, ServeError> {
    let ports = [
        ("listen.c2s", &config.listen.c2s, Security::StartTls),
        ("listen.c2s_tls", &config.listen.c2s_tls, Security::Direct),
    ];
    let mut listeners = Vec::new();
    for (setting, addresses, security) in ports {
        for &address in addresses {
            let listener = Listener::open(address, security);
            let listener = listener.map_err(|source| ServeError::Listen { setting, address, source })?;
            if let Ok(address) = listener.address() {
                tracing::info!(%address, setting, "listening");
            }
            listeners.push(listener);
        }
    }
    Ok(listeners)
}

/// What whoever starts the server can do about a port that it cannot have.
fn listen_hint(address: SocketAddr, why: &io::Error, setting: &str) -> String {
    let port = address.port();
    match why.kind() {
        io::ErrorKind::AddrInUse => format!(
            ". `ss -ltnp 'sport = :{port}'`, as root, tells which process has the port; end that one, or name another \
             port in {setting}"
        ),
        io::ErrorKind::PermissionDenied if port < 1_024 => format!(
            ". Ports below 1024 need the capability CAP_NET_BIND_SERVICE; grant it, or name another port in {setting}"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            ". No interface of this machine has the address; `ip address` lists those that it has, to be named in \
             {setting}"
        ),
        _ => String::new(),
    }
}

async fn start_runtime(config: &Config, store: Store) -> Result<Runtime, ServeError> {
    // One core is left to the rest of the process and to the kernel (docs/decisions/0010-one-arbiter-fewer-than-cores.md).
    let arbiters = std::thread::available_parallelism().map_or(1, |cores| cores.get() - 1);
    let arbiters = u16::try_from(arbiters).unwrap_or(u16::MAX);
    Ok(Runtime::start(arbiters, Membership::alone(), start::hosts(config), store, start::derive(config))
        .await?)
}

fn services(config: &Config, runtime: &Runtime) -> Result<Arc<Services>, ServeError> {
    let secret = start::secret(&config.data)?;
    Ok(Arc::new(Services::new(
        start::stream_settings(config, secret),
        Certificates::new(start::certificates(config)?, start::oldest_tls(config))?,
        Arc::new(StoreCredentials::new(runtime.shared())),
        Addresses::new(start::address_limits(config)),
        start::session_limits(config),
        runtime.administration(),
    )))
}

fn operator(config: &Config, runtime: &Runtime, services: &Services) -> Operator {
    let domains = config.hosts.iter().map(|host| host.domain.clone()).collect();
    Operator::new(runtime.administration(), Arc::clone(&services.credentials), domains)
}

fn accept(listeners: Vec<Listener>, runtime: &Arc<Runtime>, services: &Arc<Services>) -> Vec<JoinHandle<()>> {
    let run = |listener: Listener| {
        let (runtime, services) = (Arc::clone(runtime), Arc::clone(services));
        tokio::task::spawn_local(async move { listener.run(&runtime, &services).await })
    };
    listeners.into_iter().map(run).collect()
}

/// Beside everything else, since a large store takes a while to read through.
async fn wake_senders(administration: Administration) {
    if let Err(error) = administration.wake_senders().await {
        tracing::error!(%error, "the store could not be read through; senders go on when they log in");
    }
}

/// Sessions are told, and get some time to go; then everything that is in memory is written.
async fn end_sessions(administration: &Administration, drain: Duration) {
    administration.end_sessions().await;
    let all_gone = async {
        while administration.count().await.1 > 0 {
            tokio::time::sleep(DRAIN_CHECK).await;
        }
    };
    if tokio::time::timeout(drain, all_gone).await.is_err() {
        tracing::warn!("sessions were cut off");
    }
    administration.settle().await;
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
    operator: Operator,
    services: Arc<Services>,
    phase: watch::Sender<Phase>,
}

impl Server {
    fn new(
        config: Config,
        source: ConfigSource,
        logs: LogControl,
        operator: Operator,
        services: Arc<Services>,
    ) -> (Self, watch::Receiver<Phase>) {
        let (phase, observed) = watch::channel(Phase::Running);
        let config = Mutex::new(config);
        (Self { started: Instant::now(), source, config, logs, operator, services, phase }, observed)
    }

    /// How long sessions may take to end.
    fn drain_time(&self) -> Duration {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_secs(config.control.drain_seconds)
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
        let hosts = start::certificates(&next).map_err(|error| refused(error.to_string()))?;
        let secret = start::secret(&next.data).map_err(|error| refused(error.to_string()))?;
        self.logs.set_filter(&next.log.filter).map_err(|error| refused(error.to_string()))?;
        let replaced = self.services.certificates.replace(hosts, start::oldest_tls(&next));
        replaced.map_err(|error| refused(error.to_string()))?;
        self.services.settings.store(Arc::new(start::stream_settings(&next, secret)));
        self.services.limits.store(Arc::new(start::session_limits(&next)));
        self.services.addresses.set_limits(start::address_limits(&next));
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
