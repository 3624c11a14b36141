//! `driven trust`

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use driven::durable;
use driven::trust::Policy;
use driven_build::{printable, write_if_changed};
use driven_format::trust::{
    Recovery, Revocation, Role, Root, RootChain, RootKey, SignedRoot, SignedTimestamp, Timestamp, render_time,
};
use driven_format::{Digest, ErrorKind, Tables};
use serde_json::{Value, json};

use crate::files::{self, Kind};
use crate::keys::{
    Signer, SignerArguments, expiry, note_expired, now, of_root, read_public, read_root, read_text, time,
};
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Keep the root: which keys may sign, how many must, what was revoked
///
/// A root file is a chain of versions, each signed by its own keys and by those of the one before. A change is
/// written beside it, as ROOT.next, until enough keys have signed it; then it joins the chain. docs/TRUST.md
/// has the whole of it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  driven trust init trust.root alice.pub bob.pub --threshold 2 --key alice.key\n  \
                        driven trust sign trust.root --key bob.key\n  driven trust revoke trust.root bob --reason 'lost laptop'\n  \
                        driven trust show trust.root"
)]
pub(crate) struct Trust {
    #[command(subcommand)]
    command: TrustCommand,
}

#[derive(Debug, Subcommand)]
enum TrustCommand {
    /// Begin a chain
    Init(Listing),
    /// List another key
    Add(Listing),
    /// List a key no more
    Remove(Remove),
    /// Put one key in the place of another
    Rotate(Rotate),
    /// Take a key out for ever
    Revoke(Revoke),
    /// Lower the floor of a pack whose version was pushed up with stolen keys
    Recover(Recover),
    /// Sign the change that waits
    Sign(Change),
    /// Walk on to a newer root file
    Update(Update),
    /// Say which version of a pack is current, and for how long
    Timestamp(Stamp),
    /// Show every version
    Show(Show),
}

