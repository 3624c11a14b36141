//! Makes patches: every candidate that is known, of which the smallest that leads to the target is taken.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use similar::{Algorithm, DiffOp, capture_diff_slices};
use zstd_safe::{CCtx, CParameter};

use super::edit::{self, Template};
use super::fields::{self, Owner, PRIORITY};
use super::packing::{Packing, inflate, prefix_of_rows};
use super::stream::{Output, fold, put_number};
use super::{Base, DEFAULT_LIMIT, Operation, PATCH_MAGIC, Patch, PatchRecord, Sort, WholeBase};
use crate::container::{Section, section_table};
use crate::error::{Error, ErrorKind};
use crate::lift;
use crate::model::{Manifest, Persona, Rule, Workflow};
use crate::tables::Tables;
use crate::wire::{Digest, to_bytes};

/// How many rules a frame is packed against beside those that change, with every way to tell changes, as far as it
/// comes near the best.
const FEW_ALIKE: [usize; 2] = [0, 4];
/// How many are looked at, with the best way, for what they give.
const MANY_ALIKE: usize = 64;
/// How many bytes of the stream a rule must give to be packed against. One costs its name, and longer ways to all
/// others; against 1, 16 and 64 bytes, the patches of the tests' series are longer in all.
const WORTH: usize = 32;
/// And a byte more for so many of its own: whoever applies the patch reads all of them.
const PER: usize = 256;
/// Windows of a text whose hashes are compared, in bytes.
const WINDOW: usize = 12;
/// The level of frames that are packed against little.
const BEST: i32 = 19;
/// The level of frames that are packed against all of the base: there the best level takes a second, and gains
/// nothing where most of the stream is found in the base.
const QUICK: i32 = 12;
/// The level that shows whether a whole pack comes near at all; the best one makes less than half of it.
const LOOK: i32 = 3;

/// A patch, and how it came about.
#[derive(Clone, Debug)]
pub struct Made {
    /// The patch.
    pub patch: Vec<u8>,
    /// How often each operation is in it, with its variant: `PatchText body`, `Remove`, ...
    pub operations: BTreeMap<&'static str, usize>,
    /// What was tried, with its size in bytes; the patch is the smallest.
    pub candidates: BTreeMap<String, usize>,
    /// Which candidate it is.
    pub taken: String,
}

/// How often something is used.
type Used = BTreeMap<&'static str, usize>;

