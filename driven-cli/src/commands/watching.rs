//! Waits for files to change.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use notify::{Error, Event, EventKind, RecursiveMode, Watcher};

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
    let mut watcher = notify::recommended_watcher(sender).map_err(failed)?;
    for path in paths {
        watcher.watch(path, RecursiveMode::Recursive).map_err(failed)?;
        output.note(&format!("watching {}", path.display()));
    }
    // To read a file is no change of it: `act` itself reads them.
    let changes = |event: &Event| !matches!(event.kind, EventKind::Access(_));
    while let Ok(event) = receiver.recv() {
        if !changes(&event.map_err(failed)?) {
            continue;
        }
        loop {
            match receiver.recv_timeout(QUIET) {
                Ok(event) => drop(event.map_err(failed)?),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(crate::Exit::Clean),
            }
        }
        act(output);
    }
    Ok(crate::Exit::Clean)
}
