//! From the model to bytes.
//!
//! The same model gives the same bytes, in whatever order its parts were given:
//! nothing here looks at a clock, an address or a map's order.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::attestation::Attestation;
use crate::container::{
    ENTRY_LEN, FLAG_CRITICAL, FORMAT_VERSION, HEADER_LEN, HeaderRecord, KIND_ATTESTATION, KIND_RULES, MAGIC,
    MAX_PACK, Section, SectionRecord, align_up,
};
use crate::digest::{self, Canonical};
use crate::error::{Error, ErrorKind};
use crate::glob::GlobList;
use crate::model::{Activation, Manifest, Persona, Rule, RuleSet, Workflow};
use crate::sections::outline::{MAX_BODY, OutlineRecord};
use crate::sections::paths::PathsBuilder;
use crate::sections::postings::{PostingKind, PostingsBuilder};
use crate::sections::records::{
    MARK_CAPPED, ManifestRecord, OriginRecord, PersonaRecord, RuleRecord, StepRecord, WorkflowRecord,
};
use crate::sections::{ids, outline};
use crate::tables::{PERSONA, RULE, Tables, WORKFLOW};
use crate::wire::{Digest, Record, StrRef, to_bytes};

/// Builds a pack from a model.
///
/// ```
/// use driven_format::{PackBuilder, Rule, Tables};
///
/// let mut rule = Rule::new("no-panics", "Return errors; do not panic.\n");
/// rule.globs = vec!["src/**/*.rs".into()];
/// rule.activation = driven_format::Activation::Globs;
/// let pack = PackBuilder::new("house-rules", 1).rule(rule).finish()?;
///
/// let tables = Tables::check(&pack)?;
/// assert_eq!(tables.find_rule("no-panics").map(|rule| rule.globs().len()), Some(1));
/// # Ok::<(), driven_format::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PackBuilder {
    set: RuleSet,
}

impl PackBuilder {
    /// A pack with a name and a version, and nothing in it.
    pub fn new(name: impl Into<String>, version: u64) -> Self {
        let manifest = Manifest { name: name.into(), version, ..Manifest::default() };
        PackBuilder { set: RuleSet { manifest, ..RuleSet::default() } }
    }

    /// Replaces what the pack says about itself.
    #[must_use]
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.set.manifest = manifest;
        self
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.set.rules.push(rule);
        self
    }

    /// Adds a persona.
    #[must_use]
    pub fn persona(mut self, persona: Persona) -> Self {
        self.set.personas.push(persona);
        self
    }

    /// Adds a workflow.
    #[must_use]
    pub fn workflow(mut self, workflow: Workflow) -> Self {
        self.set.workflows.push(workflow);
        self
    }

    /// The bytes of the pack, unsigned.
    ///
    /// # Errors
    /// Two parts with one id, a glob without meaning, an outline that is no part
    /// of its body, or more than the format holds.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        write_pack(&self.set)
    }
}

/// Writes a pack; [`PackBuilder::finish`] for a model that is already whole.
pub fn write_pack(set: &RuleSet) -> Result<Vec<u8>, Error> {
    write(set, None)
}

/// Writes a pack that says what it was built from.
///
/// # Errors
/// As [`PackBuilder::finish`]; and an attestation that is not printable ASCII.
pub fn write_attested(set: &RuleSet, attestation: &Attestation<'_>) -> Result<Vec<u8>, Error> {
    write(set, Some(&attestation.render()?))
}

fn write(set: &RuleSet, attestation: Option<&str>) -> Result<Vec<u8>, Error> {
    let mut rules: Vec<&Rule> = set.rules.iter().collect();
    rules.sort_by(|a, b| (Reverse(a.priority), &a.id).cmp(&(Reverse(b.priority), &b.id)));
    let mut personas: Vec<&Persona> = set.personas.iter().collect();
    personas.sort_by(|a, b| a.id.cmp(&b.id));
    let mut workflows: Vec<&Workflow> = set.workflows.iter().collect();
    workflows.sort_by(|a, b| a.id.cmp(&b.id));
    check_ids("rule", rules.iter().map(|rule| rule.id.as_str()))?;
    check_ids("persona", personas.iter().map(|persona| persona.id.as_str()))?;
    check_ids("workflow", workflows.iter().map(|workflow| workflow.id.as_str()))?;

    let mut writer = Writer::default();
    writer.intern("");
    let manifest = writer.manifest(&set.manifest);
    for rule in &rules {
        writer.rule(rule)?;
    }
    for persona in personas {
        writer.persona(persona)?;
    }
    for workflow in workflows {
        writer.workflow(workflow)?;
    }
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let ids = ids::build(&ids)?;
    let paths = writer.paths(&rules)?;
    let postings = writer.postings(&rules);
    writer.assemble(manifest, [&ids, &paths, &postings], attestation)
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
        Some(pair) => Err(Error::new(ErrorKind::Model, format!("two {what}s have the id `{}`", pair[0]))),
        None => Ok(()),
    }
}

