//! Checked tables: the reader that everything else stands on.
//!
//! [`Tables::check`] proves the container, the names and every reference; after
//! that no accessor can fail. The bodies are proved apart, all at once or one by
//! one, because touching all text is most of the work of opening a pack.
//!
//! The views here are `Copy`, borrow the pack and allocate nothing.

use alloc::format;

use crate::container::{self, HEADER_LEN, Section, digested_len};
use crate::digest::{self, Canonical, strings};
use crate::error::{Error, ErrorKind};
use crate::model::{Activation, Capabilities, Capability, Category, RULE_LISTS, StepKind};
use crate::sections::outline::{Nodes, OutlineRecord};
use crate::sections::paths::{PathTables, PathWords};
use crate::sections::postings::{self, PostingKind};
use crate::sections::records::{
    MARK_CAPPED, ManifestRecord, ORIGIN_BOM, ORIGIN_CRLF, OriginRecord, PersonaRecord, RuleRecord,
    StepRecord, WorkflowRecord,
};
use crate::sections::{ids, outline};
use crate::wire::{Digest, Record, StrRef, Table};

/// The tables and names of a pack, proved; its bodies are not.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    pack: &'a [u8],
    names: &'a str,
    /// The section that queries ask most, found once.
    rules: Table<'a, RuleRecord>,
}

impl<'a> Tables<'a> {
    /// Proves the structure and the names of `pack`.
    pub fn check(pack: &'a [u8]) -> Result<Self, Error> {
        container::check(pack)?;
        check_record_sizes(pack)?;
        let names = utf8(Section::Names.bytes(pack), "names")?;
        let tables = Tables::assume_checked(pack, names);
        Checker::new(tables).check()?;
        crate::signatures::check(tables.signature_bytes())?;
        Ok(tables)
    }

    /// Takes bytes that [`check`](Self::check) accepted, with the names that it found.
    ///
    /// With other bytes every method may panic or give wrong answers; memory stays safe.
    #[doc(hidden)]
    #[inline]
    pub const fn assume_checked(pack: &'a [u8], names: &'a str) -> Self {
        Tables { pack, names, rules: Table::new(Section::Rules.bytes(pack)) }
    }

    /// Where the names and the bodies lie in a pack that was checked: offset and length of each.
    #[doc(hidden)]
    pub const fn text_ranges(pack: &[u8]) -> [(usize, usize); 2] {
        [Section::Names.range(pack), Section::Bodies.range(pack)]
    }

