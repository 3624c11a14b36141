//! The planner: from a pack and a set of assistants to the files that there should be.
//!
//! Every path has one content and the assistants that own it. Assistants that
//! agree on a path share it; where they don't, an explicit list is refused with
//! both names, and "all" becomes the largest set that agrees. Knows no disk.

use std::collections::{BTreeMap, BTreeSet};

use driven::{Pack, RuleView};

use crate::block::fits;
use crate::catalog::{Assistant, Entries, Mode, SettingsFormat, assistants};
use crate::error::{Error, ErrorKind, Result};
use crate::globs::only_folder;
use crate::head;
use crate::render::{Fate, FateKind, Policy, Way, is_blank, is_for, name_of, origin_of, scope, way};
use crate::tree::is_name;

/// What a plan is made with.
#[derive(Clone, Copy)]
pub struct Options<'o> {
    /// What happens to a rule whose scope an assistant can't express.
    pub policy: Policy,
    /// Whether the project has a folder: only there a file of its own is put.
    pub has_folder: &'o dyn Fn(&str) -> bool,
    /// Plan for the user's home instead of a project.
    pub global: bool,
}

/// What a file should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The file is driven's.
    File(String),
    /// A block in a file that a person owns. `base` is the person's text where the rules say it.
    Block {
        /// The text outside of the block, where a rule holds it.
        base: Option<String>,
        /// What stands in the block; nothing for no block.
        text: String,
    },
    /// Entries of a list in a file of settings.
    Entries {
        /// How the file is written.
        format: SettingsFormat,
        /// The key of the list.
        key: String,
        /// The entries.
        entries: Vec<String>,
    },
}

/// A file that there should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The assistants that it is for.
    pub owners: Vec<&'static str>,
    /// What it should hold.
    pub content: Content,
}

/// What there should be, and what was lost on the way.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// By path, relative to the root, with `/` between the parts.
    pub files: BTreeMap<String, Planned>,
    /// For each assistant, what became of each rule.
    pub fates: BTreeMap<&'static str, Vec<Fate>>,
    /// Assistants that were left out, and why.
    pub left_out: Vec<Clash>,
    /// Keep what is written out of version control.
    pub gitignore: bool,
}

/// Two assistants that want one path with different content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The path.
    pub path: String,
    /// The one that keeps it.
    pub keeps: &'static str,
    /// The other.
    pub other: &'static str,
}

/// The files of one assistant.
struct Share {
    assistant: &'static Assistant,
    files: BTreeMap<String, Content>,
    /// The paths in small letters: some file systems hold only one of two that differ in case.
    folded: BTreeSet<String>,
    fates: Vec<Fate>,
}

/// Plans for the assistants that were asked for by name.
///
/// # Errors
/// Two that want one path with different content; a rule that the policy refuses to lose.
pub fn plan(pack: &Pack<'_>, targets: &[&'static Assistant], options: &Options<'_>) -> Result<Plan> {
    let shares: Vec<Share> = targets.iter().map(|assistant| share(pack, assistant, options)).collect();
    if let Some((a, b, path)) = clashes(&shares).into_iter().next() {
        let (a, b) = (&shares[a].assistant.id, &shares[b].assistant.id);
        let message = format!("`{a}` and `{b}` need different content in {path}");
        return Err(Error::new(ErrorKind::Conflict, message, "leave one of the two out"));
    }
    merge(shares, Vec::new())
}

/// Plans for as many assistants as agree.
///
/// # Errors
/// A rule that the policy refuses to lose.
pub fn plan_all(pack: &Pack<'_>, options: &Options<'_>) -> Result<Plan> {
    let shares: Vec<Share> = assistants().iter().map(|assistant| share(pack, assistant, options)).collect();
    let clashes = clashes(&shares);
    let mut conflicts = vec![0_u64; shares.len()];
    for &(a, b, _) in &clashes {
        conflicts[a] |= 1 << b;
        conflicts[b] |= 1 << a;
    }
    let chosen = largest_set(&conflicts);
    let is_in = |index: usize| chosen >> index & 1 == 1;
    let mut left_out: Vec<Clash> = Vec::new();
    for (a, b, path) in clashes {
        let (keeps, other) = if is_in(a) { (a, b) } else { (b, a) };
        let (keeps, other) = (shares[keeps].assistant.id.as_str(), shares[other].assistant.id.as_str());
        if (is_in(a) || is_in(b)) && !left_out.iter().any(|clash| clash.other == other) {
            left_out.push(Clash { path, keeps, other });
        }
    }
    let shares = shares.into_iter().enumerate().filter(|(index, _)| is_in(*index)).map(|(_, share)| share);
    merge(shares.collect(), left_out)
}

