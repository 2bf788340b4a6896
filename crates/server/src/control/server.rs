//! The server's half of the control socket.

use std::fs::Permissions;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stentor_runtime::Rarely;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::line::{decode_request, encode_reply};
use super::protocol::{ControlError, ControlErrorKind, ControlRequest, ControlResponse};
use crate::limits::{
    CONTROL_CONNECTIONS_MAX, CONTROL_IDLE, CONTROL_LINGER, CONTROL_REQUEST_BYTES_MAX, SOCKET_NEW,
};

/// The answer to a request, when it is there.
pub type ControlFuture<'a> = Pin<Box<dyn Future<Output = Result<ControlResponse, ControlError>> + Send + 'a>>;

/// Who carries out requests. A request is dropped when its time limit is over.
pub trait ControlHandler: Send + Sync + 'static {
    /// Carries out one request.
    fn handle(&self, request: ControlRequest) -> ControlFuture<'_>;
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A server answers on it already.
    #[error("a server is running already: it answers on {}", path.display())]
    Running {
        /// The socket.
        path: PathBuf,
    },
    /// The system says no.
    #[error("cannot listen on {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A control socket, listening. Its file goes with it.
#[derive(Debug)]
pub struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlServer {
    /// Listens on `path`, mode 0600, in place of the socket of a server that is no more.
    ///
    /// # Errors
    /// A running server's socket is left alone.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(BindError::Running { path: path.to_owned() });
        }
        let listener = listen(path).map_err(|source| BindError::Io { path: path.to_owned(), source })?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers requests until `stop` is ready; then ends what is under way within [`CONTROL_LINGER`].
    pub async fn run(self, handler: Arc<impl ControlHandler>, stop: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        let mut failed = Rarely::default();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
                accepted = self.listener.accept(), if connections.len() < CONTROL_CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(stream, Arc::clone(&handler)));
                    }
                    Err(error) => {
                        // Out of descriptors, most likely: trying again at once would only burn the processor.
                        if let Some(unsaid) = failed.happened(Instant::now()) {
                            tracing::warn!(%error, unsaid, "control connection not accepted");
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(CONTROL_LINGER, ended).await.is_err() {
            tracing::warn!("control requests were cut off");
        }
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        // What is there may be gone already; a socket that stays is replaced by the next server.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The socket gets its name when its mode is set, so nobody else can ever connect.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let mut new = path.as_os_str().to_owned();
    new.push(SOCKET_NEW);
    let new = PathBuf::from(new);
    if new.exists() {
        std::fs::remove_file(&new)?;
    }
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "control connection failed");
    }
}

async fn converse(stream: UnixStream, handler: Arc<impl ControlHandler>) {
    if let Err(error) = check_peer(&stream) {
        reply(&mut BufReader::new(stream), &Err(error)).await;
        return;
    }
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream).await {
        let answer = match request {
            Ok(request) => carry_out(request, &*handler).await,
            Err(error) => Err(error),
        };
        // Where a line is too long, the next one begins who knows where.
        let is_lost = matches!(&answer, Err(error) if error.kind == ControlErrorKind::BadRequest);
        if !reply(&mut stream, &answer).await || is_lost {
            return;
        }
    }
}

/// The socket's mode keeps others out already; this holds where a file system ignores modes.
fn check_peer(stream: &UnixStream) -> Result<(), ControlError> {
    let peer = stream.peer_cred().map(|peer| peer.uid());
    let own = rustix::process::geteuid().as_raw();
    match peer {
        Ok(uid) if uid == own || uid == 0 => Ok(()),
        _ => Err(ControlError::new(ControlErrorKind::Forbidden, "only the server's user and root may ask")),
    }
}

/// The next request; none when the peer has closed, failed or was silent for too long.
async fn read_request(stream: &mut BufReader<UnixStream>) -> Option<Result<ControlRequest, ControlError>> {
    let mut line = Vec::new();
    // One byte more than allowed tells a line that is too long from one that just fits.
    let limit = CONTROL_REQUEST_BYTES_MAX as u64 + 1;
    let mut limited = stream.take(limit);
    let read = timeout(CONTROL_IDLE, limited.read_until(b'\n', &mut line)).await;
    let is_complete = line.ends_with(b"\n") || line.len() > CONTROL_REQUEST_BYTES_MAX;
    match read {
        Ok(Ok(_)) if is_complete => Some(decode_request(&line)),
        _ => None,
    }
}

async fn carry_out(
    request: ControlRequest,
    handler: &impl ControlHandler,
) -> Result<ControlResponse, ControlError> {
    let limit = request.time_limit();
    match timeout(limit, handler.handle(request)).await {
        Ok(answer) => answer,
        Err(_) => {
            let message = format!("not done after {} seconds", limit.as_secs());
            Err(ControlError::new(ControlErrorKind::TimedOut, message))
        }
    }
}

/// Whether the reply was written.
async fn reply(stream: &mut BufReader<UnixStream>, answer: &Result<ControlResponse, ControlError>) -> bool {
    let line = encode_reply(answer);
    matches!(timeout(CONTROL_IDLE, stream.get_mut().write_all(&line)).await, Ok(Ok(())))
}