    /// The bytes of the pack, signatures included.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.pack
    }

    /// The bytes that the root digest covers, directly or through the rules' digests.
    pub fn digested_bytes(&self) -> &'a [u8] {
        &self.pack[..digested_len(self.pack)]
    }

    /// What follows the digested part.
    pub(crate) fn signature_bytes(&self) -> &'a [u8] {
        &self.pack[digested_len(self.pack)..]
    }

    /// The names area.
    #[inline]
    pub fn names(&self) -> &'a str {
        self.names
    }

    /// The bodies as they lie there, not proved to be text.
    #[inline]
    pub fn bodies(&self) -> &'a [u8] {
        Section::Bodies.bytes(self.pack)
    }

    /// Proves that the bodies are UTF-8 and that no range of them cuts a character.
    ///
    /// Rule by rule, so that a body is still in the cache when its outline is looked at. Bodies lie end to end
    /// and fill their section, so that all of it is UTF-8 then.
    pub fn check_bodies(&self) -> Result<(), Error> {
        let bodies = self.bodies();
        for rule in self.rules() {
            rule.check_body_in(bodies)?;
        }
        let personas = self.personas().map(|persona| persona.body_range());
        let workflows = self.workflows().map(|workflow| workflow.body_range());
        for range in personas.chain(workflows) {
            utf8(&bodies[range], "bodies")?;
        }
        Ok(())
    }

    /// The bodies as text, proved as by [`check_bodies`](Self::check_bodies).
    pub fn checked_bodies(&self) -> Result<&'a str, Error> {
        self.check_bodies()?;
        utf8(self.bodies(), "bodies")
    }

    /// The format version that the pack was written in.
    pub fn format_version(&self) -> u16 {
        u16::from_le_bytes([self.pack[8], self.pack[9]])
    }

    /// The root digest that the pack states: it names the content and its layout.
    pub fn root_digest(&self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(&self.pack[HEADER_LEN - 32..HEADER_LEN]);
        Digest(digest)
    }

    /// Name, offset and length of every section; an unknown one is named by its number.
    pub fn sections(&self) -> impl Iterator<Item = (Option<Section>, u32, usize, usize)> + use<'a> {
        let entries = container::section_table(self.pack).iter().enumerate();
        entries.map(|(index, entry)| {
            (Section::ALL.get(index).copied(), entry.kind, (entry.offset as usize), (entry.len as usize))
        })
    }

    #[inline]
    fn table<R: Record>(&self, section: Section) -> Table<'a, R> {
        Table::new(section.bytes(self.pack))
    }

    #[inline]
    pub(crate) fn manifest_record(&self) -> ManifestRecord {
        self.table(Section::Manifest).at(0)
    }

    /// What the pack says about itself.
    pub fn manifest(&self) -> ManifestView<'a> {
        ManifestView { tables: *self, record: self.manifest_record() }
    }

    /// How many rules there are.
    #[inline]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// The rule in a row.
    #[inline]
    pub fn rule_at(&self, row: u32) -> Option<RuleHead<'a>> {
        ((row as usize) < self.rules.len()).then_some(RuleHead { tables: *self, row })
    }

    /// All rules, by falling priority, then by id.
    pub fn rules(
        &self,
    ) -> impl ExactSizeIterator<Item = RuleHead<'a>> + DoubleEndedIterator + Clone + use<'a> {
        let tables = *self;
        (0..self.rules.len()).map(move |row| RuleHead { tables, row: row as u32 })
    }

    /// The rule with an id: one hash and one comparison.
    #[inline]
    pub fn find_rule(&self, id: &str) -> Option<RuleHead<'a>> {
        let row = ids::candidate(Section::Ids.bytes(self.pack), id)?;
        self.rule_at(row).filter(|rule| rule.id() == id)
    }

    /// The rules for a path, as words of 64 bits.
    #[inline]
    pub fn path_words<'p>(&self, path: &'p str) -> PathWords<'a, 'p> {
        PathWords::new(self.path_tables(), path)
    }

    #[inline]
    fn path_tables(&self) -> PathTables<'a> {
        PathTables::new(Section::Paths.bytes(self.pack), self.names)
    }

    fn posting(&self, kind: PostingKind, text: &str) -> Table<'a, u32> {
        postings::find(Section::Postings.bytes(self.pack), self.names, kind, text)
    }

    /// Rows of the rules with a tag.
    pub fn rows_tagged(&self, tag: &str) -> Table<'a, u32> {
        self.posting(PostingKind::Tag, tag)
    }

    /// Rows of the rules of a category.
    pub fn rows_in(&self, category: Category) -> Table<'a, u32> {
        self.posting(PostingKind::Category, category.as_str())
    }

    /// Rows of the rules for a language.
    pub fn rows_for_language(&self, language: &str) -> Table<'a, u32> {
        self.posting(PostingKind::Language, language)
    }

    /// Rows of the rules with an activation.
    pub fn rows_activated(&self, activation: Activation) -> Table<'a, u32> {
        self.posting(PostingKind::Activation, activation.as_str())
    }

    /// Every tag with the rows that have it, in order.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, Table<'a, u32>)> + use<'a> {
        postings::all(Section::Postings.bytes(self.pack), self.names, PostingKind::Tag)
    }

    fn persona_records(&self) -> Table<'a, PersonaRecord> {
        self.table(Section::Personas)
    }

    /// All personas, by id.
    pub fn personas(&self) -> impl ExactSizeIterator<Item = PersonaHead<'a>> + Clone + use<'a> {
        let tables = *self;
        let records = self.persona_records().iter().enumerate();
        records.map(move |(row, record)| PersonaHead { tables, record, row: row as u32 })
    }

    fn workflow_records(&self) -> Table<'a, WorkflowRecord> {
        self.table(Section::Workflows)
    }

    /// All workflows, by id.
    pub fn workflows(&self) -> impl ExactSizeIterator<Item = WorkflowHead<'a>> + Clone + use<'a> {
        let tables = *self;
        let records = self.workflow_records().iter().enumerate();
        records.map(move |(row, record)| WorkflowHead { tables, record, row: row as u32 })
    }

    #[inline]
    fn digests(&self) -> Table<'a, Digest> {
        self.table(Section::Digests)
    }

    fn list(&self, start: u32, len: u32) -> StrList<'a> {
        StrList { names: self.names, refs: self.table(Section::Lists).part(start, len) }
    }

    #[inline]
    fn str(&self, reference: StrRef) -> &'a str {
        reference.of(self.names)
    }

    /// Proves the root digest, which covers everything but the bodies, and the content digest.
    ///
    /// After this a body need only agree with its owner's stated digest.
    pub fn check_root(&self) -> Result<(), Error> {
        if digest::root(self.pack) != self.root_digest() {
            return Err(Error::new(
                ErrorKind::Digest,
                "the tables do not have the root digest that the pack states",
            ));
        }
        if self.content_of_digests() != self.manifest_record().content {
            return Err(Error::new(
                ErrorKind::Digest,
                "the rules do not have the content digest that the pack states",
            ));
        }
        let found =
            self.rules().all(|rule| self.find_rule(rule.id()).is_some_and(|found| found.row == rule.row));
        if found { Ok(()) } else { Err(Error::malformed("ids: a rule is not found by its id")) }
    }

    /// The content digest, from the manifest and the digests as stated.
    pub(crate) fn content_of_digests(&self) -> Digest {
        let record = self.manifest_record();
        let mut canonical = Canonical::new("driven content v1");
        canonical
            .text(self.str(record.name))
            .number(record.version)
            .text(self.str(record.licence))
            .text(self.str(record.description))
            .number(u64::from(record.capabilities))
            .number(u64::from(record.marks));
        let mut digests = self.digests().iter();
        let mut group = |ids: &mut dyn ExactSizeIterator<Item = &'a str>| {
            canonical.number(ids.len() as u64);
            for (id, digest) in ids.zip(digests.by_ref()) {
                canonical.text(id).digest(&digest);
            }
        };
        group(&mut self.rules().map(|rule| rule.id()));
        group(&mut self.personas().map(|persona| persona.id()));
        group(&mut self.workflows().map(|workflow| workflow.id()));
        canonical.finish()
    }

    /// Proves the digest of every body's owner. `bodies` is what [`checked_bodies`](Self::checked_bodies) gave.
    pub fn check_owners(&self, bodies: &str) -> Result<(), Error> {
        let body = |start: u32, len: u32| slice_body(bodies, start, len);
        for rule in self.rules() {
            rule.check_digest(body(rule.record().body_start, rule.record().body_len)?)?;
        }
        for persona in self.personas() {
            let digest = persona.compute_digest(body(persona.record.body_start, persona.record.body_len)?);
            agree(digest, persona.digest(), "persona", persona.id())?;
        }
        for workflow in self.workflows() {
            let digest = workflow.compute_digest(body(workflow.record.body_start, workflow.record.body_len)?);
            agree(digest, workflow.digest(), "workflow", workflow.id())?;
        }
        Ok(())
    }
}

