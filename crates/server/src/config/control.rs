//! `[control]`: the socket by which `stentor user` and the other commands reach the running server.

use std::path::PathBuf;

use super::rule::{File, Integer};
use super::setting::{At, Component, Setting, restart};

/// The control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlConfig {
    /// The socket; relative paths are below `data`.
    pub socket: PathBuf,
    /// Seconds that a draining server gives its sessions before it ends.
    pub drain_seconds: u64,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self { socket: PathBuf::from("control.sock"), drain_seconds: 10 }
    }
}

impl Component for ControlConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        restart("socket", &At(|config: &mut Self| &mut config.socket, File)),
        restart(
            "drain_seconds",
            &At(
                |config: &mut Self| &mut config.drain_seconds,
                Integer { min: 0, max: 3_600, unit: "seconds" },
            ),
        ),
    ];
}