/// Makes the smallest patch from one pack to another.
///
/// ```
/// use driven_format::patch::{DEFAULT_LIMIT, Patch, WholeBase, diff};
/// use driven_format::{PackBuilder, Rule};
///
/// let old = PackBuilder::new("house", 1).rule(Rule::new("errors", "Return them.\n")).finish()?;
/// let new = PackBuilder::new("house", 2).rule(Rule::new("errors", "Return them, with context.\n")).finish()?;
/// let made = diff(&old, &new)?;
/// assert!(made.patch.len() < 120);
///
/// let base = WholeBase::prove(&old)?;
/// let target = Patch::open(&made.patch)?.apply(&base, DEFAULT_LIMIT)?;
/// assert_eq!(target.into_pack(&base), new);
/// # Ok::<(), driven_format::Error>(())
/// ```
///
/// # Errors
/// Bytes that are no packs, or whose digests don't hold.
pub fn diff(old: &[u8], new: &[u8]) -> Result<Made, Error> {
    let in_pack = |which: &str| {
        let which = String::from(which);
        move |err: Error| Error::new(err.kind(), format!("the {which} pack: {err}"))
    };
    let old = WholeBase::prove(old).map_err(in_pack("old"))?;
    let new = WholeBase::prove(new).map_err(in_pack("new"))?;
    let head = head(&old.tables, &new.tables);

    let mut candidates = Vec::new();
    let mut sizes = BTreeMap::new();
    let mut add = |name: String, packing: Packing, operations: &Used, rest: Vec<u8>| {
        let mut patch = head.clone();
        patch[PATCH_MAGIC.len()] |= (packing as u8) << 4;
        patch.extend(rest);
        sizes.insert(name.clone(), patch.len());
        candidates.push((patch, name, operations.clone()));
    };
    let changes = Changes::between(&old, &new);
    let of_base = old.digested();
    let rows = changes.like_what_is_new(&old);
    let rows_of = |most: usize| &rows[rows.len().saturating_sub(most + changes.rows_touched())..];
    let against_rows = |stream: &[u8], rows: &[u32]| -> Result<Vec<u8>, Error> {
        let mut rest = Vec::new();
        put_rows(&mut rest, rows);
        rest.extend(pack(stream, &prefix_of_rows(&old, rows), BEST)?);
        Ok(rest)
    };
    let mut told: Vec<(Style, Vec<u8>, Used)> = Vec::new();
    for style in Style::ALL {
        let (stream, operations) = changes.write(style);
        // Where no body changes there is one way to tell it.
        if told.iter().all(|(_, known, _)| *known != stream) {
            told.push((style, stream, operations));
        }
    }
    // By the way to tell changes: how small its smallest frame is.
    let mut least = vec![usize::MAX; told.len()];
    let comes_near =
        |own: usize, least: &[usize]| least.iter().all(|other| own <= other.saturating_add(other / 8));
    for most in FEW_ALIKE {
        for (index, (style, stream, operations)) in told.iter().enumerate() {
            if comes_near(least[index], &least) {
                let rest = against_rows(stream, rows_of(most))?;
                least[index] = least[index].min(rest.len());
                add(format!("{} against {most} rows more", style.as_str()), Packing::Rows, operations, rest);
            }
        }
    }
    let (best, mut size) =
        least.iter().copied().enumerate().min_by_key(|(_, size)| *size).unwrap_or_default();
    let (style, stream, operations) = &told[best];
    let many = rows_of(MANY_ALIKE);
    let given = given_by_rows(stream, &old, many)?;
    let is_worth = |row: u32, given: usize| given >= WORTH + old.body(row).len() / PER;
    let worth = many.iter().zip(given).filter(|&(&row, given)| is_worth(row, given)).map(|(&row, _)| row);
    let worth: Vec<u32> = worth.collect();
    let rest = against_rows(stream, &worth)?;
    size = size.min(rest.len());
    add(format!("{} against rows that are worth it", style.as_str()), Packing::Rows, operations, rest);
    for (index, (style, stream, operations)) in told.iter().enumerate() {
        let name = |how: &str| format!("{} {how}", style.as_str());
        if comes_near(least[index], &least) {
            let rest = pack(stream, &of_base, QUICK)?;
            add(name("against base"), Packing::Base, operations, rest);
        }
        add(name("alone"), Packing::Alone, operations, pack(stream, &[], BEST)?);
        add(name("stored"), Packing::Stored, operations, stream.clone());
    }
    let mut full = Output::default();
    full.opening(Operation::FullSync, Sort::Pack, 0);
    full.bytes(new.tables.digested_bytes());
    let (full, operations) = (full.finish(), Used::from([("FullSync", 1)]));
    for (name, packing, prefix) in
        [("full against base", Packing::Base, &*of_base), ("full alone", Packing::Alone, &[])]
    {
        let mut rest = pack(&full, prefix, LOOK)?;
        if rest.len() / 2 < size {
            rest = pack(&full, prefix, BEST)?;
        }
        add(name.into(), packing, &operations, rest);
    }
    add("full stored".into(), Packing::Stored, &operations, full);

    candidates.sort_by_key(|(patch, ..)| patch.len());
    for (patch, taken, operations) in candidates {
        let limit = new.tables.bytes().len().max(DEFAULT_LIMIT);
        let target = Patch::open(&patch)?.apply(&old, limit).map(|target| target.into_pack(&old));
        if target.is_ok_and(|target| target == new.tables.bytes()) {
            return Ok(Made { patch, operations, candidates: sizes, taken });
        }
    }
    Err(Error::new(ErrorKind::Model, "no patch leads from the old pack to the new"))
}

