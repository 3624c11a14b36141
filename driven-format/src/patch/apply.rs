//! Runs a stream over a base: the operations change a draft, and the writer of packs writes it.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::edit::{self, Template, too_long};
use super::fields::{self, OUTLINE, Owner};
use super::stream::{Opening, Stream};
use super::{Base, BodySource, Operation, Sort, Target};
use crate::attestation::Attestation;
use crate::container::{KIND_ATTESTATION, Section, section_table};
use crate::digest::file_hash;
use crate::error::Error;
use crate::hash::first_word;
use crate::lift;
use crate::model::{Manifest, Persona, Rule, Workflow};
use crate::tables::Tables;
use crate::wire::{Digest, u32_at};
use crate::writer::{self, Body, Content, Kept, Optional, Part, Said, Written};

/// Computes the target that a stream, which came as `packed`, leads to, with these signatures behind it; `is_it` says
/// whether it is the one that was named.
pub(super) fn run(
    stream: &[u8],
    packed: &[u8],
    base: &impl Base,
    signatures: &[u8],
    limit: usize,
    is_it: impl Fn(&Target) -> bool,
) -> Result<Target, Error> {
    let draft = match read(Stream::new(stream, limit)?, Draft::new(base, limit, packed))? {
        Read::Whole(digested) => return whole(digested, signatures, limit),
        Read::Draft(draft) => draft,
    };
    // What the base says of its rules is what our writer would say, unless another writer wrote it.
    match draft.write(signatures, true) {
        Ok(target) if is_it(&target) => Ok(target),
        _ => draft.write(signatures, false),
    }
}

/// What a stream says.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack of one function")]
enum Read<'s, 'b, B> {
    /// The digested part.
    Whole(&'s [u8]),
    Draft(Draft<'b, B>),
}

fn read<'s, 'b, B: Base>(mut stream: Stream<'s>, mut draft: Draft<'b, B>) -> Result<Read<'s, 'b, B>, Error> {
    loop {
        let opening = stream.opening()?;
        match opening.operation {
            Operation::FullSync => {
                let digested = stream.bytes()?;
                stream.end()?;
                return Ok(Read::Whole(digested));
            }
            Operation::BatchCommit => {
                draft.commit(&opening, &mut stream)?;
                stream.end()?;
                draft.find_outlines(&mut stream)?;
                return Ok(Read::Draft(draft));
            }
            _ => draft.change(&opening, &mut stream)?,
        }
    }
}

/// A target that was sent whole is proved whole.
fn whole(digested: &[u8], signatures: &[u8], limit: usize) -> Result<Target, Error> {
    if digested.len() > limit {
        return Err(too_long());
    }
    let pack = [digested, signatures].concat();
    let proved = Tables::check(&pack).and_then(|tables| tables.prove().map(|_| ()));
    proved.map_err(|err| Error::damaged(alloc::format!("the pack in the patch: {err}")))?;
    Ok(Target::Whole(pack))
}

/// What became of the owners of one sort.
struct Changes<M> {
    /// By row, those that are not as they were.
    touched: BTreeMap<usize, Change<M>>,
    added: Vec<(M, String)>,
    /// How many the base has, and where they begin among all owners.
    count: usize,
    first: u32,
}

impl<M> Changes<M> {
    fn none(count: usize, first: usize) -> Self {
        Changes { touched: BTreeMap::new(), added: Vec::new(), count, first: first as u32 }
    }
}

enum Change<M> {
    Gone,
    Edited(Edited<M>),
}

struct Edited<M> {
    model: M,
    /// None: the one of the base.
    body: Option<String>,
    /// The outline was given, and is not to be found in the body.
    outlined: bool,
}

struct Draft<'b, B> {
    base: &'b B,
    manifest: Manifest,
    rules: Changes<Rule>,
    personas: Changes<Persona>,
    workflows: Changes<Workflow>,
    templates: Vec<(String, String)>,
    /// More than bodies and the version changes.
    says_more: bool,
    /// Kind and bytes, when they are not those of the base.
    optional: Option<Vec<(u32, Vec<u8>)>>,
    /// Of all outlines and bodies of the target, as it was sent.
    texts: Digest,
    /// What bodies that are new may still take, in bytes.
    room: usize,
    limit: usize,
    /// The stream as it came. Seeds are of all of it: who writes it can't choose its texts by them.
    packed: &'b [u8],
}

impl<'b, B: Base> Draft<'b, B> {
    fn new(base: &'b B, limit: usize, packed: &'b [u8]) -> Self {
        let tables = base.tables();
        let [rules, personas, workflows] =
            [tables.rule_count(), tables.personas().len(), tables.workflows().len()];
        Draft {
            base,
            manifest: lift::manifest(&tables.manifest()),
            rules: Changes::none(rules, 0),
            personas: Changes::none(personas, rules),
            workflows: Changes::none(workflows, rules + personas),
            templates: Vec::new(),
            says_more: false,
            optional: None,
            texts: Digest::default(),
            room: limit,
            limit,
            packed,
        }
    }

