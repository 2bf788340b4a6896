//! `[stream_management]`: XEP-0198.

use super::rule::Integer;
use super::setting::{At, Component, Setting, live};

/// Stream management. Changes hold for streams that enable it afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamManagementConfig {
    /// Seconds for which a broken stream can be resumed, at most; a client may ask for less.
    pub resume_seconds_max: u64,
    /// Stanzas sent and not yet acknowledged that a session keeps in memory; more wait in the log.
    pub unacknowledged_max: u64,
    /// Bytes of these.
    pub unacknowledged_bytes_max: u64,
}

impl Default for StreamManagementConfig {
    fn default() -> Self {
        Self { resume_seconds_max: 600, unacknowledged_max: 1_000, unacknowledged_bytes_max: 256 << 10 }
    }
}

impl Component for StreamManagementConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        live(
            "resume_seconds_max",
            &At(|c: &mut Self| &mut c.resume_seconds_max, Integer { min: 10, max: 86_400, unit: "seconds" }),
        ),
        live(
            "unacknowledged_max",
            &At(|c: &mut Self| &mut c.unacknowledged_max, Integer { min: 10, max: 100_000, unit: "stanzas" }),
        ),
        live(
            "unacknowledged_bytes_max",
            &At(
                |c: &mut Self| &mut c.unacknowledged_bytes_max,
                Integer { min: 16 << 10, max: 64 << 20, unit: "bytes" },
            ),
        ),
    ];
}
