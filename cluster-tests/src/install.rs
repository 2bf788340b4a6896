//! Installs the third-party clients, each once, into a folder below the target folder.
//!
//! A client that cannot be had here is absent, with the reason; a program of ours that does not compile is broken.

use crate::driver::Program;
use crate::process::{self, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Why there is no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The registry or the tool is not there: the client is skipped.
    Absent(String),
    /// What was there does not build: the test fails.
    Broken(String),
}

/// Whatever fails while something is brought here.
impl From<String> for Missing {
    fn from(reason: String) -> Self {
        Self::Absent(reason)
    }
}

/// A third-party client and how its program is had.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Its folder in `clients/`.
    pub name: &'static str,
    install: fn(&Path, &Path) -> Result<Program, Missing>,
}

/// All of them, by their folders in `clients/`.
pub const CLIENTS: &[Client] = &[
    Client { name: "slixmpp", install: slixmpp },
    Client { name: "xmpp-js", install: xmpp_js },
    Client { name: "tokio-xmpp", install: tokio_xmpp },
    Client { name: "profanity", install: profanity },
    Client { name: "go-sendxmpp", install: go_sendxmpp },
];

/// @xmpp/client 0.14 needs the global `crypto`.
const NODE_MAJOR_MIN: u32 = 20;

impl Client {
    /// Installs it below `target`, unless it is there already.
    pub fn install(&self, target: &Path) -> Result<Program, Missing> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(self.name);
        let folder = target.join("clients").join(self.name);
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        (self.install)(&source, &folder)
    }
}

fn slixmpp(source: &Path, folder: &Path) -> Result<Program, Missing> {
    debian_package("python3", "python3")?;
    let python = folder.join("bin/python");
    let requirements = source.join("requirements.txt");
    once_for(&requirements, folder, || {
        let venv = || run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
        // Debian keeps a part of the module in a package of its own.
        venv().or_else(|_| apt_install("python3-venv").and_then(|_| venv()))?;
        let mut pip = Command::new(&python);
        run(pip.args(["-m", "pip", "install", "--quiet", "--no-compile", "--requirement"]).arg(&requirements))
    })?;
    Ok(vec![python, source.join("client.py")])
}

fn xmpp_js(source: &Path, folder: &Path) -> Result<Program, Missing> {
    debian_package("node", "nodejs")?;
    debian_package("npm", "npm")?;
    let version = run(Command::new("node").arg("--version"))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < NODE_MAJOR_MIN) {
        return Err(Missing::Absent(format!("node is {}, it takes {NODE_MAJOR_MIN}", version.trim())));
    }
    // The modules are looked for beside the script.
    for file in ["package.json", "package-lock.json", "client.js"] {
        fs::copy(source.join(file), folder.join(file)).map_err(|e| format!("{file}: {e}"))?;
    }
    once_for(&source.join("package-lock.json"), folder, || {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))
    })?;
    Ok(vec![PathBuf::from("node"), folder.join("client.js")])
}

fn tokio_xmpp(source: &Path, folder: &Path) -> Result<Program, Missing> {
    let cargo = |command, manifest: &Path| {
        let mut cargo = process::cargo();
        cargo.args([command, "--quiet", "--locked", "--manifest-path"]).arg(manifest);
        cargo
    };
    let manifest = source.join("Cargo.toml");
    run(&mut cargo("fetch", &manifest))?;
    run(cargo("build", &manifest).arg("--offline").arg("--target-dir").arg(folder))
        .map_err(Missing::Broken)?;
    Ok(vec![folder.join("debug/stentor-client-tokio-xmpp")])
}

fn profanity(source: &Path, _: &Path) -> Result<Program, Missing> {
    debian_package("python3", "python3")?;
    debian_package("tmux", "tmux")?;
    debian_package("profanity", "profanity")?;
    Ok(vec![PathBuf::from("python3"), source.join("client.py")])
}

fn go_sendxmpp(source: &Path, _: &Path) -> Result<Program, Missing> {
    debian_package("python3", "python3")?;
    debian_package("go-sendxmpp", "go-sendxmpp")?;
    Ok(vec![PathBuf::from("python3"), source.join("client.py")])
}

/// Runs `install` unless it has succeeded in `folder` for the same content of `list`.
fn once_for(
    list: &Path,
    folder: &Path,
    install: impl FnOnce() -> Result<String, String>,
) -> Result<(), String> {
    let stamp = folder.join("installed");
    let wanted = fs::read(list).map_err(|e| format!("{}: {e}", list.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    install()?;
    fs::write(&stamp, wanted).map_err(|e| e.to_string())
}

/// Makes sure that `program` is there, if need be by installing the Debian package `package`.
pub fn debian_package(program: &str, package: &str) -> Result<(), String> {
    if is_there(program) {
        return Ok(());
    }
    apt_install(package).map_err(|e| format!("{program} is missing: {e}"))?;
    if is_there(program) { Ok(()) } else { Err(format!("the package {package} brought no {program}")) }
}

/// Installs a Debian package; a service that it brings is not started.
fn apt_install(package: &str) -> Result<String, String> {
    // apt-get works for one at a time.
    static APT: Mutex<()> = Mutex::new(());
    let _one = APT.lock().unwrap_or_else(|e| e.into_inner());
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        run(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1"))
    };
    let install = || apt(&["install", "--yes", "--no-install-recommends", package]);
    // The list of packages may be old, or none.
    install().or_else(|_| apt(&["update"]).and_then(|_| install()))
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .any(|folder| folder.join(program).is_file())
}
