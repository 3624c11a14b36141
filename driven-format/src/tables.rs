//! Checked tables: the reader that everything else stands on.
//!
//! [`Tables::check`] proves the container, the names and every reference; after
//! that no accessor can fail. The bodies are proved apart, all at once or one by
//! one, because touching all text is most of the work of opening a pack.
//!
//! The views of single records are in `views`: `Copy`, borrowed, nothing allocated.

mod views;

use alloc::format;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Range;

use crate::attestation::Attestation;
use crate::container::{self, HEADER_LEN, KIND_ATTESTATION, Section, digested_len, front_len};
use crate::digest::{self, Canonical};
use crate::error::{Error, ErrorKind};
use crate::model::{Activation, Capability, Category, StepKind};
use crate::sections::ids;
use crate::sections::outline::{MAX_BODY, OutlineRecord};
use crate::sections::paths::{PathTables, PathWords};
use crate::sections::postings::{self, PostingKind};
use crate::sections::records::{
    MARK_CAPPED, ManifestRecord, OriginRecord, PersonaRecord, RuleRecord, StepRecord, WorkflowRecord,
};
use crate::wire::{Digest, Record, StrRef, Table, may_refer_to};

pub use views::{ManifestView, OriginView, PersonaHead, RuleHead, StepView, StrList, WorkflowHead};
pub(crate) use views::{PERSONA, RULE, WORKFLOW};

/// The bodies of a pack as text, in one piece or in many, and its outlines where they are elsewhere too.
pub trait Bodies {
    /// A body: its owner counted over rules, personas and workflows, and where it lies when all are end to end.
    ///
    /// Nothing, when that is no range of the text.
    fn body(&self, owner: u32, range: Range<usize>) -> Option<&str>;

    /// The outline of the rule in a row as it is laid out, unless it is in the pack.
    fn outline(&self, row: u32) -> Option<&[u8]> {
        let _ = row;
        None
    }
}

impl Bodies for str {
    fn body(&self, _: u32, range: Range<usize>) -> Option<&str> {
        self.get(range)
    }
}

impl<B: Bodies + ?Sized> Bodies for &B {
    fn body(&self, owner: u32, range: Range<usize>) -> Option<&str> {
        (**self).body(owner, range)
    }

    fn outline(&self, row: u32) -> Option<&[u8]> {
        (**self).outline(row)
    }
}

/// The tables and names of a pack, proved; its bodies are not.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    pack: &'a [u8],
    names: &'a str,
    /// The section that queries ask most, found once.
    rules: Table<'a, RuleRecord>,
    /// Outline and bodies are elsewhere, and what follows them in a whole pack stands behind these tables. The bytes alone
    /// don't say so: short bodies may look like signatures.
    is_front: bool,
}

impl<'a> Tables<'a> {
    /// Proves the structure and the names of `pack`.
    pub fn check(pack: &'a [u8]) -> Result<Self, Error> {
        container::check(pack)?;
        Tables::check_all(pack, false)
    }

    /// Proves the *front* of a pack that has `len` bytes in all: what stands before its outline and bodies, and behind that
    /// what follows its digested part. [`bodies`](Self::bodies) are not to be asked for then, nor what reads them, and
    /// outlines are empty.
    #[doc(hidden)]
    pub fn check_front(front: &'a [u8], len: usize) -> Result<Self, Error> {
        container::check_front(front, len)?;
        Tables::check_all(front, true)
    }

    fn check_all(pack: &'a [u8], is_front: bool) -> Result<Self, Error> {
        check_record_sizes(pack)?;
        let names = utf8(Section::Names.bytes(pack), "names")?;
        let tables = Tables { is_front, ..Tables::assume_checked(pack, names) };
        Checker::new(tables).check()?;
        crate::signatures::check(tables.signature_bytes())?;
        container::optional(pack, KIND_ATTESTATION).map(Attestation::read).transpose()?;
        Ok(tables)
    }

    /// Takes bytes that [`check`](Self::check) accepted, with the names that it found.
    ///
    /// With other bytes every method may panic or give wrong answers; memory stays safe.
    #[doc(hidden)]
    #[inline]
    pub const fn assume_checked(pack: &'a [u8], names: &'a str) -> Self {
        Tables { pack, names, rules: Table::new(Section::Rules.bytes(pack)), is_front: false }
    }

    /// The same for what [`check_front`](Self::check_front) accepted.
    #[doc(hidden)]
    #[inline]
    pub const fn assume_checked_front(front: &'a [u8], names: &'a str) -> Self {
        Tables { pack: front, names, rules: Table::new(Section::Rules.bytes(front)), is_front: true }
    }

