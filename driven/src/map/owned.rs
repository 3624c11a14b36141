//! Packs that own all their bytes, read from files.

use alloc::vec::Vec;
use core::fmt;
use core::mem::MaybeUninit;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use driven_format::MAGIC;

use super::lent;
use crate::error::Error;
use crate::pack::Pack;

/// A pack that owns its bytes; structure and all text are proved.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("driven-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("rules.drv");
/// # std::fs::write(&path, driven::doc_pack())?;
/// let pack = driven::PackBuf::open(&path)?;
/// assert_eq!(pack.as_pack().len(), 1);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PackBuf {
    bytes: Vec<u8>,
    /// The pack in `bytes`: ready, because every look begins with it. Always there; by this type the compiler must not
    /// take its references to outlive `bytes`, also where an owner is moved into a function that drops it.
    pack: MaybeUninit<Pack<'static>>,
}

impl PackBuf {
    /// Reads a file and proves it.
    ///
    /// # Errors
    /// A file that can't be read or is no pack; the error names it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = read(path).map_err(|err| Error::io(path, err))?;
        PackBuf::from_vec(bytes).map_err(|err| err.in_file(path))
    }

    /// Proves bytes and keeps them.
    ///
    /// # Errors
    /// Bytes that are no pack.
    pub fn from_vec(bytes: Vec<u8>) -> Result<Self, Error> {
        // SAFETY: `bytes` is kept beside the pack, nothing writes to it, and `as_pack` lends the pack for no longer than it
        // is borrowed itself.
        let pack = Pack::open(unsafe { lent(&bytes) })?;
        Ok(PackBuf { bytes, pack: MaybeUninit::new(pack) })
    }

    /// The pack.
    #[inline]
    pub fn as_pack(&self) -> Pack<'_> {
        // SAFETY: it was written when this was made, and `bytes`, which it points into, is as it was.
        unsafe { self.pack.assume_init() }
    }

    /// The bytes of the pack.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}

impl fmt::Debug for PackBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_pack().fmt(f)
    }
}

/// Reads a file that may be a pack. One that does not begin as a pack does is read no further, so that a device
/// or a huge foreign file costs nothing; a pack is shorter than 4 GiB.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let len = file.metadata()?.len().min(u64::from(u32::MAX));
    let mut bytes = Vec::new();
    let mut file = file.take(u64::from(u32::MAX));
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut bytes)?;
    if bytes == MAGIC {
        bytes.reserve_exact((len as usize).saturating_sub(bytes.len()));
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
