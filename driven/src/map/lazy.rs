//! Packs in files, of which only what is asked for is read.
//!
//! Everything but the bodies and their outlines is read and proved once, into memory that nobody else can change; a body
//! is read when it is asked for, proved against the digest that the tables state, and kept. So a file that changes
//! underneath gives an error, and never another text.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use driven_format::{MAGIC, RuleHead, Tables};

use super::owned::{PackBuf, read};
use super::reopen_lazy;
use crate::error::Error;
use crate::pack::{LazyPack, Pack, ReadBody};

/// What is read first: it holds the header and the longest section table.
const FIRST: usize = 8192;
/// Bodies that are shorter are read at once, in bytes.
const SHORT: usize = 64 * 1024;

/// A pack in a file; tables and names are read and proved, bodies as they are asked for.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("driven-lazy-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("rules.drv");
/// # std::fs::write(&path, driven::doc_pack())?;
/// let pack = driven::LazyPackBuf::open(&path)?;
/// let rule = pack.as_lazy().rule("error-handling").expect("the pack has it");
/// assert!(rule.read()?.body().starts_with("# Errors"));
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LazyPackBuf {
    /// A whole pack, or its front when outlines and bodies are in a file.
    bytes: Vec<u8>,
    bodies: Option<FileBodies>,
}

/// Bodies in a file, and their outlines.
pub(crate) struct FileBodies {
    file: File,
    path: PathBuf,
    /// Where outlines and bodies begin in the file.
    outline_at: u64,
    bodies_at: u64,
    /// By row, those that were read.
    read: Box<[OnceLock<Box<ReadBody>>]>,
    /// The pack with all of them, once it was asked for.
    all: OnceLock<PackBuf>,
}

impl LazyPackBuf {
    /// Reads all of a file but the bodies and their outlines, and proves it.
    ///
    /// # Errors
    /// A file that can't be read or is no pack; the error names it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let io = |err| Error::io(path, err);
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        let len = metadata.len();
        let read_whole = || {
            let bytes = read(path).map_err(io)?;
            LazyPackBuf::from_vec(bytes).map_err(|err| err.in_file(path))
        };
        // What is no file has no places to read from.
        if !metadata.is_file() || len <= (FIRST + SHORT) as u64 || len > u64::from(u32::MAX) {
            return read_whole();
        }
        let len = len as usize;
        let mut bytes = Vec::with_capacity(FIRST);
        read_on(&file, &mut bytes, FIRST).map_err(io)?;
        // Nothing of this is proved yet: what makes no sense is read whole, to be told what is wrong with it.
        let [_, (bodies_at, body_len)] = Tables::text_ranges(&bytes);
        let (start, digested) = (Tables::front_len(&bytes), Tables::digested_len_of(&bytes));
        let is_sound = bytes.starts_with(&MAGIC)
            && body_len > SHORT
            && start <= bodies_at
            && bodies_at.checked_add(body_len).is_some_and(|end| end <= digested)
            && digested <= len
            && len - digested <= SHORT;
        if !is_sound {
            return read_whole();
        }
        let behind = len - digested;
        bytes.reserve_exact((start + behind).saturating_sub(FIRST));
        read_on(&file, &mut bytes, start.saturating_sub(FIRST)).map_err(io)?;
        bytes.resize(start + behind, 0);
        read_at(&file, &mut bytes[start..], digested as u64).map_err(io)?;
        let tables = Tables::check_front(&bytes, len).map_err(|err| Error::from(err).in_file(path))?;
        let read = (0..tables.rule_count()).map(|_| OnceLock::new()).collect();
        let bodies = FileBodies {
            file,
            path: path.into(),
            outline_at: start as u64,
            bodies_at: bodies_at as u64,
            read,
            all: OnceLock::new(),
        };
        Ok(LazyPackBuf { bytes, bodies: Some(bodies) })
    }

    /// Proves the tables and names of bytes and keeps them.
    ///
    /// # Errors
    /// Bytes that are no pack.
    pub fn from_vec(bytes: Vec<u8>) -> Result<Self, Error> {
        Tables::check(&bytes)?;
        Ok(LazyPackBuf { bytes, bodies: None })
    }

    /// The pack.
    #[inline]
    pub fn as_lazy(&self) -> LazyPack<'_> {
        // SAFETY: `open` and `from_vec` checked these bytes, and nothing gives them out to be changed.
        unsafe { reopen_lazy(&self.bytes, self.bodies.as_ref()) }
    }
}

impl fmt::Debug for LazyPackBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_lazy().fmt(f)
    }
}

impl FileBodies {
    /// The body of a rule, read and proved; the second time it is there.
    pub(crate) fn body(&self, rule: &RuleHead<'_>) -> Result<&ReadBody, Error> {
        let slot = &self.read[rule.row() as usize];
        if let Some(read) = slot.get() {
            return Ok(read);
        }
        let read = |at: u64, range: Range<usize>| {
            let mut bytes = vec![0; range.len()];
            let done = read_at(&self.file, &mut bytes, at + range.start as u64);
            done.map(|()| bytes).map_err(|err| Error::io(&self.path, err))
        };
        let outline = read(self.outline_at, rule.outline_range())?;
        let bytes = read(self.bodies_at, rule.body_range())?;
        let text =
            rule.prove_body_of(&bytes, &outline).map_err(|err| Error::from(err).in_file(&self.path))?;
        // Two threads may come here at once; both have proved the same.
        let read = Box::new(ReadBody { text: text.into(), outline: outline.into() });
        Ok(slot.get_or_init(|| read))
    }

    /// The pack with all its bodies, of which every byte is proved.
    pub(crate) fn all(&self, tables: Tables<'_>) -> Result<Pack<'_>, Error> {
        if let Some(all) = self.all.get() {
            return Ok(all.as_pack());
        }
        let io = |err| Error::io(&self.path, err);
        let mut bytes = vec![0; self.file.metadata().map_err(io)?.len().min(u64::from(u32::MAX)) as usize];
        read_at(&self.file, &mut bytes, 0).map_err(io)?;
        let all = PackBuf::from_vec(bytes).and_then(|all| all.as_pack().check_bytes().map(|()| all));
        let all = all.map_err(|err| err.in_file(&self.path))?;
        // The file may hold another pack by now, in which everything agrees.
        let (here, start) = (all.as_pack(), self.outline_at as usize);
        let own_front = tables.bytes();
        let same = here.as_bytes().get(..start) == Some(&own_front[..start])
            && here.as_bytes()[Tables::digested_len_of(own_front)..] == own_front[start..];
        if !same {
            return Err(Error::changed().in_file(&self.path));
        }
        Ok(self.all.get_or_init(|| all).as_pack())
    }
}

/// Appends the next so many bytes of a file.
fn read_on(file: &File, bytes: &mut Vec<u8>, len: usize) -> io::Result<()> {
    if file.take(len as u64).read_to_end(bytes)? == len {
        return Ok(());
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Fills `bytes` from a place in a file, whoever else reads it.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = &mut bytes[read..];
                at += read as u64;
            }
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Where a file can't be read by place, its place is moved, one reader after the other.
#[cfg(not(any(unix, windows)))]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};
    use std::sync::Mutex;

    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut file = file;
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}
