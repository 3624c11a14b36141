//! The one error of this crate. `Debug` is the text for people, since `main` prints that.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::diagnostics::Report;

/// The result of building.
pub type Result<T> = std::result::Result<T, Error>;

/// What stands behind an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Findings that deny a pack.
    Findings,
    /// A file that can't be read or written.
    Io,
    /// A model that the format can't hold, or bytes that are no pack.
    Format,
    /// A call without what it needs.
    Setup,
}

/// Why there is no pack.
pub struct Error(Cause);

enum Cause {
    Findings(Report),
    Io(PathBuf, std::io::Error),
    Format(driven_format::Error),
    #[cfg(feature = "sign")]
    InFile(PathBuf, driven_format::Error),
    Setup(String),
}

impl Error {
    pub(crate) fn findings(report: Report) -> Self {
        Error(Cause::Findings(report))
    }

    pub(crate) fn io(path: &Path, err: std::io::Error) -> Self {
        Error(Cause::Io(path.into(), err))
    }

    pub(crate) fn format(err: driven_format::Error) -> Self {
        Error(Cause::Format(err))
    }

    #[cfg(feature = "sign")]
    pub(crate) fn in_file(path: &Path, err: driven_format::Error) -> Self {
        Error(Cause::InFile(path.into(), err))
    }

    pub(crate) fn setup(message: impl Into<String>) -> Self {
        Error(Cause::Setup(message.into()))
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Cause::Findings(_) => ErrorKind::Findings,
            Cause::Io(..) => ErrorKind::Io,
            Cause::Format(_) => ErrorKind::Format,
            #[cfg(feature = "sign")]
            Cause::InFile(..) => ErrorKind::Format,
            Cause::Setup(_) => ErrorKind::Setup,
        }
    }

    /// A stable word for programs and logs.
    pub fn code(&self) -> &'static str {
        match &self.0 {
            Cause::Findings(_) => "findings",
            Cause::Io(..) => "io",
            Cause::Format(err) => err.code(),
            #[cfg(feature = "sign")]
            Cause::InFile(_, err) => err.code(),
            Cause::Setup(_) => "setup",
        }
    }

    /// One thing to do about it, or nothing: findings have hints of their own.
    pub fn hint(&self) -> &'static str {
        match &self.0 {
            Cause::Findings(_) | Cause::Setup(_) => "",
            Cause::Io(_, err) => match err.kind() {
                std::io::ErrorKind::NotFound => "check the path, and that its folder exists",
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "check the permissions of the file and its folder"
                }
                std::io::ErrorKind::IsADirectory => "give a file, not a folder",
                std::io::ErrorKind::StorageFull => "make room on the disk; nothing was changed",
                _ => "check the file and the disk that it is on",
            },
            Cause::Format(err) => err.hint(),
            #[cfg(feature = "sign")]
            Cause::InFile(_, err) => err.hint(),
        }
    }

    /// The findings, when it is them.
    pub fn report(&self) -> Option<&Report> {
        match &self.0 {
            Cause::Findings(report) => Some(report),
            _ => None,
        }
    }

    pub(crate) fn into_report(self) -> Report {
        match self.0 {
            Cause::Findings(report) => report,
            _ => Report::default(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Findings(report) => f.write_str(&report.render(false)),
            Cause::Io(path, err) => write!(f, "{}: {err}", path.display()),
            Cause::Format(err) => err.fmt(f),
            #[cfg(feature = "sign")]
            Cause::InFile(path, err) => write!(f, "{}: {err}", path.display()),
            Cause::Setup(message) => f.write_str(message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Cause::Io(_, err) => Some(err),
            Cause::Format(err) => Some(err),
            #[cfg(feature = "sign")]
            Cause::InFile(_, err) => Some(err),
            _ => None,
        }
    }
}
