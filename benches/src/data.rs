//! The same facts in every rival's form.

use std::path::{Path, PathBuf};

use driven_format::{Rule, RuleSet};
use serde::{Deserialize, Serialize};

/// A rule's facts, owned: what every rival stores. Ranges are numbers, bodies stand once.
#[derive(Clone, Serialize, Deserialize, bitcode::Encode, rkyv::Archive, rkyv::Serialize)]
pub struct Facts {
    pub id: String,
    pub description: String,
    pub activation: u8,
    pub globs: Vec<String>,
    pub priority: u8,
    pub category: u8,
    pub tags: Vec<String>,
    pub languages: Vec<String>,
    pub when: String,
    pub targets: Vec<String>,
    pub requires: Vec<String>,
    pub conflicts: Vec<String>,
    pub replaces: Vec<String>,
    pub capabilities: u8,
    pub body: String,
    pub outline: Vec<Node>,
}

/// What a node marks: an enumeration on both sides, since ours proves that too.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Serialize,
    Deserialize,
    bitcode::Encode,
    bitcode::Decode,
    rkyv::Archive,
    rkyv::Serialize,
)]
pub enum Kind {
    Section,
    Title,
    Bullet,
    Numbered,
}

/// A heading or list item.
#[derive(
    Clone, Copy, Serialize, Deserialize, bitcode::Encode, bitcode::Decode, rkyv::Archive, rkyv::Serialize,
)]
pub struct Node {
    pub kind: Kind,
    pub level: u8,
    pub start: u32,
    pub len: u32,
}

/// The same, borrowed from the bytes where the rival can.
#[derive(Deserialize, bitcode::Decode)]
pub struct Borrowed<'a> {
    #[serde(borrow)]
    pub id: &'a str,
    #[serde(borrow)]
    pub description: &'a str,
    pub activation: u8,
    #[serde(borrow)]
    pub globs: Vec<&'a str>,
    pub priority: u8,
    pub category: u8,
    #[serde(borrow)]
    pub tags: Vec<&'a str>,
    #[serde(borrow)]
    pub languages: Vec<&'a str>,
    #[serde(borrow)]
    pub when: &'a str,
    #[serde(borrow)]
    pub targets: Vec<&'a str>,
    #[serde(borrow)]
    pub requires: Vec<&'a str>,
    #[serde(borrow)]
    pub conflicts: Vec<&'a str>,
    #[serde(borrow)]
    pub replaces: Vec<&'a str>,
    pub capabilities: u8,
    #[serde(borrow)]
    pub body: &'a str,
    pub outline: Vec<Node>,
}

/// Borrowed from JSON, whose escapes force copies of some strings.
#[derive(Deserialize)]
pub struct FromJson<'a> {
    #[serde(borrow)]
    pub id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub description: std::borrow::Cow<'a, str>,
    pub activation: u8,
    #[serde(borrow)]
    pub globs: Vec<std::borrow::Cow<'a, str>>,
    pub priority: u8,
    pub category: u8,
    pub tags: Vec<std::borrow::Cow<'a, str>>,
    pub languages: Vec<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    pub when: std::borrow::Cow<'a, str>,
    pub targets: Vec<std::borrow::Cow<'a, str>>,
    pub requires: Vec<std::borrow::Cow<'a, str>>,
    pub conflicts: Vec<std::borrow::Cow<'a, str>>,
    pub replaces: Vec<std::borrow::Cow<'a, str>>,
    pub capabilities: u8,
    #[serde(borrow)]
    pub body: std::borrow::Cow<'a, str>,
    pub outline: Vec<Node>,
}

impl From<&Rule> for Facts {
    fn from(rule: &Rule) -> Self {
        Facts {
            id: rule.id.clone(),
            description: rule.description.clone(),
            activation: rule.activation.code(),
            globs: rule.globs.clone(),
            priority: rule.priority,
            category: rule.category.map_or(0, driven_format::Category::code),
            tags: rule.tags.clone(),
            languages: rule.languages.clone(),
            when: rule.when.clone(),
            targets: rule.targets.clone(),
            requires: rule.requires.clone(),
            conflicts: rule.conflicts.clone(),
            replaces: rule.replaces.clone(),
            capabilities: rule.capabilities.bits(),
            body: rule.body.clone(),
            outline: rule
                .outline
                .iter()
                .map(|node| Node {
                    kind: kind(node.kind),
                    level: node.level,
                    start: node.start,
                    len: node.len,
                })
                .collect(),
        }
    }
}

