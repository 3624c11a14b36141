//! Source files: from a folder to texts with ids.
//!
//! Follows links that stay within the folder, refuses those that leave it or
//! loop. Knows neither frontmatter nor Markdown.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use crate::diagnostics::{Code, Finding, Report, SourceFile};

/// The largest source file, in bytes: a body must fit the format.
const MAX_FILE: u64 = driven_format::MAX_BODY as u64;
/// The endings of rule files, longest first.
const ENDINGS: [&str; 3] = [".instructions.md", ".mdc", ".md"];
/// Files that are about the folder.
const PASSED_OVER: [&str; 3] = ["README", "LICENSE", "CHANGELOG"];

/// A rule file: its text, and the id that its path gives.
#[derive(Clone, Debug)]
pub struct RuleSource {
    /// The path below the folder, without its ending.
    pub id: String,
    /// The ending, which some defaults depend on.
    pub ending: &'static str,
    /// The file.
    pub file: Arc<SourceFile>,
}

/// The files of a folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) sources: Vec<RuleSource>,
    /// Folders and files outside that links led to; Cargo must watch them too.
    pub(crate) linked: Vec<PathBuf>,
}

/// Reads every rule file below `root`, in order of their paths, except below the folders in `apart`.
pub(crate) fn read_folder(root: &Path, apart: &[PathBuf], report: &mut Report) -> Folder {
    let shown = root;
    let mut folder = Folder::default();
    let canonical = match root.canonicalize() {
        Ok(canonical) if canonical.is_dir() => canonical,
        Ok(_) => {
            report.push(Finding::in_file(Code::Unreadable, shown, "expected a folder, found a file"));
            return folder;
        }
        Err(err) => {
            let finding =
                Finding::in_file(Code::Unreadable, shown, format!("the folder can't be read: {err}"));
            report.push(finding.hint("make the folder, or give the path of another"));
            return folder;
        }
    };
    let mut walk = Walk { root: &canonical, apart, report, folder: &mut folder, open: Vec::new() };
    walk.folder(&canonical, shown, "");
    folder
}

struct Walk<'w> {
    root: &'w Path,
    apart: &'w [PathBuf],
    report: &'w mut Report,
    folder: &'w mut Folder,
    /// The folders that are being read, to see loops.
    open: Vec<PathBuf>,
}

impl Walk<'_> {
    fn folder(&mut self, real: &Path, shown: &Path, id: &str) {
        self.open.push(real.into());
        let entries = fs::read_dir(real).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match entries {
            Ok(mut entries) => {
                entries.sort_by_key(fs::DirEntry::file_name);
                for entry in entries {
                    self.entry(&entry.path(), shown, id);
                }
            }
            Err(err) => self.unreadable(shown, &err),
        }
        self.open.pop();
    }

    fn entry(&mut self, path: &Path, parent: &Path, parent_id: &str) {
        let name = path.file_name().unwrap_or_default();
        let shown = parent.join(name);
        let Some(name) = name.to_str() else {
            self.report.push(
                Finding::in_file(Code::BadId, &shown, "the file's name is not UTF-8").hint("rename the file"),
            );
            return;
        };
        if name.starts_with('.') {
            return;
        }
        let (real, kind) =
            match path.canonicalize().and_then(|real| fs::metadata(&real).map(|kind| (real, kind))) {
                Ok(found) => found,
                Err(err) => {
                    let is_link = path.symlink_metadata().is_ok_and(|kind| kind.is_symlink());
                    if is_link {
                        self.bad_link(&shown, &format!("the link leads nowhere: {err}"));
                    } else {
                        self.unreadable(&shown, &err);
                    }
                    return;
                }
            };
        let linked = path.symlink_metadata().is_ok_and(|kind| kind.is_symlink());
        let is_rule = ENDINGS.iter().any(|ending| name.ends_with(ending));
        if linked && (kind.is_dir() || is_rule) {
            if !real.starts_with(self.root) {
                self.bad_link(&shown, "the link leads out of the rule folder");
                return;
            }
            self.folder.linked.push(real.clone());
        }
        if kind.is_dir() {
            if self.apart.contains(&real) {
                return;
            }
            if self.open.contains(&real) {
                self.bad_link(&shown, "the link leads back to a folder that it lies in");
                return;
            }
            self.folder(&real, &shown, &join_id(parent_id, name));
        } else if kind.is_file() && is_rule {
            self.file(&real, &shown, parent_id, name, kind.len());
        }
    }

    fn file(&mut self, real: &Path, shown: &Path, parent_id: &str, name: &str, len: u64) {
        let Some(ending) = ENDINGS.iter().find(|ending| name.ends_with(**ending)) else { return };
        let stem = &name[..name.len() - ending.len()];
        if PASSED_OVER.contains(&stem) {
            return;
        }
        if stem.is_empty() || stem.chars().any(char::is_control) {
            let finding = Finding::in_file(
                Code::BadId,
                shown,
                "an id has at least one character, and no control characters",
            );
            self.report.push(finding.hint("rename the file"));
            return;
        }
        if len > MAX_FILE {
            let message = format!("{len} bytes; a rule has at most {MAX_FILE}");
            self.report.push(
                Finding::in_file(Code::TooLarge, shown, message)
                    .hint("split it, or move it out of the folder"),
            );
            return;
        }
        let id = join_id(parent_id, stem);
        if let Some(file) = read_text(real, shown, self.report) {
            self.folder.sources.push(RuleSource { id, ending, file });
        }
    }

    fn unreadable(&mut self, shown: &Path, err: &std::io::Error) {
        self.report.push(Finding::in_file(Code::Unreadable, shown, format!("can't be read: {err}")));
    }

    fn bad_link(&mut self, shown: &Path, message: &str) {
        let finding = Finding::in_file(Code::BadLink, shown, message);
        self.report.push(finding.hint("copy what it leads to into the folder, or remove the link"));
    }
}

/// Text in the form that ids have.
pub fn nfc(text: &str) -> String {
    text.nfc().collect()
}

fn join_id(parent: &str, name: &str) -> String {
    let name = nfc(name);
    if parent.is_empty() { name } else { format!("{parent}/{name}") }
}

/// Reads a text file; what it is not goes to the report.
pub(crate) fn read_text(real: &Path, shown: &Path, report: &mut Report) -> Option<Arc<SourceFile>> {
    // A device or a pipe may never end.
    let regular = fs::metadata(real).and_then(|metadata| {
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        if metadata.len() > MAX_FILE {
            return Err(std::io::Error::other(format!("longer than {MAX_FILE} bytes")));
        }
        Ok(())
    });
    let bytes = match regular.and_then(|()| fs::read(real)) {
        Ok(bytes) => bytes,
        Err(err) => {
            report.push(Finding::in_file(Code::Unreadable, shown, format!("can't be read: {err}")));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(Arc::new(SourceFile { path: shown.into(), text })),
        Err(err) => {
            let at = err.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(err.as_bytes()).into_owned();
            let file = Arc::new(SourceFile { path: shown.into(), text });
            let finding = Finding::at(Code::NotText, &file, at..at + 1, format!("not UTF-8 at byte {at}"));
            report.push(finding.label("this is no UTF-8").hint("save the file as UTF-8"));
            None
        }
    }
}
