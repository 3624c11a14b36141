//! The writer of packs: parts in, a front, outlines and bodies out.
//!
//! A part is said anew, by the model, or kept from a pack whose digests are proved: then its digest is taken over
//! and its body is not read. Both give the same bytes, so that a pack that was patched is the one that was built.

mod names;

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::container::{
    ENTRY_LEN, FLAG_CRITICAL, FORMAT_VERSION, HEADER_LEN, HeaderRecord, KIND_RULES, MAGIC, MAX_PACK,
    SECTION_ALIGN, Section, SectionRecord, align_up, digested_len, laid_out,
};
use crate::digest::{self, Canonical};
use crate::error::{Error, ErrorKind};
use crate::glob::GlobList;
use crate::model::{Activation, Category, Manifest, OutlineNode, Persona, Rule, Workflow};
use crate::sections::outline::{MAX_BODY, OutlineRecord};
use crate::sections::paths::{GONE, KeptPaths, PathsBuilder};
use crate::sections::postings::{KeptPostings, PostingKind, PostingsBuilder};
use crate::sections::records::{
    MARK_CAPPED, ManifestRecord, OriginRecord, PersonaRecord, RuleRecord, StepRecord, WorkflowRecord,
};
use crate::sections::{ids, outline};
use crate::tables::{PERSONA, PersonaHead, RULE, RuleHead, Tables, WORKFLOW, WorkflowHead};
use crate::wire::{Digest, Record, StrRef, to_bytes};

use names::Names;

/// Room for what comes behind a front, in bytes: a few signatures.
const BEHIND: usize = 1024;

/// All that goes into one pack, in whatever order.
pub(crate) struct Content<'m> {
    pub(crate) manifest: &'m Manifest,
    pub(crate) rules: Vec<Part<'m, &'m Rule, RuleHead<'m>>>,
    pub(crate) personas: Vec<Part<'m, &'m Persona, PersonaHead<'m>>>,
    pub(crate) workflows: Vec<Part<'m, &'m Workflow, WorkflowHead<'m>>>,
    /// By rising kind.
    pub(crate) optional: Vec<Optional<'m>>,
    /// The pack that rules are kept from, when what it says of their paths is to be taken over.
    pub(crate) base: Option<Tables<'m>>,
    /// The digest of all outlines and bodies as they will lie, where it is known.
    pub(crate) texts: Option<Digest>,
    /// Of the tables that find texts again; the pack is the same with any.
    pub(crate) seed: u64,
}

/// The most that the patterns of all rules may take while their tables are made, in bytes, and what each takes beside its
/// text: few globs with many branches stand for many patterns.
const MAX_PATTERNS: usize = 256 << 20;
const OF_PATTERN: usize = 128;

/// A section that readers may pass over.
#[derive(Clone, Copy)]
pub(crate) struct Optional<'m> {
    pub(crate) kind: u32,
    pub(crate) bytes: &'m [u8],
}

/// A rule, a persona or a workflow, with its body.
pub(crate) struct Part<'m, M, H> {
    pub(crate) said: Said<M, H>,
    pub(crate) body: Body<'m>,
}

/// Where a part comes from: the model, whose own body does not count here, or a pack.
#[derive(Clone, Copy)]
pub(crate) enum Said<M, H> {
    Anew(M),
    #[cfg_attr(not(feature = "patch"), expect(dead_code, reason = "only patches keep anything"))]
    Kept(H),
}

/// A body, and where it is kept from.
#[derive(Clone, Copy)]
pub(crate) struct Body<'m> {
    pub(crate) text: &'m str,
    pub(crate) kept: Option<Kept<'m>>,
}

/// Whose body it is in the pack that it is kept from, and the outline that it has there.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'m> {
    /// Counted over rules, personas and workflows.
    #[cfg_attr(not(feature = "patch"), expect(dead_code, reason = "only patches keep anything"))]
    pub(crate) owner: u32,
    pub(crate) outline: &'m [u8],
}

impl<'m, M, H> Part<'m, M, H> {
    /// A part out of the model.
    pub(crate) fn anew(model: M, body: &'m str) -> Self {
        Part { said: Said::Anew(model), body: Body { text: body, kept: None } }
    }
}

