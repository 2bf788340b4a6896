//! What commands print, for people or as JSON, and how they end.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::config::{ENGINES, Mistakes};
use crate::control::{ClientError, ControlErrorKind, PROTOCOL_VERSION};
use crate::logging::escaped;

/// What kind of failure it is, for programs. The exit code, which `--help` tells, is by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The command line cannot be understood.
    Usage,
    /// The configuration is missing or has mistakes.
    Configuration,
    /// No server is running.
    NotRunning,
    /// The server or the system said no.
    #[serde(untagged)]
    Refused(ControlErrorKind),
}

impl FailureKind {
    fn exit_code(self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::NotRunning => 4,
        }
    }
}

/// Why a command did not do what it should.
#[derive(Clone, Debug)]
pub struct Failure {
    /// For programs.
    pub kind: FailureKind,
    /// Why, for people.
    pub message: String,
    /// Those of the configuration, as objects.
    pub mistakes: Vec<serde_json::Value>,
}

impl Failure {
    /// A failure of this kind.
    pub fn of(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), mistakes: Vec::new() }
    }

    /// The server or the system said no.
    pub fn new(kind: ControlErrorKind, message: impl Into<String>) -> Self {
        Self::of(FailureKind::Refused(kind), message)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::NotRunning { .. } => Self::of(FailureKind::NotRunning, message),
            ClientError::Forbidden { .. } => Self::new(ControlErrorKind::Forbidden, message),
            // Nobody knows whether it was carried out.
            ClientError::Broken(_) | ClientError::Silent(_) => Self::new(ControlErrorKind::TimedOut, message),
            ClientError::Refused(refused) => {
                Self { mistakes: refused.mistakes, ..Self::new(refused.kind, message) }
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(ControlErrorKind::of(&error), error.to_string())
    }
}

/// Where a command prints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// Whether as JSON.
    pub(super) is_json: bool,
}

impl Output {
    /// Prints `data`: itself as JSON, or the lines that `people` makes of it.
    pub(super) fn print<T: Serialize>(
        &self,
        data: &T,
        people: impl FnOnce(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        let lines = if self.is_json {
            let text = serde_json::to_string_pretty(data);
            vec![text.map_err(|error| Failure::new(ControlErrorKind::Fault, error.to_string()))?]
        } else {
            people(data).iter().map(|line| escaped(line).to_string()).collect()
        };
        write(lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]))
    }

    /// Prints what is worth knowing, and no failure; first the mistakes that it is about.
    pub(super) fn warning(&self, text: &str, mistakes: Option<&Mistakes>) {
        if self.is_json {
            let mistakes = mistakes.map(Mistakes::to_json).unwrap_or_default();
            return tell([object(serde_json::json!({ "warning": text }), &mistakes).to_string()]);
        }
        let lines = mistakes.map(Mistakes::lines).unwrap_or_default();
        tell(
            lines.iter().map(String::as_str).chain([text]).map(|line| format!("stentor: {}", escaped(line))),
        );
    }

    /// Prints why a command failed, and says how the program ends.
    pub(super) fn failure(&self, failure: &Failure) -> ExitCode {
        if self.is_json {
            let told = serde_json::json!({ "error": failure.message, "kind": failure.kind });
            tell([object(told, &failure.mistakes).to_string()]);
        } else {
            tell(failure.message.lines().map(|line| format!("stentor: {}", escaped(line))));
        }
        ExitCode::from(failure.kind.exit_code())
    }
}

/// `told`, with the mistakes that it is about, if any.
fn object(mut told: serde_json::Value, mistakes: &[serde_json::Value]) -> serde_json::Value {
    if let Some(object) = told.as_object_mut().filter(|_| !mistakes.is_empty()) {
        object.insert("mistakes".to_owned(), mistakes.into());
    }
    told
}

/// Writes to the standard error output. With that gone there is nobody left to tell.
fn tell(lines: impl IntoIterator<Item = String>) {
    let mut error = io::stderr().lock();
    let _ = lines.into_iter().try_for_each(|line| writeln!(error, "{line}"));
}

/// Writes to the standard output. Whoever reads it, as `head` does, may have had enough: that is no failure.
pub(super) fn write<'a>(mut parts: impl Iterator<Item = &'a [u8]>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = parts.try_for_each(|part| out.write_all(part)).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            // What is left would be tried again, in vain.
            drop(out.into_parts());
            Ok(())
        }
        written => Ok(written?),
    }
}

/// So wide is a column at most; what is longer moves the rest of its own row alone.
const COLUMN_CHARS_MAX: usize = 40;

/// Rows as text, each column as wide as its widest entry, up to [`COLUMN_CHARS_MAX`].
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let header: Vec<String> = header.iter().map(|title| (*title).to_owned()).collect();
    let lines = || std::iter::once(&header).chain(rows);
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = lines().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(COLUMN_CHARS_MAX)
        })
        .collect();
    let aligned = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines().map(aligned).collect()
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
    engines: Vec<&'static str>,
    control_protocol: u16,
}

/// `stentor version`
pub(super) fn version(output: &Output) -> Result<(), Failure> {
    let engines = ENGINES.iter().map(|(name, _)| *name).collect();
    let version = Version { version: env!("CARGO_PKG_VERSION"), engines, control_protocol: PROTOCOL_VERSION };
    output.print(&version, |version| {
        vec![format!("stentor {}", version.version), format!("stores: {}", version.engines.join(", "))]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_name_does_not_widen_every_row() {
        let rows = [vec!["a".repeat(60), "1".to_owned()], vec!["b".to_owned(), "2".to_owned()]];
        let lines = table(&["NAME", "N"], &rows);
        let expected = [
            format!("NAME{}N", " ".repeat(38)),
            format!("{}  1", "a".repeat(60)),
            format!("b{}2", " ".repeat(41)),
        ];
        assert_eq!(lines, expected);
        assert_eq!(table(&["NAME", "N"], &rows[1..]), ["NAME  N", "b     2"]);
    }
}
