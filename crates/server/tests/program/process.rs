//! The program, run as a process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// `stentor` with these arguments, in `folder`, with nothing of our environment that it would read.
pub(crate) fn stentor(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STENTOR") {
            command.env_remove(name);
        }
    }
    command.env("STENTOR__LISTEN__C2S", "[]").env("STENTOR__LISTEN__C2S_TLS", "[]");
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    stentor(folder, arguments).output().expect("it runs")
}

pub(crate) fn initialised() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(run(folder.path(), &["init", "example.org"]).status.success());
    folder
}

/// A running server and its log. It ends with the test.
pub(crate) struct Server {
    pub(crate) process: Child,
    log: BufReader<ChildStderr>,
}

impl Server {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut server = Self::of(&mut stentor(folder, &["serve"]));
        server.wait_for("ready");
        server
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("it runs");
        let log = BufReader::new(process.stderr.take().expect("it is piped"));
        Self { process, log }
    }

    /// Reads the log up to the event with this message.
    pub(crate) fn wait_for(&mut self, message: &str) -> serde_json::Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.log.read_line(&mut line).expect("UTF-8") > 0, "the server ended before {message:?}");
            let event: serde_json::Value = serde_json::from_str(&line).expect("the log is JSON");
            if event.get("message").is_some_and(|found| found == message) {
                return event;
            }
        }
    }

    /// The log has ended.
    pub(crate) fn nothing_follows(&mut self) {
        let mut line = String::new();
        assert_eq!(self.log.read_line(&mut line).expect("UTF-8"), 0, "{line}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("it runs");
    }

    /// Waits for the end, and says with what code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.wait_for("ended");
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
