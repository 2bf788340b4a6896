//! `scripts/cluster`, as somebody calls it who tries out a cluster: each command does what it says, and says what is so.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use stentor_cluster_tests::process::{self, Process, until};
use tempfile::{NamedTempFile, TempDir};

type Result<T = ()> = std::result::Result<T, String>;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts");

/// Against hanging alone.
const DEADLINE: Duration = Duration::from_secs(60);

/// The script with a folder of its own. What it started ends with the test.
struct Script {
    program: PathBuf,
    port: u16,
    folder: TempDir,
}

impl Script {
    fn new() -> Result<Self> {
        let program = process::built("stentor")?;
        let port = free_port().ok_or("no ports are free")?;
        Ok(Self { program, port, folder: TempDir::new().map_err(|e| e.to_string())? })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(format!("{SCRIPTS}/cluster"));
        self.lead(&mut command);
        command.args(arguments).env_remove("STENTOR_CLUSTER_PORT");
        command
    }

    /// Tells a script where to write, and which program to start.
    fn lead(&self, command: &mut Command) {
        command.env("CARGO_TARGET_DIR", self.folder.path()).env("STENTOR_PROGRAM", &self.program);
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        process::run(&mut self.command(arguments)).map_err(|error| format!("{arguments:?}: {error}"))
    }

    /// What `up` prints; the port is told to it alone.
    fn up(&self, count: &str) -> Result<String> {
        process::run(self.command(&["up", count]).env("STENTOR_CLUSTER_PORT", self.port.to_string()))
    }

    fn is_refused(&self, arguments: &[&str], expected: &str) {
        let told = self.run(arguments).expect_err("it is refused");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }

    /// Waits until `status` shows a member in that state.
    fn shows(&self, member: u8, state: &str) -> Result {
        let row = format!("member {member}  127.0.0.{member}:{}  {state}\n", self.port);
        let found = until(DEADLINE, || self.run(&["status"]).ok().filter(|status| status.contains(&row)));
        found.map(drop).ok_or_else(|| format!("status does not show {row:?}: {:?}", self.run(&["status"])))
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    /// The folder of the database.
    fn database(&self) -> Result<PathBuf> {
        let told = fs::read_to_string(self.home().join("database")).map_err(|e| e.to_string())?;
        Ok(PathBuf::from(told.trim_end()))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.home().exists() {
            // Where the test has failed already, that is what is told.
            let _ = self.run(&["down"]);
        }
    }
}

/// A process whose output is read while it runs.
struct Printing {
    _process: Process,
    printed: NamedTempFile,
}

impl Printing {
    fn spawn(command: &mut Command) -> Result<Self> {
        let mut spawn = || {
            let printed = NamedTempFile::new()?;
            let output = || printed.as_file().try_clone();
            command.stdin(Stdio::null()).stdout(output()?).stderr(output()?);
            Ok(Self { _process: Process::spawn(command)?, printed })
        };
        spawn().map_err(|e: io::Error| e.to_string())
    }

    fn wait_for(&self, what: &str, is_there: impl Fn(&str) -> bool) -> Result {
        let printed = || fs::read_to_string(self.printed.path()).unwrap_or_default();
        let found = until(DEADLINE, || is_there(&printed()).then_some(()));
        found.ok_or_else(|| format!("{what} is not printed: {:?}", printed()))
    }
}

/// Scripts that run at once have ports apart from each other: those of this process, and most likely of another too.
fn free_port() -> Option<u16> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(16);
    let next = || first.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % 166;
    (0..166).filter_map(|_| u16::try_from(10_000 + 60 * next()).ok()).find(|port| is_free(*port))
}

/// Whether four members can have the ports that go with that one.
fn is_free(port: u16) -> bool {
    (1..=4).all(|member| {
        let at = |above| SocketAddr::from((Ipv4Addr::new(127, 0, 0, member), port + above));
        [0, 1, 58].iter().all(|above| TcpListener::bind(at(*above)).is_ok())
            && UdpSocket::bind(at(59)).is_ok()
    })
}

/// Whether there is a PostgreSQL to start; says so if there is none.
fn has_postgres() -> bool {
    static INSTALLED: OnceLock<Result<String>> = OnceLock::new();
    let install = || process::run(Command::new(format!("{SCRIPTS}/lib/postgres.sh")).arg("install"));
    match INSTALLED.get_or_init(install) {
        Ok(_) => true,
        Err(reason) => {
            println!("skipped: {reason}");
            false
        }
    }
}