/// The pairs that want one path with different content.
fn clashes(shares: &[Share]) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    let mut wanted: BTreeMap<String, Vec<(usize, &String, &Content)>> = BTreeMap::new();
    for (index, share) in shares.iter().enumerate() {
        for (path, content) in &share.files {
            // Some file systems hold only one of two names that differ in case.
            wanted.entry(path.to_lowercase()).or_default().push((index, path, content));
        }
    }
    for same in wanted.values() {
        // Contents are long: each is compared with one of its kind.
        let mut kinds: Vec<(&String, &Content)> = Vec::new();
        let mut kind_of = Vec::new();
        for &(index, path, content) in same {
            let known = kinds.iter().position(|kind| *kind == (path, content));
            let kind = known.unwrap_or(kinds.len());
            if kind == kinds.len() {
                kinds.push((path, content));
            }
            kind_of.push((index, path, kind));
        }
        for (at, &(a, path, kind)) in kind_of.iter().enumerate() {
            for &(b, _, other) in &kind_of[at + 1..] {
                if a != b && kind != other {
                    found.push((a, b, path.clone()));
                }
            }
        }
    }
    found.sort();
    found.dedup_by_key(|(a, b, _)| (*a, *b));
    found
}

/// The largest set of indices without a conflict; of several, the one with the earliest members.
fn largest_set(conflicts: &[u64]) -> u64 {
    fn search(rest: u64, conflicts: &[u64]) -> u64 {
        // One with no conflict in the rest belongs to some largest set.
        let mut set = 0;
        let mut rest = rest;
        for (index, &against) in conflicts.iter().enumerate() {
            if rest >> index & 1 == 1 && against & rest == 0 {
                set |= 1 << index;
                rest &= !(1 << index);
            }
        }
        let Some(index) = (0..conflicts.len())
            .filter(|&index| rest >> index & 1 == 1)
            .max_by_key(|&index| ((conflicts[index] & rest).count_ones(), conflicts.len() - index))
        else {
            return set;
        };
        let with = 1 << index | search(rest & !(1 << index) & !conflicts[index], conflicts);
        let without = search(rest & !(1 << index), conflicts);
        set | if without.count_ones() > with.count_ones() { without } else { with }
    }
    assert!(conflicts.len() <= 64, "a set of assistants is a word");
    let all = if conflicts.len() == 64 { u64::MAX } else { (1 << conflicts.len()) - 1 };
    search(all, conflicts)
}

fn merge(shares: Vec<Share>, left_out: Vec<Clash>) -> Result<Plan> {
    let mut plan = Plan { left_out, ..Plan::default() };
    for share in shares {
        let refused = share.fates.iter().find(|fate| fate.kind == FateKind::Refused);
        if let Some(fate) = refused {
            let message =
                format!("`{}` can't be written for {}: {}", fate.rule, share.assistant.id, fate.why);
            let hint = "let such rules be folded or skipped, or give the rule `targets`";
            return Err(Error::new(ErrorKind::Loss, message, hint));
        }
        let id = share.assistant.id.as_str();
        for (path, content) in share.files {
            let planned = plan.files.entry(path).or_insert_with(|| Planned { owners: Vec::new(), content });
            planned.owners.push(id);
        }
        plan.fates.insert(id, share.fates);
    }
    let names: BTreeSet<String> = plan.files.keys().map(|path| path.to_lowercase()).collect();
    for path in plan.files.keys() {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        if let Some(folder) = folders.into_iter().find(|folder| names.contains(&folder.to_lowercase())) {
            let message = format!("{folder} would be a file and a folder, for {path}");
            return Err(Error::new(ErrorKind::Conflict, message, "rename one of the two rules"));
        }
    }
    Ok(plan)
}

