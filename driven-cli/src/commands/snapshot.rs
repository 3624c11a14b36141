//! `driven snapshot`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use driven::state::{Changes, Retention, RowSet, Snapshot as Kept, Snapshots};
use driven::{Digest, LazyPackBuf, Pack, SharedPack};
use driven_build::printable_line;
use driven_format::trust::render_time;
use serde_json::{Value, json};

use crate::files;
use crate::keys::now;
use crate::output::Output;
use crate::{Exit, Failure, Outcome, trusted};

/// Keep packs in a folder, and go back to one
///
/// Each is named by the hash of its file; one is current. Whatever fails in between, the current one is the old or the
/// new one, whole. Programs read the same folder with `driven::state::Snapshots`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven snapshot take rules.drv\n  driven snapshot apply step.drvp\n  driven snapshot list\n  \
                  driven snapshot restore 3f8a\n  driven snapshot prune --keep 5 --days 30"
)]
pub(crate) struct Snapshot {
    #[command(subcommand)]
    action: Action,
    /// The folder
    #[arg(long, global = true, value_name = "DIR", default_value = ".driven/snapshots")]
    dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Keep a pack and make it current
    Take {
        /// The pack
        pack: PathBuf,
    },
    /// Apply a patch to the current pack, keep what it leads to and make it current
    Apply {
        /// The patch
        patch: PathBuf,
    },
    /// List what is kept, oldest first
    List,
    /// Show one
    Show {
        /// The first digits of its hash, or `current`
        snapshot: String,
    },
    /// Say which rules differ between two
    Diff {
        /// The first digits of the old one's hash, or `current`
        old: String,
        /// The first digits of the new one's hash
        #[arg(default_value = "current")]
        new: String,
    },
    /// Make one current again
    Restore {
        /// The first digits of its hash
        snapshot: String,
    },
    /// Remove old ones; the current one stays, and what another program holds
    Prune {
        /// How many of the newest stay at least
        #[arg(long, value_name = "COUNT", default_value_t = 5)]
        keep: usize,
        /// Others stay too until they are so old
        #[arg(long)]
        days: Option<u64>,
    },
}

impl Snapshot {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let snapshots = Snapshots::new(&self.dir);
        match &self.action {
            Action::Take { pack } => keep(&snapshots, &SharedPack::open(pack)?, pack, output)?,
            Action::Apply { patch } => apply(&snapshots, patch, output)?,
            Action::List => list(&snapshots, output)?,
            Action::Show { snapshot } => show(&snapshots, &find(&snapshots, snapshot)?, output)?,
            Action::Diff { old, new } => {
                differ(&snapshots, &find(&snapshots, old)?, &find(&snapshots, new)?, output)?;
            }
            Action::Restore { snapshot } => {
                let kept = find(&snapshots, snapshot)?;
                let pack = snapshots.open(&kept.hash)?;
                trusted::admit(pack.as_pack(), &snapshots.path_of(&kept.hash), Path::new("."), output)?;
                snapshots.restore(&kept.hash)?;
                told(&kept.hash, pack.as_pack(), "is current", output);
            }
            Action::Prune { keep, days } => {
                let age = days.map(|days| days.saturating_mul(24 * 60 * 60));
                let gone = snapshots.prune(&Retention { count: *keep, age }, now()?)?;
                let hashes: Vec<String> = gone.iter().map(Digest::to_string).collect();
                let left = snapshots.list()?.len();
                output.either(&json!({ "removed": hashes, "left": left }), || {
                    let lines: Vec<String> = hashes.iter().map(|hash| format!("{hash} removed\n")).collect();
                    format!("{}{left} left", lines.concat())
                });
            }
        }
        Ok(Exit::Clean)
    }
}

/// Keeps a pack that came from `path`, when the project lets it in.
fn keep(snapshots: &Snapshots, pack: &SharedPack, path: &Path, output: &mut Output) -> Result<(), Failure> {
    trusted::admit(pack.as_pack(), path, Path::new("."), output)?;
    let hash = snapshots.take(pack, now()?)?;
    told(&hash, pack.as_pack(), "is current", output);
    Ok(())
}

fn apply(snapshots: &Snapshots, path: &Path, output: &mut Output) -> Result<(), Failure> {
    let Some(current) = snapshots.current()? else {
        return Err(Failure::new("no-snapshot", "there is no current pack yet")
            .hint("take one: `driven snapshot take`"));
    };
    let patch = files::read_patch(path, SharedPack::LIMIT)?;
    let next = current.apply(&patch, SharedPack::LIMIT).map_err(|err| Failure::from(err).in_file(path))?;
    keep(snapshots, &next, path, output)
}