/// The head of the patch, then the signatures.
fn head(old: &Tables<'_>, new: &Tables<'_>) -> Vec<u8> {
    let short =
        |tables: &Tables<'_>| *tables.edition().as_bytes().first_chunk().expect("a digest has 32 bytes");
    let mut head = to_bytes(&[PatchRecord {
        magic: PATCH_MAGIC,
        start: Operation::BatchStart as u8,
        base: short(old),
        target: short(new),
    }]);
    let signatures = new.signatures();
    put_number(&mut head, signatures.len() as u64);
    if signatures.is_empty() {
        return head;
    }
    let later = new.expires().unwrap_or(0).wrapping_sub(old.expires().unwrap_or(0));
    put_number(&mut head, fold(later.cast_signed()));
    for signature in signatures.iter() {
        if let Some(index) = old.signatures().iter().position(|known| known.key_id == signature.key_id) {
            put_number(&mut head, index as u64 + 1);
        } else {
            head.push(0);
            head.extend(signature.key_id);
        }
        head.extend(signature.signature_bytes());
    }
    head
}

fn put_rows(out: &mut Vec<u8>, rows: &[u32]) {
    put_number(out, rows.len() as u64);
    let mut next = 0;
    for &row in rows {
        put_number(out, fold(i64::from(row) - next));
        next = i64::from(row) + 1;
    }
}

/// How many bytes of a stream each row gives to a frame that is packed against all of them.
///
/// A byte of the stream becomes another when the byte that it was copied from does. Rows are numbered from one; for each
/// bit all rows whose number has it are inverted: the bits by which a byte became another are the number of its row.
fn given_by_rows(stream: &[u8], old: &WholeBase<'_>, rows: &[u32]) -> Result<Vec<usize>, Error> {
    let mut prefix = prefix_of_rows(old, rows);
    let frame = pack(stream, &prefix, QUICK)?;
    let mut sources = vec![0_usize; stream.len()];
    for bit in (0..u32::BITS).take_while(|bit| rows.len() >> bit != 0) {
        invert_numbered(bit, &mut prefix, old, rows);
        let other = inflate(&frame, &prefix, stream.len())?;
        for (source, _) in
            sources.iter_mut().zip(other.iter().zip(stream)).filter(|(_, (other, own))| other != own)
        {
            *source |= 1 << bit;
        }
        invert_numbered(bit, &mut prefix, old, rows);
    }
    let mut given = vec![0; rows.len() + 1];
    for source in sources {
        given[source] += 1;
    }
    given.remove(0);
    Ok(given)
}

/// Inverts the bodies in `prefix` of all rows whose numbers have a bit.
fn invert_numbered(bit: u32, prefix: &mut [u8], old: &WholeBase<'_>, rows: &[u32]) {
    let mut end = old.tables.names().len();
    for (number, &row) in (1_usize..).zip(rows) {
        let start = end;
        end += old.body(row).len();
        if number >> bit & 1 != 0 {
            invert(&mut prefix[start..end]);
        }
    }
}

fn invert(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = !*byte;
    }
}

/// The frame of a stream, without its magic number.
fn pack(stream: &[u8], prefix: &[u8], level: i32) -> Result<Vec<u8>, Error> {
    let mut context = CCtx::create();
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(stream.len()));
    let mut run = || {
        context.set_parameter(CParameter::CompressionLevel(level))?;
        context.set_parameter(CParameter::ChecksumFlag(false))?;
        context.set_parameter(CParameter::DictIdFlag(false))?;
        context.ref_prefix(prefix)?;
        context.compress2(&mut frame, stream)
    };
    run()
        .map_err(|code| Error::new(ErrorKind::Model, format!("zstd: {}", zstd_safe::get_error_name(code))))?;
    frame.drain(..4);
    Ok(frame)
}

