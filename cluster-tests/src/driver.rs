//! One third-party client, driven through the exchange that `clients/README.md` describes.

use crate::process::{Process, bound_to_us, last_lines};
use crate::server::Tls;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long one event may take; only ever reached by a failure.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How a client's program is started: the program and its first arguments.
pub type Program = Vec<PathBuf>;

/// Who logs in where.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Where to connect.
    pub address: SocketAddr,
    /// How TLS begins there.
    pub tls: Tls,
    /// The bare or full JID.
    pub jid: &'a str,
    /// Its password.
    pub password: &'a str,
    /// The PEM file with the only trust anchor.
    pub authority: &'a Path,
}

/// A running client.
#[derive(Debug)]
pub struct Driver {
    commands: ChildStdin,
    events: Receiver<Value>,
    /// Events that nobody has asked for yet, oldest first; messages stand in `messages` instead.
    waiting: Vec<Value>,
    messages: Vec<(String, String)>,
    cannot: Vec<String>,
    process: Process,
    folder: TempDir,
}

impl Driver {
    /// Starts the client; it is at home in an empty folder of its own.
    pub fn start(program: &Program, login: Login<'_>) -> Result<Self, String> {
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let log = File::create(folder.path().join("log")).map_err(|e| e.to_string())?;
        let (first, arguments) = program.split_first().ok_or("no program")?;
        let mut command = bound_to_us(first);
        command.args(arguments);
        command.args([
            &login.address.ip().to_string(),
            &login.address.port().to_string(),
            login.jid,
            login.password,
        ]);
        command.arg(login.authority).arg(match login.tls {
            Tls::Starttls => "starttls",
            Tls::Direct => "direct",
        });
        // The trust anchors of OpenSSL, Go and rustls-native-certs, and of Node.
        command
            .env("SSL_CERT_FILE", login.authority)
            .env("SSL_CERT_DIR", folder.path())
            .env("NODE_EXTRA_CA_CERTS", login.authority);
        command.env("HOME", folder.path()).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut process = Process::spawn(&mut command).map_err(|e| e.to_string())?;
        let commands = process.child().stdin.take().ok_or("no standard input")?;
        let output = process.child().stdout.take().ok_or("no standard output")?;
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line)
                    .unwrap_or_else(|e| json!({"event": "error", "text": e.to_string()}));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut driver = Self {
            commands,
            events,
            waiting: Vec::new(),
            messages: Vec::new(),
            cannot: Vec::new(),
            process,
            folder,
        };
        let hello = driver.expect(&json!({"event": "hello"}))?;
        let words = hello.get("cannot").and_then(Value::as_array).into_iter().flatten();
        driver.cannot = words.filter_map(|word| word.as_str().map(str::to_owned)).collect();
        Ok(driver)
    }

    /// Whether the client lacks `ability`, a word of the exchange.
    pub fn cannot(&self, ability: &str) -> bool {
        self.cannot.iter().any(|word| word == ability)
    }

    /// Gives a command.
    pub fn tell(&mut self, command: Value) -> Result<(), String> {
        writeln!(self.commands, "{command}").map_err(|e| format!("{command}: {e}"))
    }

    /// Waits for an event that has all of `wanted`'s fields, and takes it. A `from` without a resource matches any.
    pub fn expect(&mut self, wanted: &Value) -> Result<Value, String> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = self.waiting.iter().position(|event| matches(event, wanted)) {
                return Ok(self.waiting.remove(found));
            }
            self.receive(end)
                .map_err(|e| format!("{e}, waiting for {wanted}; unasked: {:?}", self.waiting))?;
        }
    }

    /// Waits until the client has received exactly `bodies` from `from`, in this order and nothing besides.
    pub fn expect_messages(&mut self, from: &str, bodies: &[String]) -> Result<(), String> {
        let end = Instant::now() + DEADLINE;
        loop {
            let received = self.messages.iter().filter(|(sender, _)| bare(sender) == from);
            let received: Vec<_> = received.map(|(_, body)| body).collect();
            if bodies.iter().eq(received.iter().copied()) {
                return Ok(());
            }
            if !bodies.iter().zip(&received).all(|(a, b)| a == *b) || received.len() > bodies.len() {
                return Err(format!("messages {received:?} instead of {bodies:?}"));
            }
            let so_far = received.len();
            self.receive(end).map_err(|e| format!("{e} after {so_far} of {} messages", bodies.len()))?;
        }
    }

    /// Forgets presence that came unasked, so that the next one expected is new.
    pub fn forget_presence(&mut self) {
        self.waiting.extend(self.events.try_iter());
        self.waiting.retain(|event| event.get("event").is_none_or(|name| name != "presence"));
    }

    /// Logs out and waits for the end of the program.
    pub fn quit(&mut self) -> Result<(), String> {
        self.tell(json!({"do": "quit"}))?;
        match self.process.wait(DEADLINE) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("ended with {status}")),
            None => Err("does not end".to_owned()),
        }
    }

    /// The last lines of the client's own log.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&log), 60)
    }

    fn receive(&mut self, end: Instant) -> Result<(), String> {
        let left = end.saturating_duration_since(Instant::now());
        let event = self.events.recv_timeout(left).map_err(|e| match e {
            mpsc::RecvTimeoutError::Timeout => "nothing came".to_owned(),
            mpsc::RecvTimeoutError::Disconnected => "the client ended".to_owned(),
        })?;
        match event.get("event").and_then(Value::as_str) {
            Some("error") => return Err(format!("the client failed: {event}")),
            Some("message") => self.messages.push((text(&event, "from"), text(&event, "body"))),
            _ => self.waiting.push(event),
        }
        Ok(())
    }
}

fn text(event: &Value, key: &str) -> String {
    event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn matches(event: &Value, wanted: &Value) -> bool {
    wanted.as_object().is_some_and(|fields| {
        fields.iter().all(|(key, value)| match (key.as_str(), value.as_str()) {
            ("from", Some(wanted)) => text(event, key) == wanted || bare(&text(event, key)) == wanted,
            _ => event.get(key) == Some(value),
        })
    })
}

fn bare(jid: &str) -> &str {
    jid.split('/').next().unwrap_or(jid)
}
