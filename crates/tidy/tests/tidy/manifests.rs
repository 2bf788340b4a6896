//! What each crate's `Cargo.toml` says.

use crate::assert_none;
use crate::repository::members;
use std::fs;
use toml::{Table, Value};

/// A table of the manifest that names dependencies.
fn dependencies(manifest: &Table) -> Vec<(&str, &Table)> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let platforms = manifest.get("target").and_then(Value::as_table);
    let platforms = platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let tables = std::iter::once(manifest).chain(platforms);
    tables
        .flat_map(|table| kinds.iter().filter_map(|kind| Some((*kind, table.get(*kind)?.as_table()?))))
        .collect()
}

fn is_of_workspace(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[test]
fn manifests_share_what_is_shared() {
    let mut broken = Vec::new();
    for package in members() {
        let name = package.name.as_str();
        let text = fs::read_to_string(&package.manifest_path).expect("cargo has read it");
        let manifest: Table = text.parse().expect("cargo has read it");
        let mut check = |holds: bool, what: &str| {
            if !holds {
                broken.push(format!("{name}: {what}"));
            }
        };
        check(
            package.description.as_ref().is_some_and(|text| text.ends_with('.')),
            "a description, one sentence",
        );
        check(package.license.as_deref() == Some("MIT OR Apache-2.0"), "the licence of all");
        check(package.publish.as_deref() == Some(&[]), "publish = false");
        check(is_of_workspace(manifest.get("lints")), "lints.workspace = true");
        for (kind, table) in dependencies(&manifest) {
            for (needed, value) in table {
                check(
                    is_of_workspace(Some(value)),
                    &format!("{kind}: {needed} has its version in the workspace"),
                );
            }
        }
    }
    assert_none("a manifest lacks", &broken);
}