/// How changed bodies are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Bodies,
    Hunks,
    Least,
}

impl Style {
    const ALL: [Style; 3] = [Style::Bodies, Style::Hunks, Style::Least];

    fn as_str(self) -> &'static str {
        match self {
            Style::Bodies => "bodies",
            Style::Hunks => "hunks",
            Style::Least => "least",
        }
    }
}

/// What changed between two packs.
struct Changes<'a> {
    manifest: Option<(u64, Manifest)>,
    rules: Vec<Change<'a, Rule>>,
    personas: Vec<Change<'a, Persona>>,
    workflows: Vec<Change<'a, Workflow>>,
    templates: Vec<Template<'a>>,
    version_step: i64,
    optional: Option<Vec<(u32, &'a [u8])>>,
    /// Of all outlines and bodies of the new pack.
    texts: Digest,
}

enum Change<'a, M> {
    Removed(u32),
    Added { model: M, fields: u64, body: &'a str },
    Edited(Box<Edited<'a, M>>),
}

struct Edited<'a, M> {
    row: u32,
    model: M,
    fields: u64,
    renamed: bool,
    /// The old body and the new one, when they differ.
    text: Option<(&'a str, &'a str)>,
    hunks: Vec<Hunk<'a>>,
    /// The template that says the same.
    template: Option<usize>,
}

/// Lines that stay, lines that go with their text, and what comes in their place.
#[derive(Clone, Copy)]
struct Hunk<'a> {
    stay: usize,
    go: usize,
    gone: &'a str,
    text: &'a str,
}

/// A rule, persona or workflow as it lies in a pack.
struct Known<'a, M> {
    model: M,
    body: &'a str,
    same_as: [u8; 32],
}