#[derive(Debug, Args)]
struct Change {
    /// The root file
    root: PathBuf,
    #[command(flatten)]
    signers: SignerArguments,
    /// A copy of ROOT.next that somebody else signed; may be given again
    #[arg(long, value_name = "FILE")]
    merge: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct Listed {
    /// What the keys may sign, joined by commas: root, packs, timestamp
    #[arg(long = "role", value_name = "ROLES", value_parser = role, value_delimiter = ',', default_value = "root,packs")]
    roles: Vec<Role>,
}

#[derive(Debug, Args)]
struct Settings {
    /// How many keys must sign a root, and a pack
    #[arg(long, value_name = "NUMBER")]
    threshold: Option<u32>,
    /// How many keys must sign, for one role: ROLE=NUMBER
    #[arg(long, value_name = "ROLE=NUMBER", value_parser = role_threshold)]
    role_threshold: Vec<(Role, u32)>,
    /// When the root ends to hold: a date, or never
    #[arg(long, value_name = "DATE", value_parser = expiry)]
    expires: Option<u64>,
}

#[derive(Debug, Args)]
struct Listing {
    #[command(flatten)]
    change: Change,
    /// Public keys to list; the name of the file is the name of the key
    #[arg(value_name = "PUB", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    listed: Listed,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
struct Remove {
    #[command(flatten)]
    change: Change,
    /// Name, key id or fingerprint of the key
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    change: Change,
    /// Name, key id or fingerprint of the key that goes
    #[arg(long, value_name = "NAME")]
    from: String,
    /// The public key that comes, with the roles of the other
    #[arg(long, value_name = "PUB")]
    to: PathBuf,
}

#[derive(Debug, Args)]
struct Revoke {
    #[command(flatten)]
    change: Change,
    /// Name, key id or fingerprint of the key; of one that is not listed any more its file
    #[arg(value_name = "NAME")]
    revoked: String,
    /// Why, in one line
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
struct Recover {
    #[command(flatten)]
    change: Change,
    /// The pack
    #[arg(long)]
    name: String,
    /// The version from which on its packs are taken
    #[arg(long, value_name = "VERSION")]
    from_version: u64,
}

#[derive(Debug, Args)]
struct Update {
    /// The root file that is trusted
    root: PathBuf,
    /// The newer one
    newer: PathBuf,
}

#[derive(Debug, Args)]
struct Stamp {
    /// The pack that is current
    pack: PathBuf,
    /// The root file
    #[arg(long)]
    root: PathBuf,
    #[command(flatten)]
    signers: SignerArguments,
    /// When it ends to hold
    #[arg(long, value_name = "DATE", value_parser = time)]
    expires: u64,
    /// When it is issued; by default now
    #[arg(long, value_name = "DATE", value_parser = time)]
    issued: Option<u64>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct Show {
    /// The root file, or a change that waits: ROOT.next
    root: PathBuf,
}

fn role(word: &str) -> Result<Role, String> {
    Role::from_word(word).ok_or_else(|| "a role is root, packs or timestamp".into())
}

fn role_threshold(text: &str) -> Result<(Role, u32), String> {
    let (word, number) = text.split_once('=').ok_or("expected ROLE=NUMBER")?;
    Ok((role(word)?, number.parse().map_err(|err| format!("{number}: {err}"))?))
}

impl Trust {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        // One change after another: two at once would both be the next version.
        let _held = self.command.changes().map(hold).transpose()?;
        match self.command {
            TrustCommand::Init(Listing { change, files, listed, settings }) => {
                for there in [change.root.clone(), next_of(&change.root)] {
                    if there.symlink_metadata().is_ok() {
                        let message = format!("{} exists already", there.display());
                        return Err(Failure::new("exists", message).hint("change it with `driven trust add`"));
                    }
                }
                let mut root = Root {
                    before: None,
                    version: 1,
                    expires: 0,
                    thresholds: [1, 1, 0],
                    keys: Vec::new(),
                    revoked: Vec::new(),
                    recoveries: Vec::new(),
                };
                list(&mut root, &files, &listed.roles)?;
                change.write(root, &settings, output)
            }
            TrustCommand::Add(Listing { change, files, listed, settings }) => {
                let mut root = change.open(output)?;
                list(&mut root, &files, &listed.roles)?;
                change.write(root, &settings, output)
            }
            TrustCommand::Remove(Remove { change, names, settings }) => {
                let mut root = change.open(output)?;
                for name in &names {
                    let at = find(&root, name)?;
                    root.keys.remove(at);
                }
                change.write(root, &settings, output)
            }
            TrustCommand::Rotate(Rotate { change, from, to }) => {
                let mut root = change.open(output)?;
                let at = find(&root, &from)?;
                let roles = root.keys.remove(at).roles;
                list(&mut root, &[to], &roles)?;
                change.write(root, &Settings::NONE, output)
            }
            TrustCommand::Revoke(Revoke { change, revoked, reason, settings }) => {
                let mut root = change.open(output)?;
                // One that was taken out before may turn out to be stolen.
                let fingerprint = if listed(&root, &revoked).is_empty() && Path::new(&revoked).is_file() {
                    take_out(&mut root, Path::new(&revoked))?
                } else {
                    let at = find(&root, &revoked).map_err(|failure| {
                        let hint = format!("{}; one that is not listed is revoked by its file", failure.hint);
                        failure.hint(hint)
                    })?;
                    root.keys.remove(at).key.fingerprint()
                };
                root.revoked.push(Revocation { fingerprint, reason });
                change.write(root, &settings, output)
            }
            TrustCommand::Recover(Recover { change, name, from_version }) => {
                let mut root = change.open(output)?;
                root.recoveries.retain(|one| one.name != name);
                root.recoveries.push(Recovery { name, version: from_version, root: root.version });
                change.write(root, &Settings::NONE, output)
            }
            TrustCommand::Sign(change) => {
                let next = next_of(&change.root);
                if !next.exists() {
                    let message = format!("nothing waits to be signed: {} is not there", next.display());
                    return Err(Failure::new("nothing-waits", message)
                        .hint("`driven trust init`, `add`, `remove`, `rotate`, `revoke` and `recover` make a change"));
                }
                let waiting = read_waiting(&next)?;
                change.refuse_stale(&waiting, &next)?;
                let signers = match &change.merge[..] {
                    [] => change.signers.named_or_environment(),
                    _ => change.signers.named(),
                };
                // Who names no key yet wants to see what there is to sign.
                let signers = signers.or_else(|failure| change.tell(&waiting, output).and(Err(failure)))?;
                change.finish(waiting, &signers, output)
            }
            TrustCommand::Update(update) => update.run(output),
            TrustCommand::Timestamp(stamp) => stamp.run(output),
            TrustCommand::Show(show) => {
                let (chain, roots) = show.read()?;
                output.either(&describe(&chain, &roots), || text(&chain, &roots));
                Ok(Exit::Clean)
            }
        }
    }
}

impl TrustCommand {
    /// The root file that it may change.
    fn changes(&self) -> Option<&Path> {
        match self {
            TrustCommand::Init(Listing { change, .. })
            | TrustCommand::Add(Listing { change, .. })
            | TrustCommand::Remove(Remove { change, .. })
            | TrustCommand::Rotate(Rotate { change, .. })
            | TrustCommand::Revoke(Revoke { change, .. })
            | TrustCommand::Recover(Recover { change, .. })
            | TrustCommand::Sign(change) => Some(&change.root),
            TrustCommand::Update(update) => Some(&update.root),
            TrustCommand::Timestamp(_) | TrustCommand::Show(_) => None,
        }
    }
}

/// Reads a change that waits, or a part of its signatures.
fn read_waiting(path: &Path) -> Result<SignedRoot, Failure> {
    SignedRoot::read(&read_text(path)?).map_err(|err| of_root(err).in_file(path))
}

/// Locks a root against other changes; where there is none yet, its first version that waits.
fn hold(root: &Path) -> Result<Option<fs::File>, Failure> {
    let next = next_of(root);
    loop {
        let Some(place) = [root, next.as_path()].into_iter().find(|place| place.exists()) else {
            return Ok(None);
        };
        match durable::lock_in_place(place) {
            // While this waited, the first version may have got its last signature.
            Ok(_) if place == next.as_path() && root.exists() => {}
            Ok(held) => return Ok(Some(held)),
            Err(_) if !place.exists() => {}
            Err(err) => return Err(err.into()),
        }
    }
}

/// Where a change waits for its signatures.
fn next_of(root: &Path) -> PathBuf {
    let mut path = root.as_os_str().to_owned();
    path.push(".next");
    path.into()
}

fn list(root: &mut Root, files: &[PathBuf], roles: &[Role]) -> Result<(), Failure> {
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    for file in files {
        let key = read_public(file)?;
        if root.keys.iter().any(|one| one.key == key) {
            return Err(Failure::new("listed", format!("{}: this key is listed already", file.display()))
                .hint("give each key once; `driven trust show` shows those of a root"));
        }
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        root.keys.push(RootKey { key, roles: roles.clone(), name });
    }
    Ok(())
}

/// A line of a root; behind one of a key its fingerprint, which is what people compare.
fn with_fingerprint(line: &str, keys: &[RootKey]) -> String {
    let is = |one: &&RootKey| line.starts_with(&format!("key {} ", Digest(one.key.to_bytes())));
    match keys.iter().find(is) {
        Some(one) => format!("{line}, fingerprint {}", one.key.fingerprint()),
        None => line.into(),
    }
}

/// The keys with a key id or a fingerprint, or else with a name: one may be called as the id of another reads.
fn listed(root: &Root, name: &str) -> Vec<usize> {
    let all = |is: &dyn Fn(&RootKey) -> bool| -> Vec<usize> {
        (0..root.keys.len()).filter(|&at| is(&root.keys[at])).collect()
    };
    let by_id = all(&|one| one.key.id().to_string() == name || one.key.fingerprint().to_string() == name);
    if by_id.is_empty() { all(&|one| one.name == name) } else { by_id }
}

/// The one key that is so called.
fn find(root: &Root, name: &str) -> Result<usize, Failure> {
    let found = listed(root, name);
    match found[..] {
        [at] => Ok(at),
        [] => {
            let names: Vec<&str> = root.keys.iter().map(|one| one.name.as_str()).collect();
            Err(Failure::new("no-key", format!("no key `{name}` is listed"))
                .hint(format!("listed are {}", names.join(", "))))
        }
        _ => Err(Failure::new("no-key", format!("several keys are named `{name}`")).hint("give the key id")),
    }
}

/// The fingerprint of the key in a file, which is listed no more.
fn take_out(root: &mut Root, file: &Path) -> Result<Digest, Failure> {
    let key = read_public(file)?;
    root.keys.retain(|one| one.key != key);
    let fingerprint = key.fingerprint();
    if root.revoked.iter().any(|one| one.fingerprint == fingerprint) {
        return Err(Failure::new("revoked", format!("{}: this key is revoked already", file.display()))
            .hint("`driven trust show` shows what a root says"));
    }
    Ok(fingerprint)
}

impl Settings {
    const NONE: Settings = Settings { threshold: None, role_threshold: Vec::new(), expires: None };

