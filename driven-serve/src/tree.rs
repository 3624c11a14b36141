//! Trees: packs and patches as files, which any web server can serve.
//!
//! Whatever fails in between, what was current stays so: `current` is written last.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use driven::durable;
use driven::{PackBuf, SharedPack};
use driven_format::patch::diff;
use driven_format::{Digest, Feed, file_hash};
use serde::{Deserialize, Serialize};

use crate::coding::{PACKED_LEVEL, hex, sha256, zstd};
use crate::error::{Error, Result};

/// From how many editions before it a pack is led to by patches, unless it is said otherwise.
const PATCHES: usize = 8;

/// The longest index that is read, in bytes.
pub(crate) const MAX_INDEX: u64 = 16 << 20;

/// The listing of a tree, and of the packs of one name.
const INDEX: &str = "index.json";

/// A folder of packs and patches.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
    patches: usize,
    keep: Option<NonZeroUsize>,
    timestamp: Option<String>,
}

/// A pack that lies in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// Its version.
    pub version: u64,
    /// Its edition, in hexadecimal digits.
    pub edition: String,
    /// The hash of its file.
    pub hash: String,
    /// The SHA-256 of its file: what names it as a dictionary (RFC 9842).
    pub sha256: String,
    /// Its root digest.
    pub digest: String,
    /// The length of its file, in bytes.
    pub length: u64,
}

/// What was published before, by now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// The packs of this name, the current one last.
    pub editions: Vec<Edition>,
    /// What was published before and is kept no more: no version stands for two contents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Gone>,
}

/// A pack that lay in a tree once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Its version.
    pub version: u64,
    /// Its root digest.
    pub digest: String,
}

/// What publishing did.
#[derive(Clone, Debug)]
pub struct Published {
    /// Which pack is current now.
    pub feed: Feed,
    /// It was current before.
    pub was_current: bool,
    /// The version that was current before, if there was one.
    pub before: Option<u64>,
    /// The length of the pack under Zstandard, in bytes.
    pub packed: usize,
    /// The patches that lead to it: from which version, and their lengths in bytes.
    pub patches: Vec<(u64, usize)>,
    /// The versions from which none was made, because their packs are lost or damaged.
    pub lost: Vec<u64>,
    /// How many editions went that are kept no more.
    pub removed: usize,
}

/// The listing of all packs in a tree.
#[derive(Serialize)]
struct Listing {
    packs: Vec<Named>,
}

#[derive(Serialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    current: Edition,
}

