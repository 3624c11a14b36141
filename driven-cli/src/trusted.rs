//! Whose packs are taken: as arguments ask for it, or `[trust]` in `driven.toml`.

use std::fs;
use std::path::{Component, Path, PathBuf};

use driven::trust::{Judged, Policy, RootChain, SignedTimestamp, State, Story, TrustStore};
use driven::{Pack, PublicKey, durable};
use driven_build::{PROJECT_FILE, ProjectSettings, TrustSettings, printable, replace_whole};

use crate::Failure;
use crate::files::{self, Kind};
use crate::keys::{now, read_public, read_root, read_text};
use crate::output::Output;

/// Who must have signed.
#[derive(Clone)]
pub(crate) enum By {
    Key(PublicKey),
    Root(RootChain),
}

impl By {
    /// The key in a file, and the file.
    pub(crate) fn key_in(file: PathBuf) -> Result<(Self, PathBuf), Failure> {
        Ok((By::Key(read_public(&file)?), file))
    }

    /// The root in a file, and the file.
    pub(crate) fn root_in(file: PathBuf) -> Result<(Self, PathBuf), Failure> {
        Ok((By::Root(read_root(&file)?), file))
    }
}

/// What is asked of a pack.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) by: By,
    /// The file that says so.
    pub(crate) by_file: PathBuf,
    pub(crate) name: Option<String>,
    pub(crate) timestamp: Option<SignedTimestamp>,
    /// Where the timestamp that is asked for is kept.
    pub(crate) timestamp_file: Option<PathBuf>,
    pub(crate) state: Option<PathBuf>,
    /// The project that names the files which are written to, and what it calls them.
    pub(crate) project: Option<Project>,
    pub(crate) accept_version: Option<u64>,
    pub(crate) allow_capped: bool,
    /// In seconds since 1970.
    pub(crate) now: u64,
}

/// What a project, which may be somebody else's, has written to.
#[derive(Clone)]
pub(crate) struct Project {
    root: PathBuf,
    state: Option<String>,
    timestamp: Option<String>,
}

impl Project {
    /// The files of the state and of the timestamp, as long as they lie in the project.
    fn files(&self) -> Result<[Option<PathBuf>; 2], Failure> {
        let file = |what, file: &Option<String>| -> Result<_, Failure> {
            let file = file.as_ref().map(|file| written_in(&self.root, what, file)).transpose()?;
            file.as_deref().map_or(Ok(()), refuse_pipe)?;
            Ok(file)
        };
        Ok([file("state", &self.state)?, file("timestamp", &self.timestamp)?])
    }
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

impl Asked {
    /// Nothing but who must have signed, and the time.
    pub(crate) fn by((by, by_file): (By, PathBuf)) -> Result<Self, Failure> {
        Ok(Asked {
            by,
            by_file,
            name: None,
            timestamp: None,
            timestamp_file: None,
            state: None,
            project: None,
            accept_version: None,
            allow_capped: false,
            now: now()?,
        })
    }

    /// What `[trust]` of the nearest `driven.toml` that has one, from `root` upwards, asks for; nothing when none has.
    pub(crate) fn of_project(root: &Path) -> Result<Option<Self>, Failure> {
        Asked::read(root, |file| project_timestamp(file).map(Some))
    }

    /// The same for who fetches: the timestamp is still to come.
    pub(crate) fn of_project_or_first(root: &Path) -> Result<Option<Self>, Failure> {
        Asked::read(root, |_| Ok(None))
    }