    /// Where the names and the bodies lie in a pack that was checked: offset and length of each.
    #[doc(hidden)]
    pub const fn text_ranges(pack: &[u8]) -> [(usize, usize); 2] {
        [Section::Names.range(pack), Section::Bodies.range(pack)]
    }

    /// The length of the front of a pack: where the outline begins. Of bytes that were not checked it is any number; they
    /// are long enough for a section table.
    #[doc(hidden)]
    pub const fn front_len(pack: &[u8]) -> usize {
        container::front_len(pack)
    }

    /// The length of the digested part by the header of bytes that were not checked, at least 64 of them.
    #[doc(hidden)]
    pub fn digested_len_of(pack: &[u8]) -> usize {
        digested_len(pack)
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
        if self.is_front { container::behind_front(self.pack) } else { container::behind_digested(self.pack) }
    }

    /// Length of the part that the digests cover, in bytes.
    pub(crate) fn digested_len(&self) -> usize {
        digested_len(self.pack)
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

    /// The bodies, unless this is a front, which has none.
    pub(crate) fn bodies_here(&self) -> Option<&'a [u8]> {
        (!self.is_front).then(|| self.bodies())
    }

    /// The outline of all rules, unless this is a front, which has none.
    pub(crate) fn outline(&self) -> &'a [u8] {
        if self.is_front { &[] } else { Section::Outline.bytes(self.pack) }
    }

    /// Proves that the bodies are UTF-8 and that no range of them cuts a character.
    ///
    /// Rule by rule, so that a body is still in the cache when its outline is looked at. Bodies lie end to end
    /// and fill their section, so that all of it is UTF-8 then.
    pub fn check_bodies(&self) -> Result<(), Error> {
        let bodies = self.bodies();
        for rule in self.rules() {
            rule.check_text(&bodies[rule.body_range()])?;
        }
        let personas = self.personas().map(|persona| persona.body_range());
        let workflows = self.workflows().map(|workflow| workflow.body_range());
        for range in personas.chain(workflows) {
            utf8(&bodies[range], "bodies")?;
        }
        Ok(())
    }

    /// Proves every digest and all text, in a whole pack; gives the bodies.
    pub fn prove(&self) -> Result<&'a str, Error> {
        self.check_root()?;
        self.check_texts()?;
        let bodies = self.bodies();
        // Each body is looked at while it is still in the cache.
        self.check_digests(
            |_, range| Ok(&bodies[range]),
            RuleHead::outline_bytes,
            |rule, body| match rule {
                Some(rule) => rule.check_text(body),
                None => utf8(body, "bodies").map(|_| ()),
            },
        )?;
        utf8(bodies, "bodies")
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
    #[inline(always)]
    pub fn path_words<'p>(&self, path: &'p str) -> PathWords<'a, 'p> {
        PathWords::new(self.path_tables(), path)
    }

    #[inline]
    pub(crate) fn path_tables(&self) -> PathTables<'a> {
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
        (0..self.persona_records().len()).map(move |row| tables.persona_at(row))
    }

    pub(crate) fn persona_at(&self, row: usize) -> PersonaHead<'a> {
        PersonaHead { tables: *self, record: self.persona_records().at(row), row: row as u32 }
    }

    fn workflow_records(&self) -> Table<'a, WorkflowRecord> {
        self.table(Section::Workflows)
    }

    /// All workflows, by id.
    pub fn workflows(&self) -> impl ExactSizeIterator<Item = WorkflowHead<'a>> + Clone + use<'a> {
        let tables = *self;
        (0..self.workflow_records().len()).map(move |row| tables.workflow_at(row))
    }

    pub(crate) fn workflow_at(&self, row: usize) -> WorkflowHead<'a> {
        WorkflowHead { tables: *self, record: self.workflow_records().at(row), row: row as u32 }
    }

    /// Where the outline and the body of each owner lie in their sections, by a pack, or a front, that was checked.
    #[doc(hidden)]
    pub fn text_of_owners(pack: &[u8]) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
        let tables = Tables::assume_checked(pack, "");
        let range = |start: u32, len: u32| start as usize..start as usize + len as usize;
        let rules = tables.rules().map(|rule| (rule.outline_range(), rule.body_range()));
        let personas = tables.persona_records().iter();
        let personas = personas.map(move |record| (0..0, range(record.body_start, record.body_len)));
        let workflows = tables.workflow_records().iter();
        let workflows = workflows.map(move |record| (0..0, range(record.body_start, record.body_len)));
        rules.chain(personas).chain(workflows)
    }

    /// Where a body lies in the bodies, its owner counted over rules, personas and workflows.
    #[cfg(feature = "patch")]
    pub(crate) fn body_range_of(&self, owner: u32) -> Range<usize> {
        let owner = owner as usize;
        let (rules, personas) = (self.rules.len(), self.persona_records());
        let (start, len) = if owner < rules {
            let record = self.rules.at(owner);
            (record.body_start, record.body_len)
        } else if owner - rules < personas.len() {
            let record = personas.at(owner - rules);
            (record.body_start, record.body_len)
        } else {
            let record = self.workflow_records().at(owner - rules - personas.len());
            (record.body_start, record.body_len)
        };
        start as usize..start as usize + len as usize
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

    /// Proves the root digest: the tables are what it names.
    ///
    /// After this a body and its outline need only agree with their owner's stated digest.
    pub fn check_root(&self) -> Result<(), Error> {
        if digest::root(self.pack) == self.root_digest() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Digest, "the tables do not have the root digest that the pack states"))
    }

    /// The content digest, from the manifest and the digests as stated.
    pub(crate) fn content_of_digests(&self) -> Digest {
        let record = self.manifest_record();
        Canonical::one("driven content v1")
            .bytes(self.digests().bytes())
            .text(self.str(record.name))
            .number(record.version)
            .text(self.str(record.licence))
            .text(self.str(record.description))
            .number(u64::from(record.capabilities))
            .number(u64::from(record.marks))
            .number(self.rule_count() as u64)
            .number(self.persona_records().len() as u64)
            .number(self.workflow_records().len() as u64)
            .finish()
    }

    /// Proves what is derived from content: what [`check_texts_of`](Self::check_texts_of) does, the digest of every rule, persona
    /// and workflow, and the content digest. `bodies` are those of the pack, proved to be text.
    pub fn check_content(&self, bodies: &(impl Bodies + ?Sized)) -> Result<(), Error> {
        self.check_texts_of(bodies)?;
        let outline =
            |rule: &RuleHead<'a>| bodies.outline(rule.row()).unwrap_or_else(|| rule.outline_bytes());
        self.check_digests(|owner, range| body_in(bodies, owner, range), outline, |_, _| Ok(()))
    }

    /// Proves all outlines and bodies of a whole pack at once, by the digest that the tables state of them as they lie, and
    /// that every id finds its row.
    ///
    /// With [`check_root`](Self::check_root) each byte is then what the root digest names. That the stated digests of rules,
    /// personas, workflows and of the content are those of what they name is for [`check_content`](Self::check_content),
    /// which takes more than twice as long.
    pub fn check_texts(&self) -> Result<(), Error> {
        self.check_texts_in(&self.pack[front_len(self.pack)..digested_len(self.pack)])
    }

    /// As [`check_texts`](Self::check_texts), of a copy of all that stands between the front and the end of the digested
    /// part.
    #[doc(hidden)]
    pub fn check_texts_in(&self, texts: &[u8]) -> Result<(), Error> {
        self.check_texts_digest(digest::texts(texts))
    }

    /// As [`check_texts`](Self::check_texts), with the bodies and outlines that belong to a front. A whole pack has its own,
    /// and `bodies` are not looked at.
    pub fn check_texts_of(&self, bodies: &(impl Bodies + ?Sized)) -> Result<(), Error> {
        if !self.is_front {
            return self.check_texts();
        }
        let mut outlines = Vec::with_capacity(self.rule_count());
        let mut texts = Vec::with_capacity(self.digests().len());
        for (owner, (outline_range, range)) in (0..).zip(Tables::text_of_owners(self.pack)) {
            let (len, body) = (range.len(), body_in(bodies, owner, range)?);
            let outline = bodies.outline(owner).filter(|_| (owner as usize) < self.rule_count());
            let outline = outline.unwrap_or_default();
            if body.len() != len || outline.len() != outline_range.len() {
                return Err(Error::malformed(
                    "bodies: a text or an outline is not as long as its record says",
                ));
            }
            outlines.push(outline);
            texts.push(body);
        }
        self.check_texts_digest(digest::texts_of_parts(outlines.into_iter(), texts.into_iter()))
    }

    fn check_texts_digest(&self, found: Digest) -> Result<(), Error> {
        self.check_found()?;
        if found == self.manifest_record().texts {
            return Ok(());
        }
        let message = "the outlines and bodies do not have the digest that the pack states of them";
        Err(Error::new(ErrorKind::Digest, message))
    }

    /// Proves every digest with the bodies and outlines that are given, and calls `then` with each.
    fn check_digests<'b>(
        &self,
        body: impl Fn(u32, Range<usize>) -> Result<&'b [u8], Error>,
        outline: impl Fn(&RuleHead<'a>) -> &'b [u8],
        then: impl Fn(Option<&RuleHead<'a>>, &'b [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.content_of_digests() != self.manifest_record().content {
            return Err(Error::new(
                ErrorKind::Digest,
                "the rules do not have the content digest that the pack states",
            ));
        }
        let mut owners = 0..;
        let mut next = |range| body(owners.next().unwrap_or_default(), range);
        let mut canonical = Canonical::many(views::RULE);
        for rule in self.rules() {
            let body = next(rule.body_range())?;
            let digest = rule.compute_digest(body, outline(&rule), &mut canonical);
            agree(digest, rule.digest(), "rule", rule.id())?;
            then(Some(&rule), body)?;
        }
        let mut canonical = Canonical::many(views::PERSONA);
        for persona in self.personas() {
            let body = next(persona.body_range())?;
            let digest = persona.compute_digest(body, &mut canonical);
            agree(digest, persona.digest(), "persona", persona.id())?;
            then(None, body)?;
        }
        let mut canonical = Canonical::many(views::WORKFLOW);
        for flow in self.workflows() {
            let body = next(flow.body_range())?;
            let digest = flow.compute_digest(body, &mut canonical);
            agree(digest, flow.digest(), "workflow", flow.id())?;
            then(None, body)?;
        }
        Ok(())
    }

    fn check_found(&self) -> Result<(), Error> {
        let ids = Section::Ids.bytes(self.pack);
        if self.rules().all(|rule| ids::candidate(ids, rule.id()) == Some(rule.row)) {
            return Ok(());
        }
        Err(Error::malformed("ids: a rule is not found by its id"))
    }

    /// What the pack says that it was built from.
    pub fn attestation(&self) -> Option<Attestation<'a>> {
        let section = container::optional(self.pack, KIND_ATTESTATION)?;
        Some(Attestation::read(section).expect("it was checked with the tables"))
    }
}

