//! A project on disk: what is there, what driven wrote, and how that becomes what a plan says.
//!
//! Looks before it writes: a file that a person changed is never overwritten
//! without being told to. All or nothing: new files are staged, a journal says
//! what is to happen, then files are renamed into place; stopped half way, the
//! next run completes it, or undoes what had not begun.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use driven_build::write_if_changed;
use driven_format::file_hash;
use serde::{Deserialize, Serialize};

use crate::block::{Comment, glue, part, wrap};
use crate::catalog::{Assistant, LimitKind, Scope, find};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Content, Plan};
use crate::settings;
use crate::tree::Tree;

/// The folder for what driven remembers about a project.
pub const STATE_FOLDER: &str = ".driven";
const STATE_FILE: &str = "sync.json";
const JOURNAL: &str = "journal.json";
const STAGE: &str = "stage";
const LOCK: &str = "lock";
/// What the last run was made from and what it told: only ever a short cut, so it is not versioned.
const LAST: &str = "last.json";
const GITIGNORE: &str = ".gitignore";

/// What driven wrote to one path.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// Digest of the whole file as it was left.
    whole: String,
    /// Digest of the text outside of the block, where a rule held it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    outside: String,
    /// `file`, `block` or `entries`.
    kind: String,
    owners: Vec<String>,
    /// The file was not there before.
    #[serde(default)]
    created: bool,
    /// What was put between a person's text and the block.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    glue: String,
    /// Entries that were added to a list, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entries: Option<EntriesRecord>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct EntriesRecord {
    format: String,
    key: String,
    entries: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    files: BTreeMap<String, Record>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Last {
    inputs: String,
    /// Folders that were looked for, and whether they were there.
    folders: BTreeMap<String, bool>,
    report: serde_json::Value,
}

#[derive(Debug, Deserialize, Serialize)]
struct Journal {
    /// Staged file and the path that it goes to.
    renames: Vec<(String, String)>,
    deletes: Vec<String>,
    state: State,
}

/// A project that rules are written to.
#[derive(Debug)]
pub struct Project {
    tree: Tree,
    state: State,
    folders: RefCell<BTreeMap<String, bool>>,
    /// Held until the project is dropped.
    lock: Option<File>,
}

/// What is to happen to one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Relative to the root.
    pub path: String,
    /// The assistants that it is for.
    pub owners: Vec<String>,
    /// What the file holds now; nothing when there is none.
    pub before: Option<String>,
    /// What it should hold; nothing when it should go.
    pub after: Option<String>,
    /// Why it must not be written without being told to.
    pub conflict: Option<String>,
}

impl Change {
    /// Whether the file is as it should be.
    pub fn is_done(&self) -> bool {
        self.before == self.after
    }

    /// `create`, `update`, `delete` or `keep`.
    pub fn word(&self) -> &'static str {
        match (&self.before, &self.after) {
            (before, after) if before == after => "keep",
            (None, _) => "create",
            (_, None) => "delete",
            _ => "update",
        }
    }
}

/// The difference between two texts: lines that go and lines that come.
pub fn text_diff(name: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

/// A change as people read it: lines that go and lines that come.
pub fn diff(change: &Change) -> String {
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    let name = |side: Option<&str>, prefix: &str| match side {
        Some(_) => format!("{prefix}/{}", change.path),
        None => "/dev/null".into(),
    };
    similar::TextDiff::from_lines(before.unwrap_or_default(), after.unwrap_or_default())
        .unified_diff()
        .header(&name(before, "a"), &name(after, "b"))
        .to_string()
}

/// Something that a person should know before an assistant cuts or misses a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The assistant.
    pub assistant: &'static str,
    /// The file.
    pub path: String,
    /// What is the matter.
    pub message: String,
}

/// All that a run is about to do.
#[derive(Debug)]
pub struct Changes {
    all: Vec<Change>,
    state: State,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

impl Changes {
    /// Every path of the plan and every one that is left over.
    pub fn all(&self) -> &[Change] {
        &self.all
    }

    /// The paths that are not as they should be.
    pub fn open(&self) -> impl Iterator<Item = &Change> {
        self.all.iter().filter(|change| !change.is_done())
    }

