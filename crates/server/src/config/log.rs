//! `[log]`: what is logged, and how. Logs go to the standard error output.

use super::rule::{LogFilter, OneOf};
use super::setting::{At, Component, Setting, live, restart};

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The format.
    pub format: LogFormat,
    /// What is logged, in the words of tracing's `EnvFilter`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "warn,stentor=info".to_owned() }
    }
}

const FORMATS: &[(&str, LogFormat)] =
    &[("auto", LogFormat::Auto), ("pretty", LogFormat::Pretty), ("json", LogFormat::Json)];

impl Component for LogConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        restart("format", &At(|config: &mut Self| &mut config.format, OneOf(FORMATS))),
        live("filter", &At(|config: &mut Self| &mut config.filter, LogFilter)),
    ];
}
