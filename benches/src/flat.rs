//! The facts as flatbuffers, by hand: what `flatc` would write for one table of this shape.

use flatbuffers::{FlatBufferBuilder, ForwardsUOffset, Table, Vector, Verifiable, Verifier, WIPOffset};

use crate::data::Facts;

const ID: u16 = 4;
const DESCRIPTION: u16 = 6;
const ACTIVATION: u16 = 8;
const GLOBS: u16 = 10;
const PRIORITY: u16 = 12;
const CATEGORY: u16 = 14;
const TAGS: u16 = 16;
const LANGUAGES: u16 = 18;
const WHEN: u16 = 20;
const TARGETS: u16 = 22;
const REQUIRES: u16 = 24;
const CONFLICTS: u16 = 26;
const REPLACES: u16 = 28;
const CAPABILITIES: u16 = 30;
const BODY: u16 = 32;
/// Four numbers a node.
const OUTLINE: u16 = 34;
const RULES: u16 = 4;

/// Writes all rules.
pub fn encode(facts: &[Facts]) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::with_capacity(1 << 20);
    let rules: Vec<WIPOffset<flatbuffers::TableFinishedWIPOffset>> =
        facts.iter().map(|facts| rule(&mut fbb, facts)).collect();
    let rules = fbb.create_vector(&rules);
    let start = fbb.start_table();
    fbb.push_slot_always(RULES, rules);
    let root = fbb.end_table(start);
    fbb.finish_minimal(root);
    fbb.finished_data().to_vec()
}

fn rule(fbb: &mut FlatBufferBuilder<'_>, facts: &Facts) -> WIPOffset<flatbuffers::TableFinishedWIPOffset> {
    let strings =
        [(ID, &facts.id), (DESCRIPTION, &facts.description), (WHEN, &facts.when), (BODY, &facts.body)];
    let strings = strings.map(|(slot, text)| (slot, fbb.create_string(text)));
    let lists = [
        (GLOBS, &facts.globs),
        (TAGS, &facts.tags),
        (LANGUAGES, &facts.languages),
        (TARGETS, &facts.targets),
        (REQUIRES, &facts.requires),
        (CONFLICTS, &facts.conflicts),
        (REPLACES, &facts.replaces),
    ];
    let lists = lists.map(|(slot, list)| {
        let list: Vec<_> = list.iter().map(|text| fbb.create_string(text)).collect();
        (slot, fbb.create_vector(&list))
    });
    let outline: Vec<u32> = facts
        .outline
        .iter()
        .flat_map(|node| [node.kind as u32, u32::from(node.level), node.start, node.len])
        .collect();
    let outline = fbb.create_vector(&outline);
    let start = fbb.start_table();
    for (slot, text) in strings {
        fbb.push_slot_always(slot, text);
    }
    for (slot, list) in lists {
        fbb.push_slot_always(slot, list);
    }
    fbb.push_slot_always(OUTLINE, outline);
    let bytes = [
        (ACTIVATION, facts.activation),
        (PRIORITY, facts.priority),
        (CATEGORY, facts.category),
        (CAPABILITIES, facts.capabilities),
    ];
    for (slot, byte) in bytes {
        fbb.push_slot_always(slot, byte);
    }
    let end = fbb.end_table(start);
    WIPOffset::new(end.value())
}

/// One rule.
#[derive(Clone, Copy)]
pub struct FlatRule<'a>(Table<'a>);

impl<'a> flatbuffers::Follow<'a> for FlatRule<'a> {
    type Inner = FlatRule<'a>;

    unsafe fn follow(buf: &'a [u8], loc: usize) -> Self {
        // SAFETY: the caller vouches for a table at `loc`.
        FlatRule(unsafe { Table::new(buf, loc) })
    }
}

type Strings<'a> = ForwardsUOffset<Vector<'a, ForwardsUOffset<&'a str>>>;

