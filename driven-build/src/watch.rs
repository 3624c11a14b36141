//! Follows a folder of rules: compiles what it has become, and hands that to a store.
//!
//! Knows nothing of who reads the store. Folders are watched and not files, since editors replace files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use driven::state::RuleStore;
use driven::{PackBuf, SharedPack};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::compile::Compiler;
use crate::diagnostics::Report;
use crate::error::{Error, Result};

/// How long the files must be quiet before they are compiled: editors write in several steps.
const QUIET: Duration = Duration::from_millis(60);
/// The longest that is waited for quiet.
const MOST: Duration = Duration::from_secs(1);
/// How often it is looked whether a folder that went is there again.
const LOOK: Duration = Duration::from_secs(1);

/// What became of a change in the folder.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reload<'r> {
    /// The store has the rules as they are now.
    Taken {
        /// The generation of the store that has them first.
        generation: u64,
        /// Warnings.
        report: &'r Report,
    },
    /// The rules don't compile; the store keeps what it has.
    Broken(&'r Error),
    /// The store's judge refused the rules; the store keeps what it has.
    Refused(&'r driven::Error),
}

/// Follows a folder for as long as it lives; see [`watch`].
pub struct Watch {
    messages: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Changed,
    Stop,
}

/// Compiles rules in the background whenever their files change, and puts them into a store.
///
/// The first look is at once. A broken edit is told and changes nothing. What doesn't change the pack is not told.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use driven::state::RuleStore;
/// use driven::{PackBuf, SharedPack};
/// use driven_build::Reload;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let first = driven_build::rules("rules").try_compile()?;
/// let store = Arc::new(RuleStore::open_to_all(SharedPack::prove(PackBuf::from_vec(first.pack)?)?));
/// let watch = driven_build::watch(driven_build::rules("rules"), Arc::clone(&store), |reload| match reload {
///     Reload::Taken { generation, .. } => eprintln!("rules: generation {generation}"),
///     Reload::Broken(err) => eprintln!("{err}"),
///     other => eprintln!("{other:?}"),
/// })?;
/// // ... the program reads `store` ...
/// drop(watch);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A folder that is not there, or a system that tells of no changes.
pub fn watch(
    compiler: Compiler,
    store: Arc<RuleStore>,
    told: impl FnMut(Reload<'_>) + Send + 'static,
) -> Result<Watch> {
    let (messages, received) = channel();
    let changed = messages.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // To read a file is no change of it; what can't be told may have been one.
        if event.map_or(true, |event| !event.kind.is_access()) {
            // Nobody listens any more only when it is over.
            let _ = changed.send(Message::Changed);
        }
    });
    let mut watcher = watcher.map_err(|err| cant_watch(&compiler.watched()[0], &err))?;
    for (path, mode) in places(&compiler) {
        watcher.watch(&path, mode).map_err(|err| cant_watch(&path, &err))?;
    }
    let follower = Follower { compiler, store, watcher, received, seen: None, unread: None };
    let thread = thread::Builder::new().name("driven-watch".into()).spawn(move || follower.run(told));
    let thread = thread.map_err(|err| Error::setup(format!("no thread can be started: {err}")))?;
    Ok(Watch { messages, thread: Some(thread) })
}

/// What is watched, and how. Settings by their folder: a file that goes takes its watch with it.
fn places(compiler: &Compiler) -> Vec<(PathBuf, RecursiveMode)> {
    let settings = compiler.settings_folder().map(|folder| (folder, RecursiveMode::NonRecursive));
    let own = compiler.watched().into_iter().filter(|path| !path.is_file());
    settings.into_iter().chain(own.map(|path| (path, RecursiveMode::Recursive))).collect()
}

fn cant_watch(path: &Path, err: &notify::Error) -> Error {
    Error::setup(format!("{} can't be watched: {err}", path.display()))
}

impl Watch {
    /// Waits until it ends, which it does only when its thread panics.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic was told by itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.messages.send(Message::Stop);
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

struct Follower {
    compiler: Compiler,
    store: Arc<RuleStore>,
    watcher: RecommendedWatcher,
    received: Receiver<Message>,
    /// What was compiled last, by its digest.
    seen: Option<String>,
    /// What was told of rules that can't even be read; it is told once.
    unread: Option<String>,
}

impl Follower {
    fn run(mut self, mut told: impl FnMut(Reload<'_>)) {
        loop {
            let is_whole = self.renew();
            let now = self.compiler.clone().fingerprint();
            // What can't be read has no digest; why not is a finding.
            if now.is_none() || now != self.seen {
                self.step(now.is_some(), &mut told);
                // What is not what it was before is compiled again, also where it is changed back after that.
                self.seen = now.filter(|now| self.compiler.clone().fingerprint().as_ref() == Some(now));
            }
            if self.wait(is_whole) {
                return;
            }
        }
    }

    /// Watches what is there now, also where it was put in place of what was; says whether all of it is there.
    fn renew(&mut self) -> bool {
        let mut is_whole = true;
        for (path, mode) in places(&self.compiler) {
            is_whole &= self.watcher.watch(&path, mode).is_ok();
        }
        is_whole
    }

    fn step(&mut self, can_be_read: bool, told: &mut impl FnMut(Reload<'_>)) {
        let compiled = match self.compiler.clone().try_compile() {
            Ok(compiled) => compiled,
            Err(err) => {
                let what = (!can_be_read).then(|| err.to_string());
                if what.is_none() || what != self.unread {
                    told(Reload::Broken(&err));
                }
                self.unread = what;
                return;
            }
        };
        self.unread = None;
        let taken = PackBuf::from_vec(compiled.pack).and_then(SharedPack::prove).and_then(|pack| {
            let is_new = self.store.load().edition() != pack.edition();
            is_new.then(|| self.store.replace(pack)).transpose()
        });
        match taken {
            Ok(None) => {}
            Ok(Some(generation)) => told(Reload::Taken { generation, report: &compiled.report }),
            Err(err) => told(Reload::Refused(&err)),
        }
    }

    /// Waits for a change, and then for quiet; says whether it is over.
    fn wait(&self, is_whole: bool) -> bool {
        if is_whole {
            match self.received.recv() {
                Ok(Message::Changed) => {}
                Ok(Message::Stop) | Err(_) => return true,
            }
        } else {
            match self.received.recv_timeout(LOOK) {
                Ok(Message::Changed) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
        let first = Instant::now();
        loop {
            match self.received.recv_timeout(QUIET) {
                Ok(Message::Changed) if first.elapsed() < MOST => {}
                Ok(Message::Changed) | Err(RecvTimeoutError::Timeout) => return false,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
    }
}
