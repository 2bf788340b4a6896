//! `stentor-load` at the members of a cluster: many clients that check what arrives, while something is done to members.

use crate::accounts::PASSWORD;
use crate::process::{self, Process};
use crate::server::{Cluster, DOMAIN, Server, Tls};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Against hanging alone.
const DEADLINE: Duration = Duration::from_secs(120);

/// A load that is under way.
pub struct Load {
    process: Process,
    input: Option<ChildStdin>,
    /// Its lines of progress.
    progress: Receiver<String>,
    report: Option<JoinHandle<String>>,
}

impl Load {
    /// Has the first `clients` accounts log in at these members in turn.
    pub fn start(
        cluster: &Cluster,
        names: &[&str],
        scenario: &str,
        clients: u32,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let mut command = process::bound_to_us(process::built("stentor-load")?);
        let addresses = names.iter().map(|name| cluster.address_of(name, Tls::Starttls).to_string());
        command.args([scenario, "--domain", DOMAIN, "--password", PASSWORD, "--json", "--connect"]);
        command.arg(addresses.collect::<Vec<_>>().join(","));
        command.arg("--ca").arg(cluster.authority());
        command.args(["--clients", &clients.to_string()]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command).map_err(|e| e.to_string())?;
        let child = process.child();
        let input = child.stdin.take();
        let (Some(mut output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("no pipes".to_owned());
        };
        let (lines, progress) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let report = thread::spawn(move || {
            let mut text = String::new();
            let _ = output.read_to_string(&mut text);
            text
        });
        Ok(Self { process, input, progress, report: Some(report) })
    }

    /// Waits for a line of progress in which the number behind these words is `least` at least.
    pub fn wait_until(&mut self, words: &str, least: u64) -> Result<(), String> {
        let end = Instant::now() + DEADLINE;
        let mut last = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            last = self
                .progress
                .recv_timeout(left)
                .map_err(|e| format!("{words:?} did not come to {least}: {e}; last: {last}"))?;
            let number = last.split_once(words).map(|(_, rest)| {
                rest.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().to_owned()
            });
            if number.and_then(|number| number.parse().ok()).is_some_and(|number: u64| number >= least) {
                return Ok(());
            }
        }
    }

    /// Lets it end; its report.
    pub fn finish(mut self) -> Result<Value, String> {
        drop(self.input.take());
        self.report()
    }

    /// Waits for its end; its report.
    pub fn report(&mut self) -> Result<Value, String> {
        if self.process.wait(DEADLINE).is_none() {
            let last = self.progress.try_iter().last();
            return Err(format!("the load does not end: {last:?}"));
        }
        let text = self.report.take().and_then(|report| report.join().ok()).unwrap_or_default();
        let said = || self.progress.try_iter().collect::<Vec<_>>().join("\n");
        serde_json::from_str(&text).map_err(|e| format!("{e}: {text}{}", said()))
    }
}
