//! `driven dev`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;

use driven::state::{RowSet, RuleStore, Update};
use driven::{Pack, PackBuf, SharedPack};
use driven_build::{ProjectSettings, Reload, Report};
use driven_format::PackBuilder;

use super::sync::Sync;
use crate::files::{self, Kind};
use crate::output::{Output, rules};
use crate::{Exit, Failure, Outcome, source};

/// Follow the rules while you write them
///
/// Whenever a rule changes: shows what is found, says which rules changed, writes the pack where `--output` says, and
/// writes the rules out to the assistants of the project, as `driven sync` does. A broken edit is shown, and everything
/// stays as it was.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven dev\n  driven dev -o target/rules.drv --target cursor,claudecode"
)]
pub(crate) struct Dev {
    /// The project's folder
    #[arg(default_value = ".")]
    root: PathBuf,
    /// Write the pack here too
    #[arg(short, long, value_name = "PACK")]
    output: Option<PathBuf>,
    /// Assistants; by default those in `driven.toml`, else those found in the project
    #[arg(short, long, value_delimiter = ',', value_name = "NAME")]
    target: Vec<String>,
}

/// What was told from the background.
enum Told {
    Taken(Report),
    Broken(Report),
    Failed(Failure),
}

impl Dev {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        if let Some(file) = &self.output {
            files::may_write(file, &Kind::Pack)?;
        }
        let folder = source::find(None, &self.root)?;
        // Before anything was compiled there is nothing, of which all that comes differs.
        let nothing = PackBuf::from_vec(PackBuilder::new("", 0).finish()?)?;
        let store = Arc::new(RuleStore::open_to_all(SharedPack::prove(nothing)?));
        let (sender, received) = channel();
        let watch = driven_build::watch(driven_build::project(&folder), Arc::clone(&store), move |reload| {
            let told = match reload {
                Reload::Taken { report, .. } => Told::Taken(report.clone()),
                Reload::Broken(err) => match err.report() {
                    Some(report) => Told::Broken(report.clone()),
                    None => Told::Failed(Failure::of_build(err)),
                },
                Reload::Refused(err) => {
                    Told::Failed(Failure::new(err.code(), err.to_string()).hint(err.hint()))
                }
                other => Told::Failed(Failure::new("watch", format!("{other:?}"))),
            };
            // Nobody listens any more only when the command ends.
            let _ = sender.send(told);
        })?;
        output.note(&format!("following {}", folder.display()));
        let mut updates = store.subscribe();
        for told in received {
            match told {
                Told::Taken(report) => {
                    output.findings(&report);
                    let taken = updates.poll().map(|update| self.take(&update, output));
                    if let Some(Err(failure)) = taken {
                        output.failure(&failure);
                    }
                }
                Told::Broken(report) => {
                    output.findings(&report);
                    output.note("everything stays as it was");
                }
                Told::Failed(failure) => output.failure(&failure),
            }
        }
        watch.join();
        Ok(Exit::Clean)
    }

    /// Tells what changed, and writes it out.
    fn take(&self, update: &Update, output: &mut Output) -> Result<(), Failure> {
        let Update { before, now, changes } = update;
        let (old, pack) = (before.pack(), now.pack());
        let marks = |mark: char, rows: &RowSet, pack: &Pack<'_>| -> Vec<String> {
            let rules = pack.rules().filter(|rule| rows.contains(rule.row()));
            rules.map(|rule| format!("{mark} {}", rule.id())).collect()
        };
        let lines = [
            marks('+', &changes.added, &pack),
            marks('~', &changes.changed, &pack),
            marks('-', &changes.removed, &old),
        ]
        .concat();
        // The first time all of them are new.
        let told = if old.is_empty() { rules(pack.len()) } else { lines.join("\n") };
        output.note(&told);
        if let Some(file) = &self.output {
            files::write(file, pack.as_bytes(), &Kind::Pack)?;
        }
        self.sync(&self.root, output)
    }

    /// Writes the rules out, where the project has assistants.
    fn sync(&self, root: &Path, output: &mut Output) -> Result<(), Failure> {
        let settings = ProjectSettings::load(root)?;
        let is_asked = !self.target.is_empty() || !settings.sync.targets.is_empty();
        if is_asked || !driven_assistants::found_in(root).is_empty() {
            Sync::of(root, &self.target).once(output)?;
        }
        Ok(())
    }
}
