//! This process as a member of a cluster: what drives the pure parts of `stentor_cluster` with real sockets.
//!
//! One thread, `stentor-cluster`, owns the steward and gossip, and lets connections in; it has its own tokio runtime.
//! There is one end of a link for each other member ([`links`]), which an arbiter serves: so an event mostly wakes no
//! thread but that of its entity. Each arbiter encodes what it has for a member and puts it on the link, which decides
//! whether there is room. What comes is decoded by the arbiter that serves the link, waits for the table by which it was
//! sent, and goes to the arbiters. Another thread asks the register, since that waits for the store.
//!
//! Nothing is trusted before it has shown a certificate of the cluster's authority, for the name that it greets with.

mod alarm;
mod arbiters;
mod carry;
mod cell;
mod clock;
mod config;
mod core;
mod handle;
mod incoming;
pub mod limits;
mod links;
mod peers;
mod register;
mod status;

pub use config::{ClusterConfig, Endpoint};
pub use handle::{ClusterHandle, Joined};
pub use links::{TlsError, TlsMaterial};
pub use status::{ClusterStatus, Liveness, MemberStatus};

use self::core::{Core, JoinedBy, Parts};
use bytes::BytesMut;
use cell::{Cell, Watch};
use handle::{Input, Published};
use limits::{DATAGRAMS, INPUTS};
use links::{Door, Tls};
use peers::Ways;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};
use stentor_cluster::limits::GOSSIP_DATAGRAM_BYTES_MAX;
use stentor_cluster::{Ending, GossipKeys};
use stentor_engine::{MemberInfo, RegisterRequest};
use stentor_store::Register;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// Why a process did not become a member.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// A port cannot be used.
    #[error("the cluster's address {0} cannot be bound: {1}")]
    Bind(SocketAddr, io::Error),
    /// See there.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no thread.
    #[error("the cluster's threads do not start: {0}")]
    Thread(io::Error),
    /// The cluster does not have it; or it left before it had joined.
    #[error(transparent)]
    Ended(#[from] EndingError),
}

/// An [`Ending`] as an error.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EndingError(pub Ending);

/// See the module.
#[derive(Debug)]
pub struct Cluster;

impl Cluster {
    /// Becomes a member: waits until the register has entered it and a table is here that has it. As long as the store
    /// does not answer, or a dead member of this name holds its lease, that takes. Dropped, it leaves again.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub async fn join(config: ClusterConfig, register: Box<dyn Register>) -> Result<Joined, JoinError> {
        let tls = Tls::new(&config.name, config.tls)?;
        let (listener, link) = listener(config.link)?;
        let (socket, gossip) = socket(config.gossip)?;
        let (inputs, input) = unbounded_channel();
        let ways = Arc::new(Ways::new(tls, inputs.clone()));
        let published = Arc::new(Published::new());
        let (ask, registering) = register::start(register, inputs.clone()).map_err(JoinError::Thread)?;
        let (joining, joined) = oneshot::channel();
        let info = MemberInfo {
            name: config.name.clone(),
            link,
            gossip,
            weight: config.weight,
            wire: config.wire,
            settings: config.settings,
        };
        let thread = Thread {
            info,
            cluster: config.cluster,
            keys: config.keys,
            listener,
            socket,
            input,
            ways: Arc::clone(&ways),
            published: Arc::clone(&published),
            register: ask,
            registering,
            joining,
        };
        let builder = Builder::new().name("stentor-cluster".to_owned());
        builder.spawn(move || thread.run()).map_err(JoinError::Thread)?;
        let handle = ClusterHandle { name: config.name, inputs, published };
        tokio::select! {
            biased;
            Ok((member, table)) = joined => Ok(Joined { member, table, peers: ways, handle }),
            ending = handle.ended() => Err(EndingError(ending).into()),
        }
    }
}

/// Binds where links are taken; where others find it.
fn listener(endpoint: Endpoint) -> Result<(TcpListener, SocketAddr), JoinError> {
    let failed = |error| JoinError::Bind(endpoint.bind, error);
    let listener = TcpListener::bind(endpoint.bind).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, endpoint.advertised(bound)))
}

/// The same for gossip.
fn socket(endpoint: Endpoint) -> Result<(UdpSocket, SocketAddr), JoinError> {
    let failed = |error| JoinError::Bind(endpoint.bind, error);
    let socket = UdpSocket::bind(endpoint.bind).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    Ok((socket, endpoint.advertised(bound)))
}

/// What the cluster's thread begins with.
struct Thread {
    info: MemberInfo,
    cluster: Box<str>,
    keys: GossipKeys,
    listener: TcpListener,
    socket: UdpSocket,
    input: UnboundedReceiver<Input>,
    ways: Arc<Ways>,
    published: Arc<Published>,
    register: mpsc::Sender<RegisterRequest>,
    registering: JoinHandle<()>,
    joining: oneshot::Sender<JoinedBy>,
}

impl Thread {
    fn run(self) {
        let (published, ways) = (Arc::clone(&self.published), Arc::clone(&self.ways));
        let _watch = Watch(Arc::clone(&published));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let registering = match runtime {
            Ok(runtime) => runtime.block_on(LocalSet::new().run_until(self.drive())),
            Err(error) => {
                tracing::error!(%error, "the cluster's thread has no runtime");
                published.end(Ending::Left);
                return;
            }
        };
        ways.end();
        // Nobody can ask it any more.
        let _ = registering.join();
        published.stopped.send_replace(true);
    }

    /// Goes on until it is over; then everything of it is dropped but the register's thread.
    async fn drive(self) -> JoinHandle<()> {
        let Self { info, cluster, keys, listener, socket, input, ways, published, .. } = self;
        let (register, registering, joining) = (self.register, self.registering, self.joining);
        let sockets = tokio::net::TcpListener::from_std(listener)
            .and_then(|listener| Ok((listener, Rc::new(tokio::net::UdpSocket::from_std(socket)?))));
        let (listener, socket) = match sockets {
            Ok(sockets) => sockets,
            Err(error) => {
                tracing::error!(%error, "the cluster's sockets cannot be used");
                published.end(Ending::Left);
                return registering;
            }
        };
        let ended = Arc::clone(&published);
        let datagrams = Rc::clone(&socket);
        let parts = Parts { info, cluster, keys, socket, ways, published, register, joining };
        let core = Cell::new(Core::new(parts));
        core.spawn(take_inputs(core.clone(), input));
        core.spawn(take_datagrams(core.clone(), datagrams));
        core.spawn(Door::new(core.clone()).listen(listener));
        core.spawn(core.clone().keep_time());
        let ending = ended.ended().await;
        tracing::info!(why = %ending, "this process is no member any more");
        registering
    }
}

async fn take_inputs(core: Cell, mut input: UnboundedReceiver<Input>) {
    let mut inputs = Vec::new();
    while input.recv_many(&mut inputs, INPUTS).await > 0 {
        core.with(|core, now| inputs.drain(..).for_each(|input| core.take(now, input)));
    }
}

async fn take_datagrams(core: Cell, socket: Rc<tokio::net::UdpSocket>) {
    let mut datagram = BytesMut::zeroed(2 * GOSSIP_DATAGRAM_BYTES_MAX);
    loop {
        if socket.readable().await.is_err() {
            return;
        }
        for _ in 0..DATAGRAMS {
            // An error may be that somebody did not take one of ours.
            let Ok((bytes, _)) = socket.try_recv_from(&mut datagram) else { break };
            core.with(|core, _| core.datagram(datagram.get(..bytes).unwrap_or_default()));
        }
        tokio::task::yield_now().await;
    }
}