fn body_in<B: Bodies + ?Sized>(bodies: &B, owner: u32, range: Range<usize>) -> Result<&[u8], Error> {
    let start = range.start;
    bodies.body(owner, range).map(str::as_bytes).ok_or_else(|| {
        Error::malformed(format!("bodies: the text at {start} begins or ends within a character"))
    })
}

fn agree(found: Digest, stated: Digest, what: &str, id: &str) -> Result<(), Error> {
    if found == stated {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Digest, format!("{what} `{id}` does not have the digest that the pack states")))
}

#[cfg(feature = "simd")]
pub(crate) fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Error> {
    simdutf8::basic::from_utf8(bytes).or_else(|_| not_text(bytes, what))
}

#[cfg(not(feature = "simd"))]
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
        if section.range(pack).1.is_multiple_of(size) {
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
    /// Bytes of all strings, each as often as it is referred to.
    referred: u64,
}

impl<'a> Checker<'a> {
    fn new(tables: Tables<'a>) -> Self {
        Checker { tables, bodies: 0, lists: 0, outline: 0, origins: 0, steps: 0, referred: 0 }
    }

    fn check(mut self) -> Result<(), Error> {
        let tables = self.tables;
        self.check_manifest()?;
        let refs: Table<'_, StrRef> = tables.table(Section::Lists);
        for reference in refs.iter() {
            if !reference.is_in(tables.names) {
                return Err(Error::malformed("lists: an entry is no range of the names"));
            }
            self.referred += u64::from(reference.len);
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
        }
        if !may_refer_to(self.referred, tables.names) {
            return Err(Error::malformed("names: too much text is referred to too often"));
        }
        self.check_ends()?;
        self.check_order()?;
        self.check_indexes()
    }

