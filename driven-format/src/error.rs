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
    /// Signatures by trusted keys, but fewer than are asked for.
    TooFewKeys,
    /// Signed by a key that was revoked.
    Revoked,
    /// What was signed holds no more.
    Expired,
    /// An older version than was seen before.
    RolledBack,
    /// The version that was seen before, with another content.
    Equivocation,
    /// Another pack than was asked for.
    WrongPack,
    /// A security finding was let through when the pack was built.
    Capped,
    /// A root file that does not have its form, or does not continue the one that is trusted.
    Root,
    /// A timestamp that does not have its form, or is about something else.
    Timestamp,
    /// A state of trust that is damaged.
    State,
    /// The bytes do not begin as a patch does.
    PatchForeign,
    /// The patch was written by a newer version.
    PatchNewer,
    /// The patch was made for another pack.
    PatchBase,
    /// A patch that is cut off, bent, or says what can't be.
    PatchDamaged,
    /// The patch leads to more than whoever applies it takes.
    PatchLimit,
    /// The patch does not lead to the pack that it names.
    PatchTarget,
    /// A feed that does not have its form.
    Feed,
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

    #[cfg(feature = "patch")]
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::PatchDamaged, message)
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
            ErrorKind::TooFewKeys => "too-few-keys",
            ErrorKind::Revoked => "revoked",
            ErrorKind::Expired => "expired",
            ErrorKind::RolledBack => "rolled-back",
            ErrorKind::Equivocation => "equivocation",
            ErrorKind::WrongPack => "wrong-pack",
            ErrorKind::Capped => "capped",
            ErrorKind::Root => "root",
            ErrorKind::Timestamp => "timestamp",
            ErrorKind::State => "trust-state",
            ErrorKind::PatchForeign => "patch-foreign",
            ErrorKind::PatchNewer => "patch-newer",
            ErrorKind::PatchBase => "patch-base",
            ErrorKind::PatchDamaged => "patch-damaged",
            ErrorKind::PatchLimit => "patch-limit",
            ErrorKind::PatchTarget => "patch-target",
            ErrorKind::Feed => "feed",
        }
    }

    /// One thing to do about it, or nothing.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            ErrorKind::Foreign => "a pack is made by `driven build DIR -o FILE`",
            ErrorKind::Truncated | ErrorKind::Malformed | ErrorKind::Digest => {
                "fetch or build the pack again"
            }
            ErrorKind::Newer | ErrorKind::UnknownSection => {
                "update driven, or build the pack with the version at hand"
            }
            ErrorKind::Unsigned => "sign it with `driven sign FILE --key KEY`",
            ErrorKind::UnknownKey => "give the public key of the one who signed it, or a root that lists it",
            ErrorKind::Signature => "fetch it again; do not use this one",
            ErrorKind::TooFewKeys => "have another of the keys sign it, and merge the signatures",
            ErrorKind::Revoked => "ask for one that is signed by keys that still hold; do not use this one",
            ErrorKind::Expired => "fetch a newer one",
            ErrorKind::RolledBack => {
                "fetch the newest; to go back to an older pack on purpose, name its version (`--accept-version`)"
            }
            ErrorKind::Equivocation => "do not use either before you know why there are two",
            ErrorKind::WrongPack => "check which pack was fetched, and the name that was asked for",
            ErrorKind::Capped => "have it built again without the finding, or allow capped packs",
            ErrorKind::Root => "compare it with a copy from somewhere else",
            ErrorKind::Timestamp => "fetch pack and timestamp again",
            ErrorKind::State => {
                "name the state file; if it is that, find out who wrote to it: without it the next use is a first one"
            }
            ErrorKind::PatchForeign => "a patch is made by `driven diff OLD NEW -o FILE`",
            ErrorKind::PatchNewer => "update driven, or fetch the whole pack",
            ErrorKind::PatchBase => "fetch the patch from the pack that you have, or the whole pack",
            ErrorKind::PatchDamaged | ErrorKind::PatchTarget => "fetch the patch again, or the whole pack",
            ErrorKind::Feed => "check the address: a tree of packs is made by `driven publish`",
            ErrorKind::PatchLimit => "raise the limit, if you trust whoever made it",
            ErrorKind::Key => "`driven keygen NAME` makes a pair: NAME.key signs, and NAME.pub verifies",
            ErrorKind::Model => "",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {}
