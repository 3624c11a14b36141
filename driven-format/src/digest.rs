//! The digests: of a rule's meaning, of the content, of the pack.
//!
//! A meaning is hashed as a canonical sequence of tagged fields that names no
//! position: the same rule has the same digest in every pack. The root digest
//! covers every byte of the digested part but bodies and outlines, and these are
//! covered by the digests of those who own them. Law: `docs/FORMAT.md`, "Digests".

use alloc::vec::Vec;

use crate::container::{self, HEADER_DIGESTED, HEADER_LEN, Section};
use crate::model::{NodeKind, OutlineNode};
use crate::wire::{Digest, StrRef, Table};

/// Takes tagged fields, each length before what it measures.
///
/// Of many sequences each is laid out and hashed in one go: BLAKE3 then works on as many blocks at once as the
/// processor can, which for a body gains more than its copy costs. One alone is fed as it comes, and nothing is
/// allocated.
pub(crate) struct Canonical {
    sink: Sink,
}

#[expect(clippy::large_enum_variant, reason = "it lives on the stack of one function")]
enum Sink {
    Fed(blake3::Hasher),
    LaidOut { bytes: Vec<u8>, context_len: usize },
}

impl Canonical {
    /// For one sequence.
    pub(crate) fn one(context: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(context.as_bytes()).update(&[0]);
        Canonical { sink: Sink::Fed(hasher) }
    }

    /// For many sequences of one context.
    pub(crate) fn new(context: &str) -> Self {
        let mut bytes = Vec::from(context);
        bytes.push(0);
        Canonical { sink: Sink::LaidOut { context_len: bytes.len(), bytes } }
    }

    #[inline]
    fn put(&mut self, more: &[u8]) {
        match &mut self.sink {
            Sink::Fed(hasher) => {
                hasher.update(more);
            }
            Sink::LaidOut { bytes, .. } => bytes.extend_from_slice(more),
        }
    }

    pub(crate) fn number(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_le_bytes());
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.put(text.as_bytes());
        self
    }

    pub(crate) fn digest(&mut self, digest: &Digest) -> &mut Self {
        self.put(digest.as_bytes());
        self
    }

    pub(crate) fn texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) -> &mut Self {
        self.number(texts.len() as u64);
        for text in texts {
            self.text(text);
        }
        self
    }

    /// Each node as kind, level, start and length.
    pub(crate) fn nodes(&mut self, nodes: impl Iterator<Item = OutlineNode> + Clone) -> &mut Self {
        self.number(nodes.clone().count() as u64);
        let mut block = [0; 32 * 10];
        let mut filled = 0;
        for OutlineNode { kind, level, start, len } in nodes {
            let node = &mut block[filled..filled + 10];
            node[0] = NodeKind::code(kind);
            node[1] = level;
            node[2..6].copy_from_slice(&start.to_le_bytes());
            node[6..].copy_from_slice(&len.to_le_bytes());
            filled += 10;
            if filled == block.len() {
                self.put(&block);
                filled = 0;
            }
        }
        self.put(&block[..filled]);
        self
    }

    /// The digest. Of many, another sequence may follow.
    pub(crate) fn finish(&mut self) -> Digest {
        match &mut self.sink {
            Sink::Fed(hasher) => Digest(*hasher.finalize().as_bytes()),
            Sink::LaidOut { bytes, context_len } => {
                let digest = file_hash(bytes);
                bytes.truncate(*context_len);
                digest
            }
        }
    }
}

/// The strings that a run of references names.
pub(crate) fn strings<'a>(
    names: &'a str,
    refs: Table<'a, StrRef>,
) -> impl ExactSizeIterator<Item = &'a str> + Clone {
    refs.iter().map(move |reference| reference.of(names))
}

/// What the digests of rules, personas and workflows cover.
const BY_OWNERS: [usize; 2] = [Section::Bodies as usize, Section::Outline as usize];

/// The root digest that `pack`, whose container was checked, should have.
pub(crate) fn root(pack: &[u8]) -> Digest {
    let table = container::section_table(pack);
    let sections = table.iter().enumerate().filter(|(index, _)| !BY_OWNERS.contains(index));
    let sections = sections.map(|(_, entry)| &pack[entry.offset as usize..][..entry.len as usize]);
    let head =
        [&b"driven pack v1\0"[..], &pack[..HEADER_DIGESTED], &pack[HEADER_LEN..][..table.bytes().len()]];
    let parts = head.into_iter().chain(sections);
    let len: usize = parts.clone().map(<[u8]>::len).sum();
    if len > LAID_OUT {
        let mut hasher = blake3::Hasher::new();
        parts.for_each(|part| {
            hasher.update(part);
        });
        return Digest(*hasher.finalize().as_bytes());
    }
    // In one piece, BLAKE3 works on many blocks at once.
    let mut bytes = Vec::with_capacity(len);
    parts.for_each(|part| bytes.extend_from_slice(part));
    file_hash(&bytes)
}

/// The most that is copied to be hashed in one piece, in bytes.
const LAID_OUT: usize = 1 << 20;

/// The hash of exact bytes, signatures included: what caches and updates go by.
pub fn file_hash(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

/// The [`file_hash`] of bytes that come in parts.
#[derive(Clone, Debug, Default)]
pub struct FileHasher(blake3::Hasher);

impl FileHasher {
    /// Takes the next part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The hash of all parts.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

/// The hash of a text under a context.
#[cfg(feature = "trust")]
pub(crate) fn hash_of_text(context: &str, text: &str) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(context.as_bytes()).update(&[0]).update(text.as_bytes());
    Digest(*hasher.finalize().as_bytes())
}
