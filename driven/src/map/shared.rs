//! Packs that share what they have in common.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use driven_format::patch::{Base, BodySource, Patch, Target};
use driven_format::{Digest, FileHasher, Tables};

use super::{PackBuf, lent, text};
use crate::error::Error;
use crate::pack::{Pack, Text};

/// Bytes that may lie unused beside those that are, before what is used is copied.
const SLACK: usize = 64 * 1024;

/// A pack whose digests are proved, and that takes patches.
///
/// Of one that came by a patch, the digest of all outlines and bodies is what the patch says; it is proved by
/// [`Pack::verify_by`], [`Pack::prove`] and before a snapshot is taken.
///
/// A pack that came of another by a patch shares with it the text and the outline of every rule that did not change, so
/// that a step costs what changed. Clones share everything.
///
/// ```
/// # use driven_format::{PackBuilder, Rule};
/// # let rule = |id: &str, body: &str| Rule::new(id, body);
/// # let old = PackBuilder::new("house", 1).rule(rule("style", "Spell words out.\n")).finish()?;
/// # let new = PackBuilder::new("house", 2).rule(rule("style", "Spell words right.\n")).finish()?;
/// # let patch = driven_format::patch::diff(&old, &new)?.patch;
/// use driven::{PackBuf, SharedPack};
///
/// let old = SharedPack::prove(PackBuf::from_vec(old)?)?;
/// let new = old.apply(&patch, SharedPack::LIMIT)?;
/// assert_eq!(new.as_pack().rule("style").map(|rule| rule.body()), Some("Spell words right.\n"));
/// # Ok::<(), driven::Error>(())
/// ```
#[derive(Clone)]
pub struct SharedPack(Arc<Pieces>);

/// A pack in pieces: its tables, and bodies of which other packs may have some too.
pub(crate) struct Pieces {
    /// What stands before outlines and bodies, then the signatures.
    front: Vec<u8>,
    /// The tables of `front`, borrowed from it: ready, because every look begins with them.
    tables: Tables<'static>,
    /// The length of the whole pack, in bytes.
    len: usize,
    /// By owner: rules, personas, workflows.
    bodies: Box<[Piece]>,
    /// How many bytes are kept for the pieces.
    kept: usize,
    /// The pack in one piece, once it was asked for.
    whole: OnceLock<Vec<u8>>,
}

/// A body, which was proved to be text, and its outline: parts of bytes, each by offset and length.
#[derive(Clone)]
struct Piece {
    bytes: Arc<Vec<u8>>,
    body: (u32, u32),
    outline: (u32, u32),
}

impl Piece {
    /// Appends its outline and its body to `bytes`; gives where they are there.
    fn copy_to(body: &str, outline: &[u8], bytes: &mut Vec<u8>) -> [(u32, u32); 2] {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(outline);
        bytes.extend_from_slice(body.as_bytes());
        let outline_len = outline.len() as u32;
        [(start, outline_len), (start + outline_len, body.len() as u32)]
    }

    fn len(&self) -> usize {
        self.body.1 as usize + self.outline.1 as usize
    }
}

impl SharedPack {
    /// How long a pack may be that a patch leads to, when a program has no other limit: 64 MiB.
    pub const LIMIT: usize = driven_format::patch::DEFAULT_LIMIT;

