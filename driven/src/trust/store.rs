//! The file in which a program keeps what it has seen.
//!
//! Law: `docs/TRUST.md`, "State", checks S1 to S5. What stands in it is
//! `driven_format::trust::State`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use alloc::string::String;

use super::{Policy, RootChain, SignedTimestamp, State, Story};
use crate::durable;
use crate::error::Error;
use crate::pack::{Pack, Verified};

/// The longest state file that is read, in bytes.
const MAX_STATE: u64 = 1 << 20;

/// Keeps floors in a file: no pack older than one that was admitted is admitted again.
///
/// ```
/// # use driven_format::trust::{Role, Root, RootKey, SecretKey, SignedRoot, sign};
/// # use driven_format::{PackBuilder, Tables};
/// use driven::trust::{Policy, RootChain, TrustStore};
/// use driven::Pack;
///
/// # let dir = std::env::temp_dir().join(format!("driven-trust-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let key = SecretKey::from_seed(&[7; 32].into());
/// # let listed = RootKey { key: key.public_key(), roles: vec![Role::Root, Role::Packs], name: "alice".into() };
/// # let mut root = SignedRoot::new(&Root {
/// #     before: None, version: 1, expires: 0, thresholds: [1, 1, 0],
/// #     keys: vec![listed], revoked: vec![], recoveries: vec![],
/// # })?;
/// # root.sign(&key);
/// # let root_text = root.render();
/// # let pack = |version| -> Result<Vec<u8>, driven::Error> {
/// #     Ok(sign(&Tables::check(&PackBuilder::new("house-rules", version).finish()?)?, &key, 0)?)
/// # };
/// # let (older, newer) = (pack(1)?, pack(2)?);
/// let root = RootChain::read(&root_text)?;
/// let policy = Policy::root(&root).name("house-rules").now(1_800_000_000);
/// let store = TrustStore::new(dir.join("trust-state"));
///
/// assert!(!store.knows(&root, "house-rules")?);
/// let admitted = store.admit(Pack::open(&newer)?, &policy)?;
/// assert!(admitted.is_first_use && store.knows(&root, "house-rules")?);
/// assert_eq!(store.admit(Pack::open(&older)?, &policy).unwrap_err().code(), "rolled-back");
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustStore {
    path: PathBuf,
}

/// A pack that was let in.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// The pack.
    pub pack: Verified<Pack<'a>>,
    /// Nothing was known of it before: no older version could have been told.
    pub is_first_use: bool,
    /// What was checked.
    pub story: Story,
}

/// What became of a pack.
#[derive(Debug)]
pub struct Judged {
    /// What was checked, and why the pack is refused, if it is.
    pub story: Story,
    /// Nothing was known of it before: no older version could have been told.
    pub is_first_use: bool,
}

