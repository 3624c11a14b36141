//! The one error of this crate.

use std::fmt;
use std::io;
use std::path::Path;

/// What can fail here, or not.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a pack can't be published, or a tree not be served.
#[derive(Debug)]
pub struct Error {
    code: &'static str,
    message: String,
    hint: &'static str,
}

impl Error {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Error { code, message: message.into(), hint }
    }

    pub(crate) fn io(path: &Path, err: &io::Error) -> Self {
        Error::new("io", format!("{}: {err}", path.display()), "check the folder and its permissions")
    }

    /// A stable word for programs and logs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// One thing to do about it, or nothing.
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

impl From<driven::Error> for Error {
    fn from(err: driven::Error) -> Self {
        Error::new(err.code(), err.to_string(), err.hint())
    }
}

impl From<driven_format::Error> for Error {
    fn from(err: driven_format::Error) -> Self {
        driven::Error::from(err).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
