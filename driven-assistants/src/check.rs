//! Checks of a project: its rules, and every file that assistants read there.
//!
//! Text is judged elsewhere; here is where it is found. What driven wrote itself
//! from rules that are checked is passed over, as long as nobody changed it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use driven_build::security::check_text;
use driven_build::{Code, Finding, Report, RuleText, SourceFile, frontmatter};

use crate::catalog::{Assistant, Mode, assistants, find};
use crate::error::Result;
use crate::head;
use crate::import::bom;
use crate::project::Project;
use crate::quality::{self, Subject};
use crate::tree::Tree;
use crate::walk::{Note, Walk};

/// What kind of file holds text for models.
const ENDINGS: [&str; 10] =
    [".md", ".mdc", ".markdown", ".txt", ".toml", ".json", ".jsonc", ".yaml", ".yml", ".prompt"];
/// Of `.github` only these are for assistants.
const GITHUB: [&str; 6] = [
    ".github/copilot-instructions.md",
    ".github/instructions/",
    ".github/prompts/",
    ".github/agents/",
    ".github/chatmodes/",
    ".github/skills/",
];
/// Names that assistants read in any folder, beside those of the catalogue.
const NAMES: [&str; 6] =
    ["SKILL.md", "CLAUDE.local.md", "AGENTS.local.md", "AGENTS.override.md", ".continuerules", ".goosehints"];
/// Folders that assistants still read, although they have others now.
const FOLDERS: [&str; 1] = [".agent"];

/// What is checked beside the text of rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'s> {
    /// The assistants that the rules are written for.
    pub targets: &'s [String],
    /// Rules from the project's rule folder.
    pub rules: &'s [RuleText],
    /// What was found in that folder.
    pub found: Option<&'s Report>,
    /// Look at every file that assistants read, too.
    pub files: bool,
}

/// What a look at a project found.
#[derive(Debug, Default)]
pub struct Checked {
    /// The findings, not yet judged.
    pub report: Report,
    /// The files that were looked at, relative to the project.
    pub files: Vec<String>,
    /// What was passed over, and why.
    pub notes: Vec<Note>,
}

/// Whether a project has a file that an assistant reads.
pub fn has_files(root: &Path) -> bool {
    Tree::new(root).is_ok_and(|tree| {
        let mut found = false;
        walk(&tree, &mut Vec::new(), &mut |_, _| found = true);
        found
    })
}

