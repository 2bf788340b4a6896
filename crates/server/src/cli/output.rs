//! What commands print, for people or as JSON, and how they end.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::config::ENGINES;
use crate::control::{ClientError, ControlErrorKind, PROTOCOL_VERSION};
use crate::logging::escaped;

/// How a command ends; the numbers are told by `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// The server or the system said no.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// The configuration is missing or has mistakes.
    Configuration = 3,
    /// No server is running.
    NotRunning = 4,
}

/// Why a command did not do what it should.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How the program ends.
    pub status: ExitStatus,
    /// Why, for people.
    pub message: String,
    /// More of it, for programs: an object.
    pub details: Option<serde_json::Value>,
}

impl Failure {
    /// The server or the system said no.
    pub fn new(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::Failed, message: message.into(), details: None }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let status = match &error {
            ClientError::NotRunning { .. } => ExitStatus::NotRunning,
            ClientError::Forbidden { .. } | ClientError::Broken(_) | ClientError::Refused(_) => {
                ExitStatus::Failed
            }
        };
        let details = match &error {
            ClientError::Refused(refused) => Some(serde_json::json!({ "kind": refused.kind })),
            ClientError::NotRunning { .. } => Some(serde_json::json!({ "kind": "not-running" })),
            ClientError::Forbidden { .. } => Some(serde_json::json!({ "kind": ControlErrorKind::Forbidden })),
            ClientError::Broken(_) => None,
        };
        Self { status, message: error.to_string(), details }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
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
            vec![serde_json::to_string_pretty(data).map_err(|error| Failure::new(error.to_string()))?]
        } else {
            people(data).iter().map(|line| escaped(line).to_string()).collect()
        };
        write(lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]))
    }

    /// Prints what is worth knowing, and no failure.
    pub(super) fn warning(&self, text: &str) {
        let mut error = io::stderr().lock();
        // With the error output gone there is nobody left to tell.
        let _ = if self.is_json {
            writeln!(error, "{}", serde_json::json!({ "warning": text }))
        } else {
            writeln!(error, "stentor: {text}")
        };
    }

    /// Prints why a command failed, and says how the program ends.
    pub(super) fn failure(&self, failure: &Failure) -> ExitCode {
        let mut error = io::stderr().lock();
        // With the error output gone there is nobody left to tell.
        let _ = if self.is_json {
            let mut object = serde_json::json!({ "error": failure.message });
            if let (Some(object), Some(serde_json::Value::Object(details))) =
                (object.as_object_mut(), failure.details.clone())
            {
                object.extend(details);
            }
            writeln!(error, "{object}")
        } else {
            failure.message.lines().try_for_each(|line| writeln!(error, "stentor: {}", escaped(line)))
        };
        ExitCode::from(failure.status as u8)
    }
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
