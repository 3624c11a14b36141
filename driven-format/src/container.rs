//! The container: header, section table, padding, and what follows the sections.
//!
//! Proves that the sections tile the digested part of a pack and that nothing
//! else is in it. Knows no section's meaning. Law: `docs/FORMAT.md`, "Container".

use alloc::format;

use crate::error::{Error, ErrorKind};
use crate::wire::{Digest, Record, Table, records, u32_at, u32_pair_at};

/// The first eight bytes of every pack; like PNG's, they break under text-mode transfer.
pub const MAGIC: [u8; 8] = *b"\x93DRV\r\n\x1a\n";
/// The version of the format that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u16 = 1;
/// Sections begin at multiples of this.
pub const SECTION_ALIGN: usize = 64;
/// The most sections that a pack may have.
pub(crate) const MAX_SECTIONS: u32 = 256;
/// The longest pack, in bytes.
pub const MAX_PACK: usize = u32::MAX as usize;

/// The kind of container that holds rules.
pub(crate) const KIND_RULES: u16 = 1;
/// A section that a reader must know, or refuse the pack.
pub(crate) const FLAG_CRITICAL: u32 = 1;
/// The optional section that says what a pack was built from.
pub(crate) const KIND_ATTESTATION: u32 = 14;

records! {
    /// The header of a pack.
    pub struct HeaderRecord {
        /// [`MAGIC`].
        pub magic: [u8; 8],
        /// [`FORMAT_VERSION`].
        pub format: u16,
        /// What the container holds.
        pub kind: u16,
        /// Zero.
        pub flags: u32,
        /// Entries in the section table.
        pub section_count: u32,
        /// Length of the digested part, in bytes.
        pub digested_len: u32,
        /// Zero.
        pub reserved: [u8; 8],
        /// The root digest.
        pub root: Digest,
    }
}

/// How many bytes of the header the root digest covers: all but itself.
pub(crate) const HEADER_DIGESTED: usize = 32;
pub(crate) const HEADER_LEN: usize = HeaderRecord::SIZE;

records! {
    /// One entry of the section table.
    pub struct SectionRecord {
        /// Which section it is.
        pub kind: u32,
        /// Bit 0: critical.
        pub flags: u32,
        /// Where it begins, in bytes from the start of the pack.
        pub offset: u32,
        /// Its length in bytes, padding left out.
        pub len: u32,
    }
}

pub(crate) const ENTRY_LEN: usize = SectionRecord::SIZE;

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $word:literal;)*) => {
        /// The sections that every pack has, in this order at the head of its table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Section {
            $($(#[$doc])* $name = $kind,)*
        }

        impl Section {
            /// Every section, in order.
            pub const ALL: &'static [Section] = &[$(Section::$name),*];

            /// Its name in `docs/FORMAT.md`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Section::$name => $word,)* }
            }
        }
    };
}

sections! {
    /// What the pack says about itself.
    Manifest = 0, "manifest";
    /// Short strings, each distinct one once.
    Names = 1, "names";
    /// The bodies, end to end.
    Bodies = 2, "bodies";
    /// The rules.
    Rules = 3, "rules";
    /// Lists of strings.
    Lists = 4, "lists";
    /// Headings and list items of the bodies, covered with them.
    Outline = 5, "outline";
    /// The personas.
    Personas = 6, "personas";
    /// The workflows.
    Workflows = 7, "workflows";
    /// The workflows' steps.
    Steps = 8, "steps";
    /// Assistants' own frontmatter.
    Origins = 9, "origins";
    /// The digests of rules, personas and workflows.
    Digests = 10, "digests";
    /// From id to rule.
    Ids = 11, "ids";
    /// From path to rules.
    Paths = 12, "paths";
    /// From tag, category, language and activation to rules.
    Postings = 13, "postings";
}

