//! What the fuzzers do with their input; the ordinary tests replay the seeds through the same code.

use std::sync::OnceLock;

use driven::{LazyPack, Pack, RuleView};
use driven_format::glob::GlobList;
use driven_format::patch::{Base, PATCH_MAGIC, Patch, WholeBase};

use crate::oracle::{pulldown, scanned};

/// Opens bytes as a pack; what opens can be read to the last field without a panic.
pub fn open(bytes: &[u8]) {
    if let Ok(pack) = LazyPack::open(bytes) {
        pack.rules().for_each(|rule| {
            let _ = (rule.read().map(|rule| read(&rule)), rule.description(), rule.globs().len());
        });
        let _ = pack.prove();
        let _ = pack.for_path("src/main.rs").count();
    }
    let Ok(pack) = Pack::open(bytes) else { return };
    let read_fields: usize = pack.rules().map(|rule| read(&rule)).sum();
    let found = pack.rules().filter(|rule| pack.rule(rule.id()).is_some()).count();
    let by_path: usize =
        ["a", "src/main.rs", "a/b/c.d.ts", "é/ü.md"].iter().map(|path| pack.for_path(path).count()).sum();
    let by_tag: usize = pack.tags().map(|(tag, _)| pack.tagged(tag).count()).sum();
    let by_activation: usize =
        driven::Activation::ALL.iter().map(|&activation| pack.activated(activation).count()).sum();
    let others: usize =
        pack.personas().map(|persona| persona.body().len() + persona.traits().len()).sum::<usize>()
            + pack.workflows().map(|workflow| workflow.body().len() + workflow.steps().len()).sum::<usize>();
    let manifest = pack.manifest();
    let words = manifest.name().len() + manifest.description().len() + manifest.licence().len();
    std::hint::black_box(read_fields + found + by_path + by_tag + by_activation + others + words);
    let _ = pack.prove();
}

fn read(rule: &RuleView<'_>) -> usize {
    let lists = [
        rule.globs(),
        rule.tags(),
        rule.languages(),
        rule.targets(),
        rule.requires(),
        rule.conflicts(),
        rule.replaces(),
    ];
    let lists: usize = lists.iter().flat_map(|list| list.iter().map(str::len)).sum();
    let sections: usize = rule.sections().map(|section| section.text().len() + section.title().len()).sum();
    let items: usize = rule.items().map(|item| item.text().len() + usize::from(item.depth())).sum();
    let origins: usize = rule.origins().map(|origin| origin.text().len() + origin.path().len()).sum();
    let texts = rule.id().len() + rule.description().len() + rule.when().len() + rule.body().len();
    let codes =
        usize::from(rule.priority()) + rule.activation() as usize + rule.capabilities().iter().count();
    lists + sections + items + origins + texts + codes + usize::from(rule.category().is_some())
}

/// Applies a stream of operations to the small pack; what comes out is a pack whose digests hold.
///
/// # Panics
/// When a target that was taken is none.
pub fn patch(stream: &[u8]) {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    let pack = BASE.get_or_init(crate::samples::small_signed);
    let base = WholeBase::prove(pack).expect("the small pack is in order");
    let edition = base.tables().edition();
    for packing in 0..4 {
        let head = [&PATCH_MAGIC[..], &[6 | packing << 4], &edition.0[..16], &[0; 16], &[0]].concat();
        let bytes = [&head[..], stream].concat();
        let target = Patch::open(&bytes).and_then(|patch| patch.apply(&base, 1 << 20));
        assert!(target.is_err(), "a target without a name was taken");
    }
    let whole = [&PATCH_MAGIC[..], stream].concat();
    let _ = Patch::open(&whole).and_then(|patch| patch.apply(&base, 1 << 20));
}

/// Reads text as a source file; places lie within it.
///
/// # Panics
/// When a place lies outside of the text.
pub fn frontmatter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(front) = driven_build::frontmatter::read(text) {
        assert!(text.is_char_boundary(front.body_start));
        for entry in &front.entries {
            assert!(
                text.get(entry.value.range.clone()).is_some(),
                "{:?} is outside of the text",
                entry.value.range
            );
        }
    }
}

/// Scans a body; its nodes can be written and read, and agree with the oracle.
///
/// # Panics
/// When they do not.
pub fn outline(bytes: &[u8]) {
    let Ok(body) = std::str::from_utf8(bytes) else { return };
    let mut rule = driven_format::Rule::new("fuzz", body);
    rule.outline = driven_build::outline::scan(body).nodes;
    let pack = driven_format::PackBuilder::new("", 0)
        .rule(rule)
        .finish()
        .expect("what is found is a part of the body");
    Pack::open(&pack).expect("what was written opens");
    if !deviates(body) {
        let (mut oracle, mut found) = (pulldown(body), scanned(body));
        if body.contains('<') || body.contains('>') {
            // Links in raw HTML and over the lines of a quote are not claimed.
            oracle.links.clear();
            found.links.clear();
        }
        assert_eq!(oracle, found);
    }
}

/// Bodies on which the oracle is known to differ: `docs/FORMAT.md`, "Outline".
pub fn deviates(body: &str) -> bool {
    let tab_before_quote =
        body.lines().any(|line| line.trim_start_matches([' ', '>']).starts_with('\t') && line.contains('>'));
    // Characters that the oracle replaces or that count as white space to it alone.
    tab_before_quote
        || body
            .chars()
            .any(|char| char == '\0' || char == '\r' || char.is_control() && !matches!(char, '\n' | '\t'))
}

/// Matches a path against patterns, in tables and one by one: both say the same.
///
/// The input is patterns, one a line, and the path in the last line.
///
/// # Panics
/// When they do not.
pub fn matching(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let Some(path) = lines.pop() else { return };
    let Ok(list) = GlobList::parse(&lines) else { return };
    let mut rule = driven_format::Rule::new("fuzz", "");
    rule.globs = lines.iter().map(|line| (*line).to_owned()).collect();
    rule.activation = driven_format::Activation::Globs;
    let pack = driven_format::PackBuilder::new("", 0)
        .rule(rule)
        .finish()
        .expect("patterns that parse can be written");
    let pack = Pack::open(&pack).expect("what was written opens");
    let below = path.trim_start_matches("./");
    let outside = below.is_empty() || below.starts_with('/') || below.split('/').any(|part| part == "..");
    assert_eq!(pack.for_path(path).count() == 1, !outside && list.matches(below), "{lines:?} on {path:?}");
}