impl<'m> Part<'m, &'m Rule, RuleHead<'m>> {
    fn id(&self) -> &'m str {
        match self.said {
            Said::Anew(rule) => &rule.id,
            Said::Kept(head) => head.id(),
        }
    }

    fn priority(&self) -> u8 {
        match self.said {
            Said::Anew(rule) => rule.priority,
            Said::Kept(head) => head.priority(),
        }
    }

    fn activation(&self) -> Activation {
        match self.said {
            Said::Anew(rule) => rule.activation,
            Said::Kept(head) => head.activation(),
        }
    }

    fn category(&self) -> Option<Category> {
        match self.said {
            Said::Anew(rule) => rule.category,
            Said::Kept(head) => head.category(),
        }
    }

    fn each_tag(&self, add: impl FnMut(&str)) {
        match self.said {
            Said::Anew(rule) => rule.tags.iter().map(String::as_str).for_each(add),
            Said::Kept(head) => head.tags().iter().for_each(add),
        }
    }

    fn each_language(&self, add: impl FnMut(&str)) {
        match self.said {
            Said::Anew(rule) => rule.languages.iter().map(String::as_str).for_each(add),
            Said::Kept(head) => head.languages().iter().for_each(add),
        }
    }

    fn globs(&self) -> Result<GlobList, Error> {
        let list = match self.said {
            Said::Anew(rule) => GlobList::parse(&rule.globs),
            Said::Kept(head) => GlobList::parse(&head.globs().iter().collect::<Vec<_>>()),
        };
        list.map_err(|err| Error::new(ErrorKind::Model, format!("rule `{}`: glob: {err}", self.id())))
    }
}

impl<'m> Part<'m, &'m Persona, PersonaHead<'m>> {
    fn id(&self) -> &'m str {
        match self.said {
            Said::Anew(persona) => &persona.id,
            Said::Kept(head) => head.id(),
        }
    }
}

impl<'m> Part<'m, &'m Workflow, WorkflowHead<'m>> {
    fn id(&self) -> &'m str {
        match self.said {
            Said::Anew(workflow) => &workflow.id,
            Said::Kept(head) => head.id(),
        }
    }
}

/// A pack as it was written: what stands before its outline and bodies, with every digest, and these in order.
pub(crate) struct Written<'m> {
    pub(crate) front: Vec<u8>,
    /// Of each rule, as it is laid out. One that is borrowed is that of the kept body.
    pub(crate) outline: Vec<Cow<'m, [u8]>>,
    pub(crate) bodies: Vec<Body<'m>>,
}

impl Written<'_> {
    /// The whole pack.
    pub(crate) fn into_pack(self) -> Vec<u8> {
        let mut pack = self.front;
        let len = digested_len(&pack);
        pack.reserve_exact(len - pack.len());
        for nodes in &self.outline {
            pack.extend_from_slice(nodes);
        }
        pack.resize(Section::Bodies.range(&pack).0, 0);
        for body in &self.bodies {
            pack.extend_from_slice(body.text.as_bytes());
        }
        pack.resize(len, 0);
        pack
    }
}

