//! The commands' half of the control socket. It blocks: a command does one thing at a time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::{PidfdFlags, pidfd_open};

use super::line::{decode_reply, encode_request};
use super::protocol::{ControlError, ControlRequest, ControlResponse};
use crate::limits::{CONTROL_IDLE, CONTROL_REPLY_BYTES_MAX};

/// Why a request has no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no server is running: nothing answers on {}; start it with `stentor serve`", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The socket belongs to another user.
    #[error("{} is another user's: run this as the server's user or as root", path.display())]
    Forbidden {
        /// The socket.
        path: PathBuf,
    },
    /// It takes requests, and does not answer.
    #[error(
        "the server has not answered for {0} seconds: it hangs, or the machine stands still; its log, or `kill -CONT` where \
         somebody has stopped it, may help"
    )]
    Silent(u64),
    /// The connection broke; whether the request was carried out is not known.
    #[error("the server did not answer: {0}")]
    Broken(#[from] io::Error),
    /// The server says no.
    #[error("{0}")]
    Refused(#[from] ControlError),
}

/// A connection to the running server.
#[derive(Debug)]
pub struct ControlClient {
    stream: BufReader<UnixStream>,
}

impl ControlClient {
    /// Connects to the server that listens on `path`.
    ///
    /// # Errors
    /// `NotRunning` and `Forbidden`, with what to do; `Broken` for anything else.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NotRunning { path: path.to_owned() }
            }
            io::ErrorKind::PermissionDenied => ClientError::Forbidden { path: path.to_owned() },
            _ => ClientError::Broken(error),
        })?;
        stream.set_write_timeout(Some(CONTROL_IDLE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// The process that listens, if the system says which. Asked of the system: a server that waits for its store tells
    /// nobody how it is.
    pub fn server_process(&self) -> Option<OwnedFd> {
        let credentials = rustix::net::sockopt::socket_peercred(self.stream.get_ref()).ok()?;
        pidfd_open(credentials.pid, PidfdFlags::empty()).ok()
    }

    /// Asks, and waits for the answer as long as the server may take for it.
    ///
    /// # Errors
    /// `Refused` if the server answered with an error, otherwise `Broken`.
    pub fn ask(&mut self, request: &ControlRequest) -> Result<ControlResponse, ClientError> {
        let patience = request.time_limit() + CONTROL_IDLE;
        let stream = self.stream.get_mut();
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(&encode_request(request))?;
        let mut line = Vec::new();
        // One byte more than allowed tells a line that is too long from one that just fits.
        let mut reply = self.stream.by_ref().take(CONTROL_REPLY_BYTES_MAX as u64 + 1);
        reply.read_until(b'\n', &mut line).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent(patience.as_secs()),
            _ => ClientError::Broken(error),
        })?;
        if line.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(decode_reply(&line)?)
    }
}
