//! The program as a process: its life, its signals, its exit codes.

mod ipv6;
mod json;
mod postgres;
mod process;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use process::{Server, initialised, run, stentor};
use rustix::process::Signal;

#[test]
fn a_server_lives_and_ends() {
    let folder = initialised();
    let folder = folder.path();
    for (arguments, code) in [
        (&["status"][..], 4),
        (&["user", "add", "juliet@example.org", "--password", "secret"], 4),
        (&["--config", "nowhere.toml", "check"], 3),
        (&["user", "add", "example.org"], 2),
        (&["check"], 0),
        (&["version"], 0),
    ] {
        assert_eq!(run(folder, arguments).status.code(), Some(code), "{arguments:?}");
    }

    let check = run(folder, &["check"]);
    let told = String::from_utf8_lossy(&check.stdout);
    let warning =
        "environment STENTOR__LISTEN__C2S_TLS: warning: listen: has no address: no client can connect";
    assert!(told.contains(warning), "{told}");

    let mut server = Server::start(folder);
    let status = run(folder, &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["hosts"], serde_json::json!(["example.org"]));
    assert_eq!(status["process"], server.process.id());
    let second = run(folder, &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("a server is running already"));

    let file = folder.join("stentor.toml");
    let text = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(
        &file,
        text.replace("#depth_max = 64", "depth_max = 32").replace("#keep = true", "keep = false"),
    )
    .expect("written");
    server.signal(Signal::HUP);
    assert_eq!(server.wait_for("setting changed")["setting"], "limits.depth_max");
    assert_eq!(server.wait_for("setting needs a restart")["setting"], "host.example.org.keep");
    let reloaded = "configuration and certificates were read again";
    assert_eq!(server.wait_for(reloaded)["needs_restart"], "host.example.org.keep");
    let report = run(folder, &["reload", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
    assert_eq!(report["changes"]["applied"], serde_json::json!([]));
    assert_eq!(report["changes"]["needs_restart"][0]["setting"], "host.example.org.keep");

    std::fs::write(&file, "nonsense").expect("written");
    server.signal(Signal::HUP);
    server.wait_for("configuration not reloaded, the old one stays in force");
    // Whoever spoils the file is not locked out of the server that runs.
    std::fs::write(&file, format!("oops = 1\n{text}")).expect("written");
    for arguments in [&["status"][..], &["session", "list"], &["reload"], &["stop"]] {
        let output = run(folder, arguments);
        let code = if arguments == ["reload"] { 1 } else { 0 };
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        for expected in ["stentor.toml:1:1: oops: is no setting", "going on with ", "data/control.sock"] {
            assert!(told.contains(expected), "{arguments:?}: {told}");
        }
    }
    assert_eq!(server.end(), Some(0));

    std::fs::write(&file, text).expect("written");
    let mut server = Server::start(folder);
    // Nothing has changed but what the certificate is, maybe.
    server.signal(Signal::HUP);
    assert_eq!(server.wait_for(reloaded).get("needs_restart"), None);
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
    assert!(!folder.join("data/control.sock").exists());
}

/// What is wrong with a port, by whose setting, and what to do.
#[test]
fn a_port_that_cannot_be_had_is_told_with_its_setting() {
    let folder = initialised();
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = other.local_addr().expect("it has one");
    for (setting, address, hint) in [
        ("LISTEN__C2S", taken.to_string(), format!("`ss -tulnp 'sport = :{}'`", taken.port())),
        ("LISTEN__C2S_TLS", taken.to_string(), "name another port in listen.c2s_tls".to_owned()),
        ("LISTEN__C2S", "192.0.2.1:5222".to_owned(), "No interface of this machine".to_owned()),
    ] {
        let output = stentor(folder.path(), &["serve"])
            .env(format!("STENTOR__{setting}"), format!("[\"{address}\"]"))
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr);
        let start =
            format!("{}: {address} cannot be listened on: ", setting.to_lowercase().replace("__", "."));
        assert!(text.contains(&start) && text.contains(&hint), "{text}");
    }
}

/// Whoever reads the log finds there why a server does not start.
#[test]
fn what_forbids_to_start_is_in_the_log() {
    let folder = initialised();
    std::fs::remove_dir_all(folder.path().join("data")).ok();
    std::fs::write(folder.path().join("data"), "no folder").expect("written");
    let mut server = Server::of(&mut stentor(folder.path(), &["serve"]));
    let why = server.wait_for("the server cannot go on");
    assert_eq!(why["level"], "ERROR");
    assert!(why["error"].as_str().is_some_and(|error| error.contains("data: ")), "{why}");
    server.nothing_follows();
}

/// With few file descriptors clients are refused, and the operator is answered.
#[test]
fn clients_leave_descriptors_to_the_operator() {
    let folder = initialised();
    let serve = stentor(folder.path(), &["serve"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -Sn 60 && ulimit -Hn 400 && exec \"$0\" serve"]).arg(serve.get_program());
    limited.current_dir(folder.path());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.env("STENTOR__LISTEN__C2S", "['127.0.0.1:0']");
    limited.env("STENTOR__LIMITS__UNAUTHENTICATED_PER_ADDRESS_MAX", "1000");
    let mut server = Server::of(&mut limited);
    let message = "too few file descriptors for limits.streams_max: raise the hard limit (LimitNOFILE= of systemd, ulimit \
                   -Hn), or lower the setting";
    let warning = server.wait_for(message);
    let told = ["streams_max", "descriptors", "streams"].map(|field| warning[field].as_u64());
    assert_eq!(told, [Some(100_000), Some(400), Some(200)], "the limit was raised");
    let listening = server.wait_for("listening");
    let address = listening["address"].as_str().expect("text");
    let clients: Vec<_> = (0..300).map(|_| std::net::TcpStream::connect(address)).collect();
    server.wait_for("a connection too many is refused");
    assert!(run(folder.path(), &["status"]).status.success());
    drop(clients);
    assert!(run(folder.path(), &["stop", "--now"]).status.success());
    assert_eq!(server.end(), Some(0));
}

/// By option or by environment; what the file names is beside it.
#[test]
fn init_writes_the_file_that_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let elsewhere = run(folder, &["--config", "etc/own.toml", "init", "--folder", "other"]);
    assert_eq!(elsewhere.status.code(), Some(2));
    let told = String::from_utf8_lossy(&elsewhere.stderr);
    assert!(told.contains("etc/own.toml is not in other"), "{told}");
    assert_eq!(std::fs::read_dir(folder).expect("it is there").count(), 0, "nothing is written");

    let told = run(folder, &["--config", "etc/own.toml", "init", "example.org"]);
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("stentor --config etc/own.toml serve"), "{told}");
    assert!(
        folder.join("etc/certificates/example.org.key").exists() && !folder.join("stentor.toml").exists()
    );
    assert!(run(folder, &["--config", "etc/own.toml", "check"]).status.success());
    let told = run(folder, &["--config", "a b/s.toml", "init", "example.org"]);
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("stentor --config 'a b/s.toml' serve"), "{told}");
    let long = "d".repeat(100);
    let told = run(folder, &["init", "--folder", &long]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stderr).contains("name a folder with a shorter path"), "{told:?}");
    assert!(!folder.join(&long).exists());
    for (file, arguments) in [("bare.toml", &["init"][..]), ("x/s.toml", &["init", "--folder", "./x"])] {
        let written = stentor(folder, arguments).env("STENTOR_CONFIG", file).output().expect("it runs");
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        assert!(folder.join(file).exists() && !folder.join("stentor.toml").exists(), "{file}");
    }
}