fn told(hash: &Digest, pack: Pack<'_>, what: &str, output: &mut Output) {
    let manifest = pack.manifest();
    let value = json!({ "hash": hash.to_string(), "name": manifest.name(), "version": manifest.version() });
    output.either(&value, || {
        format!("{hash} {} {} {what}", printable_line(manifest.name()), manifest.version())
    });
}

fn list(snapshots: &Snapshots, output: &mut Output) -> Result<(), Failure> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    for kept in snapshots.list()? {
        // One that can't be read is listed for all that, so that another can be restored.
        let about = about(snapshots, &kept);
        let (name, version) = match &about {
            Ok((name, version)) => (name.as_str(), Some(*version)),
            Err(_) => ("", None),
        };
        values.push(json!({ "hash": kept.hash.to_string(), "taken": kept.taken, "current": kept.is_current,
            "name": name, "version": version, "damaged": about.is_err() }));
        let mark = if kept.is_current { '*' } else { ' ' };
        let shown = match version {
            Some(version) => format!("{} {version}", printable_line(name)),
            None => "damaged".into(),
        };
        lines.push(format!("{mark} {} {} {shown}", &kept.hash.to_string()[..16], render_time(kept.taken)));
    }
    output.either(&Value::from(values), || if lines.is_empty() { "none".into() } else { lines.join("\n") });
    Ok(())
}

fn about(snapshots: &Snapshots, kept: &Kept) -> Result<(String, u64), Failure> {
    let pack = LazyPackBuf::open(snapshots.path_of(&kept.hash))?;
    let manifest = pack.as_lazy().manifest();
    Ok((manifest.name().into(), manifest.version()))
}

fn show(snapshots: &Snapshots, kept: &Kept, output: &mut Output) -> Result<(), Failure> {
    let pack = snapshots.open(&kept.hash)?;
    let path = snapshots.path_of(&kept.hash);
    let pack = pack.as_pack();
    let manifest = pack.manifest();
    let value = json!({ "hash": kept.hash.to_string(), "taken": kept.taken, "current": kept.is_current,
        "path": path.to_string_lossy(), "name": manifest.name(), "version": manifest.version(),
        "digest": pack.digest().to_string(), "signed": pack.is_signed(),
        "rules": pack.rules().map(|rule| rule.id().to_owned()).collect::<Vec<_>>() });
    output.either(&value, || {
        let rules: Vec<String> =
            pack.rules().map(|rule| format!("  {}", printable_line(rule.id()))).collect();
        format!(
            "{}\ntaken   {}{}\nname    {} {}\ndigest  {}\nrules   {}\n{}",
            path.display(),
            render_time(kept.taken),
            if kept.is_current { ", current" } else { "" },
            printable_line(manifest.name()),
            manifest.version(),
            pack.digest(),
            pack.len(),
            rules.join("\n"),
        )
    });
    Ok(())
}

fn differ(snapshots: &Snapshots, old: &Kept, new: &Kept, output: &mut Output) -> Result<(), Failure> {
    let (old, new) = (snapshots.open(&old.hash)?, snapshots.open(&new.hash)?);
    let (old, new) = (old.as_pack(), new.as_pack());
    let changes = Changes::between(&old, &new);
    let ids = |rows: &RowSet, pack: &Pack<'_>| -> Vec<String> {
        let rules = pack.rules().filter(|rule| rows.contains(rule.row()));
        rules.map(|rule| rule.id().to_owned()).collect()
    };
    let [added, changed, removed] =
        [ids(&changes.added, &new), ids(&changes.changed, &new), ids(&changes.removed, &old)];
    output.either(&json!({ "added": added, "changed": changed, "removed": removed }), || {
        let mark = |mark: char, ids: &[String]| -> Vec<String> {
            ids.iter().map(|id| format!("{mark} {}", printable_line(id))).collect()
        };
        let lines = [mark('+', &added), mark('~', &changed), mark('-', &removed)].concat();
        if lines.is_empty() { "no rule differs".into() } else { lines.join("\n") }
    });
    Ok(())
}

/// The snapshot whose hash begins so.
fn find(snapshots: &Snapshots, given: &str) -> Result<Kept, Failure> {
    let list = snapshots.list()?;
    let is_meant = |kept: &&Kept| {
        if given == "current" { kept.is_current } else { kept.hash.to_string().starts_with(given) }
    };
    let mut found = list.iter().filter(is_meant);
    let hint = "see which there are with `driven snapshot list`";
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(*only),
        (None, _) => Err(Failure::new("no-snapshot", format!("there is no snapshot `{given}`")).hint(hint)),
        _ => Err(Failure::new("no-snapshot", format!("more than one snapshot begins with `{given}`"))
            .hint("give more digits of its hash")),
    }
}
