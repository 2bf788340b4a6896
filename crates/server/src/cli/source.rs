//! Where the configuration comes from.

use std::path::PathBuf;
use std::time::SystemTime;

use super::output::{Failure, FailureKind, Output};
use crate::config::{Config, ConfigError, ENVIRONMENT_PREFIX, Loaded};

/// Where a configuration is looked for when none is named.
const PLACES: [&str; 2] = ["stentor.toml", "/etc/stentor/stentor.toml"];

/// The configuration's file and the environment as of the program's start.
#[derive(Clone, Debug)]
pub struct ConfigSource {
    named: Option<PathBuf>,
    environment: Vec<(String, String)>,
}

impl ConfigSource {
    /// The file that was named, or the first that exists of the usual places.
    pub fn new(named: Option<PathBuf>) -> Self {
        // What is not UTF-8 is marked as such in it, and found to be a mistake by the setting's rule.
        let environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
            .collect();
        Self { named, environment }
    }

    /// Reads and checks all, the certificates too.
    ///
    /// # Errors
    /// There is no file, or mistakes forbid to start.
    pub fn load(&self) -> Result<Loaded, Failure> {
        Ok(Config::load(&self.path()?, &self.environment, SystemTime::now())?)
    }

    /// Reads the settings alone: a command that leaves the certificates alone needs none.
    ///
    /// # Errors
    /// There is no file, or mistakes in it.
    pub fn read(&self) -> Result<Loaded, Failure> {
        Ok(Config::read(&self.path()?, &self.environment)?)
    }

    /// Where the running server is asked. A mistake in the file since it started is no reason to be locked out of it.
    ///
    /// # Errors
    /// There is no file.
    pub(super) fn socket(&self, output: &Output) -> Result<PathBuf, Failure> {
        let (socket, mistakes) = Config::socket(&self.path()?, &self.environment)?;
        if mistakes.is_fatal() {
            let text = format!("the configuration has mistakes: going on with {}", socket.display());
            output.warning(&text, Some(&mistakes));
        }
        Ok(socket)
    }

    /// The file.
    ///
    /// # Errors
    /// None was named, and none is in the usual places.
    pub fn path(&self) -> Result<PathBuf, Failure> {
        let found = || PLACES.iter().map(PathBuf::from).find(|path| path.exists());
        self.named.clone().or_else(found).ok_or_else(|| {
            let places = PLACES.join(" and no ");
            let message =
                format!("there is no {places}: write one with `stentor init`, or name one with --config");
            Failure::of(FailureKind::Configuration, message)
        })
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let mistakes = match &error {
            ConfigError::Unreadable { .. } => Vec::new(),
            ConfigError::Mistakes(mistakes) => mistakes.to_json(),
        };
        Self { mistakes, ..Self::of(FailureKind::Configuration, error.to_string()) }
    }
}