fn agree(found: Digest, stated: Digest, what: &str, id: &str) -> Result<(), Error> {
    if found == stated {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Digest, format!("{what} `{id}` does not have the digest that the pack states")))
}

fn slice_body(bodies: &str, start: u32, len: u32) -> Result<&str, Error> {
    let start = start as usize;
    let body = bodies.get(start..start + (len as usize));
    body.ok_or_else(|| {
        Error::malformed(format!("bodies: the text at {start} begins or ends within a character"))
    })
}

#[cfg(feature = "std")]
pub(crate) fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Error> {
    simdutf8::basic::from_utf8(bytes).or_else(|_| not_text(bytes, what))
}

#[cfg(not(feature = "std"))]
pub(crate) fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Error> {
    core::str::from_utf8(bytes).or_else(|_| not_text(bytes, what))
}

#[cold]
fn not_text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Error> {
    core::str::from_utf8(bytes)
        .map_err(|err| Error::malformed(format!("{what}: not UTF-8 at byte {}", err.valid_up_to())))
}

/// Proves that the sections of fixed records hold whole records.
fn check_record_sizes(pack: &[u8]) -> Result<(), Error> {
    let whole = |section: Section, size: usize| {
        if section.bytes(pack).len().is_multiple_of(size) {
            return Ok(());
        }
        Err(Error::malformed(format!("{}: its length is no multiple of {size}", section.as_str())))
    };
    whole(Section::Rules, RuleRecord::SIZE)?;
    whole(Section::Lists, StrRef::SIZE)?;
    whole(Section::Outline, OutlineRecord::SIZE)?;
    whole(Section::Personas, PersonaRecord::SIZE)?;
    whole(Section::Workflows, WorkflowRecord::SIZE)?;
    whole(Section::Steps, StepRecord::SIZE)?;
    whole(Section::Origins, OriginRecord::SIZE)?;
    whole(Section::Digests, Digest::SIZE)?;
    if Section::Manifest.bytes(pack).len() != ManifestRecord::SIZE {
        return Err(Error::malformed("manifest: there is exactly one record"));
    }
    Ok(())
}