fn kind(kind: driven_format::NodeKind) -> Kind {
    match kind {
        driven_format::NodeKind::Section => Kind::Section,
        driven_format::NodeKind::Title => Kind::Title,
        driven_format::NodeKind::Bullet => Kind::Bullet,
        _ => Kind::Numbered,
    }
}

/// Adds up what reading every field gives; each rival's walk does the same.
macro_rules! walk {
    ($rule:expr) => {{
        let rule = $rule;
        let list = |list: &[_]| list.iter().map(|text| AsRef::<str>::as_ref(text).len()).sum::<usize>();
        rule.id.len()
            + rule.description.len()
            + usize::from(rule.activation)
            + list(&rule.globs)
            + usize::from(rule.priority)
            + usize::from(rule.category)
            + list(&rule.tags)
            + list(&rule.languages)
            + rule.when.len()
            + list(&rule.targets)
            + list(&rule.requires)
            + list(&rule.conflicts)
            + list(&rule.replaces)
            + usize::from(rule.capabilities)
            + rule.body.len()
            + rule
                .outline
                .iter()
                .map(|node| {
                    node.kind as usize + usize::from(node.level) + node.start as usize + node.len as usize
                })
                .sum::<usize>()
    }};
}
pub(crate) use walk;

/// A set of rules in every form.
pub struct Set {
    pub name: &'static str,
    pub model: RuleSet,
    pub facts: Vec<Facts>,
    pub pack: Vec<u8>,
    pub json: Vec<u8>,
    pub postcard: Vec<u8>,
    pub bitcode: Vec<u8>,
    pub rkyv: rkyv::util::AlignedVec,
    pub flatbuffers: Vec<u8>,
    /// The source files' sizes.
    pub source_bytes: usize,
}

impl Set {
    fn new(name: &'static str, model: RuleSet, source_bytes: usize) -> Self {
        let facts: Vec<Facts> = model.rules.iter().map(Facts::from).collect();
        Set {
            name,
            pack: driven_format::write_pack(&model).expect("the model is in order"),
            json: serde_json::to_vec(&facts).expect("facts are JSON"),
            postcard: postcard::to_stdvec(&facts).expect("facts are postcard"),
            bitcode: bitcode::encode(&facts),
            rkyv: rkyv::to_bytes::<rkyv::rancor::Error>(&facts).expect("facts are rkyv"),
            flatbuffers: crate::flat::encode(&facts),
            facts,
            model,
            source_bytes,
        }
    }
}

/// All real rules, and twenty of them evenly spread.
pub fn sets(corpus: &Path) -> (Set, Set) {
    let mut whole = RuleSet::default();
    let mut bytes = 0;
    let mut sizes = std::collections::BTreeMap::new();
    for folder in ["copilot", "cursor"] {
        let (set, _) =
            driven_build::rules(corpus.join(folder)).cap_lints_warn().model().expect("the corpus compiles");
        for mut rule in set.rules {
            rule.id = format!("{folder}/{}", rule.id);
            whole.rules.push(rule);
        }
        for file in sources(&corpus.join(folder)) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let stem =
                [".instructions.md", ".mdc", ".md"].iter().find_map(|ending| name.strip_suffix(ending));
            let len = std::fs::metadata(&file).expect("the corpus can be read").len() as usize;
            sizes.insert(format!("{folder}/{}", stem.unwrap_or_default()), len);
            bytes += len;
        }
    }
    let every = whole.rules.len() / 20;
    let rules: Vec<Rule> = whole.rules.iter().step_by(every).take(20).cloned().collect();
    let twenty_bytes = rules.iter().map(|rule| sizes[&rule.id]).sum();
    let twenty = RuleSet { rules, ..RuleSet::default() };
    (Set::new("20 rules", twenty, twenty_bytes), Set::new("whole corpus", whole, bytes))
}

/// The rule files of a corpus folder.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the corpus can be read");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the corpus can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md" || ending == "mdc"))
        .collect();
    files.sort();
    files
}

/// The text of a rule's source file.
pub fn source_of(corpus: &Path, rule: &Facts) -> PathBuf {
    let (folder, name) = rule.id.split_once('/').expect("ids begin with the folder");
    corpus
        .join(folder)
        .join(format!("{name}{}", if folder == "cursor" { ".mdc" } else { ".instructions.md" }))
}
