//! A private, throwaway PostgreSQL, and the settings of a server on it.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lib/postgres.sh");

/// Ends, and its files go, once the input of the process closes.
pub(crate) struct Postgres {
    process: Child,
    pub(crate) url: String,
}

impl Postgres {
    /// None, with the reason printed, if it cannot be had here.
    pub(crate) fn start() -> Option<Self> {
        // Another user than this one may run it, who must be able to go there.
        let readable = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().permissions(readable).tempdir().expect("a folder").keep();
        let mut process = Command::new(SCRIPT)
            .arg("start")
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut url = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut url).expect("UTF-8");
        if url.is_empty() {
            process.wait().expect("it ends");
            let _ = std::fs::remove_dir_all(&folder);
            println!("skipped: PostgreSQL cannot be had here; the reason stands above");
            return None;
        }
        Some(Self { process, url: url.trim_end().to_owned() })
    }

    /// Of a server in `folder`, to be given by the environment.
    pub(crate) fn settings(&self, folder: &Path) -> [(&'static str, String); 4] {
        let (user, place) = self.url.split_once('@').expect("a user");
        let password = user.rsplit(':').next().unwrap_or_default();
        std::fs::write(folder.join("password"), password).expect("written");
        std::fs::set_permissions(folder.join("password"), Permissions::from_mode(0o600)).expect("set");
        [
            ("STENTOR__STORE__ENGINE", "postgres".to_owned()),
            ("STENTOR__STORE__URL", format!("postgresql://stentor@{place}")),
            ("STENTOR__STORE__PASSWORD_FILE", "password".to_owned()),
            ("STENTOR__STORE__TLS", "off".to_owned()),
        ]
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Of the member a, once `stentor cluster init cluster --member a` was run in its folder.
pub(crate) const MEMBER: &[(&str, &str)] = &[
    ("STENTOR__CLUSTER__ID", "test"),
    ("STENTOR__CLUSTER__NAME", "a"),
    ("STENTOR__CLUSTER__LINK", "127.0.0.1:0"),
    ("STENTOR__CLUSTER__GOSSIP", "127.0.0.1:0"),
    ("STENTOR__CLUSTER__AUTHORITY", "cluster/authority.crt"),
    ("STENTOR__CLUSTER__CERTIFICATE", "cluster/a.crt"),
    ("STENTOR__CLUSTER__KEY", "cluster/a.key"),
    ("STENTOR__CLUSTER__GOSSIP_KEYS", "cluster/gossip.keys"),
];
