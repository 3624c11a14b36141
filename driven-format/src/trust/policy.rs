//! The policy: what a reader asks of a pack before it reads it.
//!
//! Makes the checks P2 to P10 of `docs/TRUST.md`, in their order, and tells what
//! it did. The clock is an argument.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::keys::{KeyId, PublicKey};
use super::root::{Role, RootChain};
use super::sign;
use super::state::{Floor, State};
use super::threshold::Signers;
use super::time::render_time;
use super::timestamp::SignedTimestamp;
use crate::error::{Error, ErrorKind};
use crate::tables::{Bodies, Tables};

/// Whose packs are taken, and which.
///
/// ```
/// use driven_format::trust::{Policy, SecretKey, sign};
/// use driven_format::{ErrorKind, PackBuilder, Tables};
///
/// let key = SecretKey::from_seed(&[7; 32].into());
/// let pack = PackBuilder::new("house-rules", 4).finish()?;
/// let signed = sign(&Tables::check(&pack)?, &key, 0)?;
/// let tables = Tables::check(&signed)?;
///
/// let policy = Policy::key(&key.public_key()).name("house-rules");
/// policy.check(&tables, None)?;
/// let story = policy.name("other-rules").judge(&tables, None);
/// assert_eq!(story.into_result().unwrap_err().kind(), ErrorKind::WrongPack);
/// # Ok::<(), driven_format::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policy<'t> {
    signers: Signers,
    chain: Option<&'t RootChain>,
    state: Option<&'t State>,
    timestamp: Option<&'t SignedTimestamp>,
    asks_timestamp: bool,
    name: Option<&'t str>,
    now: Option<u64>,
    least: Option<Floor>,
    accepted: Option<u64>,
    allows_capped: bool,
    is_embedded: bool,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It holds.
    Yes,
    /// It was not asked for, or does not hold and was let pass by name.
    Passed,
    /// It does not hold.
    No,
}

/// One check and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number in `docs/TRUST.md`.
    pub check: &'static str,
    /// How it went.
    pub held: Held,
    /// In words.
    pub text: String,
}

/// What was checked, in order, up to the first check that failed.
#[derive(Clone, Debug)]
pub struct Story {
    steps: Vec<Step>,
    fault: Option<Error>,
}

impl Story {
    /// The checks that were made.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Why the pack is refused, if it is.
    pub fn fault(&self) -> Option<&Error> {
        self.fault.as_ref()
    }

    /// The verdict alone.
    ///
    /// # Errors
    /// Why the pack is refused.
    pub fn into_result(self) -> Result<(), Error> {
        self.fault.map_or(Ok(()), Err)
    }

    /// Notes a step; says whether to go on.
    fn tell(&mut self, check: &'static str, outcome: Result<(Held, String), Error>) -> bool {
        match outcome {
            Ok((held, text)) => self.steps.push(Step { check, held, text }),
            Err(err) => {
                self.steps.push(Step { check, held: Held::No, text: err.to_string() });
                self.fault = Some(err);
            }
        }
        self.fault.is_none()
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { check, held, text } in &self.steps {
            let word = match held {
                Held::Yes => "ok",
                Held::Passed => "--",
                Held::No => "NO",
            };
            writeln!(f, "{word} {check:<4}{text}")?;
        }
        Ok(())
    }
}

type Outcome = Result<(Held, String), Error>;

impl<'t> Policy<'t> {
    /// Packs that one key signed.
    pub fn key(key: &PublicKey) -> Self {
        let keys = Vec::from([(key.clone(), String::new())]);
        Policy::new(Signers { keys, threshold: 1, revoked: Vec::new() }, None)
    }

    /// Packs that the threshold `packs` of a root signed.
    pub fn root(chain: &'t RootChain) -> Self {
        Policy::new(chain.newest().root().signers(Role::Packs), Some(chain))
    }

    fn new(signers: Signers, chain: Option<&'t RootChain>) -> Self {
        Policy {
            signers,
            chain,
            state: None,
            timestamp: None,
            asks_timestamp: false,
            name: None,
            now: None,
            least: None,
            accepted: None,
            allows_capped: false,
            is_embedded: false,
        }
    }

