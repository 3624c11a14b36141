//! The one error of this crate.

use alloc::string::String;
use core::fmt;

#[cfg(feature = "std")]
use std::path::PathBuf;

/// What stands behind an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file can't be read.
    Io,
    /// The bytes are no pack that this version reads.
    Pack,
    /// The content does not have the digest that the pack states.
    Digest,
    /// Not signed as was asked for.
    Trust,
    /// There is no such rule.
    NoRule,
    /// A patch that does not fit the pack, or is damaged.
    Patch,
    /// There is no such generation, or it is kept no more.
    NoGeneration,
    /// A snapshot that is not there, or is damaged.
    Snapshot,
    /// A tree of packs that can't be reached, or sends what is refused.
    Update,
}

/// Why a pack can't be opened or trusted.
#[derive(Debug)]
pub struct Error(Cause);

#[derive(Debug)]
enum Cause {
    Format(driven_format::Error),
    #[cfg(all(feature = "std", feature = "trust"))]
    WithoutRoot,
    Changed,
    NoRule(String),
    #[cfg(feature = "state")]
    NoGeneration(u64),
    #[cfg(feature = "state")]
    Snapshot {
        code: &'static str,
        path: PathBuf,
        message: String,
    },
    #[cfg(feature = "state")]
    Refused(String),
    #[cfg(feature = "updates")]
    Update {
        code: &'static str,
        message: String,
        retry_after: Option<core::time::Duration>,
    },
    #[cfg(feature = "std")]
    InFile(PathBuf, driven_format::Error),
    #[cfg(feature = "std")]
    Io(PathBuf, std::io::Error),
}

impl Error {
    /// What kind of fault it is.
    pub fn kind(&self) -> ErrorKind {
        use driven_format::ErrorKind as Format;
        let format = match &self.0 {
            Cause::Format(err) => err.kind(),
            #[cfg(feature = "std")]
            Cause::InFile(_, err) => err.kind(),
            #[cfg(feature = "std")]
            Cause::Io(..) => return ErrorKind::Io,
            #[cfg(all(feature = "std", feature = "trust"))]
            Cause::WithoutRoot => return ErrorKind::Trust,
            #[cfg(feature = "state")]
            Cause::Refused(_) => return ErrorKind::Trust,
            Cause::Changed => return ErrorKind::Digest,
            Cause::NoRule(_) => return ErrorKind::NoRule,
            #[cfg(feature = "state")]
            Cause::NoGeneration(_) => return ErrorKind::NoGeneration,
            #[cfg(feature = "state")]
            Cause::Snapshot { .. } => return ErrorKind::Snapshot,
            #[cfg(feature = "updates")]
            Cause::Update { .. } => return ErrorKind::Update,
        };
        match format {
            Format::Digest => ErrorKind::Digest,
            Format::Unsigned
            | Format::UnknownKey
            | Format::Signature
            | Format::Key
            | Format::TooFewKeys
            | Format::Revoked
            | Format::Expired
            | Format::RolledBack
            | Format::Equivocation
            | Format::WrongPack
            | Format::Capped
            | Format::Root
            | Format::Timestamp
            | Format::State => ErrorKind::Trust,
            Format::PatchForeign
            | Format::PatchNewer
            | Format::PatchBase
            | Format::PatchDamaged
            | Format::PatchLimit
            | Format::PatchTarget => ErrorKind::Patch,
            Format::Feed => ErrorKind::Update,
            _ => ErrorKind::Pack,
        }
    }

