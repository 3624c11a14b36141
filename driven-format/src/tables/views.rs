//! Views: what a record says, borrowed from a pack whose tables were checked.

use super::{Tables, agree, utf8};
use crate::container::Section;
use crate::digest::{Canonical, strings};
use crate::error::{Error, ErrorKind};
use crate::model::{Activation, Capabilities, Category, StepKind};
use crate::sections::outline::{self, Nodes, OutlineRecord};
use crate::sections::records::{
    MARK_CAPPED, ManifestRecord, OriginRecord, PersonaRecord, RuleRecord, StepRecord, WorkflowRecord,
};
use crate::wire::{Digest, Record, StrRef, Table};

/// The contexts of the digests of those who own bodies.
pub(crate) const RULE: &str = "driven rule v1";
pub(crate) const PERSONA: &str = "driven persona v1";
pub(crate) const WORKFLOW: &str = "driven workflow v1";

/// Strings in order, borrowed from the pack.
#[derive(Clone, Copy)]
pub struct StrList<'a> {
    pub(super) names: &'a str,
    pub(super) refs: Table<'a, StrRef>,
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
    pub(super) tables: Tables<'a>,
    pub(super) record: ManifestRecord,
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
    pub(super) tables: Tables<'a>,
    pub(super) row: u32,
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
    pub(crate) fn record(&self) -> RuleRecord {
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

    /// What it may do: what it asks for, its pack's manifest allows, and whoever loads the pack grants.
    ///
    /// ```
    /// use driven_format::{Capabilities, Capability, Manifest, PackBuilder, Rule, Tables};
    ///
    /// let set = |words: &[Capability]| words.iter().copied().collect::<Capabilities>();
    /// let mut rule = Rule::new("deploy", "Ship it.\n");
    /// rule.capabilities = set(&[Capability::Exec, Capability::Net]);
    /// let manifest = Manifest { capabilities: set(&[Capability::Exec, Capability::Net]), ..Manifest::default() };
    /// let pack = PackBuilder::default().manifest(manifest).rule(rule).finish()?;
    ///
    /// let tables = Tables::check(&pack)?;
    /// let rule = tables.find_rule("deploy").expect("it is there");
    /// let granted = rule.granted(set(&[Capability::Exec, Capability::FsWrite]));
    /// assert_eq!(granted, set(&[Capability::Exec]));
    /// assert!(rule.granted(Capabilities::NONE).is_empty());
    /// # Ok::<(), driven_format::Error>(())
    /// ```
    pub fn granted(&self, by_loader: Capabilities) -> Capabilities {
        let bounds = self.tables.manifest().capabilities();
        self.capabilities().intersection(bounds).intersection(by_loader)
    }

    fn list(&self, index: usize) -> StrList<'a> {
        let record = self.record();
        let before: u32 = record.list_lens[..index].iter().map(|&len| u32::from(len)).sum();
        self.tables.list(record.lists_start + before, record.list_lens[index].into())
    }

    /// Its lists, one after another.
    pub(crate) fn all_lists(&self) -> StrList<'a> {
        let record = self.record();
        self.tables.list(record.lists_start, record.list_lens.iter().map(|&len| u32::from(len)).sum())
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

    /// Where its records lie in the outline, in bytes.
    #[doc(hidden)]
    #[inline]
    pub fn outline_range(&self) -> core::ops::Range<usize> {
        let record = self.record();
        let start = record.outline_start as usize * OutlineRecord::SIZE;
        start..start + record.outline_len as usize * OutlineRecord::SIZE
    }

    /// Its records in the outline, as they lie there; none of a front, where outlines are elsewhere.
    #[doc(hidden)]
    #[inline]
    pub fn outline_bytes(&self) -> &'a [u8] {
        self.tables.outline().get(self.outline_range()).unwrap_or_default()
    }

    /// Headings and list items, as ranges of the body; of a front none. They are proved with the body, and not before.
    #[doc(hidden)]
    #[inline]
    pub fn stated_outline(&self) -> Nodes<'a> {
        Nodes::of_bytes(self.outline_bytes())
    }

    /// The digest of its meaning, as the pack states it.
    pub fn digest(&self) -> Digest {
        self.tables.digests().at(self.row as usize)
    }

    /// Where its body lies in the bodies.
    #[inline]
    pub fn body_range(&self) -> core::ops::Range<usize> {
        let record = self.record();
        let start = record.body_start as usize;
        start..start + record.body_len as usize
    }

    /// The body, once it is proved: the rule has the digest that the pack states, and no range of the outline cuts a
    /// character. Of a front the bodies are elsewhere.
    ///
    /// # Errors
    /// Another digest, a body that is no text, a front.
    pub fn prove_body(&self) -> Result<&'a str, Error> {
        let Some(bodies) = self.tables.bodies_here() else {
            return Err(Error::new(
                ErrorKind::Truncated,
                "the bodies of this pack are in its file: read the rule",
            ));
        };
        self.prove_body_of(&bodies[self.body_range()], self.outline_bytes())
    }

    /// As [`prove_body`](Self::prove_body), of a body and an outline that lie elsewhere.
    #[doc(hidden)]
    pub fn prove_body_of<'b>(&self, body: &'b [u8], outline: &[u8]) -> Result<&'b str, Error> {
        let found = self.compute_digest(body, outline, &mut Canonical::one(RULE));
        agree(found, self.digest(), "rule", self.id())?;
        let text = utf8(body, "bodies")?;
        outline::check(Table::new(outline), body, false)?;
        Ok(text)
    }

    /// Proves that the body is text and that no range of the outline cuts it.
    ///
    /// Most bodies are ASCII, which is text and has no character that a range could cut. That is asked where `simd` says
    /// that this crate is made for speed; elsewhere it may be unoptimised, `is_ascii` with it, and `core` comes compiled.
    #[inline]
    pub(super) fn check_text(&self, bytes: &[u8]) -> Result<(), Error> {
        let is_ascii = cfg!(feature = "simd") && bytes.is_ascii();
        if !is_ascii {
            utf8(bytes, "bodies")?;
        }
        outline::check(Table::new(self.outline_bytes()), bytes, is_ascii)
    }

    /// The digest of its meaning with this body and outline; `canonical` is one of [`RULE`].
    pub(crate) fn compute_digest(&self, body: &[u8], outline: &[u8], canonical: &mut Canonical) -> Digest {
        // Read once: where nothing is optimised, as in macros, that is most of the work.
        let record = self.record();
        canonical.bytes(body).bytes(outline);
        for text in [record.id, record.description, record.when] {
            canonical.text(self.tables.str(text));
        }
        for number in [record.activation, record.priority, record.category, record.capabilities] {
            canonical.number(number.into());
        }
        let mut start = record.lists_start;
        for len in record.list_lens.map(u32::from) {
            canonical.texts(self.tables.list(start, len).iter());
            start += len;
        }
        canonical.number(record.origins_len.into());
        for origin in self.origins() {
            canonical.text(origin.assistant()).text(origin.path()).text(origin.text());
        }
        canonical.number(body.len() as u64).number(outline.len() as u64).finish()
    }
}

