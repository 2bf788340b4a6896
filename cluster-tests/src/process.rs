//! Child processes that end with the test.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

/// How often a state of the outside world that sends no event is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ports that Linux gives nobody by itself (`net.ipv4.ip_local_port_range` begins behind them).
const PORTS: Range<u16> = 15_000..32_000;
/// From a process to the next.
const PORTS_APART: u32 = 101;

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

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
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

/// `cargo`, as if no cargo had started us: what that tells a test of its package, some build scripts ask for, and would
/// be run again whenever the test is started in another way or from elsewhere.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_MANIFEST_") || name_text.starts_with("CARGO_PKG_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// The path of a program of ours, which is built if need be, with the profile of the tests.
///
/// It is built for a test that stands beside each program, and chosen out of the whole workspace, as all tests are:
/// any other selection of packages has other features, and would compile their dependencies once more.
pub fn built(program: &str) -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || {
        let tests = std::env::current_exe().map_err(|e| e.to_string())?;
        let folder = tests.ancestors().nth(2).ok_or("the tests are not in a target folder")?;
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "test",
            Some(profile) => profile,
        };
        let mut cargo = cargo();
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["test", "--quiet", "--locked", "--workspace", "--test", "program", "--no-run"]);
        run(cargo.args(["--profile", profile]))?;
        Ok(folder.to_owned())
    };
    BUILT.get_or_init(build).clone().map(|folder| folder.join(program))
}

/// Runs `command` to its end; an error has the last lines of what it printed.
pub fn run(command: &mut Command) -> Result<String, String> {
    run_with_input(command.stdin(Stdio::null()), "")
}

/// [`run`], with `input` written to the command's standard input, which must be piped.
pub fn run_with_input(command: &mut Command, input: &str) -> Result<String, String> {
    let name = command.get_program().to_owned();
    let fault = |e: io::Error| format!("{}: {e}", name.display());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(fault)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(fault)?;
    }
    let output = child.wait_with_output().map_err(fault)?;
    let printed =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() {
        return Ok(printed);
    }
    Err(format!("{} ended with {}: {}", name.display(), output.status, last_lines(&printed, 5)))
}

/// The last `count` lines of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

/// A local address that nothing listens on now, and that no connection is given before it is used, be that minutes later:
/// its port is none of those that the system takes for the near end of a connection.
pub fn free_address() -> io::Result<SocketAddr> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at different ones.
    let first = std::process::id().wrapping_mul(PORTS_APART);
    let mut tries = (0..PORTS.len()).map(|_| {
        let number = first.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % PORTS.len() as u32;
        TcpListener::bind((Ipv4Addr::LOCALHOST, PORTS.start + number as u16))?.local_addr()
    });
    tries.find(Result::is_ok).unwrap_or_else(|| Err(io::ErrorKind::AddrInUse.into()))
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