    /// The paths that must not be written without being told to.
    pub fn conflicts(&self) -> impl Iterator<Item = &Change> {
        self.all.iter().filter(|change| change.conflict.is_some())
    }
}

impl Project {
    /// Opens a project to look at; nothing is written.
    ///
    /// # Errors
    /// A root that is no folder, or driven's own files damaged.
    pub fn look(root: &Path) -> Result<Self> {
        let tree = Tree::new(root)?;
        let state = read_state(&tree)?;
        Ok(Project { tree, state, folders: RefCell::default(), lock: None })
    }

    /// Opens a project to write to: waits for another run to end, and completes or undoes one that was stopped.
    ///
    /// # Errors
    /// As [`look`](Self::look), and what the file system says.
    pub fn open(root: &Path) -> Result<Self> {
        let mut project = Project::look(root)?;
        project.begin()?;
        Ok(project)
    }

    /// Begins to write to a project that was looked at.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn begin(&mut self) -> Result<()> {
        let own = self.root().join(STATE_FOLDER);
        self.tree.check(&format!("{STATE_FOLDER}/{STATE_FILE}"))?;
        fs::create_dir_all(&own).map_err(|err| Error::io(&own, &err))?;
        let ignore = own.join(GITIGNORE);
        if !ignore.exists() {
            let text = format!("{JOURNAL}\n{STAGE}/\n{LOCK}\n{LAST}\n");
            fs::write(&ignore, text).map_err(|err| Error::io(&ignore, &err))?;
        }
        let path = own.join(LOCK);
        let lock = File::create(&path).map_err(|err| Error::io(&path, &err))?;
        lock.lock().map_err(|err| Error::io(&path, &err))?;
        recover(&self.tree.afresh())?;
        self.tree = self.tree.afresh();
        self.state = read_state(&self.tree)?;
        self.lock = Some(lock);
        Ok(())
    }

    /// The root, without links in it.
    pub fn root(&self) -> &Path {
        self.tree.root()
    }

    /// Whether driven wrote a file as it is, whole.
    pub(crate) fn wrote(&self, path: &str, text: &str) -> bool {
        self.state.files.get(path).is_some_and(|record| record.kind == "file" && record.whole == digest(text))
    }

    /// Whether the project has a folder; remembered, since the plan depends on it.
    pub fn has_folder(&self, path: &str) -> bool {
        let there = self.looks_at_folder(path);
        self.folders.borrow_mut().insert(path.into(), there);
        there
    }

    fn looks_at_folder(&self, path: &str) -> bool {
        self.tree.has_folder(path).unwrap_or(false)
    }

    /// What the last run told, when it was made from the same `inputs` and nothing changed since.
    ///
    /// Costs a read of each file that driven wrote.
    pub fn settled(&self, inputs: &str) -> Option<serde_json::Value> {
        if self.root().join(STATE_FOLDER).join(JOURNAL).exists() {
            return None;
        }
        let text = self.tree.read(&format!("{STATE_FOLDER}/{LAST}")).ok()??;
        let last: Last = serde_json::from_str(&text).ok()?;
        let same = |(path, record): (&String, &Record)| {
            self.tree.read(path).is_ok_and(|text| text.is_some_and(|text| digest(&text) == record.whole))
        };
        let stays = last.inputs == inputs
            && last.folders.iter().all(|(path, there)| self.looks_at_folder(path) == *there)
            && self.state.files.iter().all(same);
        stays.then_some(last.report)
    }

    /// Remembers what a run was made from and what it told, for [`settled`](Self::settled).
    ///
    /// # Errors
    /// What the file system says.
    pub fn settle(&self, inputs: &str, report: serde_json::Value) -> Result<()> {
        let last = Last { inputs: inputs.into(), folders: self.folders.borrow().clone(), report };
        let path = self.root().join(STATE_FOLDER).join(LAST);
        let text = serde_json::to_vec(&last).map_err(|err| Error::state(&path, err))?;
        write_if_changed(&path, &text).map(|_| ()).map_err(|err| Error::io(&path, &err))
    }