impl Verifiable for FlatRule<'_> {
    fn run_verifier(v: &mut Verifier, pos: usize) -> Result<(), flatbuffers::InvalidFlatbuffer> {
        let mut table = v.visit_table(pos)?;
        for slot in [ID, DESCRIPTION, WHEN, BODY] {
            table = table.visit_field::<ForwardsUOffset<&str>>("text", slot, true)?;
        }
        for slot in [GLOBS, TAGS, LANGUAGES, TARGETS, REQUIRES, CONFLICTS, REPLACES] {
            table = table.visit_field::<Strings<'_>>("list", slot, true)?;
        }
        table = table.visit_field::<ForwardsUOffset<Vector<'_, u32>>>("outline", OUTLINE, true)?;
        for slot in [ACTIVATION, PRIORITY, CATEGORY, CAPABILITIES] {
            table = table.visit_field::<u8>("byte", slot, false)?;
        }
        table.finish();
        Ok(())
    }
}

/// All rules.
#[derive(Clone, Copy)]
pub struct FlatSet<'a>(Table<'a>);

impl<'a> flatbuffers::Follow<'a> for FlatSet<'a> {
    type Inner = FlatSet<'a>;

    unsafe fn follow(buf: &'a [u8], loc: usize) -> Self {
        // SAFETY: the caller vouches for a table at `loc`.
        FlatSet(unsafe { Table::new(buf, loc) })
    }
}

impl Verifiable for FlatSet<'_> {
    fn run_verifier(v: &mut Verifier, pos: usize) -> Result<(), flatbuffers::InvalidFlatbuffer> {
        let table = v.visit_table(pos)?;
        table
            .visit_field::<ForwardsUOffset<Vector<'_, ForwardsUOffset<FlatRule<'_>>>>>("rules", RULES, true)?
            .finish();
        Ok(())
    }
}

/// Verifies and gives the rules.
pub fn open(bytes: &[u8]) -> Vector<'_, ForwardsUOffset<FlatRule<'_>>> {
    let options = flatbuffers::VerifierOptions { max_tables: 1 << 24, ..Default::default() };
    let set = flatbuffers::root_with_opts::<FlatSet<'_>>(&options, bytes).expect("what was written verifies");
    // SAFETY: the verifier accepted the table.
    unsafe { set.0.get::<ForwardsUOffset<Vector<'_, ForwardsUOffset<FlatRule<'_>>>>>(RULES, None) }
        .expect("a required field")
}

impl<'a> FlatRule<'a> {
    fn text(&self, slot: u16) -> &'a str {
        // SAFETY: the verifier accepted the field.
        unsafe { self.0.get::<ForwardsUOffset<&str>>(slot, None) }.unwrap_or_default()
    }

    fn byte(&self, slot: u16) -> usize {
        // SAFETY: the verifier accepted the field.
        usize::from(unsafe { self.0.get::<u8>(slot, Some(0)) }.unwrap_or_default())
    }

    /// Reads every field.
    pub fn walk(&self) -> usize {
        let texts: usize = [ID, DESCRIPTION, WHEN, BODY].iter().map(|&slot| self.text(slot).len()).sum();
        let bytes: usize =
            [ACTIVATION, PRIORITY, CATEGORY, CAPABILITIES].iter().map(|&slot| self.byte(slot)).sum();
        let slots = [GLOBS, TAGS, LANGUAGES, TARGETS, REQUIRES, CONFLICTS, REPLACES];
        let lists: usize = slots
            .iter()
            .map(|&slot| {
                // SAFETY: the verifier accepted the field.
                let list = unsafe { self.0.get::<Strings<'_>>(slot, None) };
                list.map_or(0, |list| list.iter().map(str::len).sum::<usize>())
            })
            .sum();
        // SAFETY: the verifier accepted the field.
        let outline = unsafe { self.0.get::<ForwardsUOffset<Vector<'_, u32>>>(OUTLINE, None) };
        texts
            + bytes
            + lists
            + outline.map_or(0, |outline| outline.iter().map(|number| number as usize).sum())
    }
}
