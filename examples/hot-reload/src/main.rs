//! Takes the rules of a folder as they are written.
//!
//! ```text
//! cargo run -p hot-reload -- rules     follows `rules` until it is stopped
//! cargo run -p hot-reload              shows it in a folder of its own
//! ```

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::{env, fs};

use driven::state::RuleStore;
use driven::{PackBuf, SharedPack};
use driven_build::{Reload, Watch};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let Some(folder) = env::args_os().nth(1) else { return show() };
    let (_watch, _store, told) = follow(Path::new(&folder))?;
    for line in told {
        println!("{line}");
    }
    Ok(())
}

/// Follows a folder; gives what keeps it followed, the store that any number of threads reads, and what is told.
fn follow(folder: &Path) -> Outcome<(Watch, Arc<RuleStore>, Receiver<String>)> {
    let first = driven_build::rules(folder).try_compile()?;
    let first = SharedPack::prove(PackBuf::from_vec(first.pack)?)?;
    let store = Arc::new(RuleStore::open_to_all(first));
    let (sender, told) = channel();
    let read = Arc::clone(&store);
    let watch = driven_build::watch(driven_build::rules(folder), Arc::clone(&store), move |reload| {
        let line = match reload {
            Reload::Taken { generation, .. } => {
                let changed = read.changes_since(generation - 1).map(|changes| changes.changed.len());
                format!("generation {generation}: {} rules changed", changed.unwrap_or_default())
            }
            Reload::Broken(err) => format!("broken, the old rules stay:\n{err}"),
            other => format!("{other:?}"),
        };
        // Nobody listens any more only when the program ends.
        let _ = sender.send(line);
    })?;
    Ok((watch, store, told))
}

/// Writes rules, breaks them, mends them, and looks what a reader has meanwhile.
fn show() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let rule = folder.path().join("style.md");
    fs::write(&rule, "Spell words out.\n")?;
    let (_watch, store, told) = follow(folder.path())?;
    let mut reader = store.reader();
    let edits = ["Spell words right.\n", "---\nglobs: [\n---\nSpell.\n", "Spell words at all.\n"];
    for edit in edits {
        fs::write(&rule, edit)?;
        println!("{}", told.recv()?);
        let body = reader.pack().rule("style").map(|rule| rule.body().to_owned());
        println!("  a reader has: {}", body.unwrap_or_default().trim_end());
    }
    Ok(())
}
