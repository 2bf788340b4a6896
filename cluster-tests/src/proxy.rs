//! A TCP proxy that cuts connections at command, so that a client sees a lost link and not a closed stream.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

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
    cuts: u64,
    last: Cut,
}

/// A proxy before one server, for one client.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    link: watch::Sender<Link>,
}

impl Proxy {
    /// Listens on a free local port and forwards each connection to `server`.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (link, watched) = watch::channel(Link { server, is_up: true, cuts: 0, last: Cut::BothSides });
        // The thread ends with the channel, that is, with this proxy.
        thread::spawn(move || {
            runtime.block_on(async {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    accept(listener, watched).await;
                }
            });
        });
        Ok(Self { address, link })
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

    /// Forwards connections to another server from now on: what a client does that knows several addresses.
    pub fn redirect(&self, server: SocketAddr) {
        self.link.send_modify(|link| link.server = server);
    }

    /// Lets connections through again.
    pub fn restore(&self) {
        self.link.send_modify(|link| link.is_up = true);
    }
}

async fn accept(listener: TcpListener, mut link: watch::Receiver<Link>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                tokio::spawn(forward(client, link.clone()));
            },
            changed = link.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

async fn forward(mut client: TcpStream, mut link: watch::Receiver<Link>) {
    let Ok(Link { cuts, server, .. }) = link.wait_for(|link| link.is_up).await.map(|link| *link) else {
        return;
    };
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    let cut = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut upstream) => return,
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