    /// A stable word for programs and logs.
    pub fn code(&self) -> &'static str {
        match &self.0 {
            Cause::Format(err) => err.code(),
            #[cfg(feature = "std")]
            Cause::InFile(_, err) => err.code(),
            #[cfg(feature = "std")]
            Cause::Io(..) => "io",
            #[cfg(all(feature = "std", feature = "trust"))]
            Cause::WithoutRoot => "without-root",
            Cause::Changed => "pack-changed",
            Cause::NoRule(_) => "no-rule",
            #[cfg(feature = "state")]
            Cause::NoGeneration(_) => "no-generation",
            #[cfg(feature = "state")]
            Cause::Refused(_) => "refused",
            #[cfg(feature = "state")]
            Cause::Snapshot { code, .. } => code,
            #[cfg(feature = "updates")]
            Cause::Update { code, .. } => code,
        }
    }

    /// One thing to do about it, or nothing.
    pub fn hint(&self) -> &'static str {
        match &self.0 {
            Cause::Format(err) => err.hint(),
            #[cfg(feature = "std")]
            Cause::InFile(_, err) => err.hint(),
            #[cfg(feature = "std")]
            Cause::Io(_, err) => match err.kind() {
                std::io::ErrorKind::NotFound => "check the path, and that its folder exists",
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "check the permissions of the file and its folder"
                }
                std::io::ErrorKind::IsADirectory => "give a file, not a folder",
                std::io::ErrorKind::StorageFull => "make room on the disk; nothing was changed",
                std::io::ErrorKind::TimedOut => "find out which process has it, as by `fuser`, and end that",
                _ => "check the file and the disk that it is on",
            },
            #[cfg(all(feature = "std", feature = "trust"))]
            Cause::WithoutRoot => "judge by a root, or without a store",
            Cause::Changed => "open the pack again, and find out who wrote to it",
            Cause::NoRule(_) => "ask for one that `rules` gives",
            #[cfg(feature = "state")]
            Cause::Refused(_) => "what is held stays in use; ask whoever refused it",
            #[cfg(feature = "state")]
            Cause::NoGeneration(_) => "ask the store which generations it keeps, and have it keep more",
            #[cfg(feature = "state")]
            Cause::Snapshot { path, .. } if path.ends_with("current") => {
                "put a copy of this file back, or remove it: the packs stay, and what is taken next begins a new list"
            }
            #[cfg(feature = "state")]
            Cause::Snapshot { .. } => {
                "see which there are with `driven snapshot list`, and restore one of them"
            }
            #[cfg(feature = "updates")]
            Cause::Update { code, .. } => match *code {
                "address" => "give it as `https://rules.example.com/NAME`, or `file:///srv/rules/NAME`",
                "offline" => "allow it, or pull from a `file://` tree",
                "unreachable" => "check the address and the way there; what is held stays in use",
                "no-such-pack" => "check the name: packs are put into a tree by `driven publish`",
                "too-long" => "raise the limit, if you trust whoever serves it",
                "hidden-text" => "have it built anew without that, or allow hidden text",
                "wrong-pack" => "check the address; the tree was not made by `driven publish`",
                _ => "try again; when it stays so, tell whoever serves it",
            },
        }
    }

    pub(crate) fn changed() -> Self {
        Error(Cause::Changed)
    }

    pub(crate) fn no_rule(id: &str) -> Self {
        Error(Cause::NoRule(id.into()))
    }

    #[cfg(feature = "state")]
    pub(crate) fn snapshot(code: &'static str, path: &std::path::Path, message: impl Into<String>) -> Self {
        Error(Cause::Snapshot { code, path: path.into(), message: message.into() })
    }

    /// A refusal in words of the program's own, for the judge of a [`RuleStore`](crate::state::RuleStore).
    #[cfg(feature = "state")]
    pub fn refused(message: impl Into<String>) -> Self {
        Error(Cause::Refused(message.into()))
    }

    #[cfg(feature = "updates")]
    pub(crate) fn update(code: &'static str, message: impl Into<String>) -> Self {
        Error(Cause::Update { code, message: message.into(), retry_after: None })
    }

    #[cfg(feature = "updates")]
    pub(crate) fn unreachable(message: String, retry_after: Option<core::time::Duration>) -> Self {
        Error(Cause::Update { code: "unreachable", message, retry_after })
    }

    /// How long whoever was asked wants to be left alone.
    #[cfg(feature = "updates")]
    pub(crate) fn retry_after(&self) -> Option<core::time::Duration> {
        match self.0 {
            Cause::Update { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    #[cfg(feature = "state")]
    pub(crate) fn no_generation(number: u64) -> Self {
        Error(Cause::NoGeneration(number))
    }

    #[cfg(feature = "std")]
    pub(crate) fn io(path: &std::path::Path, err: std::io::Error) -> Self {
        Error(Cause::Io(path.into(), err))
    }

    #[cfg(all(feature = "std", feature = "trust"))]
    pub(crate) fn without_root() -> Self {
        Error(Cause::WithoutRoot)
    }

    /// The same fault, with the file it was found in.
    #[cfg(feature = "std")]
    pub(crate) fn in_file(self, path: &std::path::Path) -> Self {
        match self.0 {
            Cause::Format(err) => Error(Cause::InFile(path.into(), err)),
            other => Error(other),
        }
    }
}

impl From<driven_format::Error> for Error {
    fn from(err: driven_format::Error) -> Self {
        Error(Cause::Format(err))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Format(err) => err.fmt(f),
            #[cfg(feature = "std")]
            Cause::InFile(path, err) => write!(f, "{}: {err}", path.display()),
            #[cfg(feature = "std")]
            Cause::Io(path, err) => write!(f, "{}: {err}", path.display()),
            Cause::Changed => f.write_str("the pack changed since it was opened"),
            Cause::NoRule(id) => write!(f, "there is no rule `{}`", id.escape_debug()),
            #[cfg(feature = "state")]
            Cause::NoGeneration(number) => write!(f, "generation {number} is not kept"),
            #[cfg(feature = "state")]
            Cause::Snapshot { path, message, .. } => write!(f, "{}: {message}", path.display()),
            #[cfg(feature = "state")]
            Cause::Refused(message) => f.write_str(message),
            #[cfg(feature = "updates")]
            Cause::Update { message, .. } => f.write_str(message),
            #[cfg(all(feature = "std", feature = "trust"))]
            Cause::WithoutRoot => f.write_str("what is seen is kept by root, and the policy goes by a key"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.0 {
            #[cfg(feature = "std")]
            Cause::Io(_, err) => Some(err),
            _ => None,
        }
    }
}
