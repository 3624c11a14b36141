//! Packs in a folder: named by what they are, one of them current.
//!
//! Law: `docs/UPDATES.md`, "Snapshots", C1 to C9.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use driven_format::{Digest, file_hash};

use crate::durable;
use crate::error::Error;
use crate::map::{PackBuf, SharedPack};

/// The first line of the file `current`.
const HEAD: &str = "driven snapshots v1";
/// The longest such file that is read, in bytes: more than ten thousand snapshots.
const MAX_INDEX: u64 = 1 << 20;

/// Keeps packs in a folder; several programs may use it at once.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("driven-snapshots-{}", std::process::id()));
/// use driven::state::{Retention, Snapshots};
/// use driven::{PackBuf, SharedPack};
///
/// let snapshots = Snapshots::new(&dir);
/// assert!(snapshots.current()?.is_none());
///
/// let pack = SharedPack::prove(PackBuf::from_vec(driven::doc_pack())?)?;
/// let now = 1_800_000_000; // seconds since 1970; the library has no clock
/// snapshots.take(&pack, now)?;
/// // At the next start:
/// assert_eq!(snapshots.current()?.map(|pack| pack.edition()), Some(pack.edition()));
///
/// snapshots.prune(&Retention { count: 5, age: None }, now)?;
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Snapshots {
    folder: PathBuf,
}

/// A pack that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The hash of its file, which is its name.
    pub hash: Digest,
    /// When it was taken last, in seconds since 1970.
    pub taken: u64,
    /// Whether it is the current one.
    pub is_current: bool,
}

/// Which snapshots stay when others go.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// How many of the newest stay at least, the current one beside them.
    pub count: usize,
    /// How old the others may be, in seconds; none: they go however new they are.
    pub age: Option<u64>,
}

/// Keeps a snapshot from being pruned, by this or another process, for as long as it lives.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

/// What the file `current` says.
#[derive(Clone, Debug, Default)]
struct Index {
    current: Option<Digest>,
    /// When each was taken last, oldest first.
    taken: Vec<(u64, Digest)>,
}