/// The tables as they grow.
#[derive(Default)]
struct Writer {
    names: String,
    interned: BTreeMap<String, StrRef>,
    bodies: String,
    rules: Vec<RuleRecord>,
    lists: Vec<StrRef>,
    outline: Vec<OutlineRecord>,
    personas: Vec<PersonaRecord>,
    workflows: Vec<WorkflowRecord>,
    steps: Vec<StepRecord>,
    origins: Vec<OriginRecord>,
}

impl Writer {
    /// The place of `text` among the names; each distinct text is there once.
    fn intern(&mut self, text: &str) -> StrRef {
        if let Some(known) = self.interned.get(text) {
            return *known;
        }
        let place = StrRef { offset: self.names.len() as u32, len: text.len() as u32 };
        self.names.push_str(text);
        self.interned.insert(text.into(), place);
        place
    }

    fn manifest(&mut self, manifest: &Manifest) -> ManifestRecord {
        ManifestRecord {
            name: self.intern(&manifest.name),
            version: manifest.version,
            licence: self.intern(&manifest.licence),
            description: self.intern(&manifest.description),
            capabilities: manifest.capabilities.bits().into(),
            marks: if manifest.capped { MARK_CAPPED } else { 0 },
            content: Digest([0; 32]),
        }
    }

    /// Appends a body; gives its start and length.
    fn body(&mut self, body: &str, owner: &str) -> Result<(u32, u32), Error> {
        if body.len() > MAX_BODY || self.bodies.len() + body.len() > MAX_PACK {
            return Err(Error::new(
                ErrorKind::Model,
                format!("`{owner}`: a body has at most {MAX_BODY} bytes, a pack 4 GiB"),
            ));
        }
        let start = self.bodies.len() as u32;
        self.bodies.push_str(body);
        Ok((start, body.len() as u32))
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
            let count = u16::try_from(list.len()).map_err(|_| {
                Error::new(ErrorKind::Model, format!("`{owner}`: a list has at most 65535 entries"))
            })?;
            *len = count;
            for text in list {
                let reference = self.intern(text);
                self.lists.push(reference);
            }
        }
        Ok((start, lens))
    }

    fn rule(&mut self, rule: &Rule) -> Result<(), Error> {
        let in_rule = |err: Error| Error::new(err.kind(), format!("rule `{}`: {err}", rule.id));
        let (body_start, body_len) = self.body(&rule.body, &rule.id)?;
        let (lists_start, list_lens) = self.lists(rule.lists(), &rule.id)?;
        let outline_start = self.outline.len() as u32;
        let outline_len = outline::encode(&rule.outline, &rule.body, &mut self.outline).map_err(in_rule)?;
        let origins_start = self.origins.len() as u32;
        let origins_len = u16::try_from(rule.origins.len())
            .map_err(|_| Error::new(ErrorKind::Model, format!("`{}`: too many origins", rule.id)))?;
        for origin in &rule.origins {
            let record = OriginRecord {
                assistant: self.intern(&origin.assistant),
                path: self.intern(&origin.path),
                text: self.intern(&origin.text),
            };
            self.origins.push(record);
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
            category: rule.category.map_or(0, super::model::Category::code),
            activation: rule.activation.code(),
            capabilities: rule.capabilities.bits(),
        };
        self.rules.push(record);
        Ok(())
    }

    fn persona(&mut self, persona: &Persona) -> Result<(), Error> {
        let (body_start, body_len) = self.body(&persona.body, &persona.id)?;
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

    fn workflow(&mut self, workflow: &Workflow) -> Result<(), Error> {
        let (body_start, body_len) = self.body(&workflow.body, &workflow.id)?;
        let steps_start = self.steps.len() as u32;
        for step in &workflow.steps {
            let record = StepRecord {
                name: self.intern(&step.name),
                text: self.intern(&step.text),
                when: self.intern(&step.when),
                kind: step.kind.code().into(),
            };
            self.steps.push(record);
        }
        let record = WorkflowRecord {
            id: self.intern(&workflow.id),
            description: self.intern(&workflow.description),
            body_start,
            body_len,
            steps_start,
            steps_len: workflow.steps.len() as u32,
        };
        self.workflows.push(record);
        Ok(())
    }

    fn paths(&mut self, rules: &[&Rule]) -> Result<Vec<u8>, Error> {
        let mut builder = PathsBuilder::default();
        for (row, rule) in rules.iter().enumerate() {
            let globs = GlobList::parse(&rule.globs)
                .map_err(|err| Error::new(ErrorKind::Model, format!("rule `{}`: glob: {err}", rule.id)))?;
            match rule.activation {
                Activation::Always => builder.everywhere(row as u32),
                Activation::Globs => {
                    builder.scoped(row as u32, &globs, &mut |text| self.intern(text));
                }
                Activation::Agent | Activation::Manual | Activation::Off => {}
            }
        }
        Ok(builder.finish(rules.len(), &mut |text| self.intern(text)))
    }

    fn postings(&mut self, rules: &[&Rule]) -> Vec<u8> {
        let mut builder = PostingsBuilder::default();
        for (row, rule) in rules.iter().enumerate() {
            let row = row as u32;
            builder.add(PostingKind::Activation, rule.activation.as_str(), row);
            if let Some(category) = rule.category {
                builder.add(PostingKind::Category, category.as_str(), row);
            }
            rule.tags.iter().for_each(|tag| builder.add(PostingKind::Tag, tag, row));
            rule.languages.iter().for_each(|language| builder.add(PostingKind::Language, language, row));
        }
        builder.finish(&mut |text| self.intern(text))
    }

    /// Lays the sections out and fills in the digests.
    fn assemble(
        self,
        manifest: ManifestRecord,
        [ids, paths, postings]: [&[u8]; 3],
        attestation: Option<&str>,
    ) -> Result<Vec<u8>, Error> {
        let owners = self.rules.len() + self.personas.len() + self.workflows.len();
        let digests = vec![Digest([0; 32]); owners];
        let sections: [&[u8]; Section::ALL.len()] = [
            &to_bytes(&[manifest]),
            self.names.as_bytes(),
            self.bodies.as_bytes(),
            &to_bytes(&self.rules),
            &to_bytes(&self.lists),
            &to_bytes(&self.outline),
            &to_bytes(&self.personas),
            &to_bytes(&self.workflows),
            &to_bytes(&self.steps),
            &to_bytes(&self.origins),
            &to_bytes(&digests),
            ids,
            paths,
            postings,
        ];
        let mut pack = lay_out(&sections, attestation)?;
        self.fill_digests(&mut pack);
        Ok(pack)
    }

    fn fill_digests(&self, pack: &mut [u8]) {
        let tables = Tables::assume_checked(pack, &self.names);
        let body = |range: core::ops::Range<usize>| &self.bodies[range];
        let mut of = [RULE, PERSONA, WORKFLOW].map(Canonical::new);
        let [of_rules, of_personas, of_workflows] = &mut of;
        let rules = tables.rules().map(|rule| rule.compute_digest(body(rule.body_range()), of_rules));
        let personas =
            tables.personas().map(|persona| persona.compute_digest(body(persona.body_range()), of_personas));
        let workflows =
            tables.workflows().map(|flow| flow.compute_digest(body(flow.body_range()), of_workflows));
        let digests: Vec<Digest> = rules.chain(personas).chain(workflows).collect();
        let (start, len) = Section::Digests.range(pack);
        pack[start..start + len].copy_from_slice(&to_bytes(&digests));

        let content = Tables::assume_checked(pack, &self.names).content_of_digests();
        let end = Section::Manifest.range(pack).0 + ManifestRecord::SIZE;
        pack[end - 32..end].copy_from_slice(content.as_bytes());

        let root = digest::root(pack);
        pack[HEADER_LEN - 32..HEADER_LEN].copy_from_slice(root.as_bytes());
    }
}

