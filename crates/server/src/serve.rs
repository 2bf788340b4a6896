//! `stentor serve`: the server from its start to its end.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stentor_auth::ServerSecret;
use stentor_cluster::Ending;
use stentor_net::{Addresses, Certificates, Services};
use stentor_runtime::cluster::{ClusterHandle, JoinError};
use stentor_runtime::{Figure, Membership, Runtime, StoreCredentials};
use stentor_store::Store;
use stentor_store::postgres::PostgresError;
use stentor_xmpp::BareJid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::administration::Operator;
use crate::cli::ConfigSource;
use crate::config::Config;
use crate::control::{BindError, ControlErrorKind, ControlServer};
use crate::desk::Desk;
use crate::ending::Parts;
use crate::http::{Http, Running};
use crate::limits::LEAVE_TIME;
use crate::logging::LogControl;
use crate::member::{self, Ground};
use crate::ports::{Bound, bind_ports, listen_hint};
use crate::server::{Phase, Server};
use crate::{descriptors, ending, peers, start};

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
    /// The store that members share cannot be had.
    #[error("store: {0}")]
    Postgres(#[from] PostgresError),
    /// The store gives this member no connection to write by.
    #[error("store: {0}")]
    Lane(stentor_store::Fault),
    /// Something that was done beside the rest did not come to its end.
    #[error("a part of the start failed: {0}")]
    Broken(String),
    /// The cluster does not have this member.
    #[error("cluster: {}{}", .0, member::join_hint(.0))]
    Join(#[from] JoinError),
    /// The same, for what is in its configuration and not in that of the others, or the other way round.
    #[error(
        "cluster: {0}: {1}; `stentor check` on both tells the number of these settings, and docs/cluster.md which they are"
    )]
    Differs(JoinError, String),
    /// It has it no longer.
    #[error("cluster: {0}")]
    NoMember(Ending),
    /// The same, and this process is to be replaced by one that joins anew.
    #[error("cluster: {}", Ending::Fenced)]
    Fenced,
    /// The store failed while the server ran. What was acknowledged is in it; nothing else can be.
    #[error(
        "the store failed, and the server ends: {0}. What was acknowledged is kept; see to the disk or the database, and \
         start the server again"
    )]
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
    /// The thread of HTTP did not start.
    #[error("http: {0}")]
    Http(io::Error),
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

impl ServeError {
    /// The kind, for programs.
    pub(crate) fn kind(&self) -> ControlErrorKind {
        match self {
            Self::Control(BindError::Running { .. }) => ControlErrorKind::Conflict,
            Self::Data { source, .. }
            | Self::Listen { source, .. }
            | Self::Control(BindError::Io { source, .. }) => ControlErrorKind::of(source),
            Self::Store(_) | Self::Postgres(_) | Self::Lane(_) => ControlErrorKind::Unavailable,
            Self::Join(_)
            | Self::Differs(..)
            | Self::NoMember(_)
            | Self::Fenced
            | Self::Unusable(_)
            | Self::Tls(_) => ControlErrorKind::Refused,
            Self::Broken(_) | Self::StoreFailed(_) | Self::Http(_) | Self::Runtime(_) | Self::Signals(_) => {
                ControlErrorKind::Fault
            }
        }
    }
}

/// Runs the server until a signal or `stentor stop` ends it.
///
/// # Errors
/// What forbids to start; nothing is left running then.
pub async fn serve(config: Config, source: ConfigSource, logs: LogControl) -> Result<(), ServeError> {
    descriptors::prepare(config.limits.streams_max);
    create_data(&config.data)?;
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let socket = ControlServer::bind(&config.control.socket)?;
    let ports = bind_ports(&config)?;
    let http = Http::start(&config)?;
    let (sender, mut phase) = watch::channel(Phase::Running);
    let desk = Arc::new(Desk::new(&config, sender.clone()));
    let control = tokio::spawn(socket.run(Arc::clone(&desk), over(phase.clone())));
    let ground = tokio::select! {
        ground = member::ground(&config) => ground?,
        // Joining takes as long as the store is away.
        () = told_to_end(&mut signals, &phase) => {
            sender.send_replace(Phase::Ending);
            // Whoever asked for the end is answered.
            let _ = control.await;
            tracing::info!("ended");
            return Ok(());
        }
    };
    let Ground { store, membership, joined, secret } = ground;
    let runtime = Arc::new(start_runtime(&config, store, membership).await?);
    runtime.shared().answer_by(peers::answer);
    let cluster = joined.map(|joined| joined.run(runtime.shared()));
    let services = services(&config, &runtime, secret)?;
    let operator = operator(&config, &runtime, &services);
    let somebody = config.hosts.first().and_then(|host| BareJid::parse(&host.domain).ok());
    let accepting = accept(ports, &runtime, &services)?;
    let server = Server::new(config, source, logs, operator, Arc::clone(&services), cluster.clone(), sender);
    let server = Arc::new(server);
    desk.open(Arc::clone(&server));
    if let (Some(http), Some(somebody)) = (&http, somebody) {
        http.tell(Running { services, phase: phase.clone(), cluster: cluster.clone(), somebody });
    }
    tracing::info!("ready");
    run(&mut phase, &mut signals, &server, &runtime, cluster.as_ref()).await?;
    tracing::info!("ending");
    accepting.iter().for_each(JoinHandle::abort);
    let drain = match *phase.borrow() {
        Phase::Ending => Duration::ZERO,
        Phase::Draining | Phase::Running => server.drain_time(),
    };
    let parts = Parts { runtime: &runtime, cluster: cluster.as_ref(), http: http.as_ref(), control };
    tokio::select! {
        () = ending::end(parts, drain) => {}
        () = signals.end() => {
            tracing::warn!("a second signal: the server ends at once, and what was acknowledged is kept");
        }
    }
    tracing::info!("ended");
    Ok(())
}

