//! Who may depend on whom, and the purity of the pure crates.

use crate::assert_none;
use crate::repository::{members, root, rust, short};
use cargo_metadata::DependencyKind;
use std::collections::BTreeSet;
use std::process::Command;

/// Each crate, and which of ours it may need.
const MAY_NEED: &[(&str, &[&str])] = &[
    ("xml", &[]),
    ("xmpp", &["xml"]),
    ("auth", &["xmpp"]),
    ("stream", &["auth", "xml", "xmpp"]),
    ("engine", &["xmpp"]),
    ("entities", &["auth", "engine", "xml", "xmpp"]),
    ("cluster", &["engine", "xmpp"]),
    ("store", &["engine", "xmpp"]),
    ("runtime", &["auth", "cluster", "engine", "entities", "store", "xmpp"]),
    ("net", &["auth", "engine", "runtime", "stream", "xml", "xmpp"]),
    // Of what the server is, it knows what it is told.
    ("http", &[]),
    (
        "server",
        &[
            "auth", "cluster", "engine", "entities", "http", "net", "runtime", "store", "stream", "xml",
            "xmpp",
        ],
    ),
    // Of the store, the backend in memory alone: it is compiled without any engine.
    ("sim", &["auth", "cluster", "engine", "entities", "store", "xml", "xmpp"]),
    // It speaks with any server, so it knows none.
    ("load", &[]),
    ("cluster-tests", &[]),
    ("tidy", &["entities"]),
];

/// What a crate needs beside that for its tests.
const TESTS_MAY_NEED: &[(&str, &str)] = &[("entities", "store")];

/// Crates with no I/O, no clock and no randomness.
const PURE: &[&str] = &["auth", "cluster", "engine", "entities", "sim", "stream", "xml", "xmpp"];

/// What a pure crate never needs, by any way: these, and what begins with their names and a dash.
const IMPURE: &[&str] = &[
    "actix",
    "async-",
    "crossbeam",
    "fjall",
    "getrandom",
    "hickory",
    "libc",
    "mio",
    "rand",
    "rustix",
    "rustls",
    "signal-hook",
    "sled",
    "socket2",
    "tokio",
];

/// What is taken for impure by its name and is not, as the second uses it: foca draws from a generator that it is given.
const NOT_IMPURE: &[(&str, &str)] = &[("rand", "foca")];

/// What the source of a pure crate never names.
const IMPURE_NAMES: &[&str] = &[
    "std::net",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "std::os",
    "std::io::std",
    "::now()",
    "RandomState",
    "rand::",
    "tokio::",
    "actix::",
    "println!",
    "async fn",
];

/// Packages that stand in few manifests only: which crates name them, and which name them for their tests.
const NAMED_BY: &[(&str, &[&str], &[&str])] = &[
    ("actix", &["net", "runtime", "server"], &[]),
    ("actix-rt", &["net", "runtime", "server"], &[]),
    ("actix-web", &["http"], &[]),
    ("bincode", &["cluster"], &[]),
    ("fjall", &["store"], &[]),
    ("quick-xml", &["xml"], &["xmpp"]),
    ("sled", &["store"], &[]),
    ("tokio", &["cluster-tests", "load", "net", "runtime", "server", "store"], &[]),
    ("tokio-postgres", &["store"], &[]),
];

fn may_need(name: &str) -> Option<&'static [&'static str]> {
    MAY_NEED.iter().find(|(package, _)| *package == name).map(|(_, needs)| *needs)
}

/// What `name` may need, and what those may need, and so on.
fn reach(name: &str) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::new();
    let mut rest: Vec<_> = may_need(name).unwrap_or_default().to_vec();
    while let Some(next) = rest.pop() {
        if reached.insert(next) {
            rest.extend(may_need(next).unwrap_or_default());
        }
    }
    reached
}