/// Writes a pack.
///
/// # Errors
/// Content that has no form as a pack: two parts with one id, a glob without meaning, an outline that is no part of
/// its body, or more than the format holds.
pub(crate) fn write(mut content: Content<'_>) -> Result<Written<'_>, Error> {
    let Content { manifest, rules, personas, workflows, optional, base, texts, seed } = &mut content;
    if manifest.name.chars().any(char::is_control) {
        let message =
            format!("`{}`: a control character is in the pack's name", manifest.name.escape_debug());
        return Err(Error::new(ErrorKind::Model, message));
    }
    sort_rules(rules);
    personas.sort_by_key(Part::<&Persona, _>::id);
    workflows.sort_by_key(Part::<&Workflow, _>::id);
    let rows = base.as_ref().map(|base| rows_now(base, rules));
    let kept = base.as_ref().zip(rows.as_deref());
    match kept {
        Some((base, rows)) => check_new_ids(rules, base, rows)?,
        None => check_ids("rule", rules.iter().map(Part::<&Rule, _>::id))?,
    }
    check_ids("persona", personas.iter().map(Part::<&Persona, _>::id))?;
    check_ids("workflow", workflows.iter().map(Part::<&Workflow, _>::id))?;

    let mut writer = Writer { names: Names::seeded(*seed), ..Writer::default() };
    writer.reserve(rules.len() + personas.len() + workflows.len());
    if let Some((base, _)) = kept {
        writer.names.start_from(base.names());
    }
    writer.intern("");
    let manifest = writer.manifest(manifest);
    for rule in rules.iter() {
        match rule.said {
            Said::Anew(model) => writer.rule(model, rule.body)?,
            Said::Kept(head) => writer.kept_rule(&head, rule.body)?,
        }
    }
    for persona in personas.iter() {
        match persona.said {
            Said::Anew(model) => writer.persona(model, persona.body)?,
            Said::Kept(head) => writer.kept_persona(&head, persona.body)?,
        }
    }
    for workflow in workflows.iter() {
        match workflow.said {
            Said::Anew(model) => writer.workflow(model, workflow.body)?,
            Said::Kept(head) => writer.kept_workflow(&head, workflow.body)?,
        }
    }
    let ids: Vec<&str> = rules.iter().map(Part::<&Rule, _>::id).collect();
    let ids = match kept {
        Some((base, _)) if base.rules().map(|rule| rule.id()).eq(ids.iter().copied()) => {
            Section::Ids.bytes(base.bytes()).to_vec()
        }
        _ => ids::build(&ids)?,
    };
    let paths = writer.paths(rules, kept)?;
    let postings = writer.postings(rules, kept);
    let rules = rules.iter().map(|rule| known_digest(&rule.said, RuleHead::digest));
    let personas = personas.iter().map(|persona| known_digest(&persona.said, PersonaHead::digest));
    let workflows = workflows.iter().map(|workflow| known_digest(&workflow.said, WorkflowHead::digest));
    let known: Vec<Option<Digest>> = rules.chain(personas).chain(workflows).collect();
    writer.assemble(manifest, [&ids, &paths, &postings], optional, &known, *texts)
}

/// Writes a pack that differs from `base` in bodies, their outlines and its version alone; everything else is taken as it
/// lies there. Bodies come in the order of their owners; `outline_of` gives the outlines of rules whose bodies are new.
///
/// # Errors
/// An outline that is no part of its body, or more than the format holds.
#[cfg(feature = "patch")]
pub(crate) fn write_bodies<'m>(
    base: &Tables<'m>,
    version: u64,
    bodies: &[Body<'m>],
    outline_of: impl Fn(usize) -> Option<&'m [OutlineNode]>,
    optional: &[Optional<'_>],
    texts: Digest,
) -> Result<Written<'m>, Error> {
    let mut writer = Writer::default();
    let mut next = bodies.iter().copied();
    let mut known = Vec::with_capacity(bodies.len());
    let mut body_of = |writer: &mut Writer<'m>, id: &str, digest: Digest| {
        let body = next.next().expect("every owner has a body");
        known.push(body.kept.map(|_| digest));
        writer.body(body, id)
    };
    for (row, head) in base.rules().enumerate() {
        let (body_start, body_len) = body_of(&mut writer, head.id(), head.digest())?;
        let (outline_start, outline_len) = writer.outline(outline_of(row), bodies[row], head.id())?;
        let record = RuleRecord { body_start, body_len, outline_start, outline_len, ..head.record() };
        writer.rules.push(record);
    }
    for head in base.personas() {
        let (body_start, body_len) = body_of(&mut writer, head.id(), head.digest())?;
        writer.personas.push(PersonaRecord { body_start, body_len, ..head.record });
    }
    for head in base.workflows() {
        let (body_start, body_len) = body_of(&mut writer, head.id(), head.digest())?;
        writer.workflows.push(WorkflowRecord { body_start, body_len, ..head.record });
    }
    let manifest = ManifestRecord { version, ..base.manifest_record() };
    // A front has no outline and no bodies, and nobody asks for them here.
    let taken_over = |section: &Section| match section {
        Section::Outline | Section::Bodies => &[],
        other => other.bytes(base.bytes()),
    };
    let mut sections: Vec<&[u8]> = Section::ALL.iter().map(taken_over).collect();
    let (manifest, rules) = (to_bytes(&[manifest]), to_bytes(&writer.rules));
    let (personas, workflows) = (to_bytes(&writer.personas), to_bytes(&writer.workflows));
    for (section, bytes) in [
        (Section::Manifest, &*manifest),
        (Section::Rules, &rules),
        (Section::Personas, &personas),
        (Section::Workflows, &workflows),
    ] {
        sections[section as usize] = bytes;
    }
    let mut front = lay_out(&sections, writer.outline_len, writer.bodies_len, optional)?;
    fill_digests(&mut front, base.names(), &writer.outline, &writer.bodies, &known, Some(texts));
    Ok(Written { front, outline: writer.outline, bodies: writer.bodies })
}

