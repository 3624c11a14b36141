//! `driven sync`

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use driven_assistants::catalog::{Assistant, Mode, assistants, find};
use driven_assistants::plan::{Options, Plan, plan, plan_all};
use driven_assistants::render::Policy;
use driven_assistants::{Change, Changes, Project, STATE_FOLDER, diff, found_in};
use driven_build::{PROJECT_FILE, ProjectSettings, printable, printable_line};
use driven_format::file_hash;
use serde_json::{Value, json};

use crate::output::Output;
use crate::{Exit, Failure, Outcome, source, trusted};

/// Write the rules out to every assistant's own files
///
/// Files that a person changed since the last run are shown and never written
/// over without --force. A rule that an assistant can't scope is folded into
/// prose that names its scope, left out, or refused, and the report says so.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[command(after_help = "Examples:\n  driven sync --target cursor,claudecode\n  driven sync --check\n  \
                  driven sync rules.drv --target '*' --dry-run\n  driven sync --clean --target cursor\n  driven sync --list")]
pub(crate) struct Sync {
    /// A pack, a rule folder, or a folder that holds `driven.toml`; by default the project's
    source: Option<PathBuf>,
    /// Assistants, or '*' for as many as agree; by default those in `driven.toml`, else those found in the project
    #[arg(short, long, value_delimiter = ',', value_name = "NAME")]
    target: Vec<String>,
    /// Write nothing; exit with 1 when a file is not as it should be
    #[arg(long, conflicts_with_all = ["dry_run", "watch", "force"])]
    check: bool,
    /// Write nothing; show what would change
    #[arg(long, conflicts_with = "watch")]
    dry_run: bool,
    /// Go on, and write again whenever the rules change
    #[arg(long, conflicts_with = "clean")]
    watch: bool,
    /// Write over what a person changed
    #[arg(long)]
    force: bool,
    /// Fail when an assistant can't say what a rule says
    #[arg(long)]
    strict: bool,
    /// Turn errors of checks into warnings
    #[arg(long, value_parser = ["warn"])]
    cap_lints: Option<String>,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// Write to your own configuration, below your home folder
    #[arg(long, conflicts_with = "root")]
    global: bool,
    /// Keep what is written out of version control, by a block in `.gitignore`
    #[arg(long, conflicts_with = "global")]
    gitignore: bool,
    /// Take back what driven wrote: for the targets, or all of it
    #[arg(long, conflicts_with = "list")]
    clean: bool,
    /// List the assistants and what they can say
    #[arg(long)]
    list: bool,
}

