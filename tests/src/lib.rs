//! What several tests of `driven-tests` share.

use std::path::PathBuf;

pub mod faults;
pub mod fuzz;
pub mod oracle;
pub mod samples;

/// The folder that an environment variable names, or nothing, said loudly.
pub fn outside_folder(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: {variable} is not set");
    }
    folder
}

/// Every file of a corpus folder that a rule can be.
///
/// # Panics
/// When the folder can't be read.
pub fn corpus_files(folder: &str) -> Vec<(PathBuf, String)> {
    let Some(root) = outside_folder("DRIVEN_CORPUS") else { return Vec::new() };
    let entries = std::fs::read_dir(root.join(folder)).expect("the corpus has the folder");
    let paths = entries.map(|entry| entry.expect("the corpus can be read").path());
    let mut files: Vec<(PathBuf, String)> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "md" || ending == "mdc"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("the corpus is UTF-8");
            (path, text)
        })
        .collect();
    files.sort();
    files
}