impl Tree {
    /// The tree in `root`, which is made when something is published.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Tree { root: root.into(), patches: PATCHES, keep: None, timestamp: None }
    }

    /// From how many editions before it a pack is led to by patches: 8 otherwise.
    #[must_use]
    pub fn patches(self, patches: usize) -> Self {
        Tree { patches, ..self }
    }

    /// How many editions of a pack stay; all otherwise.
    #[must_use]
    pub fn keep(self, editions: NonZeroUsize) -> Self {
        Tree { keep: Some(editions), ..self }
    }

    /// A signed timestamp to lie beside each pack that is published: who sees the pack sees it.
    #[must_use]
    pub fn timestamp(self, timestamp: impl Into<String>) -> Self {
        Tree { timestamp: Some(timestamp.into()), ..self }
    }

    /// Puts a pack into the tree, with patches that lead to it, and makes it current under its own name.
    ///
    /// # Errors
    /// Bytes that are no pack or whose digests don't hold, a name that can't be part of an address, a version that was
    /// published with other content, or a folder that can't be written; what was current stays so.
    pub fn publish(&self, pack: &[u8]) -> Result<Published> {
        let shared = SharedPack::prove(PackBuf::from_vec(pack.to_vec())?)?;
        let manifest = shared.as_pack().manifest();
        let name = manifest.name();
        if !is_folder(name) {
            let shown = name.escape_debug();
            return Err(Error::new(
                "pack-name",
                format!("a pack named `{shown}` can't lie in a tree"),
                "give it a name of letters, digits, `.`, `-` and `_` in `pack.toml`",
            ));
        }
        let edition = Edition {
            version: manifest.version(),
            edition: shared.edition().to_string(),
            hash: shared.file_hash().to_string(),
            sha256: hex(&sha256(pack)),
            digest: shared.as_pack().digest().to_string(),
            length: shared.len_in_bytes() as u64,
        };
        let folder = self.root.join(name);
        for folder in [folder.join("pack"), folder.join("patch")] {
            fs::create_dir_all(&folder).map_err(|err| Error::io(&folder, &err))?;
        }
        let _lock = durable::lock(&self.root.join(".lock"))?;
        let mut retained = self.retained(name)?;
        refuse_equivocation(name, &edition, &retained)?;
        // What can't be read of the tree is told before anything is written to it.
        let listing = self.listing(name, &edition)?;
        let feed = feed_of(name, &edition);
        let before = read_feed(&folder.join("current"));
        let was_current = before.as_ref().is_some_and(|before| before.edition == feed.edition);

        let file = folder.join("pack").join(format!("{}.drv", edition.edition));
        let packed = zstd(pack, PACKED_LEVEL, &[]);
        write(&file, pack)?;
        write(&durable::beside(&file, ".zst"), &packed)?;
        retained.editions.retain(|kept| kept.edition != edition.edition);
        let told = before.as_ref().map(|before| before.edition.to_string());
        let told_edition =
            retained.editions.iter().find(|kept| Some(&kept.edition) == told.as_ref()).cloned();
        retained.editions.push(edition.clone());
        if let Some(keep) = self.keep {
            retained.keep(keep.get());
        }
        // From what stays, and from what those have who were told a moment ago.
        let mut bases = retained.editions[..retained.editions.len() - 1].to_vec();
        bases.extend(told_edition.filter(|told| !bases.contains(told)));
        let first = bases.len().saturating_sub(self.patches);
        let Patches { made: patches, lost } = self.make_patches(name, &bases[first..], &edition, pack)?;
        write(&folder.join(INDEX), &json(&retained))?;
        write(&self.root.join(INDEX), &json(&listing))?;
        if let Some(timestamp) = &self.timestamp {
            write(&folder.join("timestamp"), timestamp.as_bytes())?;
        }
        write(&folder.join("current"), feed.render().as_bytes())?;
        // Who asked a moment ago was told the one before: it stays until the next time.
        let kept = retained.editions.iter().map(|kept| &*kept.edition);
        let stays: Vec<&str> = kept.chain(told.as_deref()).collect();
        let removed = if self.keep.is_some() { sweep(&folder, &stays)? } else { 0 };
        Ok(Published {
            feed,
            was_current,
            before: before.map(|before| before.version),
            packed: packed.len(),
            patches,
            lost,
            removed,
        })
    }

    /// What lies in the tree under a name, the current one last.
    ///
    /// # Errors
    /// An index that can't be read, or is damaged.
    pub fn retained(&self, name: &str) -> Result<Retained> {
        let path = self.root.join(name).join(INDEX);
        let read = |file: fs::File| {
            let mut bytes = Vec::new();
            file.take(MAX_INDEX + 1).read_to_end(&mut bytes).map(|_| bytes)
        };
        let bytes = match fs::File::open(&path).and_then(read) {
            Ok(bytes) => bytes,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Retained::default()),
            Err(err) => return Err(Error::io(&path, &err)),
        };
        read_index(&bytes).ok_or_else(|| {
            Error::new(
                "tree-damaged",
                format!("{}: it is no index of packs, or a damaged one", path.display()),
                "fetch it from where the tree is served, or publish into a new tree",
            )
        })
    }

    /// Writes the patches from `bases` to `target`.
    fn make_patches(&self, name: &str, bases: &[Edition], target: &Edition, pack: &[u8]) -> Result<Patches> {
        let folder = self.root.join(name);
        let next = AtomicUsize::new(0);
        let made = Mutex::new(Vec::new());
        // Nothing where the base is lost: that is no reason to hold a new pack back.
        let make = |base: &Edition| -> Result<Option<usize>> {
            let path = folder.join("pack").join(format!("{}.drv", base.edition));
            let Some(old) = fs::read(&path).ok().filter(|old| file_hash(old).to_string() == base.hash) else {
                return Ok(None);
            };
            let patch = diff(&old, pack)?.patch;
            write(&folder.join("patch").join(step_of(&base.edition, &target.edition)), &patch)?;
            Ok(Some(patch.len()))
        };
        let work = || {
            while let Some(base) = bases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let length = make(base);
                let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                made.push(length.map(|length| (base.version, length)));
            }
        };
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(bases.len());
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        let made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut made: Vec<(u64, Option<usize>)> = made.into_iter().collect::<Result<_>>()?;
        made.sort_unstable();
        let lost = made.iter().filter(|(_, length)| length.is_none()).map(|(version, _)| *version).collect();
        let made = made.into_iter().filter_map(|(version, length)| Some((version, length?))).collect();
        Ok(Patches { made, lost })
    }

    /// The current pack of every name, when this edition is that of `name`.
    fn listing(&self, name: &str, edition: &Edition) -> Result<Listing> {
        let io = |err| Error::io(&self.root, &err);
        let mut packs = BTreeMap::from([(name.to_owned(), edition.clone())]);
        for entry in fs::read_dir(&self.root).map_err(io)? {
            let other = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
            if other != name
                && is_folder(&other)
                && self.root.join(&other).join("current").is_file()
                && let Some(current) = self.retained(&other)?.editions.pop()
            {
                packs.insert(other, current);
            }
        }
        Ok(Listing { packs: packs.into_iter().map(|(name, current)| Named { name, current }).collect() })
    }
}

