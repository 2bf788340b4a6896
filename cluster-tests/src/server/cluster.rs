//! Several members of one cluster, with a PostgreSQL of their own.

use super::database::Database;
use super::{DOMAIN, Listeners, Server, Tls, certificate};
use crate::process::{self, Process, free_address, until};
use crate::proxy::Proxy;
use serde_json::Value;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Against hanging alone: a member that died is out after some seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// The folder of the authority that a cluster begins with.
pub const MADE: &str = "members";

/// Why there is no cluster.
#[derive(Debug)]
pub enum NoCluster {
    /// There is no PostgreSQL here: the test is skipped.
    Absent(String),
    /// Something of ours fails.
    Broken(String),
}

impl From<String> for NoCluster {
    fn from(reason: String) -> Self {
        Self::Broken(reason)
    }
}

/// A cluster, of members that run and others that do not.
pub struct Cluster {
    program: PathBuf,
    files: certificate::Certificate,
    members: Vec<Member>,
    database: Database,
    // Last: the folder goes when the processes have ended.
    folder: TempDir,
}

struct Member {
    name: &'static str,
    listeners: Listeners,
    http: SocketAddr,
    /// Its way to the database.
    database: Proxy,
    folder: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Cluster {
    /// With members of these names, which do not run yet.
    ///
    /// # Errors
    /// See [`NoCluster`].
    pub fn new(names: &[&'static str]) -> Result<Self, NoCluster> {
        let program = process::built("stentor")?;
        let database = Database::start().map_err(NoCluster::Absent)?;
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let path = folder.path();
        let files = certificate::create(path).map_err(|e| e.to_string())?;
        write_private(&path.join("password"), &database.password)?;
        let member = |name: &'static str| -> Result<Member, String> {
            let folder = path.join(name);
            fs::create_dir(&folder).map_err(|e| e.to_string())?;
            let listeners = Listeners::free().map_err(|e| e.to_string())?;
            let http = free_address().map_err(|e| e.to_string())?;
            let proxy = Proxy::start(database.address).map_err(|e| e.to_string())?;
            let log = folder.join("log");
            Ok(Member { name, listeners, http, database: proxy, log, folder, process: None })
        };
        let members = names.iter().map(|name| member(name)).collect::<Result<_, _>>()?;
        let cluster = Self { program, files, members, database, folder };
        cluster.make_authority(MADE)?;
        names.iter().try_for_each(|name| cluster.give_all(MADE, name))?;
        Ok(cluster)
    }

    /// An authority of the cluster, a key of gossip, and a certificate of each member, in a folder of that name.
    pub fn make_authority(&self, folder: &str) -> Result<(), String> {
        let of_members = self.members.iter().flat_map(|member| ["--member", member.name]);
        self.run(&["cluster", "init", folder].into_iter().chain(of_members).collect::<Vec<_>>()).map(drop)
    }

    /// Copies files of that folder to a member.
    pub fn give(&self, folder: &str, name: &str, files: &[&str]) -> Result<(), String> {
        let to = self.keys_of(name);
        fs::create_dir_all(&to).map_err(|e| e.to_string())?;
        files.iter().try_for_each(|file| {
            let from = self.folder.path().join(folder).join(file);
            fs::copy(&from, to.join(file)).map(drop).map_err(|e| format!("{}: {e}", from.display()))
        })
    }

    /// The certificate of the cluster's authority and the keys of gossip, and a member's own certificate and key.
    pub fn give_all(&self, folder: &str, name: &str) -> Result<(), String> {
        self.give(folder, name, &["authority.crt", "gossip.keys"])?;
        self.give_own(folder, name)
    }

    /// A member's certificate and key.
    pub fn give_own(&self, folder: &str, name: &str) -> Result<(), String> {
        self.give(folder, name, &[&format!("{name}.crt"), &format!("{name}.key")])
    }

    /// Another certificate of the host, by another authority, in the files of those before. A copy of the authority before.
    pub fn renew_host(&self) -> Result<PathBuf, String> {
        let before = self.folder.path().join("authority-before.pem");
        fs::copy(&self.files.authority, &before).map_err(|e| e.to_string())?;
        certificate::create(self.folder.path()).map_err(|e| e.to_string())?;
        Ok(before)
    }

    /// The folder in which a member has its certificate, its key, the authority and the keys of gossip.
    pub fn keys_of(&self, name: &str) -> PathBuf {
        self.member(name).folder.join("cluster")
    }

    /// The folder of all that is here.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command of `stentor` in that folder; what it prints.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        process::run(Command::new(&self.program).current_dir(self.folder.path()).args(arguments))
    }

