//! Whose packs are taken: as arguments ask for it, or `[trust]` in `driven.toml`.

use std::path::{Path, PathBuf};

use driven::trust::{Policy, RootChain, SignedTimestamp, Story, TrustStore};
use driven::{Pack, PublicKey};
use driven_build::{PROJECT_FILE, ProjectSettings, TrustSettings};

use crate::Failure;
use crate::keys::{now, read_public, read_root, read_text};
use crate::output::Output;

/// Who must have signed.
#[derive(Clone)]
pub(crate) enum By {
    Key(PublicKey),
    Root(RootChain),
}

/// What is asked of a pack.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) by: By,
    pub(crate) name: Option<String>,
    pub(crate) timestamp: Option<SignedTimestamp>,
    /// Where the timestamp that is asked for is kept.
    pub(crate) timestamp_file: Option<PathBuf>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) accept_version: Option<u64>,
    pub(crate) allow_capped: bool,
    /// In seconds since 1970.
    pub(crate) now: u64,
}

/// What became of a pack.
pub(crate) struct Told {
    pub(crate) story: Story,
    /// Nothing was known of it before, in a state that is kept.
    pub(crate) is_first_use: bool,
}

pub(crate) fn read_timestamp(path: &Path) -> Result<SignedTimestamp, Failure> {
    SignedTimestamp::read(&read_text(path)?).map_err(|err| Failure::from(err).in_file(path))
}

/// The timestamp that a project names.
fn project_timestamp(path: &Path) -> Result<SignedTimestamp, Failure> {
    let missing = !path.exists();
    read_timestamp(path).map_err(|failure| {
        if missing {
            failure.hint(format!(
                "[trust] in {PROJECT_FILE} names it: `driven pull` brings the first one with the pack"
            ))
        } else {
            failure
        }
    })
}

/// A timestamp that is kept, if there is one yet: the first comes from where the pack is served.
pub(crate) fn first_or_read(path: &Path) -> Result<Option<SignedTimestamp>, Failure> {
    if path.exists() { read_timestamp(path).map(Some) } else { Ok(None) }
}

impl Asked {
    /// What `[trust]` of the `driven.toml` in `root`, or the nearest above it, asks for; nothing when it has none.
    pub(crate) fn of_project(root: &Path) -> Result<Option<Self>, Failure> {
        Asked::read(root, |file| project_timestamp(file).map(Some))
    }

    /// The same for who fetches: the first timestamp is still to come.
    pub(crate) fn of_project_or_first(root: &Path) -> Result<Option<Self>, Failure> {
        Asked::read(root, first_or_read)
    }

    fn read(
        root: &Path,
        timestamp_in: impl Fn(&Path) -> Result<Option<SignedTimestamp>, Failure>,
    ) -> Result<Option<Self>, Failure> {
        let root = &project_of(root);
        let Some(trust) = ProjectSettings::load(root)?.trust else { return Ok(None) };
        let TrustSettings { key, root: root_file, name, state, timestamp, allow_capped, grant: _ } = trust;
        let by = match (key, root_file) {
            (Some(key), _) => By::Key(read_public(&root.join(key))?),
            (None, Some(file)) => By::Root(read_root(&root.join(file))?),
            (None, None) => {
                return Err(Failure::new("settings", format!("[trust] in {PROJECT_FILE} names nobody")));
            }
        };
        Ok(Some(Asked {
            by,
            name,
            timestamp: timestamp.as_ref().map_or(Ok(None), |file| timestamp_in(&root.join(file)))?,
            timestamp_file: timestamp.map(|file| root.join(file)),
            state: state.map(|file| root.join(file)),
            accept_version: None,
            allow_capped,
            now: now()?,
        }))
    }

    fn policy(&self) -> Policy<'_> {
        let mut policy = match &self.by {
            By::Key(key) => Policy::key(key),
            By::Root(root) => Policy::root(root),
        };
        policy = policy.now(self.now);
        if let Some(name) = &self.name {
            policy = policy.name(name);
        }
        if let Some(version) = self.accept_version {
            policy = policy.accept_version(version);
        }
        if self.timestamp_file.is_some() {
            policy = policy.require_timestamp();
        }
        if let Some(timestamp) = &self.timestamp {
            policy = policy.timestamp(timestamp);
        }
        if self.allow_capped {
            policy = policy.allow_capped();
        }
        policy
    }

    /// Whether a state tells which versions of a pack may come.
    pub(crate) fn knows(&self, name: &str) -> Result<bool, driven::Error> {
        match (&self.state, &self.by) {
            (Some(state), By::Root(root)) => TrustStore::new(state).knows(root, name),
            _ => Ok(false),
        }
    }

    /// Judges a pack, and writes down what is seen where a state is kept; whether it holds is in the story.
    pub(crate) fn judge(&self, pack: Pack<'_>) -> Result<Told, driven::Error> {
        let policy = self.policy();
        let Some(state) = &self.state else {
            return Ok(Told { story: pack.story(&policy), is_first_use: false });
        };
        let store = TrustStore::new(state);
        let story = store.look(pack, &policy)?;
        // Also when it does not hold: a root and a timestamp that hold are seen, whatever becomes of the pack.
        let admitted = store.admit(pack, &policy);
        if story.fault().is_some() {
            return Ok(Told { story, is_first_use: false });
        }
        let is_first_use = admitted?.is_first_use;
        Ok(Told { story, is_first_use })
    }
}

/// The folder of the nearest `driven.toml`, from `root` upwards.
fn project_of(root: &Path) -> PathBuf {
    let whole = root.canonicalize().unwrap_or_else(|_| root.into());
    let found = whole.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()).map(Path::to_path_buf);
    // A path as it was given reads better in what is told.
    found.filter(|found| *found != whole).unwrap_or_else(|| root.into())
}

/// Whether a project asks who signed.
pub(crate) fn is_asked(root: &Path) -> Result<bool, Failure> {
    Ok(ProjectSettings::load(&project_of(root))?.trust.is_some())
}

/// Refuses a ready-made pack that is not what `[trust]` of the `driven.toml` in `root` asks for.
pub(crate) fn admit(pack: Pack<'_>, shown: &Path, root: &Path, output: &mut Output) -> Result<(), Failure> {
    let Some(asked) = Asked::of_project(root)? else { return Ok(()) };
    let told = asked.judge(pack)?;
    if let Some(fault) = told.story.fault() {
        let failure = Failure::from(fault.clone()).in_file(shown);
        return Err(Failure {
            message: format!("{}, as [trust] in {PROJECT_FILE} asks", failure.message),
            ..failure
        });
    }
    if told.is_first_use {
        output.note(FIRST_USE);
    }
    Ok(())
}

/// What a first use means.
pub(crate) const FIRST_USE: &str =
    "first use: nothing was known of this pack, so an older version could not be told";