/// Header, table and sections with their padding, the bodies last; the root digest is zero.
fn lay_out(sections: &[&[u8]], attestation: Option<&str>) -> Result<Vec<u8>, Error> {
    let known = Section::ALL.iter().zip(sections).map(|(&kind, bytes)| (kind as u32, FLAG_CRITICAL, *bytes));
    let optional = attestation.iter().map(|text| (KIND_ATTESTATION, 0, text.as_bytes()));
    let all: Vec<(u32, u32, &[u8])> = known.chain(optional).collect();
    let bodies = Section::Bodies as usize;
    let order: Vec<usize> = (0..all.len()).filter(|&index| index != bodies).chain([bodies]).collect();
    let mut entries: Vec<SectionRecord> = all
        .iter()
        .map(|&(kind, flags, bytes)| SectionRecord { kind, flags, offset: 0, len: bytes.len() as u32 })
        .collect();
    let mut end = HEADER_LEN + ENTRY_LEN * all.len();
    for &index in &order {
        let offset = align_up(end);
        entries[index].offset = offset as u32;
        end = offset + all[index].2.len();
    }
    let digested_len = align_up(end);
    if digested_len > MAX_PACK {
        return Err(Error::new(ErrorKind::Model, "a pack is shorter than 4 GiB"));
    }
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
    let mut pack = Vec::with_capacity(digested_len);
    pack.extend(to_bytes(&[header]));
    pack.extend(to_bytes(&entries));
    for index in order {
        pack.resize(align_up(pack.len()), 0);
        pack.extend_from_slice(all[index].2);
    }
    pack.resize(digested_len, 0);
    Ok(pack)
}
