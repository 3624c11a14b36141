//! Walks a project: in order of names, through no links, to an end.

use std::fs::{self, FileType};

use crate::tree::Tree;

/// No more folders and files than these are looked at.
pub(crate) const MOST_ENTRIES: usize = 250_000;
/// Folders are followed no deeper.
const MOST_DEPTH: usize = 32;
/// Folders that hold what others wrote.
const PASSED_OVER: [&str; 4] = [".git", "node_modules", "target", crate::STATE_FOLDER];

/// Something that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file or folder, relative to the project.
    pub path: String,
    /// Why.
    pub message: String,
}

impl Note {
    pub(crate) fn new(path: &str, message: &str) -> Self {
        let message = message.strip_prefix(&format!("{path}: ")).unwrap_or(message);
        Note { path: path.into(), message: message.into() }
    }
}

/// How a walk goes.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// Into folders too.
    pub(crate) deep: bool,
    /// Hidden folders are entered, and links are told of.
    pub(crate) hidden: bool,
    /// How many entries are left to look at.
    pub(crate) left: usize,
    /// Symbolic links outside of hidden folders.
    pub(crate) links: Vec<String>,
    /// Hidden folders that were not entered.
    pub(crate) passed: Vec<String>,
}

impl Walk {
    /// Through an assistant's own folder.
    pub(crate) fn of_folder(deep: bool) -> Self {
        Walk { deep, hidden: true, left: MOST_ENTRIES, links: Vec::new(), passed: Vec::new() }
    }

    /// Through a whole project, hidden folders apart.
    pub(crate) fn of_project() -> Self {
        Walk { deep: true, hidden: false, left: MOST_ENTRIES, links: Vec::new(), passed: Vec::new() }
    }

    /// Whether it came to an end before it had seen all.
    pub(crate) fn is_cut(&self) -> bool {
        self.left == 0
    }

    /// Calls `found` with every regular file below `dir`.
    pub(crate) fn run(&mut self, tree: &Tree, dir: &str, notes: &mut Vec<Note>, found: &mut dyn FnMut(&str)) {
        let depth = if self.deep { MOST_DEPTH } else { 0 };
        self.folder(tree, dir, depth, notes, found);
    }

    fn folder(
        &mut self,
        tree: &Tree,
        dir: &str,
        depth: usize,
        notes: &mut Vec<Note>,
        found: &mut dyn FnMut(&str),
    ) {
        match tree.has_folder(dir) {
            Ok(true) => {}
            Ok(false) => return,
            Err(err) => return notes.push(Note::new(dir, &err.to_string())),
        }
        let Ok(entries) = fs::read_dir(tree.root().join(dir)) else {
            return notes.push(Note::new(dir, "the folder can't be read"));
        };
        let mut names: Vec<(String, FileType)> = Vec::new();
        for entry in entries.flatten() {
            if self.left == 0 {
                let message = format!("more than {MOST_ENTRIES} entries; the rest was not looked at");
                return notes.push(Note::new(dir, &message));
            }
            self.left -= 1;
            let Ok(kind) = entry.file_type() else { continue };
            let name = match entry.file_name().into_string() {
                Ok(name) => name,
                Err(name) => {
                    let shown = name.to_string_lossy();
                    notes.push(Note::new(dir, &format!("`{shown}` is no UTF-8; it was not looked at")));
                    continue;
                }
            };
            names.push((name, kind));
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, kind) in names {
            let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
            // An assistant may well have rules for what is called `target`.
            let others = PASSED_OVER.contains(&name.as_str()) && (!self.hidden || name != "target");
            let apart = others || !self.hidden && name.starts_with('.');
            if kind.is_file() {
                found(&path);
            } else if kind.is_symlink() && self.hidden {
                notes.push(Note::new(&path, "a symbolic link; it is not followed"));
            } else if kind.is_symlink() {
                self.links.push(path);
            } else if !kind.is_dir() {
                if self.hidden {
                    notes.push(Note::new(&path, "no regular file; it was not read"));
                }
            } else if apart {
                if !others {
                    self.passed.push(path);
                }
            } else if self.left > 0 {
                if depth > 0 {
                    self.folder(tree, &path, depth - 1, notes, found);
                } else if self.deep {
                    notes.push(Note::new(&path, "too many folders within each other; it was not looked at"));
                }
            }
        }
    }
}
