//! Files that are written whole or not at all.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path` through a file beside it that is renamed into place.
///
/// A file that has these bytes already is left alone, so that its time does not
/// change. A link is followed; what is no regular file is refused. Gives whether
/// it was written.
///
/// # Errors
/// What the file system says; `path` then has what it had before.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let target = regular_target(path)?;
    if fs::read(&target).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    write_whole(&target, bytes).map(|()| true)
}

/// Writes `bytes` to `path` as [`write_if_changed`], also when it has them already.
///
/// A file that is replaced keeps its permissions.
///
/// # Errors
/// What the file system says; `path` then has what it had before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_whole(&regular_target(path)?, bytes)
}

/// Writes `bytes` to `path` as [`write_whole`]; a link there is replaced and not followed.
///
/// # Errors
/// What the file system says; `path` then has what it had before.
pub fn replace_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = unused_beside(path);
    let keep = |file: &fs::File| match fs::metadata(path) {
        Ok(old) => file.set_permissions(old.permissions()),
        Err(_) => Ok(()),
    };
    let written = write_new(&beside, bytes, keep).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Nothing more can be done about the file beside it than to try.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Writes `bytes` to `path` as [`write_whole`] where nothing is there, a link neither. Gives whether it was written; of
/// several who write at once one does.
///
/// A file system that gives no file two names can't keep them apart: there the last one stays.
///
/// # Errors
/// What the file system says; nothing is at `path` then.
pub fn create_whole(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let beside = unused_beside(path);
    let put = || match fs::hard_link(&beside, path) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(_) => fs::rename(&beside, path).map(|()| true),
    };
    let written = write_new(&beside, bytes, |_| Ok(())).and_then(|()| put());
    // It has another name now, or none is left to it; nothing more can be done about it than to try.
    let _ = fs::remove_file(&beside);
    written
}

/// Where a write to `path` ends up: behind links, and on nothing but a regular file or a new one.
fn regular_target(path: &Path) -> io::Result<PathBuf> {
    if path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected the name of a file"));
    }
    match fs::metadata(path) {
        Ok(found) if found.is_file() => path.canonicalize(),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it exists and is no regular file; choose another name",
        )),
        Err(_) if path.symlink_metadata().is_ok() => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a link that leads nowhere; choose another name",
        )),
        Err(_) => Ok(path.into()),
    }
}

fn write_new(path: &Path, bytes: &[u8], prepare: impl FnOnce(&fs::File) -> io::Result<()>) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    prepare(&file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name that nobody else has in the folder of `path`: another process may write there too, and its number may be the same
/// in another container; and nobody can have put a link there beforehand.
///
/// It is short, since the file's own may be as long as the file system allows.
pub(crate) fn unused_beside(path: &Path) -> PathBuf {
    let random = RandomState::new().hash_one(std::process::id());
    path.with_file_name(format!(".driven-{random:016x}.tmp"))
}
