//! The one module with `unsafe`: text that was proved earlier, and mapped files.
//!
//! Who owes what is `docs/SAFETY.md`; each block here answers its rules in order.

#[cfg(feature = "std")]
mod lazy;
#[cfg(feature = "std")]
mod owned;
#[cfg(feature = "patch")]
mod shared;

use driven_format::Tables;

#[cfg(feature = "std")]
pub(crate) use self::lazy::FileBodies;
#[cfg(feature = "std")]
pub use self::lazy::LazyPackBuf;
#[cfg(feature = "std")]
pub use self::owned::PackBuf;
#[cfg(feature = "patch")]
pub(crate) use self::shared::Pieces;
#[cfg(feature = "patch")]
pub use self::shared::SharedPack;
#[cfg(not(feature = "std"))]
pub(crate) use self::without_files::FileBodies;
use crate::pack::{Pack, Text};

/// Makes a pack of bytes that were proved before, in a constant and without work.
///
/// # Safety
/// `Tables::check` and `Tables::check_bodies` accepted exactly these bytes. The
/// length and the root digest are compared, so that a file that was swapped
/// between two reads is refused; they do not prove the bytes.
///
/// # Panics
/// When length or root digest differ; in a constant that is a compile error.
#[doc(hidden)]
pub const unsafe fn trusted(bytes: &'static [u8], root: &[u8; 32], len: usize) -> Pack<'static> {
    assert!(bytes.len() == len, "the pack changed while it was compiled in");
    let stated = bytes.split_at(32).1;
    let mut at = 0;
    while at < 32 {
        assert!(stated[at] == root[at], "the pack changed while it was compiled in");
        at += 1;
    }
    let [names, bodies] = Tables::text_ranges(bytes);
    // SAFETY: `check` proved that this range of the bytes is UTF-8 (docs/SAFETY.md, rule 1).
    let names = unsafe { text(bytes, names) };
    // SAFETY: `check_bodies` proved that this range of the bytes is UTF-8 (docs/SAFETY.md, rule 1).
    let bodies = unsafe { text(bytes, bodies) };
    Pack::assume_proved(Tables::assume_checked(bytes, names), Text::Whole(bodies))
}

/// Makes a pack of tables whose bodies were just proved.
pub(crate) fn with_proved_bodies(tables: Tables<'_>) -> Result<Pack<'_>, driven_format::Error> {
    tables.check_bodies()?;
    // SAFETY: `check_bodies` proved that the bodies are UTF-8, end to end (docs/SAFETY.md, rule 1).
    let bodies = unsafe { core::str::from_utf8_unchecked(tables.bodies()) };
    Ok(Pack::assume_proved(tables, Text::Whole(bodies)))
}

/// Makes a lazy pack of bytes that were proved before.
///
/// # Safety
/// `Tables::check` or `Tables::check_front` accepted exactly these bytes.
#[cfg(feature = "std")]
pub(crate) unsafe fn reopen_lazy<'a>(
    bytes: &'a [u8],
    bodies: crate::pack::BodiesIn<'a>,
) -> crate::pack::LazyPack<'a> {
    let [names, _] = Tables::text_ranges(bytes);
    // SAFETY: `check` proved that this range of the bytes is UTF-8 (docs/SAFETY.md, rule 1).
    let names = unsafe { text(bytes, names) };
    let tables = match bodies {
        Some(_) => Tables::assume_checked_front(bytes, names),
        None => Tables::assume_checked(bytes, names),
    };
    crate::pack::LazyPack::assume_proved(tables, bodies)
}

/// # Safety
/// The range of offset and length is within `bytes` and is UTF-8.
const unsafe fn text(bytes: &[u8], (offset, len): (usize, usize)) -> &str {
    let bytes = bytes.split_at(offset).1.split_at(len).0;
    // SAFETY: the caller vouches that the range is UTF-8; `split_at` panics outside of it.
    unsafe { core::str::from_utf8_unchecked(bytes) }
}

/// Bytes of a vector, for those who keep it beside what borrows them.
///
/// # Safety
/// The vector outlives every use, and nobody writes to it meanwhile. It may be moved: its bytes stay where they are
/// (docs/SAFETY.md, rule 3).
#[cfg(feature = "std")]
unsafe fn lent(bytes: &[u8]) -> &'static [u8] {
    // SAFETY: it is these bytes, and the caller vouches for the time.
    unsafe { core::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) }
}

/// A pack file mapped into memory.
///
/// For large packs of which little is read. A small one is faster with
/// [`PackBuf::open`](crate::PackBuf::open), which also has no duty attached.
#[cfg(feature = "mmap")]
#[derive(Debug)]
pub struct MappedPack {
    map: memmap2::Mmap,
}

#[cfg(feature = "mmap")]
impl MappedPack {
    /// Maps a file and proves its tables and names.
    ///
    /// # Errors
    /// A file that can't be mapped, or is no pack.
    ///
    /// # Safety
    /// Nobody, in this program or another, may write to the file or cut it off
    /// while the map or anything borrowed from it lives: text was proved once and
    /// is read many times. Files that are only ever replaced by renaming another
    /// one over them are safe.
    pub unsafe fn map(file: &std::fs::File) -> Result<Self, crate::Error> {
        let failed = |err| crate::Error::io(std::path::Path::new("(mapped file)"), err);
        // SAFETY: the caller vouches that the file does not change (docs/SAFETY.md, rule 2).
        let map = unsafe { memmap2::Mmap::map(file) }.map_err(failed)?;
        Tables::check(&map)?;
        Ok(MappedPack { map })
    }

    /// The bytes of the file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.map
    }

    /// The pack; its bodies are proved as they are read.
    pub fn as_lazy(&self) -> crate::LazyPack<'_> {
        // SAFETY: `map` checked these bytes, and its caller vouches that they do not change.
        unsafe { reopen_lazy(&self.map, None) }
    }
}

/// Without files no bodies are in one.
#[cfg(not(feature = "std"))]
mod without_files {
    use driven_format::{RuleHead, Tables};

    use crate::error::Error;
    use crate::pack::{Pack, ReadBody};

    pub(crate) enum FileBodies {}

    impl FileBodies {
        pub(crate) fn body(&self, _: &RuleHead<'_>) -> Result<&ReadBody, Error> {
            match *self {}
        }

        pub(crate) fn all(&self, _: Tables<'_>) -> Result<Pack<'_>, Error> {
            match *self {}
        }
    }
}