/// As the option does, which goes first; but for nobody else, and not where it is empty.
#[test]
fn a_variable_names_the_file() {
    let folder = initialised();
    let check = |file: &str, arguments: &[&str], code: i32, expected: &str| {
        let output = stentor(folder.path(), arguments).env("STENTOR_CONFIG", file).output().expect("it runs");
        let told = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
        assert!(
            output.status.code() == Some(code) && told.contains(expected),
            "{file} {arguments:?}: {told}"
        );
    };
    check("stentor.toml", &["check"], 0, "stentor.toml: fine");
    check("nowhere.toml", &["check"], 3, "nowhere.toml: No such file");
    check("nowhere.toml", &["check", "--config", "stentor.toml"], 0, "stentor.toml: fine");
    check("nowhere.toml", &["user", "add"], 2, "Usage: stentor user add <JID>");
    check("", &["check"], 0, "stentor.toml: fine");
}

/// Half of what it writes would be in the way of the next try.
#[test]
fn init_writes_all_or_nothing() {
    let folder = initialised();
    let folder = folder.path();
    std::fs::remove_file(folder.join("stentor.toml")).expect("removed");
    let again = run(folder, &["init", "example.net", "example.org"]);
    assert_eq!(again.status.code(), Some(1));
    let text = String::from_utf8_lossy(&again.stderr);
    for expected in ["example.org.crt: exists", "example.org.key: exists", "move away what is there, or"] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(!folder.join("stentor.toml").exists());
    assert!(!folder.join("certificates/example.net.crt").exists());
}

