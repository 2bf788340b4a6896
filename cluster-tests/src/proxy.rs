//! A TCP proxy that cuts connections at command, so that a client sees a lost link and not a closed stream; or that keeps
//! what clients send, and lets it go later.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes that are read at a time, and so what is kept of one connection before its client has to wait.
const READ_BYTES: usize = 64 * 1024;

/// Which side of a cut connection learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Client and server both get a reset.
    BothSides,
    /// The client gets a reset, the server still believes in the connection: what a change of network looks like.
    ClientOnly,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    server: SocketAddr,
    is_up: bool,
    is_flowing: bool,
    cuts: u64,
    last: Cut,
}

/// What clients sent while it was kept.
type Kept = Arc<Mutex<Vec<u8>>>;

/// A proxy before one server, for one client.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    link: watch::Sender<Link>,
    kept: Kept,
}

impl Proxy {
    /// Listens on a free local port and forwards each connection to `server`.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let first = Link { server, is_up: true, is_flowing: true, cuts: 0, last: Cut::BothSides };
        let (link, watched) = watch::channel(first);
        let kept = Kept::default();
        let keeping = Arc::clone(&kept);
        // The thread ends with the channel, that is, with this proxy.
        thread::spawn(move || {
            runtime.block_on(async {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    accept(listener, watched, keeping).await;
                }
            });
        });
        Ok(Self { address, link, kept })
    }

    /// Where the client connects.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every connection; new ones are accepted but wait until [`Proxy::restore`].
    pub fn cut(&self, cut: Cut) {
        self.link.send_modify(|link| *link = Link { is_up: false, cuts: link.cuts + 1, last: cut, ..*link });
    }

    /// Keeps connections as they are; new ones are accepted but wait until [`Proxy::restore`].
    pub fn hold(&self) {
        self.link.send_modify(|link| link.is_up = false);
    }

    /// Keeps what clients send from now on, with their connections open; new ones are accepted but wait until
    /// [`Proxy::restore`].
    pub fn keep(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.link.send_modify(|link| *link = Link { is_up: false, is_flowing: false, ..*link });
    }

    /// What has been kept since [`Proxy::keep`], of all connections.
    pub fn kept(&self) -> Vec<u8> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go what was kept, on the connections that it came by. New ones go on waiting.
    pub fn let_go(&self) {
        self.link.send_modify(|link| link.is_flowing = true);
    }

    /// Forwards connections to another server from now on: what a client does that knows several addresses.
    pub fn redirect(&self, server: SocketAddr) {
        self.link.send_modify(|link| link.server = server);
    }

    /// Lets connections through again.
    pub fn restore(&self) {
        self.link.send_modify(|link| link.is_up = true);
    }
}

async fn accept(listener: TcpListener, mut link: watch::Receiver<Link>, kept: Kept) {
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                tokio::spawn(forward(client, link.clone(), Arc::clone(&kept)));
            },
            changed = link.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

async fn forward(mut client: TcpStream, mut link: watch::Receiver<Link>, kept: Kept) {
    let Ok(Link { cuts, server, .. }) = link.wait_for(|link| link.is_up).await.map(|link| *link) else {
        return;
    };
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    let cut = tokio::select! {
        _ = pass(&mut client, &mut upstream, link.clone(), &kept) => return,
        cut = link.wait_for(|link| link.cuts > cuts) => cut.map_or(Cut::BothSides, |link| link.last),
    };
    // Closing a socket that lingers for no time sends a reset.
    let _ = client.set_zero_linger();
    drop(client);
    match cut {
        Cut::BothSides => drop(upstream.set_zero_linger()),
        // Held, unread, until the proxy ends.
        Cut::ClientOnly => while link.changed().await.is_ok() {},
    }
}

/// Both ways, until both have ended or one has failed.
async fn pass(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mut link: watch::Receiver<Link>,
    kept: &Kept,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let read = from_client.read(&mut bytes).await?;
            let bytes = bytes.get(..read).unwrap_or_default();
            if !link.borrow().is_flowing {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
                let _ = link.wait_for(|link| link.is_flowing).await;
            }
            if read == 0 {
                return to_server.shutdown().await;
            }
            to_server.write_all(bytes).await?;
        }
    };
    let down = async {
        copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(up, down).map(drop)
}