    fn read(
        root: &Path,
        timestamp_in: impl Fn(&Path) -> Result<Option<SignedTimestamp>, Failure>,
    ) -> Result<Option<Self>, Failure> {
        let Some((root, trust)) = trust_of(root)? else { return Ok(None) };
        let root = &*root;
        let TrustSettings { key, root: root_file, name, state, timestamp, allow_capped, grant: _ } = trust;
        let project = Project { root: root.into(), state, timestamp };
        let [state, timestamp] = project.files()?;
        let key = key.map(|file| root.join(file));
        let root_file = root_file.map(|file| root.join(file));
        for file in [&key, &root_file].into_iter().flatten() {
            refuse_pipe(file)?;
        }
        let asked = match (key, root_file) {
            (Some(key), _) => Asked::by(By::key_in(key)?)?,
            (None, Some(file)) => Asked::by(By::root_in(file)?)?,
            (None, None) => {
                return Err(Failure::new("settings", format!("[trust] in {PROJECT_FILE} names nobody")));
            }
        };
        let kept = timestamp.as_ref().map_or(Ok(None), |file| timestamp_in(file))?;
        let project = Some(project);
        Ok(Some(Asked {
            name,
            timestamp: kept,
            timestamp_file: timestamp,
            state,
            project,
            allow_capped,
            ..asked
        }))
    }

    /// Goes by what the file says now, at this time: a key may have been revoked since. A root only walks on, so that an
    /// older file takes nothing back.
    pub(crate) fn renew(&mut self) -> Result<(), Failure> {
        self.now = now()?;
        if !self.by_file.is_file() {
            let message = format!("{}: it is no regular file any more", self.by_file.display());
            return Err(Failure::new("io", message).hint("put the file back"));
        }
        match &mut self.by {
            By::Key(key) => *key = read_public(&self.by_file)?,
            By::Root(chain) => {
                let newer = read_root(&self.by_file)?;
                chain.advance(&newer).map_err(|err| Failure::from(err).in_file(&self.by_file))?;
            }
        }
        Ok(())
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
    pub(crate) fn knows(&self, name: &str) -> Result<bool, Failure> {
        self.check_files()?;
        match (&self.state, &self.by) {
            (Some(state), By::Root(root)) => Ok(TrustStore::new(state).knows(root, name)?),
            _ => Ok(false),
        }
    }

    /// Judges the pack from `shown`, and writes down what is seen where a state is kept; whether it holds is in the story.
    pub(crate) fn judge(&self, pack: Pack<'_>, shown: &Path) -> Result<Judged, Failure> {
        self.judge_by(pack, shown, TrustStore::judge)
    }

    /// The same of a pack that was taken before, which is not written down.
    pub(crate) fn observe(&self, pack: Pack<'_>, shown: &Path) -> Result<Judged, Failure> {
        self.judge_by(pack, shown, TrustStore::observe)
    }

    fn judge_by<'p>(
        &self,
        pack: Pack<'p>,
        shown: &Path,
        judge: impl FnOnce(&TrustStore, Pack<'p>, &Policy<'_>) -> Result<Judged, driven::Error>,
    ) -> Result<Judged, Failure> {
        self.check_files()?;
        let policy = self.policy();
        match &self.state {
            Some(state) => judge(&TrustStore::new(state), pack, &policy).map_err(|err| {
                let failure = Failure::from(err);
                // One without a name can't be kept in mind.
                if failure.code == "wrong-pack" { failure.in_file(shown) } else { failure }
            }),
            None => Ok(Judged { story: pack.story(&policy), is_first_use: false }),
        }
    }

    /// What is written to still lies in the project that names it: links and pipes may have come meanwhile.
    pub(crate) fn check_files(&self) -> Result<(), Failure> {
        self.project.as_ref().map_or(Ok(()), |project| project.files().map(|_| ()))
    }

    /// Whether a timestamp is of the root, and signed by keys that count (T2). It may have expired.
    pub(crate) fn is_signed_by_ours(&self, timestamp: &SignedTimestamp) -> bool {
        match &self.by {
            By::Root(root) => {
                timestamp.timestamp().chain == root.newest().chain() && timestamp.check_signed(root).is_ok()
            }
            By::Key(_) => false,
        }
    }

