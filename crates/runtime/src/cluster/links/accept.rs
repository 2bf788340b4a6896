//! Who is let in: connections of whoever it may be, until they have shown a certificate and greeted.

use super::{Tls, tls};
use crate::cluster::cell::Cell;
use crate::cluster::clock::now_ms;
use crate::cluster::limits::{GREETING_MAX, GREETING_MEMBERS_MAX};
use crate::socket::Socket;
use bytes::BytesMut;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stentor_cluster::limits::{CONNECT_MS, HELLO_BYTES_MAX};
use stentor_cluster::wire::{Hello, Refusal, WireError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;

/// Why a connection was not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stranger {
    #[error("too many have not greeted yet")]
    TooMany,
    #[error("it did not greet in time")]
    Late,
    #[error("TLS with it failed: {0}")]
    Tls(io::Error),
    #[error("its connection ended: {0}")]
    Lost(io::Error),
    #[error("it did not greet: {0}")]
    NoGreeting(WireError),
    #[error("its certificate is not that of the member {0:?}")]
    Name(Box<str>),
    #[error("{1}, and calls itself {0:?}")]
    Refused(Box<str>, Refusal),
}

impl Stranger {
    /// For counting.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::TooMany => "too-many",
            Self::Late => "late",
            Self::Tls(_) => "tls",
            Self::Lost(_) => "lost",
            Self::NoGreeting(_) => "no-greeting",
            Self::Name(_) => "name",
            Self::Refused(_, Refusal::OtherCluster) => "other-cluster",
            Self::Refused(_, Refusal::OtherMember(_)) => "other-member",
            Self::Refused(_, Refusal::UnknownMember) => "unknown-member",
            Self::Refused(_, Refusal::NoVersion(_)) => "no-version",
            Self::Refused(_, Refusal::OtherHistory) => "other-history",
        }
    }
}

/// Lets members in.
pub(crate) struct Door {
    core: Cell,
    strangers: Arc<Semaphore>,
    /// Those that come from an address of a member: strangers from elsewhere do not take their places.
    members: Arc<Semaphore>,
}

impl Door {
    pub(crate) fn new(core: Cell) -> Self {
        let strangers = Arc::new(Semaphore::new(GREETING_MAX));
        Self { core, strangers, members: Arc::new(Semaphore::new(GREETING_MEMBERS_MAX)) }
    }

    /// Takes connections for ever.
    pub(crate) async fn listen(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => self.take(stream, from),
                // Of the system's, as a rule: no more descriptors. Others may be freed.
                Err(error) => {
                    tracing::warn!(%error, "a connection to the cluster's port could not be taken");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, from: SocketAddr) {
        let is_known = self.core.with(|core, _| core.is_member_at(from.ip()));
        let places = if is_known { &self.members } else { &self.strangers };
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            return self.core.with(|core, now| core.refused(now, from, &Stranger::TooMany));
        };
        let core = self.core.clone();
        self.core.spawn(async move {
            let time = Duration::from_millis(CONNECT_MS);
            let tls = core.with(|core, _| core.tls());
            let result = timeout(time, let_in(&core, tls, stream)).await.unwrap_or(Err(Stranger::Late));
            if let Err(stranger) = result {
                core.with(|core, now| core.refused(now, from, &stranger));
            }
            drop(place);
        });
    }
}

async fn let_in(core: &Cell, tls: Tls, stream: TcpStream) -> Result<(), Stranger> {
    stream.set_nodelay(true).map_err(Stranger::Lost)?;
    let mut stream = tls.acceptor.accept(Socket::from(stream)).await.map_err(Stranger::Tls)?;
    let mut input = BytesMut::with_capacity(HELLO_BYTES_MAX);
    let hello = loop {
        if let Some(hello) = Hello::read(&mut input).map_err(Stranger::NoGreeting)? {
            break hello;
        }
        if stream.read_buf(&mut input).await.map_err(Stranger::Lost)? == 0 {
            return Err(Stranger::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    if !tls::is_of(certificate, &hello.name) {
        return Err(Stranger::Name(hello.name));
    }
    let greeted = core.with(|core, _| core.greeted(&hello));
    let refused = match greeted {
        Err(refusal) => Err((refusal, Box::new(TlsStream::from(stream)))),
        Ok(channel) => {
            let stream = Box::new(TlsStream::from(stream));
            channel.accept(now_ms(), (&hello, input), stream)
        }
    };
    let Err((refusal, mut stream)) = refused else { return Ok(()) };
    if let Ok(frame) = refusal.encode() {
        // Whether or not it hears why, it is refused.
        let _ = stream.write_all(frame.bytes()).await;
        let _ = stream.shutdown().await;
    }
    Err(Stranger::Refused(hello.name, refusal))
}