    /// Proves every digest of a pack and keeps it.
    ///
    /// # Errors
    /// Content that does not have the digests that the pack states.
    pub fn prove(pack: PackBuf) -> Result<Self, Error> {
        let proved = pack.as_pack().prove()?;
        let owners = proved.len() + proved.personas().len() + proved.workflows().len();
        let bytes = Arc::new(pack.into_vec());
        let [_, (bodies_at, _)] = Tables::text_ranges(&bytes);
        let (outline_at, behind) = (Tables::front_len(&bytes), Tables::digested_len_of(&bytes));
        let front = [&bytes[..outline_at], &bytes[behind..]].concat();
        let place = |at: usize, range: Range<usize>| ((at + range.start) as u32, range.len() as u32);
        let pieces: Box<[Piece]> = Tables::text_of_owners(&front)
            .map(|(outline, body)| Piece {
                bytes: Arc::clone(&bytes),
                body: place(bodies_at, body),
                outline: place(outline_at, outline),
            })
            .collect();
        debug_assert_eq!(pieces.len(), owners);
        let kept = pieces.iter().map(Piece::len).sum();
        Ok(SharedPack(Arc::new(Pieces::new(front, bytes.len(), pieces, kept))))
    }

    /// Reads a file and proves every digest.
    ///
    /// # Errors
    /// A file that can't be read or is no pack; the error names it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        SharedPack::prove(PackBuf::open(path)?).map_err(|err| err.in_file(path))
    }

    /// The pack.
    #[inline]
    pub fn as_pack(&self) -> Pack<'_> {
        let tables = self.0.tables();
        Pack::assume_proved(tables, Text::Pieces(&self.0))
    }

    /// The name of exactly these bytes, signatures included; see `docs/UPDATES.md`.
    pub fn edition(&self) -> Digest {
        self.0.tables().edition()
    }

    /// The hash of its bytes as a file.
    pub fn file_hash(&self) -> Digest {
        let mut hasher = FileHasher::default();
        self.0
            .each_part(|part| {
                hasher.update(part);
                Ok(())
            })
            .expect("hashing takes all");
        hasher.finish()
    }

    /// The pack that a patch leads to, of at most `limit` bytes; this one stays as it is.
    ///
    /// The target is proved to be the one that the patch names. Who signed it, and whether the digest of all its texts is the
    /// one that it states, is for [`Pack::verify_by`] to say.
    ///
    /// # Errors
    /// A patch that is damaged, or was made for another pack.
    pub fn apply(&self, patch: &[u8], limit: usize) -> Result<Self, Error> {
        match Patch::open(patch)?.apply(&*self.0, limit)? {
            Target::Whole(pack) => SharedPack::prove(PackBuf::from_vec(pack)?),
            Target::Parts { front, len, bodies } => Ok(SharedPack(Arc::new(self.0.next(front, len, bodies)))),
        }
    }

    /// Writes the bytes of the pack, signatures included.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.0.write_to(out)
    }

    /// How many bytes [`write_to`](Self::write_to) writes.
    pub fn len_in_bytes(&self) -> usize {
        self.0.len
    }

    /// How many rules have their text and their outline where those of another pack are.
    #[cfg(test)]
    fn shares_with(&self, other: &Self) -> usize {
        let address = |pack: &Self, owner: u32| (pack.0.body(owner).as_ptr(), pack.0.outline(owner).as_ptr());
        let owners = |pack: &Self| 0..pack.0.bodies.len() as u32;
        owners(self)
            .filter(|&own| owners(other).any(|index| address(self, own) == address(other, index)))
            .count()
    }
}

impl fmt::Debug for SharedPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_pack().fmt(f)
    }
}

impl Pieces {
    /// Takes a front that was checked, or written by a patch.
    fn new(front: Vec<u8>, len: usize, bodies: Box<[Piece]>, kept: usize) -> Self {
        let [names, _] = Tables::text_ranges(&front);
        // SAFETY: `front` is kept beside the tables, nothing writes to it, and `tables` lends them for no longer than it is
        // borrowed itself.
        let bytes = unsafe { lent(&front) };
        // SAFETY: the front is that of a pack that was checked, or was written by a patch out of texts (docs/SAFETY.md,
        // rule 1).
        let names = unsafe { text(bytes, names) };
        let tables = Tables::assume_checked_front(bytes, names);
        Pieces { front, tables, len, bodies, kept, whole: OnceLock::new() }
    }

