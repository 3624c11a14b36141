//! Patches: from the pack that is there to the one that comes next.
//!
//! A patch says what changed, rule by rule; everything that follows from content is computed again, by the same
//! writer that builds packs. What did not change keeps the digest that it has in the base, so that the target is
//! proved by hashing what is new and the tables. The digest of all texts alone is sent, and proved by whoever needs
//! it. Law: `docs/UPDATES.md`.

mod apply;
#[cfg(feature = "diff")]
mod diff;
mod edit;
mod fields;
mod packing;
mod stream;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

#[cfg(feature = "diff")]
pub use diff::{Made, diff};

use crate::container::{Section, front_len};
use crate::error::{Error, ErrorKind};
use crate::signatures::{self, SIGNATURES_MAGIC, SignatureRecord, SignaturesRecord};
use crate::tables::Tables;
use crate::wire::{Digest, Record, records, to_bytes};

use packing::Packing;
use stream::Input;

/// The first four bytes of every patch.
pub const PATCH_MAGIC: [u8; 4] = *b"\x93DRP";
/// How long a target may be when nobody says otherwise, in bytes.
pub const DEFAULT_LIMIT: usize = 64 << 20;

records! {
    /// The head of a patch: the operation `BatchStart`.
    pub struct PatchRecord {
        /// [`PATCH_MAGIC`].
        pub magic: [u8; 4],
        /// Operation in the lower four bits: `BatchStart`. How the stream is packed in the upper four.
        pub start: u8,
        /// The first 16 bytes of the base's edition.
        pub base: [u8; 16],
        /// The first 16 bytes of the target's edition.
        pub target: [u8; 16],
    }
}

/// The codes of the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Operation {
    TemplateDefine = 1,
    Instantiate = 2,
    PatchText = 3,
    PatchMeta = 4,
    Remove = 5,
    BatchStart = 6,
    BatchCommit = 7,
    AddSection = 8,
    Reorder = 9,
    FullSync = 10,
}

impl Operation {
    const ALL: [Operation; 10] = [
        Operation::TemplateDefine,
        Operation::Instantiate,
        Operation::PatchText,
        Operation::PatchMeta,
        Operation::Remove,
        Operation::BatchStart,
        Operation::BatchCommit,
        Operation::AddSection,
        Operation::Reorder,
        Operation::FullSync,
    ];

    fn from_code(code: u8) -> Option<Self> {
        Operation::ALL.into_iter().find(|operation| *operation as u8 == code)
    }
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sort {
    Rule = 0,
    Persona = 1,
    Workflow = 2,
    Pack = 3,
}

/// A pack whose rules, personas and workflows have the digests that it states, as what a patch starts from.
pub trait Base {
    /// Its tables.
    fn tables(&self) -> Tables<'_>;

    /// A body, counted over rules, personas and workflows in the order of their rows.
    fn body(&self, owner: u32) -> &str;

    /// The outline of a body as it is laid out; that of a persona or a workflow is empty.
    fn outline(&self, owner: u32) -> &[u8];

    /// Its digested part in one piece.
    fn digested(&self) -> Cow<'_, [u8]>;
}

/// A pack in one piece; its digests are proved.
#[derive(Clone, Copy)]
pub struct WholeBase<'a> {
    tables: Tables<'a>,
    bodies: &'a str,
}

impl<'a> WholeBase<'a> {
    /// Proves every digest of `pack`.
    ///
    /// # Errors
    /// Bytes that are no pack, or whose digests don't hold.
    pub fn prove(pack: &'a [u8]) -> Result<Self, Error> {
        let tables = Tables::check(pack)?;
        Ok(WholeBase { tables, bodies: tables.prove()? })
    }

    /// Takes a pack whose digests were proved, with its bodies.
    #[doc(hidden)]
    pub const fn assume_proved(tables: Tables<'a>, bodies: &'a str) -> Self {
        WholeBase { tables, bodies }
    }
}