#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let folder = initialised();
    let mut killed = Server::start(folder.path());
    killed.process.kill().expect("it runs");
    killed.process.wait().expect("it ends");
    assert_eq!(run(folder.path(), &["status"]).status.code(), Some(4));
    let server = Server::start(folder.path());
    assert!(run(folder.path(), &["stop", "--now"]).status.success());
    assert_eq!(server.end(), Some(0));
}

/// At a terminal, which `script` makes. Nobody presses Enter, and the terminal shows again what is typed.
#[test]
fn ctrl_c_ends_the_question_for_a_password() {
    let folder = initialised();
    let folder = folder.path();
    let server = Server::start(folder);
    let program = stentor(folder, &[]).get_program().to_string_lossy().into_owned();
    let line = format!("{program} user add juliet@example.org; echo ended $?; stty -a");
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--echo", "always", "--command", &line, "/dev/null"]).current_dir(folder);
    let terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut terminal) = terminal else {
        println!("skipped: there is no script, of util-linux");
        return;
    };
    let mut typed = terminal.stdin.take().expect("it is piped");
    let mut shown = terminal.stdout.take().expect("it is piped");
    let mut text = String::new();
    let mut bytes = [0; 1_024];
    while !text.contains("Password for juliet@example.org: ") {
        let read = shown.read(&mut bytes).expect("it is read");
        assert!(read > 0, "it ended: {text}");
        text.push_str(&String::from_utf8_lossy(bytes.get(..read).expect("as many")));
    }
    typed.write_all(b"secr\x03").expect("typed");
    shown.read_to_string(&mut text).expect("it is read");
    terminal.wait().expect("it ends");
    assert!(text.contains("interrupted") && text.contains("ended 1"), "{text}");
    assert!(
        text.contains(" echo ") && text.contains("isig") && !text.contains("-isig") && !text.contains("secr"),
        "{text}"
    );
    assert_eq!(run(folder, &["user", "show", "juliet@example.org"]).status.code(), Some(1));
    drop(server);
}