/// Sorts rules by falling priority, then by id. Those that are kept are in order among themselves, so that a few new ones
/// behind them are put where they belong.
fn sort_rules<'m>(rules: &mut [Part<'m, &'m Rule, RuleHead<'m>>]) {
    type One<'m> = Part<'m, &'m Rule, RuleHead<'m>>;
    fn order(one: &One<'_>, other: &One<'_>) -> Ordering {
        other.priority().cmp(&one.priority()).then_with(|| one.id().cmp(other.id()))
    }
    let in_order = |one: &One<'m>, other: &One<'m>| match (&one.said, &other.said) {
        (Said::Kept(one), Said::Kept(other)) if one.row() < other.row() => true,
        _ => order(one, other).is_le(),
    };
    let sorted = rules.windows(2).take_while(|pair| in_order(&pair[0], &pair[1])).count() + 1;
    if rules.len() > sorted + MOST_INSERTED {
        rules.sort_by(order);
        return;
    }
    for next in sorted..rules.len() {
        let place = rules[..next].partition_point(|rule| order(rule, &rules[next]).is_le());
        rules[place..=next].rotate_right(1);
    }
}

/// How many rules are put where they belong one by one.
const MOST_INSERTED: usize = 16;

/// By row of `base`: the row that a rule has now.
fn rows_now(base: &Tables<'_>, rules: &[Part<'_, &Rule, RuleHead<'_>>]) -> Vec<u32> {
    let mut rows = vec![GONE; base.rule_count()];
    for (row, rule) in rules.iter().enumerate() {
        if let Said::Kept(head) = rule.said {
            rows[head.row() as usize] = row as u32;
        }
    }
    rows
}

fn known_digest<M, H>(said: &Said<M, H>, digest: impl Fn(&H) -> Digest) -> Option<Digest> {
    match said {
        Said::Anew(_) => None,
        Said::Kept(head) => Some(digest(head)),
    }
}

/// Proves the ids of the rules that are not kept, as [`check_ids`] does all of them.
fn check_new_ids(
    rules: &[Part<'_, &Rule, RuleHead<'_>>],
    base: &Tables<'_>,
    rows: &[u32],
) -> Result<(), Error> {
    let anew = || rules.iter().filter(|rule| matches!(rule.said, Said::Anew(_))).map(Part::<&Rule, _>::id);
    check_ids("rule", anew())?;
    let is_kept = |id: &str| base.find_rule(id).is_some_and(|rule| rows[rule.row() as usize] != GONE);
    match anew().find(|id| is_kept(id)) {
        Some(id) => Err(two_with("rule", id)),
        None => Ok(()),
    }
}

fn two_with(what: &str, id: &str) -> Error {
    Error::new(ErrorKind::Model, format!("two {what}s have the id `{id}`"))
}

fn check_ids<'m>(what: &str, ids: impl Iterator<Item = &'m str>) -> Result<(), Error> {
    let mut ids: Vec<&str> = ids.collect();
    let sound = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
    if let Some(id) = ids.iter().find(|id| !id.split('/').all(sound)) {
        let message =
            format!("`{}` is no id: parts between `/`, none empty, no control characters", id.escape_debug());
        return Err(Error::new(ErrorKind::Model, message));
    }
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(two_with(what, pair[0])),
        None => Ok(()),
    }
}

/// The tables as they grow.
#[derive(Default)]
struct Writer<'m> {
    names: Names<'m>,
    bodies: Vec<Body<'m>>,
    bodies_len: usize,
    rules: Vec<RuleRecord>,
    lists: Vec<StrRef>,
    /// The outline of each rule, and how many bytes all have.
    outline: Vec<Cow<'m, [u8]>>,
    outline_len: usize,
    personas: Vec<PersonaRecord>,
    workflows: Vec<WorkflowRecord>,
    steps: Vec<StepRecord>,
    origins: Vec<OriginRecord>,
}