impl<'a> Changes<'a> {
    fn between(old: &WholeBase<'a>, new: &WholeBase<'a>) -> Self {
        let (before, after) = (old.tables, new.tables);
        let (was, is) = (lift::manifest(&before.manifest()), lift::manifest(&after.manifest()));
        let fields = fields::manifest_differing(&is, &was);
        let optional = |tables: Tables<'a>| -> Vec<(u32, &'a [u8])> {
            let entries = section_table(tables.bytes()).iter().skip(Section::ALL.len());
            let bytes = tables.bytes();
            entries.map(|entry| (entry.kind, &bytes[entry.offset as usize..][..entry.len as usize])).collect()
        };
        let step = is.version.wrapping_sub(was.version).cast_signed();
        let mut changes = Changes {
            version_step: step.wrapping_sub(1),
            manifest: (fields != 0).then_some((fields, is)),
            rules: compare(&rules(old), rules(new)),
            personas: compare(&personas(old), personas(new)),
            workflows: compare(&workflows(old), workflows(new)),
            templates: Vec::new(),
            optional: (optional(before) != optional(after)).then(|| optional(after)),
            texts: after.manifest_record().texts,
        };
        changes.find_templates();
        changes
    }

    /// Edits that several rules share become templates.
    fn find_templates(&mut self) {
        let mut found: BTreeMap<Template<'a>, usize> = BTreeMap::new();
        for edited in self.edited() {
            if let Some(template) = edited.as_template() {
                *found.entry(template).or_default() += 1;
            }
        }
        self.templates =
            found.into_iter().filter(|(_, uses)| *uses > 1).map(|(template, _)| template).collect();
        let templates = self.templates.clone();
        for change in &mut self.rules {
            if let Change::Edited(edited) = change {
                let own = edited.as_template();
                edited.template = own.and_then(|own| templates.iter().position(|known| *known == own));
            }
        }
    }

    fn edited(&self) -> impl Iterator<Item = &Edited<'a, Rule>> {
        self.rules.iter().filter_map(|change| match change {
            Change::Edited(edited) => Some(&**edited),
            _ => None,
        })
    }

    /// The rules of the base that the new text is most like; the most alike last.
    fn like_what_is_new(&self, old: &WholeBase<'_>) -> Vec<u32> {
        let mut new = BTreeSet::new();
        let mut certain = Vec::new();
        for change in &self.rules {
            match change {
                Change::Added { body, .. } => windows(body, |hash| {
                    new.insert(hash);
                }),
                Change::Edited(edited) => {
                    if let Some((_, text)) = edited.text {
                        certain.push(edited.row);
                        windows(text, |hash| {
                            new.insert(hash);
                        });
                    }
                }
                Change::Removed(row) => certain.push(*row),
            }
        }
        let is_certain: BTreeSet<u32> = certain.iter().copied().collect();
        let rows = 0..old.tables.rule_count() as u32;
        let mut alike: Vec<(usize, u32)> = rows
            .filter(|row| !is_certain.contains(row))
            .map(|row| {
                let mut shared = 0;
                windows(old.body(row), |hash| shared += usize::from(new.contains(&hash)));
                (shared, row)
            })
            .filter(|(shared, _)| *shared > 0)
            .collect();
        alike.sort_unstable();
        alike.into_iter().map(|(_, row)| row).chain(certain).collect()
    }

    /// How many rules of the base are removed or have another body.
    fn rows_touched(&self) -> usize {
        let touched = |change: &&Change<'_, Rule>| match change {
            Change::Added { .. } => false,
            Change::Edited(edited) => edited.text.is_some(),
            Change::Removed(_) => true,
        };
        self.rules.iter().filter(touched).count()
    }

    /// The stream that tells the changes in one style.
    fn write(&self, style: Style) -> (Vec<u8>, Used) {
        let mut out = Output::default();
        let mut used = Used::new();
        let templates = if style == Style::Bodies { &[] } else { self.templates.as_slice() };
        for template in templates {
            *used.entry("TemplateDefine").or_default() += 1;
            out.opening(Operation::TemplateDefine, Sort::Rule, 0);
            out.text(template.find);
            out.text(template.replace);
        }
        write_changes(&self.rules, style, &mut out, &mut used);
        write_changes(&self.personas, style, &mut out, &mut used);
        write_changes(&self.workflows, style, &mut out, &mut used);
        if let Some((fields, manifest)) = &self.manifest {
            *used.entry("PatchMeta").or_default() += 1;
            out.opening(Operation::PatchMeta, Sort::Pack, 0);
            out.number(*fields);
            fields::write_manifest(manifest, *fields, &mut out);
        }
        *used.entry("BatchCommit").or_default() += 1;
        out.opening(Operation::BatchCommit, Sort::Pack, self.optional.is_some().into());
        out.signed(self.version_step);
        out.digest(self.texts);
        if let Some(sections) = &self.optional {
            out.number(sections.len() as u64);
            for (kind, bytes) in sections {
                out.number(u64::from(*kind));
                out.bytes(bytes);
            }
        }
        (out.finish(), used)
    }
}

/// Hashes of the windows of a text, of which one in eight is taken by what it is, not by where it lies.
fn windows(text: &str, mut take: impl FnMut(u64)) {
    for window in text.as_bytes().windows(WINDOW) {
        let hash = crate::hash::hash(window, 0);
        if hash.is_multiple_of(8) {
            take(hash);
        }
    }
}

fn rules<'a>(pack: &WholeBase<'a>) -> Vec<Known<'a, Rule>> {
    let known = pack.tables.rules().map(|head| Known {
        model: lift::rule(&head, head.stated_outline()),
        body: &pack.bodies[head.body_range()],
        same_as: head.digest().0,
    });
    known.collect()
}

fn personas<'a>(pack: &WholeBase<'a>) -> Vec<Known<'a, Persona>> {
    let known = pack.tables.personas().map(|head| Known {
        model: lift::persona(&head),
        body: &pack.bodies[head.body_range()],
        same_as: head.digest().0,
    });
    known.collect()
}