impl Sync {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        if self.list {
            list(output);
            return Ok(Exit::Clean);
        }
        if self.clean {
            return self.take_back(output);
        }
        let exit = self.once(output);
        if !self.watch {
            return exit;
        }
        report_and_go_on(exit, output);
        super::watching::watch(&self.watched()?, output, |output| {
            let exit = self.once(output);
            report_and_go_on(exit, output);
        })
    }

    /// The plain way: writes to `targets`, or those of the project.
    pub(crate) fn of(root: &Path, targets: &[String]) -> Self {
        Sync {
            source: None,
            target: targets.to_vec(),
            check: false,
            dry_run: false,
            watch: false,
            force: false,
            strict: false,
            cap_lints: None,
            root: root.into(),
            global: false,
            gitignore: false,
            clean: false,
            list: false,
        }
    }

    fn folder(&self) -> Result<PathBuf, Failure> {
        if !self.global {
            return Ok(self.root.clone());
        }
        std::env::home_dir()
            .filter(|home| home.is_dir())
            .ok_or_else(|| Failure::new("no-home", "there is no home folder").hint("set HOME"))
    }

    fn source(&self) -> Result<PathBuf, Failure> {
        source::find(self.source.as_deref(), &self.root)
    }

    fn watched(&self) -> Result<Vec<PathBuf>, Failure> {
        let source = self.source()?;
        let settings = ProjectSettings::load(&source).unwrap_or_default();
        let rules = source.join(settings.rules);
        let mut watched = vec![source];
        if rules.is_dir() {
            watched = vec![rules];
            watched.extend([self.root.join(PROJECT_FILE)].into_iter().filter(|file| file.exists()));
        }
        Ok(watched)
    }

    fn policy(&self, settings: &ProjectSettings) -> Policy {
        if self.strict {
            Policy::Refuse
        } else {
            Policy::from_word(&settings.sync.unsupported).unwrap_or_default()
        }
    }

    pub(crate) fn once(&self, output: &mut Output) -> Outcome {
        let folder = self.folder()?;
        let settings = ProjectSettings::load(&self.root)?;
        let targets = self.targets(&folder, &settings)?;
        let inputs = self.inputs(targets.as_deref(), &settings)?;
        let writes = !self.check && !self.dry_run;
        let mut project = Project::look(&folder)?;
        // A check looks at everything, and what was let through once is not let through for good.
        // Neither is a pack that somebody must have signed: keys are revoked, and time runs out.
        let signed = !self.source()?.is_dir() && trusted::is_asked(&self.root)?;
        let short = inputs.as_deref().filter(|_| !self.check && self.cap_lints.is_none() && !signed);
        if let Some(mut told) = short.and_then(|inputs| project.settled(inputs)) {
            told["changes"] = json!([]);
            output.either(&told, || format!("nothing to change\n{}", outcome_text(&told)));
            return Ok(Exit::Clean);
        }
        let Some(bytes) = source::load(&self.source()?, &self.root, self.cap_lints.is_some(), output)? else {
            output.note("nothing was written");
            return Ok(Exit::Findings);
        };
        let pack = bytes.open()?;
        let mut plan = {
            let has_folder = |path: &str| project.has_folder(path);
            let options =
                Options { policy: self.policy(&settings), has_folder: &has_folder, global: self.global };
            match &targets {
                Some(targets) => plan(&pack, targets, &options)?,
                None => plan_all(&pack, &options)?,
            }
        };
        if writes {
            project.begin()?;
        }
        plan.gitignore = (self.gitignore || settings.sync.gitignore) && !self.global;
        let changes = project.changes(&plan)?;
        let mut told = describe(&plan, &changes);
        let clean = told.clone();
        told["changes"] = changes.open().map(change_json).collect();
        let open = changes.open().count();
        let refuses = |change: &Change| change.is_stuck || !self.force;
        if writes && changes.conflicts().any(refuses) {
            told["written"] = json!(false);
            project.forget()?;
            output.either(&told, || refused(&changes));
            return Ok(Exit::Findings);
        }
        if writes {
            project.apply(&changes, self.force)?;
            if let Some(inputs) = inputs.filter(|_| self.cap_lints.is_none()) {
                project.settle(&inputs, clean)?;
            }
        }
        told["written"] = json!(writes);
        output.either(&told, || format!("{}{}", self.list_changes(&changes), outcome_text(&told)));
        Ok(if self.check && open > 0 { Exit::Findings } else { Exit::Clean })
    }

    /// The assistants that were asked for; nothing for as many as agree.
    fn targets(
        &self,
        folder: &Path,
        settings: &ProjectSettings,
    ) -> Result<Option<Vec<&'static Assistant>>, Failure> {
        let asked = if self.target.is_empty() { &settings.sync.targets } else { &self.target };
        if asked.iter().any(|name| name == "*") {
            return Ok(None);
        }
        if asked.is_empty() {
            let found = found_in(folder);
            if found.is_empty() {
                return Err(Failure::new(
                    "no-targets",
                    "no assistant is named, and none is found in the project",
                )
                .hint("give `--target cursor,claudecode`, or `targets` under [sync] in driven.toml"));
            }
            return Ok(Some(found));
        }
        let mut targets: Vec<&'static Assistant> = Vec::new();
        for name in asked {
            let assistant = find(name.trim()).ok_or_else(|| unknown(name))?;
            if !targets.iter().any(|known| known.id == assistant.id) {
                targets.push(assistant);
            }
        }
        Ok(Some(targets))
    }

    /// What a run is made from, as one digest; nothing when the rules can't be read.
    fn inputs(
        &self,
        targets: Option<&[&'static Assistant]>,
        settings: &ProjectSettings,
    ) -> Result<Option<String>, Failure> {
        let source = self.source()?;
        let rules = if source.is_dir() {
            driven_build::project(&source).fingerprint()
        } else {
            let bytes = crate::files::read_pack_or_json(&source)?;
            Some(file_hash(&bytes).to_string())
        };
        let ids: Option<Vec<&str>> = targets.map(|all| all.iter().map(|one| one.id.as_str()).collect());
        let policy = self.policy(settings);
        let gitignore = self.gitignore || settings.sync.gitignore;
        let version = env!("CARGO_PKG_VERSION");
        Ok(rules.map(|rules| {
            // The settings judge a ready-made pack too.
            let judge =
                std::fs::read(self.root.join(PROJECT_FILE)).map(|bytes| file_hash(&bytes).to_string());
            let judge = judge.unwrap_or_default();
            let text = format!("{version} {rules} {judge} {ids:?} {policy:?} {gitignore} {}", self.global);
            file_hash(text.as_bytes()).to_string()
        }))
    }

    fn take_back(&self, output: &mut Output) -> Outcome {
        let folder = self.folder()?;
        let only: Vec<&str> = self.target.iter().map(String::as_str).filter(|&name| name != "*").collect();
        if let Some(name) = only.iter().find(|name| find(name).is_none()) {
            return Err(unknown(name));
        }
        let writes = !self.check && !self.dry_run;
        if !folder.join(STATE_FOLDER).is_dir() {
            output.either(&json!({ "changes": [], "written": writes }), || {
                "there is nothing to take back".into()
            });
            return Ok(Exit::Clean);
        }
        let mut project = if writes { Project::open(&folder)? } else { Project::look(&folder)? };
        let changes = project.cleanup((!only.is_empty()).then_some(&only[..]))?;
        let open = changes.open().count();
        let mut told = json!({ "changes": changes.open().map(change_json).collect::<Vec<_>>() });
        if writes && changes.conflicts().any(|change| change.is_stuck || !self.force) {
            told["written"] = json!(false);
            output.either(&told, || refused(&changes));
            return Ok(Exit::Findings);
        }
        if writes {
            project.apply(&changes, self.force)?;
            project.forget()?;
        }
        told["written"] = json!(writes);
        output.either(&told, || self.list_changes(&changes));
        Ok(if self.check && open > 0 { Exit::Findings } else { Exit::Clean })
    }

    fn list_changes(&self, changes: &Changes) -> String {
        let mut text = String::new();
        for change in changes.open() {
            if self.dry_run {
                text.push_str(&printable(&diff(change)));
            } else {
                let _ = writeln!(text, "{:<7}{}", change.word(), printable_line(&change.path));
            }
            if let Some(why) = &change.conflict {
                let _ = writeln!(text, "       {why}");
            }
        }
        if text.is_empty() {
            text.push_str("nothing to change\n");
        }
        text
    }
}