    /// What must happen for the project to be as the plan says.
    ///
    /// Files that driven wrote for assistants of this plan, and that the plan no longer has, go.
    ///
    /// # Errors
    /// A path that leads out of the root or through a link, and what the file system says.
    pub fn changes(&self, plan: &Plan) -> Result<Changes> {
        let mut changes = Vec::new();
        let mut state = State { version: 1, files: BTreeMap::new() };
        for (path, planned) in &plan.files {
            changes.push(self.change(path, &planned.owners, &planned.content, &mut state)?);
        }
        for (path, record) in &self.state.files {
            if plan.files.contains_key(path) || path == GITIGNORE {
                continue;
            }
            let is_ours = record.owners.iter().all(|owner| plan.fates.contains_key(owner.as_str()));
            if is_ours {
                changes.extend(self.removal(path, record)?);
            } else {
                state.files.insert(path.clone(), record.clone());
            }
        }
        let warnings = self.warnings(plan, &changes);
        if plan.gitignore {
            let text = ignored(&state);
            let content = Content::Block { base: None, text };
            changes.push(self.change(GITIGNORE, &[], &content, &mut state)?);
        } else if let Some(record) = self.state.files.get(GITIGNORE) {
            changes.extend(self.removal(GITIGNORE, record)?);
        }
        Ok(Changes { all: changes, state, warnings })
    }

    /// What must happen to one path of a plan.
    fn change(&self, path: &str, owners: &[&str], content: &Content, state: &mut State) -> Result<Change> {
        let owners: Vec<String> = owners.iter().map(|&id| id.to_owned()).collect();
        let old = self.state.files.get(path);
        let before = self.tree.read(path)?;
        let (after, conflict, mut record) = wanted(path, content, before.as_deref(), old);
        record.created = old.map_or(before.is_none(), |old| old.created);
        record.owners.clone_from(&owners);
        record.whole = after.as_deref().map(digest).unwrap_or_default();
        if after.is_some() {
            state.files.insert(path.into(), record);
        }
        Ok(Change { path: path.into(), owners, before, after, conflict })
    }

    /// What must happen to take back all that driven wrote, or what it wrote for some assistants alone.
    ///
    /// # Errors
    /// As [`changes`](Self::changes).
    pub fn cleanup(&self, only: Option<&[&str]>) -> Result<Changes> {
        let mut changes = Vec::new();
        let mut state = State { version: 1, ..State::default() };
        for (path, record) in &self.state.files {
            let goes =
                only.is_none_or(|only| record.owners.iter().all(|owner| only.contains(&owner.as_str())));
            if goes {
                changes.extend(self.removal(path, record)?);
            } else {
                state.files.insert(path.clone(), record.clone());
            }
        }
        Ok(Changes { all: changes, state, warnings: Vec::new() })
    }

    /// Does what was found; with `force` also where a person changed a file.
    ///
    /// # Errors
    /// Conflicts without `force`; then nothing is written. What the file system says; then the next run completes it.
    pub fn apply(&mut self, changes: &Changes, force: bool) -> Result<()> {
        if self.lock.is_none() {
            self.begin()?;
        }
        if let Some(change) = changes.conflicts().next()
            && !force
        {
            let why = change.conflict.as_deref().unwrap_or_default();
            let message = format!("{}: {why}; nothing was written", change.path);
            return Err(Error::new(
                ErrorKind::Conflict,
                message,
                "look with `--dry-run`, then keep it or give `--force`",
            ));
        }
        self.commit(changes)?;
        self.state.clone_from(&changes.state);
        Ok(())
    }