    fn check_manifest(&mut self) -> Result<(), Error> {
        let record = self.tables.manifest_record();
        self.strings("manifest", &[record.name, record.licence, record.description])?;
        if self.tables.str(record.name).chars().any(char::is_control) {
            return Err(Error::malformed("manifest: a control character is in the name"));
        }
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
    fn strings(&mut self, what: &str, references: &[StrRef]) -> Result<(), Error> {
        self.referred += references.iter().map(|reference| u64::from(reference.len)).sum::<u64>();
        if references.iter().all(|reference| reference.is_in(self.tables.names)) {
            return Ok(());
        }
        Err(Error::malformed(format!("{what}: a string is no range of the names")))
    }

    fn body(&mut self, what: &str, start: u32, len: u32) -> Result<(), Error> {
        if len as usize > MAX_BODY {
            return Err(Error::malformed(format!("{what}: a body has {len} bytes, the most is {MAX_BODY}")));
        }
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
            ("bodies", self.bodies, Section::Bodies.range(tables.pack).1),
            ("lists", self.lists, tables.table::<StrRef>(Section::Lists).len()),
            ("outline", self.outline, Section::Outline.range(tables.pack).1 / OutlineRecord::SIZE),
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
            .rules
            .iter()
            .map(|record| (Reverse(record.priority), tables.str(record.id)))
            .is_sorted_by(|a, b| a < b);
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