    /// The time, in seconds since 1970; without it no expiry is checked.
    #[must_use]
    pub fn now(self, now: u64) -> Self {
        Policy { now: Some(now), ..self }
    }

    /// The name that the pack must have.
    #[must_use]
    pub fn name(self, name: &'t str) -> Self {
        Policy { name: Some(name), ..self }
    }

    /// What was seen before.
    #[must_use]
    pub fn state(self, state: &'t State) -> Self {
        Policy { state: Some(state), ..self }
    }

    /// The pack must be the one that the timestamp names.
    #[must_use]
    pub fn timestamp(self, timestamp: &'t SignedTimestamp) -> Self {
        Policy { timestamp: Some(timestamp), ..self }
    }

    /// A timestamp must be given.
    #[must_use]
    pub fn require_timestamp(self) -> Self {
        Policy { asks_timestamp: true, ..self }
    }

    /// Nothing older than this pack, whose name it also takes: the one that is embedded.
    #[must_use]
    pub fn not_before(self, embedded: &Tables<'t>) -> Self {
        let manifest = embedded.manifest();
        let digest = Some(embedded.root_digest());
        let least = Floor { version: manifest.version(), digest, expires: 0, root: 0 };
        Policy { least: Some(least), name: Some(manifest.name()), ..self }
    }

    /// Takes exactly this version although it is older, expired, or not current.
    #[must_use]
    pub fn accept_version(self, version: u64) -> Self {
        Policy { accepted: Some(version), ..self }
    }

    /// Takes packs whose security findings were let through.
    #[must_use]
    pub fn allow_capped(self) -> Self {
        Policy { allows_capped: true, ..self }
    }

    /// The pack is part of the program: that it expired is told, and stops nothing.
    #[must_use]
    pub fn embedded(self) -> Self {
        Policy { is_embedded: true, ..self }
    }

    /// Notes in `state` what is proved whatever becomes of the pack: the root, and the timestamp.
    ///
    /// Who saw that a key was revoked, or that a newer version is current, is not to be told otherwise later.
    pub fn note_seen(&self, state: &mut State) {
        let Some(chain) = self.chain.filter(|chain| state.check_root(chain).is_ok()) else { return };
        state.saw_root(chain);
        let holds = self.now.is_none_or(|now| chain.check_expiry(now).is_ok());
        let good = |one: &&SignedTimestamp| {
            // Nobody follows the keys of a root that expired any more.
            holds
                && one.timestamp().chain == chain.newest().chain()
                && one.check_signed(chain).is_ok()
                && one.check_expiry(self.now).is_ok()
                && state.check_timestamp(chain, one).is_ok()
        };
        if let Some(timestamp) = self.timestamp.filter(good) {
            state.saw_timestamp(chain, timestamp);
        }
    }

