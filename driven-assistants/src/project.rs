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
use crate::catalog::{Assistant, LimitKind, Scope, SettingsFormat, assistants, find};
use crate::ends;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{Journal, JournalStep, complete, recover, remove_stage, take_lock};
use crate::plan::{Content, Plan};
use crate::render::FateKind;
use crate::settings;
use crate::tree::Tree;

/// The folder for what driven remembers about a project.
pub const STATE_FOLDER: &str = ".driven";
const STATE_FILE: &str = "sync.json";
pub(crate) const JOURNAL: &str = "journal.json";
pub(crate) const STAGE: &str = "stage";
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
    /// How the file becomes what it was, while nobody changed it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undo: Option<Undo>,
}

/// What stood where driven wrote, between what did not change.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Undo {
    /// How many bytes in front and behind stayed.
    front: usize,
    back: usize,
    was: String,
    /// How long the file was then: under other line ends it has another length.
    len: usize,
}

impl Undo {
    fn of(before: &str, after: &str) -> Self {
        let same = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let front = before.floor_char_boundary(same).min(after.floor_char_boundary(same));
        let (rest, other) = (&before[front..], &after[front..]);
        let same = rest.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count();
        let start = rest.ceil_char_boundary(rest.len() - same);
        Undo { front, back: rest.len() - start, was: rest[..start].into(), len: after.len() }
    }