impl<'m> Writer<'m> {
    /// Makes room for so many rules, personas and workflows.
    fn reserve(&mut self, owners: usize) {
        self.bodies.reserve(owners);
        self.rules.reserve(owners);
        self.outline.reserve(owners);
        self.lists.reserve(2 * owners);
    }

    fn intern(&mut self, text: &str) -> StrRef {
        self.names.intern(text)
    }

    fn manifest(&mut self, manifest: &Manifest) -> ManifestRecord {
        ManifestRecord {
            name: self.intern(&manifest.name),
            version: manifest.version,
            licence: self.intern(&manifest.licence),
            description: self.intern(&manifest.description),
            capabilities: manifest.capabilities.bits().into(),
            marks: if manifest.capped { MARK_CAPPED } else { 0 },
            content: Digest::default(),
            texts: Digest::default(),
        }
    }

    /// Appends a body; gives its start and length.
    fn body(&mut self, body: Body<'m>, owner: &str) -> Result<(u32, u32), Error> {
        let (start, len) = (self.bodies_len, body.text.len());
        if len > MAX_BODY || start + len > MAX_PACK {
            return Err(Error::new(
                ErrorKind::Model,
                format!("`{owner}`: a body has at most {MAX_BODY} bytes, a pack 4 GiB"),
            ));
        }
        self.bodies.push(body);
        self.bodies_len += len;
        Ok((start as u32, len as u32))
    }

    /// Appends lists of strings; gives their start and lengths.
    fn lists<const N: usize>(
        &mut self,
        lists: [&[String]; N],
        owner: &str,
    ) -> Result<(u32, [u16; N]), Error> {
        let start = self.lists.len() as u32;
        let mut lens = [0; N];
        for (len, list) in lens.iter_mut().zip(lists) {
            *len = u16::try_from(list.len()).map_err(|_| {
                Error::new(ErrorKind::Model, format!("`{owner}`: a list has at most 65535 entries"))
            })?;
            self.list(list.iter().map(String::as_str));
        }
        Ok((start, lens))
    }