    /// The timestamp that is kept, whether it counts or not.
    pub(crate) fn kept_timestamp(&self, pack: &str) -> Result<Option<SignedTimestamp>, Failure> {
        let Some(file) = &self.timestamp_file else { return Ok(None) };
        if !file.exists() {
            // The first comes from where the pack is served.
            return Ok(None);
        }
        files::may_write(file, &Kind::Timestamp)?;
        let kept = read_timestamp(file).map_err(|failure| {
            failure.hint("remove it if nobody needs it: then the one that is served is taken")
        })?;
        let about = &kept.timestamp().pack;
        // It would make room for one of this pack, and an older one of that pack could come then.
        if about != pack && self.is_signed_by_ours(&kept) {
            let message =
                format!("{}: this timestamp is about `{about}`, not about `{pack}`", file.display());
            return Err(
                Failure::new("timestamp", printable(&message)).hint("give each pack a file of its own")
            );
        }
        Ok(Some(kept))
    }

    /// Whether a timestamp that is kept keeps out those that are older: while its keys count and no newer one was seen; and
    /// where the root has forgotten one of that pack (R8), if the state remembers this one.
    pub(crate) fn goes_by(&self, timestamp: &SignedTimestamp) -> Result<bool, Failure> {
        if !self.is_signed_by_ours(timestamp) {
            return Ok(false);
        }
        let (Some(state), By::Root(root)) = (&self.state, &self.by) else { return Ok(true) };
        let store = TrustStore::new(state);
        match root.newest().root().recovery(&timestamp.timestamp().pack, 0) {
            Some(_) => Ok(store.remembers(root, timestamp)?),
            None => Ok(!store.outdates(root, timestamp)?),
        }
    }

    /// Whether a timestamp is the one that the root forgets, as far as a state tells.
    pub(crate) fn forgets(&self, timestamp: &SignedTimestamp) -> Result<bool, Failure> {
        match (&self.state, &self.by) {
            (Some(state), By::Root(root)) => Ok(TrustStore::new(state).forgets(root, timestamp)?),
            _ => Ok(false),
        }
    }

    /// Whether the timestamp by which a pack was judged is proved and about it, whatever became of the pack.
    pub(crate) fn holds_timestamp(&self, pack: &str) -> Result<bool, Failure> {
        let (Some(timestamp), By::Root(root)) = (&self.timestamp, &self.by) else { return Ok(false) };
        if timestamp.timestamp().pack != pack || !self.is_signed_by_ours(timestamp) {
            return Ok(false);
        }
        if let Some(state) = &self.state {
            return Ok(TrustStore::new(state).remembers(root, timestamp)?);
        }
        let mut seen = State::default();
        self.policy().note_seen(&mut seen);
        Ok(seen.remembers(root, timestamp))
    }

    /// Keeps the timestamp by which a pack was judged, once it was found to hold.
    pub(crate) fn keep_timestamp(&self, pack: &str) -> Result<(), Failure> {
        let (Some(timestamp), Some(file), By::Root(root)) = (&self.timestamp, &self.timestamp_file, &self.by)
        else {
            return Ok(());
        };
        let mut timestamp = timestamp.clone();
        timestamp.drop_strangers(root);
        self.check_files()?;
        // A link of the user's own is followed, none that a project has.
        let behind = self.project.is_none().then(|| file.canonicalize().ok()).flatten();
        let place = behind.as_ref().unwrap_or(file);
        let text = timestamp.render();
        if files::create(place, text.as_bytes(), &Kind::Timestamp)? {
            // It is there; a folder that can't be flushed takes nothing from it.
            let _ = durable::flush_folder_of(place);
            return Ok(());
        }
        let is_to_be_written = || -> Result<bool, Failure> {
            let Some(there) = self.kept_timestamp(pack)? else { return Ok(true) };
            let is_newer = there.timestamp().issued > timestamp.timestamp().issued;
            Ok(there != timestamp && !(is_newer && self.goes_by(&there)?))
        };
        if !is_to_be_written()? {
            return Ok(());
        }
        // Another process may have kept a newer one meanwhile.
        let _held = durable::lock_in_place(place)?;
        if is_to_be_written()? {
            files::may_write(place, &Kind::Timestamp)?;
            replace_whole(place, text.as_bytes()).map_err(|err| Failure::io(place, &err))?;
            let _ = durable::flush_folder_of(place);
        }
        Ok(())
    }