    #[inline]
    fn tables(&self) -> Tables<'_> {
        self.tables
    }

    #[inline]
    pub(crate) fn body(&self, owner: u32) -> &str {
        let piece = &self.bodies[owner as usize];
        let (start, len) = piece.body;
        // SAFETY: a piece has a body of a pack that was proved, or a text that came with a patch (docs/SAFETY.md, rule 1).
        unsafe { text(&piece.bytes, (start as usize, len as usize)) }
    }

    #[inline]
    pub(crate) fn outline(&self, owner: u32) -> &[u8] {
        let piece = &self.bodies[owner as usize];
        let (start, len) = piece.outline;
        &piece.bytes[start as usize..][..len as usize]
    }

    /// The pack in one piece.
    pub(crate) fn whole(&self) -> &[u8] {
        self.whole.get_or_init(|| {
            let mut whole = Vec::with_capacity(self.len);
            self.write_to(&mut whole).expect("a vector takes all");
            whole
        })
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.each_part(|part| out.write_all(part))
    }

    /// The bytes of the pack, part by part.
    fn each_part(&self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let (tables, signatures) = self.front.split_at(Tables::front_len(&self.front));
        let [_, (bodies_at, bodies_len)] = Tables::text_ranges(&self.front);
        let owners = 0..self.bodies.len() as u32;
        take(tables)?;
        let mut written = tables.len();
        for owner in owners.clone() {
            let outline = self.outline(owner);
            take(outline)?;
            written += outline.len();
        }
        take(&[0; 64][..bodies_at - written])?;
        for owner in owners {
            take(self.body(owner).as_bytes())?;
        }
        take(&[0; 64][..self.len - signatures.len() - bodies_at - bodies_len])?;
        take(signatures)
    }

    /// The pack that follows, with these bodies.
    fn next(&self, front: Vec<u8>, len: usize, bodies: Vec<BodySource>) -> Pieces {
        let mut kept = self.kept;
        let bodies = bodies.into_iter().map(|body| match body {
            BodySource::Kept(owner) => self.bodies[owner as usize].clone(),
            BodySource::New { body, outline } => {
                let mut bytes = Vec::with_capacity(outline.len() + body.len());
                let [outline, body] = Piece::copy_to(&body, &outline, &mut bytes);
                kept += bytes.len();
                Piece { bytes: Arc::new(bytes), body, outline }
            }
        });
        let bodies: Box<[Piece]> = bodies.collect();
        let mut next = Pieces::new(front, len, bodies, kept);
        next.compact();
        next
    }

    /// Copies the pieces together when more is kept for them than twice what they have.
    fn compact(&mut self) {
        let used: usize = self.bodies.iter().map(Piece::len).sum();
        if self.kept <= 2 * used + SLACK {
            return;
        }
        let mut bytes = Vec::with_capacity(used);
        let owners = 0..self.bodies.len() as u32;
        let copy = |owner| Piece::copy_to(self.body(owner), self.outline(owner), &mut bytes);
        let places: Vec<[(u32, u32); 2]> = owners.map(copy).collect();
        let bytes = Arc::new(bytes);
        for (piece, [outline, body]) in self.bodies.iter_mut().zip(places) {
            *piece = Piece { bytes: Arc::clone(&bytes), body, outline };
        }
        self.kept = used;
    }
}

