//! A number for the settings that must be equal on all members.

use sha2::{Digest, Sha256};

use crate::config::Config;

/// The first eight bytes, as a big-endian number, of SHA-256 over these lines in UTF-8, each ended by a line feed:
///
/// ```text
/// stentor settings 1
/// cluster ID
/// host DOMAIN keep true
/// ```
///
/// with a line for each host, by the bytes of their domains, and `false` for a host that keeps nothing. The same on
/// every platform. A member whose number differs from that of the living is refused.
///
/// Limits are not in it: whoever owns an account decides by its own, and whatever one member has accepted every other
/// takes, so they can be changed member by member.
pub fn settings_digest(config: &Config) -> u64 {
    digest(config, &hosts(config))
}

/// What makes the difference to a member whose number is `theirs`, where it is about one host that this one has; of a
/// host that only the other one has, a number does not tell the name. That `cluster.id` differs is found out before,
/// by the store.
pub fn difference(config: &Config, theirs: u64) -> String {
    let hosts = hosts(config);
    for (at, (domain, keep)) in hosts.iter().enumerate() {
        let mut changed = hosts.clone();
        changed.remove(at);
        if digest(config, &changed) == theirs {
            return format!("the host {domain} is here and not there");
        }
        changed.push((*domain, !keep));
        if digest(config, &changed) == theirs {
            return format!("`keep` of the host {domain} is {keep} here and {} there", !keep);
        }
    }
    "there is a host there that is not here, or more than one host or `keep` differs".to_owned()
}

/// Domains, and whether messages are kept.
fn hosts(config: &Config) -> Vec<(&str, bool)> {
    config.hosts.iter().map(|host| (host.domain.as_str(), host.keep)).collect()
}

fn digest(config: &Config, hosts: &[(&str, bool)]) -> u64 {
    let id = config.cluster.as_ref().map_or("", |cluster| &cluster.id);
    let mut lines: Vec<String> =
        hosts.iter().map(|(domain, keep)| format!("host {domain} keep {keep}\n")).collect();
    lines.sort();
    let text = format!("stentor settings 1\ncluster {id}\n{}", lines.concat());
    let digest: [u8; 32] = Sha256::digest(text).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
