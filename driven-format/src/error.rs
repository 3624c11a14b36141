//! Why bytes are not a pack, or a model can't become one.

use alloc::string::String;
use core::fmt;

/// What kind of fault an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes do not begin as a pack does.
    Foreign,
    /// The pack was written by a newer version of the format.
    Newer,
    /// The bytes end before the pack does, or go on after it.
    Truncated,
    /// A table, a range or a text breaks the rules of the format.
    Malformed,
    /// The content does not have the digest that the pack states.
    Digest,
    /// A critical section that this reader does not know.
    UnknownSection,
    /// A model that has no form as a pack.
    Model,
    /// No signature where one is asked for.
    Unsigned,
    /// Signatures, but none by the key that is asked for.
    UnknownKey,
    /// A signature that does not hold.
    Signature,
    /// A key that can't be read.
    Key,
}

/// Why bytes were refused, or a model can't be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into() }
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Malformed, message)
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// A stable word for programs and logs.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Foreign => "pack-foreign",
            ErrorKind::Newer => "pack-newer",
            ErrorKind::Truncated => "pack-truncated",
            ErrorKind::Malformed => "pack-malformed",
            ErrorKind::Digest => "pack-digest",
            ErrorKind::UnknownSection => "pack-unknown-section",
            ErrorKind::Model => "model",
            ErrorKind::Unsigned => "unsigned",
            ErrorKind::UnknownKey => "unknown-key",
            ErrorKind::Signature => "wrong-signature",
            ErrorKind::Key => "key",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {}
