//! The journal: what a run is about to do, so that the next one can end it.
//!
//! The journal may be somebody else's, or old. It says what it expects to find,
//! and nothing goes but where some assistant's rules could go.

use std::fs::{self, File};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::project::{JOURNAL, STAGE, STATE_FOLDER, State, exact_digest, may_own, write_state};
use crate::tree::Tree;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    pub(crate) steps: Vec<JournalStep>,
    pub(crate) state: State,
}

/// One file that is to be written or removed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JournalStep {
    pub(crate) path: String,
    /// The number of the staged file; nothing when the path goes.
    pub(crate) staged: Option<usize>,
    /// Digest of what was there; nothing for no file.
    pub(crate) before: Option<String>,
    /// Digest of what should be there.
    pub(crate) after: Option<String>,
}

/// Completes a run that was stopped behind its journal, and undoes one that was stopped before it.
pub(crate) fn recover(tree: &Tree) -> Result<()> {
    let name = format!("{STATE_FOLDER}/{JOURNAL}");
    let Some(text) = tree.read(&name)? else { return remove_stage(tree.root()) };
    let refuse = |what: String| {
        let message = format!("{name}: a run was stopped, and can't be ended: {what}");
        Error::new(ErrorKind::State, message, "look at the file, then remove the journal to give that run up")
    };
    let journal: Journal = serde_json::from_str(&text).map_err(|err| refuse(err.to_string()))?;
    // The journal may be somebody else's, or old: it says what it expects, and only rules go where rules go.
    for step in &journal.steps {
        let now = tree.read(&step.path).map_err(|err| refuse(err.to_string()))?.as_deref().map(exact_digest);
        if !may_own(&step.path) {
            return Err(refuse(format!("`{}` is no file that driven writes", step.path)));
        }
        if now != step.before && now != step.after {
            return Err(refuse(format!("{} was changed since", step.path)));
        }
        let staged = step.staged.map(|number| tree.read(&format!("{STATE_FOLDER}/{STAGE}/{number}")));
        let content = staged.transpose().map_err(|err| refuse(err.to_string()))?.flatten();
        if now != step.after && content.as_deref().map(exact_digest) != step.after {
            return Err(refuse(format!("what was to go to {} is not there", step.path)));
        }
    }
    complete(&tree.afresh(), &journal)
}

/// Does what a journal says; what is done already is passed over.
pub(crate) fn complete(tree: &Tree, journal: &Journal) -> Result<()> {
    let own = tree.root().join(STATE_FOLDER);
    for step in &journal.steps {
        match step.staged {
            Some(number) => tree.put(&own.join(STAGE).join(number.to_string()), &step.path)?,
            None => tree.remove(&step.path)?,
        }
    }
    write_state(tree.root(), &journal.state)?;
    let path = own.join(JOURNAL);
    fs::remove_file(&path).map_err(|err| Error::io(&path, &err))?;
    remove_stage(tree.root())
}

pub(crate) fn remove_stage(root: &Path) -> Result<()> {
    let stage = root.join(STATE_FOLDER).join(STAGE);
    match fs::remove_dir_all(&stage) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&stage, &err)),
        _ => Ok(()),
    }
}

/// Waits for the lock of a project; a file that somebody removed meanwhile locks nothing.
pub(crate) fn take_lock(path: &Path) -> Result<File> {
    loop {
        let open = File::options().create(true).truncate(false).write(true).open(path);
        let lock = open.map_err(|err| Error::io(path, &err))?;
        lock.lock().map_err(|err| Error::io(path, &err))?;
        if is_at(&lock, path) {
            return Ok(lock);
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(own), Ok(there)) if id(&own) == id(&there))
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
