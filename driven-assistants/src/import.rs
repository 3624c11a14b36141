//! From what a project has to a rule set: every assistant's own files, read back.
//!
//! Reads regular files below the root, through no links, in bounded memory;
//! what it passes over it says. What stood in front of a body is kept byte for
//! byte as the rule's origin, so that an export gives the same file again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use driven_build::outline::rescan;
use driven_format::{Activation, Origin, Rule, RuleSet, rust_path};

use crate::catalog::{Assistant, Entries, assistants, find};
use crate::error::Result;
use crate::head::{self, Meaning};
use crate::tree::Tree;
use crate::walk::{Note, Walk};
use crate::{globs, movers, settings};

/// Two rules that share this part of the lines of the smaller are near-duplicates, in percent.
const SIMILAR: usize = 70;

/// What an import found.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The rules.
    pub set: RuleSet,
    /// Which file each rule was read from, by rule id.
    pub sources: BTreeMap<String, Vec<String>>,
    /// What was passed over, and why.
    pub notes: Vec<Note>,
    /// Rules that are nearly the same: two ids, and how many percent of the smaller one's lines they share.
    pub similar: Vec<(String, String, usize)>,
    /// The assistants that the rules came from, or that a foreign configuration names.
    pub targets: Vec<String>,
}

/// A file that an assistant reads, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: String,
    /// Whose it is; empty for a tool that is no assistant.
    pub(crate) owner: &'static str,
    /// The id that it would like.
    pub(crate) id: String,
    pub(crate) meaning: Meaning,
    /// What stood in front of the body.
    pub(crate) front: String,
    pub(crate) body: String,
    /// Assistants that the file itself names; empty for no word on it.
    pub(crate) targets: Vec<String>,
}