impl Base for WholeBase<'_> {
    fn tables(&self) -> Tables<'_> {
        self.tables
    }

    fn body(&self, owner: u32) -> &str {
        &self.bodies[self.tables.body_range_of(owner)]
    }

    fn outline(&self, owner: u32) -> &[u8] {
        self.tables.rule_at(owner).map_or(&[], |rule| rule.outline_bytes())
    }

    fn digested(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.tables.digested_bytes())
    }
}

/// A patch whose head was read.
#[derive(Clone, Copy, Debug)]
pub struct Patch<'p> {
    record: PatchRecord,
    packing: Packing,
    rest: &'p [u8],
}

/// What a patch gives: the target, proved against the edition that the patch names.
#[derive(Debug)]
pub enum Target {
    /// What stands before outline and bodies, then the signatures; and where each body is, with its outline.
    Parts {
        /// A *front*, as [`Tables::check_front`] takes it.
        front: Vec<u8>,
        /// The length of the whole pack, in bytes.
        len: usize,
        /// The bodies in order.
        bodies: Vec<BodySource>,
    },
    /// The whole pack.
    Whole(Vec<u8>),
}

/// Where a body of a target is, and its outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodySource {
    /// In the base, counted over rules, personas and workflows.
    Kept(u32),
    /// It is new, or its outline is.
    New {
        /// The text.
        body: Box<str>,
        /// The outline as it is laid out; that of a persona or a workflow is empty.
        outline: Box<[u8]>,
    },
}

impl BodySource {
    fn body<'b>(&'b self, base: &'b impl Base) -> &'b str {
        match self {
            BodySource::Kept(owner) => base.body(*owner),
            BodySource::New { body, .. } => body,
        }
    }

    fn outline<'b>(&'b self, base: &'b impl Base) -> &'b [u8] {
        match self {
            BodySource::Kept(owner) => base.outline(*owner),
            BodySource::New { outline, .. } => outline,
        }
    }
}

impl Target {
    /// The edition of the pack.
    fn edition(&self) -> Digest {
        match self {
            Target::Parts { front, .. } => Tables::assume_checked_front(front, "").edition(),
            Target::Whole(pack) => Tables::assume_checked(pack, "").edition(),
        }
    }

    /// The bytes of the pack; `base` is what the patch was applied to.
    pub fn into_pack(self, base: &impl Base) -> Vec<u8> {
        let (front, len, bodies) = match self {
            Target::Whole(pack) => return pack,
            Target::Parts { front, len, bodies } => (front, len, bodies),
        };
        let (tables, signatures) = front.split_at(front_len(&front));
        let mut pack = Vec::with_capacity(len);
        pack.extend_from_slice(tables);
        for source in &bodies {
            pack.extend_from_slice(source.outline(base));
        }
        pack.resize(Section::Bodies.range(&front).0, 0);
        for source in &bodies {
            pack.extend_from_slice(source.body(base).as_bytes());
        }
        pack.resize(len - signatures.len(), 0);
        pack.extend_from_slice(signatures);
        pack
    }
}

impl<'p> Patch<'p> {
    /// Reads the head of a patch.
    ///
    /// # Errors
    /// Bytes that do not begin as a patch, or one of a newer version.
    pub fn open(bytes: &'p [u8]) -> Result<Self, Error> {
        let foreign = |why| Error::new(ErrorKind::PatchForeign, why);
        let known = bytes.len().min(PATCH_MAGIC.len());
        if bytes[..known] != PATCH_MAGIC[..known] {
            return Err(foreign("not a driven patch: the first bytes are others"));
        }
        let Some((head, rest)) = bytes.split_at_checked(PatchRecord::SIZE) else {
            return Err(Error::damaged(format!("the patch is cut off: {} bytes", bytes.len())));
        };
        let record = PatchRecord::read(head);
        let packing = Packing::from_code(record.start >> 4);
        if record.start & 0xF != Operation::BatchStart as u8 {
            return Err(Error::damaged("the patch does not begin with BatchStart"));
        }
        let packing = packing.ok_or_else(|| {
            Error::new(ErrorKind::PatchNewer, "the patch is packed in a way that this version does not know")
        })?;
        Ok(Patch { record, packing, rest })
    }

    /// The first 16 bytes of the base's edition.
    pub fn base(&self) -> [u8; 16] {
        self.record.base
    }