fn workflows<'a>(pack: &WholeBase<'a>) -> Vec<Known<'a, Workflow>> {
    let known = pack.tables.workflows().map(|head| Known {
        model: lift::workflow(&head),
        body: &pack.bodies[head.body_range()],
        same_as: head.digest().0,
    });
    known.collect()
}

/// What changed from `old` to `new`, in the order of the old rows; what was added comes last.
fn compare<'a, M: Owner>(old: &[Known<'a, M>], new: Vec<Known<'a, M>>) -> Vec<Change<'a, M>> {
    let rows: BTreeMap<&str, usize> =
        old.iter().enumerate().map(|(row, known)| (known.model.id(), row)).collect();
    let mut partners: Vec<Option<Known<'a, M>>> = old.iter().map(|_| None).collect();
    let mut added = Vec::new();
    for known in new {
        match rows.get(known.model.id()) {
            Some(&row) => partners[row] = Some(known),
            None => added.push(known),
        }
    }
    // A new one that is much like one that went was renamed.
    let mut new = Vec::new();
    for known in added {
        let gone = (0..old.len()).filter(|&row| partners[row].is_none());
        let best = gone.map(|row| (likeness(old[row].body, known.body), row)).max();
        match best {
            Some((likeness, row)) if 2 * likeness > known.body.len().max(1) => partners[row] = Some(known),
            _ => new.push(known),
        }
    }
    let mut changes = Vec::new();
    for (row, (was, is)) in old.iter().zip(partners).enumerate() {
        match is {
            None => changes.push(Change::Removed(row as u32)),
            Some(is) if is.same_as == was.same_as => {}
            Some(is) => changes.push(Change::Edited(Box::new(edited(row as u32, was, is)))),
        }
    }
    for Known { model, body, .. } in new {
        let mut fields = model.differing(&M::default());
        fields |= model.outline_is_own(body);
        changes.push(Change::Added { model, fields, body });
    }
    changes
}

/// How many bytes of `new` are lines of `old`.
fn likeness(old: &str, new: &str) -> usize {
    let lines: BTreeSet<&str> = old.split_inclusive('\n').collect();
    new.split_inclusive('\n').filter(|line| lines.contains(line)).map(str::len).sum()
}

fn edited<'a, M: Owner>(row: u32, was: &Known<'a, M>, is: Known<'a, M>) -> Edited<'a, M> {
    let mut fields = is.model.differing(&was.model);
    let text = (was.body != is.body).then_some((was.body, is.body));
    fields |=
        if text.is_some() { is.model.outline_is_own(is.body) } else { is.model.outline_changed(&was.model) };
    Edited {
        row,
        renamed: is.model.id() != was.model.id(),
        model: is.model,
        fields,
        text,
        hunks: text.map(|(old, new)| hunks(old, new)).unwrap_or_default(),
        template: None,
    }
}

fn hunks<'a>(old: &'a str, new: &'a str) -> Vec<Hunk<'a>> {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let (mut at, mut found) = (0, Vec::new());
    let place = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (went, came) = (op.old_range(), op.new_range());
        let (from, to) = (place(&before[..went.start]), place(&after[..came.start]));
        found.push(Hunk {
            stay: went.start - at,
            go: went.len(),
            gone: &old[from..from + place(&before[went.clone()])],
            text: &new[to..to + place(&after[came])],
        });
        at = went.end;
    }
    found
}

impl<'a, M> Edited<'a, M> {
    /// The template that makes the new body out of the old, if every hunk is the same.
    fn as_template(&self) -> Option<Template<'a>> {
        let (old, new) = self.text?;
        let first = self.hunks.first().filter(|hunk| !hunk.gone.is_empty())?;
        let template = Template { find: first.gone, replace: first.text };
        let same = template.apply(old, usize::MAX).is_ok_and(|body| body == new);
        same.then_some(template)
    }
}