    fn apply(&self, root: &mut Root) {
        if let Some(threshold) = self.threshold {
            root.thresholds[..2].fill(threshold);
        }
        for &(role, threshold) in &self.role_threshold {
            root.thresholds[role as usize] = threshold;
        }
        // Whoever lists the first key for timestamps needs one of them.
        let stamps = root.keys.iter().any(|one| one.roles.contains(&Role::Timestamp));
        let last = &mut root.thresholds[Role::Timestamp as usize];
        *last = if stamps { (*last).max(1) } else { 0 };
        root.expires = self.expires.unwrap_or(root.expires);
    }
}

impl Change {
    /// What the change begins with: one that waits, or the next version of the chain.
    fn open(&self, output: &mut Output) -> Result<Root, Failure> {
        let next = next_of(&self.root);
        if next.exists() {
            let waiting = read_waiting(&next)?;
            self.refuse_stale(&waiting, &next)?;
            output.note(&format!("{} waits for signatures already; this adds to it", next.display()));
            return Ok(waiting.root().clone());
        }
        Ok(read_root(&self.root)?.newest().next())
    }

    /// A change that does not go on from the chain as it is now: it joined, or another one did, or it is of another chain.
    fn refuse_stale(&self, waiting: &SignedRoot, next: &Path) -> Result<(), Failure> {
        let expected = if self.root.symlink_metadata().is_ok() {
            read_root(&self.root)?.newest().next().before
        } else {
            None
        };
        if waiting.root().before == expected {
            return Ok(());
        }
        let message = format!("{}: this change does not go on from {}", next.display(), self.root.display());
        Err(Failure::new("root", message).hint("remove it, and begin the change again if it is still wanted"))
    }