/// The processes whose command line has that in it.
fn processes_with(part: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        // Others end meanwhile, and what has ended but is not waited for has none.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).replace('\0', " ").contains(part) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// Waits until none of the folders is there, nor a process that was started for one.
fn are_gone(folders: &[&Path]) -> Result {
    let left = |folder: &&&Path| folder.exists() || !processes_with(&folder.to_string_lossy()).is_empty();
    until(DEADLINE, || folders.iter().find(left).is_none().then_some(())).ok_or_else(|| {
        let processes = folders.iter().flat_map(|folder| processes_with(&folder.to_string_lossy()));
        format!("of {folders:?} not all is gone; processes: {:?}", processes.collect::<Vec<_>>())
    })
}

#[test]
fn a_cluster_is_led_by_its_script() -> Result {
    if !has_postgres() {
        return Ok(());
    }
    let script = Script::new()?;
    what_cannot_be_is_refused(&script)?;

    let told = script.up("2")?;
    let second = format!("member 2    127.0.0.2, STARTTLS on port {}", script.port);
    for expected in ["alice@localhost    password ", "bob@localhost is served by m", &second] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    // All that follows knows the port.
    script.shows(1, "running")?;
    script.shows(2, "running")?;
    script.is_refused(&["up"], "there is one already");

    script.run(&["kill", "1"])?;
    script.shows(1, "dead")?;
    script.is_refused(&["kill", "1"], "member 1 does not run");
    script.run(&["start", "1"])?;
    script.shows(1, "running")?;

    let told = script.run(&["add"])?;
    assert!(told.starts_with(&format!("member 3  127.0.0.3:{}\n", script.port)), "{told}");
    assert!(told.contains("alice@localhost is served by m"), "{told}");
    let members = script.run(&["stentor", "3", "--json", "cluster", "members"])?;
    assert_eq!((members.matches("\"slots\": ").count(), members.matches("\"slots\": 0").count()), (3, 0));
    let logs = Printing::spawn(&mut script.command(&["logs", "3"]))?;
    logs.wait_for("the log so far", |printed| !printed.is_empty())?;
    script.run(&["drain", "3"])?;
    script.shows(3, "dead")?;
    let log = fs::read_to_string(script.home().join("3/log")).map_err(|e| e.to_string())?;
    logs.wait_for("the log to its end", |printed| {
        printed.trim_end().ends_with(&process::last_lines(&log, 3))
    })?;
    drop(logs);
    script.is_refused(&["drain", "3"], "member 3 does not run");

    script.run(&["pause", "2"])?;
    script.shows(2, "paused")?;
    script.is_refused(&["drain", "2"], "member 2 is paused; scripts/cluster resume 2 lets it go on");
    script.run(&["resume", "2"])?;
    script.shows(2, "running")?;
    assert!(script.run(&["stentor", "1", "user", "list"])?.contains("bob@localhost"));

    // Who was to end the database is gone.
    let database = script.database()?;
    let keeper = processes_with(&format!("postgres.sh start {}", database.display()));
    process::run(Command::new("kill").arg("-9").args(keeper))?;
    script.run(&["down"])?;
    assert!(!script.home().exists() && !database.exists());
    are_gone(&[&script.home(), &database])?;
    script.is_refused(&["status"], "there is none; scripts/cluster up starts one");
    Ok(())
}

fn what_cannot_be_is_refused(script: &Script) -> Result {
    script.is_refused(&["status", "extra"], "what is extra? See --help");
    script.is_refused(&["add", "3"], "what is 3? See --help");
    script.is_refused(&["down"], "there is none");

    // As one leaves it that was killed.
    fs::create_dir(script.home()).map_err(|e| e.to_string())?;
    for arguments in [&["up"][..], &["status"], &["add"]] {
        script.is_refused(arguments, "scripts/cluster down removes what it left");
    }
    script.run(&["down"])?;

    let taken = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), script.port)).map_err(|e| e.to_string())?;
    let told = script.up("2").expect_err("a port is taken");
    assert!(told.contains("member 2 did not start, for a port is taken; STENTOR_CLUSTER_PORT="), "{told}");
    assert!(!told.contains("Killed") && !script.home().exists(), "{told}");
    drop(taken);
    Ok(())
}

#[test]
fn a_cluster_ends_with_whoever_runs_it() -> Result {
    if !has_postgres() {
        return Ok(());
    }
    let script = Script::new()?;
    let mut command = process::bound_to_us(format!("{SCRIPTS}/run"));
    script.lead(command.args(["--cluster", "3"]).env("STENTOR_CLUSTER_PORT", script.port.to_string()));
    let run = Printing::spawn(&mut command)?;
    run.wait_for("how to go on", |printed| printed.ends_with("kill 2\n"))?;

    let (home, database) = (script.home(), script.database()?);
    assert_eq!(processes_with(&format!("--config {}/", home.display())).len(), 3, "its members");
    assert!(!processes_with(&format!("-D {}/", database.display())).is_empty(), "its database");
    // As `kill -9` does it.
    drop(run);
    are_gone(&[&home, &database])
}

#[test]
fn a_database_that_does_not_end_is_not_forgotten() -> Result {
    let script = Script::new()?;
    let database = script.folder.path().join("database");
    let data = database.join("data");
    let mut server = Command::new("sh");
    server.args(["-c", "trap '' QUIT; echo deaf; read never", "sh"]).arg(&data);
    let started = Process::spawn(server.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut server = started.map_err(|e| e.to_string())?;
    let mut told = String::new();
    let output = server.child().stdout.take().ok_or("it has an output")?;
    BufReader::new(output).read_line(&mut told).map_err(|e| e.to_string())?;

    // As one leaves it that was killed, together with who was to end the database.
    let mut prepare = || {
        fs::create_dir_all(&data)?;
        fs::write(data.join("postmaster.pid"), format!("{}\n", server.child().id()))?;
        fs::create_dir(script.home())?;
        fs::write(script.home().join("database"), database.as_os_str().as_encoded_bytes())
    };
    prepare().map_err(|e: io::Error| e.to_string())?;
    script.is_refused(&["down"], "does not end");
    assert!(script.home().exists() && database.exists());

    drop(server);
    script.run(&["down"])?;
    assert!(!script.home().exists() && !database.exists());
    Ok(())
}