/// What one assistant needs.
fn share(pack: &Pack<'_>, assistant: &'static Assistant, options: &Options<'_>) -> Share {
    let mut share = Share { assistant, files: BTreeMap::new(), folded: BTreeSet::new(), fates: Vec::new() };
    let rules: Vec<RuleView<'_>> = pack.rules().filter(|rule| is_for(rule, assistant)).collect();
    if options.global {
        if let Some(global) = &assistant.global {
            match (&global.dir, &global.root) {
                (Some(dir), _) if assistant.rules.is_some() => share.folder(&rules, dir, options),
                (_, Some(root)) => share.root(&rules, root, false, options),
                (Some(dir), None) => share.folder(&rules, dir, options),
                (None, None) => {}
            }
        }
        return share;
    }
    if let Some(folder) = &assistant.rules {
        share.folder(&rules, &folder.dir, options);
    }
    if let Some(root) = &assistant.root {
        share.root(&rules, &root.file, root.nested, options);
    }
    share.register(&rules, options);
    share
}

impl Share {
    /// A file for each rule.
    fn folder(&mut self, rules: &[RuleView<'_>], dir: &str, options: &Options<'_>) {
        for rule in rules {
            let (way, fate) = way(rule, self.assistant, options.policy, options.global);
            let front = match way {
                Way::Native(head) => head,
                Way::Fold(prose) => prose,
                Way::Out => {
                    self.fates.push(fate);
                    continue;
                }
            };
            // A body that could be taken for a head gets an empty one.
            let front =
                if front.is_empty() && self.is_taken_for_head(rule) { "---\n---\n".into() } else { front };
            let (path, front) = match self.whole_file(rule, options) {
                Some((path, front)) => (path.to_owned(), front.to_owned()),
                None => (self.path_of(rule, dir, options), front),
            };
            let text = format!("{front}{}", rule.body());
            if !self.folded.insert(path.to_lowercase()) {
                let why = format!("another rule is written to {path} already");
                self.fates.push(Fate { kind: FateKind::Skipped, why, ..fate });
                continue;
            }
            self.files.insert(path, Content::File(text));
            self.fates.push(fate);
        }
    }

    /// Whether a body by itself would be read as a head, or as one with another meaning.
    fn is_taken_for_head(&self, rule: &RuleView<'_>) -> bool {
        let Some(spec) = &self.assistant.head else { return false };
        let mode = Mode::of(rule.activation());
        let reads = |read: head::ReadFile| read.body_start == 0 && read.meaning.mode == mode;
        rule.body().starts_with("---") && !head::read(rule.body(), spec).is_ok_and(reads)
    }

    /// The path and the front of a rule that was a file by itself, without a head: `CLAUDE.md`, `.cursorrules`.
    fn whole_file<'a>(&self, rule: &RuleView<'a>, options: &Options<'_>) -> Option<(&'a str, &'a str)> {
        let (path, front) = origin_of(rule, self.assistant).filter(|_| !options.global)?;
        let globs: Vec<String> = rule.globs().iter().map(str::to_owned).collect();
        let scope = match Mode::of(rule.activation()) {
            Mode::Always => "",
            Mode::Globs if self.assistant.legacy_nested => only_folder(&globs)?,
            _ => return None,
        };
        let name = if scope.is_empty() { path } else { path.strip_prefix(scope)?.strip_prefix('/')? };
        let is_known = self.assistant.legacy.iter().any(|legacy| legacy == name)
            && self.assistant.folder_that_was_a_file() != Some(path);
        let fits = is_known && is_plain(path) && rule.when().is_empty() && is_blank(front);
        fits.then_some((path, front))
    }

    /// Where a rule's file lies: where it was imported from, or below the folder by its id.
    fn path_of(&self, rule: &RuleView<'_>, dir: &str, options: &Options<'_>) -> String {
        let folder = self.assistant.rules.as_ref();
        let ending = folder.map_or(".md", |folder| folder.ending.as_str());
        if let Some((path, _)) = origin_of(rule, self.assistant)
            && !options.global
        {
            let below = path.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/'));
            if below.is_some_and(|name| name.ends_with(ending)) && is_plain(path) {
                return path.into();
            }
        }
        let subfolders = folder.is_some_and(|folder| folder.subfolders);
        let name = if subfolders { rule.id().to_owned() } else { rule.id().replace('/', "-") };
        format!("{dir}/{name}{ending}")
    }