    /// The chain of roots that it goes by.
    pub fn chain(&self) -> Option<&'t RootChain> {
        self.chain
    }

    /// The timestamp that it was given.
    pub fn given_timestamp(&self) -> Option<&'t SignedTimestamp> {
        self.timestamp
    }

    /// Makes every check; with `bodies`, which were proved to be text, also of all outlines and bodies, and with a state of
    /// every digest. Of a whole pack the bodies are its own.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn check(&self, pack: &Tables<'_>, bodies: Option<&dyn Bodies>) -> Result<(), Error> {
        self.judge(pack, bodies).into_result()
    }

    /// As [`check`](Self::check), and tells what it did.
    pub fn judge(&self, pack: &Tables<'_>, bodies: Option<&dyn Bodies>) -> Story {
        let mut story = Story { steps: Vec::new(), fault: None };
        let _ = self.judge_root(&mut story)
            && self.judge_signatures(pack, &mut story)
            && story.tell("P5", self.expiry(pack))
            && story.tell("P6", self.name_of(pack))
            && story.tell("P7", self.content(pack, bodies))
            && story.tell("P8", self.version(pack))
            && self.judge_timestamp(pack, &mut story)
            && story.tell("P10", self.capped(pack));
        story
    }

    fn judge_root(&self, story: &mut Story) -> bool {
        let Some(chain) = self.chain else { return true };
        let root = chain.newest().root().version;
        let held = || (Held::Yes, format!("root {root} of chain {}", chain.newest().chain()));
        let expiry = self.now.map_or(Ok(()), |now| chain.check_expiry(now));
        self.state.is_none_or(|state| {
            let text = "not older than what was seen".to_string();
            story.tell("S4", state.check_root(chain).map(|()| (Held::Yes, text)))
        }) && story.tell("R9", expiry.map(|()| held()))
    }

    fn judge_signatures(&self, pack: &Tables<'_>, story: &mut Story) -> bool {
        let signatures = sign::of(pack);
        let statement = pack.statement(pack.expires().unwrap_or(0));
        let by = self.signers.check("the pack", &statement, &signatures).map(|by| {
            let ids: Vec<String> = by.iter().map(KeyId::to_string).collect();
            let text =
                format!("signed by {} of {} keys: {}", by.len(), self.signers.threshold, ids.join(", "));
            (Held::Yes, text)
        });
        // What did not fail was passed on the way.
        let failed = by.as_ref().err().map(Error::kind);
        if failed == Some(ErrorKind::Unsigned) {
            return story.tell("P2", by);
        }
        let has = match signatures.len() {
            1 => "has 1 signature".into(),
            count => format!("has {count} signatures"),
        };
        story.tell("P2", Ok((Held::Yes, has)));
        if failed == Some(ErrorKind::Signature) {
            return story.tell("P3", by);
        }
        story.tell("P3", Ok((Held::Yes, "no signature of a key that counts is wrong".into())));
        story.tell("P4", by)
    }

    /// P5
    fn expiry(&self, pack: &Tables<'_>) -> Outcome {
        let Some(expires) = pack.expires() else { return Ok((Held::Yes, "never expires".into())) };
        let until = render_time(expires);
        match self.now {
            None => Ok((Held::Passed, format!("holds until {until}; no time was given to compare with"))),
            Some(now) if now < expires => Ok((Held::Yes, format!("holds until {until}"))),
            Some(_) if self.is_embedded => {
                Ok((Held::Passed, format!("expired on {until}; it is embedded, so this is a warning")))
            }
            Some(_) if self.is_accepted(pack) => {
                Ok((Held::Passed, format!("expired on {until}; accepted by name")))
            }
            Some(_) => Err(Error::new(ErrorKind::Expired, format!("the pack expired on {until}"))),
        }
    }

    /// P6
    fn name_of(&self, pack: &Tables<'_>) -> Outcome {
        let found = pack.manifest().name();
        let shown = found.escape_debug();
        match self.name {
            None => Ok((Held::Passed, format!("is `{shown}`; no name was asked for"))),
            Some(name) if name == found => Ok((Held::Yes, format!("is `{shown}`"))),
            Some(name) => {
                let text = format!("the pack is `{shown}`, and `{}` was asked for", name.escape_debug());
                Err(Error::new(ErrorKind::WrongPack, text))
            }
        }
    }

    fn is_accepted(&self, pack: &Tables<'_>) -> bool {
        self.accepted == Some(pack.manifest().version())
    }

    /// P8
    fn version(&self, pack: &Tables<'_>) -> Outcome {
        let (version, digest) = (pack.manifest().version(), pack.root_digest());
        let seen = match (self.state, self.chain) {
            (Some(state), Some(chain)) => state.floor(chain, pack.manifest().name()),
            _ => None,
        };
        for floor in [self.least, seen].into_iter().flatten() {
            if version < floor.version && !self.is_accepted(pack) {
                let text = format!("the pack has version {version}, and {} was seen", floor.version);
                return Err(Error::new(ErrorKind::RolledBack, text));
            }
            if version == floor.version && floor.digest.is_some_and(|seen| seen != digest) {
                let text = format!("version {version} was seen with another content");
                return Err(Error::new(ErrorKind::Equivocation, text));
            }
        }
        let highest = [seen, self.least].into_iter().flatten().max_by_key(|floor| floor.version);
        match (self.state, self.chain, highest) {
            (_, _, Some(floor)) if version < floor.version => Ok((
                Held::Passed,
                format!("version {version}, older than {}; accepted by name", floor.version),
            )),
            (_, _, Some(floor)) => Ok((Held::Yes, format!("version {version}, at least {}", floor.version))),
            (Some(_), Some(_), None) => Ok((Held::Yes, format!("version {version}; first use"))),
            _ => Ok((Held::Passed, format!("version {version}; nothing is kept to compare with"))),
        }
    }

    fn judge_timestamp(&self, pack: &Tables<'_>, story: &mut Story) -> bool {
        let name = pack.manifest().name();
        let (Some(timestamp), Some(chain)) = (self.timestamp, self.chain) else {
            if self.asks_timestamp || self.timestamp.is_some() {
                let text = match self.chain {
                    Some(_) => "a timestamp is asked for, and there is none",
                    None => "a timestamp is asked for, and there is no root to judge it by",
                };
                return story.tell("P9", Err(Error::new(ErrorKind::Timestamp, text)));
            }
            return story.tell("P9", Ok((Held::Passed, "no timestamp".into())));
        };
        let said = timestamp.timestamp();
        let fresh = format!("issued {}, holds until {}", render_time(said.issued), render_time(said.expires));
        let seen = self.state.map_or(Ok(()), |state| state.check_timestamp(chain, timestamp));
        let signed = timestamp.check_signed(chain).map(|()| (Held::Yes, "the timestamp is signed".into()));
        let about = || (Held::Yes, format!("about `{}`", name.escape_debug()));
        story.tell("T2", signed)
            && story.tell("T3", timestamp.check_subject(chain, name).map(|()| about()))
            && story.tell("T4", timestamp.check_expiry(self.now).map(|()| (Held::Yes, fresh)))
            && story.tell("T5", seen.map(|()| (Held::Yes, "not older than what was seen".into())))
            && story.tell("P9", self.current(pack, timestamp))
    }

    /// P9
    fn current(&self, pack: &Tables<'_>, timestamp: &SignedTimestamp) -> Outcome {
        let (version, said) = (pack.manifest().version(), timestamp.timestamp());
        if version == said.version && pack.root_digest() == said.digest {
            return Ok((Held::Yes, format!("version {version} is current")));
        }
        if self.is_accepted(pack) && version != said.version {
            return Ok((Held::Passed, format!("version {} is current; accepted by name", said.version)));
        }
        let (kind, text) = match version.cmp(&said.version) {
            core::cmp::Ordering::Less => (ErrorKind::RolledBack, "the pack is older"),
            core::cmp::Ordering::Equal => (ErrorKind::Equivocation, "the pack has another content"),
            core::cmp::Ordering::Greater => (ErrorKind::Timestamp, "the pack is newer"),
        };
        Err(Error::new(kind, format!("version {} is current by the timestamp; {text}", said.version)))
    }

    /// P10
    fn capped(&self, pack: &Tables<'_>) -> Outcome {
        match (pack.manifest().is_capped(), self.allows_capped) {
            (false, _) => Ok((Held::Yes, "no security finding was let through".into())),
            (true, true) => Ok((Held::Passed, "a security finding was let through; allowed".into())),
            (true, false) => {
                let text = "a security finding was let through when the pack was built";
                Err(Error::new(ErrorKind::Capped, text))
            }
        }
    }

    /// P7
    fn content(&self, pack: &Tables<'_>, bodies: Option<&dyn Bodies>) -> Outcome {
        pack.check_root()?;
        let root = pack.root_digest();
        let Some(bodies) = bodies else {
            return Ok((Held::Yes, format!("digest {root}; rules are proved as they are read")));
        };
        // What is written down as seen names one text to every reader, of single rules and of all.
        if self.state.is_some() {
            pack.check_content(bodies)?;
            return Ok((Held::Yes, format!("digest {root}, and that of every rule")));
        }
        pack.check_texts_of(bodies)?;
        Ok((Held::Yes, format!("digest {root}, and that of all outlines and bodies")))
    }
}