    /// What a change changes, for whoever is about to sign it.
    fn tell(&self, waiting: &SignedRoot, output: &mut Output) -> Result<(), Failure> {
        let mut keys = waiting.root().keys.clone();
        let before = if waiting.root().version > 1 {
            let chain = read_root(&self.root)?;
            keys.extend_from_slice(&chain.newest().root().keys);
            String::from_utf8_lossy(chain.newest().signed_bytes()).into_owned()
        } else {
            String::new()
        };
        let after = String::from_utf8_lossy(waiting.signed_bytes()).into_owned();
        for line in before.lines().filter(|line| !after.lines().any(|other| other == *line)) {
            output.note(&printable(&format!("- {}", with_fingerprint(line, &keys))));
        }
        for line in after.lines().filter(|line| !before.lines().any(|other| other == *line)) {
            output.note(&printable(&format!("+ {}", with_fingerprint(line, &keys))));
        }
        Ok(())
    }

    fn write(&self, mut root: Root, settings: &Settings, output: &mut Output) -> Outcome {
        settings.apply(&mut root);
        note_expired(root.expires, output)?;
        let waiting = SignedRoot::new(&root).map_err(|err| {
            Failure::from(err).hint("that is what the arguments would make of the root: give others")
        })?;
        let next = next_of(&self.root);
        if next.exists() {
            let old = read_waiting(&next)?;
            if old.signed_bytes() == waiting.signed_bytes() {
                return self.finish(old, &self.signers.named()?, output);
            }
            if !old.signatures().is_empty() {
                output.note("the change that waited was signed; it is another now, and must be signed again");
            }
        }
        self.finish(waiting, &self.signers.named()?, output)
    }

