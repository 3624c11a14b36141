//! The fields of what a pack holds, as a patch gives them: read and written in one order.

use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "diff")]
use super::stream::Output;
use super::stream::Stream;
use super::{Base, Sort};
use crate::error::Error;
use crate::lift;
use crate::model::{
    Activation, Capabilities, Capability, Category, Manifest, NodeKind, Origin, OutlineNode, Persona, Rule,
    Step, StepKind, Workflow,
};
use crate::outline;
use crate::sections::outline::{MAX_LEVEL, Nodes, OutlineRecord};
use crate::sections::records::{OriginRecord, PersonaRecord, RuleRecord, StepRecord, WorkflowRecord};
use crate::wire::{Record, StrRef};

/// The outline of a rule is given.
pub(super) const OUTLINE: u64 = 1 << 13;
/// The priority of a rule is given.
pub(super) const PRIORITY: u64 = 1 << 14;

/// A rule, a persona or a workflow.
pub(super) trait Owner: Default {
    const SORT: Sort;
    /// Bits of all fields that it has.
    const FIELDS: u64;
    /// The size of its record, in bytes.
    const RECORD: usize;

    /// The one in a row of a base, without its body.
    fn lift(base: &impl Base, row: usize) -> Self;
    fn set_id(&mut self, id: &str);
    /// Reads the fields of a mask that has no bits but those of [`FIELDS`](Self::FIELDS).
    fn read(&mut self, fields: u64, stream: &mut Stream<'_>) -> Result<(), Error>;
    #[cfg(feature = "diff")]
    fn write(&self, fields: u64, out: &mut Output);
    /// The fields in which it differs from another, but for id, body and outline.
    #[cfg(feature = "diff")]
    fn differing(&self, other: &Self) -> u64;
    #[cfg(feature = "diff")]
    fn id(&self) -> &str;

    /// Takes the outline that is found in the body; says how long its records are, in bytes.
    fn find_outline(&mut self, _body: &str) -> usize {
        0
    }

    /// The bit of the outline, when it is not the one that is found in the body.
    #[cfg(feature = "diff")]
    fn outline_is_own(&self, _body: &str) -> u64 {
        0
    }

    /// The bit of the outline, when it is not that of another.
    #[cfg(feature = "diff")]
    fn outline_changed(&self, _other: &Self) -> u64 {
        0
    }
}

fn read_strings(list: &mut Vec<String>, stream: &mut Stream<'_>) -> Result<(), Error> {
    list.clear();
    let len = stream.operations.number()?;
    if len > u64::from(u16::MAX) {
        return Err(Error::damaged("a list has at most 65535 entries"));
    }
    for _ in 0..len {
        stream.take_record(StrRef::SIZE)?;
        list.push(stream.text()?.into());
    }
    Ok(())
}

#[cfg(feature = "diff")]
fn write_strings(list: &[String], out: &mut Output) {
    out.number(list.len() as u64);
    for text in list {
        out.text(text);
    }
}

#[cold]
fn unknown(what: &str) -> Error {
    Error::damaged(alloc::format!("{what} has no meaning"))
}

fn read_capabilities(stream: &mut Stream<'_>) -> Result<Capabilities, Error> {
    let bits = stream.operations.byte()?;
    let known = u32::from(bits) < 1 << Capability::ALL.len();
    if known { Ok(Capabilities::from_bits(bits)) } else { Err(unknown("a set of capabilities")) }
}

/// One bit for each `true`, lowest first.
#[cfg(feature = "diff")]
fn mask<const N: usize>(differ: [bool; N]) -> u64 {
    differ.iter().enumerate().fold(0, |mask, (bit, &differs)| mask | u64::from(differs) << bit)
}

impl Owner for Rule {
    const SORT: Sort = Sort::Rule;
    const FIELDS: u64 = (1 << 15) - 1;
    const RECORD: usize = RuleRecord::SIZE;

    fn lift(base: &impl Base, row: usize) -> Self {
        let rule = base.tables().rule_at(row as u32).expect("the caller knows the rows");
        lift::rule(&rule, Nodes::of_bytes(base.outline(row as u32)))
    }

    fn set_id(&mut self, id: &str) {
        self.id = id.into();
    }