/// Proves every record; counts how far the tables that records tile have come.
struct Checker<'a> {
    tables: Tables<'a>,
    bodies: u64,
    lists: u64,
    outline: u64,
    origins: u64,
    steps: u64,
}

impl<'a> Checker<'a> {
    fn new(tables: Tables<'a>) -> Self {
        Checker { tables, bodies: 0, lists: 0, outline: 0, origins: 0, steps: 0 }
    }

    fn check(mut self) -> Result<(), Error> {
        let tables = self.tables;
        self.check_manifest()?;
        let refs: Table<'_, StrRef> = tables.table(Section::Lists);
        if !refs.iter().all(|reference| reference.is_in(tables.names)) {
            return Err(Error::malformed("lists: an entry is no range of the names"));
        }
        for record in tables.rules.iter() {
            self.check_rule(&record)?;
        }
        for record in tables.persona_records().iter() {
            self.strings("personas", &[record.id, record.description, record.role])?;
            self.body("personas", record.body_start, record.body_len)?;
            self.lists("personas", record.lists_start, &record.list_lens)?;
        }
        for record in tables.workflow_records().iter() {
            self.strings("workflows", &[record.id, record.description])?;
            self.body("workflows", record.body_start, record.body_len)?;
            tile("workflows", &mut self.steps, record.steps_start, record.steps_len)?;
        }
        for record in tables.table::<StepRecord>(Section::Steps).iter() {
            self.strings("steps", &[record.name, record.text, record.when])?;
            known("steps", StepKind::from_code(record.kind.min(255) as u8).is_some())?;
        }
        for record in tables.table::<OriginRecord>(Section::Origins).iter() {
            self.strings("origins", &[record.assistant, record.path, record.text])?;
            known("origins", record.flags <= ORIGIN_BOM | ORIGIN_CRLF)?;
        }
        self.check_ends()?;
        self.check_order()?;
        self.check_indexes()
    }