    fn change(&mut self, opening: &Opening, stream: &mut Stream<'_>) -> Result<(), Error> {
        let of_bodies = [Operation::TemplateDefine, Operation::Instantiate, Operation::PatchText];
        self.says_more |= !of_bodies.contains(&opening.operation);
        match (opening.operation, opening.sort) {
            (Operation::TemplateDefine, _) => {
                self.templates.push((stream.text()?.into(), stream.text()?.into()));
                Ok(())
            }
            (Operation::PatchMeta, Sort::Pack) => {
                let fields = known_fields(stream, fields::MANIFEST_FIELDS)?;
                fields::read_manifest(&mut self.manifest, fields, stream)
            }
            (_, Sort::Rule) => {
                change(self.base, &mut self.rules, &self.templates, &mut self.room, opening, stream)
            }
            (_, Sort::Persona) => {
                change(self.base, &mut self.personas, &self.templates, &mut self.room, opening, stream)
            }
            (_, Sort::Workflow) => {
                change(self.base, &mut self.workflows, &self.templates, &mut self.room, opening, stream)
            }
            (_, Sort::Pack) => Err(Error::damaged("an operation that says nothing about a pack")),
        }
    }

    fn commit(&mut self, opening: &Opening, stream: &mut Stream<'_>) -> Result<(), Error> {
        let step = stream.operations.signed()?.wrapping_add(1);
        self.manifest.version = self.manifest.version.wrapping_add_signed(step);
        self.texts = stream.digest()?;
        match opening.variant {
            0 => Ok(()),
            1 => {
                self.says_more = true;
                let mut sections = Vec::new();
                let mut next = Section::ALL.len() as u64;
                for _ in 0..stream.operations.number()? {
                    let kind = stream.operations.number()?;
                    let known = u32::try_from(kind).ok().filter(|_| kind >= next && sections.len() < 200);
                    let known = known.ok_or_else(|| Error::damaged("an optional section out of order"))?;
                    sections.push((known, stream.bytes()?.into()));
                    next = kind + 1;
                }
                self.optional = Some(sections);
                Ok(())
            }
            _ => Err(Error::damaged("an unknown way to commit")),
        }
    }

    fn find_outlines(&mut self, stream: &mut Stream<'_>) -> Result<(), Error> {
        for change in self.rules.touched.values_mut() {
            if let Change::Edited(Edited { model, body: Some(body), outlined: false }) = change {
                stream.take_record(model.find_outline(body))?;
            }
        }
        Ok(())
    }

