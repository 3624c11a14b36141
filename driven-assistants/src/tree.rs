//! A folder that nothing leaves: every path is looked at, part by part, before it is read or written.
//!
//! Follows no links. A folder that was found to be one is not looked at again,
//! so a `Tree` is for one look or one round of writing, and not for longer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{ErrorKind as IoKind, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// No file of rules or settings is longer, in bytes.
const MAX_FILE: u64 = driven_format::MAX_BODY as u64;

/// A folder that nothing leaves.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    /// Folders below the root, and whether they are there.
    folders: RefCell<HashMap<String, bool>>,
}

impl Tree {
    /// # Errors
    /// A root that is no folder.
    pub(crate) fn new(root: &Path) -> Result<Self> {
        let root = root.canonicalize().map_err(|err| Error::io(root, &err))?;
        if !root.is_dir() {
            let message = format!("{} is no folder", root.display());
            return Err(Error::new(ErrorKind::Path, message, "give the project's folder"));
        }
        Ok(Tree { root, folders: RefCell::default() })
    }

    /// The same folder, with nothing known about it.
    pub(crate) fn afresh(&self) -> Self {
        Tree { root: self.root.clone(), folders: RefCell::default() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether there is such a folder. An error is a path that leads out, or through what is no folder.
    pub(crate) fn has_folder(&self, path: &str) -> Result<bool> {
        if path.is_empty() {
            return Ok(true);
        }
        if let Some(&there) = self.folders.borrow().get(path) {
            return Ok(there);
        }
        let parent = parent_of(path)?;
        let there = self.has_folder(parent)?
            && match self.root.join(path).symlink_metadata() {
                Ok(found) if found.is_symlink() => {
                    return Err(refuse(path, "it leads through a symbolic link"));
                }
                Ok(found) if !found.is_dir() => return Err(refuse(path, "it is no folder")),
                Ok(_) => true,
                Err(err) if matches!(err.kind(), IoKind::NotFound | IoKind::NotADirectory) => false,
                Err(err) => return Err(Error::io(Path::new(path), &err)),
            };
        self.folders.borrow_mut().insert(path.into(), there);
        Ok(there)
    }

    /// The length of a file; nothing when there is none. An error is a path that leads out, or to what is no file.
    fn find(&self, path: &str) -> Result<Option<u64>> {
        if !self.has_folder(parent_of(path)?)? {
            return Ok(None);
        }
        match self.root.join(path).symlink_metadata() {
            Ok(found) if found.is_symlink() => Err(refuse(path, "it leads through a symbolic link")),
            Ok(found) if !found.is_file() => Err(refuse(path, "it is no regular file")),
            Ok(found) => Ok(Some(found.len())),
            Err(err) if matches!(err.kind(), IoKind::NotFound | IoKind::NotADirectory) => Ok(None),
            Err(err) => Err(Error::io(Path::new(path), &err)),
        }
    }

    /// A file as text; nothing when there is none.
    pub(crate) fn read(&self, path: &str) -> Result<Option<String>> {
        let Some(len) = self.find(path)? else { return Ok(None) };
        let too_long = || {
            let message = format!("{path}: longer than {MAX_FILE} bytes");
            Error::new(ErrorKind::Io, message, "it is no file of rules")
        };
        if len > MAX_FILE {
            return Err(too_long());
        }
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(self.root.join(path))?;
            let mut bytes = vec![0; len as usize];
            let mut filled = 0;
            while filled < bytes.len() {
                match file.read(&mut bytes[filled..])? {
                    0 => break,
                    count => filled += count,
                }
            }
            bytes.truncate(filled);
            // It may have grown since it was looked at.
            file.take(MAX_FILE + 1 - filled as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|err| Error::io(Path::new(path), &err))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(too_long());
        }
        String::from_utf8(bytes).map(Some).map_err(|_| {
            Error::new(ErrorKind::Io, format!("{path}: it is not UTF-8"), "save it as UTF-8, or move it away")
        })
    }

    /// Moves a file of driven's own to a path, and makes the folders that it needs.
    pub(crate) fn put(&self, from: &Path, path: &str) -> Result<()> {
        self.find(path)?;
        let target = self.root.join(path);
        let parent = parent_of(path)?;
        if !self.has_folder(parent)? {
            let folder = self.root.join(parent);
            fs::create_dir_all(&folder).map_err(|err| Error::io(&folder, &err))?;
            self.folders.borrow_mut().clear();
        }
        match fs::rename(from, &target) {
            // Done by a run that was stopped behind it.
            Err(err) if err.kind() == IoKind::NotFound && !from.exists() => Ok(()),
            Err(err) => Err(Error::io(&target, &err)),
            Ok(()) => Ok(()),
        }
    }

    /// Removes a file, and the folders that it leaves empty.
    pub(crate) fn remove(&self, path: &str) -> Result<()> {
        if self.find(path)?.is_none() {
            return Ok(());
        }
        let target = self.root.join(path);
        fs::remove_file(&target).map_err(|err| Error::io(&target, &err))?;
        for folder in target.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
            self.folders.borrow_mut().clear();
        }
        Ok(())
    }

    /// Refuses a path that can't be written to.
    pub(crate) fn check(&self, path: &str) -> Result<()> {
        self.find(path).map(|_| ())
    }
}

/// The folder that a path lies in; the root is empty.
fn parent_of(path: &str) -> Result<&str> {
    match path.rsplit_once('/') {
        Some((parent, name)) if is_name(name) && !parent.is_empty() => Ok(parent),
        None if is_name(path) => Ok(""),
        _ => Err(refuse(path, "it does not stay below the root")),
    }
}

/// Whether a part of a path is a name, on every system.
pub(crate) fn is_name(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0', '/'])
}

fn refuse(path: &str, why: &str) -> Error {
    let hint = "driven reads and writes regular files below the project's folder, through no links";
    Error::new(ErrorKind::Path, format!("{path}: {why}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = Tree::new(folder.path()).expect("it is there");
        for path in ["", "..", "a/../b", "/etc/passwd", "a//b", "a/./b", "a\\b", "a\0"] {
            assert!(tree.read(path).is_err(), "{path:?}");
        }
        assert!(tree.read("a/b/c").is_ok_and(|text| text.is_none()));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir(root.join("real")).expect("made");
        fs::write(root.join("real/file"), "text").expect("written");
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).expect("linked");
        std::os::unix::fs::symlink(root.join("real/file"), root.join("file")).expect("linked");
        let tree = Tree::new(root).expect("it is there");
        assert_eq!(tree.read("real/file").expect("a file").as_deref(), Some("text"));
        for path in ["link/file", "file", "real"] {
            assert_eq!(tree.read(path).expect_err(path).kind(), ErrorKind::Path);
        }
    }
}