    /// A copy has no signature by a listed key that does not hold: the file that brings it is to blame.
    fn refuse_wrong(&self, copy: &SignedRoot, file: &Path) -> Result<(), Failure> {
        let mut keys = copy.root().keys.clone();
        if copy.root().version > 1 {
            keys.extend_from_slice(&read_root(&self.root)?.newest().root().keys);
        }
        for one in copy.signatures() {
            let key = keys.iter().find(|listed| listed.key.id() == one.key);
            if key.is_some_and(|listed| !listed.key.verify(copy.signed_bytes(), &one.signature)) {
                let message = format!("{}: the signature by {} does not hold", file.display(), one.key);
                return Err(Failure::new("wrong-signature", message)
                    .hint("have that copy signed again, by `driven trust sign`"));
            }
        }
        Ok(())
    }

    /// Signs what waits; lets it join the chain once enough have.
    fn finish(&self, mut waiting: SignedRoot, signers: &[Signer], output: &mut Output) -> Outcome {
        for file in &self.merge {
            let copy = read_waiting(file)?;
            waiting.merge(&copy).map_err(|err| Failure::from(err).in_file(file))?;
            self.refuse_wrong(&copy, file)?;
        }
        self.tell(&waiting, output)?;
        for signer in signers {
            let signature = signer.sign(waiting.signed_bytes())?;
            waiting.add_signature(&signer.public_key(), signature)?;
        }
        let version = waiting.root().version;
        let joined = if version == 1 {
            waiting.drop_strangers(None);
            RootChain::read(&waiting.render())
        } else {
            let mut chain = read_root(&self.root)?;
            waiting.drop_strangers(Some(chain.newest().root()));
            chain.push(waiting.clone()).map(|()| chain)
        };
        for signer in signers {
            let id = signer.public_key().id();
            if !waiting.signatures().iter().any(|one| one.key == id) {
                output.note(&format!("warning: {id} may sign neither this root nor the one before; its signature counts for nothing"));
            }
        }
        let next = next_of(&self.root);
        let write = |path: &Path, text: &str| {
            write_if_changed(path, text.as_bytes()).map_err(|err| Failure::io(path, &err))
        };
        match joined {
            Ok(chain) => {
                write(&self.root, &chain.render())?;
                if next.exists() {
                    fs::remove_file(&next).map_err(|err| Failure::io(&next, &err))?;
                }
                let value = json!({ "path": self.root.to_string_lossy(), "version": version, "complete": true,
                    "chain": chain.newest().chain().to_string() });
                output.either(&value, || {
                    format!("{}: root {version}, chain {}", self.root.display(), chain.newest().chain())
                });
            }
            // By a key that is on its way out the version before is signed, and the new one is not yet.
            Err(err) if matches!(err.code(), "unsigned" | "unknown-key" | "too-few-keys" | "revoked") => {
                write(&next, &waiting.render())?;
                let value = json!({ "path": next.to_string_lossy(), "version": version, "complete": false,
                    "waits_for": err.to_string() });
                output.either(&value, || format!("{}: root {version} waits: {err}", next.display()));
            }
            Err(err) => return Err(err.into()),
        }
        Ok(Exit::Clean)
    }
}

impl Update {
    fn run(&self, output: &mut Output) -> Outcome {
        let mut chain = read_root(&self.root)?;
        let newer = RootChain::read_part(&read_text(&self.newer)?)
            .map_err(|err| of_root(err).in_file(&self.newer))?;
        let steps = chain.advance(&newer).map_err(|err| of_root(err).in_file(&self.newer))?;
        write_if_changed(&self.root, chain.render().as_bytes())
            .map_err(|err| Failure::io(&self.root, &err))?;
        let version = chain.newest().root().version;
        let value = json!({ "path": self.root.to_string_lossy(), "version": version, "steps": steps });
        output.either(&value, || format!("{}: root {version}, {steps} steps on", self.root.display()));
        Ok(Exit::Clean)
    }
}

/// How far ahead a timestamp may be dated (T4), in seconds.
const DAY: u64 = 24 * 60 * 60;

impl Stamp {
    fn run(&self, output: &mut Output) -> Outcome {
        let chain = read_root(&self.root)?;
        let pack = driven::PackBuf::open(&self.pack)?;
        pack.as_pack().prove().map_err(|err| Failure::from(err).in_file(&self.pack))?;
        let now = now()?;
        if let Some(fault) = pack.as_pack().story(&Policy::root(&chain).now(now).allow_capped()).fault() {
            output.note(&format!("warning: whoever goes by this root refuses the pack: {fault}"));
        }
        let tables = Tables::check(pack.as_pack().as_bytes())?;
        let manifest = tables.manifest();
        if manifest.name().is_empty() {
            return Err(Failure::new("wrong-pack", format!("{}: the pack has no name", self.pack.display()))
                .hint("give it one in `pack.toml`, and build it again"));
        }
        let timestamp = Timestamp {
            chain: chain.newest().chain(),
            version: manifest.version(),
            digest: tables.root_digest(),
            issued: self.issued.unwrap_or(now),
            expires: self.expires,
            pack: manifest.name().into(),
        };
        note_expired(timestamp.expires, output)?;
        let mut signed = SignedTimestamp::new(&timestamp).map_err(|err| {
            let failure = Failure::from(err);
            let is_order = timestamp.issued >= timestamp.expires;
            if is_order { failure.hint("`--expires` takes a later date") } else { failure }
        })?;
        for signer in self.signers.named_or_environment()? {
            let signature = signer.sign(signed.signed_bytes())?;
            signed.add_signature(&signer.public_key(), signature)?;
        }
        if timestamp.issued > now + DAY {
            output.note("warning: it is dated more than a day ahead, and refused until a day before");
        }
        // Who signs the same meanwhile adds to what this writes.
        let is_first = files::create(&self.output, signed.render().as_bytes(), &Kind::Timestamp)?;
        let held = (!is_first).then(|| durable::lock_in_place(&self.output)).transpose()?;
        self.beside_what_is_there(&mut signed, &chain, now, output)?;
        if held.is_some() {
            files::write(&self.output, signed.render().as_bytes(), &Kind::Timestamp)?;
        }
        let until = render_time(timestamp.expires);
        let value = json!({ "path": self.output.to_string_lossy(), "pack": timestamp.pack,
            "version": timestamp.version, "expires": until });
        output.either(&value, || {
            let name = printable(&timestamp.pack);
            format!(
                "{}: version {} of {name} is current until {until}",
                self.output.display(),
                timestamp.version
            )
        });
        Ok(Exit::Clean)
    }
}

impl Stamp {
    /// Takes up the signatures of a copy that lies where this goes: others sign in other places. One that counts does not
    /// make room for one that does not.
    fn beside_what_is_there(
        &self,
        signed: &mut SignedTimestamp,
        chain: &RootChain,
        now: u64,
        output: &mut Output,
    ) -> Result<(), Failure> {
        files::may_write(&self.output, &Kind::Timestamp)?;
        let there = if self.output.is_file() { Some(read_text(&self.output)?) } else { None };
        // What can't be read is no copy of this one, and nobody goes by it; one that somebody bent spoils this one too.
        let is_good = |there: &SignedTimestamp| {
            !there.check_signed(chain).is_err_and(|err| err.kind() == ErrorKind::Signature)
        };
        let there = there.and_then(|text| SignedTimestamp::read(&text).ok()).filter(is_good);
        let is_copy = there.as_ref().is_some_and(|there| there.signed_bytes() == signed.signed_bytes());
        let there =
            if is_copy { there.map(|there| signed.merge(&there)).transpose()?.and(None) } else { there };
        let Err(err) = signed.check_signed(chain) else { return Ok(()) };
        let counts = |there: &SignedTimestamp| {
            let said = there.timestamp();
            said.chain == chain.newest().chain() && now < said.expires && there.check_signed(chain).is_ok()
        };
        if there.as_ref().is_some_and(counts) {
            let message = format!(
                "{}: the timestamp there counts, and this one would not: {err}",
                self.output.display()
            );
            return Err(Failure::new("timestamp", message)
                .hint("write it to another file with `-o`, or sign by the keys that lack"));
        }
        output.note(&format!("warning: it does not count yet: {err}"));
        if there.is_some() {
            output.note("the timestamp that was there said something else; its signatures are gone with it");
        }
        if matches!(err.code(), "too-few-keys") {
            output.note("whoever has one of these keys runs the same with `--issued`, `--expires` and `-o` as here, which adds it");
        }
        Ok(())
    }
}

impl Show {
    /// The chain and its versions, or the one that waits in the file.
    fn read(&self) -> Result<(Digest, Vec<SignedRoot>), Failure> {
        let chain = read_root(&self.root).map_err(|failure| {
            let next = next_of(&self.root);
            if !self.root.exists() && next.exists() {
                failure.hint(format!("a change waits for signatures: `driven trust show {}`", next.display()))
            } else {
                failure
            }
        });
        match chain {
            Ok(chain) => Ok((chain.newest().chain(), chain.roots().to_vec())),
            Err(_) if self.root.extension().is_some_and(|ending| ending == "next") => {
                let waiting = read_waiting(&self.root)?;
                Ok((waiting.chain(), vec![waiting]))
            }
            Err(failure) => Err(failure),
        }
    }
}

fn describe(chain: &Digest, roots: &[SignedRoot]) -> Value {
    let roots = roots.iter().map(|one| {
        let root = one.root();
        let keys = root.keys.iter().map(|key| {
            json!({ "name": key.name, "key_id": key.key.id().to_string(),
                "fingerprint": key.key.fingerprint().to_string(),
                "roles": key.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>() })
        });
        let revoked = root
            .revoked
            .iter()
            .map(|one| json!({ "fingerprint": one.fingerprint.to_string(), "reason": one.reason }));
        let recoveries = root
            .recoveries
            .iter()
            .map(|one| json!({ "pack": one.name, "version": one.version, "root": one.root }));
        json!({
            "version": root.version,
            "digest": one.digest().to_string(),
            "expires": (root.expires != 0).then(|| render_time(root.expires)),
            "thresholds": { "root": root.thresholds[0], "packs": root.thresholds[1], "timestamp": root.thresholds[2] },
            "keys": keys.collect::<Vec<_>>(),
            "revoked": revoked.collect::<Vec<_>>(),
            "recover": recoveries.collect::<Vec<_>>(),
            "signed_by": one.signatures().iter().map(|one| one.key.to_string()).collect::<Vec<_>>(),
        })
    });
    json!({ "chain": chain.to_string(), "roots": roots.collect::<Vec<_>>() })
}

fn text(chain: &Digest, roots: &[SignedRoot]) -> String {
    let mut text = format!("chain {chain}\n");
    for (index, one) in roots.iter().enumerate() {
        let root = one.root();
        let expires = if root.expires == 0 { "never expires".into() } else { render_time(root.expires) };
        // Writing to a String can't fail.
        let _ = writeln!(text, "root {}  {expires}", root.version);
        for (role, threshold) in Role::ALL.iter().zip(root.thresholds) {
            let _ = writeln!(
                text,
                "  {role}: {threshold} of {}",
                root.keys.iter().filter(|key| key.roles.contains(role)).count()
            );
        }
        for key in &root.keys {
            let roles: Vec<&str> = key.roles.iter().map(|role| role.as_str()).collect();
            let name = printable(&key.name);
            let _ = writeln!(text, "  key {} {name} ({})", key.key.fingerprint(), roles.join(", "));
        }
        for gone in &root.revoked {
            let _ = writeln!(text, "  revoked {} {}", gone.fingerprint, printable(&gone.reason));
        }
        for one in &root.recoveries {
            let _ = writeln!(
                text,
                "  {} is taken from version {} on, since root {}",
                printable(&one.name),
                one.version,
                one.root
            );
        }
        // Whoever is on the way out is listed in the version before.
        let listed: Vec<&RootKey> =
            roots[index.saturating_sub(1)..=index].iter().flat_map(|one| &one.root().keys).collect();
        let by = one.signatures().iter().map(|signature| {
            let key = listed.iter().find(|listed| listed.key.id() == signature.key);
            key.map_or_else(|| signature.key.to_string(), |key| printable(&key.name))
        });
        let by: Vec<String> = by.collect();
        let _ = writeln!(text, "  signed by {}", if by.is_empty() { "nobody".into() } else { by.join(", ") });
    }
    text
}
