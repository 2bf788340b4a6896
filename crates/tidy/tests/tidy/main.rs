//! Tests of the repository itself: who may depend on whom, purity, sizes, licences, generated tables.

mod directions;
mod manifests;
mod policy;
mod repository;
mod secrets;
mod sources;
mod specifications;

/// Fails with all that breaks `rule`.
fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}\n", broken.join("\n  "));
}