    /// Writes the target; `keeps` what the base says of the paths of rules that did not change.
    fn write(&self, signatures: &[u8], keeps: bool) -> Result<Target, Error> {
        let tables = self.base.tables();
        let optional = match &self.optional {
            Some(sections) => sections.iter().map(|(kind, bytes)| Optional { kind: *kind, bytes }).collect(),
            None => section_table(tables.bytes())
                .iter()
                .skip(Section::ALL.len())
                .map(|entry| Optional {
                    kind: entry.kind,
                    bytes: &tables.bytes()[entry.offset as usize..][..entry.len as usize],
                })
                .collect::<Vec<_>>(),
        };
        for section in optional.iter().filter(|section| section.kind == KIND_ATTESTATION) {
            Attestation::read(section.bytes)?;
        }
        let written = if keeps && !self.says_more {
            self.write_bodies(&optional)
        } else {
            self.write_all(optional, keeps.then_some(tables))
        };
        let written = written.map_err(|err| Error::damaged(alloc::format!("{err}")))?;
        let len = u32_at(&written.front, 20) as usize;
        if len > self.limit {
            return Err(too_long());
        }
        let mut front = written.front;
        front.extend_from_slice(signatures);
        let mut outlines = written.outline.into_iter();
        let bodies = written.bodies.into_iter().map(|body| {
            // Personas and workflows have none.
            let outline = outlines.next().unwrap_or(Cow::Borrowed(&[]));
            match (body.kept, outline) {
                (Some(kept), Cow::Borrowed(_)) => BodySource::Kept(kept.owner),
                (_, outline) => BodySource::New { body: body.text.into(), outline: outline.into() },
            }
        });
        Ok(Target::Parts { front, len: len + signatures.len(), bodies: bodies.collect() })
    }

    fn write_all<'m>(
        &'m self,
        optional: Vec<Optional<'m>>,
        base: Option<Tables<'m>>,
    ) -> Result<Written<'m>, Error> {
        let tables = self.base.tables();
        writer::write(Content {
            manifest: &self.manifest,
            rules: parts(self.base, &self.rules, tables.rules()),
            personas: parts(self.base, &self.personas, tables.personas()),
            workflows: parts(self.base, &self.workflows, tables.workflows()),
            optional,
            base,
            texts: Some(self.texts),
            seed: first_word(file_hash(self.packed).as_bytes()),
        })
    }

    /// Writes a target of which only bodies and the version are not those of the base.
    fn write_bodies(&self, optional: &[Optional<'_>]) -> Result<Written<'_>, Error> {
        let tables = self.base.tables();
        let mut bodies = Vec::new();
        new_bodies(self.base, &self.rules, &mut bodies);
        new_bodies(self.base, &self.personas, &mut bodies);
        new_bodies(self.base, &self.workflows, &mut bodies);
        let outline_of = |row| match self.rules.touched.get(&row)? {
            Change::Edited(edited) => Some(&*edited.model.outline),
            Change::Gone => None,
        };
        writer::write_bodies(&tables, self.manifest.version, &bodies, outline_of, optional, self.texts)
    }
}

/// Bodies as they are now, where no owner came or went.
fn new_bodies<'m, M>(base: &'m impl Base, changes: &'m Changes<M>, bodies: &mut Vec<Body<'m>>) {
    bodies.extend((0..changes.count).map(|row| {
        let owner = changes.first + row as u32;
        match changes.touched.get(&row) {
            Some(Change::Edited(Edited { body: Some(text), .. })) => Body { text, kept: None },
            _ => kept_body(base, owner),
        }
    }));
}

fn kept_body(base: &impl Base, owner: u32) -> Body<'_> {
    Body { text: base.body(owner), kept: Some(Kept { owner, outline: base.outline(owner) }) }
}

