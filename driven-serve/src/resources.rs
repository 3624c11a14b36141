//! What lies in the tree, and what is made of it: read below the root alone, kept within bounds.

use std::io::{self, Read};
use std::sync::Arc;

use axum::body::Bytes;
use base64ct::{Base64, Encoding};
use cap_std::fs::Dir;
use driven_format::{Feed, patch};
use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::answer::Entity;
use crate::coding::{Coding, dcz, hex};
use crate::metrics::Metrics;
use crate::tree::{MAX_INDEX, Retained, read_index, step_of};

/// The longest file that is sent, in bytes.
const MAX_FILE: u64 = u32::MAX as u64;
/// The longest file that counts for nothing: as many are held as there are connections.
const SMALL: u64 = 4096;
/// How many indexes are kept as they are read.
const MAX_INDEXES: u64 = 64;

/// Why there is nothing to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// It is not there.
    Missing,
    /// It is there and can't be had just now.
    Failed,
}

/// Bytes that count against what the server may hold, for as long as anybody has them.
struct Counted {
    bytes: Vec<u8>,
    #[expect(dead_code, reason = "it is held")]
    room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What is made of the files, by what it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Made {
    File(String),
    Coded(String, Coding),
    Stepped(String, [u8; 32]),
    /// Empty when there is none between the two packs.
    Patch(String, String),
}

/// The tree as the server sees it; what is copied of it is the same.
#[derive(Clone)]
pub(crate) struct Resources {
    root: Arc<Dir>,
    cache: Cache<Made, Entity>,
    /// Indexes as they are read, by the hash of their bytes.
    indexes: Cache<String, Arc<Retained>>,
    makers: Arc<Semaphore>,
    /// What may be held yet, in kibibytes: the cache, and as much again for answers on their way.
    room: Arc<Semaphore>,
    makes_patches: bool,
    metrics: Arc<Metrics>,
}

impl Resources {
    pub(crate) fn new(root: Dir, cache: u64, makes_patches: bool, metrics: Arc<Metrics>) -> Self {
        let weight = |_: &Made, entity: &Entity| u32::try_from(entity.bytes.len() + 256).unwrap_or(u32::MAX);
        let makers =
            std::thread::available_parallelism().map_or(1, |threads| threads.get().div_ceil(2).min(8));
        Resources {
            root: Arc::new(root),
            cache: Cache::builder().max_capacity(cache).weigher(weight).build(),
            indexes: Cache::new(MAX_INDEXES),
            makers: Arc::new(Semaphore::new(makers)),
            room: Arc::new(Semaphore::new((cache / 512) as usize)),
            makes_patches,
            metrics,
        }
    }

    /// A file that may change, as it is now.
    pub(crate) async fn now(&self, path: String) -> Result<Entity, Lack> {
        self.read(path, MAX_INDEX).await
    }

    /// A file that never changes.
    pub(crate) async fn file(&self, path: String) -> Result<Entity, Lack> {
        // A future of its own on the heap: these are nested.
        let read = Box::pin(self.read(path.clone(), MAX_FILE));
        self.cache.try_get_with(Made::File(path), read).await.map_err(|lack| *lack)
    }

    /// Which pack of a name is current.
    pub(crate) async fn feed(&self, name: &str) -> Result<Feed, Lack> {
        let entity = self.now(format!("{name}/current")).await?;
        let feed = Feed::read(&String::from_utf8_lossy(&entity.bytes)).map_err(|_| Lack::Failed)?;
        if feed.name == name { Ok(feed) } else { Err(Lack::Failed) }
    }

    /// A pack in a coding.
    pub(crate) async fn coded(&self, path: String, coding: Coding) -> Result<Entity, Lack> {
        if coding == Coding::Identity {
            return self.file(path).await;
        }
        // One that was packed when it was published.
        if coding == Coding::Zstd
            && let Ok(entity) = self.file(format!("{path}.zst")).await
        {
            return Ok(entity);
        }
        let own = self.clone();
        self.made(Made::Coded(path.clone(), coding), async move {
            let permit = own.permit().await?;
            let whole = own.file(path).await?;
            own.make(permit, move || coding.encode(&whole.bytes)).await
        })
        .await
    }

    /// The current pack as a step from the pack that has this hash, if that lies in the tree.
    pub(crate) async fn stepped(&self, name: &str, path: String, hash: [u8; 32]) -> Result<Entity, Lack> {
        let asked = hex(&hash);
        let retained = self.retained(name).await?;
        let file_of = |kept: &crate::Edition| format!("{name}/pack/{}.drv", kept.edition);
        // Steps between all pairs would be many to make.
        if retained.editions.last().is_none_or(|current| file_of(current) != path) {
            return Err(Lack::Missing);
        }
        // The newest first: most that ask are one behind.
        let base = retained.editions.iter().rev().find(|kept| kept.sha256 == asked).ok_or(Lack::Missing)?;
        let (base, own) = (file_of(base), self.clone());
        self.made(Made::Stepped(path.clone(), hash), async move {
            let permit = own.permit().await?;
            let (base, whole) = (own.file(base).await?, own.file(path).await?);
            own.make(permit, move || dcz(&whole.bytes, &base.bytes)).await
        })
        .await
    }

