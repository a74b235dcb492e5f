//! What is wrong with a configuration: where, what, and what to do.

use std::fmt;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// A variable of the environment.
    Environment(String),
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A file that the configuration refers to, or the configuration file as a whole.
    Path(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in default"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A configuration that cannot be used. Its text never holds a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{origin}: {what}; {remedy}")]
pub struct ConfigError {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong.
    pub what: String,
    /// What the operator can do.
    pub remedy: String,
}

impl ConfigError {
    pub(super) fn new(origin: Origin, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { origin, what: what.into(), remedy: remedy.into() }
    }
}

/// A text that is not the value it should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}; {remedy}")]
pub struct ValueError {
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl ValueError {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}
