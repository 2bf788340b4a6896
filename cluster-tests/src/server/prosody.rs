//! Prosody, from Debian's package, with our configuration: the oracle for clients and scenarios.

use super::{DOMAIN, Listeners, Mechanisms, Server, Tls, certificate};
use crate::install::debian_package;
use crate::process::{self, Process};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub(super) struct Prosody {
    listeners: Listeners,
    authority: PathBuf,
    configuration: PathBuf,
    log: PathBuf,
    _process: Process,
    // Last: the folder goes when the process has ended.
    _folder: TempDir,
}

impl Prosody {
    pub(super) fn start(mechanisms: Mechanisms) -> Result<Self, String> {
        debian_package("prosody", "prosody")?;
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let files = certificate::create(folder.path()).map_err(|e| e.to_string())?;
        let listeners = Listeners::free().map_err(|e| e.to_string())?;
        let configuration = folder.path().join("prosody.cfg.lua");
        let text = configuration_text(folder.path(), listeners, &files, mechanisms);
        fs::write(&configuration, text).map_err(|e| e.to_string())?;
        let log = folder.path().join("log");
        let mut command = process::bound_to_us("prosody");
        command
            .arg("--config")
            .arg(&configuration)
            .arg("-F")
            .stdout(File::create(&log).map_err(|e| e.to_string())?);
        let mut process = Process::spawn(&mut command).map_err(|e| e.to_string())?;
        for address in [listeners.starttls, listeners.direct] {
            process.wait_listening(address, Duration::from_secs(20)).map_err(|e| format!("prosody {e}"))?;
        }
        Ok(Self {
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
    folder: &Path,
    listeners: Listeners,
    files: &certificate::Certificate,
    mechanisms: Mechanisms,
) -> String {
    let disabled = match mechanisms {
        Mechanisms::ScramOnly => r#""PLAIN", "OAUTHBEARER", "DIGEST-MD5""#,
        Mechanisms::PlainToo => "",
    };
    format!(
        r#"
run_as_root = true
data_path = {data:?}
pidfile = {pid:?}
log = {{ debug = "*console" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {starttls} }}
c2s_direct_tls_ports = {{ {direct} }}
s2s_ports = {{}}
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "smacks", "carbons" }}
modules_disabled = {{ "s2s" }}
authentication = "internal_hashed"
disable_sasl_mechanisms = {{ {disabled} }}
c2s_require_encryption = true
ssl = {{ certificate = {chain:?}, key = {key:?} }}
VirtualHost {DOMAIN:?}
"#,
        starttls = listeners.starttls.port(),
        direct = listeners.direct.port(),
        data = folder.join("data"),
        pid = folder.join("pid"),
        chain = files.chain,
        key = files.key,
    )
}

impl Server for Prosody {
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
        let mut command = Command::new("prosodyctl");
        command.arg("--config").arg(&self.configuration).args(["register", localpart, DOMAIN, password]);
        process::run(&mut command).map(drop)
    }
}