    /// Why a pack is not taken, with the file in front that is to blame: the root and the timestamp are files too.
    pub(crate) fn fault(&self, story: &Story, pack: &Path, timestamp: Option<&Path>) -> Option<Failure> {
        let failure = Failure::from(story.fault()?.clone());
        let check = story.steps().last().map_or("", |step| step.check);
        let (file, newer) = match (check.as_bytes().first(), timestamp) {
            (Some(b'R' | b'S'), _) => {
                (&*self.by_file, "fetch a newer root file, and take it with `driven trust update`")
            }
            (Some(b'T'), Some(file)) => (file, "fetch a newer timestamp"),
            _ => (pack, "fetch a newer pack"),
        };
        let failure = match (check, failure.code) {
            (_, "expired") | ("S4", "rolled-back") => failure.hint(newer),
            ("T4", _) => failure.hint("set the clock; if that is right, do not use it"),
            _ => failure,
        };
        Some(failure.in_file(file))
    }
}

/// The project may be somebody else's, and what is no file could be waited for without end.
fn refuse_pipe(path: &Path) -> Result<(), Failure> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let message = format!("{PROJECT_FILE}: [trust] names {}, which is no regular file", path.display());
        return Err(Failure::new("settings", message).hint("name a file"));
    }
    Ok(())
}

/// A file of a project that is written to, whose folder is made: the project may be somebody else's, so the file lies in it,
/// whatever links say.
fn written_in(root: &Path, what: &str, file: &str) -> Result<PathBuf, Failure> {
    let path = root.join(file);
    let parts = || Path::new(file).components();
    let is_below = parts().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let is_link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
    let whole = |path: &Path| {
        let shown = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        shown.canonicalize().map_err(|err| Failure::io(shown, &err))
    };
    let there = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.exists());
    if !is_below
        || is_link
        || path.file_name().is_none()
        || !whole(there.unwrap_or(root))?.starts_with(whole(root)?)
    {
        let message = format!("{PROJECT_FILE}: [trust] {what} may lead out of the project: {file}");
        return Err(Failure::new("settings", message)
            .hint("name a file in the project, relative to it and no link; `--root` with `--state` and `--timestamp` takes any"));
    }
    let folder = path.parent().unwrap_or(root);
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).map_err(|err| Failure::io(folder, &err))?;
    }
    Ok(path)
}

/// [trust] of the nearest `driven.toml` that has one, from `root` upwards, and the folder of that: a project within another
/// that asks for nothing lifts nothing.
fn trust_of(root: &Path) -> Result<Option<(PathBuf, TrustSettings)>, Failure> {
    let whole = root.canonicalize().unwrap_or_else(|_| root.into());
    // What is there and can't be read, as a link that leads nowhere, is an error: it may ask for something.
    for folder in whole.ancestors().filter(|folder| folder.join(PROJECT_FILE).symlink_metadata().is_ok()) {
        // A path as it was given reads better in what is told.
        let shown = if folder == whole { root } else { folder };
        // What the command is about was not looked at: that is no finding in it.
        let settings = ProjectSettings::load(shown)
            .map_err(|err| Failure { is_findings: false, ..Failure::from(err) })?;
        if let Some(trust) = settings.trust {
            return Ok(Some((shown.into(), trust)));
        }
    }
    Ok(None)
}

/// Whether a project asks who signed.
pub(crate) fn is_asked(root: &Path) -> Result<bool, Failure> {
    Ok(trust_of(root)?.is_some())
}

/// Refuses a ready-made pack that is not what `[trust]` of the `driven.toml` in `root` asks for.
pub(crate) fn admit(pack: Pack<'_>, shown: &Path, root: &Path, output: &mut Output) -> Result<(), Failure> {
    let Some(asked) = Asked::of_project(root)? else { return Ok(()) };
    let told = asked.judge(pack, shown)?;
    if let Some(failure) = asked.fault(&told.story, shown, asked.timestamp_file.as_deref()) {
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