impl Base for Pieces {
    fn tables(&self) -> Tables<'_> {
        Pieces::tables(self)
    }

    fn body(&self, owner: u32) -> &str {
        Pieces::body(self, owner)
    }

    fn outline(&self, owner: u32) -> &[u8] {
        Pieces::outline(self, owner)
    }

    fn digested(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.whole()[..Tables::digested_len_of(&self.front)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use driven_format::patch::diff;
    use driven_format::{PackBuilder, Persona, Rule, Workflow};

    fn pack(version: u64, last: &str) -> Vec<u8> {
        let rules = (0..9).map(|number| {
            let mut rule = Rule::new(format!("rule-{number}"), format!("Body {number}:\n- é.\n"));
            rule.outline = driven_format::outline::nodes(&rule.body);
            rule
        });
        let builder = rules.fold(PackBuilder::new("house", version), PackBuilder::rule);
        let persona = Persona { id: "critic".into(), body: "Look twice.\n".into(), ..Persona::default() };
        let workflow = Workflow { id: "ship".into(), body: "Step by step.\n".into(), ..Workflow::default() };
        let builder = builder.persona(persona).workflow(workflow);
        builder.rule(Rule::new("rule-9", last)).finish().expect("in order")
    }

    fn shared(bytes: Vec<u8>) -> SharedPack {
        PackBuf::from_vec(bytes).and_then(SharedPack::prove).expect("it was written")
    }

    #[test]
    fn what_did_not_change_is_shared_and_all_of_it_is_there() {
        let (old, new) = (pack(1, "The first text.\n"), pack(2, "Another text, which is longer.\n"));
        let patch = diff(&old, &new).expect("both are packs").patch;
        let before = shared(old.clone());
        let after = before.apply(&patch, SharedPack::LIMIT).expect("the patch fits");
        assert_eq!(after.shares_with(&before), 11);
        assert_eq!((before.as_pack().as_bytes(), after.as_pack().as_bytes()), (&old[..], &new[..]));
        assert_eq!(after.edition(), shared(new).edition());
        assert!(after.as_pack().prove().is_ok());
        let rule = after.as_pack().rule("rule-3").expect("it stayed");
        assert_eq!(rule.body(), "Body 3:\n- é.\n");
        assert_eq!(rule.items().map(|item| item.text()).collect::<Vec<_>>(), ["é."]);
        assert!(after.apply(&patch, SharedPack::LIMIT).is_err(), "it was made for another base");
    }

    #[cfg(feature = "trust")]
    #[test]
    fn signatures_are_found_however_short_the_bodies_are() {
        use driven_format::trust::{SecretKey, sign};
        let key = SecretKey::from_seed(&[7; 32].into());
        let signed = |version, body: &str| {
            let pack = PackBuilder::new("house", version).rule(Rule::new("rule", body)).finish();
            let pack = pack.expect("in order");
            sign(&Tables::check(&pack).expect("it is a pack"), &key, 0).expect("it can be signed")
        };
        // A text that looks like signatures is none.
        let (short, alike) = ("Spell.\n", "DRVSIGN\n".repeat(30));
        for (old, new) in [("", short), (short, ""), (short, &*alike), (&alike, short)] {
            let (old, new) = (signed(1, old), signed(2, new));
            let patch = diff(&old, &new).expect("both are packs").patch;
            let before = shared(old.clone());
            let after = before.apply(&patch, SharedPack::LIMIT).expect("the patch fits");
            for (pack, whole) in [(&before, &old), (&after, &new)] {
                assert_eq!(pack.as_pack().as_bytes(), whole);
                assert!(pack.as_pack().verify(&key.public_key()).is_ok());
                assert_eq!(pack.edition(), Tables::check(whole).expect("it is a pack").edition());
            }
        }
    }

    #[test]
    fn texts_that_nobody_reads_any_more_are_let_go() {
        let mut now = shared(pack(1, "x"));
        let long = "y".repeat(50_000);
        for version in 2..12 {
            let next = pack(version, &format!("{long}{version}"));
            let patch = diff(now.as_pack().as_bytes(), &next).expect("both are packs").patch;
            now = now.apply(&patch, SharedPack::LIMIT).expect("the patch fits");
            let used: usize = now.0.bodies.iter().map(Piece::len).sum();
            assert!(now.0.kept <= 2 * used + SLACK, "{} kept for {used}", now.0.kept);
            assert_eq!(now.as_pack().as_bytes(), next);
        }
    }
}