    /// The first 16 bytes of the target's edition.
    pub fn target(&self) -> [u8; 16] {
        self.record.target
    }

    /// Computes the target, of at most `limit` bytes, and proves that it is the one that the patch names.
    ///
    /// # Errors
    /// Another base, anything out of place, or another target than was named. Nothing has happened then.
    pub fn apply(&self, base: &impl Base, limit: usize) -> Result<Target, Error> {
        if base.tables().edition().as_bytes()[..16] != self.record.base {
            return Err(Error::new(
                ErrorKind::PatchBase,
                "the patch was made for another pack than this one",
            ));
        }
        let mut rest = Input::new(self.rest);
        let signatures = read_signatures(&mut rest, &base.tables())?;
        let stream = packing::unpack(self.packing, &mut rest, base, limit)?;
        let is_it = |target: &Target| target.edition().as_bytes()[..16] == self.record.target;
        let target = apply::run(&stream, self.rest, base, &signatures, limit, is_it)?;
        if is_it(&target) {
            return Ok(target);
        }
        Err(Error::new(ErrorKind::PatchTarget, "the patch does not lead to the pack that it names"))
    }
}

/// The signature block of the target, or nothing.
fn read_signatures(input: &mut Input<'_>, base: &Tables<'_>) -> Result<Vec<u8>, Error> {
    let count = input.number()?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let count = u32::try_from(count).ok().filter(|&count| count <= signatures::MAX_SIGNATURES);
    let count = count.ok_or_else(|| Error::damaged("more signatures than a pack may have"))?;
    let expires = base.expires().unwrap_or(0).wrapping_add_signed(input.signed()?);
    let known = base.signatures();
    let head = SignaturesRecord { magic: SIGNATURES_MAGIC, count, reserved: 0, expires };
    let mut block = to_bytes(&[head]);
    for _ in 0..count {
        let key_id = match input.number()?.checked_sub(1) {
            None => Record::read(input.take(16)?),
            Some(index) => {
                let known = usize::try_from(index).ok().and_then(|index| known.get(index));
                known
                    .ok_or_else(|| Error::damaged("a signature of the base is named that is not there"))?
                    .key_id
            }
        };
        SignatureRecord { key_id, signature: Record::read(input.take(64)?) }.write(&mut block);
    }
    signatures::check(&block)?;
    Ok(block)
}

impl Tables<'_> {
    /// The name of exactly these bytes, signatures included: see `docs/UPDATES.md`, "Editions".
    ///
    /// It covers all of a pack whose digests are proved, and is known without its bodies.
    pub fn edition(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"driven edition v1\0");
        hasher.update(self.root_digest().as_bytes());
        hasher.update(self.signature_bytes());
        Digest(*hasher.finalize().as_bytes())
    }
}

#[cfg(all(test, feature = "diff"))]
mod tests {
    use super::fields::Owner;
    use super::*;
    use crate::builder::write_pack;
    use crate::model::{Activation, Persona, Rule, RuleSet, Step, StepKind, Workflow};
    use alloc::string::String;

    /// Rules with every shape of glob, and shared names.
    fn rules() -> RuleSet {
        let globs: [&[&str]; 14] = [
            &["**/*.rs"],
            &["src/**/*.{ts,tsx}"],
            &["src/**/*.ts", "!src/**/*.test.ts"],
            &["**"],
            &["docs/**", "**/*.md"],
            &["**/Cargo.toml"],
            &["a/b/*.c", "a/**/*.c", "**/*.c"],
            &["**/*.spec.ts", "**/*.ts"],
            &["[ab]?x*", "!ax*"],
            &["src/**/*.rs", "**/*.rs"],
            &["tests/*.rs", "**/mod.rs"],
            &[],
            &["src/**/*.ts"],
            &["x/**/*.y"],
        ];
        let mut set = RuleSet::default();
        for (number, globs) in globs.iter().enumerate() {
            let mut rule =
                Rule::new(format!("rule-{number:02}"), format!("# Rule {number}\n- One.\n- Two.\n"));
            rule.globs = globs.iter().map(|&glob| glob.into()).collect();
            rule.activation = if globs.is_empty() { Activation::Always } else { Activation::Globs };
            rule.tags = alloc::vec![format!("tag-{}", number % 3), "all".into()];
            rule.languages = alloc::vec!["rust".into()];
            rule.description = format!("Describes {}", number / 2);
            rule.find_outline(&rule.body.clone());
            set.rules.push(rule);
        }
        set.personas =
            ["critic", "writer"].map(|id| Persona { body: "Look.\n".into(), ..persona(id) }).into();
        set.workflows = ["ship", "test"].map(|id| Workflow { body: "Go.\n".into(), ..workflow(id) }).into();
        set
    }

