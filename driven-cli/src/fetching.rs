//! The arguments of commands that fetch: whence packs come, and who must stand behind them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use driven::state::{RuleStore, Snapshots};
use driven::updates::Updates;
use driven::{Pack, SharedPack};

use crate::Failure;
use crate::gate::Gate;
use crate::keys::now;
use crate::trusted::{Asked, By};

/// The arguments of commands that fetch.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an argument")]
pub(crate) struct Fetching {
    /// The pack: `https://rules.example.com/NAME`, or `file:///srv/rules/NAME`
    address: String,
    /// The folder in which packs are kept, as `driven snapshot` shows it
    #[arg(long, value_name = "DIR", default_value = ".driven/snapshots")]
    pub(crate) dir: PathBuf,
    /// Public key of who must have signed it
    #[arg(long, conflicts_with = "root")]
    key: Option<PathBuf>,
    /// Root file; without it and a key, what [trust] in `driven.toml` asks for
    #[arg(long)]
    root: Option<PathBuf>,
    /// Refuse what is older than what was seen before, and write down what is seen, in this file
    #[arg(long, value_name = "FILE", requires = "root")]
    state: Option<PathBuf>,
    /// Ask for the timestamp that lies beside the pack, and keep the newest in this file
    #[arg(long, value_name = "FILE", requires = "root")]
    timestamp: Option<PathBuf>,
    /// Take this version although a newer one is here, or was seen
    #[arg(long, value_name = "VERSION")]
    accept_version: Option<u64>,
    /// Take a pack whoever stands behind it, or nobody
    #[arg(long, conflicts_with_all = ["key", "root"])]
    accept_unsigned: bool,
    /// Take a pack whose security findings were let through
    #[arg(long)]
    allow_capped: bool,
    /// Take a pack with text in it that people don't see
    #[arg(long)]
    allow_hidden: bool,
    /// Stay on this machine: take from `file://` alone
    #[arg(long, env = "DRIVEN_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    offline: bool,
    /// How long a pack may be, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = SharedPack::LIMIT)]
    limit: usize,
    /// How long it may take, in seconds, and again as long for the timestamp
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

impl Fetching {
    pub(crate) fn updates(&self) -> Result<Updates, Failure> {
        let updates = Updates::at(&self.address)?
            .limit(self.limit)
            .time_limit(Duration::from_secs(self.timeout.max(1)))
            .offline(self.offline);
        Ok(if self.allow_hidden { updates.allow_hidden() } else { updates })
    }

    /// Who lets packs in where `held` is what is here.
    pub(crate) fn gate(&self, held: Option<&SharedPack>) -> Result<Gate, Failure> {
        let asked = if self.accept_unsigned { None } else { Some((self.asked()?, self.updates()?)) };
        let newest = held.map(|held| held.as_pack().manifest().version());
        Ok(Gate::new(&self.address, asked, newest, self.accept_version))
    }

    fn asked(&self) -> Result<Asked, Failure> {
        let asked = match (&self.key, &self.root) {
            (Some(key), _) => Asked::by(By::key_in(key.clone())?)?,
            (None, Some(root)) => Asked {
                timestamp_file: self.timestamp.clone(),
                state: self.state.clone(),
                ..Asked::by(By::root_in(root.clone())?)?
            },
            (None, None) => Asked::of_project_or_first(Path::new("."))?.ok_or_else(|| {
                Failure::new("no-trust", "nobody is named whose packs are taken").hint(
                    "give `--key` or `--root`, or [trust] in driven.toml; `--accept-unsigned` takes any",
                )
            })?,
        };
        Ok(Asked { allow_capped: self.allow_capped || asked.allow_capped, ..asked })
    }

    pub(crate) fn snapshots(&self) -> Snapshots {
        Snapshots::new(&self.dir)
    }

    /// Refuses what says whose packs are taken, where none is.
    pub(crate) fn refuse_trust(&self) -> Result<(), Failure> {
        let given = [
            ("--key", self.key.is_some()),
            ("--root", self.root.is_some()),
            ("--state", self.state.is_some()),
            ("--timestamp", self.timestamp.is_some()),
            ("--accept-version", self.accept_version.is_some()),
            ("--accept-unsigned", self.accept_unsigned),
            ("--allow-capped", self.allow_capped),
            ("--allow-hidden", self.allow_hidden),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => {
                Err(Failure::new("usage", format!("`{name}` is for `--watch`: nothing is taken here"))
                    .hint("add `--watch`, or take one pack with `driven pull`"))
            }
            None => Ok(()),
        }
    }

    /// The name that the address ends with.
    pub(crate) fn name(&self) -> &str {
        let address = self.address.trim_end_matches('/');
        address.rsplit('/').next().unwrap_or(address)
    }

    /// The pack that is current in the folder, if there is one.
    pub(crate) fn held(&self) -> Result<Option<SharedPack>, Failure> {
        let held = self.snapshots().current()?;
        if let Some(held) = &held {
            self.may_follow(held, &self.dir, "give another folder with `--dir`")?;
        }
        Ok(held)
    }

    /// Refuses to let another pack follow on what lies in a place.
    pub(crate) fn may_follow(&self, held: &SharedPack, place: &Path, hint: &str) -> Result<(), Failure> {
        let pack = held.as_pack();
        let name = pack.manifest().name();
        if name == self.name() {
            return Ok(());
        }
        let message = format!("{}: it has the pack `{}`", place.display(), name.escape_debug());
        Err(Failure::new("wrong-pack", message).hint(hint))
    }

    /// A store that holds `first`, keeps what follows in the folder, and lets in whom the gate does.
    pub(crate) fn store(&self, first: SharedPack, gate: Arc<Gate>) -> Result<RuleStore, Failure> {
        let judge = move |pack: Pack<'_>| gate.admit_to_store(pack);
        let clock = || now().unwrap_or_default();
        Ok(RuleStore::new(first, judge).limit(self.limit).keep_in(self.snapshots(), clock)?)
    }
}
