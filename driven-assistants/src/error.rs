//! The one error of this crate.

use std::fmt;
use std::path::{Path, PathBuf};

/// What stands behind an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or folder can't be read or written.
    Io,
    /// A path leads out of the project, or through a link.
    Path,
    /// There is no assistant of that name.
    UnknownAssistant,
    /// Assistants want one path with different content.
    Conflict,
    /// Assistants can't say what rules say, and that was to be an error.
    Loss,
    /// A file of driven's own is damaged.
    State,
    /// The rules are no pack.
    Rules,
}

/// Why rules can't be written out or read back.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: String,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error { kind, message: message.into(), hint: hint.into() }
    }

    pub(crate) fn io(path: &Path, err: &std::io::Error) -> Self {
        Error::new(ErrorKind::Io, format!("{}: {err}", path.display()), "check the path and its permissions")
    }

    pub(crate) fn state(path: &Path, what: impl fmt::Display) -> Self {
        let path: PathBuf = path.into();
        let hint = "restore it from version control, or remove it: then every file counts as your own";
        Error::new(ErrorKind::State, format!("{}: {what}", path.display()), hint)
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// A stable word for programs and logs.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Io => "io",
            ErrorKind::Path => "path",
            ErrorKind::UnknownAssistant => "unknown-assistant",
            ErrorKind::Conflict => "path-conflict",
            ErrorKind::Loss => "loss",
            ErrorKind::State => "sync-state",
            ErrorKind::Rules => "rules",
        }
    }

    /// One thing to do; may be empty.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