    /// Puts a backup into the store, before any member has run.
    pub fn restore(&self, backup: &str) -> Result<(), String> {
        let Some(first) = self.members.first() else { return Err("there are no members".to_owned()) };
        self.configure(first.name, "")?;
        let file = self.folder.path().join("accounts");
        fs::write(&file, backup).map_err(|e| e.to_string())?;
        process::run(self.command(first.name).arg("restore").arg(&file)).map(drop)
    }

    /// `stentor` with a member's configuration.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.member(name).folder.join("stentor.toml"));
        command
    }

    /// Starts a member, and does not wait; `of_host` is added to the settings of its host.
    pub fn launch(&mut self, name: &str, of_host: &str) -> Result<(), String> {
        let file = self.configure(name, of_host)?;
        let mut command = process::bound_to_us(&self.program);
        let member = self.member_mut(name);
        let log = File::options().create(true).append(true).open(&member.log).map_err(|e| e.to_string())?;
        command.arg("--config").arg(&file).arg("serve").stderr(log);
        member.process = Some(Process::spawn(&mut command).map_err(|e| e.to_string())?);
        Ok(())
    }

    /// Starts members, and waits until they answer and see one another.
    pub fn start(&mut self, names: &[&str]) -> Result<(), String> {
        names.iter().try_for_each(|name| self.launch(name, ""))?;
        let running: Vec<_> =
            self.members.iter().filter(|member| member.process.is_some()).map(|member| member.name).collect();
        self.settled(&running)
    }

    /// Writes a member's configuration.
    fn configure(&self, name: &str, of_host: &str) -> Result<PathBuf, String> {
        let file = self.member(name).folder.join("stentor.toml");
        fs::write(&file, self.configuration(name, of_host)).map_err(|e| e.to_string())?;
        Ok(file)
    }

    /// Another way to the database for the process that comes after a member's, on which it waits until
    /// [`Proxy::restore`]; the way of the one that runs.
    pub fn change_database_of(&mut self, name: &str) -> Result<Proxy, String> {
        let next = Proxy::start(self.database.address).map_err(|e| e.to_string())?;
        next.hold();
        let before = std::mem::replace(&mut self.member_mut(name).database, next);
        self.configure(name, "")?;
        Ok(before)
    }

    fn configuration(&self, name: &str, of_host: &str) -> String {
        let Member { listeners: Listeners { starttls, direct }, http, database: proxy, .. } =
            self.member(name);
        let (chain, key) = (&self.files.chain, &self.files.key);
        let Database { user, name: database, .. } = &self.database;
        let place = proxy.address();
        format!(
            r#"
[[host]]
domain = {DOMAIN:?}
certificate = {chain:?}
key = {key:?}
{of_host}
[listen]
c2s = ["{starttls}"]
c2s_tls = ["{direct}"]

[store]
engine = "postgres"
url = "postgresql://{user}@{place}/{database}"
password_file = "../password"
tls = "off"

[cluster]
id = "test"
name = "{name}"
link = "127.0.0.1:0"
gossip = "127.0.0.1:0"
authority = "cluster/authority.crt"
certificate = "cluster/{name}.crt"
key = "cluster/{name}.key"
gossip_keys = "cluster/gossip.keys"

[auth]
mechanisms = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]

[limits]
unauthenticated_per_address_max = 100

[http]
listen = ["{http}"]
"#
        )
    }

    fn member(&self, name: &str) -> &Member {
        self.members.iter().find(|member| member.name == name).expect("it is one of those that were named")
    }

    fn member_mut(&mut self, name: &str) -> &mut Member {
        self.members
            .iter_mut()
            .find(|member| member.name == name)
            .expect("it is one of those that were named")
    }

    /// Sends its process a signal, such as `STOP`.
    pub fn signal(&self, name: &str, signal: &str) -> Result<(), String> {
        let number = self.member(name).process.as_ref().ok_or("it does not run")?.id().to_string();
        process::run(Command::new("kill").args(["-s", signal, &number])).map(drop)
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self, name: &str) {
        self.member_mut(name).process = None;
    }

    /// Waits for its end.
    pub fn ended(&mut self, name: &str) -> Result<ExitStatus, String> {
        let mut process = self.member_mut(name).process.take().ok_or("it does not run")?;
        process.wait(DEADLINE).ok_or_else(|| format!("{name} does not end: {}", self.log_of(name)))
    }

    /// Runs a command of `stentor` about a member; what it answers.
    ///
    /// # Errors
    /// What it says.
    pub fn ask(&self, name: &str, arguments: &[&str]) -> Result<Value, String> {
        let mut command = self.command(name);
        let output = command.arg("--json").args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
    }

    /// The member that serves an account, as `name` knows it.
    pub fn locate(&self, name: &str, localpart: &str) -> Result<String, String> {
        let location = self.ask(name, &["cluster", "locate", &format!("{localpart}@{DOMAIN}")])?;
        location
            .get("member")
            .and_then(|member| member.as_str())
            .map(str::to_owned)
            .ok_or_else(|| format!("nobody: {location}"))
    }

    /// Waits until each of these sees exactly these, all linked and with slots, and every slot is served by one of them.
    pub fn settled(&self, names: &[&str]) -> Result<(), String> {
        let mut names = names.to_vec();
        names.sort_unstable();
        for name in &names {
            let mut last = Err("it was not asked".to_owned());
            let settled = until(DEADLINE, || {
                last = self.ask(name, &["cluster", "status"]);
                last.as_ref().is_ok_and(|report| is_settled(report, &names)).then_some(())
            });
            if settled.is_none() {
                return Err(format!("{name} does not see {names:?}: {last:?}\n{}", self.log_of(name)));
            }
        }
        Ok(())
    }

    /// Waits until `holds`.
    ///
    /// # Errors
    /// That it does not, or what it fails by.
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> Result<bool, String>) -> Result<(), String> {
        until(DEADLINE, || match holds(self) {
            Ok(holds) => holds.then_some(Ok(())),
            Err(error) => Some(Err(error)),
        })
        .unwrap_or_else(|| Err(format!("not so: {what}")))
    }

    /// A metric of a member, such as `stentor_ready`; with its labels, if it has some.
    pub fn metric(&self, name: &str, metric: &str) -> Result<u64, String> {
        let mut text = String::new();
        let mut http = TcpStream::connect(self.member(name).http).map_err(|e| e.to_string())?;
        http.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .and_then(|()| http.read_to_string(&mut text))
            .map_err(|e| e.to_string())?;
        let mut values = text.lines().filter_map(|line| line.strip_prefix(metric)?.trim().parse().ok());
        values.next().ok_or_else(|| format!("{name} tells no {metric}: {text}"))
    }

    /// The last lines of a member's log.
    pub fn log_of(&self, name: &str) -> String {
        process::last_lines(&self.whole_log_of(name), 40)
    }

    /// All of a member's log.
    pub fn whole_log_of(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(&self.member(name).log).unwrap_or_default()).into_owned()
    }

    /// A member's way to the database.
    pub fn database_of(&self, name: &str) -> &Proxy {
        &self.member(name).database
    }

    /// Where clients reach one of its members.
    pub fn address_of(&self, name: &str, tls: Tls) -> SocketAddr {
        self.member(name).listeners.address(tls)
    }
}

