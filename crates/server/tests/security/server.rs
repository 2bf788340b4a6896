//! The server as a process: its folder, its log, its memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;

use crate::baseline::Baseline;
use crate::certificates::Authority;

/// What every account here has.
pub(crate) const PASSWORD: &str = "pencil-8f3a1c";

const STENTOR: &str = env!("CARGO_BIN_EXE_stentor");

/// Only against hanging.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A running server. It ends with the row that has it, and has then to be as it was at first.
pub(crate) struct Server {
    process: Process,
    baseline: Option<Baseline>,
    folder: Arc<TempDir>,
    authority: Arc<Authority>,
    settings: BTreeMap<&'static str, String>,
    log: Arc<Mutex<Vec<String>>>,
    /// Those that were made or seen, also if they are removed by now.
    accounts: Mutex<BTreeSet<String>>,
    /// Where STARTTLS comes first.
    pub(crate) clear: SocketAddr,
    /// Where TLS comes first.
    pub(crate) direct: SocketAddr,
    /// Where operators are told.
    pub(crate) http: Option<SocketAddr>,
}

/// It does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// A fresh one for `example.org` and `example.net`, the latter open for registration. `settings` override the
    /// configuration by their names in the environment.
    pub(crate) fn start(settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for domain in ["example.org", "example.net"] {
            write_certificate(folder.path(), domain);
        }
        let authority = Authority::new();
        authority.write(&folder.path().join("clients.crt"));
        authority.write_crl(&folder.path().join("clients.crl"), &[], 2090);
        fs::write(folder.path().join("stentor.toml"), CONFIGURATION).expect("written");
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self::run(Arc::new(folder), Arc::new(authority), settings)
    }

    fn run(
        folder: Arc<TempDir>,
        authority: Arc<Authority>,
        settings: BTreeMap<&'static str, String>,
    ) -> Self {
        // Where a file may not grow, that is an error, and no signal.
        let process = in_folder(Command::new("sh"), folder.path())
            .args(["-c", "trap '' XFSZ; exec \"$0\" serve", STENTOR])
            .envs(&settings)
            .stderr(Stdio::piped())
            .spawn();
        let mut process = Process(process.expect("it runs"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let events = follow(process.0.stderr.take().expect("it is piped"), Arc::clone(&log));
        let mut addresses = BTreeMap::new();
        loop {
            let event = events.recv_timeout(DEADLINE).unwrap_or_else(|_| {
                panic!("the server did not start: {:#?}", log.lock().expect("no panic"));
            });
            match event.get("message").and_then(|m| m.as_str()) {
                Some("listening") => {
                    let text = |name: &str| event.get(name).and_then(|v| v.as_str()).map(str::to_owned);
                    let address: SocketAddr =
                        text("address").and_then(|a| a.parse().ok()).expect("an address");
                    addresses.insert(text("setting").expect("a setting"), address);
                }
                Some("ready") => break,
                _ => {}
            }
        }
        let (clear, direct) = (addresses["listen.c2s"], addresses["listen.c2s_tls"]);
        let http = addresses.get("http.listen").copied();
        let accounts = Mutex::default();
        let mut server =
            Self { process, baseline: None, folder, authority, settings, log, accounts, clear, direct, http };
        server.baseline = Some(Baseline::of(&server));
        server
    }

    fn kill(&mut self) {
        self.process.0.kill().expect("it runs");
        self.ended();
    }

    /// `kill -9`, then another process on the same data.
    pub(crate) fn kill_and_restart(mut self) -> Self {
        self.kill();
        Self::run(Arc::clone(&self.folder), Arc::clone(&self.authority), self.settings.clone())
    }

    /// `kill -9`, then another process on what an export has, and on nothing else.
    pub(crate) fn kill_and_restore(mut self, export: &Path) -> Self {
        self.kill();
        fs::remove_dir_all(self.folder.path().join("data")).expect("it is ours");
        let restored = self.command(&["restore", export.to_str().expect("UTF-8")]);
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        Self::run(Arc::clone(&self.folder), Arc::clone(&self.authority), self.settings.clone())
    }

    /// `kill -9`, then another process with other settings, on the store that they name and that is restored.
    pub(crate) fn kill_and_move(mut self, settings: Vec<(&'static str, String)>, export: &Path) -> Self {
        self.kill();
        self.settings.extend(settings);
        let export = export.to_str().expect("UTF-8");
        let restored = self.command(&["restore", export]);
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        let again = self.command(&["restore", export]);
        let told = String::from_utf8_lossy(&again.stderr);
        assert!(!again.status.success() && told.contains("has accounts already"), "{told}");
        Self::run(Arc::clone(&self.folder), Arc::clone(&self.authority), self.settings.clone())
    }

    /// From now on no file takes anything more.
    pub(crate) fn fill_disk(&self) {
        let nothing = Rlimit { current: Some(0), maximum: None };
        prlimit(Some(Pid::from_child(&self.process.0)), Resource::Fsize, nothing).expect("it runs");
    }

    /// Another process on the same data, once this one has ended.
    pub(crate) fn restart(mut self) -> Self {
        assert_eq!(self.ended(), Some(0));
        Self::run(Arc::clone(&self.folder), Arc::clone(&self.authority), self.settings.clone())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).expect("it runs");
    }

    /// Waits for the process to end, by itself or since it was told to.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.baseline = None;
        self.process.0.wait().expect("it ends").code()
    }

    /// What it had at first, unless it was to end.
    pub(crate) fn baseline(&self) -> Baseline {
        self.baseline.expect("it runs")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Who certifies users of `example.org`.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A command to the running server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        stentor(self.folder.path(), arguments).envs(&self.settings).output().expect("it runs")
    }

    /// Makes an account, if there is none yet.
    pub(crate) fn account(&self, jid: &str) {
        let output = self.command(&["user", "add", jid, "--password", PASSWORD]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || text.contains("already"), "{jid}: {text}");
        self.accounts.lock().expect("no panic").insert(format!("{jid:?}"));
    }

    /// The log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic").clone()
    }

    /// Sessions that the server knows of.
    pub(crate) fn sessions(&self) -> u64 {
        self.told(&["status"])["sessions"].as_u64().expect("a count")
    }

    /// How many accounts there are, or have been as this was asked before.
    pub(crate) fn accounts(&self) -> usize {
        let users = self.told(&["user", "list"]);
        let jids = users.as_array().expect("a list").iter().map(|user| user["jid"].to_string());
        let mut accounts = self.accounts.lock().expect("no panic");
        accounts.extend(jids);
        accounts.len()
    }

    /// What a command answers as JSON.
    pub(crate) fn told(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.command(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.process.0.try_wait(), Ok(None))
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most resident memory in bytes while `run` ran.
    pub(crate) fn peak(&self, run: impl FnOnce()) -> u64 {
        // proc(5): 5 has the peak begin anew.
        fs::write(format!("/proc/{}/clear_refs", self.process.0.id()), "5").expect("it is ours");
        run();
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
    }

    /// What it has had of processors so far, in ticks of 10 ms.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.0.id())).expect("it runs");
        // proc(5): the name, in brackets, may have blanks in it; utime and stime are the 12th and 13th behind it.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.0.id())).expect("it runs").count()
    }

    pub(crate) fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.process.0.id())).expect("it runs").count()
    }
}