    /// One file for all rules, and one in each folder that rules speak about.
    fn root(&mut self, rules: &[RuleView<'_>], file: &str, nested: bool, options: &Options<'_>) {
        let mut texts: BTreeMap<String, (Option<String>, String)> = BTreeMap::new();
        texts.insert(file.into(), (None, String::new()));
        for rule in rules {
            if let Some((path, front)) = self.whole_file(rule, options) {
                self.files.insert(path.into(), Content::File(format!("{front}{}", rule.body())));
                self.fates.push(Fate { rule: rule.id().into(), kind: FateKind::Kept, why: String::new() });
                continue;
            }
            let globs: Vec<String> = rule.globs().iter().map(str::to_owned).collect();
            let folder = only_folder(&globs).filter(|folder| {
                nested && Mode::of(rule.activation()) == Mode::Globs && (options.has_folder)(folder)
            });
            let path = folder.map_or_else(|| file.to_owned(), |folder| format!("{folder}/{file}"));
            let scoped =
                Mode::of(rule.activation()) != Mode::Always && folder.is_none() || !rule.when().is_empty();
            let fate = |kind, why: &str| Fate { rule: rule.id().into(), kind, why: why.into() };
            let own = rule.origins().find(|origin| origin.path() == path && is_blank(origin.text()));
            let (base, text) = texts.entry(path).or_default();
            if let Some(own) = own.filter(|_| !scoped && base.is_none()) {
                *base = Some(format!("{}{}", own.text(), rule.body()));
                self.fates.push(fate(FateKind::Kept, ""));
                continue;
            }
            let (prose, fate) = if scoped {
                match fold(rule, self.assistant, options) {
                    Ok(told) => (format!("{}\n\n", scope(rule)), told),
                    Err(told) => {
                        self.fates.push(told);
                        continue;
                    }
                }
            } else {
                (String::new(), fate(FateKind::Kept, ""))
            };
            if !fits(rule.body()) || !fits(&prose) {
                let why = "its text holds a mark of driven's own block".to_owned();
                self.fates.push(Fate { kind: FateKind::Skipped, why, ..fate });
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&prose);
            text.push_str(rule.body().trim_end_matches(['\n', '\r']));
            text.push('\n');
            self.fates.push(fate);
        }
        for (path, (base, text)) in texts {
            if base.is_some() || !text.is_empty() {
                self.files.insert(path, Content::Block { base, text });
            }
        }
    }

    /// Lists what was written in the assistant's settings.
    fn register(&mut self, rules: &[RuleView<'_>], options: &Options<'_>) {
        let Some(register) = &self.assistant.register else { return };
        let entries = match register.of {
            Entries::Paths => self.files.keys().cloned().collect(),
            Entries::Texts => {
                let mut texts = Vec::new();
                for rule in rules {
                    let (way, fate) = way(rule, self.assistant, options.policy, options.global);
                    match way {
                        Way::Native(_) => texts.push(rule.body().to_owned()),
                        Way::Fold(prose) => texts.push(format!("{prose}{}", rule.body())),
                        Way::Out => {}
                    }
                    self.fates.push(fate);
                }
                texts
            }
        };
        if !entries.is_empty() {
            let content = Content::Entries { format: register.format, key: register.key.clone(), entries };
            self.files.insert(register.file.clone(), content);
        }
    }
}

/// What becomes of a scoped rule in a file without scopes.
fn fold(rule: &RuleView<'_>, assistant: &Assistant, options: &Options<'_>) -> Result<Fate, Fate> {
    let (way, fate) = way(rule, assistant, options.policy, options.global);
    match way {
        Way::Out => Err(fate),
        Way::Native(_) | Way::Fold(_) => Ok(fate),
    }
}

/// Whether a path from a pack stays where it says: parts that are names, below the root.
fn is_plain(path: &str) -> bool {
    let part = |part: &str| is_name(part) && !part.contains(':');
    path.split('/').all(part) && !path.chars().any(char::is_control) && !name_of(path).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_set_without_conflict_is_found() {
        // 0 against 1 and 2, 3 against nobody: 1, 2 and 3 are more than 0 and 3.
        assert_eq!(largest_set(&[0b0110, 0b0001, 0b0001, 0]), 0b1110);
        // Of two equal choices the earlier one.
        assert_eq!(largest_set(&[0b10, 0b01]), 0b01);
        assert_eq!(largest_set(&[]), 0);
    }

    #[test]
    fn a_path_from_a_pack_never_leaves_the_root() {
        assert!(is_plain(".cursor/rules/a.mdc"));
        for path in ["", "/etc/passwd", "../a", "a/../b", "a//b", "c:\\x", "a/\u{7}"] {
            assert!(!is_plain(path), "{path:?}");
        }
    }
}
