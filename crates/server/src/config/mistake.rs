//! What is wrong with a configuration, where, and what is allowed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Where a value was written. Ordered as a reader meets them: the file from the top, then the environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as such, for what is missing from all of it.
    Whole,
    /// A position in the file, both counted from one, columns in characters.
    File {
        /// The line.
        line: usize,
        /// The column in that line.
        column: usize,
    },
    /// The environment variable of this name.
    Environment(String),
}

impl Place {
    /// The line of the file.
    pub(super) fn line(&self) -> Option<usize> {
        match self {
            Self::File { line, .. } => Some(*line),
            Self::Whole | Self::Environment(_) => None,
        }
    }

    /// Whether both are on one line of the file.
    pub(super) fn is_on_line_of(&self, other: &Self) -> bool {
        self.line().is_some() && self.line() == other.line()
    }
}

/// Whether a mistake forbids to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The server does not start, and a reload is refused.
    Error,
    /// Worth knowing; the server runs.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Whether it forbids to start.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// The setting's full name, such as `limits.stanza_bytes_max`; empty where none is concerned.
    pub setting: String,
    /// What is wrong.
    pub what: String,
    /// What would be right; empty where `what` says it all.
    pub allowed: String,
}

/// All mistakes of one configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The file they are in.
    pub file: PathBuf,
    list: Vec<Mistake>,
}

impl Mistakes {
    /// Sorts `list` by place.
    pub fn new(file: &Path, mut list: Vec<Mistake>) -> Self {
        list.sort_by(|a, b| a.place.cmp(&b.place));
        Self { file: file.to_owned(), list }
    }

    /// The mistakes, in the order of the file.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// Whether one of them forbids to start.
    pub fn is_fatal(&self) -> bool {
        self.list.iter().any(|mistake| mistake.severity == Severity::Error)
    }

    /// The mistakes as text, a line each.
    pub fn lines(&self) -> Vec<String> {
        self.to_string().lines().map(str::to_owned).collect()
    }

    /// Logs each as a warning.
    pub fn log(&self) {
        for warning in self.lines() {
            tracing::warn!(%warning, "configuration");
        }
    }

    /// The mistakes as the objects that `--json` prints.
    pub fn to_json(&self) -> Vec<serde_json::Value> {
        self.list.iter().map(|mistake| json(&self.file, mistake)).collect()
    }
}

/// One line per mistake: `file:line:column: setting: what; allowed: ...`, as compilers write them.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match &mistake.place {
                Place::Whole => write!(f, "{}: ", self.file.display())?,
                Place::File { line, column } => write!(f, "{}:{line}:{column}: ", self.file.display())?,
                Place::Environment(name) => write!(f, "environment {name}: ")?,
            }
            if mistake.severity == Severity::Warning {
                write!(f, "warning: ")?;
            }
            if !mistake.setting.is_empty() {
                write!(f, "{}: ", mistake.setting)?;
            }
            write!(f, "{}", mistake.what)?;
            if !mistake.allowed.is_empty() {
                write!(f, "; allowed: {}", mistake.allowed)?;
            }
        }
        Ok(())
    }
}

fn json(file: &Path, mistake: &Mistake) -> serde_json::Value {
    let (line, column, environment) = match &mistake.place {
        Place::Whole => (None, None, None),
        Place::File { line, column } => (Some(line), Some(column), None),
        Place::Environment(name) => (None, None, Some(name)),
    };
    serde_json::json!({
        "severity": mistake.severity,
        "file": file.display().to_string(),
        "line": line,
        "column": column,
        "environment": environment,
        "setting": mistake.setting,
        "message": mistake.what,
        "allowed": mistake.allowed,
    })
}
