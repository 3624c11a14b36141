//! `driven validate`

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use driven::Pack;
use driven_assistants::check::{Scope, check, has_files};
use driven_assistants::found_in;
use driven_build::security::check_set;
use driven_build::{
    Baseline, Judge, PACK_FILE, PROJECT_FILE, ProjectSettings, Report, RuleText, SourceFile, lift_pack,
    project, write_if_changed,
};

use serde_json::json;

use crate::output::{Output, count};
use crate::{Exit, Failure, Outcome, trusted};

/// Check rules, and the files that assistants read, without writing anything
///
/// In a project it checks the rule folder and every assistant's own file that
/// driven did not write: hidden text, what a text is up to, and its quality.
/// Exit code 1 when a finding is an error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven validate\n  driven validate rules --strict\n  driven validate vendor/rules.drv\n  \
                  driven validate --format sarif > driven.sarif\n  driven validate --write-baseline\n  driven validate --fix"
)]
pub(crate) struct Validate {
    /// A project, a rule folder or a pack
    #[arg(default_value = ".", value_name = "PATH")]
    path: PathBuf,
    /// Exit with 1 on any finding
    #[arg(long)]
    strict: bool,
    /// Take out what is hidden, where that needs no judgement
    #[arg(long)]
    fix: bool,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Findings to pass over, instead of the `baseline` of driven.toml
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write down all findings as they are, to be passed over from now on
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "driven-baseline.txt")]
    write_baseline: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// With excerpts, for people
    Text,
    /// A list of findings
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// Settings that are broken: that is a finding like any other, and the only one, since they say what to look at.
fn broken(root: &Path, err: driven_build::Error) -> Result<Subject, Failure> {
    match err.report() {
        Some(report) => {
            Ok(Subject { root: root.into(), settings: ProjectSettings::default(), report: report.clone() })
        }
        None => Err(err.into()),
    }
}

/// What is looked at.
struct Subject {
    /// The folder of the settings, which paths in them are relative to.
    root: PathBuf,
    settings: ProjectSettings,
    report: Report,
}