#[test]
fn only_accounts_that_exist_become_contacts() {
    let folder = initialised();
    let folder = folder.path();
    let server = Server::start(folder);
    for account in ["juliet@example.org", "romeo@example.org"] {
        let added = run(folder, &["user", "add", account, "--password", "secret"]);
        assert!(added.status.success());
    }
    for (host, code) in [("example.org", 0), ("nope.org", 1)] {
        let listed = run(folder, &["user", "list", "--host", host]);
        assert_eq!(listed.status.code(), Some(code), "{}", String::from_utf8_lossy(&listed.stderr));
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let listed = stentor(folder, &["user", "list"]).stdout(writer).output().expect("it runs");
    assert_eq!((listed.status.code(), &*listed.stderr), (Some(0), &[][..]), "nobody reads on");
    for (one, other, code, contacts) in [
        ("juliet@example.org", "nobody@example.org", 1, 0),
        ("nobody@example.org", "juliet@example.org", 1, 0),
        ("juliet@example.org", "juliet@example.org", 1, 0),
        ("juliet@example.org", "romeo@example.org/orchard", 2, 0),
        ("juliet@example.org", "romeo@example.org", 0, 1),
        ("romeo@example.org", "juliet@example.org", 0, 1),
    ] {
        let befriended = run(folder, &["user", "befriend", one, other]);
        assert_eq!(befriended.status.code(), Some(code), "{one} and {other}");
        let juliet = run(folder, &["user", "show", "juliet@example.org", "--json"]);
        let juliet: serde_json::Value = serde_json::from_slice(&juliet.stdout).expect("JSON");
        assert_eq!(juliet["contacts"], contacts, "{one} and {other}");
    }
    assert!(run(folder, &["stop"]).status.success());
    assert_eq!(server.end(), Some(0));
}

/// What is asked of a member is refused by a server that is none, and nothing is done.
#[test]
fn a_server_that_is_no_member_refuses_what_only_members_do() {
    let folder = initialised();
    let folder = folder.path();
    let server = Server::start(folder);
    let commands = [
        &["drain"][..],
        &["status"],
        &["members"],
        &["locate", "juliet@example.org"],
        &["slots"],
        &["drain"],
    ];
    for command in commands {
        let refused = run(folder, &[&["cluster"], command].concat());
        assert_eq!(refused.status.code(), Some(1), "{command:?}");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("this server is no member of a cluster"), "{command:?}: {told}");
    }
    assert!(run(folder, &["stop"]).status.success(), "it still runs");
    assert_eq!(server.end(), Some(0));
}

#[test]
fn completions_are_written_for_every_shell() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(folder.path(), &["completions", shell]);
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("session"), "{shell}");
        // Nobody reads on: that is all right.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output =
            stentor(folder.path(), &["completions", shell]).stdout(writer).output().expect("it runs");
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &[][..]), "{shell}");
    }
}

#[test]
fn a_backup_is_restored_into_an_empty_store() {
    let folder = initialised();
    let folder = folder.path();
    let server = Server::start(folder);
    let code = |arguments: &[&str]| run(folder, arguments).status.code();
    assert_eq!(code(&["backup", "kept.jsonl"]), Some(0));
    let again = run(folder, &["backup", "kept.jsonl"]);
    assert_eq!(again.status.code(), Some(1));
    let told = String::from_utf8_lossy(&again.stderr);
    assert!(told.contains("kept.jsonl: there is a file of that name"), "{told}");
    assert_eq!(code(&["backup", "nowhere/kept.jsonl"]), Some(1));
    assert_eq!(code(&["restore", "kept.jsonl"]), Some(1), "a server runs");
    assert!(run(folder, &["stop"]).status.success());
    assert_eq!(server.end(), Some(0));

    for (file, expected) in [
        ("kept.jsonl", "data/store is not empty, and a backup makes a new store"),
        ("nowhere", "nowhere: No such file"),
    ] {
        let refused = run(folder, &["restore", file]);
        assert_eq!(refused.status.code(), Some(1), "there is a store");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains(expected), "{told}");
    }
    std::fs::remove_dir_all(folder.join("data/store")).expect("removed");
    let refused = run(folder, &["restore", "stentor.toml"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("stentor.toml: this is no backup of Stentor"));
    assert_eq!(code(&["restore", "kept.jsonl"]), Some(0));
    let other = stentor(folder, &["restore", "kept.jsonl"])
        .env("STENTOR__STORE__ENGINE", "sled")
        .env("STENTOR__STORE__PATH", "other")
        .output()
        .expect("it runs");
    assert!(other.status.success(), "another engine");
    let server = Server::start(folder);
    assert!(run(folder, &["stop"]).status.success());
    assert_eq!(server.end(), Some(0));
}
