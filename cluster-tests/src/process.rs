//! Child processes that end with the test.

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often a state of the outside world that sends no event is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A command whose process the kernel kills when the thread that spawned it ends, however that comes.
pub fn bound_to_us(program: impl AsRef<OsStr>) -> Command {
    // util-linux's setpriv, as the system call itself would need unsafe code between fork and exec.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A child that is killed when this is dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts `command`.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// The child itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Waits until the process has ended; none when the deadline passes first.
    pub fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        until(deadline, || self.0.try_wait().ok().flatten())
    }

    /// Waits until the process accepts connections at `address`.
    pub fn wait_listening(&mut self, address: SocketAddr, deadline: Duration) -> Result<(), String> {
        let found = until(deadline, || match (self.0.try_wait(), TcpStream::connect(address)) {
            (Ok(Some(status)), _) => Some(Err(format!("ended with {status} before it listened"))),
            (_, Ok(_)) => Some(Ok(())),
            _ => None,
        });
        found.unwrap_or_else(|| Err(format!("does not listen on {address} after {deadline:?}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `command` to its end; an error has the last lines of what it printed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    let printed =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() {
        return Ok(printed);
    }
    let lines: Vec<_> = printed.lines().collect();
    let last = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join(" | ");
    Err(format!("{} ended with {}: {last}", command.get_program().display(), output.status))
}

/// A local address that nothing listens on now.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Asks again and again until there is an answer; none when the deadline passes first.
pub fn until<T>(deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    let (_alive, nothing) = mpsc::channel::<()>();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        let _ = nothing.recv_timeout(LOOK_EVERY);
    }
}