    /// The patch that is called `step`: one that lies in the tree, or one that leads to the current pack.
    pub(crate) async fn patch(&self, name: &str, step: &str) -> Result<Entity, Lack> {
        match self.file(format!("{name}/patch/{step}")).await {
            Err(Lack::Missing) if self.makes_patches => {}
            found => return found,
        }
        let retained = self.retained(name).await?;
        let Some((target, bases)) = retained.editions.split_last() else { return Err(Lack::Missing) };
        let is_asked = |base: &&crate::Edition| step_of(&base.edition, &target.edition) == step;
        let base = bases.iter().find(is_asked).ok_or(Lack::Missing)?;
        let [base, target] = [base, target].map(|pack| format!("{name}/pack/{}.drv", pack.edition));
        let own = self.clone();
        let made = self.made(Made::Patch(base.clone(), target.clone()), async move {
            let permit = own.permit().await?;
            let (base, target) = (own.file(base).await?, own.file(target).await?);
            own.metrics.patches.inc();
            // Where there is none, that is what is kept.
            own.make(permit, move || {
                patch::diff(&base.bytes, &target.bytes).map(|made| made.patch).unwrap_or_default()
            })
            .await
        });
        made.await.and_then(|made| if made.bytes.is_empty() { Err(Lack::Missing) } else { Ok(made) })
    }

    async fn retained(&self, name: &str) -> Result<Arc<Retained>, Lack> {
        let index = self.now(format!("{name}/index.json")).await?;
        let read = async {
            let bytes = index.bytes.clone();
            let read = spawn_blocking(move || read_index(&bytes)).await.ok().flatten();
            read.map(Arc::new).ok_or(Lack::Failed)
        };
        self.indexes.try_get_with(index.etag.clone(), read).await.map_err(|lack| *lack)
    }

    /// What is kept, or else made, once however many ask for it; who asked may hang up, it is kept for the next.
    async fn made(
        &self,
        key: Made,
        make: impl Future<Output = Result<Entity, Lack>> + Send + 'static,
    ) -> Result<Entity, Lack> {
        if let Some(entity) = self.cache.get(&key).await {
            return Ok(entity);
        }
        let cache = self.cache.clone();
        let made = tokio::spawn(async move { cache.try_get_with(key, Box::pin(make)).await });
        made.await.map_err(|_| Lack::Failed)?.map_err(|lack| *lack)
    }

    /// To make something; asked for before anything is read for it, so that who waits for it holds nothing.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Lack> {
        Arc::clone(&self.makers).acquire_owned().await.map_err(|_| Lack::Failed)
    }

    /// Computes away from those who answer, no more at once than there are processors to spare.
    async fn make(
        &self,
        permit: OwnedSemaphorePermit,
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Result<Entity, Lack> {
        // The permit counts for as long as this goes on.
        let make = move || {
            let made = make();
            drop(permit);
            made
        };
        let made = spawn_blocking(make).await.map_err(|_| Lack::Failed)?;
        let room = self.room(made.len() as u64).ok_or(Lack::Failed)?;
        let entity = move || Entity::new(Bytes::from_owner(Counted { bytes: made, room }));
        spawn_blocking(entity).await.map_err(|_| Lack::Failed)
    }

    /// Room for so many bytes, if there is any.
    fn room(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).ok()?;
        Arc::clone(&self.room).try_acquire_many_owned(kibibytes).ok()
    }

    /// Reads a file below the root; what links lead out to is not there.
    async fn read(&self, path: String, limit: u64) -> Result<Entity, Lack> {
        let (root, room) = (Arc::clone(&self.root), Arc::clone(&self.room));
        let read = move || {
            // To open a pipe is to wait for whoever writes to it.
            if !root.metadata(&path)?.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            let file = root.open(&path)?;
            let metadata = file.metadata()?;
            let counted = if metadata.len() <= SMALL { 0 } else { metadata.len() };
            let kibibytes = u32::try_from(counted.div_ceil(1024)).unwrap_or(u32::MAX);
            if !metadata.is_file() || metadata.len() > limit {
                return Err(io::ErrorKind::NotFound.into());
            }
            let room = room.try_acquire_many_owned(kibibytes).map_err(io::Error::other)?;
            let mut bytes = Vec::with_capacity(metadata.len() as usize);
            file.take(limit).read_to_end(&mut bytes)?;
            Ok(Entity::new(Bytes::from_owner(Counted { bytes, room })))
        };
        let read = spawn_blocking(read).await.map_err(|_| Lack::Failed)?;
        read.map_err(|err: io::Error| match err.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Lack::Missing,
            // A link that leads out is none of ours; that is told without a number of the system's.
            io::ErrorKind::PermissionDenied if err.raw_os_error().is_none() => Lack::Missing,
            _ => Lack::Failed,
        })
    }
}

/// Whether a word is an edition, or the first half of one.
pub(crate) fn is_edition(word: &str, digits: usize) -> bool {
    word.len() == digits && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The hash in `Available-Dictionary`: bytes of a structured field (RFC 9651).
pub(crate) fn dictionary_of(value: &str) -> Option<[u8; 32]> {
    let text = value.trim().strip_prefix(':')?.strip_suffix(':')?;
    Base64::decode_vec(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;

    #[test]
    fn news_is_sent_also_when_others_hold_all_the_room() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("current"), [b'x'; 300]).expect("it is written");
        std::fs::write(folder.path().join("index.json"), [b'x'; 5000]).expect("it is written");
        let root = Dir::open_ambient_dir(folder.path(), ambient_authority()).expect("it is there");
        let resources = Resources::new(root, 1 << 20, true, Arc::new(Metrics::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let others = resources.room(2 << 20).expect("nobody holds any");
            let len = |found: Result<Entity, Lack>| found.map(|entity| entity.bytes.len());
            assert_eq!(len(resources.now("current".into()).await), Ok(300));
            assert_eq!(len(resources.now("index.json".into()).await), Err(Lack::Failed));
            drop(others);
            assert_eq!(len(resources.now("index.json".into()).await), Ok(5000));
        });
    }
}