    fn read(&mut self, fields: u64, stream: &mut Stream<'_>) -> Result<(), Error> {
        for bit in (0..15).filter(|bit| fields >> bit & 1 != 0) {
            match bit {
                0 => self.description = stream.text()?.into(),
                1 => self.when = stream.text()?.into(),
                2 => {
                    let activation = Activation::from_code(stream.operations.byte()?);
                    self.activation = activation.ok_or_else(|| unknown("an activation"))?;
                }
                3 => {
                    self.category = match stream.operations.byte()? {
                        0 => None,
                        code => Some(Category::from_code(code).ok_or_else(|| unknown("a category"))?),
                    };
                }
                4 => self.capabilities = read_capabilities(stream)?,
                5 => read_strings(&mut self.globs, stream)?,
                6 => read_strings(&mut self.tags, stream)?,
                7 => read_strings(&mut self.languages, stream)?,
                8 => read_strings(&mut self.targets, stream)?,
                9 => read_strings(&mut self.requires, stream)?,
                10 => read_strings(&mut self.conflicts, stream)?,
                11 => read_strings(&mut self.replaces, stream)?,
                12 => {
                    self.origins.clear();
                    for _ in 0..stream.operations.number()? {
                        stream.take_record(OriginRecord::SIZE)?;
                        let [assistant, path, text] =
                            [stream.text()?, stream.text()?, stream.text()?].map(String::from);
                        self.origins.push(Origin { assistant, path, text });
                    }
                }
                13 => self.outline = read_outline(stream)?,
                _ => self.priority = stream.operations.byte()?,
            }
        }
        Ok(())
    }

    #[cfg(feature = "diff")]
    fn write(&self, fields: u64, out: &mut Output) {
        for bit in (0..15).filter(|bit| fields >> bit & 1 != 0) {
            match bit {
                0 => out.text(&self.description),
                1 => out.text(&self.when),
                2 => out.byte(self.activation.code()),
                3 => out.byte(self.category.map_or(0, Category::code)),
                4 => out.byte(self.capabilities.bits()),
                5 => write_strings(&self.globs, out),
                6 => write_strings(&self.tags, out),
                7 => write_strings(&self.languages, out),
                8 => write_strings(&self.targets, out),
                9 => write_strings(&self.requires, out),
                10 => write_strings(&self.conflicts, out),
                11 => write_strings(&self.replaces, out),
                12 => {
                    out.number(self.origins.len() as u64);
                    for origin in &self.origins {
                        for text in [&origin.assistant, &origin.path, &origin.text] {
                            out.text(text);
                        }
                    }
                }
                13 => write_outline(&self.outline, out),
                _ => out.byte(self.priority),
            }
        }
    }

    #[cfg(feature = "diff")]
    fn differing(&self, other: &Self) -> u64 {
        mask([
            self.description != other.description,
            self.when != other.when,
            self.activation != other.activation,
            self.category != other.category,
            self.capabilities != other.capabilities,
            self.globs != other.globs,
            self.tags != other.tags,
            self.languages != other.languages,
            self.targets != other.targets,
            self.requires != other.requires,
            self.conflicts != other.conflicts,
            self.replaces != other.replaces,
            self.origins != other.origins,
            false,
            self.priority != other.priority,
        ])
    }

    #[cfg(feature = "diff")]
    fn id(&self) -> &str {
        &self.id
    }
    fn find_outline(&mut self, body: &str) -> usize {
        self.outline = outline::nodes(body);
        self.outline.len() * OutlineRecord::SIZE
    }

    #[cfg(feature = "diff")]
    fn outline_is_own(&self, body: &str) -> u64 {
        if self.outline == outline::nodes(body) { 0 } else { OUTLINE }
    }

    #[cfg(feature = "diff")]
    fn outline_changed(&self, other: &Self) -> u64 {
        if self.outline == other.outline { 0 } else { OUTLINE }
    }
}

fn read_outline(stream: &mut Stream<'_>) -> Result<Vec<OutlineNode>, Error> {
    let count = stream.operations.number()?;
    let (mut nodes, mut at) = (Vec::new(), 0_u32);
    for _ in 0..count {
        stream.take_record(OutlineRecord::SIZE)?;
        let gap = u32::try_from(stream.operations.number()?).ok().and_then(|gap| at.checked_add(gap));
        at = gap.ok_or_else(|| unknown("the place of a node"))?;
        let len = u32::try_from(stream.operations.number()?).map_err(|_| unknown("the length of a node"))?;
        let tag = stream.operations.byte()?;
        let kind = NodeKind::from_code(tag >> 4).ok_or_else(|| unknown("the kind of a node"))?;
        nodes.push(OutlineNode { kind, level: tag & MAX_LEVEL, start: at, len });
    }
    Ok(nodes)
}

#[cfg(feature = "diff")]
fn write_outline(nodes: &[OutlineNode], out: &mut Output) {
    out.number(nodes.len() as u64);
    let mut at = 0;
    for node in nodes {
        out.number(u64::from(node.start - at));
        out.number(u64::from(node.len));
        out.byte(node.kind.code() << 4 | node.level);
        at = node.start;
    }
}

impl Owner for Persona {
    const SORT: Sort = Sort::Persona;
    const FIELDS: u64 = (1 << 4) - 1;
    const RECORD: usize = PersonaRecord::SIZE;

    fn lift(base: &impl Base, row: usize) -> Self {
        lift::persona(&base.tables().persona_at(row))
    }