/// What an assistant's own file looked like.
#[derive(Clone, Copy)]
pub struct OriginView<'a> {
    pub(super) tables: Tables<'a>,
    pub(super) record: OriginRecord,
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

    /// What stood in front of the body, byte for byte.
    pub fn text(&self) -> &'a str {
        self.tables.str(self.record.text)
    }
}

/// A persona without its body.
#[derive(Clone, Copy)]
pub struct PersonaHead<'a> {
    pub(super) tables: Tables<'a>,
    pub(crate) record: PersonaRecord,
    pub(super) row: u32,
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

    pub(crate) fn compute_digest(&self, body: &[u8], canonical: &mut Canonical) -> Digest {
        canonical.bytes(body).text(self.id()).text(self.description()).text(self.role());
        canonical.texts(self.traits().iter()).texts(self.principles().iter());
        canonical.number(body.len() as u64).finish()
    }
}

/// A workflow without its body.
#[derive(Clone, Copy)]
pub struct WorkflowHead<'a> {
    pub(super) tables: Tables<'a>,
    pub(crate) record: WorkflowRecord,
    pub(super) row: u32,
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

    pub(crate) fn compute_digest(&self, body: &[u8], canonical: &mut Canonical) -> Digest {
        canonical.bytes(body).text(self.id()).text(self.description());
        canonical.number(u64::from(self.record.steps_len));
        for step in self.steps() {
            canonical.number(u64::from(step.kind().code()));
            canonical.text(step.name()).text(step.text()).text(step.when());
        }
        canonical.number(body.len() as u64).finish()
    }
}

/// One step of a workflow.
#[derive(Clone, Copy)]
pub struct StepView<'a> {
    pub(super) tables: Tables<'a>,
    pub(super) record: StepRecord,
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