    /// Removes what driven keeps beside its state, when nothing is left that it wrote.
    ///
    /// # Errors
    /// What the file system says.
    pub fn forget(&self) -> Result<()> {
        let own = self.root().join(STATE_FOLDER);
        let files: &[&str] = if self.state.files.is_empty() { &[LAST, GITIGNORE, LOCK] } else { &[LAST] };
        for path in files.iter().map(|name| own.join(name)) {
            match fs::remove_file(&path) {
                Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&path, &err)),
                _ => {}
            }
        }
        // Something of somebody else's may lie there.
        let _ = fs::remove_dir(&own);
        Ok(())
    }

    fn commit(&self, changes: &Changes) -> Result<()> {
        let own = self.root().join(STATE_FOLDER);
        let stage = own.join(STAGE);
        let tree = self.tree.afresh();
        let mut journal = Journal { renames: Vec::new(), deletes: Vec::new(), state: changes.state.clone() };
        for change in changes.open() {
            tree.check(&change.path)?;
            let Some(after) = &change.after else {
                journal.deletes.push(change.path.clone());
                continue;
            };
            if journal.renames.is_empty() {
                fs::create_dir_all(&stage).map_err(|err| Error::io(&stage, &err))?;
            }
            let name = format!("{STAGE}/{}", journal.renames.len());
            let file = own.join(&name);
            fs::write(&file, after).map_err(|err| Error::io(&file, &err))?;
            if change.before.is_some()
                && let Ok(old) = fs::metadata(self.root().join(&change.path))
            {
                fs::set_permissions(&file, old.permissions()).map_err(|err| Error::io(&file, &err))?;
            }
            journal.renames.push((name, change.path.clone()));
        }
        if journal.renames.is_empty() && journal.deletes.is_empty() {
            return write_state(self.root(), &journal.state);
        }
        let path = own.join(JOURNAL);
        let text = serde_json::to_vec(&journal).map_err(|err| Error::state(&path, err))?;
        write_if_changed(&path, &text).map_err(|err| Error::io(&path, &err))?;
        complete(&tree, &journal)
    }

    /// How one path becomes what it was without driven.
    fn removal(&self, path: &str, record: &Record) -> Result<Option<Change>> {
        let Some(before) = self.tree.read(path)? else { return Ok(None) };
        let changed = || Some("it was changed since driven wrote it".to_owned());
        let (after, conflict) = match (record.kind.as_str(), &record.entries) {
            ("block", _) => match part(&before, comment(path)) {
                Ok(parted) => {
                    let conflict =
                        parted.block.as_ref().filter(|block| !block.is_whole).and_then(|_| changed());
                    let head = parted.before.strip_suffix(&record.glue).unwrap_or(parted.before);
                    let text = format!("{head}{}", parted.after);
                    let is_ours = !record.outside.is_empty() && digest(&text) == record.outside;
                    let goes = record.created && (text.is_empty() || is_ours);
                    ((!goes).then_some(text), conflict)
                }
                Err(why) => (Some(before.clone()), Some(why)),
            },
            (_, Some(entries)) => {
                let format = match entries.format.as_str() {
                    "yaml" => crate::catalog::SettingsFormat::Yaml,
                    _ => crate::catalog::SettingsFormat::Jsonc,
                };
                match settings::edit(&before, format, &entries.key, &entries.entries, &[]) {
                    Ok(text) => {
                        let empty = record.created
                            && matches!(text.split_whitespace().collect::<String>().as_str(), "" | "{}");
                        ((!empty).then_some(text), None)
                    }
                    Err(why) => (Some(before.clone()), Some(why)),
                }
            }
            _ => (None, if digest(&before) == record.whole { None } else { changed() }),
        };
        let owners = record.owners.clone();
        Ok(Some(Change { path: path.into(), owners, before: Some(before), after, conflict }))
    }

    /// What an assistant cuts, hides or loads twice.
    fn warnings(&self, plan: &Plan, changes: &[Change]) -> Vec<Warning> {
        let texts: BTreeMap<&str, &str> = changes
            .iter()
            .filter_map(|change| Some((change.path.as_str(), change.after.as_deref()?)))
            .collect();
        let mut warnings = Vec::new();
        for assistant in plan.fates.keys().filter_map(|id| find(id)) {
            self.warn_of_limits(assistant, &texts, changes, &mut warnings);
            self.warn_of_order(assistant, &texts, &mut warnings);
        }
        warnings
    }

    fn warn_of_limits(
        &self,
        assistant: &'static Assistant,
        texts: &BTreeMap<&str, &str>,
        changes: &[Change],
        warnings: &mut Vec<Warning>,
    ) {
        let owned = changes.iter().filter(|change| change.owners.contains(&assistant.id));
        for (change, limit) in
            owned.flat_map(|change| assistant.limits.iter().map(move |limit| (change, limit)))
        {
            let Some(text) = &change.after else { continue };
            let (count, over) = match limit.scope {
                Scope::File => (limit.unit.count(text), String::new()),
                Scope::Chain => {
                    let sum = self.chain(&change.path, texts).iter().map(|text| limit.unit.count(text)).sum();
                    (sum, " with those of the folders above".to_owned())
                }
            };
            if count > limit.max {
                let sure = match limit.kind {
                    LimitKind::Limit => "reads",
                    LimitKind::Reported => "is reported to read",
                    LimitKind::Advice => "is best given",
                };
                let message = format!(
                    "{count} {unit}{over}; {name} {sure} {max} ({note})",
                    unit = limit.unit.as_str(),
                    name = assistant.name,
                    max = limit.max,
                    note = limit.note
                );
                warnings.push(Warning { assistant: &assistant.id, path: change.path.clone(), message });
            }
        }
    }

    /// The texts of the files of this name from the root down to `path`, as an assistant joins them.
    fn chain(&self, path: &str, texts: &BTreeMap<&str, &str>) -> Vec<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut folders = vec![String::new()];
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            let above = folders.last().map_or("", String::as_str);
            folders.push(format!("{above}{part}/"));
        }
        let of = |folder: &String| {
            let path = format!("{folder}{name}");
            texts
                .get(path.as_str())
                .map(|&text| text.to_owned())
                .or_else(|| self.tree.read(&path).ok().flatten())
        };
        folders.iter().filter_map(of).collect()
    }

    fn warn_of_order(
        &self,
        assistant: &'static Assistant,
        texts: &BTreeMap<&str, &str>,
        warnings: &mut Vec<Warning>,
    ) {
        let exists =
            |path: &str| texts.contains_key(path) || self.tree.read(path).is_ok_and(|text| text.is_some());
        if let (true, Some(root)) = (assistant.first_match, &assistant.root) {
            let first =
                assistant.reads.iter().take_while(|&path| *path != root.file).find(|path| exists(path));
            if let Some(first) = first {
                let message = format!("{} reads {first} and then looks no further", assistant.name);
                warnings.push(Warning { assistant: &assistant.id, path: root.file.clone(), message });
            }
        } else {
            let own = assistant.root.as_ref().map(|root| root.file.as_str());
            let planned = |path: &&String| {
                Some(path.as_str()) != own
                    && texts.keys().any(|known| known == path || known.starts_with(&format!("{path}/")))
            };
            let twice: Vec<&str> = assistant.reads.iter().filter(planned).map(String::as_str).collect();
            if !twice.is_empty() {
                let path =
                    own.or(assistant.rules.as_ref().map(|rules| rules.dir.as_str())).unwrap_or_default();
                let message =
                    format!("{} also reads {}: the same rules twice", assistant.name, twice.join(", "));
                warnings.push(Warning { assistant: &assistant.id, path: path.into(), message });
            }
        }
    }
}