    fn set_id(&mut self, id: &str) {
        self.id = id.into();
    }

    fn read(&mut self, fields: u64, stream: &mut Stream<'_>) -> Result<(), Error> {
        for bit in (0..4).filter(|bit| fields >> bit & 1 != 0) {
            match bit {
                0 => self.description = stream.text()?.into(),
                1 => self.role = stream.text()?.into(),
                2 => read_strings(&mut self.traits, stream)?,
                _ => read_strings(&mut self.principles, stream)?,
            }
        }
        Ok(())
    }

    #[cfg(feature = "diff")]
    fn write(&self, fields: u64, out: &mut Output) {
        for bit in (0..4).filter(|bit| fields >> bit & 1 != 0) {
            match bit {
                0 => out.text(&self.description),
                1 => out.text(&self.role),
                2 => write_strings(&self.traits, out),
                _ => write_strings(&self.principles, out),
            }
        }
    }

    #[cfg(feature = "diff")]
    fn differing(&self, other: &Self) -> u64 {
        mask([
            self.description != other.description,
            self.role != other.role,
            self.traits != other.traits,
            self.principles != other.principles,
        ])
    }

    #[cfg(feature = "diff")]
    fn id(&self) -> &str {
        &self.id
    }
}

impl Owner for Workflow {
    const SORT: Sort = Sort::Workflow;
    const FIELDS: u64 = (1 << 2) - 1;
    const RECORD: usize = WorkflowRecord::SIZE;

    fn lift(base: &impl Base, row: usize) -> Self {
        lift::workflow(&base.tables().workflow_at(row))
    }

    fn set_id(&mut self, id: &str) {
        self.id = id.into();
    }

    fn read(&mut self, fields: u64, stream: &mut Stream<'_>) -> Result<(), Error> {
        if fields & 1 != 0 {
            self.description = stream.text()?.into();
        }
        if fields & 2 != 0 {
            self.steps.clear();
            for _ in 0..stream.operations.number()? {
                stream.take_record(StepRecord::SIZE)?;
                let kind = StepKind::from_code(stream.operations.byte()?);
                let kind = kind.ok_or_else(|| unknown("the kind of a step"))?;
                let [name, text, when] = [stream.text()?, stream.text()?, stream.text()?].map(String::from);
                self.steps.push(Step { kind, name, text, when });
            }
        }
        Ok(())
    }

    #[cfg(feature = "diff")]
    fn write(&self, fields: u64, out: &mut Output) {
        if fields & 1 != 0 {
            out.text(&self.description);
        }
        if fields & 2 != 0 {
            out.number(self.steps.len() as u64);
            for step in &self.steps {
                out.byte(step.kind.code());
                for text in [&step.name, &step.text, &step.when] {
                    out.text(text);
                }
            }
        }
    }

    #[cfg(feature = "diff")]
    fn differing(&self, other: &Self) -> u64 {
        mask([self.description != other.description, self.steps != other.steps])
    }

    #[cfg(feature = "diff")]
    fn id(&self) -> &str {
        &self.id
    }
}

/// Bits of all fields that a patch gives of a manifest.
pub(super) const MANIFEST_FIELDS: u64 = (1 << 5) - 1;

pub(super) fn read_manifest(
    manifest: &mut Manifest,
    fields: u64,
    stream: &mut Stream<'_>,
) -> Result<(), Error> {
    for bit in (0..5).filter(|bit| fields >> bit & 1 != 0) {
        match bit {
            0 => manifest.name = stream.text()?.into(),
            1 => manifest.licence = stream.text()?.into(),
            2 => manifest.description = stream.text()?.into(),
            3 => manifest.capabilities = read_capabilities(stream)?,
            _ => {
                manifest.capped = match stream.operations.byte()? {
                    0 => false,
                    1 => true,
                    _ => return Err(unknown("a mark")),
                }
            }
        }
    }
    Ok(())
}

#[cfg(feature = "diff")]
pub(super) fn write_manifest(manifest: &Manifest, fields: u64, out: &mut Output) {
    for bit in (0..5).filter(|bit| fields >> bit & 1 != 0) {
        match bit {
            0 => out.text(&manifest.name),
            1 => out.text(&manifest.licence),
            2 => out.text(&manifest.description),
            3 => out.byte(manifest.capabilities.bits()),
            _ => out.byte(manifest.capped.into()),
        }
    }
}

/// The fields in which two manifests differ, but for the version.
#[cfg(feature = "diff")]
pub(super) fn manifest_differing(manifest: &Manifest, other: &Manifest) -> u64 {
    mask([
        manifest.name != other.name,
        manifest.licence != other.licence,
        manifest.description != other.description,
        manifest.capabilities != other.capabilities,
        manifest.capped != other.capped,
    ])
}
