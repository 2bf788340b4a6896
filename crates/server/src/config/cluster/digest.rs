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
    let id = config.cluster.as_ref().map_or("", |cluster| &cluster.id);
    let mut lines: Vec<String> =
        config.hosts.iter().map(|host| format!("host {} keep {}\n", host.domain, host.keep)).collect();
    lines.sort();
    let text = format!("stentor settings 1\ncluster {id}\n{}", lines.concat());
    let digest: [u8; 32] = Sha256::digest(text).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