impl Section {
    /// Offset and length of the section in a pack whose table was checked.
    #[inline(always)]
    pub(crate) const fn range(self, pack: &[u8]) -> (usize, usize) {
        let entry = HEADER_LEN + ENTRY_LEN * self as usize;
        let (offset, len) = u32_pair_at(pack, entry + 8);
        (offset as usize, len as usize)
    }

    /// The bytes of the section in a pack whose table was checked.
    #[inline(always)]
    pub(crate) const fn bytes(self, pack: &[u8]) -> &[u8] {
        let (offset, len) = self.range(pack);
        pack.split_at(offset).1.split_at(len).0
    }
}

/// The order in which the sections of a table of `count` entries lie: as in the table, but outline and bodies last.
///
/// What the root digest covers is then one piece, the *front*, and is read and proved without the others.
pub(crate) fn laid_out(count: usize) -> impl Iterator<Item = usize> {
    let last = [Section::Outline as usize, Section::Bodies as usize];
    (0..count).filter(move |index| !last.contains(index)).chain(last)
}

/// Rounds up to the next multiple of [`SECTION_ALIGN`].
pub(crate) const fn align_up(len: usize) -> usize {
    len.next_multiple_of(SECTION_ALIGN)
}

/// The header, and the table behind it, of bytes that passed [`check`].
pub(crate) fn section_table(pack: &[u8]) -> Table<'_, SectionRecord> {
    let count = u32_at(pack, 16) as usize;
    Table::new(&pack[HEADER_LEN..HEADER_LEN + count * ENTRY_LEN])
}

/// Length of the part of `pack` that its digest covers.
#[inline]
pub(crate) const fn digested_len(pack: &[u8]) -> usize {
    u32_at(pack, 20) as usize
}

/// What follows the digested part of a whole pack.
pub(crate) fn behind_digested(pack: &[u8]) -> &[u8] {
    &pack[digested_len(pack)..]
}

/// What follows the digested part, in a front.
pub(crate) fn behind_front(front: &[u8]) -> &[u8] {
    &front[front_len(front)..]
}

/// Length of the front: what stands before outline and bodies.
pub(crate) const fn front_len(pack: &[u8]) -> usize {
    Section::Outline.range(pack).0
}

/// The bytes of an optional section.
pub(crate) fn optional(pack: &[u8], kind: u32) -> Option<&[u8]> {
    let mut entries = section_table(pack).iter().skip(Section::ALL.len());
    let entry = entries.find(|entry| entry.kind == kind)?;
    Some(&pack[entry.offset as usize..][..entry.len as usize])
}

/// Proves header, section table, section ranges and padding.
pub(crate) fn check(pack: &[u8]) -> Result<(), Error> {
    check_as_long_as(pack, pack.len(), false)
}

/// Proves a *front*: all of a pack of `len` bytes that stands before its outline and bodies, and then its signatures.
///
/// Outline and bodies are the last sections, so that nothing but their padding is missing.
pub(crate) fn check_front(front: &[u8], len: usize) -> Result<(), Error> {
    check_as_long_as(front, len, true)?;
    if front_len(front).checked_add(len - digested_len(front)) == Some(front.len()) {
        return Ok(());
    }
    Err(Error::malformed("the front of the pack is not what its header says"))
}

/// Proves what there is of a pack that has `len` bytes in all: all of it, or its front.
fn check_as_long_as(pack: &[u8], len: usize, is_front: bool) -> Result<(), Error> {
    let header = check_header(pack, len)?;
    let count = header.section_count;
    if count < Section::ALL.len() as u32 || count > MAX_SECTIONS {
        return Err(Error::malformed(format!(
            "header: {count} sections, expected {} to {MAX_SECTIONS}",
            Section::ALL.len()
        )));
    }
    let digested = header.digested_len as usize;
    if digested > len {
        return Err(Error::new(
            ErrorKind::Truncated,
            format!("the pack is cut off: {len} bytes of at least {digested}"),
        ));
    }
    let table_end = HEADER_LEN + count as usize * ENTRY_LEN;
    if table_end > digested || table_end > pack.len() {
        return Err(Error::malformed("header: the digested part ends within the section table"));
    }
    check_tiling(&pack[..digested.min(pack.len())], table_end, digested, is_front)
}

