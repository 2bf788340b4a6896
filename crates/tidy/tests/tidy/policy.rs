//! `deny.toml`, held against all packages: licences, bans, sources. Read as cargo-deny reads it.

use crate::assert_none;
use crate::repository::{packages, root, texts};
use cargo_metadata::semver::VersionReq;
use std::collections::BTreeSet;
use std::fs;
use toml::{Table, Value};

fn policy() -> Table {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    text.parse().expect("deny.toml is TOML")
}

fn list<'a>(policy: &'a Table, section: &str, name: &str) -> &'a [Value] {
    let list = policy.get(section).and_then(|section| section.get(name)).and_then(Value::as_array);
    list.unwrap_or_else(|| panic!("deny.toml has no {section}.{name}"))
}

/// Whether the SPDX expression can be met with licences of `allowed`; those it uses go into `used`.
fn is_met(expression: &str, allowed: &BTreeSet<&str>, used: &mut BTreeSet<String>) -> bool {
    // Older manifests separate alternatives by a slash.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<_> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    let is_met = any(&mut rest, allowed, used);
    assert!(rest.is_empty(), "not an SPDX expression: {expression}");
    is_met
}

fn any(rest: &mut &[&str], allowed: &BTreeSet<&str>, used: &mut BTreeSet<String>) -> bool {
    let mut is_met = all(rest, allowed, used);
    while let ["OR", more @ ..] = *rest {
        *rest = more;
        is_met |= all(rest, allowed, used);
    }
    is_met
}

fn all(rest: &mut &[&str], allowed: &BTreeSet<&str>, used: &mut BTreeSet<String>) -> bool {
    let mut is_met = one(rest, allowed, used);
    while let ["AND", more @ ..] = *rest {
        *rest = more;
        is_met &= one(rest, allowed, used);
    }
    is_met
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<&str>, used: &mut BTreeSet<String>) -> bool {
    match *rest {
        ["(", inner @ ..] => {
            *rest = inner;
            let is_met = any(rest, allowed, used);
            assert_eq!(rest.first(), Some(&")"), "a parenthesis is not closed");
            *rest = rest.get(1..).unwrap_or_default();
            is_met
        }
        [licence, "WITH", exception, more @ ..] => {
            *rest = more;
            take(&format!("{licence} WITH {exception}"), allowed, used)
        }
        [licence, more @ ..] => {
            *rest = more;
            take(licence, allowed, used)
        }
        [] => false,
    }
}

fn take(licence: &str, allowed: &BTreeSet<&str>, used: &mut BTreeSet<String>) -> bool {
    let is_allowed = allowed.contains(licence);
    if is_allowed {
        used.insert(licence.to_owned());
    }
    is_allowed
}

#[test]
fn expressions_are_read() {
    let check = |expression: &str, expected: bool| {
        let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0"]);
        assert_eq!(is_met(expression, &allowed, &mut BTreeSet::new()), expected, "{expression}");
    };
    check("MIT", true);
    check("GPL-3.0-only", false);
    check("GPL-3.0-only OR MIT", true);
    check("Unlicense/MIT", true);
    check("MIT AND GPL-3.0-only", false);
    check("(GPL-3.0-only OR MIT) AND ISC", true);
    check("MIT AND (GPL-3.0-only OR Unlicense)", false);
    check("Apache-2.0 WITH LLVM-exception", false);
    check("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true);
}

/// What single packages may be under besides, by their names.
fn exceptions(policy: &Table) -> Vec<(&str, BTreeSet<&str>)> {
    let exceptions = list(policy, "licenses", "exceptions").iter().map(|exception| {
        let name = exception["crate"].as_str().expect("an exception names a crate");
        let allow = exception["allow"].as_array().expect("an exception has a list of licences");
        (name, allow.iter().filter_map(Value::as_str).collect())
    });
    exceptions.collect()
}

#[test]
fn licences_are_allowed() {
    let policy = policy();
    let allowed: BTreeSet<_> = list(&policy, "licenses", "allow").iter().filter_map(Value::as_str).collect();
    let exceptions = exceptions(&policy);
    let (mut used, mut excepted) = (BTreeSet::new(), BTreeSet::new());
    let mut broken = Vec::new();
    for package in packages() {
        let licence = package.license.as_deref().unwrap_or_default();
        let is_met = match exceptions.iter().find(|(name, _)| package.name.as_str() == *name) {
            Some((_, more)) => is_met(licence, &allowed.union(more).copied().collect(), &mut excepted),
            None => is_met(licence, &allowed, &mut used),
        };
        if !is_met {
            broken.push(format!("{} {}: {licence:?}", package.name, package.version));
        }
    }
    let unused = allowed.iter().filter(|licence| !used.contains(**licence));
    let unused = unused
        .chain(exceptions.iter().flat_map(|(_, more)| more).filter(|licence| !excepted.contains(**licence)));
    broken.extend(unused.map(|licence| format!("{licence} is allowed, and nothing is under it")));
    assert_none("a licence", &broken);
}

#[test]
fn sources_are_known() {
    for setting in ["unknown-registry", "unknown-git"] {
        assert_eq!(policy()["sources"][setting].as_str(), Some("deny"), "{setting}");
    }
    let strangers = packages().filter(|package| match &package.source {
        Some(source) => !source.is_crates_io(),
        None => !package.manifest_path.starts_with(root()),
    });
    let mut broken: Vec<_> =
        strangers.map(|package| format!("{} {:?}", package.name, package.source)).collect();
    // The workspaces of test clients are not this one, but their lock files are here.
    for lock in texts().iter().filter(|text| text.path.ends_with("Cargo.lock")) {
        let foreign = lock.content.lines().filter(|line| line.starts_with("source = "));
        let foreign = foreign.filter(|line| !line.ends_with(concat!("/rust-lang/crates.io", "-index\"")));
        broken.extend(foreign.map(|line| format!("{}: {line}", lock.path)));
    }
    assert_none("a source that is not crates.io", &broken);
}

#[test]
fn nothing_banned_is_needed() {
    let policy = policy();
    let mut broken = Vec::new();
    for ban in list(&policy, "bans", "deny") {
        let banned = ban.get("crate").and_then(Value::as_str).expect("a ban names a crate");
        let reason = ban.get("reason").and_then(Value::as_str).expect("a ban has a reason");
        let (name, versions) = banned.split_once('@').unwrap_or((banned, "*"));
        let versions = VersionReq::parse(versions).expect("a ban's versions are a requirement");
        let hit = packages().filter(|package| package.name.as_str() == name);
        let hit = hit.filter(|package| versions.matches(&package.version));
        broken.extend(hit.map(|package| format!("{name} {}: {reason}", package.version)));
    }
    assert_none("a package is banned", &broken);
}

#[test]
fn waivers_are_needed() {
    // A waiver names the package it is for in its reason's first word; when that has gone, the waiver goes.
    let policy = policy();
    let mut broken = Vec::new();
    for waiver in list(&policy, "advisories", "ignore") {
        let reason = waiver.get("reason").and_then(Value::as_str).unwrap_or_default();
        let package = reason.split(' ').next().unwrap_or_default();
        if !packages().any(|known| known.name.as_str() == package) {
            broken.push(format!("{waiver}"));
        }
    }
    assert_none("an advisory is waived for a package that is not there", &broken);
}
