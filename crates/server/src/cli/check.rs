//! `stentor check`

use super::output::{Failure, Output};
use super::source::ConfigSource;

/// Tells every mistake of the configuration; it fails if one of them forbids to start.
pub(super) fn run(source: &ConfigSource, output: &Output) -> Result<(), Failure> {
    let file = source.path()?;
    let loaded = source.load()?;
    let domains: Vec<_> = loaded.config.hosts.iter().map(|host| host.domain.clone()).collect();
    let data = serde_json::json!({
        "file": file.display().to_string(),
        "hosts": domains,
        "mistakes": loaded.warnings.to_json(),
    });
    output.print(&data, |_| {
        let mut lines = loaded.warnings.lines();
        lines.push(format!("{}: fine, serves {}", file.display(), domains.join(", ")));
        lines
    })
}
