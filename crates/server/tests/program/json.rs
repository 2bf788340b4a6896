//! What `--json` prints where something is wrong.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Server, initialised, run};

/// The objects that the command writes to its standard error output, and its exit code.
fn told(folder: &Path, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = run(folder, &[&["--json"], arguments].concat());
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    let objects = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    (output.status.code(), objects.collect())
}

/// Whoever reads the program's output by a program gets an object for every failure, wherever it arises.
fn check(folder: &Path, arguments: &[&str], code: i32, kind: &str, expected: &str) -> Vec<Value> {
    let (found, objects) = told(folder, arguments);
    let failure = objects.last().expect("an object");
    assert_eq!((found, failure["kind"].as_str()), (Some(code), Some(kind)), "{arguments:?}: {failure}");
    let message = failure["error"].as_str().expect("a message");
    assert!(message.contains(expected), "{arguments:?}: {message}");
    objects
}

#[test]
fn failures_are_objects_of_a_kind() {
    let folder = initialised();
    let folder = folder.path();
    let nowhere = "nowhere.toml: No such file";
    for (arguments, code, kind, expected) in [
        (&[][..], 2, "usage", "no command is named"),
        (&["user", "ad"], 2, "usage", "unrecognized subcommand 'ad'"),
        (&["user", "add", "example.org"], 2, "usage", "an account is written name@domain"),
        (&["--config", "nowhere.toml", "check"], 3, "configuration", nowhere),
        (&["--config", "nowhere.toml", "serve"], 3, "configuration", nowhere),
        (&["status"], 4, "not-running", "no server is running"),
        (&["init", "example.org"], 1, "conflict", "nothing is written over"),
        (&["cluster", "init", ".", "--member", "a", "--member", "a"], 1, "refused", "named twice"),
        (
            &["cluster", "certificate", "a", "--authority", "x"],
            1,
            "not-found",
            "x/authority.crt: No such file",
        ),
        (&["restore", "nowhere"], 1, "not-found", "nowhere: No such file"),
        (&["restore", "stentor.toml"], 1, "refused", "this is no backup of Stentor"),
    ] {
        assert_eq!(check(folder, arguments, code, kind, expected).len(), 1, "{arguments:?}");
    }
    let server = Server::start(folder);
    for (arguments, kind, expected) in [
        (&["serve"][..], "conflict", "a server is running already"),
        (&["restore", "stentor.toml"], "conflict", "the server is running"),
        (&["user", "add", "juliet@example.org"], "refused", "no password was given"),
        (&["user", "show", "juliet@example.org"], "not-found", "there is no account"),
        (&["cluster", "status"], "unavailable", "is no member of a cluster"),
        (&["backup", "stentor.toml"], "conflict", "there is a file of that name"),
    ] {
        check(folder, arguments, 1, kind, expected);
    }
    assert!(run(folder, &["backup", "kept"]).status.success());
    assert!(run(folder, &["stop"]).status.success());
    assert_eq!(server.end(), Some(0));
    check(folder, &["restore", "kept"], 1, "conflict", "is not empty, and a backup makes a new store");
}

#[test]
fn mistakes_are_objects_wherever_they_are_told() {
    let folder = initialised();
    let folder = folder.path();
    let server = Server::start(folder);
    let file = folder.join("stentor.toml");
    let text = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, format!("oops = 1\n{text}")).expect("written");
    let checked = check(folder, &["check"], 3, "configuration", "oops: is no setting");
    assert_eq!(checked[0]["mistakes"][0]["line"], 1);
    let reloaded = check(folder, &["reload"], 1, "refused", "oops: is no setting");
    let setting = |object: &Value| object["mistakes"][0]["setting"].clone();
    assert_eq!(reloaded.iter().map(setting).collect::<Vec<_>>(), ["oops", "oops"]);
    assert!(
        reloaded[0]["warning"].as_str().is_some_and(|text| text.contains("going on with ")),
        "{reloaded:?}"
    );
    std::fs::write(&file, text).expect("written");
    let (code, added) = told(folder, &["user", "add", "juliet@example.org", "--password", "secret"]);
    assert_eq!((code, added.len()), (Some(0), 1));
    assert_ne!(added[0]["warning"], json!(null));
    assert!(run(folder, &["stop"]).status.success());
    assert_eq!(server.end(), Some(0));
}