    fn check_manifest(&self) -> Result<(), Error> {
        let record = self.tables.manifest_record();
        self.strings("manifest", &[record.name, record.licence, record.description])?;
        known("manifest", record.capabilities < 1 << Capability::ALL.len() && record.marks <= MARK_CAPPED)
    }

    #[inline]
    fn check_rule(&mut self, record: &RuleRecord) -> Result<(), Error> {
        self.strings("rules", &[record.id, record.description, record.when])?;
        self.body("rules", record.body_start, record.body_len)?;
        self.lists("rules", record.lists_start, &record.list_lens)?;
        tile("rules", &mut self.origins, record.origins_start, u32::from(record.origins_len))?;
        let category = record.category == 0 || Category::from_code(record.category).is_some();
        known("rules", category && Activation::from_code(record.activation).is_some())?;
        tile("rules", &mut self.outline, record.outline_start, record.outline_len)?;
        Ok(())
    }

    #[inline]
    fn strings(&self, what: &str, references: &[StrRef]) -> Result<(), Error> {
        if references.iter().all(|reference| reference.is_in(self.tables.names)) {
            return Ok(());
        }
        Err(Error::malformed(format!("{what}: a string is no range of the names")))
    }

    fn body(&mut self, what: &str, start: u32, len: u32) -> Result<(), Error> {
        tile(what, &mut self.bodies, start, len)
    }

    fn lists(&mut self, what: &str, start: u32, lens: &[u16]) -> Result<(), Error> {
        tile(what, &mut self.lists, start, lens.iter().map(|&len| u32::from(len)).sum())
    }

    /// What the records tile ends where its table ends.
    fn check_ends(&self) -> Result<(), Error> {
        let tables = &self.tables;
        let owners = tables.rule_count() + tables.persona_records().len() + tables.workflow_records().len();
        let ends = [
            ("bodies", self.bodies, tables.bodies().len()),
            ("lists", self.lists, tables.table::<StrRef>(Section::Lists).len()),
            ("outline", self.outline, tables.table::<OutlineRecord>(Section::Outline).len()),
            ("origins", self.origins, tables.table::<OriginRecord>(Section::Origins).len()),
            ("steps", self.steps, tables.table::<StepRecord>(Section::Steps).len()),
            ("digests", owners as u64, tables.digests().len()),
        ];
        match ends.iter().find(|(_, used, len)| *used != *len as u64) {
            Some((what, used, len)) => {
                Err(Error::malformed(format!("{what}: {len} entries or bytes, of which records use {used}")))
            }
            None => Ok(()),
        }
    }

    /// Rules by falling priority and rising id, personas and workflows by rising id: no id twice.
    fn check_order(&self) -> Result<(), Error> {
        let tables = self.tables;
        let rules = tables
            .rules()
            .is_sorted_by(|a, b| b.priority().cmp(&a.priority()).then_with(|| a.id().cmp(b.id())).is_lt());
        let personas = tables.personas().is_sorted_by(|a, b| a.id() < b.id());
        let workflows = tables.workflows().is_sorted_by(|a, b| a.id() < b.id());
        if rules && personas && workflows { Ok(()) } else { Err(Error::malformed("rows are not in order")) }
    }

    fn check_indexes(&self) -> Result<(), Error> {
        let tables = &self.tables;
        let count = tables.rule_count() as u32;
        ids::check(Section::Ids.bytes(tables.pack), count)?;
        tables.path_tables().check(count)?;
        postings::check(Section::Postings.bytes(tables.pack), tables.names, count)
    }
}

/// `start` is where the last one ended; moves on by `len`.
#[inline]
fn tile(what: &str, end: &mut u64, start: u32, len: u32) -> Result<(), Error> {
    if u64::from(start) != *end {
        return Err(Error::malformed(format!("{what}: a range begins at {start}, expected {end}")));
    }
    *end += u64::from(len);
    Ok(())
}

#[inline]
fn known(what: &str, known: bool) -> Result<(), Error> {
    if known { Ok(()) } else { Err(Error::malformed(format!("{what}: a code or flag has no meaning"))) }
}