/// Patches that lead to a pack.
struct Patches {
    /// From which version, and how long, in bytes.
    made: Vec<(u64, usize)>,
    /// The versions from which there is none.
    lost: Vec<u64>,
}

impl Retained {
    /// Keeps the last so many editions.
    fn keep(&mut self, count: usize) {
        let beyond = self.editions.len().saturating_sub(count);
        for Edition { version, digest, .. } in self.editions.drain(..beyond) {
            let gone = Gone { version, digest };
            if !self.gone.contains(&gone) {
                self.gone.push(gone);
            }
        }
    }
}

fn refuse_equivocation(name: &str, edition: &Edition, retained: &Retained) -> Result<()> {
    let kept = retained.editions.iter().map(|kept| (kept.version, &kept.digest));
    let mut known = kept.chain(retained.gone.iter().map(|gone| (gone.version, &gone.digest)));
    let is_other =
        |(version, digest): (u64, &String)| version == edition.version && *digest != edition.digest;
    if !known.any(is_other) {
        return Ok(());
    }
    Err(Error::new(
        "equivocation",
        format!("version {} of `{name}` was published with other content", edition.version),
        "count up `version` in `pack.toml`",
    ))
}

pub(crate) fn read_index(bytes: &[u8]) -> Option<Retained> {
    if bytes.len() as u64 > MAX_INDEX {
        return None;
    }
    let retained: Retained = serde_json::from_slice(bytes).ok()?;
    let is_whole = |edition: &Edition| {
        [&edition.edition, &edition.hash, &edition.sha256, &edition.digest]
            .iter()
            .all(|hex| Digest::from_hex(hex).is_some())
    };
    let is_digest = |gone: &Gone| Digest::from_hex(&gone.digest).is_some();
    (retained.editions.iter().all(is_whole) && retained.gone.iter().all(is_digest)).then_some(retained)
}

/// Whether a pack of this name can lie in a tree, whose listing has a name too.
fn is_folder(name: &str) -> bool {
    Feed::is_name(name) && name != INDEX
}

/// How the patch between two editions is called.
pub(crate) fn step_of(old: &str, new: &str) -> String {
    format!("{}..{}", &old[..32], &new[..32])
}

fn feed_of(name: &str, edition: &Edition) -> Feed {
    let digest = |hex| Digest::from_hex(hex).expect("it was written so");
    Feed {
        name: name.into(),
        version: edition.version,
        edition: digest(&edition.edition),
        hash: digest(&edition.hash),
        length: edition.length,
    }
}

/// What is current by a file that somebody wrote, if it can be read.
fn read_feed(path: &Path) -> Option<Feed> {
    Feed::read(&fs::read_to_string(path).ok()?).ok()
}

/// Removes packs of other editions than those that stay, and patches from or to them; also what a publisher left who was
/// stopped. Gives how many packs went.
fn sweep(folder: &Path, stays: &[&str]) -> Result<usize> {
    let is_retained = |edition: &str| stays.iter().any(|kept| kept.starts_with(edition));
    let mut removed = 0;
    for (below, editions_of) in [("pack", editions_of_pack as Naming), ("patch", editions_of_patch)] {
        let folder = folder.join(below);
        let io = |err| Error::io(&folder, &err);
        for entry in fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(editions) = editions_of(&name) else { continue };
            if editions.into_iter().all(is_retained) {
                continue;
            }
            let is_pack = entry.path().extension().is_some_and(|ending| ending == "drv");
            match fs::remove_file(entry.path()) {
                Ok(()) => removed += usize::from(is_pack),
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
                Err(err) => return Err(Error::io(&entry.path(), &err)),
            }
        }
    }
    Ok(removed)
}

/// Of which editions a file of this name is; nothing when it is none of ours.
type Naming = fn(&str) -> Option<Vec<&str>>;

/// The edition whose pack, in whatever form, a file of this name is.
fn editions_of_pack(file: &str) -> Option<Vec<&str>> {
    let (edition, _) = file.split_once('.')?;
    is_hex(edition, 64).then(|| vec![edition])
}

/// How the editions begin between which a file of this name is a patch.
fn editions_of_patch(file: &str) -> Option<Vec<&str>> {
    let (old, new) = file.split_once("..")?;
    let new = new.get(..32)?;
    (is_hex(old, 32) && is_hex(new, 32)).then(|| vec![old, new])
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Writes a file whole, unless it has these bytes.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    durable::write(path, |file| std::io::Write::write_all(file, bytes)).map_err(Error::from)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("names and numbers have a form in JSON");
    text.push(b'\n');
    text
}