impl Validate {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let mut subject = self.look(output)?;
        if let Some(file) = &self.write_baseline {
            let file = subject.root.join(file);
            Judge::new(&without_baseline(&subject.settings), &subject.root)?.judge(&mut subject.report);
            let text = Baseline::of(&subject.report, &subject.root);
            crate::files::may_write(&file, &crate::files::Kind::Baseline)?;
            write_if_changed(&file, text.as_bytes()).map_err(|err| Failure::io(&file, &err))?;
            let findings = subject.report.findings().len();
            output.either(&json!({ "path": file.to_string_lossy(), "findings": findings }), || {
                format!("{}: {findings} findings; name it as `baseline` in {PROJECT_FILE}", file.display())
            });
            return Ok(Exit::Clean);
        }
        let mut told = self.judge(&mut subject)?;
        // What is told of a file is cut, what is mended is not: each round mends what the last one told.
        while self.fix && fix(&subject.report, output)? {
            subject = self.look(output)?;
            told = self.judge(&mut subject)?;
        }
        let report = &subject.report;
        match (output.is_json(), self.format) {
            (true, _) | (_, Format::Json) => output.value(&crate::output::findings_json(report)),
            (_, Format::Sarif) => output.value(&crate::sarif::log(report, &subject.root)),
            _ => output.report(report),
        }
        output.note(&format!("{}{told}", count(report)));
        let bad = report.has_errors() || self.strict && !report.findings().is_empty();
        Ok(if bad { Exit::Findings } else { Exit::Clean })
    }

    /// Sets levels and takes out what may stand; says how much that was.
    fn judge(&self, subject: &mut Subject) -> Result<String, Failure> {
        let settings = if self.baseline.is_some() {
            without_baseline(&subject.settings)
        } else {
            subject.settings.clone()
        };
        let mut judge = Judge::new(&settings, &subject.root)?;
        if let Some(file) = &self.baseline {
            judge = judge.baseline(Baseline::read(file)?);
        }
        let judgement = judge.judge(&mut subject.report);
        let mut told = String::new();
        if judgement.allowed > 0 {
            let _ = write!(told, ", {} allowed", judgement.allowed);
        }
        if judgement.known > 0 {
            let _ = write!(told, ", {} in the baseline", judgement.known);
        }
        Ok(told)
    }

    fn look(&self, output: &mut Output) -> Result<Subject, Failure> {
        let path = &self.path;
        if path.is_file() {
            return self.look_at_pack(output);
        }
        let has_settings = path.join(PROJECT_FILE).is_file();
        let is_project = has_settings || !path.join(PACK_FILE).is_file() && has_files(path);
        if !is_project {
            let compiler = project(path);
            let root = compiler.settings_file().and_then(Path::parent).unwrap_or(path).to_path_buf();
            let (report, rules) = compiler.findings();
            return Self::with_quality(&root, report, &rules, false, output);
        }
        let settings = match ProjectSettings::load(path) {
            Ok(settings) => settings,
            Err(err) => return broken(path, err),
        };
        let folder = path.join(&settings.rules);
        let (report, rules) =
            if folder.join(PACK_FILE).is_file() || has_settings && (folder.exists() || !has_files(path)) {
                let compiler = if has_settings { project(path) } else { project(&folder) };
                compiler.findings()
            } else {
                (Report::default(), Vec::new())
            };
        Self::with_quality(path, report, &rules, true, output)
    }

    fn with_quality(
        root: &Path,
        mut report: Report,
        rules: &[RuleText],
        files: bool,
        output: &mut Output,
    ) -> Result<Subject, Failure> {
        let settings = match ProjectSettings::load(root) {
            Ok(settings) => settings,
            Err(err) => return broken(root, err),
        };
        let mut targets = settings.sync.targets.clone();
        if targets.is_empty() {
            targets = found_in(root).into_iter().map(|one| one.id.clone()).collect();
        }
        let scope = Scope { targets: &targets, rules, found: Some(&report), files };
        if root.is_dir() {
            let checked = check(root, root, &scope)?;
            report.extend(checked.report);
            for note in checked.notes {
                output.note(&format!("passed over {}: {}", note.path, note.message));
            }
        }
        Ok(Subject { root: root.into(), settings, report })
    }

    /// A ready-made pack: every text in it.
    fn look_at_pack(&self, output: &mut Output) -> Result<Subject, Failure> {
        let bytes = crate::files::read_pack_or_json(&self.path)?;
        let set = lift_pack(&bytes).map_err(|err| Failure::from(err).in_file(&self.path))?;
        let root = PathBuf::from(".");
        let pack = Pack::open(&bytes).map_err(|err| Failure::from(err).in_file(&self.path))?;
        trusted::admit(pack, &self.path, &root, output)?;
        let mut report = Report::default();
        check_set(&set, &self.path, &mut report);
        Ok(Subject { settings: ProjectSettings::load(&root)?, root, report })
    }
}

fn without_baseline(settings: &ProjectSettings) -> ProjectSettings {
    ProjectSettings { baseline: None, ..settings.clone() }
}

/// A range of a file's text, and what stands there instead.
type Fix = (Range<usize>, &'static str);

/// Cuts out what needs no judgement; says whether anything was.
fn fix(report: &Report, output: &mut Output) -> Result<bool, Failure> {
    let mut by_file: BTreeMap<PathBuf, (Arc<SourceFile>, Vec<Fix>)> = BTreeMap::new();
    for finding in report.findings() {
        if let (Some(file), Some(fix)) = (finding.source(), finding.fix()) {
            by_file.entry(file.path.clone()).or_insert_with(|| (Arc::clone(file), Vec::new())).1.push(fix);
        }
    }
    for (path, (file, mut fixes)) in by_file.iter().map(|(path, one)| (path, one.clone())) {
        fixes.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = file.text.clone();
        for (range, instead) in &fixes {
            text.replace_range(range.clone(), instead);
        }
        // A link within the folder stays one.
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        write_if_changed(&real, text.as_bytes()).map_err(|err| Failure::io(path, &err))?;
        output.note(&format!("fixed {} in {}", fixes.len(), path.display()));
    }
    Ok(!by_file.is_empty())
}