/// What a path should hold, why it must not be written without being told to, and what is remembered of it.
fn wanted(
    path: &str,
    content: &Content,
    before: Option<&str>,
    old: Option<&Record>,
) -> (Option<String>, Option<String>, Record) {
    let record = |kind: &str| Record { kind: kind.into(), ..Record::default() };
    match content {
        Content::File(text) => {
            let conflict = before.filter(|before| before != text).and_then(|before| match old {
                Some(old) if old.kind == "file" && old.whole == digest(before) => None,
                Some(_) => Some("it was changed since driven wrote it".to_owned()),
                None => Some("it is there, and driven did not write it".to_owned()),
            });
            (Some(text.clone()), conflict, record("file"))
        }
        Content::Block { base, text } => block_wanted(path, base.as_deref(), text, before, old),
        Content::Entries { format, key, entries } => {
            let recorded = old.and_then(|old| old.entries.as_ref());
            let gone = recorded.map_or(&[][..], |recorded| &recorded.entries);
            let word = format!("{format:?}").to_lowercase();
            let own = EntriesRecord { format: word, key: key.clone(), entries: entries.clone() };
            let record = Record { entries: Some(own), ..record("entries") };
            match settings::edit(before.unwrap_or_default(), *format, key, gone, entries) {
                Ok(text) => (Some(text), None, record),
                Err(why) => {
                    (before.map(str::to_owned), Some(format!("its list can't be edited: {why}")), record)
                }
            }
        }
    }
}

/// The lines of `.gitignore`: each file that is there because of driven.
fn ignored(state: &State) -> String {
    let mut lines = String::new();
    for (path, _) in state.files.iter().filter(|(_, record)| record.created) {
        lines.push('/');
        for char in path.chars() {
            if matches!(char, '*' | '?' | '[' | '\\') {
                lines.push('\\');
            }
            lines.push(char);
        }
        lines.push('\n');
    }
    lines
}

