//! Judges findings: their levels, what somebody let stand, and what was there before the checks were.
//!
//! The judge is the project's `driven.toml`. In the text itself a signal can be
//! let stand, with a reason; hidden text can't, since whoever hid it could say so.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use driven_format::file_hash;
use driven_format::glob::GlobList;

use crate::diagnostics::{Code, Finding, Level, Report};
use crate::error::{Error, Result};
use crate::settings::ProjectSettings;

/// What judges findings.
#[derive(Debug)]
pub struct Judge<'j> {
    settings: &'j ProjectSettings,
    /// The folder of `driven.toml`, which its globs are relative to.
    root: PathBuf,
    cap: bool,
    baseline: Baseline,
}

/// How many findings of a kind are told for one file.
const MOST: usize = 256;

/// What a judgement came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// How many findings somebody let stand.
    pub allowed: usize,
    /// How many were there before.
    pub known: usize,
    /// Whether an error of a check was made a warning that matters to whoever gets the pack.
    pub is_capped: bool,
}

impl<'j> Judge<'j> {
    /// Judges by the settings of the `driven.toml` in `root`.
    ///
    /// # Errors
    /// A baseline that can't be read.
    pub fn new(settings: &'j ProjectSettings, root: &Path) -> Result<Self> {
        let baseline = match &settings.baseline {
            Some(file) => Baseline::read(&root.join(file))?,
            None => Baseline::default(),
        };
        Ok(Judge { settings, root: root.into(), cap: false, baseline })
    }

    /// Turns errors of checks into warnings.
    #[must_use]
    pub fn cap(mut self, cap: bool) -> Self {
        self.cap = cap;
        self
    }

    /// Takes another baseline than that of the settings.
    #[must_use]
    pub fn baseline(mut self, baseline: Baseline) -> Self {
        self.baseline = baseline;
        self
    }

    /// Sets levels, takes out what may stand, and sorts.
    pub fn judge(&self, report: &mut Report) -> Judgement {
        let mut judgement = Judgement::default();
        let mut known = self.baseline.counts.clone();
        let mut kept = Vec::new();
        let mut counts: BTreeMap<(PathBuf, Code), usize> = BTreeMap::new();
        for mut finding in report.take_findings() {
            let code = finding.code();
            let count = counts.entry((finding.path().into(), code)).or_default();
            *count += 1;
            if *count > MOST {
                continue;
            }
            if finding.is_fixed() {
                finding.set_level(finding.level().max(self.settings.level(code)));
                kept.push(finding);
                continue;
            }
            let level = self.settings.level(code);
            let capped = if self.cap && code.is_check() { level.min(Level::Warn) } else { level };
            if capped == Level::Allow {
                continue;
            }
            let path = relative(finding.path(), &self.root);
            if self.is_allowed(&finding, &path) || report.is_allowed_in_line(&finding) {
                judgement.allowed += 1;
            } else if known.get_mut(&key(&finding, &path)).is_some_and(take_one) {
                judgement.known += 1;
            } else {
                let matters = code.is_security() || code == Code::UngrantedCapability;
                judgement.is_capped |= capped < level && matters;
                finding.set_level(capped);
                kept.push(finding);
            }
        }
        for ((path, code), count) in counts.into_iter().filter(|(_, count)| *count > MOST) {
            let message = format!("{} more of this kind in the file", count - MOST);
            let level = self.settings.level(code);
            if level != Level::Allow {
                kept.push(Finding::in_file(code, &path, message).with_level(level));
            }
        }
        if self.settings.level(Code::BadAllow) != Level::Allow {
            kept.extend(
                report.idle_markers().map(|finding| finding.with_level(self.settings.level(Code::BadAllow))),
            );
        }
        report.set_findings(kept);
        judgement
    }

    fn is_allowed(&self, finding: &Finding, path: &str) -> bool {
        let code = finding.code();
        self.settings.allow.iter().any(|one| {
            (one.code == code.as_str() || one.code == code.lint())
                && GlobList::parse(std::slice::from_ref(&one.file)).is_ok_and(|globs| globs.matches(path))
                && finding.line().contains(&one.text)
        })
    }
}

fn take_one(count: &mut usize) -> bool {
    let there = *count > 0;
    *count = count.saturating_sub(1);
    there
}

/// What a finding is known by: its code, its file, and the line's text, which moves with it.
type Key = (String, String, String);

fn key(finding: &Finding, path: &str) -> Key {
    let print = file_hash(finding.line().trim().as_bytes()).to_string();
    (finding.code().as_str().into(), path.into(), print[..16].into())
}

/// The first line of a baseline.
const HEAD: &str = "# driven baseline 1: code, file, digest of the line, how often";

/// Findings that were there before the checks were: a line each, so that versions of it merge.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    counts: BTreeMap<Key, usize>,
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// A file that can't be read, or that is no baseline.
    pub fn read(file: &Path) -> Result<Self> {
        let is_file = std::fs::metadata(file).map_err(|err| Error::io(file, err))?.is_file();
        let text = if is_file {
            std::fs::read_to_string(file)
        } else {
            Err(std::io::Error::other("it is no regular file"))
        };
        let text = text.map_err(|err| Error::io(file, err))?;
        let foreign = |line: usize| {
            let hint = "write it anew with `driven validate --write-baseline`";
            Error::setup(format!("{}:{line}: no baseline of driven's; {hint}", file.display()))
        };
        let mut lines = text.lines().enumerate();
        if lines.next().is_none_or(|(_, head)| head != HEAD) {
            return Err(foreign(1));
        }
        let mut counts = BTreeMap::new();
        for (index, line) in lines {
            let parts: Vec<&str> = line.split('\t').collect();
            let [code, path, print, count] = parts[..] else { return Err(foreign(index + 1)) };
            let count = count.parse().map_err(|_| foreign(index + 1))?;
            counts.insert((code.into(), path.into(), print.into()), count);
        }
        Ok(Baseline { counts })
    }

    /// The baseline of all that a report has, as text; `root` is the folder of `driven.toml`.
    pub fn of(report: &Report, root: &Path) -> String {
        let mut counts: BTreeMap<Key, usize> = BTreeMap::new();
        for finding in report.findings() {
            *counts.entry(key(finding, &relative(finding.path(), root))).or_default() += 1;
        }
        let mut text = format!("{HEAD}\n");
        for ((code, path, print), count) in counts {
            // A name that breaks the line is never known.
            if !path.contains(['\t', '\n', '\r']) {
                let _ = writeln!(text, "{code}\t{path}\t{print}\t{count}");
            }
        }
        text
    }
}

/// A path as the settings name it.
fn relative(path: &Path, root: &Path) -> String {
    // One may be given from here and the other from the root of the system.
    let whole = |path: &Path| {
        path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.into())
    };
    let (own, base) = (whole(path), whole(if root.as_os_str().is_empty() { Path::new(".") } else { root }));
    let below = path.strip_prefix(root).or_else(|_| own.strip_prefix(&base)).unwrap_or(path);
    let text = below.to_string_lossy().replace('\\', "/");
    text.trim_start_matches("./").to_owned()
}
