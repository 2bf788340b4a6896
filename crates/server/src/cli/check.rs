//! `stentor check`

use super::output::{Failure, Output};
use super::source::ConfigSource;
use crate::config::settings_digest;

/// Tells every mistake of the configuration; it fails if one of them forbids to start.
pub(super) fn run(source: &ConfigSource, output: &Output) -> Result<(), Failure> {
    let file = source.path()?;
    let loaded = source.load()?;
    let domains: Vec<_> = loaded.config.hosts.iter().map(|host| host.domain.clone()).collect();
    let member = loaded.config.cluster.as_ref();
    let digest = member.map(|_| format!("{:016x}", settings_digest(&loaded.config)));
    let data = serde_json::json!({
        "file": file.display().to_string(),
        "hosts": domains,
        "settings": digest,
        "mistakes": loaded.warnings.to_json(),
    });
    output.print(&data, |_| {
        let mut lines = loaded.warnings.lines();
        lines.push(format!("{}: fine, serves {}", file.display(), domains.join(", ")));
        if let (Some(member), Some(digest)) = (member, &digest) {
            let (id, name) = (&member.id, &member.name);
            lines
                .push(format!("member {name} of {id}; settings that must be equal on all members: {digest}"));
        }
        lines
    })
}