    fn persona(id: &str) -> Persona {
        Persona { id: id.into(), traits: alloc::vec!["calm".into(), id.into()], ..Persona::default() }
    }

    fn workflow(id: &str) -> Workflow {
        let step =
            Step { kind: StepKind::Prompt, name: id.into(), text: "Do it.".into(), when: String::new() };
        Workflow { id: id.into(), steps: alloc::vec![step], ..Workflow::default() }
    }

    /// Applies the patch between two sets; says whether what the base says of paths led there at once.
    fn leads_at_once(old: &RuleSet, new: &RuleSet) -> bool {
        let (old, new) = (write_pack(old).unwrap(), write_pack(new).unwrap());
        let made = diff(&old, &new).unwrap().patch;
        let base = WholeBase::prove(&old).unwrap();
        let patch = Patch::open(&made).unwrap();
        let mut rest = Input::new(patch.rest);
        let signatures = read_signatures(&mut rest, &base.tables()).unwrap();
        let stream = packing::unpack(patch.packing, &mut rest, &base, DEFAULT_LIMIT).unwrap();
        let looks = core::cell::RefCell::new(Vec::new());
        let is_it = |target: &Target| {
            let is = target.edition().as_bytes()[..16] == patch.target();
            looks.borrow_mut().push(is);
            is
        };
        let target = apply::run(&stream, patch.rest, &base, &signatures, DEFAULT_LIMIT, is_it).unwrap();
        assert!(target.into_pack(&base) == new, "one way or the other it leads there");
        looks.borrow()[..] == [true]
    }

    #[test]
    fn paths_of_kept_rules_are_taken_over() {
        let base = rules();
        let changes: [fn(&mut RuleSet, usize); 13] = [
            |set, row| set.rules[row].body.push_str("- Three.\n"),
            |set, row| {
                set.rules[row].body.push_str("- Three.\n");
                set.manifest.version = 7;
            },
            |set, row| set.personas[row % 2].body.push_str("Twice.\n"),
            |set, row| set.workflows[row % 2].body.push_str("Again.\n"),
            |set, row| set.personas[row % 2].traits.push("new".into()),
            |set, row| drop(set.rules.remove(row)),
            |set, row| set.rules[row].globs = alloc::vec!["src/**/*.{ts,vue}".into(), "!**/x.ts".into()],
            |set, row| set.rules[row].priority = 7,
            |set, row| set.rules[row].id = "zz-last".into(),
            |set, row| set.rules[row].activation = Activation::Always,
            |set, row| set.rules[row].description = "Another one".into(),
            |set, row| set.rules[row].tags.push("new".into()),
            |set, row| {
                let mut rule = set.rules[row].clone();
                rule.id = "added".into();
                rule.priority = row as u8;
                rule.globs = alloc::vec!["new/**/*.rs".into(), "**/*.ts".into()];
                set.rules.push(rule);
            },
        ];
        for (number, change) in changes.iter().enumerate() {
            for row in 0..base.rules.len() {
                let mut new = base.clone();
                change(&mut new, row);
                let body = new.rules.get(row).map(|rule| rule.body.clone()).unwrap_or_default();
                if let Some(rule) = new.rules.get_mut(row) {
                    rule.find_outline(&body);
                }
                assert!(leads_at_once(&base, &new), "change {number} of row {row}");
                assert!(leads_at_once(&new, &base), "change {number} of row {row}, taken back");
            }
        }
    }
}
