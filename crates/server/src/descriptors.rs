//! File descriptors: as many as the system allows, and some of them kept from clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::DESCRIPTORS_KEPT;

/// Raises what the process may have to what the system allows it, and warns where that is too few for `streams_max`.
pub(crate) fn prepare(streams_max: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let all = Rlimit { current: limit.maximum, ..limit };
        if let Err(error) = setrlimit(Resource::Nofile, all) {
            tracing::warn!(%error, "the limit of file descriptors cannot be raised");
        }
    }
    let descriptors = getrlimit(Resource::Nofile).current;
    let room = room(descriptors);
    if room < streams_max {
        tracing::warn!(
            streams_max,
            descriptors,
            streams = room,
            "too few file descriptors for limits.streams_max: raise the hard limit (LimitNOFILE= of systemd, ulimit -Hn), \
             or lower the setting"
        );
    }
}

/// Streams for which there are descriptors.
pub(crate) fn streams() -> u64 {
    room(getrlimit(Resource::Nofile).current)
}

/// Where there are very few, half of them are kept.
fn room(descriptors: Option<u64>) -> u64 {
    descriptors.map_or(u64::MAX, |all| all - DESCRIPTORS_KEPT.min(all / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept() {
        let check = |descriptors, expected| assert_eq!(room(descriptors), expected, "{descriptors:?}");
        check(None, u64::MAX);
        check(Some(20_000), 20_000 - DESCRIPTORS_KEPT);
        check(Some(100), 50);
        check(Some(1), 1);
        check(Some(0), 0);
    }
}
