//! What stands between a member and those that link with it: its connections can be cut, and it can be closed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Default)]
struct State {
    /// One more with each cut.
    cuts: u64,
    is_closed: bool,
    /// What is behind it.
    to: Option<SocketAddr>,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<watch::Sender<State>>,
}

impl Proxy {
    /// On the actix system's own thread.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(watch::Sender::new(State::default()));
        let watched = Arc::clone(&state);
        actix_rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix_rt::spawn(forward(stream, watched.subscribe()));
            }
        });
        Self { address, state }
    }

    pub(crate) fn leads_to(&self, to: SocketAddr) {
        self.state.send_modify(|state| state.to = Some(to));
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Ends all connections, and lets none through any more.
    pub(crate) fn close(&self) {
        self.state.send_modify(|state| (state.cuts, state.is_closed) = (state.cuts + 1, true));
    }

    pub(crate) fn open(&self) {
        self.state.send_modify(|state| state.is_closed = false);
    }
}

async fn forward(mut stream: TcpStream, mut watched: watch::Receiver<State>) {
    let state = *watched.borrow();
    let Some(to) = state.to.filter(|_| !state.is_closed) else { return };
    let Ok(mut other) = TcpStream::connect(to).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut stream, &mut other) => {}
        _ = watched.wait_for(|now| now.cuts > state.cuts) => {}
    }
}