/// Strings in order, borrowed from the pack.
#[derive(Clone, Copy)]
pub struct StrList<'a> {
    names: &'a str,
    refs: Table<'a, StrRef>,
}

impl<'a> StrList<'a> {
    /// How many strings.
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty()
    }

    /// The string at `index`.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.refs.get(index).map(|reference| reference.of(self.names))
    }

    /// The strings.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + Clone + use<'a> {
        strings(self.names, self.refs)
    }

    /// Whether `text` is one of them.
    pub fn contains(&self, text: &str) -> bool {
        self.iter().any(|one| one == text)
    }
}

impl core::fmt::Debug for StrList<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What the pack says about itself.
#[derive(Clone, Copy)]
pub struct ManifestView<'a> {
    tables: Tables<'a>,
    record: ManifestRecord,
}

impl<'a> ManifestView<'a> {
    /// The pack's name; may be empty.
    pub fn name(&self) -> &'a str {
        self.tables.str(self.record.name)
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.record.version
    }

    /// An SPDX licence expression; may be empty.
    pub fn licence(&self) -> &'a str {
        self.tables.str(self.record.licence)
    }

    /// One line for people; may be empty.
    pub fn description(&self) -> &'a str {
        self.tables.str(self.record.description)
    }

    /// The most that its rules may ask for.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::from_bits(self.record.capabilities as u8)
    }

    /// Whether a security finding was let through when the pack was built.
    pub fn is_capped(&self) -> bool {
        self.record.marks & MARK_CAPPED != 0
    }

    /// The digest of the content, which does not depend on its layout.
    pub fn content_digest(&self) -> Digest {
        self.record.content
    }
}

/// A rule without its body.
#[derive(Clone, Copy)]
pub struct RuleHead<'a> {
    tables: Tables<'a>,
    row: u32,
}

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident = $index:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> StrList<'a> {
            self.list($index)
        }
    )*};
}

impl<'a> RuleHead<'a> {
    #[inline(always)]
    fn record(&self) -> RuleRecord {
        self.tables.rules.at(self.row as usize)
    }

    /// The row in this pack.
    #[inline]
    pub fn row(&self) -> u32 {
        self.row
    }