fn is_settled(report: &Value, names: &[&str]) -> bool {
    let Some(members) = report["members"].as_array() else { return false };
    let mut seen: Vec<_> = members.iter().filter_map(|member| member["name"].as_str()).collect();
    seen.sort_unstable();
    let slots: u64 = members.iter().filter_map(|member| member["slots"].as_u64()).sum();
    let are_linked = members.iter().all(|member| member["is_linked"] == true && member["slots"] != 0);
    seen == names && are_linked && slots == 4_096 && report["gathering"] == 0 && report["quiescing"] == 0
}

/// A client by STARTTLS is at the first member, one with TLS from the first byte at the second.
impl Server for Cluster {
    fn address(&self, tls: Tls) -> SocketAddr {
        let member = match tls {
            Tls::Starttls => self.members.first(),
            Tls::Direct => self.members.get(1),
        };
        member.expect("it has two members at least").listeners.address(tls)
    }

    fn elsewhere(&self, tls: Tls) -> SocketAddr {
        self.members.last().expect("it has two members at least").listeners.address(tls)
    }

    fn authority(&self) -> &Path {
        &self.files.authority
    }

    fn log(&self) -> &Path {
        self.members.first().map_or(self.folder.path(), |member| &member.log)
    }

    fn add_user(&self, localpart: &str, password: &str) -> Result<(), String> {
        let running = self.members.iter().find(|member| member.process.is_some());
        let name = running.ok_or("no member runs")?.name;
        self.ask(name, &["user", "add", &format!("{localpart}@{DOMAIN}"), "--password", password]).map(drop)
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| e.to_string())?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|e| e.to_string())
}
