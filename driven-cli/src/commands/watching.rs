//! Waits for files to change.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use notify_debouncer_mini::new_debouncer;
use notify_debouncer_mini::notify::{Error, RecursiveMode};

use crate::output::Output;
use crate::{Failure, Outcome};

/// How long files must be quiet before something is done.
const QUIET: Duration = Duration::from_millis(150);

/// Calls `act` whenever something below `paths` changed, until the process is stopped.
pub(crate) fn watch(paths: &[PathBuf], output: &mut Output, mut act: impl FnMut(&mut Output)) -> Outcome {
    let failed = |err: Error| {
        Failure::new("watch", format!("the files can't be watched: {err}"))
            .hint("run `driven sync` by hand, or from a task runner")
    };
    let (sender, receiver) = mpsc::channel();
    let mut debouncer = new_debouncer(QUIET, sender).map_err(failed)?;
    for path in paths {
        debouncer.watcher().watch(path, RecursiveMode::Recursive).map_err(failed)?;
        output.note(&format!("watching {}", path.display()));
    }
    for events in receiver {
        events.map_err(failed)?;
        act(output);
    }
    Ok(crate::Exit::Clean)
}