    /// The id.
    #[inline]
    pub fn id(&self) -> &'a str {
        self.tables.str(self.record().id)
    }

    /// One line; may be empty.
    #[inline]
    pub fn description(&self) -> &'a str {
        self.tables.str(self.record().description)
    }

    /// A predicate; may be empty.
    pub fn when(&self) -> &'a str {
        self.tables.str(self.record().when)
    }

    /// When it takes part.
    #[inline]
    pub fn activation(&self) -> Activation {
        Activation::from_code(self.record().activation).expect("codes were checked with the tables")
    }

    /// 0 to 255; higher comes first.
    #[inline]
    pub fn priority(&self) -> u8 {
        self.record().priority
    }

    /// What it is about.
    pub fn category(&self) -> Option<Category> {
        Category::from_code(self.record().category)
    }

    /// What it asks for.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::from_bits(self.record().capabilities)
    }

    fn list(&self, index: usize) -> StrList<'a> {
        let record = self.record();
        let before: u32 = record.list_lens[..index].iter().map(|&len| u32::from(len)).sum();
        self.tables.list(record.lists_start + before, record.list_lens[index].into())
    }

    lists! {
        /// Its patterns as they were written.
        globs = 0;
        /// Words to select by.
        tags = 1;
        /// Programming languages that it speaks about.
        languages = 2;
        /// Assistants that get it; empty for all.
        targets = 3;
        /// Rules that it needs.
        requires = 4;
        /// Rules that it can't stand beside.
        conflicts = 5;
        /// Rules that it takes the place of.
        replaces = 6;
    }

    /// Assistants' own frontmatter.
    pub fn origins(&self) -> impl ExactSizeIterator<Item = OriginView<'a>> + Clone + use<'a> {
        let tables = self.tables;
        let record = self.record();
        let own = tables.table(Section::Origins).part(record.origins_start, record.origins_len.into());
        own.iter().map(move |record| OriginView { tables, record })
    }

    #[inline]
    fn outline_records(&self) -> Table<'a, OutlineRecord> {
        self.tables.table(Section::Outline).part(self.record().outline_start, self.record().outline_len)
    }

    /// Headings and list items, as ranges of the body; they are proved with the body.
    #[inline]
    pub fn outline(&self) -> Nodes<'a> {
        Nodes::new(self.outline_records())
    }

    /// The digest of its meaning, as the pack states it.
    pub fn digest(&self) -> Digest {
        self.tables.digests().at(self.row as usize)
    }

    /// Where its body lies in the bodies.
    #[inline]
    pub fn body_range(&self) -> core::ops::Range<usize> {
        let start = self.record().body_start as usize;
        start..start + (self.record().body_len as usize)
    }

    /// The body, once it was proved to be text that no range of the outline cuts.
    pub fn check_body(&self) -> Result<&'a str, Error> {
        let bytes = &self.tables.bodies()[self.body_range()];
        let body = utf8(bytes, "bodies")?;
        outline::check(self.outline_records(), bytes, false)?;
        Ok(body)
    }

    /// Proves the body as [`check_body`](Self::check_body). Most bodies are ASCII, which is text and has no
    /// character that a range could cut; the others are soon found not to be.
    #[inline]
    fn check_body_in(&self, bodies: &'a [u8]) -> Result<(), Error> {
        let bytes = &bodies[self.body_range()];
        let is_ascii = bytes.is_ascii();
        if !is_ascii {
            utf8(bytes, "bodies")?;
        }
        outline::check(self.outline_records(), bytes, is_ascii)
    }

    /// Proves that the rule with this body has the digest that the pack states.
    pub fn check_digest(&self, body: &str) -> Result<(), Error> {
        agree(self.compute_digest(body), self.digest(), "rule", self.id())
    }

    /// The digest of its meaning with this body.
    pub(crate) fn compute_digest(&self, body: &str) -> Digest {
        let mut canonical = Canonical::new("driven rule v1");
        canonical
            .text(self.id())
            .text(self.description())
            .text(self.when())
            .number(u64::from(self.record().activation))
            .number(u64::from(self.record().priority))
            .number(u64::from(self.record().category))
            .number(u64::from(self.record().capabilities));
        for index in 0..RULE_LISTS {
            canonical.texts(self.list(index).iter());
        }
        canonical.number(u64::from(self.record().origins_len));
        for origin in self.origins() {
            canonical.text(origin.assistant()).text(origin.path()).text(origin.text());
            canonical.number(u64::from(origin.record.flags));
        }
        canonical.text(body).nodes(self.outline()).finish()
    }
}

/// What an assistant's own file looked like.
#[derive(Clone, Copy)]
pub struct OriginView<'a> {
    tables: Tables<'a>,
    record: OriginRecord,
}

impl<'a> OriginView<'a> {
    /// The assistant's name.
    pub fn assistant(&self) -> &'a str {
        self.tables.str(self.record.assistant)
    }

    /// Where the file lay; may be empty.
    pub fn path(&self) -> &'a str {
        self.tables.str(self.record.path)
    }

    /// The frontmatter between its fences.
    pub fn text(&self) -> &'a str {
        self.tables.str(self.record.text)
    }

    /// Whether the file began with a byte-order mark.
    pub fn has_byte_order_mark(&self) -> bool {
        self.record.flags & ORIGIN_BOM != 0
    }

    /// Whether its lines ended with carriage return and line feed.
    pub fn is_crlf(&self) -> bool {
        self.record.flags & ORIGIN_CRLF != 0
    }
}