impl Snapshots {
    /// Keeps packs in `folder`, which is made when the first one is taken.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Snapshots { folder: folder.into() }
    }

    /// Where the pack with a hash lies.
    pub fn path_of(&self, hash: &Digest) -> PathBuf {
        self.packs().join(format!("{hash}.drv"))
    }

    /// Keeps a pack and makes it current; gives the hash of its file. When it returns, it lasts.
    ///
    /// # Errors
    /// A pack that came by a patch and states a false digest of its texts; a folder that can't be written; what was current
    /// stays so. Where the system can't say that the last step lasts,
    /// the next start may find either, whole.
    pub fn take(&self, pack: &SharedPack, now: u64) -> Result<Digest, Error> {
        self.take_when(pack, now, |_| true)?;
        Ok(pack.file_hash())
    }

    /// The same, if `expected` is current, or nothing is when that is nothing; says whether it was. So who judged a pack
    /// by what was there does not put it in place of what came meanwhile.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_if(&self, expected: Option<&Digest>, pack: &SharedPack, now: u64) -> Result<bool, Error> {
        self.take_when(pack, now, |current| current == expected)
    }

    fn take_when(
        &self,
        pack: &SharedPack,
        now: u64,
        may: impl FnOnce(Option<&Digest>) -> bool,
    ) -> Result<bool, Error> {
        let packs = self.packs();
        if !packs.is_dir() {
            let made = fs::create_dir_all(&packs).and_then(|()| durable::flush_folder_of(&packs));
            made.and_then(|()| durable::flush_folder_of(&self.folder))
                .map_err(|err| Error::io(&packs, err))?;
        }
        let _lock = self.lock()?;
        let mut index = self.index()?;
        if !may(index.current.as_ref()) {
            return Ok(false);
        }
        // What a patch says of its target is found out here: what is kept must be read again.
        pack.as_pack().check_bytes()?;
        let hash = pack.file_hash();
        let path = self.path_of(&hash);
        // C2: a file that is there already and is damaged is replaced.
        if !durable::read(&path).is_ok_and(|bytes| file_hash(&bytes) == hash) {
            durable::write(&path, |file| pack.write_to(file))?;
        }
        index.taken.retain(|(_, known)| *known != hash);
        index.taken.push((now, hash));
        index.current = Some(hash);
        self.write(&index)?;
        Ok(true)
    }

    /// The hash of the current pack's file; nothing when none was taken.
    ///
    /// # Errors
    /// A folder that can't be read, or is damaged.
    pub fn current_hash(&self) -> Result<Option<Digest>, Error> {
        Ok(self.index()?.current)
    }

    /// The current pack, every digest proved; nothing when none was taken.
    ///
    /// # Errors
    /// A folder that can't be read, or is damaged.
    pub fn current(&self) -> Result<Option<SharedPack>, Error> {
        loop {
            let Some(hash) = self.current_hash()? else { return Ok(None) };
            match self.open(&hash) {
                // C4: another process may have made another one current and let this one go, in between.
                Err(_) if self.current_hash()? != Some(hash) => {}
                opened => return opened.map(Some),
            }
        }
    }

    /// The pack with a hash, every digest proved.
    ///
    /// # Errors
    /// A snapshot that is not there, or is damaged.
    pub fn open(&self, hash: &Digest) -> Result<SharedPack, Error> {
        let path = self.path_of(hash);
        let bytes = match durable::read(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                return Err(Error::snapshot(
                    "no-snapshot",
                    &self.folder,
                    format!("there is no snapshot {hash}"),
                ));
            }
            read => read.map_err(|err| Error::io(&path, err))?,
        };
        let pack = PackBuf::from_vec(bytes).map_err(|err| err.in_file(&path))?;
        if file_hash(pack.as_pack().as_bytes()) != *hash {
            return Err(Error::snapshot("snapshot-damaged", &path, "it is not the pack that its name says"));
        }
        SharedPack::prove(pack).map_err(|err| err.in_file(&path))
    }

    /// Keeps a snapshot from being pruned.
    ///
    /// # Errors
    /// A snapshot that is not there.
    pub fn hold(&self, hash: &Digest) -> Result<Hold, Error> {
        let path = self.path_of(hash);
        let file = durable::open(&path).map_err(|err| Error::io(&path, err))?;
        durable::lock_shared(&file).map_err(|err| Error::io(&path, err))?;
        // C6: while this waited, the file may have gone, and another of its name come.
        if durable::is_at(&file, &path) {
            return Ok(Hold { _file: file });
        }
        Err(Error::snapshot("no-snapshot", &self.folder, format!("the snapshot {hash} was pruned meanwhile")))
    }

    /// What is kept, oldest first.
    ///
    /// # Errors
    /// A folder that can't be read, or is damaged.
    pub fn list(&self) -> Result<Vec<Snapshot>, Error> {
        let Index { current, taken } = self.index()?;
        let snapshots = taken.into_iter().map(|(taken, hash)| Snapshot {
            hash,
            taken,
            is_current: current == Some(hash),
        });
        Ok(snapshots.collect())
    }

    /// Makes a snapshot current that was taken before; gives its pack.
    ///
    /// # Errors
    /// A snapshot that is not there or is damaged, or a folder that can't be written; what was current stays so.
    pub fn restore(&self, hash: &Digest) -> Result<SharedPack, Error> {
        let _lock = self.lock()?;
        let mut index = self.index()?;
        if !index.taken.iter().any(|(_, known)| known == hash) {
            return Err(Error::snapshot("no-snapshot", &self.folder, format!("there is no snapshot {hash}")));
        }
        let pack = self.open(hash)?;
        index.current = Some(*hash);
        self.write(&index)?;
        Ok(pack)
    }

    /// Lets go what retention does not keep; never the current one, nor what somebody holds. Gives what went.
    ///
    /// # Errors
    /// A folder that can't be written; what went then is not in the list any more, and the next call sweeps it.
    pub fn prune(&self, retention: &Retention, now: u64) -> Result<Vec<Digest>, Error> {
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let newest = index.taken.len().saturating_sub(retention.count);
        let is_young = |taken: u64| retention.age.is_some_and(|age| now.saturating_sub(taken) <= age);
        let mut gone = Vec::new();
        for &(taken, hash) in &index.taken[..newest] {
            if is_young(taken) || index.current == Some(hash) {
                continue;
            }
            // C6: to have it alone until it is removed is to know that nobody holds it.
            let path = self.path_of(&hash);
            match durable::open(&path) {
                Ok(file) => {
                    if durable::try_lock(&file).map_err(|err| Error::io(&path, err))? {
                        gone.push((hash, Some(file)));
                    }
                }
                Err(err) if err.kind() == io::ErrorKind::NotFound => gone.push((hash, None)),
                Err(err) => return Err(Error::io(&path, err)),
            }
        }
        // C5: first the list, then the files.
        index.taken.retain(|(_, known)| !gone.iter().any(|(hash, _)| hash == known));
        if !gone.is_empty() {
            self.write(&index)?;
        }
        self.sweep(&index)?;
        Ok(gone.into_iter().map(|(hash, _)| hash).collect())
    }

    /// Removes the files that no list names: what a process left that was ended in between.
    fn sweep(&self, index: &Index) -> Result<(), Error> {
        let packs = self.packs();
        let io = |err| Error::io(&packs, err);
        let listed: BTreeSet<String> = index.taken.iter().map(|(_, hash)| format!("{hash}.drv")).collect();
        let mut removed = false;
        for entry in fs::read_dir(&packs).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours =
                name.strip_suffix(".new").unwrap_or(&name).strip_suffix(".drv").is_some_and(is_hash);
            if !is_ours || listed.contains(&name) {
                continue;
            }
            match fs::remove_file(entry.path()) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io(&entry.path(), err));
                }
                _ => removed = true,
            }
        }
        if removed { durable::flush_folder_of(&packs.join("any")).map_err(io) } else { Ok(()) }
    }

    fn packs(&self) -> PathBuf {
        self.folder.join("packs")
    }

    fn current_file(&self) -> PathBuf {
        self.folder.join("current")
    }

    /// C1
    fn lock(&self) -> Result<File, Error> {
        durable::lock(&self.folder.join("lock"))
    }

    /// C3
    fn index(&self) -> Result<Index, Error> {
        let path = self.current_file();
        let io = |err| Error::io(&path, err);
        let file = match durable::open(&path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
            Err(err) => return Err(io(err)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_INDEX + 1).read_to_end(&mut bytes).map_err(io)?;
        let text = String::from_utf8_lossy(&bytes);
        Index::read(&text).ok_or_else(|| damaged(&path))
    }

    fn write(&self, index: &Index) -> Result<(), Error> {
        let text = index.render();
        let path = self.current_file();
        if text.len() as u64 > MAX_INDEX {
            let err =
                io::Error::new(io::ErrorKind::FileTooLarge, "more snapshots than a list holds: prune them");
            return Err(Error::io(&path, err));
        }
        durable::write(&path, |file| file.write_all(text.as_bytes()))
    }
}

fn damaged(path: &Path) -> Error {
    Error::snapshot("snapshot-damaged", path, "it is no list of snapshots, or a damaged one")
}

fn is_hash(name: &str) -> bool {
    Digest::from_hex(name).is_some()
}

impl Index {
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix("\nend\n")?.split('\n');
        let mut index = Index::default();
        if lines.next()? != HEAD {
            return None;
        }
        for line in lines {
            let (word, hash) = line.split_once(' ')?;
            let hash = Digest::from_hex(hash)?;
            if word == "current" {
                index.current = Some(hash);
            } else {
                index.taken.push((word.parse().ok()?, hash));
            }
        }
        let current = index.current?;
        let has_one_form = index.render() == text;
        (has_one_form && index.taken.iter().any(|(_, hash)| *hash == current)).then_some(index)
    }

    fn render(&self) -> String {
        let mut text = format!("{HEAD}\n");
        // A string takes all that is written to it.
        if let Some(hash) = self.current {
            let _ = writeln!(text, "current {hash}");
        }
        for (taken, hash) in &self.taken {
            let _ = writeln!(text, "{taken} {hash}");
        }
        text.push_str("end\n");
        text
    }
}