/// The owners of one sort as the writer takes them.
fn parts<'m, M, H>(
    base: &'m impl Base,
    changes: &'m Changes<M>,
    heads: impl ExactSizeIterator<Item = H>,
) -> Vec<Part<'m, &'m M, H>> {
    let mut parts = Vec::with_capacity(heads.len() + changes.added.len());
    for (row, head) in heads.enumerate() {
        let owner = changes.first + row as u32;
        let kept = || kept_body(base, owner);
        match changes.touched.get(&row) {
            None => parts.push(Part { said: Said::Kept(head), body: kept() }),
            Some(Change::Gone) => {}
            Some(Change::Edited(edited)) => {
                let body = match &edited.body {
                    Some(text) => Body { text, kept: None },
                    None => kept(),
                };
                parts.push(Part { said: Said::Anew(&edited.model), body });
            }
        }
    }
    parts.extend(changes.added.iter().map(|(model, body)| Part::anew(model, body)));
    parts
}

fn known_fields(stream: &mut Stream<'_>, known: u64) -> Result<u64, Error> {
    let fields = stream.operations.number()?;
    if fields & !known == 0 { Ok(fields) } else { Err(Error::damaged("an unknown field")) }
}

/// Applies an operation about a rule, a persona or a workflow.
fn change<M: Owner>(
    base: &impl Base,
    changes: &mut Changes<M>,
    templates: &[(String, String)],
    room: &mut usize,
    opening: &Opening,
    stream: &mut Stream<'_>,
) -> Result<(), Error> {
    if opening.operation == Operation::AddSection {
        stream.take_record(M::RECORD)?;
        let mut model = M::default();
        model.set_id(stream.text()?);
        let fields = known_fields(stream, M::FIELDS)?;
        model.read(fields, stream)?;
        let body: String = stream.text()?.into();
        take_body(room, &body)?;
        if fields & OUTLINE == 0 {
            stream.take_record(model.find_outline(&body))?;
        }
        changes.added.push((model, body));
        return Ok(());
    }
    let row = stream.row(M::SORT)?;
    if row >= changes.count {
        return Err(Error::damaged("a row that is not there"));
    }
    if opening.operation == Operation::Remove {
        changes.touched.insert(row, Change::Gone);
        return Ok(());
    }
    let change = changes
        .touched
        .entry(row)
        .or_insert_with(|| Change::Edited(Edited { model: M::lift(base, row), body: None, outlined: false }));
    let Change::Edited(edited) = change else {
        return Err(Error::damaged("what was removed is changed"));
    };
    let limit = *room;
    let old = || base.body(changes.first + row as u32);
    match opening.operation {
        Operation::Instantiate => {
            let index = stream.operations.size()?;
            let template = templates.get(index);
            let (find, replace) = template.ok_or_else(|| Error::damaged("a template that is not there"))?;
            let body = edited.body.as_deref().unwrap_or_else(|| old());
            let body = Template { find, replace }.apply(body, limit)?;
            take_body(room, &body)?;
            edited.body = Some(body);
        }
        Operation::PatchText => {
            let body = edited.body.as_deref().unwrap_or_else(|| old());
            let body = edit::read(opening.variant, stream, body, limit)?;
            take_body(room, &body)?;
            edited.body = Some(body);
        }
        Operation::PatchMeta => {
            let fields = known_fields(stream, M::FIELDS & !fields::PRIORITY)?;
            edited.model.read(fields, stream)?;
            edited.outlined |= M::SORT == Sort::Rule && fields & OUTLINE != 0;
        }
        Operation::Reorder => {
            let bits = stream.operations.number()?;
            if bits & 1 != 0 {
                edited.model.set_id(stream.text()?);
            }
            if bits & 2 != 0 && M::SORT == Sort::Rule {
                edited.model.read(fields::PRIORITY, stream)?;
            } else if bits > 1 {
                return Err(Error::damaged("an unknown way to reorder"));
            }
        }
        _ => return Err(Error::damaged("an operation out of place")),
    }
    Ok(())
}

/// Counts a body that is new.
fn take_body(room: &mut usize, body: &str) -> Result<(), Error> {
    *room = room.checked_sub(body.len()).ok_or_else(too_long)?;
    Ok(())
}
