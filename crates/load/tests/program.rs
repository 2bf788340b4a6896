//! The program as a process. That this test is here also has `cargo test` build the program, once and as all others.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stentor-load")).args(arguments).output().expect("it runs")
}

#[test]
fn mistakes_in_the_command_are_told() {
    let connect = ["--domain", "example.org", "--connect", "127.0.0.1:1"];
    for (arguments, expected) in [
        (&["chat", "--domain", "example.org"][..], "--ca <FILE>"),
        (&[&["chat", "--insecure", "--clients", "3"], &connect[..]].concat(), "--clients must be even"),
        (&[&["failover", "--insecure", "--rate", "0"], &connect[..]].concat(), "--rate must be above 0"),
        (&[&["chat", "--ca", "/none.pem"], &connect[..]].concat(), "/none.pem"),
    ] {
        let output = run(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    assert_eq!(run(&["--version"]).status.code(), Some(0));
}