/// Checks a project; paths are shown below `shown`.
///
/// # Errors
/// A root that is no folder.
pub fn check(root: &Path, shown: &Path, scope: &Scope<'_>) -> Result<Checked> {
    let tree = Tree::new(root)?;
    let mut checked = Checked::default();
    let mut subjects: Vec<Subject> = scope.rules.iter().map(Subject::of_rule).collect();
    if scope.files {
        let project = Project::look(root).ok();
        let found = scope.found.map_or(&[][..], Report::findings).iter();
        let known: BTreeSet<(Code, String)> =
            found.map(|finding| (finding.code(), finding.line().to_owned())).collect();
        // What was taken in, and is still as it was, is what the next run will write.
        let was_taken = |path: &str, text: &str| {
            let mut origins = scope.rules.iter().flat_map(|one| {
                let body = &one.rule.body;
                one.rule.origins.iter().map(move |origin| (origin, body))
            });
            origins.any(|(origin, body)| {
                origin.path == path && text.strip_prefix(&*origin.text) == Some(body.as_str())
            })
        };
        let is_written = |path: &str, text: &str| {
            project.as_ref().is_some_and(|one| one.wrote(path, text)) || was_taken(path, text)
        };
        let mut paths: Vec<(String, Option<&'static Assistant>)> = Vec::new();
        let links = walk(&tree, &mut checked.notes, &mut |path, owner| paths.push((path.to_owned(), owner)));
        for link in links {
            match tree.root().join(&link).canonicalize() {
                // Where it leads to is checked under that name; assistants follow it.
                Ok(real) if real.starts_with(tree.root()) && real.is_file() => {
                    let below = real
                        .strip_prefix(tree.root())
                        .ok()
                        .and_then(Path::to_str)
                        .map(|path| path.replace('\\', "/"));
                    let Some(below) = below.filter(|below| !paths.iter().any(|(path, _)| path == below))
                    else {
                        continue;
                    };
                    paths.push((below, owner_of(&link)));
                }
                _ => {
                    let message = "the link leads out of the project, or nowhere; assistants follow it";
                    checked.report.push(Finding::in_file(Code::BadLink, &shown.join(&link), message));
                }
            }
        }
        for (path, owner) in paths {
            let text = match tree.read(&path) {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(err) => {
                    let note = Note::new(&path, &err.to_string());
                    let finding = Finding::in_file(Code::Unreadable, &shown.join(&path), note.message);
                    checked.report.push(finding.hint("a file that assistants read is text in UTF-8"));
                    continue;
                }
            };
            let is_written = is_written(&path, &text);
            let file = Arc::new(SourceFile { path: shown.join(&path), text });
            let mut own = Report::default();
            check_text(&file, &mut own);
            if is_written {
                // It says what the rules say: what was found there already needs no second word.
                own.retain(|finding| !known.contains(&(finding.code(), finding.line().to_owned())));
            } else if !path.contains("/.") {
                // What a project within the project says of its own files is not held against this one's.
                subjects.extend(subject(&path, owner, &file));
            }
            checked.report.extend(own);
            checked.files.push(path);
        }
    }
    quality::check(&tree, &subjects, scope.targets, &mut checked.report);
    Ok(checked)
}

/// A file of Markdown as what the checks of quality look at.
fn subject(path: &str, owner: Option<&'static Assistant>, file: &Arc<SourceFile>) -> Option<Subject> {
    if ![".md", ".mdc", ".markdown"].iter().any(|ending| path.ends_with(ending)) {
        return None;
    }
    let in_folder =
        owner.and_then(|owner| owner.rules.as_ref()).is_some_and(|rules| path.starts_with(&rules.dir));
    let spec = owner.and_then(|owner| owner.head.as_ref()).filter(|_| in_folder);
    let (mode, globs, body_start) = match spec.map(|spec| head::read(&file.text, spec)) {
        Some(Ok(read)) => (read.meaning.mode, read.meaning.globs, read.body_start),
        // A head that means nothing is told by the assistant's own import.
        Some(Err(_)) => return None,
        None => (Mode::Always, Vec::new(), frontmatter::body_start(&file.text).max(bom(&file.text))),
    };
    Some(Subject {
        path: path.into(),
        file: Arc::clone(file),
        body_start,
        mode,
        globs: globs.into_iter().map(|glob| (glob, 0..0)).collect(),
        owner: owner.map(|owner| owner.id.as_str()),
        targets: Vec::new(),
    })
}

/// Every file that assistants read, and whose it is where that is plain; gives the links with such names.
fn walk(
    tree: &Tree,
    notes: &mut Vec<Note>,
    found: &mut dyn FnMut(&str, Option<&'static Assistant>),
) -> Vec<String> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut names: BTreeSet<&str> = NAMES.into_iter().collect();
    let mut folders: BTreeSet<&str> = FOLDERS.into_iter().collect();
    for assistant in assistants() {
        let files = assistant.root.iter().map(|root| root.file.as_str());
        let files = files.chain(assistant.legacy.iter().map(String::as_str));
        let files = files.chain(assistant.reads.iter().map(String::as_str));
        for path in files.chain(assistant.register.iter().map(|register| register.file.as_str())) {
            match path.split_once('/') {
                Some((folder, _)) if folder != ".github" => drop(folders.insert(folder)),
                Some(_) => {}
                None => drop(names.insert(path)),
            }
        }
        if let Some((folder, _)) = assistant.rules.as_ref().map(|rules| first_part(&rules.dir)) {
            folders.insert(folder);
        }
    }
    folders.remove(".github");
    let mut take = |path: &str| {
        if seen.insert(path.to_owned()) {
            found(path, owner_of(path));
        }
    };
    let has_ending = |path: &str| ENDINGS.iter().any(|ending| path.ends_with(ending));
    for &folder in &folders {
        // Some are a file of that name.
        if tree.has_folder(folder).is_ok_and(|there| !there) {
            continue;
        }
        if tree.root().join(folder).is_file() {
            take(folder);
            continue;
        }
        Walk::of_folder(true).run(tree, folder, notes, &mut |path| {
            if has_ending(path) {
                take(path);
            }
        });
    }
    Walk::of_folder(true).run(tree, ".github", notes, &mut |path| {
        if has_ending(path) && GITHUB.iter().any(|own| path.starts_with(own)) {
            take(path);
        }
    });
    let is_named = |path: &str| names.contains(path.rsplit('/').next().unwrap_or(path));
    let mut walk = Walk::of_project();
    walk.run(tree, "", notes, &mut |path| {
        if is_named(path) {
            take(path);
        }
    });
    // A project within the project has folders of its own for assistants.
    for (folder, name) in walk.passed.iter().filter_map(|path| Some((path, path.rsplit_once('/')?.1))) {
        if !folders.contains(name) && name != ".github" {
            continue;
        }
        let above = folder.len() - name.len();
        Walk::of_folder(true).run(tree, folder, notes, &mut |path| {
            let is_own = name != ".github" || GITHUB.iter().any(|own| path[above..].starts_with(own));
            if has_ending(path) && is_own && seen.insert(path.to_owned()) {
                found(path, owner_of(&path[above..]));
            }
        });
    }
    walk.links.into_iter().filter(|path| is_named(path)).collect()
}

fn first_part(dir: &str) -> (&str, &str) {
    dir.split_once('/').unwrap_or((dir, ""))
}

/// The assistant whose rule folder or single file a path is.
fn owner_of(path: &str) -> Option<&'static Assistant> {
    let in_folder = |assistant: &&Assistant| {
        assistant.rules.as_ref().is_some_and(|rules| {
            path.strip_prefix(rules.dir.as_str()).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_own = |assistant: &&Assistant| assistant.legacy.iter().any(|legacy| legacy == name);
    let is_root = |assistant: &&Assistant| assistant.root.as_ref().is_some_and(|root| root.file == name);
    let all = || assistants().iter();
    all()
        .find(in_folder)
        .or_else(|| all().find(is_own))
        .or_else(|| (name == "AGENTS.md").then(|| find("agentsmd")).flatten())
        .or_else(|| all().find(is_root))
}
