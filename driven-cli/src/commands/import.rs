//! `driven import`

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use driven_assistants::catalog::{Assistant, assistants, find};
use driven_assistants::import::{Imported, import};
use driven_build::{PROJECT_FILE, ProjectSettings, printable_line, write_folder, write_if_changed};
use serde_json::{Value, json};

use super::init::name_of;
use super::sync::unknown;
use crate::confine::Profile;
use crate::output::{Output, rules};
use crate::{Exit, Failure, Outcome};

/// Read what assistants have in a project into one rule folder
///
/// Keys that only one assistant knows, their order, quotes and comments are kept:
/// `driven sync` writes the same bytes again. Also reads what rulesync and ruler have.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven import\n  driven import --from cursor,copilot -o rules\n  driven import ../app -o rules --dry-run"
)]
pub(crate) struct Import {
    /// The project's folder
    #[arg(default_value = ".")]
    root: PathBuf,
    /// Assistants to read from; by default all that are found
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    from: Vec<String>,
    /// The rule folder to write: a new or an empty one; by default `rules` in the project
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Write nothing; show what would be read
    #[arg(long)]
    dry_run: bool,
    /// Fail where this system can't contain the reading of foreign files
    #[arg(long)]
    require_sandbox: bool,
}

impl Import {
    /// What reading somebody else's files needs: these, and the place of what is written.
    pub(crate) fn profile(&self) -> Profile {
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.into());
        let root = whole(&self.root);
        let writes = match &self.output {
            _ if self.dry_run => Vec::new(),
            None => vec![root.clone()],
            // A folder is made beside its place, and renamed to it.
            Some(output) => {
                let beside = output.parent().filter(|parent| !parent.as_os_str().is_empty());
                let beside = whole(beside.unwrap_or(Path::new(".")));
                let settings = output.starts_with(&self.root).then(|| root.clone());
                settings.into_iter().chain([beside]).collect()
            }
        };
        // To see whether the output is taken.
        let reads = [root].into_iter().chain(self.output.iter().map(|output| whole(output))).collect();
        Profile { reads, writes, required: self.require_sandbox, ..Profile::new() }
    }

    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let from = self
            .from
            .iter()
            .map(|name| find(name.trim()).ok_or_else(|| unknown(name)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut imported = import(&self.root, &from)?;
        if imported.set.rules.is_empty() {
            for note in &imported.notes {
                output.note(&format!(
                    "passed over {}: {}",
                    printable_line(&note.path),
                    printable_line(&note.message)
                ));
            }
            return Err(Failure::new(
                "nothing-found",
                format!("{}: no rules are found", self.root.display()),
            )
            .hint("`driven sync --list` says where assistants keep theirs"));
        }
        let folder = self.output.clone().unwrap_or_else(|| self.root.join("rules"));
        if !self.dry_run {
            refuse_taken(&folder)?;
            imported.set.manifest.name = name_of(&self.root);
            imported.set.manifest.version = 1;
            write_folder(&imported.set, &folder)?;
        }
        let settings = self.settings(&folder, &imported)?;
        output.either(&self.value(&imported, &folder, settings.as_deref()), || text(&imported, &folder));
        if let Some(settings) = &settings {
            output.note(&format!("wrote {}", settings.display()));
        }
        let taken = |path: &&str| imported.sources.values().flatten().any(|source| source == path);
        for path in assistants().iter().filter_map(Assistant::folder_that_was_a_file).filter(taken) {
            output.note(&format!(
                "{path} is a single file where a folder is read now: remove it before `driven sync`"
            ));
        }
        if !self.dry_run {
            self.say_what_is_next(&folder, output);
        }
        Ok(Exit::Clean)
    }

    fn say_what_is_next(&self, folder: &Path, output: &mut Output) {
        let settings = self.root.join(PROJECT_FILE);
        if let Ok(found) = ProjectSettings::load(&self.root)
            && settings.exists()
            && !is_same(&self.root.join(&found.rules), folder)
        {
            output.note(&format!(
                "{} goes by the rules in `{}`: to go by these, have `rules` name {}",
                settings.display(),
                found.rules,
                folder.display()
            ));
        }
        output.note(
            "next: `driven sync` writes the same files again; a rule goes to the assistants that its `targets` name, \
             and to all of them without that line",
        );
    }

    /// Writes a `driven.toml` that names the assistants, where there is none.
    fn settings(&self, folder: &Path, imported: &Imported) -> Result<Option<PathBuf>, Failure> {
        let file = self.root.join(PROJECT_FILE);
        if self.dry_run || file.symlink_metadata().is_ok() {
            return Ok(None);
        }
        let whole = |path: &Path| path.canonicalize().map_err(|err| Failure::io(path, &err));
        let (root, folder) = (whole(&self.root)?, whole(folder)?);
        let Some(rules) = folder.strip_prefix(&root).ok().and_then(Path::to_str) else { return Ok(None) };
        let targets = Value::from(imported.targets.clone());
        let text = format!("rules = {}\n\n[sync]\ntargets = {targets}\n", Value::from(rules));
        write_if_changed(&file, text.as_bytes()).map_err(|err| Failure::io(&file, &err))?;
        Ok(Some(file))
    }

    fn value(&self, imported: &Imported, folder: &Path, settings: Option<&Path>) -> Value {
        let rules: Vec<Value> = imported
            .set
            .rules
            .iter()
            .map(|rule| {
                json!({
                    "id": rule.id,
                    "activation": rule.activation.as_str(),
                    "targets": rule.targets,
                    "from": imported.sources.get(&rule.id),
                })
            })
            .collect();
        let notes: Vec<Value> =
            imported.notes.iter().map(|note| json!({ "path": note.path, "message": note.message })).collect();
        let similar: Vec<Value> = imported
            .similar
            .iter()
            .map(|(a, b, percent)| json!({ "rules": [a, b], "percent": percent }))
            .collect();
        json!({
            "folder": folder.to_string_lossy(),
            "settings": settings.map(Path::to_string_lossy),
            "written": !self.dry_run,
            "rules": rules,
            "passed_over": notes,
            "similar": similar,
            "targets": imported.targets,
        })
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().is_some_and(|one| other.canonicalize().ok() == Some(one))
}

fn refuse_taken(folder: &Path) -> Result<(), Failure> {
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new("not-empty", format!("{} is not empty", folder.display()))
            .hint("give another folder with `-o`; what `driven init` made can go, `import` makes its own"));
    }
    Ok(())
}

fn text(imported: &Imported, folder: &Path) -> String {
    let mut text = String::new();
    for rule in &imported.set.rules {
        let from = imported.sources.get(&rule.id).map(|paths| paths.join(", ")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<9}{}  from {}",
            rule.activation.as_str(),
            printable_line(&rule.id),
            printable_line(&from)
        );
    }
    for note in &imported.notes {
        let _ =
            writeln!(text, "passed over {}: {}", printable_line(&note.path), printable_line(&note.message));
    }
    for (a, b, percent) in &imported.similar {
        let _ = writeln!(
            text,
            "similar: {} and {} share {percent} % of their lines",
            printable_line(a),
            printable_line(b)
        );
    }
    let _ = writeln!(text, "{}: {}", folder.display(), rules(imported.set.rules.len()));
    text
}