#[test]
fn crates_depend_downwards() {
    let ours: BTreeSet<_> = members().into_iter().map(|package| package.name.as_str()).collect();
    let mut broken = Vec::new();
    for package in members() {
        let name = short(&package.name);
        let Some(allowed) = may_need(name) else {
            broken.push(format!("{name} is not in MAY_NEED"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|needed| ours.contains(needed.name.as_str())) {
            let needed = short(&dependency.name);
            // For its tests a crate may reach down as far as it does by way of others.
            let is_for_tests = dependency.kind == DependencyKind::Development;
            let tests_may =
                is_for_tests && (reach(name).contains(needed) || TESTS_MAY_NEED.contains(&(name, needed)));
            if !allowed.contains(&needed) && !tests_may {
                broken.push(format!("{name} needs {needed}"));
            }
        }
    }
    assert_none("a crate needs one that it may not", &broken);
}

#[test]
fn nothing_reaches_itself() {
    let broken: Vec<_> = MAY_NEED.iter().filter(|(name, _)| reach(name).contains(name)).collect();
    assert!(broken.is_empty(), "in a circle: {broken:?}");
}

/// Every way from a crate down to a package that it needs, each package once: `["auth", "x509-parser", "time"]`.
/// As it is compiled alone, for the features that others ask of its packages are not its own.
fn ways(package: &str) -> Vec<Vec<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args("tree --locked --edges normal --prefix depth".split(' '));
    let tree = cargo
        .args(["--format", " {p}", "--package", package])
        .current_dir(root())
        .output()
        .expect("cargo is there");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("names are UTF-8");
    let mut way: Vec<String> = Vec::new();
    let lines = tree.lines().map(|line| {
        let mut words = line.split(' ');
        let depth = words.next().and_then(|depth| depth.parse().ok()).expect("a line begins with its depth");
        way.truncate(depth);
        way.push(words.next().expect("then the name").to_owned());
        way.clone()
    });
    lines.collect()
}

#[test]
fn the_pure_are_pure_in_all_they_need() {
    let is_impure =
        |name: &str| IMPURE.iter().any(|impure| name == *impure || name.starts_with(&format!("{impure}-")));
    let is_given = |way: &Vec<String>| matches!(way.as_slice(), [.., by, needed] if NOT_IMPURE.contains(&(needed.as_str(), by.as_str())));
    let mut broken = Vec::new();
    for name in PURE {
        let ways = ways(&format!("stentor-{name}"));
        assert_eq!(ways[0], [format!("stentor-{name}")], "cargo tree begins with the package");
        let impure =
            ways.iter().filter(|way| way.last().is_some_and(|last| is_impure(last)) && !is_given(way));
        broken.extend(impure.map(|way| way.join(" -> ")));
    }
    assert_none("a pure crate needs a package that is not", &broken);
}

#[test]
fn impurity_is_seen() {
    // What the rule above relies on: the tree shows what a crate that does I/O needs by way of others.
    let ways = ways("stentor-runtime");
    assert!(ways.iter().any(|way| way.len() > 2 && way.last().is_some_and(|last| last == "tokio")));
}

#[test]
fn the_pure_name_nothing_impure() {
    let mut broken = Vec::new();
    for text in rust().filter(|text| text.owner().is_some_and(|owner| PURE.contains(&owner))) {
        // The simulator's program reads its seed; both may tell what happens.
        if text.path.ends_with("/main.rs") {
            continue;
        }
        let may_tell = text.owner() == Some("sim");
        for (number, line) in text.code().ships {
            let names = IMPURE_NAMES.iter().filter(|name| !(may_tell && **name == "println!"));
            for name in names.filter(|name| line.contains(**name)) {
                broken.push(format!("{}:{number}: {name}", text.path));
            }
        }
    }
    assert_none("a pure crate names what does I/O, tells the time or makes chance", &broken);
}

#[test]
fn few_name_what_few_may() {
    let mut broken = Vec::new();
    for package in members() {
        for dependency in &package.dependencies {
            let Some((_, by, by_tests)) = NAMED_BY.iter().find(|(name, ..)| *name == dependency.name) else {
                continue;
            };
            let name = short(&package.name);
            let is_for_tests = dependency.kind == DependencyKind::Development;
            let may_be_named = by.contains(&name) || is_for_tests && by_tests.contains(&name);
            if !may_be_named {
                broken.push(format!("{name} names {}", dependency.name));
            }
        }
    }
    assert_none("a package is named where it may not be", &broken);
}
