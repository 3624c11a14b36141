//! Whence packs are fetched, and who must stand behind them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use driven::state::{RuleStore, Snapshots};
use driven::trust::SignedTimestamp;
use driven::updates::Updates;
use driven::{Pack, SharedPack};
use driven_build::write_whole;

use crate::Failure;
use crate::keys::now;
use crate::output::Output;
use crate::trusted::{Asked, By, FIRST_USE, first_or_read};

/// The arguments of commands that fetch.
#[derive(Debug, clap::Args)]
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
    /// Take a pack with text in it that people don't see
    #[arg(long)]
    allow_hidden: bool,
    /// Stay on this machine: take from `file://` alone
    #[arg(long, env = "DRIVEN_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    offline: bool,
    /// How long a pack may be, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = SharedPack::LIMIT)]
    limit: usize,
    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

/// Who lets a fetched pack in.
pub(crate) struct Gate {
    /// What is asked of a pack, where anything is.
    known: Option<Mutex<Known>>,
    /// Which version may come although it is older than what is here.
    accept_version: Option<u64>,
    /// The newest version that was let in, or was here.
    newest: Mutex<Option<u64>>,
    /// Where other processes may put newer ones.
    snapshots: Option<Snapshots>,
}

/// What is asked, by the newest root and timestamp that are known.
struct Known {
    asked: Asked,
    /// Something was judged by it: time may have passed since it was read.
    is_used: bool,
    /// Whence the timestamp comes, where one is asked for.
    updates: Updates,
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
        let known = if self.accept_unsigned {
            None
        } else {
            Some(Mutex::new(Known { asked: self.asked()?, is_used: false, updates: self.updates()? }))
        };
        let newest = Mutex::new(held.map(|held| held.as_pack().manifest().version()));
        Ok(Gate { known, accept_version: self.accept_version, newest, snapshots: None })
    }

    fn asked(&self) -> Result<Asked, Failure> {
        let asked = match (&self.key, &self.root) {
            (Some(key), _) => Asked::by(By::key_in(key.clone())?)?,
            (None, Some(root)) => Asked {
                timestamp: self.timestamp.as_ref().map_or(Ok(None), |file| first_or_read(file))?,
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
        Ok(Asked { accept_version: self.accept_version, ..asked })
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

    /// Where the pack is served.
    pub(crate) fn address(&self) -> &str {
        &self.address
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
        let judge = move |pack: Pack<'_>| gate.admit(pack).map(|_| ());
        let clock = || now().unwrap_or_default();
        Ok(RuleStore::new(first, judge).limit(self.limit).keep_in(self.snapshots(), clock)?)
    }
}

impl Gate {
    /// Refuses a pack that is not what is asked for; says whether it is the first that was seen.
    pub(crate) fn admit(&self, pack: Pack<'_>) -> Result<bool, driven::Error> {
        self.refuse_older(pack)?;
        let is_first_use = self.judge(pack)?;
        *self.newest() = Some(pack.manifest().version());
        Ok(is_first_use)
    }

    /// The same of a pack that is here.
    pub(crate) fn judge(&self, pack: Pack<'_>) -> Result<bool, driven::Error> {
        let Some(mut known) = self.known() else { return Ok(false) };
        let refused = |failure: Failure| driven::Error::refused(failure.message);
        // A program that follows for days must not judge by what held when it began.
        if known.is_used {
            known.asked.renew().map_err(refused)?;
        }
        known.is_used = true;
        let newer = known.newer_timestamp()?;
        let mut asked = known.asked.clone();
        if let Some((timestamp, _)) = &newer {
            asked.timestamp = Some(timestamp.clone());
        }
        let told = asked.judge(pack)?;
        if let Some(fault) = told.story.fault() {
            return Err(fault.clone().into());
        }
        known.asked.timestamp.clone_from(&asked.timestamp);
        if let (Some((_, text)), Some(file)) = (newer, &asked.timestamp_file) {
            write_whole(file, text.as_bytes()).map_err(|err| {
                driven::Error::refused(format!("{}: the timestamp can't be kept: {err}", file.display()))
            })?;
        }
        Ok(told.is_first_use)
    }

    /// Judges also by what is current in the folder, which other processes may change.
    pub(crate) fn beside(self, snapshots: Snapshots) -> Self {
        Gate { snapshots: Some(snapshots), ..self }
    }

    /// Refuses a version that is older than what is here, unless it was named, or a state tells which may come.
    fn refuse_older(&self, pack: Pack<'_>) -> Result<(), driven::Error> {
        let manifest = pack.manifest();
        let version = manifest.version();
        let is_told = match self.known() {
            Some(known) => known.asked.knows(manifest.name())?,
            None => false,
        };
        if is_told || self.accept_version == Some(version) {
            return Ok(());
        }
        let in_folder = self.snapshots.as_ref().map(Snapshots::current).transpose()?.flatten();
        let in_folder = in_folder.map(|pack| pack.as_pack().manifest().version());
        match (*self.newest()).max(in_folder) {
            Some(newest) if version < newest => Err(driven::Error::refused(format!(
                "version {version} is served and version {newest} is here: an older one is taken with \
                 `--accept-version {version}`"
            ))),
            _ => Ok(()),
        }
    }

    fn known(&self) -> Option<MutexGuard<'_, Known>> {
        self.known.as_ref().map(|known| known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn newest(&self) -> MutexGuard<'_, Option<u64>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, for a command that takes one pack.
    pub(crate) fn admit_told(&self, pack: Pack<'_>, output: &mut Output) -> Result<(), Failure> {
        if self.admit(pack)? {
            output.note(FIRST_USE);
        }
        Ok(())
    }
}

impl Known {
    /// The timestamp that is served and its text, where one is asked for and it is newer than the one that is here.
    fn newer_timestamp(&mut self) -> Result<Option<(SignedTimestamp, String)>, driven::Error> {
        if self.asked.timestamp_file.is_none() {
            return Ok(None);
        }
        let Some(text) = self.updates.timestamp()? else { return Ok(None) };
        let timestamp = SignedTimestamp::read(&text)?;
        let issued = timestamp.timestamp().issued;
        let is_newer = self.asked.timestamp.as_ref().is_none_or(|newest| issued > newest.timestamp().issued);
        Ok(is_newer.then_some((timestamp, text)))
    }
}