/// A persona without its body.
#[derive(Clone, Copy)]
pub struct PersonaHead<'a> {
    tables: Tables<'a>,
    record: PersonaRecord,
    row: u32,
}

impl<'a> PersonaHead<'a> {
    /// The id.
    pub fn id(&self) -> &'a str {
        self.tables.str(self.record.id)
    }

    /// One line; may be empty.
    pub fn description(&self) -> &'a str {
        self.tables.str(self.record.description)
    }

    /// The role in a few words.
    pub fn role(&self) -> &'a str {
        self.tables.str(self.record.role)
    }

    /// How it behaves.
    pub fn traits(&self) -> StrList<'a> {
        self.tables.list(self.record.lists_start, self.record.list_lens[0].into())
    }

    /// What it holds to.
    pub fn principles(&self) -> StrList<'a> {
        let [traits, principles] = self.record.list_lens.map(u32::from);
        self.tables.list(self.record.lists_start + traits, principles)
    }

    /// The digest of its meaning, as the pack states it.
    pub fn digest(&self) -> Digest {
        self.tables.digests().at(self.tables.rule_count() + self.row as usize)
    }

    /// Where its body lies in the bodies.
    pub fn body_range(&self) -> core::ops::Range<usize> {
        let start = self.record.body_start as usize;
        start..start + (self.record.body_len as usize)
    }

    pub(crate) fn compute_digest(&self, body: &str) -> Digest {
        let mut canonical = Canonical::new("driven persona v1");
        canonical.text(self.id()).text(self.description()).text(self.role());
        canonical.texts(self.traits().iter()).texts(self.principles().iter());
        canonical.text(body).finish()
    }
}

/// A workflow without its body.
#[derive(Clone, Copy)]
pub struct WorkflowHead<'a> {
    tables: Tables<'a>,
    record: WorkflowRecord,
    row: u32,
}

impl<'a> WorkflowHead<'a> {
    /// The id.
    pub fn id(&self) -> &'a str {
        self.tables.str(self.record.id)
    }

    /// One line; may be empty.
    pub fn description(&self) -> &'a str {
        self.tables.str(self.record.description)
    }

    /// What is done, in order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = StepView<'a>> + Clone + use<'a> {
        let tables = self.tables;
        let own = tables.table(Section::Steps).part(self.record.steps_start, self.record.steps_len);
        own.iter().map(move |record| StepView { tables, record })
    }

    /// The digest of its meaning, as the pack states it.
    pub fn digest(&self) -> Digest {
        let before = self.tables.rule_count() + self.tables.persona_records().len();
        self.tables.digests().at(before + self.row as usize)
    }

    /// Where its body lies in the bodies.
    pub fn body_range(&self) -> core::ops::Range<usize> {
        let start = self.record.body_start as usize;
        start..start + (self.record.body_len as usize)
    }

    pub(crate) fn compute_digest(&self, body: &str) -> Digest {
        let mut canonical = Canonical::new("driven workflow v1");
        canonical.text(self.id()).text(self.description());
        canonical.number(u64::from(self.record.steps_len));
        for step in self.steps() {
            canonical.number(u64::from(step.kind().code()));
            canonical.text(step.name()).text(step.text()).text(step.when());
        }
        canonical.text(body).finish()
    }
}

/// One step of a workflow.
#[derive(Clone, Copy)]
pub struct StepView<'a> {
    tables: Tables<'a>,
    record: StepRecord,
}

impl<'a> StepView<'a> {
    /// What it asks for.
    pub fn kind(&self) -> StepKind {
        StepKind::from_code(self.record.kind as u8).expect("codes were checked with the tables")
    }

    /// Its name; may be empty.
    pub fn name(&self) -> &'a str {
        self.tables.str(self.record.name)
    }

    /// The prompt, the command, the condition or the question.
    pub fn text(&self) -> &'a str {
        self.tables.str(self.record.text)
    }

    /// A predicate; empty for always.
    pub fn when(&self) -> &'a str {
        self.tables.str(self.record.when)
    }
}