impl Drop for Server {
    /// No row can leave it out: what is so for all of them is seen to as the server is let go of, after its clients.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if let Some(baseline) = self.baseline {
            assert!(self.is_alive(), "the server did not outlive its row: {:#?}", self.log());
            baseline.has_returned(self);
        }
        let log = self.log();
        assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
        // S046: no secret in the log.
        assert!(!log.iter().any(|line| line.contains(PASSWORD)), "{log:#?}");
    }
}

/// How many of something a row takes: so many in the gate, and all that the catalogue asks for with `STENTOR_FULL=1`.
pub(crate) fn many(gate: usize, full: usize) -> usize {
    if std::env::var_os("STENTOR_FULL").is_some() { full } else { gate }
}

/// Waits until it is so.
pub(crate) fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn stentor(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = in_folder(Command::new(STENTOR), folder);
    command.args(arguments);
    command
}

fn in_folder(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STENTOR") {
            command.env_remove(name);
        }
    }
    command
}

/// Keeps the log, and hands out its events.
fn follow(log: ChildStderr, lines: Arc<Mutex<Vec<String>>>) -> Receiver<serde_json::Value> {
    let (send, events) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if let Ok(event) = serde_json::from_str(&line) {
                let _ = send.send(event);
            }
            lines.lock().expect("no panic").push(line);
        }
    });
    events
}

/// Every setting that is not the default is there for a row, or so that a row need not wait.
const CONFIGURATION: &str = r#"
[[host]]
domain = "example.org"
certificate = "example.org.crt"
key = "example.org.key"
client_authorities = "clients.crt"
client_crls = ["clients.crl"]

[[host]]
domain = "example.net"
certificate = "example.net.crt"
key = "example.net.key"
registration = "open"

[listen]
c2s = ["127.0.0.1:0"]
c2s_tls = ["127.0.0.1:0"]

[http]
listen = ["127.0.0.1:0"]

[auth]
mechanisms = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "EXTERNAL"]

[limits]
bytes_per_second = 1_000_000_000
burst_bytes = 1_000_000_000
"#;

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
}

/// A new certificate of the host; the old one, if any, is replaced.
pub(crate) fn write_certificate(folder: &Path, domain: &str) {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new([domain.to_owned()]).expect("a name").self_signed(&key);
    fs::write(folder.join(format!("{domain}.crt")), certificate.expect("signed").pem()).expect("written");
    write_private(&folder.join(format!("{domain}.key")), &key.serialize_pem());
}

/// The host's certificate, as the server reads it.
pub(crate) fn certificate(folder: &Path, domain: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(folder.join(format!("{domain}.crt"))).expect("it is there")
}

/// An address of this machine for one row, so that rows do not share what is counted by address.
pub(crate) fn address(row: &str) -> IpAddr {
    let mut text = String::from("127.");
    let hash = row.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let [a, b, c, _] = hash.to_le_bytes();
    let _ = write!(text, "{}.{}.{}", a.max(1), b, c.clamp(1, 254));
    text.parse().expect("an address")
}
