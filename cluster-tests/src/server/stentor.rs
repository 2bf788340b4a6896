//! Stentor itself, built beside the tests.

use super::{DOMAIN, Listeners, Mechanisms, Server, Tls, certificate};
use crate::process::{self, Process};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub(super) struct Stentor {
    program: PathBuf,
    listeners: Listeners,
    authority: PathBuf,
    configuration: PathBuf,
    log: PathBuf,
    _process: Process,
    // Last: the folder goes when the process has ended.
    _folder: TempDir,
}

impl Stentor {
    pub(super) fn start(mechanisms: Mechanisms) -> Result<Self, String> {
        let program = process::built("stentor")?;
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let files = certificate::create(folder.path()).map_err(|e| e.to_string())?;
        let listeners = Listeners::free().map_err(|e| e.to_string())?;
        let configuration = folder.path().join("stentor.toml");
        let text = configuration_text(listeners, &files, mechanisms);
        fs::write(&configuration, text).map_err(|e| e.to_string())?;
        let log = folder.path().join("log");
        let mut command = process::bound_to_us(&program);
        command.arg("--config").arg(&configuration).arg("serve");
        command.stderr(File::create(&log).map_err(|e| e.to_string())?);
        let mut process = Process::spawn(&mut command).map_err(|e| e.to_string())?;
        for address in [listeners.starttls, listeners.direct] {
            let ready = process.wait_listening(address, Duration::from_secs(20));
            ready.map_err(|e| format!("stentor {e}: {}", fs::read_to_string(&log).unwrap_or_default()))?;
        }
        Ok(Self {
            program,
            listeners,
            authority: files.authority,
            configuration,
            log,
            _process: process,
            _folder: folder,
        })
    }
}

fn configuration_text(
    listeners: Listeners,
    files: &certificate::Certificate,
    mechanisms: Mechanisms,
) -> String {
    let plain = match mechanisms {
        Mechanisms::ScramOnly => "",
        Mechanisms::PlainToo => r#", "PLAIN""#,
    };
    // All clients come from one address, and at once.
    format!(
        r#"
data = "data"

[[host]]
domain = {DOMAIN:?}
certificate = {chain:?}
key = {key:?}

[listen]
c2s = ["{starttls}"]
c2s_tls = ["{direct}"]

[auth]
mechanisms = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"{plain}]

[limits]
unauthenticated_per_address_max = 100
"#,
        starttls = listeners.starttls,
        direct = listeners.direct,
        chain = files.chain,
        key = files.key,
    )
}

impl Server for Stentor {
    fn address(&self, tls: Tls) -> SocketAddr {
        self.listeners.address(tls)
    }

    fn authority(&self) -> &Path {
        &self.authority
    }

    fn log(&self) -> &Path {
        &self.log
    }

    fn add_user(&self, localpart: &str, password: &str) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.configuration).args(["user", "add", "--password-stdin"]);
        command.arg(format!("{localpart}@{DOMAIN}")).stdin(Stdio::piped());
        process::run_with_input(&mut command, &format!("{password}\n")).map(drop)
    }
}