    /// What a file was that is as it was left, under whatever line ends.
    fn apply(&self, text: &str) -> Option<String> {
        let text = &*ends::forms(text).into_iter().find(|form| form.len() == self.len)?;
        let back = text.len().checked_sub(self.back).filter(|back| *back >= self.front)?;
        Some(format!("{}{}{}", text.get(..self.front)?, self.was, text.get(back..)?))
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct EntriesRecord {
    format: String,
    key: String,
    entries: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
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
    /// It can't be written at all, whoever tells: the file is not what it could be put into.
    pub is_stuck: bool,
}

impl Change {
    /// Whether the file is as it should be.
    pub fn is_done(&self) -> bool {
        self.before == self.after && !self.is_stuck
    }

    /// `create`, `update`, `delete`, `keep`, or `stuck`.
    pub fn word(&self) -> &'static str {
        match (&self.before, &self.after) {
            _ if self.is_stuck => "stuck",
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
        // What lies there may come from elsewhere: a link would lead out.
        for name in [STATE_FILE, JOURNAL, LOCK, LAST, GITIGNORE] {
            self.tree.check(&format!("{STATE_FOLDER}/{name}"))?;
        }
        self.tree.has_folder(&format!("{STATE_FOLDER}/{STAGE}"))?;
        fs::create_dir_all(&own).map_err(|err| Error::io(&own, &err))?;
        let ignore = own.join(GITIGNORE);
        // An empty one is what a full disk left.
        if fs::metadata(&ignore).map_or(0, |found| found.len()) == 0 {
            let text = format!("{JOURNAL}\n{STAGE}/\n{LOCK}\n{LAST}\n*.tmp\n");
            write_if_changed(&ignore, text.as_bytes()).map_err(|err| Error::io(&ignore, &err))?;
        }
        let lock = take_lock(&own.join(LOCK))?;
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
        self.check_folders(plan)?;
        let mut changes = Vec::new();
        let mut state = State { version: 1, files: BTreeMap::new() };
        for (path, planned) in &plan.files {
            changes.push(self.change(path, &planned.owners, &planned.content, &mut state)?);
        }
        for (path, record) in &self.state.files {
            if plan.files.contains_key(path) || path == GITIGNORE {
                continue;
            }
            // An owner that nobody knows has no plan that could still want the file.
            let is_ours = |owner: &String| plan.fates.contains_key(owner.as_str()) || find(owner).is_none();
            if record.owners.iter().all(is_ours) {
                changes.extend(self.removal(path, record, false)?);
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
            changes.extend(self.removal(GITIGNORE, record, false)?);
        }
        Ok(Changes { all: changes, state, warnings })
    }

    /// No file lies where an assistant's folder is to be.
    fn check_folders(&self, plan: &Plan) -> Result<()> {
        for assistant in plan.fates.keys().filter_map(|id| find(id)) {
            let Some(dir) = assistant.folder_that_was_a_file() else { continue };
            let is_below = |path: &String| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
            let there = self.tree.root().join(dir).symlink_metadata();
            if there.is_ok_and(|there| there.is_file()) && plan.files.keys().any(is_below) {
                let name = &assistant.name;
                let message = format!(
                    "{dir}: a single file, as {name} once read it; now it reads a folder of that name"
                );
                let hint = format!("take it in by `driven import --from {}`, then remove it", assistant.id);
                return Err(Error::new(ErrorKind::Path, message, hint));
            }
        }
        Ok(())
    }

    /// What must happen to one path of a plan.
    fn change(&self, path: &str, owners: &[&str], content: &Content, state: &mut State) -> Result<Change> {
        let owners: Vec<String> = owners.iter().map(|&id| id.to_owned()).collect();
        let old = self.state.files.get(path);
        let there = self.tree.read(path)?;
        // A block is put in, and looked for, under the one kind of line ends.
        let before = there.as_deref().map(|there| match content {
            Content::Block { .. } if ends::has_returns(there) => ends::feeds(there),
            _ => there.into(),
        });
        let before = before.as_deref();
        let Wanted { after, conflict, is_stuck, mut record } = wanted(path, content, before, old);
        record.created = old.map_or(before.is_none(), |old| old.created);
        record.owners.clone_from(&owners);
        record.whole = after.as_deref().map(digest).unwrap_or_default();
        if record.kind != "file"
            && let (Some(original), Some(after)) = (original(before, old), &after)
        {
            record.undo = Some(Undo::of(&original, after));
        }
        if after.is_some() && !is_stuck {
            state.files.insert(path.into(), record);
        } else if let Some(old) = old {
            state.files.insert(path.into(), old.clone());
        }
        let after = match &there {
            Some(there) => after.map(|after| ends::as_in(there, after)),
            None => after,
        };
        Ok(Change { path: path.into(), owners, before: there, after, conflict, is_stuck })
    }

    /// What must happen to take back all that driven wrote, or what it wrote for some assistants alone.
    ///
    /// # Errors
    /// As [`changes`](Self::changes).
    pub fn cleanup(&self, only: Option<&[&str]>) -> Result<Changes> {
        let mut changes = Vec::new();
        let mut state = State { version: 1, ..State::default() };
        for (path, record) in self.state.files.iter().filter(|(path, _)| *path != GITIGNORE) {
            let goes =
                only.is_none_or(|only| record.owners.iter().all(|owner| only.contains(&owner.as_str())));
            if goes {
                changes.extend(self.removal(path, record, true)?);
            } else {
                state.files.insert(path.clone(), record.clone());
            }
        }
        // What is kept out of version control is what is left.
        if let Some(record) = self.state.files.get(GITIGNORE) {
            let text = ignored(&state);
            if text.is_empty() {
                changes.extend(self.removal(GITIGNORE, record, true)?);
            } else {
                let content = Content::Block { base: None, text };
                changes.push(self.change(GITIGNORE, &[], &content, &mut state)?);
            }
        }
        Ok(Changes { all: changes, state, warnings: Vec::new() })
    }

    /// Does what was found; with `force` also where a person changed a file.
    ///
    /// # Errors
    /// Conflicts without `force`, and what the file system says; then everything is as it was.
    pub fn apply(&mut self, changes: &Changes, force: bool) -> Result<()> {
        if self.lock.is_none() {
            self.begin()?;
        }
        if let Some(change) = changes.conflicts().find(|change| change.is_stuck || !force) {
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
        let tree = self.tree.afresh();
        let staged = self.stage(changes, &tree);
        let journal = match staged {
            Ok(journal) => journal,
            Err(err) => {
                remove_stage(self.root())?;
                return Err(err);
            }
        };
        if journal.steps.is_empty() {
            return write_state(self.root(), &journal.state);
        }
        let path = own.join(JOURNAL);
        let text = serde_json::to_vec(&journal).map_err(|err| Error::state(&path, err))?;
        write_if_changed(&path, &text).map_err(|err| Error::io(&path, &err))?;
        complete(&tree, &journal).inspect_err(|_| self.undo(changes))
    }

    /// Writes what is to come beside what is there.
    fn stage(&self, changes: &Changes, tree: &Tree) -> Result<Journal> {
        let stage = self.root().join(STATE_FOLDER).join(STAGE);
        let mut journal = Journal { steps: Vec::new(), state: changes.state.clone() };
        for (number, change) in changes.open().enumerate() {
            tree.check(&change.path)?;
            if number == 0 {
                fs::create_dir_all(&stage).map_err(|err| Error::io(&stage, &err))?;
            }
            if let Some(after) = &change.after {
                let file = stage.join(number.to_string());
                fs::write(&file, after).map_err(|err| Error::io(&file, &err))?;
                if change.before.is_some()
                    && let Ok(old) = fs::metadata(self.root().join(&change.path))
                {
                    fs::set_permissions(&file, old.permissions()).map_err(|err| Error::io(&file, &err))?;
                }
            }
            journal.steps.push(JournalStep {
                path: change.path.clone(),
                staged: change.after.is_some().then_some(number),
                before: change.before.as_deref().map(exact_digest),
                after: change.after.as_deref().map(exact_digest),
            });
        }
        Ok(journal)
    }

    /// Puts everything back where a run could not be ended; what can't be put back either is for the next run.
    fn undo(&self, changes: &Changes) {
        let tree = self.tree.afresh();
        let back = |change: &Change| -> Result<()> {
            let is_there = self.root().join(&change.path).symlink_metadata().is_ok();
            if change.before.is_none() && !is_there || tree.read(&change.path)? == change.before {
                return Ok(());
            }
            match &change.before {
                None => tree.remove(&change.path),
                Some(before) => {
                    let path = self.root().join(&change.path);
                    write_if_changed(&path, before.as_bytes())
                        .map(|_| ())
                        .map_err(|err| Error::io(&path, &err))
                }
            }
        };
        // What was not there leaves its folders too, when they were made for it.
        let all_back = changes.open().all(|change| back(change).is_ok());
        if all_back && fs::remove_file(self.root().join(STATE_FOLDER).join(JOURNAL)).is_ok() {
            let _ = remove_stage(self.root());
        }
    }

    /// How one path becomes what it was without driven; with `keeps`, a file that was there before stays.
    fn removal(&self, path: &str, record: &Record, keeps: bool) -> Result<Option<Change>> {
        if !may_own(path) {
            let message = format!("{STATE_FOLDER}/{STATE_FILE}: `{path}` is no file that driven writes");
            let hint = "restore it from version control, or remove it: then every file counts as your own";
            return Err(Error::new(ErrorKind::State, message, hint));
        }
        let Some(there) = self.tree.read(path)? else { return Ok(None) };
        let before = match record.kind.as_str() {
            "block" if record.outside.is_empty() && ends::has_returns(&there) => {
                ends::feeds(&there).into_owned()
            }
            _ => there.clone(),
        };
        let is_as_left = digest(&before) == record.whole;
        let undone = record.undo.as_ref().filter(|_| is_as_left).and_then(|undo| undo.apply(&before));
        let changed = || Some("it was changed since driven wrote it".to_owned());
        let gone = |text: String| (!(record.created && is_nothing(&text))).then_some(text);
        let mut is_stuck = false;
        let (after, conflict) = match (record.kind.as_str(), &record.entries, undone) {
            ("file", ..) if keeps && !record.created => (Some(before.clone()), None),
            // What was there before is a person's, although a rule held its text for a while.
            ("file", ..) if is_as_left && !record.created => (
                None,
                Some("no rule holds its text any more, and it was there before driven wrote to it".into()),
            ),
            ("file", ..) => (None, if is_as_left { None } else { changed() }),
            (_, _, Some(text)) if record.outside.is_empty() || !record.created => (gone(text), None),
            ("block", ..) => match part(&before, comment(path)) {
                Ok(parted) => {
                    let conflict =
                        parted.block.as_ref().filter(|block| !block.is_whole).and_then(|_| changed());
                    let head = match &parted.block {
                        Some(_) => without_glue(parted.before, &record.glue),
                        None => parted.before,
                    };
                    let text = format!("{head}{}", parted.after);
                    let is_ours = !record.outside.is_empty() && digest(&text) == record.outside;
                    let goes = record.created && (text.is_empty() || is_ours);
                    ((!goes).then_some(text), conflict)
                }
                Err(why) => {
                    is_stuck = true;
                    (Some(before.clone()), Some(why))
                }
            },
            (_, Some(entries), _) => {
                match settings::edit(&before, format_of(&entries.format), &entries.key, &entries.entries, &[])
                {
                    Ok(text) => (gone(text), None),
                    Err(why) => {
                        is_stuck = true;
                        (Some(before.clone()), Some(why))
                    }
                }
            }
            _ => (Some(before.clone()), None),
        };
        let owners = record.owners.clone();
        let after = after.map(|after| ends::as_in(&there, after));
        Ok(Some(Change { path: path.into(), owners, before: Some(there), after, conflict, is_stuck }))
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
            self.warn_of_order(assistant, plan, &texts, &mut warnings);
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
        plan: &Plan,
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
            let others = assistant.reads.iter().filter(|path| Some(path.as_str()) != own);
            let twice = others.map(|path| (path, twice_read(plan, assistant, path)));
            for (read, rules) in twice.filter(|(_, rules)| !rules.is_empty()) {
                let path =
                    own.or(assistant.rules.as_ref().map(|rules| rules.dir.as_str())).unwrap_or_default();
                let message = format!("{} also reads {read}: {} twice", assistant.name, in_words(&rules));
                warnings.push(Warning { assistant: &assistant.id, path: path.into(), message });
            }
        }
    }
}

/// The rules that an assistant gets in its own files, and again by reading a path, or what lies below it, that others have
/// theirs in.
fn twice_read<'p>(plan: &'p Plan, assistant: &Assistant, path: &str) -> Vec<&'p str> {
    let is_there =
        |file: &str| file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let files = plan.files.iter().filter(|(file, _)| is_there(file));
    let others: BTreeSet<&str> = files
        .filter(|(_, planned)| !planned.owners.contains(&assistant.id.as_str()))
        .flat_map(|(_, planned)| planned.owners.iter().copied())
        .collect();
    let rules = |id: &str| {
        let fates = plan.fates.get(id).into_iter().flatten();
        fates.filter(|fate| fate.kind <= FateKind::Folded).map(|fate| fate.rule.as_str())
    };
    let theirs: BTreeSet<&str> = others.into_iter().flat_map(rules).collect();
    rules(&assistant.id).filter(|rule| theirs.contains(rule)).collect()
}

/// A few rules by name, and how many more there are.
fn in_words(rules: &[&str]) -> String {
    const NAMED: usize = 3;
    let named: Vec<String> = rules.iter().take(NAMED).map(|rule| format!("`{rule}`")).collect();
    match rules.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// What a path should hold, why it must not be written without being told to, and what is remembered of it.
struct Wanted {
    after: Option<String>,
    conflict: Option<String>,
    is_stuck: bool,
    record: Record,
}

fn wanted(path: &str, content: &Content, before: Option<&str>, old: Option<&Record>) -> Wanted {
    let record = |kind: &str| Record { kind: kind.into(), ..Record::default() };
    match content {
        Content::File(text) => {
            let conflict =
                before.filter(|before| !ends::is_same(before, text)).and_then(|before| match old {
                    Some(old) if old.kind == "file" && old.whole == digest(before) => None,
                    Some(_) => Some("it was changed since driven wrote it".to_owned()),
                    None => Some("it is there, and driven did not write it".to_owned()),
                });
            Wanted { after: Some(text.clone()), conflict, is_stuck: false, record: record("file") }
        }
        Content::Block { base, text } => block_wanted(path, base.as_deref(), text, before, old),
        Content::Entries { format, key, entries } => {
            let recorded = old.and_then(|old| old.entries.as_ref()).filter(|recorded| recorded.key == *key);
            let gone = recorded.map_or(&[][..], |recorded| &recorded.entries);
            let made = original(before, old)
                .map_or_else(|| settings::edit(before.unwrap_or_default(), *format, key, gone, &[]), Ok)
                .and_then(|own| {
                    let theirs = settings::texts(&own, *format, key)?;
                    Ok((settings::edit(&own, *format, key, &[], entries)?, theirs))
                });
            match made {
                Ok((text, theirs)) => {
                    let added = entries.iter().filter(|entry| !theirs.contains(entry)).cloned().collect();
                    let word = format!("{format:?}").to_lowercase();
                    let own = EntriesRecord { format: word, key: key.clone(), entries: added };
                    let record = Record { entries: Some(own), ..record("entries") };
                    Wanted { after: Some(text), conflict: None, is_stuck: false, record }
                }
                Err(why) => {
                    let conflict = Some(format!("its list can't be edited: {why}"));
                    Wanted {
                        after: before.map(str::to_owned),
                        conflict,
                        is_stuck: true,
                        record: record("entries"),
                    }
                }
            }
        }
    }
}

/// What a file holds without what driven wrote, as far as that is certain.
fn original(before: Option<&str>, old: Option<&Record>) -> Option<String> {
    let before = before.unwrap_or_default();
    match old {
        None => Some(before.into()),
        Some(old) if digest(before) == old.whole => old.undo.as_ref()?.apply(before),
        Some(_) => None,
    }
}

fn format_of(word: &str) -> SettingsFormat {
    if word == "yaml" { SettingsFormat::Yaml } else { SettingsFormat::Jsonc }
}

/// Whether a file that driven made has nothing of anybody's left in it.
fn is_nothing(text: &str) -> bool {
    matches!(text.split_whitespace().collect::<String>().as_str(), "" | "{}")
}

/// A person's text without what was put between it and the block; a line's own end is not that.
fn without_glue<'t>(head: &'t str, glue: &str) -> &'t str {
    if head.ends_with("\n\n") || head == glue { head.strip_suffix(glue).unwrap_or(head) } else { head }
}