/// Reads what a project has, or what it has for the assistants in `from`.
///
/// # Errors
/// A root that is no folder.
pub fn import(root: &Path, from: &[&'static Assistant]) -> Result<Imported> {
    let tree = Tree::new(root)?;
    let mut look = Look { tree, seen: BTreeSet::new(), found: Vec::new(), out: Imported::default() };
    // A file that many read is that of the standard.
    let mut all: Vec<&'static Assistant> =
        if from.is_empty() { assistants().iter().collect() } else { from.to_vec() };
    all.sort_by_key(|assistant| (assistant.id != "agentsmd", assistant.precedence));
    for assistant in &all {
        look.own_folder(assistant);
        look.single_files(assistant);
        look.register(assistant);
    }
    look.nested(&all);
    if from.is_empty() {
        movers::read(&mut look);
    }
    let Look { found, out, .. } = look;
    Ok(merge(found, out))
}

/// One look at a project.
pub(crate) struct Look {
    tree: Tree,
    seen: BTreeSet<String>,
    pub(crate) found: Vec<Found>,
    pub(crate) out: Imported,
}

impl Look {
    pub(crate) fn note(&mut self, path: &str, message: impl Into<String>) {
        self.out.notes.push(Note::new(path, &message.into()));
    }

    /// The text of a file that was not read yet.
    pub(crate) fn take(&mut self, path: &str) -> Option<String> {
        if self.seen.contains(path) {
            return None;
        }
        match self.tree.read(path) {
            Ok(Some(text)) => {
                self.seen.insert(path.into());
                Some(text)
            }
            Ok(None) => None,
            Err(err) => {
                if self.seen.insert(path.into()) {
                    self.note(path, err.to_string());
                }
                None
            }
        }
    }

    /// The files below a folder, in order; `deep` also those in folders below it.
    pub(crate) fn files(&mut self, dir: &str, ending: &str, deep: bool) -> Vec<String> {
        let mut found = Vec::new();
        Walk::of_folder(deep).run(&self.tree, dir, &mut self.out.notes, &mut |path| {
            if path.ends_with(ending) {
                found.push(path.to_owned());
            }
        });
        found
    }

    /// The folder with a file for each rule.
    fn own_folder(&mut self, assistant: &'static Assistant) {
        let Some(rules) = &assistant.rules else { return };
        if assistant.folder_that_was_a_file().is_some() && self.tree.has_folder(&rules.dir).is_err() {
            return;
        }
        for path in self.files(&rules.dir, &rules.ending, rules.subfolders) {
            let Some(text) = self.take(&path) else { continue };
            let id = path[rules.dir.len() + 1..path.len() - rules.ending.len()].to_owned();
            let (meaning, start) = match &assistant.head {
                Some(spec) => match head::read(&text, spec) {
                    Ok(read) => (read.meaning, read.body_start),
                    Err((_, why)) => {
                        self.note(&path, format!("its head does not parse: {why}"));
                        continue;
                    }
                },
                None => (head::always(), bom(&text)),
            };
            self.push(assistant, path, id, meaning, &text, start);
        }
    }

    /// Files that hold everything.
    fn single_files(&mut self, assistant: &'static Assistant) {
        let root = assistant.root.iter().map(|root| root.file.as_str());
        let all: Vec<&str> = root.chain(assistant.legacy.iter().map(String::as_str)).collect();
        for path in all {
            if assistant.folder_that_was_a_file() == Some(path) && self.tree.has_folder(path).is_ok() {
                continue;
            }
            let Some(text) = self.take(path) else { continue };
            self.push(assistant, path.into(), name_of(path), head::always(), &text, bom(&text));
        }
        let Some(root) = assistant.root.as_ref().filter(|_| assistant.first_match) else { return };
        for path in assistant.reads.iter().take_while(|&path| *path != root.file) {
            if !self.seen.contains(path) && self.tree.read(path).is_ok_and(|text| text.is_some()) {
                let name = &assistant.name;
                self.note(path, format!("{name} reads it in place of {}; it was not taken in", root.file));
            }
        }
    }

    /// Texts in a file of settings.
    fn register(&mut self, assistant: &'static Assistant) {
        let Some(register) = assistant.register.as_ref().filter(|one| one.of == Entries::Texts) else {
            return;
        };
        let Some(text) = self.take(&register.file) else { return };
        match settings::texts(&text, register.format, &register.key) {
            Ok(texts) => {
                for (index, body) in texts.into_iter().enumerate() {
                    let id = format!("{}-{}", assistant.id, index + 1);
                    self.push(assistant, register.file.clone(), id, head::always(), &body, 0);
                }
            }
            Err(why) => self.note(&register.file, why),
        }
    }

    /// Files in folders of the project, which speak about those.
    fn nested(&mut self, all: &[&'static Assistant]) {
        let mut names: BTreeMap<&str, &'static Assistant> = BTreeMap::new();
        for assistant in all {
            let root = assistant.root.iter().filter(|root| root.nested).map(|root| root.file.as_str());
            let legacy = assistant.legacy.iter().filter(|_| assistant.legacy_nested).map(String::as_str);
            for name in root.chain(legacy).filter(|name| !name.contains('/')) {
                names.entry(name).or_insert(assistant);
            }
        }
        if names.is_empty() {
            return;
        }
        let mut found = Vec::new();
        Walk::of_project().run(&self.tree, "", &mut self.out.notes, &mut |path| {
            if let Some((folder, name)) = path.rsplit_once('/')
                && let Some(assistant) = names.get(name)
            {
                found.push((path.to_owned(), folder.to_owned(), *assistant));
            }
        });
        for (path, folder, assistant) in found {
            let glob = format!("{folder}/**");
            if globs::only_folder(std::slice::from_ref(&glob)).is_none() {
                self.note(&path, "its folder's name can't stand in a glob");
                continue;
            }
            let Some(text) = self.take(&path) else { continue };
            let id = format!("{folder}/{}", name_of(&path));
            let meaning =
                Meaning { mode: crate::catalog::Mode::Globs, description: String::new(), globs: vec![glob] };
            self.push(assistant, path, id, meaning, &text, bom(&text));
        }
    }

    fn push(
        &mut self,
        assistant: &'static Assistant,
        path: String,
        id: String,
        meaning: Meaning,
        text: &str,
        start: usize,
    ) {
        let (front, body) = text.split_at(start + blank_lines(&text[start..]));
        let dir = assistant.rules.as_ref().map(|rules| format!("{}/", rules.dir));
        let in_folder = dir.is_some_and(|dir| path.starts_with(&dir));
        let body = match crate::block::part(body, crate::block::Comment::Html) {
            // What driven wrote itself is no source.
            Ok(parted) if parted.block.is_some() && !in_folder => {
                // Nor is the empty line that it put in front.
                let own = match parted.before {
                    before if before.ends_with("\n\n") => &before[..before.len() - 1],
                    before => before.strip_suffix("\r\n\r\n").map_or(before, |own| &before[..own.len() + 2]),
                };
                format!("{own}{}", parted.after)
            }
            _ => body.to_owned(),
        };
        if body.trim().is_empty() && front.trim().is_empty() {
            self.note(&path, "it has no text of its own");
            return;
        }
        let front = front.to_owned();
        self.found.push(Found { path, owner: &assistant.id, id, meaning, front, body, targets: Vec::new() });
    }
}

pub(crate) fn bom(text: &str) -> usize {
    text.len() - text.trim_start_matches('\u{FEFF}').len()
}

/// The length of the blank lines that a text begins with.
pub(crate) fn blank_lines(text: &str) -> usize {
    let blank = &text[..text.len() - text.trim_start().len()];
    blank.rfind('\n').map_or(0, |at| at + 1)
}

/// `AGENTS.md` is `agents`.
fn name_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.strip_suffix(".md").unwrap_or(name).trim_start_matches('.');
    stem.to_lowercase()
}

/// From files to rules: the same rule in several files is one.
fn merge(found: Vec<Found>, mut out: Imported) -> Imported {
    let mut groups: Vec<Vec<Found>> = Vec::new();
    let mut by_text: HashMap<(String, Activation), Vec<usize>> = HashMap::new();
    for one in found {
        let key = (one.body.clone(), one.meaning.mode.activation());
        let same = by_text.entry(key).or_default();
        let fits = |&&index: &&usize| {
            let group: &Vec<Found> = &groups[index];
            group
                .iter()
                .all(|other| other.path != one.path && other.owner != one.owner && is_same(&one, other))
        };
        if let Some(index) = same.iter().find(fits).copied() {
            groups[index].push(one);
        } else {
            same.push(groups.len());
            groups.push(vec![one]);
        }
    }
    let owners: BTreeSet<&str> =
        groups.iter().flatten().map(|one| one.owner).filter(|one| !one.is_empty()).collect();
    let mut targets: Vec<String> = Vec::new();
    for target in out.targets.drain(..).chain(owners.iter().map(|&owner| owner.to_owned())) {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    out.targets = targets;
    let mut names = Names::default();
    for group in groups {
        let rule = rule_of(&group, &owners, &mut names);
        out.sources.insert(rule.id.clone(), group.into_iter().map(|one| one.path).collect());
        out.set.rules.push(rule);
    }
    rescan(&mut out.set);
    out.similar = similar(&out.set.rules);
    out
}

/// Whether two files with one text and one mode say the same.
fn is_same(a: &Found, b: &Found) -> bool {
    let describes = |one: &Found| {
        let spec = find(one.owner).and_then(|assistant| assistant.head.as_ref());
        spec.is_some_and(|spec| head::describes(spec, one.meaning.mode))
    };
    let told = a.meaning.description == b.meaning.description || !describes(a) || !describes(b);
    told && globs::mean_the_same(&a.meaning.globs, &b.meaning.globs) && a.targets == b.targets
}

fn rule_of(group: &[Found], owners: &BTreeSet<&str>, names: &mut Names) -> Rule {
    let first = &group[0];
    let own: BTreeSet<&str> = group.iter().map(|one| one.owner).collect();
    let description = group.iter().map(|one| &one.meaning.description).find(|text| !text.is_empty());
    let mut rule = Rule::new(names.take(&first.id, first.owner), first.body.clone());
    rule.description = description.cloned().unwrap_or_default();
    rule.activation = first.meaning.mode.activation();
    rule.globs.clone_from(&first.meaning.globs);
    rule.targets.clone_from(&first.targets);
    if rule.targets.is_empty() && own.len() < owners.len() && !own.contains("") {
        rule.targets = own.iter().map(|&owner| owner.to_owned()).collect();
    }
    rule.origins = group
        .iter()
        .filter(|one| !one.owner.is_empty())
        .map(|one| Origin { assistant: one.owner.into(), path: one.path.clone(), text: one.front.clone() })
        .collect();
    rule
}

/// Ids that are taken, and the Rust names that they give.
#[derive(Default)]
struct Names {
    folded: BTreeSet<String>,
    rules: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl Names {
    /// A free id near `wanted`.
    fn take(&mut self, wanted: &str, owner: &str) -> String {
        let plain = sanitised(wanted);
        let owned = format!("{plain}-{}", if owner.is_empty() { "imported" } else { owner });
        let counted = (2..).map(|number| format!("{owned}-{number}"));
        let mut all = [plain.clone(), owned.clone()].into_iter().chain(counted);
        all.find(|id| self.is_free(id)).unwrap_or(plain)
    }

    fn is_free(&mut self, id: &str) -> bool {
        let parts = rust_path(id);
        let prefixes: Vec<String> = (1..parts.len()).map(|len| parts[..len].join("::")).collect();
        let name = parts.join("::");
        let free = !self.folded.contains(&id.to_lowercase())
            && !self.rules.contains(&name)
            && !self.modules.contains(&name)
            && !prefixes.iter().any(|prefix| self.rules.contains(prefix));
        if free {
            self.folded.insert(id.to_lowercase());
            self.rules.insert(name);
            self.modules.extend(prefixes);
        }
        free
    }
}

/// An id that can be that of a file on every system.
fn sanitised(wanted: &str) -> String {
    let part = |part: &str| {
        let plain: String = part
            .trim_start_matches('.')
            .chars()
            .map(|char| if char.is_control() || "\\:*?\"<>|\0".contains(char) { '-' } else { char })
            .collect();
        // The longest name of a file, less an ending and what tells it from another.
        let plain = plain[..plain.floor_char_boundary(180)].trim().to_owned();
        match plain.as_str() {
            "" => "rule".into(),
            "README" | "LICENSE" | "CHANGELOG" => plain.to_lowercase(),
            _ => plain,
        }
    };
    driven_build::nfc(&wanted.split('/').map(part).collect::<Vec<_>>().join("/"))
}

/// Pairs of rules that share most of their lines.
fn similar(rules: &[Rule]) -> Vec<(String, String, usize)> {
    /// A line that more rules have tells nothing.
    const COMMON: usize = 24;
    let lines: Vec<BTreeSet<&str>> = rules
        .iter()
        .map(|rule| rule.body.lines().map(str::trim).filter(|line| line.len() > 3).collect())
        .collect();
    let mut by_line: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, lines) in lines.iter().enumerate() {
        for line in lines {
            by_line.entry(line).or_default().push(index);
        }
    }
    let mut shared: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for rules in by_line.values().filter(|rules| rules.len() <= COMMON) {
        for (at, &a) in rules.iter().enumerate() {
            for &b in &rules[at + 1..] {
                *shared.entry((a, b)).or_default() += 1;
            }
        }
    }
    shared
        .into_iter()
        .map(|((a, b), count)| (a, b, count * 100 / lines[a].len().min(lines[b].len()).max(1)))
        .filter(|&(a, b, percent)| percent >= SIMILAR && lines[a].len().min(lines[b].len()) > 2)
        .map(|(a, b, percent)| (rules[a].id.clone(), rules[b].id.clone(), percent))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_free_and_can_be_files() {
        let mut names = Names::default();
        assert_eq!(names.take("a/b", "cursor"), "a/b");
        assert_eq!(names.take("A/B", "cursor"), "A/B-cursor");
        assert_eq!(names.take("a b", "cursor"), "a b");
        assert_eq!(names.take("a-b", "cursor"), "a-b-cursor", "both would be `A_B`");
        assert_eq!(names.take(".x/README", "cline"), "x/readme");
        assert_eq!(names.take("c:\\d", "cline"), "c--d");
    }

    #[test]
    fn blank_lines_are_whole_lines() {
        assert_eq!(blank_lines("\n \n  code"), 3);
        assert_eq!(blank_lines("  code"), 0);
        assert_eq!(blank_lines(""), 0);
    }
}