/// A file with a block: what a person owns stays, what a rule holds is written.
fn block_wanted(
    path: &str,
    base: Option<&str>,
    text: &str,
    before: Option<&str>,
    old: Option<&Record>,
) -> (Option<String>, Option<String>, Record) {
    let mut record = Record { kind: "block".into(), ..Record::default() };
    let comment = comment(path);
    let present = before.unwrap_or_default();
    let parted = match part(present, comment) {
        Ok(parted) => parted,
        Err(why) => return (before.map(str::to_owned), Some(why), record),
    };
    let mut conflict = None;
    if parted.block.as_ref().is_some_and(|block| !block.is_whole) {
        conflict = Some("its block was changed since driven wrote it".to_owned());
    }
    let old_glue = old.map_or("", |old| old.glue.as_str());
    let head = match &parted.block {
        Some(_) => parted.before.strip_suffix(old_glue).unwrap_or(parted.before),
        None => parted.before,
    };
    let outside = format!("{head}{}", parted.after);
    let (head, tail) = match base {
        Some(base) if outside != base => {
            let known = old.is_some_and(|old| !old.outside.is_empty() && old.outside == digest(&outside));
            if before.is_some() && !known {
                conflict = Some("it was changed, and a rule holds its text".to_owned());
            }
            (base, "")
        }
        Some(_) | None => (head, parted.after),
    };
    if base.is_some() {
        record.outside = digest(&format!("{head}{tail}"));
    }
    if text.is_empty() {
        return (Some(format!("{head}{tail}")), conflict, record);
    }
    record.glue = glue(head).into();
    (Some(format!("{head}{}{}{tail}", record.glue, wrap(text, comment))), conflict, record)
}

/// How comments are written in a file that has a block.
fn comment(path: &str) -> Comment {
    if path.ends_with(".gitignore") { Comment::Hash } else { Comment::Html }
}

fn digest(text: &str) -> String {
    file_hash(text.as_bytes()).to_string()
}

fn read_state(tree: &Tree) -> Result<State> {
    let path = format!("{STATE_FOLDER}/{STATE_FILE}");
    let Some(text) = tree.read(&path)? else { return Ok(State { version: 1, ..State::default() }) };
    let file = tree.root().join(&path);
    let state: State = serde_json::from_str(&text).map_err(|err| Error::state(&file, err))?;
    if state.version != 1 {
        return Err(Error::state(&file, format!("version {} is not known here", state.version)));
    }
    Ok(state)
}

fn write_state(root: &Path, state: &State) -> Result<()> {
    let path = root.join(STATE_FOLDER).join(STATE_FILE);
    if state.files.is_empty() {
        return match fs::remove_file(&path) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&path, &err)),
            _ => Ok(()),
        };
    }
    let text = serde_json::to_string_pretty(state).map_err(|err| Error::state(&path, err))? + "\n";
    write_if_changed(&path, text.as_bytes()).map(|_| ()).map_err(|err| Error::io(&path, &err))
}

/// Completes a run that was stopped behind its journal, and undoes one that was stopped before it.
fn recover(tree: &Tree) -> Result<()> {
    let path = tree.root().join(STATE_FOLDER).join(JOURNAL);
    match fs::read(&path) {
        Ok(text) => {
            let journal: Journal = serde_json::from_slice(&text).map_err(|err| Error::state(&path, err))?;
            complete(tree, &journal)
        }
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => remove_stage(tree.root()),
        Err(err) => Err(Error::io(&path, &err)),
    }
}

/// Does what a journal says; what is done already is passed over.
fn complete(tree: &Tree, journal: &Journal) -> Result<()> {
    let own = tree.root().join(STATE_FOLDER);
    for (staged, path) in &journal.renames {
        let digits = staged.strip_prefix("stage/").unwrap_or_default();
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            tree.put(&own.join(staged), path)?;
        }
    }
    for path in &journal.deletes {
        tree.remove(path)?;
    }
    write_state(tree.root(), &journal.state)?;
    let path = own.join(JOURNAL);
    fs::remove_file(&path).map_err(|err| Error::io(&path, &err))?;
    remove_stage(tree.root())
}

fn remove_stage(root: &Path) -> Result<()> {
    let stage = root.join(STATE_FOLDER).join(STAGE);
    match fs::remove_dir_all(&stage) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&stage, &err)),
        _ => Ok(()),
    }
}

/// The assistants whose files a project has.
pub fn found_in(root: &Path) -> Vec<&'static Assistant> {
    let mut seen = BTreeSet::new();
    let there = |path: &str| root.join(path).symlink_metadata().is_ok();
    let mut found = Vec::new();
    for assistant in crate::catalog::assistants() {
        let places = assistant.root.iter().map(|root| root.file.as_str());
        let places = places.chain(assistant.rules.iter().map(|rules| rules.dir.as_str()));
        let places = places.chain(assistant.legacy.iter().map(String::as_str));
        // A place that several assistants share stands for the first of them.
        let first: Vec<&str> =
            places.filter(|&place| there(place) && seen.insert(place.to_owned())).collect();
        if !first.is_empty() {
            found.push(assistant);
        }
    }
    found
}
