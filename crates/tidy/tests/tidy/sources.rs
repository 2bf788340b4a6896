//! What stands in the files: sizes, things left over, traces of a machine.

use crate::assert_none;
use crate::repository::{Code, Text, rust, texts};

/// Lines that a file of code should not pass.
const LINES_AIM: usize = 400;

/// Files longer than the aim, and how long each may be. The list only shrinks: an entry goes, or its number goes down.
const LONG: &[(&str, usize)] = &[];

fn is_code(text: &Text) -> bool {
    let endings = [".rs", ".py", ".js", ".sh"];
    endings.iter().any(|ending| text.path.ends_with(ending)) || text.content.starts_with("#!")
}

#[test]
fn files_are_short() {
    let mut broken = Vec::new();
    for text in texts().iter().filter(|text| is_code(text)) {
        let lines = text.content.lines().count();
        match LONG.iter().find(|(path, _)| *path == text.path) {
            Some(_) if lines <= LINES_AIM => {
                broken.push(format!("{}: no longer long, out of LONG", text.path))
            }
            Some((_, allowed)) if lines <= *allowed => {}
            _ if lines > LINES_AIM => broken.push(format!("{}: {lines} lines", text.path)),
            _ => {}
        }
    }
    let gone = LONG.iter().filter(|(path, _)| !texts().iter().any(|text| text.path == *path));
    broken.extend(gone.map(|(path, _)| format!("{path}: gone, out of LONG")));
    assert_none("the length of a file", &broken);
}

#[test]
fn nothing_is_left_over() {
    // In pieces, so that this file does not break its own rule.
    let left_over = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("d", "bg!(")];
    let in_tests = [concat!("#[ig", "nore"), concat!("sle", "ep(")];
    let mut broken = Vec::new();
    for text in rust() {
        let Code { ships, tests } = text.code();
        let mut find = |lines: &[(usize, &str)], what: &[&str]| {
            for (number, line) in lines {
                let found = what.iter().filter(|name| line.contains(**name));
                broken.extend(found.map(|name| format!("{}:{number}: {name}", text.path)));
            }
        };
        find(&ships, &left_over);
        find(&tests, &left_over);
        find(&tests, &in_tests);
    }
    assert_none("left over, or a test that waits for time or is not run", &broken);
}

#[test]
fn nothing_names_a_machine() {
    let folders =
        [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Use", "rs/")];
    let hosts = [
        concat!("crates.io", "-index"),
        concat!("index.", "crates.io"),
        concat!("static.", "crates.io"),
        concat!("registry.", "npmjs"),
        concat!("pypi", ".org"),
        concat!("proxy.", "golang"),
        concat!("deb.", "debian"),
    ];
    let mut broken = Vec::new();
    for text in texts().iter().filter(|text| !text.path.ends_with("Cargo.lock")) {
        for (index, line) in text.content.lines().enumerate() {
            let found = folders.iter().chain(&hosts).filter(|name| line.contains(**name));
            broken.extend(found.map(|name| format!("{}:{}: {name}", text.path, index + 1)));
        }
    }
    assert_none("a path of one machine, or a registry's host", &broken);
}
