//! The store: one current version, a few before it, and who waits for the next.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::changes::Changes;
use super::snapshots::Snapshots;
use super::swap::{Numbered, Swap};
use crate::error::Error;
use crate::map::SharedPack;
use crate::pack::Pack;

/// How many versions before the current one are kept, unless a program says otherwise.
const KEPT: usize = 4;

/// Where packs are kept, and what time it is.
type Keeper = (Snapshots, Box<dyn Fn() -> u64 + Send + Sync>);
type Judge = Box<dyn Fn(Pack<'_>) -> Result<(), Error> + Send + Sync>;

/// Holds the current pack of a program; many read it while it is updated.
///
/// ```
/// use driven::state::RuleStore;
/// use driven::{PackBuf, SharedPack};
/// # use driven_format::{PackBuilder, Rule};
/// # let pack = |version, text: &str| {
/// #     PackBuilder::new("house", version).rule(Rule::new("style", text)).finish()
/// # };
/// # let (old, new) = (pack(1, "Spell words out.\n")?, pack(2, "Spell words right.\n")?);
/// # let patch = driven_format::patch::diff(&old, &new)?.patch;
///
/// let first = SharedPack::prove(PackBuf::from_vec(old)?)?;
/// // Who is let in is asked before anything is visible: here a signature would be verified.
/// let store = RuleStore::new(first, |pack| pack.verify_nothing_in_this_example());
/// # trait Example { fn verify_nothing_in_this_example(&self) -> Result<(), driven::Error>; }
/// # impl Example for driven::Pack<'_> {
/// #     fn verify_nothing_in_this_example(&self) -> Result<(), driven::Error> { Ok(()) }
/// # }
///
/// let mut reader = store.reader();
/// let generation = store.apply(&patch)?;
/// assert_eq!(reader.pack().rule("style").map(|rule| rule.body()), Some("Spell words right.\n"));
///
/// store.rollback(generation - 1)?;
/// assert_eq!(reader.pack().manifest().version(), 1);
/// # Ok::<(), driven::Error>(())
/// ```
pub struct RuleStore {
    swap: Arc<Swap<Version>>,
    judge: Judge,
    limit: usize,
    keeper: Option<Keeper>,
    /// Whoever has this writes. A judge may take its time, and so may a disk: nobody who only asks waits for it.
    writing: Mutex<()>,
    history: Mutex<History>,
    changed: Condvar,
}

/// The versions before the current one, oldest first. It is held for moments.
struct History {
    before: VecDeque<Arc<Version>>,
    kept: usize,
}

struct Version {
    generation: u64,
    pack: SharedPack,
}

impl Numbered for Version {
    fn number(&self) -> u64 {
        self.generation
    }
}

/// A version that was current when it was loaded; it stays what it is for as long as it is held.
#[derive(Clone)]
pub struct Current(Arc<Version>);

impl Current {
    /// Its number: every change counts it up.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// The pack.
    #[inline]
    pub fn pack(&self) -> Pack<'_> {
        self.0.pack.as_pack()
    }
}

impl Deref for Current {
    type Target = SharedPack;

    fn deref(&self) -> &SharedPack {
        &self.0.pack
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").field("generation", &self.generation()).field("pack", &self.pack()).finish()
    }
}

/// One thread's look at a store: to know that nothing changed costs one load.
#[derive(Clone)]
pub struct Reader {
    swap: Arc<Swap<Version>>,
    held: Arc<Version>,
    /// The number and the pack of what is held: here, so that a look loads two things less.
    generation: u64,
    pack: SharedPack,
}

