//! The digests: of a rule's meaning, of the content, of the pack.
//!
//! A meaning is hashed as a canonical sequence that names no position: the same
//! rule has the same digest in every pack. The root digest covers every byte of the
//! digested part but outlines and bodies. These are covered twice: by the digests of
//! those who own them, to be read one by one, and by one of all of them as they lie, which is
//! proved more than twice as fast. Law: `docs/FORMAT.md`, "Digests".

use alloc::vec::Vec;

use crate::container::{HEADER_DIGESTED, HEADER_LEN, SECTION_ALIGN, align_up, front_len};
use crate::wire::{Digest, StrRef, Table};

/// Takes the canonical sequence of a context: first what is long, whose length comes last, then fields, each length before
/// what it measures.
///
/// Of many sequences each is laid out and hashed in one go: BLAKE3 then works on as many blocks at once as the
/// processor can, which for a body gains more than its copy costs. One alone is fed as it comes, and nothing is
/// allocated.
pub(crate) struct Canonical {
    key: [u8; 32],
    sink: Sink,
}

#[expect(clippy::large_enum_variant, reason = "it lives on the stack of one function")]
enum Sink {
    Fed(blake3::Hasher),
    LaidOut(Vec<u8>),
}

impl Canonical {
    /// For one sequence.
    pub(crate) fn one(context: &str) -> Self {
        let key = key(context);
        Canonical { key, sink: Sink::Fed(blake3::Hasher::new_keyed(&key)) }
    }

    /// For many sequences of one context.
    pub(crate) fn many(context: &str) -> Self {
        Canonical { key: key(context), sink: Sink::LaidOut(Vec::new()) }
    }

    /// Bytes as they lie there, without their length.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        match &mut self.sink {
            Sink::Fed(hasher) => {
                hasher.update(bytes);
            }
            Sink::LaidOut(laid_out) if laid_out.len() + bytes.len() <= LAID_OUT => {
                laid_out.extend_from_slice(bytes);
            }
            Sink::LaidOut(laid_out) => {
                let mut hasher = blake3::Hasher::new_keyed(&self.key);
                hasher.update(laid_out).update(bytes);
                self.sink = Sink::Fed(hasher);
            }
        }
        self
    }

    #[inline]
    pub(crate) fn number(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    pub(crate) fn texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) -> &mut Self {
        self.number(texts.len() as u64);
        for text in texts {
            self.text(text);
        }
        self
    }

    /// The digest. Of many, another sequence may follow.
    pub(crate) fn finish(&mut self) -> Digest {
        match &mut self.sink {
            Sink::Fed(hasher) => {
                let digest = Digest(*hasher.finalize().as_bytes());
                hasher.reset();
                digest
            }
            Sink::LaidOut(bytes) => {
                let digest = Digest(*blake3::keyed_hash(&self.key, bytes).as_bytes());
                bytes.clear();
                digest
            }
        }
    }
}

/// The longest sequence that is laid out, in bytes: a small pack may refer to much.
const LAID_OUT: usize = 1 << 20;

/// A context as a key: its bytes, then zeros.
fn key(context: &str) -> [u8; 32] {
    let mut key = [0; 32];
    key[..context.len()].copy_from_slice(context.as_bytes());
    key
}

/// The strings that a run of references names.
pub(crate) fn strings<'a>(
    names: &'a str,
    refs: Table<'a, StrRef>,
) -> impl ExactSizeIterator<Item = &'a str> + Clone {
    refs.iter().map(move |reference| reference.of(names))
}

/// The root digest that `pack`, whose container was checked, should have.
pub(crate) fn root(pack: &[u8]) -> Digest {
    // Outlines and bodies lie behind it; the digests of those who own them cover them.
    Canonical::one("driven pack v1")
        .bytes(&pack[HEADER_LEN..front_len(pack)])
        .bytes(&pack[..HEADER_DIGESTED])
        .finish()
}

/// The digest of all outlines and bodies, as they lie.
pub(crate) fn texts(texts: &[u8]) -> Digest {
    Canonical::one(TEXTS).bytes(texts).finish()
}

/// The digest of [`texts`], of outlines and bodies that lie apart.
///
/// They are gathered: BLAKE3 works on as many blocks at once as the processor can, and parts are short.
pub(crate) fn texts_of_parts<'t>(
    outlines: impl Iterator<Item = &'t [u8]>,
    bodies: impl Iterator<Item = &'t [u8]>,
) -> Digest {
    let mut canonical = Canonical::one(TEXTS);
    let mut gathered = Vec::with_capacity(GATHERED);
    let mut len = 0;
    let mut part = |mut part: &[u8]| {
        len += part.len();
        while let Some((fits, rest)) = part.split_at_checked(GATHERED - gathered.len()) {
            gathered.extend_from_slice(fits);
            canonical.bytes(&gathered);
            gathered.clear();
            part = rest;
        }
        gathered.extend_from_slice(part);
        len
    };
    let zeros = [0; SECTION_ALIGN];
    let mut end = 0;
    outlines.for_each(|outline| end = part(outline));
    end = part(&zeros[..align_up(end) - end]);
    bodies.for_each(|body| end = part(body));
    part(&zeros[..align_up(end) - end]);
    canonical.bytes(&gathered).finish()
}

const TEXTS: &str = "driven texts v1";
/// How much of the texts is hashed at once, in bytes.
const GATHERED: usize = 64 * 1024;

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

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_sequence_has_one_digest_however_it_is_hashed() {
        let mut many = Canonical::many("driven rule v1");
        for len in [0, 5000, LAID_OUT - 8, LAID_OUT, LAID_OUT + 1, 3 * LAID_OUT, 7] {
            let body = vec![b'x'; len];
            let digest =
                |canonical: &mut Canonical| canonical.bytes(&body).text("id").number(len as u64).finish();
            assert_eq!(digest(&mut many), digest(&mut Canonical::one("driven rule v1")), "{len}");
        }
    }

    #[test]
    fn texts_have_one_digest_whole_and_in_parts() {
        let zeros = |len: usize| vec![0; align_up(len) - len];
        for lens in [
            [0, 0],
            [1, 0],
            [0, 1],
            [63, 64],
            [64, 65],
            [GATHERED - 64, 64],
            [7, 3 * GATHERED],
            [GATHERED; 2],
        ] {
            let [outlines, bodies] = lens.map(|len| (0..len).map(|at| at as u8).collect::<Vec<_>>());
            let whole = [&*outlines, &zeros(lens[0]), &bodies, &zeros(lens[1])].concat();
            let whole = texts(&whole);
            for part in [1000, 2 * GATHERED] {
                let parts = texts_of_parts(outlines.chunks(part), bodies.chunks(part));
                assert_eq!(parts, whole, "{lens:?} in parts of {part}");
            }
        }
    }
}