/// Resolves when a signal or a command ends a server that does not run yet.
async fn told_to_end(signals: &mut Signals, phase: &watch::Receiver<Phase>) {
    tokio::select! {
        () = signals.end() => {}
        () = over(phase.clone()) => {}
    }
}

/// Resolves when the server is to end. The sender lives as long as whoever serves.
async fn over(mut phase: watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
}

/// Until the server is to end.
///
/// # Errors
/// It cannot go on.
async fn run(
    phase: &mut watch::Receiver<Phase>,
    signals: &mut Signals,
    server: &Server,
    runtime: &Runtime,
    cluster: Option<&ClusterHandle>,
) -> Result<(), ServeError> {
    while *phase.borrow_and_update() == Phase::Running {
        tokio::select! {
            change = phase.changed() => if change.is_err() { break },
            () = signals.wait(server) => {}
            why = runtime.store_failed() => return Err(store_failed(why, runtime, cluster).await),
            ending = ended_as_member(cluster) => return Err(no_member(ending, runtime)),
        }
    }
    Ok(())
}

/// Never, where this is no cluster.
async fn ended_as_member(cluster: Option<&ClusterHandle>) -> Ending {
    match cluster {
        Some(cluster) => cluster.ended().await,
        None => std::future::pending().await,
    }
}

fn no_member(ending: Ending, runtime: &Runtime) -> ServeError {
    match ending {
        Ending::Fenced => {
            let figure = |figure| runtime.administration().figure(figure);
            tracing::warn!(
                write_sets_refused = figure(Figure::Fenced),
                effects_withheld = figure(Figure::Withheld).saturating_sub(figure(Figure::Released)),
                "nothing is accepted that this member tried since it was taken out"
            );
            ServeError::Fenced
        }
        other => ServeError::NoMember(other),
    }
}

/// The store may have refused because others took this member out, of which the cluster's thread learns by itself.
async fn store_failed(why: String, runtime: &Runtime, cluster: Option<&ClusterHandle>) -> ServeError {
    let Some(cluster) = cluster else { return ServeError::StoreFailed(why) };
    match tokio::time::timeout(LEAVE_TIME, cluster.ended()).await {
        Ok(ending) => no_member(ending, runtime),
        Err(_) => ServeError::StoreFailed(why),
    }
}

async fn start_runtime(config: &Config, store: Store, membership: Membership) -> Result<Runtime, ServeError> {
    // One core is left to the rest of the process and to the kernel (docs/decisions/0010-one-arbiter-fewer-than-cores.md).
    let arbiters = std::thread::available_parallelism().map_or(1, |cores| cores.get() - 1);
    let arbiters = u16::try_from(arbiters).unwrap_or(u16::MAX);
    Ok(Runtime::start(arbiters, membership, start::hosts(config), store, start::derive(config)).await?)
}

fn services(config: &Config, runtime: &Runtime, secret: ServerSecret) -> Result<Arc<Services>, ServeError> {
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

fn accept(
    ports: Vec<Bound>,
    runtime: &Arc<Runtime>,
    services: &Arc<Services>,
) -> Result<Vec<JoinHandle<()>>, ServeError> {
    let mut accepting = Vec::new();
    for Bound { setting, address, port } in ports {
        let listener = port.listen().map_err(|source| ServeError::Listen { setting, address, source })?;
        if let Ok(address) = listener.address() {
            tracing::info!(%address, setting, "listening");
        }
        let (runtime, services) = (Arc::clone(runtime), Arc::clone(services));
        accepting.push(tokio::task::spawn_local(async move { listener.run(&runtime, &services).await }));
    }
    Ok(accepting)
}

/// The folder is the server's alone: it has the accounts' credentials in it.
fn create_data(path: &Path) -> Result<(), ServeError> {
    let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|source| ServeError::Data { path: path.to_owned(), source })
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

    /// Waits for one that ends the server.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
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