impl Reader {
    /// The current pack; it stays what it is until the next call.
    #[inline]
    pub fn pack(&mut self) -> Pack<'_> {
        self.refresh();
        self.pack.as_pack()
    }

    /// The number of the current version, and that of [`pack`](Self::pack) when it is called next, or an older one.
    #[inline]
    pub fn generation(&mut self) -> u64 {
        self.refresh();
        self.generation
    }

    /// The current version, to be held.
    pub fn load(&mut self) -> Current {
        self.refresh();
        Current(Arc::clone(&self.held))
    }

    #[inline]
    fn refresh(&mut self) {
        if self.swap.newest() > self.generation {
            self.renew();
        }
    }

    #[cold]
    fn renew(&mut self) {
        self.held = self.swap.load();
        self.generation = self.held.generation;
        self.pack = self.held.pack.clone();
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl RuleStore {
    /// Holds `first`. Every pack that comes after it, by a patch or whole, is shown to `judge` before anybody sees it:
    /// the place to ask who signed it.
    pub fn new(
        first: SharedPack,
        judge: impl Fn(Pack<'_>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        RuleStore {
            swap: Arc::new(Swap::new(Version { generation: 1, pack: first })),
            judge: Box::new(judge),
            limit: SharedPack::LIMIT,
            keeper: None,
            writing: Mutex::new(()),
            history: Mutex::new(History { before: VecDeque::new(), kept: KEPT }),
            changed: Condvar::new(),
        }
    }

    /// Holds `first`, and lets every pack in whose rules have the digests that it states.
    pub fn open_to_all(first: SharedPack) -> Self {
        RuleStore::new(first, |_| Ok(()))
    }

    /// How many versions before the current one are kept, to go back to and to tell changes since: 4 otherwise.
    #[must_use]
    pub fn keep(self, versions: usize) -> Self {
        self.history().kept = versions;
        self
    }

    /// How long a pack may be that a patch leads to, in bytes; [`SharedPack::LIMIT`] otherwise.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Takes a snapshot of every pack that follows, before anybody sees it: what a call returned for, the next start
    /// finds. The pack that is current now is taken too where the folder has no current one; another that it has stays
    /// current until something follows, so that nothing is undone that another process did. `now` gives the time in
    /// seconds since 1970.
    ///
    /// # Errors
    /// A folder that can't be written.
    pub fn keep_in(
        mut self,
        snapshots: Snapshots,
        now: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        snapshots.take_if(None, &self.load(), now())?;
        self.keeper = Some((snapshots, Box::new(now)));
        Ok(self)
    }

    /// The current version. It never waits.
    pub fn load(&self) -> Current {
        Current(self.swap.load())
    }

    /// A reader for one thread.
    pub fn reader(&self) -> Reader {
        let held = self.swap.load();
        Reader { swap: Arc::clone(&self.swap), generation: held.generation, pack: held.pack.clone(), held }
    }

    /// The number of the current version.
    pub fn generation(&self) -> u64 {
        self.swap.newest()
    }

    /// Applies a patch to the current pack; gives the new number.
    ///
    /// # Errors
    /// A patch that is damaged or was made for another pack, what the judge says, or a folder of snapshots that can't
    /// be written; the current pack stays.
    pub fn apply(&self, patch: &[u8]) -> Result<u64, Error> {
        let writing = self.write();
        let next = self.swap.load().pack.apply(patch, self.limit)?;
        self.admit(&writing, next)
    }

    /// Takes another pack in place of the current one; gives the new number.
    ///
    /// # Errors
    /// What the judge says; the current pack stays.
    pub fn replace(&self, pack: SharedPack) -> Result<u64, Error> {
        let writing = self.write();
        self.admit(&writing, pack)
    }

    /// Makes the pack of an earlier generation current again, under a new number, which it gives.
    ///
    /// The judge is not asked: it let the pack in before, and going back is whoever calls this to answer for.
    ///
    /// # Errors
    /// A generation that is not kept any more, or never was.
    pub fn rollback(&self, to: u64) -> Result<u64, Error> {
        let writing = self.write();
        let pack =
            self.before(to).map(|version| version.pack.clone()).ok_or_else(|| Error::no_generation(to))?;
        if let Some((snapshots, now)) = &self.keeper {
            snapshots.take(&pack, now())?;
        }
        Ok(self.publish(&writing, pack))
    }

    /// The generations that [`rollback`](Self::rollback) can go back to, oldest first.
    pub fn generations(&self) -> impl Iterator<Item = u64> + use<> {
        let before: VecDeque<u64> = self.history().before.iter().map(|version| version.generation).collect();
        before.into_iter()
    }

    /// What changed since an earlier generation; nothing when that is not kept any more.
    pub fn changes_since(&self, generation: u64) -> Option<Changes> {
        let now = self.swap.load();
        let then = if generation == now.generation { Arc::clone(&now) } else { self.before(generation)? };
        Some(Changes::between(&then.pack.as_pack(), &now.pack.as_pack()))
    }

    /// Tells of every change from now on.
    pub fn subscribe(&self) -> Subscription<'_> {
        Subscription { store: self, seen: Current(self.swap.load()) }
    }

    fn write(&self) -> MutexGuard<'_, ()> {
        // Nothing is left half done: a version is published as the last step.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A version before the current one.
    fn before(&self, generation: u64) -> Option<Arc<Version>> {
        self.history().before.iter().find(|version| version.generation == generation).cloned()
    }

    /// Shows a pack to the judge, and publishes it. Where another process puts another snapshot in between, it is judged
    /// again: by what is there now, the pack may be the older one.
    fn admit(&self, writing: &MutexGuard<'_, ()>, pack: SharedPack) -> Result<u64, Error> {
        loop {
            let there = self.keeper.as_ref().map(|(snapshots, _)| snapshots.current_hash()).transpose()?;
            (self.judge)(pack.as_pack())?;
            let is_kept = match &self.keeper {
                Some((snapshots, now)) => snapshots.take_if(there.flatten().as_ref(), &pack, now())?,
                None => true,
            };
            if is_kept {
                return Ok(self.publish(writing, pack));
            }
        }
    }

    fn publish(&self, _: &MutexGuard<'_, ()>, pack: SharedPack) -> u64 {
        let mut history = self.history();
        let now = self.swap.load();
        let generation = now.generation + 1;
        self.swap.publish(Arc::new(Version { generation, pack }));
        history.before.push_back(now);
        let beyond = history.before.len().saturating_sub(history.kept);
        history.before.drain(..beyond);
        self.changed.notify_all();
        generation
    }
}

impl fmt::Debug for RuleStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleStore").field("current", &self.load()).finish_non_exhaustive()
    }
}

/// Who wants to know of changes. What happens between two looks is told as one.
pub struct Subscription<'s> {
    store: &'s RuleStore,
    seen: Current,
}

/// One step that a subscriber sees.
#[derive(Debug)]
pub struct Update {
    /// What was seen before.
    pub before: Current,
    /// What is current.
    pub now: Current,
    /// The rules in which the two differ.
    pub changes: Changes,
}

impl Subscription<'_> {
    /// What changed since the last look, if anything was published.
    pub fn poll(&mut self) -> Option<Update> {
        if self.store.generation() <= self.seen.generation() {
            return None;
        }
        let now = self.store.load();
        let before = core::mem::replace(&mut self.seen, now.clone());
        let changes = Changes::between(&before.pack(), &now.pack());
        Some(Update { before, now, changes })
    }

    /// Waits until something is published, no longer than `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Option<Update> {
        let seen = self.seen.generation();
        let history = self.store.history();
        let waited = self
            .store
            .changed
            .wait_timeout_while(history, timeout, |_| self.store.generation() <= seen)
            .unwrap_or_else(PoisonError::into_inner);
        drop(waited);
        self.poll()
    }
}

impl fmt::Debug for Subscription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("seen", &self.seen.generation()).finish_non_exhaustive()
    }
}
