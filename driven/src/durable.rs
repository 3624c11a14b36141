//! Files that are there whole or not at all, whatever fails, and locks between processes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloc::format;
#[cfg(feature = "state")]
use alloc::vec::Vec;

use crate::error::Error;

/// How long a lock is waited for: longer than anybody should have it, who signs by hand included. Whoever may read a file can
/// lock it, and is not to hold up all others for good.
const PATIENCE: Duration = Duration::from_mins(5);

/// Takes the lock beside `path`, and waits for it for some minutes; it ends when it is dropped, or when the process ends,
/// however it does.
pub fn lock(path: &Path) -> Result<File, Error> {
    let lock = open_lock(path).map_err(|err| Error::io(path, err))?;
    lock_file(&lock).map_err(|err| Error::io(path, err))?;
    Ok(lock)
}

fn lock_file(file: &File) -> io::Result<()> {
    wait_for(|| try_lock(file), PATIENCE)
}

/// Locks an open file beside others who do the same, against whoever wants it alone.
#[cfg(feature = "state")]
pub(crate) fn lock_shared(file: &File) -> io::Result<()> {
    wait_for(|| tried(file.try_lock_shared()), PATIENCE)
}

/// No system has a limit for a lock that is waited for, so it is tried again and again.
fn wait_for(mut take: impl FnMut() -> io::Result<bool>, limit: Duration) -> io::Result<()> {
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    while !take()? {
        if waited >= limit {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "another process holds it, and does not let it go",
            ));
        }
        std::thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    Ok(())
}

/// Opens a file to lock, and makes it where there is none. A link is not followed: the folder may come from elsewhere.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    // Nor by a user who only passes by.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o660);
    match options.open(path) {
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    if fs::symlink_metadata(path)?.is_file() {
        return File::options().write(true).open(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file, so it can't be locked"))
}

/// Takes the file at `path` itself, for whoever reads it and puts another in its place; waits for whoever has it, and then
/// takes what that put there.
///
/// # Errors
/// A file that can't be opened, or that another process holds for minutes.
#[cfg(unix)]
pub fn lock_in_place(path: &Path) -> Result<File, Error> {
    let io = |err| Error::io(path, err);
    loop {
        let file = File::open(path).map_err(io)?;
        lock_file(&file).map_err(io)?;
        if is_at(&file, path) {
            return Ok(file);
        }
    }
}

/// Other systems don't let a file be read, or replaced, that is locked.
#[cfg(not(unix))]
pub fn lock_in_place(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|err| Error::io(path, err))
}

/// Takes a file for itself, unless somebody has it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    tried(file.try_lock())
}

fn tried(lock: Result<(), fs::TryLockError>) -> io::Result<bool> {
    match lock {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(err)) => Err(err),
    }
}

/// Whether an open file is the one that lies at `path` now.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().ok().map(id).is_some_and(|open| fs::metadata(path).ok().map(id) == Some(open))
}

/// Other systems keep an open file where it is.
#[cfg(all(feature = "state", not(unix)))]
pub(crate) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Writes a file through another beside it: written, flushed, renamed over it, and the folder flushed.
pub fn write(
    path: &Path,
    fill: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>,
) -> Result<(), Error> {
    let beside = beside(path, ".new");
    let written = write_new(&beside, fill).and_then(|()| fs::rename(&beside, path));
    if let Err(err) = written {
        // Nothing more can be done about the file beside it than to try.
        let _ = fs::remove_file(&beside);
        return Err(Error::io(path, err));
    }
    flush_folder_of(path).map_err(|err| Error::io(path, err))
}

/// Opens a file that is kept, to read it. What is no file, as a pipe, could be waited for without end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    regular(path).and_then(|()| File::open(path))
}

/// Reads a file that is kept.
#[cfg(feature = "state")]
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    regular(path).and_then(|()| fs::read(path))
}

fn regular(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
}

/// The path with an ending more.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}{ending}"))
}

/// Makes a file. What a run that was killed left there goes, and so does a link, which somebody else may have put there to
/// have another file overwritten.
fn create_anew(path: &Path) -> io::Result<File> {
    match File::create_new(path) {
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            File::create_new(path)
        }
        made => made,
    }
}

fn write_new(path: &Path, fill: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut file = io::BufWriter::with_capacity(1 << 16, create_anew(path)?);
    fill(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()
}

/// Makes what was renamed or removed in the folder of `path` last.
#[cfg(unix)]
pub fn flush_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Other systems have no such call for folders.
#[cfg(not(unix))]
pub fn flush_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used)]
    fn a_lock_that_somebody_holds_is_not_waited_for_without_end() {
        let path = std::env::temp_dir().join(format!("driven-lock-{}", std::process::id()));
        let held = lock(&path).unwrap();
        let other = open_lock(&path).unwrap();
        let err = wait_for(|| try_lock(&other), Duration::ZERO).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::TimedOut);
        drop(held);
        wait_for(|| try_lock(&other), Duration::ZERO).unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&other.metadata().unwrap()) & 0o007, 0);
        fs::remove_file(&path).unwrap();
    }
}
