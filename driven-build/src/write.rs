//! Files that are written whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` to `path` through a file beside it that is renamed into place.
///
/// A file that has these bytes already is left alone, so that its time does not
/// change. Gives whether it was written.
///
/// # Errors
/// What the file system says; `path` then has what it had before.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    write_with(path, bytes, |_| Ok(())).map(|()| true)
}

/// Writes `bytes` to `path` as [`write_if_changed`]; `prepare` may set permissions before anything is in the file.
///
/// # Errors
/// What the file system says; `path` then has what it had before.
pub fn write_with(
    path: &Path,
    bytes: &[u8],
    prepare: impl FnOnce(&fs::File) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?;
    let beside = path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = write_new(&beside, bytes, prepare).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Nothing more can be done about the file beside it than to try.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8], prepare: impl FnOnce(&fs::File) -> io::Result<()>) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    prepare(&file)?;
    file.write_all(bytes)?;
    file.sync_all()
}