/// With `--watch` a failure is told, and the next change is waited for.
fn report_and_go_on(outcome: Outcome, output: &mut Output) {
    if let Err(failure) = outcome {
        output.failure(&failure);
    }
}

pub(crate) fn unknown(name: &str) -> Failure {
    let known: Vec<&str> = assistants().iter().map(|assistant| assistant.id.as_str()).collect();
    let near = driven_build::nearest(name, &known);
    let hint =
        near.map_or_else(|| "see `driven sync --list`".into(), |near| format!("did you mean `{near}`?"));
    Failure::new("unknown-assistant", format!("there is no assistant `{name}`")).hint(hint)
}

fn refused(changes: &Changes) -> String {
    let mut text = String::new();
    for change in changes.conflicts() {
        let why = change.conflict.as_deref().unwrap_or_default();
        let shown = if change.is_stuck { String::new() } else { diff(change) };
        let _ = writeln!(text, "{}: {why}\n{}", printable_line(&change.path), printable(&shown));
    }
    let hint = if changes.conflicts().any(|change| change.is_stuck) {
        "nothing was written; mend these files first"
    } else {
        "nothing was written; give --force to write over these"
    };
    text + hint + "\n"
}

fn change_json(change: &Change) -> Value {
    json!({
        "path": change.path,
        "change": change.word(),
        "targets": change.owners,
        "conflict": change.conflict,
    })
}

/// What the run comes to, without what it changes.
fn describe(plan: &Plan, changes: &Changes) -> Value {
    let targets: serde_json::Map<String, Value> = plan
        .fates
        .iter()
        .map(|(id, fates)| {
            let rules: Vec<Value> = fates
                .iter()
                .map(|fate| json!({ "rule": fate.rule, "fate": fate.kind.as_str(), "why": fate.why }))
                .collect();
            let files: Vec<&String> = plan
                .files
                .iter()
                .filter(|(_, planned)| planned.owners.contains(id))
                .map(|(path, _)| path)
                .collect();
            ((*id).to_owned(), json!({ "files": files, "rules": rules }))
        })
        .collect();
    let warnings: Vec<Value> = changes
        .warnings
        .iter()
        .map(|one| json!({ "target": one.assistant, "path": one.path, "message": one.message }))
        .collect();
    let left_out: Vec<Value> = plan
        .left_out
        .iter()
        .map(|clash| json!({ "target": clash.other, "path": clash.path, "kept_by": clash.keeps }))
        .collect();
    json!({ "targets": targets, "warnings": warnings, "left_out": left_out })
}