impl TrustStore {
    /// Keeps what is seen in `path`; the file need not exist, its folder must.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        TrustStore { path: path.into() }
    }

    /// Judges a pack by a policy and by what was seen, and writes down that it was seen.
    ///
    /// A root and a timestamp that hold are written down even when the pack is refused: who saw that a key was
    /// revoked is not to be told otherwise later.
    ///
    /// # Errors
    /// The first check that fails; a policy without a root, by which nothing can be kept; a state that is
    /// damaged, or can't be read or written.
    pub fn admit<'a>(&self, pack: Pack<'a>, policy: &Policy<'_>) -> Result<Admitted<'a>, Error> {
        let Judged { story, is_first_use } = self.judge(pack, policy)?;
        match story.fault() {
            Some(fault) => Err(fault.clone().into()),
            None => Ok(Admitted { pack: Verified::assume(pack), is_first_use, story }),
        }
    }

    /// As [`admit`](Self::admit), and tells the checks of a pack that is refused too.
    ///
    /// # Errors
    /// A policy without a root, by which nothing can be kept; a state that is damaged, or can't be read or written, so that
    /// what was seen is not remembered. Whether the pack holds is in the story.
    pub fn judge(&self, pack: Pack<'_>, policy: &Policy<'_>) -> Result<Judged, Error> {
        self.judge_and_write(pack, policy, true)
    }

    /// As [`judge`](Self::judge), and writes down the root and the timestamp alone: that the pack was taken is not news, or
    /// nothing for others who keep the same state.
    ///
    /// # Errors
    /// As of [`judge`](Self::judge).
    pub fn observe(&self, pack: Pack<'_>, policy: &Policy<'_>) -> Result<Judged, Error> {
        self.judge_and_write(pack, policy, false)
    }

    fn judge_and_write(&self, pack: Pack<'_>, policy: &Policy<'_>, is_taken: bool) -> Result<Judged, Error> {
        let own = self.resolved()?;
        // What can be no state leaves no lock beside it either.
        if std::fs::metadata(&own.path).is_ok_and(|there| !there.is_file()) {
            own.read()?;
        }
        let _lock = own.lock()?;
        let mut state = own.read()?;
        let Some(chain) = policy.chain() else { return Err(Error::without_root()) };
        let is_first_use = state.floor(chain, pack.manifest().name()).is_none();
        let kept = state.render();
        let story = pack.story(&policy.clone().state(&state));
        policy.note_seen(&mut state);
        let accepted = match story.fault() {
            None if is_taken => state.accept(chain, &pack.tables(), policy.given_timestamp()),
            _ => Ok(()),
        };
        let seen = state.render();
        if seen != kept {
            // S5
            own.write(&seen)?;
        }
        accepted?;
        Ok(Judged { story, is_first_use })
    }

    /// Judges a pack as [`admit`](Self::admit) does, and writes nothing.
    ///
    /// # Errors
    /// A state that is damaged or can't be read; whether the pack holds is in the story.
    pub fn look(&self, pack: Pack<'_>, policy: &Policy<'_>) -> Result<Story, Error> {
        let state = self.read()?;
        Ok(pack.story(&policy.clone().state(&state)))
    }

    /// Whether a pack of this name was let in before: then no older version is.
    ///
    /// # Errors
    /// A state that is damaged or can't be read.
    pub fn knows(&self, chain: &RootChain, name: &str) -> Result<bool, Error> {
        Ok(self.read()?.floor(chain, name).is_some())
    }

    /// Whether a timestamp is the newest of its pack that was seen, and not forgotten by the root (R8).
    ///
    /// # Errors
    /// A state that is damaged or can't be read.
    pub fn remembers(&self, chain: &RootChain, timestamp: &SignedTimestamp) -> Result<bool, Error> {
        Ok(self.read()?.remembers(chain, timestamp))
    }

    /// Whether a newer timestamp of its pack was seen, and is not forgotten by the root (R8).
    ///
    /// # Errors
    /// A state that is damaged or can't be read.
    pub fn outdates(&self, chain: &RootChain, timestamp: &SignedTimestamp) -> Result<bool, Error> {
        Ok(self.read()?.outdates(chain, timestamp))
    }

    /// Whether a timestamp is the one that was seen and that the root forgets (R8).
    ///
    /// # Errors
    /// A state that is damaged or can't be read.
    pub fn forgets(&self, chain: &RootChain, timestamp: &SignedTimestamp) -> Result<bool, Error> {
        Ok(self.read()?.forgets(chain, timestamp))
    }

    /// The same by the path behind links, so that all who keep it in one file wait for one lock.
    fn resolved(&self) -> Result<Self, Error> {
        match std::fs::canonicalize(&self.path) {
            Ok(path) => Ok(TrustStore::new(path)),
            Err(_) if self.path.is_symlink() => Err(self.leads_nowhere()),
            Err(_) => Ok(self.clone()),
        }
    }

    fn leads_nowhere(&self) -> Error {
        let err = io::Error::new(io::ErrorKind::InvalidInput, "it is a link that leads nowhere");
        Error::io(&self.path, err)
    }

    /// S1
    fn lock(&self) -> Result<File, Error> {
        durable::lock(&durable::beside(&self.path, ".lock"))
    }

    /// S2, S3
    fn read(&self) -> Result<State, Error> {
        let io = |err| Error::io(&self.path, err);
        let file = match durable::open(&self.path) {
            Ok(file) => file,
            Err(_) if self.path.is_symlink() && !self.path.exists() => return Err(self.leads_nowhere()),
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
            Err(err) => return Err(io(err)),
        };
        let mut bytes = alloc::vec::Vec::new();
        file.take(MAX_STATE + 1).read_to_end(&mut bytes).map_err(io)?;
        let text = String::from_utf8_lossy(&bytes);
        State::read(&text).map_err(|err| Error::from(err).in_file(&self.path))
    }

    /// S5: a file beside it, flushed, renamed over it, and the folder flushed.
    fn write(&self, text: &str) -> Result<(), Error> {
        // What can't be read again must not take the place of what can.
        if text.len() as u64 > MAX_STATE {
            let err = io::Error::new(io::ErrorKind::FileTooLarge, "more packs than a state file holds");
            return Err(Error::io(&self.path, err));
        }
        durable::write(&self.path, |file| file.write_all(text.as_bytes()))
    }
}