/// Whether a path is one that some assistant's rules could be written to.
pub(crate) fn may_own(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let below = |dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    path == GITIGNORE
        || assistants().iter().any(|one| {
            one.rules.iter().any(|rules| below(&rules.dir) && path.ends_with(&rules.ending))
                || one.root.iter().any(|root| path == root.file || root.nested && name == root.file)
                || one.legacy.iter().any(|file| path == file || one.legacy_nested && name == file)
                || one.register.iter().any(|register| path == register.file)
                || one.global.iter().any(|global| {
                    global.root.as_deref() == Some(path) || global.dir.as_deref().is_some_and(below)
                })
        })
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
) -> Wanted {
    let mut record = Record { kind: "block".into(), ..Record::default() };
    let comment = comment(path);
    let present = before.unwrap_or_default();
    let parted = match part(present, comment) {
        Ok(parted) => parted,
        Err(why) => {
            return Wanted { after: before.map(str::to_owned), conflict: Some(why), is_stuck: true, record };
        }
    };
    let mut conflict = None;
    if parted.block.as_ref().is_some_and(|block| !block.is_whole) {
        conflict = Some("its block was changed since driven wrote it".to_owned());
    }
    let old_glue = old.map_or("", |old| old.glue.as_str());
    let head = match &parted.block {
        Some(_) => without_glue(parted.before, old_glue),
        None => parted.before,
    };
    let outside = format!("{head}{}", parted.after);
    let (head, tail) = match base {
        Some(base) if !ends::is_same(&outside, base) => {
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
    let mut after = format!("{head}{tail}");
    if !text.is_empty() {
        record.glue = glue(head).into();
        after = format!("{head}{}{}{tail}", record.glue, wrap(text, comment));
    }
    Wanted { after: Some(after), conflict, is_stuck: false, record }
}

/// How comments are written in a file that has a block.
fn comment(path: &str) -> Comment {
    if path.ends_with(".gitignore") { Comment::Hash } else { Comment::Html }
}

/// What names a text under whatever line ends.
fn digest(text: &str) -> String {
    exact_digest(&ends::feeds(text))
}

/// What names these very bytes.
pub(crate) fn exact_digest(text: &str) -> String {
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

pub(crate) fn write_state(root: &Path, state: &State) -> Result<()> {
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

/// The assistants whose files a project has.
pub fn found_in(root: &Path) -> Vec<&'static Assistant> {
    let mut seen = BTreeSet::new();
    let there = |path: &str| root.join(path).symlink_metadata().is_ok();
    let mut found = Vec::new();
    for assistant in assistants() {
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