fn write_changes<M: Owner>(changes: &[Change<'_, M>], style: Style, out: &mut Output, used: &mut Used) {
    let mut count = |name| *used.entry(name).or_default() += 1;
    for change in changes {
        match change {
            Change::Removed(row) => {
                count("Remove");
                out.opening(Operation::Remove, M::SORT, 0);
                out.row(M::SORT, *row);
            }
            Change::Added { model, fields, body } => {
                count("AddSection");
                out.opening(Operation::AddSection, M::SORT, 0);
                out.text(model.id());
                out.number(*fields);
                model.write(*fields, out);
                out.text(body);
            }
            Change::Edited(edited) => {
                let priority = edited.fields & PRIORITY;
                if edited.renamed || priority != 0 {
                    count("Reorder");
                    out.opening(Operation::Reorder, M::SORT, 0);
                    out.row(M::SORT, edited.row);
                    out.number(u64::from(edited.renamed) | u64::from(priority != 0) << 1);
                    if edited.renamed {
                        out.text(edited.model.id());
                    }
                    edited.model.write(priority, out);
                }
                if let Some((old, new)) = edited.text {
                    count(write_text(edited, old, new, style, out));
                }
                let fields = edited.fields & !PRIORITY;
                if fields != 0 {
                    count("PatchMeta");
                    out.opening(Operation::PatchMeta, M::SORT, 0);
                    out.row(M::SORT, edited.row);
                    out.number(fields);
                    edited.model.write(fields, out);
                }
            }
        }
    }
}

/// Tells how a body changes; gives what it used.
fn write_text<M: Owner>(
    edited: &Edited<'_, M>,
    old: &str,
    new: &str,
    style: Style,
    out: &mut Output,
) -> &'static str {
    let open = |out: &mut Output, operation, variant| {
        out.opening(operation, M::SORT, variant);
        out.row(M::SORT, edited.row);
    };
    if let Some(template) = edited.template.filter(|_| style != Style::Bodies) {
        open(out, Operation::Instantiate, 0);
        out.number(template as u64);
        return "Instantiate";
    }
    if style == Style::Bodies {
        open(out, Operation::PatchText, edit::BODY);
        out.text(new);
        return "PatchText body";
    }
    let runs = if style == Style::Least { runs(old, new) } else { None };
    let hunks_len: usize = edited.hunks.iter().map(|hunk| hunk.text.len() + 3).sum();
    if let Some(runs) =
        runs.filter(|runs| runs.iter().map(|(_, run)| run.len() + 2).sum::<usize>() < hunks_len)
    {
        open(out, Operation::PatchText, edit::BYTES);
        out.number(runs.len() as u64);
        for (stay, run) in runs {
            out.number(stay as u64);
            out.bytes(&run);
        }
        return "PatchText bytes";
    }
    open(out, Operation::PatchText, edit::HUNKS);
    out.number(edited.hunks.len() as u64);
    for hunk in &edited.hunks {
        out.number(hunk.stay as u64);
        out.number(hunk.go as u64);
        out.text(hunk.text);
    }
    "PatchText hunks"
}

/// The runs in which two texts of one length differ, each as what stays before it and the exclusive or.
fn runs(old: &str, new: &str) -> Option<Vec<(usize, Vec<u8>)>> {
    if old.len() != new.len() {
        return None;
    }
    let mut runs: Vec<(usize, Vec<u8>)> = Vec::new();
    let (mut behind, mut is_open) = (0, false);
    for (at, (was, is)) in old.bytes().zip(new.bytes()).enumerate() {
        if was == is {
            is_open = false;
            continue;
        }
        match runs.last_mut().filter(|_| is_open) {
            Some((_, run)) => run.push(was ^ is),
            None => runs.push((at - behind, vec![was ^ is])),
        }
        (behind, is_open) = (at + 1, true);
    }
    Some(runs)
}