/// How many of a kind are shown by name.
const SHOWN: usize = 4;

/// What a person should know, and the loss report: a row for each target, then what was lost, and why.
fn outcome_text(told: &Value) -> String {
    let word = |value: &Value, key: &str| printable(value[key].as_str().unwrap_or_default());
    let all = |key: &str| told[key].as_array().into_iter().flatten();
    let mut text = String::new();
    let mut warned: BTreeMap<String, usize> = BTreeMap::new();
    for one in all("warnings") {
        let (target, path, message) = (word(one, "target"), word(one, "path"), word(one, "message"));
        let count = warned.entry(target.clone()).or_default();
        *count += 1;
        if *count <= SHOWN {
            let _ = writeln!(text, "warning: {target}: {path}: {message}");
        }
    }
    for (target, count) in warned.into_iter().filter(|(_, count)| *count > SHOWN) {
        let _ = writeln!(text, "warning: {target}: {} more; `--json` has them all", count - SHOWN);
    }
    for one in all("left_out") {
        let (target, path, keeps) = (word(one, "target"), word(one, "path"), word(one, "kept_by"));
        let _ = writeln!(text, "left out: {target}, since {keeps} comes first and both need {path}");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["target", "kept", "folded", "skipped"]);
    let mut reasons: BTreeMap<[String; 3], Vec<String>> = BTreeMap::new();
    for (id, target) in told["targets"].as_object().into_iter().flatten() {
        let rules: Vec<&Value> = target["rules"].as_array().into_iter().flatten().collect();
        let count = |fate: &str| rules.iter().filter(|rule| rule["fate"] == fate).count().to_string();
        table.add_row([id.clone(), count("kept"), count("folded"), count("skipped")]);
        for rule in rules.into_iter().filter(|rule| rule["why"] != "") {
            let reason = [id.clone(), word(rule, "fate"), word(rule, "why")];
            reasons.entry(reason).or_default().push(word(rule, "rule"));
        }
    }
    let _ = writeln!(text, "\n{}", table.trim_fmt());
    for ([id, fate, why], rules) in reasons {
        let shown = rules.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more =
            if rules.len() > SHOWN { format!(" and {} more", rules.len() - SHOWN) } else { String::new() };
        let _ = writeln!(text, "{id}: {fate}: {shown}{more}: {why}");
    }
    text
}

/// Every assistant: where its rules lie, what it can say, and how sure that is.
fn list(output: &mut Output) {
    let modes = |assistant: &Assistant| -> Vec<&'static str> {
        [Mode::Always, Mode::Globs, Mode::Agent, Mode::Manual, Mode::Off]
            .into_iter()
            .filter(|&mode| assistant.expresses(mode))
            .map(|mode| mode.activation().as_str())
            .collect()
    };
    let value: Value = assistants()
        .iter()
        .map(|one| {
            json!({
                "id": one.id,
                "name": one.name,
                "writes": places(one),
                "modes": modes(one),
                "page": one.page,
                "checked": one.checked,
                "sources": one.sources,
                "confirmed": one.is_confirmed(),
                "unconfirmed": one.unconfirmed,
                "note": one.note,
                "precedence": one.precedence,
            })
        })
        .collect();
    output.either(&value, || {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["", "target", "name", "writes", "can say", "checked"]);
        for one in assistants() {
            let sure = if one.is_confirmed() { "" } else { "?" };
            let row =
                [sure, &one.id, &one.name, &places(one).join(", "), &modes(one).join(" "), &one.checked];
            table.add_row(row);
        }
        let mut text = format!("{}\n\n? not confirmed by the vendor's own page\n", table.trim_fmt());
        for one in assistants() {
            for fact in &one.unconfirmed {
                let _ = writeln!(text, "? {}: {fact}", one.id);
            }
        }
        text
    });
}

fn places(assistant: &Assistant) -> Vec<String> {
    let dir = assistant.rules.iter().map(|rules| format!("{}/*{}", rules.dir, rules.ending));
    let root = assistant.root.iter().map(|root| root.file.clone());
    let register = assistant.register.iter().map(|register| register.file.clone());
    dir.chain(root).chain(register).collect()
}