    fn list<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        for text in texts {
            let place = self.intern(text);
            self.lists.push(place);
        }
    }

    fn kept_list<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        for text in texts {
            let place = self.names.keep(text);
            self.lists.push(place);
        }
    }

    fn origin(&mut self, assistant: &str, path: &str, text: &str) {
        let record = OriginRecord {
            assistant: self.intern(assistant),
            path: self.intern(path),
            text: self.intern(text),
        };
        self.origins.push(record);
    }

    /// Appends the outline of a body, that of the kept one unless nodes are given; gives its start and length.
    fn outline(
        &mut self,
        nodes: Option<&[OutlineNode]>,
        body: Body<'m>,
        id: &str,
    ) -> Result<(u32, u32), Error> {
        let kept: Cow<'m, [u8]> = body.kept.map_or(&[][..], |kept| kept.outline).into();
        let encoded = nodes.map(|nodes| encoded(nodes, body.text, id)).transpose()?;
        let outline = encoded.filter(|nodes| body.kept.is_none() || *nodes != *kept).map_or(kept, Cow::Owned);
        let (start, len) = (self.outline_len / OutlineRecord::SIZE, outline.len() / OutlineRecord::SIZE);
        self.outline_len += outline.len();
        self.outline.push(outline);
        Ok((start as u32, len as u32))
    }

    fn rule(&mut self, rule: &Rule, body: Body<'m>) -> Result<(), Error> {
        let (body_start, body_len) = self.body(body, &rule.id)?;
        let (lists_start, list_lens) = self.lists(rule.lists(), &rule.id)?;
        let (outline_start, outline_len) = self.outline(Some(&rule.outline), body, &rule.id)?;
        let origins_start = self.origins.len() as u32;
        let origins_len = u16::try_from(rule.origins.len())
            .map_err(|_| Error::new(ErrorKind::Model, format!("`{}`: too many origins", rule.id)))?;
        for origin in &rule.origins {
            self.origin(&origin.assistant, &origin.path, &origin.text);
        }
        let record = RuleRecord {
            id: self.intern(&rule.id),
            description: self.intern(&rule.description),
            when: self.intern(&rule.when),
            body_start,
            body_len,
            outline_start,
            outline_len,
            lists_start,
            list_lens,
            origins_start,
            origins_len,
            priority: rule.priority,
            category: rule.category.map_or(0, Category::code),
            activation: rule.activation.code(),
            capabilities: rule.capabilities.bits(),
        };
        self.rules.push(record);
        Ok(())
    }

    fn kept_rule(&mut self, head: &RuleHead<'m>, body: Body<'m>) -> Result<(), Error> {
        let (body_start, body_len) = self.body(body, head.id())?;
        let lists_start = self.lists.len() as u32;
        self.kept_list(head.all_lists().iter());
        let (outline_start, outline_len) = self.outline(None, body, head.id())?;
        let origins_start = self.origins.len() as u32;
        for origin in head.origins() {
            let record = OriginRecord {
                assistant: self.names.keep(origin.assistant()),
                path: self.names.keep(origin.path()),
                text: self.names.keep(origin.text()),
            };
            self.origins.push(record);
        }
        let record = RuleRecord {
            id: self.names.keep(head.id()),
            description: self.names.keep(head.description()),
            when: self.names.keep(head.when()),
            body_start,
            body_len,
            outline_start,
            outline_len,
            lists_start,
            origins_start,
            ..head.record()
        };
        self.rules.push(record);
        Ok(())
    }

    fn persona(&mut self, persona: &Persona, body: Body<'m>) -> Result<(), Error> {
        let (body_start, body_len) = self.body(body, &persona.id)?;
        let (lists_start, list_lens) = self.lists([&persona.traits, &persona.principles], &persona.id)?;
        let record = PersonaRecord {
            id: self.intern(&persona.id),
            description: self.intern(&persona.description),
            role: self.intern(&persona.role),
            body_start,
            body_len,
            lists_start,
            list_lens,
        };
        self.personas.push(record);
        Ok(())
    }

    fn kept_persona(&mut self, head: &PersonaHead<'m>, body: Body<'m>) -> Result<(), Error> {
        let (body_start, body_len) = self.body(body, head.id())?;
        let lists_start = self.lists.len() as u32;
        self.kept_list(head.traits().iter().chain(head.principles().iter()));
        let record = PersonaRecord {
            id: self.names.keep(head.id()),
            description: self.names.keep(head.description()),
            role: self.names.keep(head.role()),
            body_start,
            body_len,
            lists_start,
            ..head.record
        };
        self.personas.push(record);
        Ok(())
    }

    /// A step of a workflow; its texts may be parts of the base.
    fn step(&mut self, kind: u8, [name, text, when]: [&str; 3]) {
        let record = StepRecord {
            name: self.names.keep(name),
            text: self.names.keep(text),
            when: self.names.keep(when),
            kind: kind.into(),
        };
        self.steps.push(record);
    }

    fn workflow(&mut self, workflow: &Workflow, body: Body<'m>) -> Result<(), Error> {
        let steps_start = self.steps.len() as u32;
        for step in &workflow.steps {
            self.step(step.kind.code(), [&step.name, &step.text, &step.when]);
        }
        self.workflow_record(&workflow.id, &workflow.description, steps_start, body)
    }

    fn kept_workflow(&mut self, head: &WorkflowHead<'m>, body: Body<'m>) -> Result<(), Error> {
        let steps_start = self.steps.len() as u32;
        for step in head.steps() {
            self.step(step.kind().code(), [step.name(), step.text(), step.when()]);
        }
        self.workflow_record(head.id(), head.description(), steps_start, body)
    }

    fn workflow_record(
        &mut self,
        id: &str,
        description: &str,
        steps_start: u32,
        body: Body<'m>,
    ) -> Result<(), Error> {
        let (body_start, body_len) = self.body(body, id)?;
        let record = WorkflowRecord {
            id: self.names.keep(id),
            description: self.names.keep(description),
            body_start,
            body_len,
            steps_start,
            steps_len: self.steps.len() as u32 - steps_start,
        };
        self.workflows.push(record);
        Ok(())
    }

    fn paths(
        &mut self,
        rules: &[Part<'_, &Rule, RuleHead<'_>>],
        kept: Option<(&Tables<'_>, &[u32])>,
    ) -> Result<Vec<u8>, Error> {
        let kept = kept.and_then(|(base, rows)| {
            let kept = KeptPaths::new(base.path_tables(), rows)?;
            kept.steps().map(|steps| (kept, steps))
        });
        let (kept, steps) = kept.unzip();
        let mut steps = steps.as_deref().unwrap_or_default();
        let mut builder = PathsBuilder::default();
        let mut room = MAX_PATTERNS;
        for (row, rule) in rules.iter().enumerate() {
            if let (Some(_), Said::Kept(_)) = (&kept, &rule.said) {
                let count = steps.iter().take_while(|step| step.rule == row as u32).count();
                let (own, others) = steps.split_at(count);
                builder.keep(row as u32, own, &mut |text| self.names.keep(text));
                steps = others;
                continue;
            }
            let globs = rule.globs()?;
            let spent =
                globs.steps().flat_map(|(_, plain)| plain).map(|glob| glob.as_str().len() + OF_PATTERN);
            room = room.checked_sub(spent.sum()).ok_or_else(|| {
                Error::new(ErrorKind::Model, "the globs of all rules stand for more than 256 MiB of patterns")
            })?;
            match rule.activation() {
                Activation::Always => builder.everywhere(row as u32),
                Activation::Globs => {
                    builder.scoped(row as u32, &globs, &mut |text| self.names.intern(text));
                }
                Activation::Agent | Activation::Manual | Activation::Off => {}
            }
        }
        Ok(builder.finish(rules.len(), kept.as_ref(), &mut |text| self.names.keep(text)))
    }

    fn postings(
        &mut self,
        rules: &[Part<'_, &Rule, RuleHead<'_>>],
        kept: Option<(&Tables<'_>, &[u32])>,
    ) -> Vec<u8> {
        let kept = kept
            .map(|(base, rows)| KeptPostings::new(Section::Postings.bytes(base.bytes()), base.names(), rows));
        let mut builder = PostingsBuilder::default();
        for (row, rule) in rules.iter().enumerate() {
            if let (Some(_), Said::Kept(_)) = (&kept, &rule.said) {
                continue;
            }
            let row = row as u32;
            builder.add(PostingKind::Activation, rule.activation().as_str(), row);
            if let Some(category) = rule.category() {
                builder.add(PostingKind::Category, category.as_str(), row);
            }
            rule.each_tag(|tag| builder.add(PostingKind::Tag, tag, row));
            rule.each_language(|language| builder.add(PostingKind::Language, language, row));
        }
        builder.finish(kept.as_ref(), &mut |text| self.names.keep(text))
    }

    /// Lays the sections out and fills in the digests, those that are `known` as they are.
    fn assemble(
        self,
        manifest: ManifestRecord,
        [ids, paths, postings]: [&[u8]; 3],
        optional: &[Optional<'_>],
        known: &[Option<Digest>],
        texts: Option<Digest>,
    ) -> Result<Written<'m>, Error> {
        let names = self.names.finish()?;
        let digests = vec![Digest([0; 32]); known.len()];
        let sections: [&[u8]; Section::ALL.len()] = [
            &to_bytes(&[manifest]),
            names.as_bytes(),
            &[],
            &to_bytes(&self.rules),
            &to_bytes(&self.lists),
            &[],
            &to_bytes(&self.personas),
            &to_bytes(&self.workflows),
            &to_bytes(&self.steps),
            &to_bytes(&self.origins),
            &to_bytes(&digests),
            ids,
            paths,
            postings,
        ];
        let mut front = lay_out(&sections, self.outline_len, self.bodies_len, optional)?;
        fill_digests(&mut front, &names, &self.outline, &self.bodies, known, texts);
        Ok(Written { front, outline: self.outline, bodies: self.bodies })
    }
}

/// The outline of a rule as it is laid out.
fn encoded(nodes: &[OutlineNode], body: &str, id: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(nodes.len() * OutlineRecord::SIZE);
    outline::encode(nodes, body, &mut bytes)
        .map_err(|err| Error::new(err.kind(), format!("rule `{id}`: {err}")))?;
    Ok(bytes)
}

fn fill_digests(
    front: &mut [u8],
    names: &str,
    outline: &[Cow<'_, [u8]>],
    bodies: &[Body<'_>],
    known: &[Option<Digest>],
    texts: Option<Digest>,
) {
    let tables = Tables::assume_checked_front(front, names);
    let [mut of_rules, mut of_personas, mut of_workflows] = [RULE, PERSONA, WORKFLOW].map(Canonical::many);
    let mut each = bodies.iter().map(|body| body.text.as_bytes()).zip(known);
    let mut digests = Vec::with_capacity(known.len());
    for ((rule, outline), (body, known)) in tables.rules().zip(outline).zip(each.by_ref()) {
        digests.push(known.unwrap_or_else(|| rule.compute_digest(body, outline, &mut of_rules)));
    }
    for (persona, (body, known)) in tables.personas().zip(each.by_ref()) {
        digests.push(known.unwrap_or_else(|| persona.compute_digest(body, &mut of_personas)));
    }
    for (workflow, (body, known)) in tables.workflows().zip(each) {
        digests.push(known.unwrap_or_else(|| workflow.compute_digest(body, &mut of_workflows)));
    }
    let (start, len) = Section::Digests.range(front);
    front[start..start + len].copy_from_slice(&to_bytes(&digests));

    let tables = Tables::assume_checked_front(front, names);
    let texts = texts.unwrap_or_else(|| {
        let bodies = bodies.iter().map(|body| body.text.as_bytes());
        digest::texts_of_parts(outline.iter().map(|nodes| &**nodes), bodies)
    });
    let manifest = ManifestRecord { content: tables.content_of_digests(), texts, ..tables.manifest_record() };
    let start = Section::Manifest.range(front).0;
    manifest.put(&mut front[start..]);

    let root = digest::root(front);
    front[HEADER_LEN - 32..HEADER_LEN].copy_from_slice(root.as_bytes());
}

/// Header, table and sections with their padding, up to where the outline begins; the root digest is zero.
fn lay_out(
    sections: &[&[u8]],
    outline_len: usize,
    bodies_len: usize,
    optional: &[Optional<'_>],
) -> Result<Vec<u8>, Error> {
    let (outline, bodies) = (Section::Outline as usize, Section::Bodies as usize);
    let known = Section::ALL.iter().zip(sections).map(|(&kind, bytes)| (kind as u32, FLAG_CRITICAL, *bytes));
    let optional = optional.iter().map(|section| (section.kind, 0, section.bytes));
    let all: Vec<(u32, u32, &[u8])> = known.chain(optional).collect();
    let mut lens: Vec<usize> = all.iter().map(|(_, _, bytes)| bytes.len()).collect();
    (lens[outline], lens[bodies]) = (outline_len, bodies_len);
    // No length and no place is cut off below: all of them together have room.
    let head = HEADER_LEN + ENTRY_LEN * all.len();
    let padded = lens.iter().map(|&len| len as u64 + SECTION_ALIGN as u64);
    if padded.sum::<u64>() + head as u64 > MAX_PACK as u64 {
        return Err(Error::new(ErrorKind::Model, "a pack is shorter than 4 GiB"));
    }
    let mut entries: Vec<SectionRecord> = all
        .iter()
        .zip(lens)
        .map(|(&(kind, flags, _), len)| SectionRecord { kind, flags, offset: 0, len: len as u32 })
        .collect();
    let mut end = head;
    for index in laid_out(all.len()) {
        let offset = align_up(end);
        entries[index].offset = offset as u32;
        end = offset + entries[index].len as usize;
    }
    let digested_len = align_up(end);
    let header = HeaderRecord {
        magic: MAGIC,
        format: FORMAT_VERSION,
        kind: KIND_RULES,
        flags: 0,
        section_count: all.len() as u32,
        digested_len: digested_len as u32,
        reserved: [0; 8],
        root: Digest([0; 32]),
    };
    let mut front = Vec::with_capacity(entries[outline].offset as usize + BEHIND);
    front.extend(to_bytes(&[header]));
    front.extend(to_bytes(&entries));
    for index in laid_out(all.len()).take_while(|&index| index != outline) {
        front.resize(align_up(front.len()), 0);
        front.extend_from_slice(all[index].2);
    }
    front.resize(align_up(front.len()), 0);
    Ok(front)
}