fn check_header(pack: &[u8], len: usize) -> Result<HeaderRecord, Error> {
    let known = pack.len().min(MAGIC.len());
    if pack[..known] != MAGIC[..known] {
        return Err(Error::new(ErrorKind::Foreign, "not a driven pack: the first bytes are others"));
    }
    let Some(header) = pack.get(..HEADER_LEN) else {
        return Err(Error::new(
            ErrorKind::Truncated,
            format!("the pack is cut off: {} bytes, the header alone has {HEADER_LEN}", pack.len()),
        ));
    };
    let header = HeaderRecord::read(header);
    let format = header.format;
    if format > FORMAT_VERSION {
        return Err(Error::new(
            ErrorKind::Newer,
            format!("format version {format}, this reader knows up to {FORMAT_VERSION}: update driven"),
        ));
    }
    if format == 0 || header.kind != KIND_RULES || header.flags != 0 || header.reserved != [0; 8] {
        return Err(Error::malformed("header: a version, kind or reserved field has no meaning"));
    }
    if len > MAX_PACK {
        return Err(Error::malformed("a pack is shorter than 4 GiB"));
    }
    Ok(header)
}

/// Sections follow one another at aligned offsets, outline and bodies last, zeros between, and fill the digested part.
///
/// Of a front, what is there of them.
fn check_tiling(pack: &[u8], table_end: usize, digested: usize, is_front: bool) -> Result<(), Error> {
    let mut end = table_end;
    let mut last_kind = Section::ALL.len() as u32 - 1;
    let table = section_table(pack);
    let last = [Section::Outline as usize, Section::Bodies as usize];
    for index in laid_out(table.len()) {
        let entry = table.at(index);
        let is_here = !is_front || !last.contains(&index);
        let kind = entry.kind;
        match Section::ALL.get(index) {
            Some(&section) if kind == section as u32 && entry.flags == FLAG_CRITICAL => {}
            Some(section) => {
                return Err(Error::malformed(format!(
                    "section table: entry {index} must be `{}`",
                    section.as_str()
                )));
            }
            None if entry.flags == 0 && kind > last_kind => last_kind = kind,
            None if entry.flags == 0 => {
                return Err(Error::malformed(format!("section table: entry {index} is out of order")));
            }
            None => {
                return Err(Error::new(
                    ErrorKind::UnknownSection,
                    format!("section {kind} is critical and unknown to this reader: update driven"),
                ));
            }
        }
        let start = align_up(end);
        if (entry.offset as usize) != start {
            return Err(Error::malformed(format!(
                "section table: entry {index} begins at {}, expected {start}",
                entry.offset
            )));
        }
        if is_here || index == last[0] {
            check_zeros(pack, end, start)?;
        }
        end = start
            .checked_add(entry.len as usize)
            .filter(|&end| end <= digested && (!is_here || end <= pack.len()))
            .ok_or_else(|| Error::malformed(format!("section table: entry {index} ends outside the pack")))?;
    }
    if align_up(end) != digested {
        return Err(Error::malformed("the digested part does not end with its last section"));
    }
    if is_front { Ok(()) } else { check_zeros(pack, end, digested) }
}

fn check_zeros(pack: &[u8], start: usize, end: usize) -> Result<(), Error> {
    match pack.get(start..end) {
        Some(padding) if padding.iter().all(|&byte| byte == 0) => Ok(()),
        _ => Err(Error::malformed(format!("padding at {start} is not zero"))),
    }
}

const _: () = assert!(HEADER_LEN == 64 && ENTRY_LEN == 16);
