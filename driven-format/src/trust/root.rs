//! Roots: which keys may do what, how many it takes, what was revoked.
//!
//! A root file is a chain of versions, each signed by its own keys and by those
//! of the version before. Law: `docs/TRUST.md`, "Root file", checks R1 to R9.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::keys::{KeyId, PublicKey, SecretKey};
use super::text::{self, Lines, MAX_TEXT, TextSignature, render_signatures};
use super::threshold::Signers;
use super::time::{parse_time, render_time};
use crate::digest::hash_of_text;
use crate::error::{Error, ErrorKind};
use crate::wire::Digest;

const HEAD: &str = "driven root v1";
const NEVER: &str = "never";
/// The most keys that a root lists.
const MAX_KEYS: usize = 64;

/// What a key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The next root.
    Root,
    /// Packs.
    Packs,
    /// Timestamps.
    Timestamp,
}

impl Role {
    /// Every role, in the order of files.
    pub const ALL: [Role; 3] = [Role::Root, Role::Packs, Role::Timestamp];

    /// Its word in files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Root => "root",
            Role::Packs => "packs",
            Role::Timestamp => "timestamp",
        }
    }

    /// The role with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key that a root lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootKey {
    /// The key.
    pub key: PublicKey,
    /// What it may sign, in the order of [`Role::ALL`].
    pub roles: Vec<Role>,
    /// Whose it is, for people.
    pub name: String,
}

/// A key that counts no more, in this root and all that follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revocation {
    /// The fingerprint of the key.
    pub fingerprint: Digest,
    /// Why.
    pub reason: String,
}

/// A floor that takes the place of one that was set under an older root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The pack.
    pub name: String,
    /// Its version from which on packs are taken.
    pub version: u64,
    /// The version of the root that said so first.
    pub root: u64,
}

/// One version of a root, as a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The chain and the digest of the version before; none in version 1.
    pub before: Option<(Digest, Digest)>,
    /// From 1 on.
    pub version: u64,
    /// In seconds since 1970; 0 for never.
    pub expires: u64,
    /// How many keys of each role must sign, in the order of [`Role::ALL`].
    pub thresholds: [u32; 3],
    /// The keys.
    pub keys: Vec<RootKey>,
    /// What was revoked.
    pub revoked: Vec<Revocation>,
    /// Floors that were lowered.
    pub recoveries: Vec<Recovery>,
}

impl Root {
    /// The text that is signed: sorted, in its one form.
    ///
    /// # Errors
    /// A root whose roles can't be fulfilled, or that lists a revoked key.
    pub fn render(&self) -> Result<String, Error> {
        let mut root = self.clone();
        root.keys.sort_by_key(|one| one.key.to_bytes());
        root.revoked.sort();
        root.recoveries.sort_by(|a, b| a.name.cmp(&b.name));
        root.check()?;
        Ok(root.lines())
    }

    fn lines(&self) -> String {
        let mut text = format!("{HEAD}\n");
        let expires = if self.expires == 0 { NEVER.into() } else { render_time(self.expires) };
        // Writing to a String can't fail.
        if let Some((chain, previous)) = &self.before {
            let _ = writeln!(text, "chain {chain}\nprevious {previous}");
        }
        let _ = writeln!(text, "version {}\nexpires {expires}", self.version);
        for (role, threshold) in Role::ALL.iter().zip(self.thresholds) {
            let _ = writeln!(text, "threshold {role} {threshold}");
        }
        for RootKey { key, roles, name } in &self.keys {
            let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            let _ = writeln!(text, "key {} {} {name}", text::hex(&key.to_bytes()), roles.join(","));
        }
        for Revocation { fingerprint, reason } in &self.revoked {
            let _ = writeln!(text, "revoked {fingerprint} {reason}");
        }
        for Recovery { name, version, root } in &self.recoveries {
            let _ = writeln!(text, "recover {version} {root} {name}");
        }
        text
    }

    /// R1, R5 and R6: what one version alone must be.
    fn check(&self) -> Result<(), Error> {
        let fault = |text: String| Err(Error::new(ErrorKind::Root, format!("root {}: {text}", self.version)));
        if self.version == 0 || self.before.is_some() != (self.version > 1) {
            return fault("version 1 begins a chain, each later one names the one before".into());
        }
        if self.keys.len() > MAX_KEYS {
            return fault(format!("{} keys, at most {MAX_KEYS}", self.keys.len()));
        }
        let sorted = self.keys.is_sorted_by(|a, b| a.key.to_bytes() < b.key.to_bytes())
            && self.revoked.is_sorted_by(|a, b| a.fingerprint.0 < b.fingerprint.0)
            && self.recoveries.is_sorted_by(|a, b| a.name < b.name);
        if !sorted {
            return fault("keys, revoked and recover are sorted, each once".into());
        }
        let named = self.keys.iter().map(|one| one.name.as_str());
        let named = named.chain(self.revoked.iter().map(|one| one.reason.as_str()));
        let mut named = named.chain(self.recoveries.iter().map(|one| one.name.as_str()));
        if let Some(wrong) = named.find(|name| text::name(name).is_none()) {
            return fault(format!("`{}` is no name or reason in one line", wrong.escape_debug()));
        }
        // A floor is lowered once, so not for a root that is still to come (R8).
        if let Some(one) = self.recoveries.iter().find(|one| one.root == 0 || one.root > self.version) {
            return fault(format!(
                "`recover` of {} names root {}, which is none up to this one",
                one.name, one.root
            ));
        }
        for one in &self.keys {
            if one.roles.is_empty() || !one.roles.is_sorted_by(|a, b| a < b) {
                return fault(format!("the key of {} has no roles, or not in order", one.name));
            }
            // R5
            if self.has_revoked(&one.key.fingerprint()) {
                return fault(format!("the key of {} is listed and revoked", one.name));
            }
        }
        // R6
        for (role, threshold) in Role::ALL.into_iter().zip(self.thresholds) {
            let count = self.keys.iter().filter(|one| one.roles.contains(&role)).count();
            let least = u32::from(role != Role::Timestamp || count > 0);
            if threshold < least || threshold as usize > count {
                return fault(format!("threshold {role} is {threshold}, and {count} keys have the role"));
            }
        }
        Ok(())
    }

    fn has_revoked(&self, fingerprint: &Digest) -> bool {
        self.revoked.binary_search_by(|gone| gone.fingerprint.0.cmp(&fingerprint.0)).is_ok()
    }

    pub(super) fn signers(&self, role: Role) -> Signers {
        let keys = self.keys.iter().filter(|one| one.roles.contains(&role));
        Signers {
            keys: keys.map(|one| (one.key.clone(), one.name.clone())).collect(),
            threshold: self.thresholds[role as usize],
            revoked: self.revoked.iter().map(|one| one.fingerprint).collect(),
        }
    }

    /// The floor that takes the place of one set under root version `since`, if there is one (R8).
    pub fn recovery(&self, name: &str, since: u64) -> Option<u64> {
        let found = self.recoveries.iter().find(|one| one.name == name && since < one.root);
        found.map(|one| one.version)
    }
}

/// One version of a root with the text that was signed, and its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRoot {
    root: Root,
    text: String,
    signatures: Vec<TextSignature>,
}

impl SignedRoot {
    /// A root that nobody signed yet.
    ///
    /// # Errors
    /// As [`Root::render`].
    pub fn new(root: &Root) -> Result<Self, Error> {
        SignedRoot::read(&root.render()?)
    }

    /// Reads one version, signed by whomever.
    ///
    /// # Errors
    /// A text that does not have the one form (R1), or a root that can't be (R5, R6).
    pub fn read(text: &str) -> Result<Self, Error> {
        let mut lines = Lines::new("root", ErrorKind::Root, text)?;
        let one = SignedRoot::read_from(&mut lines)?;
        if lines.is_at_end() { Ok(one) } else { Err(lines.fault("the end of the file")) }
    }

    fn read_from(lines: &mut Lines<'_>) -> Result<Self, Error> {
        let start = lines.at();
        lines.line(HEAD)?;
        let before = match lines.optional("chain") {
            None => None,
            Some(chain) => {
                let chain = text::digest(chain).ok_or_else(|| lines.fault("a digest in the line above"))?;
                Some((chain, lines.field("previous", "DIGEST", text::digest)?))
            }
        };
        let version = lines.field("version", "NUMBER", text::number)?;
        let expires = lines.field("expires", "TIME or never", |text| {
            if text == NEVER { Some(0) } else { parse_time(text).filter(|&time| time > 0) }
        })?;
        let mut thresholds = [0; 3];
        for (role, threshold) in Role::ALL.iter().zip(&mut thresholds) {
            *threshold = lines.field(&format!("threshold {role}"), "NUMBER", text::number)?;
        }
        let keys = lines.fields("key", "KEY ROLES NAME", key)?;
        let revoked = lines.fields("revoked", "FINGERPRINT REASON", |rest| {
            let (fingerprint, reason) = rest.split_once(' ')?;
            Some(Revocation { fingerprint: text::digest(fingerprint)?, reason: reason.into() })
        })?;
        let recoveries = lines.fields("recover", "VERSION ROOT NAME", |rest| {
            let mut words = rest.splitn(3, ' ');
            let (version, root) = (text::number(words.next()?)?, text::number(words.next()?)?);
            Some(Recovery { name: words.next()?.into(), version, root })
        })?;
        let root = Root { before, version, expires, thresholds, keys, revoked, recoveries };
        root.check()?;
        let text = String::from(lines.since(start));
        // R1: there is one form, which is the one that is written.
        if root.lines() != text {
            return Err(lines.fault("the lines above as driven writes them"));
        }
        Ok(SignedRoot { root, text, signatures: lines.signatures()? })
    }

    /// What it says.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The bytes that are signed.
    pub fn signed_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Its signatures, by whomever.
    pub fn signatures(&self) -> &[TextSignature] {
        &self.signatures
    }

    /// What names this version.
    pub fn digest(&self) -> Digest {
        hash_of_text(HEAD, &self.text)
    }

    /// What names the chain: the digest of version 1.
    pub fn chain(&self) -> Digest {
        self.root.before.map_or_else(|| self.digest(), |(chain, _)| chain)
    }

    /// The next version, to be changed and signed.
    pub fn next(&self) -> Root {
        let before = Some((self.chain(), self.digest()));
        Root { before, version: self.root.version.saturating_add(1), ..self.root.clone() }
    }

    /// Signs it.
    pub fn sign(&mut self, key: &SecretKey) {
        let one = TextSignature { key: key.public_key().id(), signature: key.sign(self.text.as_bytes()) };
        text::put(&mut self.signatures, one);
    }

    /// Takes a signature that was made elsewhere.
    ///
    /// # Errors
    /// A signature that does not hold.
    pub fn add_signature(&mut self, key: &PublicKey, signature: [u8; 64]) -> Result<(), Error> {
        text::add(&mut self.signatures, &self.text, key, signature)
    }

    /// Takes the signatures of another copy of the same version, where they are by other keys.
    ///
    /// # Errors
    /// Another version.
    pub fn merge(&mut self, other: &SignedRoot) -> Result<(), Error> {
        if self.text != other.text {
            return Err(Error::new(ErrorKind::Root, "these are two versions, not two copies of one"));
        }
        text::merge(&mut self.signatures, &other.signatures);
        Ok(())
    }

    /// Drops the signatures of keys that may sign neither this root nor the one before: anybody can add such, and a file
    /// has room for so many.
    pub fn drop_strangers(&mut self, before: Option<&Root>) {
        let roots = [Some(&self.root), before];
        let keys = roots.into_iter().flatten().flat_map(|root| &root.keys);
        let may_sign: Vec<KeyId> =
            keys.filter(|one| one.roles.contains(&Role::Root)).map(|one| one.key.id()).collect();
        self.signatures.retain(|signature| may_sign.contains(&signature.key));
    }

    /// The file's text: what is signed, and the signatures.
    pub fn render(&self) -> String {
        format!("{}{}", self.text, render_signatures(&self.signatures))
    }

    /// R2: signed by its own threshold.
    fn check_own(&self) -> Result<Vec<KeyId>, Error> {
        self.check_by(&self.root)
    }

    /// Signed by the threshold `root` of a root.
    fn check_by(&self, root: &Root) -> Result<Vec<KeyId>, Error> {
        let (own, other) = (self.root.version, root.version);
        let what =
            if own == other { format!("root {own}") } else { format!("root {own}, as root {other} asks,") };
        root.signers(Role::Root).check(&what, self.text.as_bytes(), &self.signatures)
    }

    /// Proves that this is the version after `before` (R2 to R5).
    pub fn check_follows(&self, before: &SignedRoot) -> Result<(), Error> {
        let version = self.root.version;
        let fault = |text: &str| Err(Error::new(ErrorKind::Root, format!("root {version}: {text}")));
        // R3
        if self.root.before != Some((before.chain(), before.digest())) {
            return fault("it does not name the version before as the one before it");
        }
        if before.root.version.checked_add(1) != Some(version) {
            return fault("its number is not one more than that of the version before");
        }
        // R5
        let kept = |gone: &Revocation| self.root.has_revoked(&gone.fingerprint);
        if !before.root.revoked.iter().all(kept) {
            return fault("a key that was revoked is revoked no more");
        }
        // R8: a floor that was lowered stays in the file, for whoever comes late.
        let is_new = |one: &Recovery| one.root == version || before.root.recoveries.contains(one);
        let kept = |old: &Recovery| self.root.recoveries.iter().any(|one| one.name == old.name);
        if !self.root.recoveries.iter().all(is_new) || !before.root.recoveries.iter().all(kept) {
            return fault("a `recover` is left out, or changed without naming this root");
        }
        // R2, R4
        self.check_own()?;
        self.check_by(&before.root).map(|_| ())
    }
}

fn key(rest: &str) -> Option<RootKey> {
    let mut words = rest.splitn(3, ' ');
    let key = PublicKey::from_bytes(&text::from_hex(words.next()?)?).ok()?;
    let roles = words.next()?.split(',').map(Role::from_word).collect::<Option<_>>()?;
    Some(RootKey { key, roles, name: words.next()?.into() })
}

/// A root file whose every step is proved; what is trusted is its newest version.
///
/// ```
/// use driven_format::trust::{RootChain, Role, Root, RootKey, SecretKey, SignedRoot};
///
/// let key = SecretKey::from_seed(&[7; 32].into());
/// let listed = RootKey { key: key.public_key(), roles: vec![Role::Root, Role::Packs], name: "alice".into() };
/// let first = Root {
///     before: None, version: 1, expires: 0, thresholds: [1, 1, 0],
///     keys: vec![listed], revoked: vec![], recoveries: vec![],
/// };
/// let mut first = SignedRoot::new(&first)?;
/// assert!(RootChain::read(&first.render()).is_err(), "nobody signed it");
/// first.sign(&key);
/// let chain = RootChain::read(&first.render())?;
/// assert_eq!(chain.newest().root().version, 1);
/// # Ok::<(), driven_format::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootChain {
    roots: Vec<SignedRoot>,
}

impl RootChain {
    /// Reads a root file and proves it from version 1 on (R1 to R6).
    ///
    /// # Errors
    /// The first fault in it; a file that begins later, whose chain would be a mere claim.
    pub fn read(text: &str) -> Result<Self, Error> {
        let chain = RootChain::read_part(text)?;
        match chain.roots[0].root.version {
            1 => Ok(chain),
            first => Err(Error::new(
                ErrorKind::Root,
                format!("root: it begins with version {first}; a chain is known by its version 1"),
            )),
        }
    }

    /// Reads a root file that may begin with a later version, to be given to [`advance`](Self::advance) alone.
    ///
    /// # Errors
    /// The first fault in it.
    pub fn read_part(text: &str) -> Result<Self, Error> {
        let mut lines = Lines::new("root", ErrorKind::Root, text)?;
        let first = SignedRoot::read_from(&mut lines)?;
        first.check_own()?;
        let mut roots = Vec::from([first]);
        while !lines.is_at_end() {
            let next = SignedRoot::read_from(&mut lines)?;
            next.check_follows(&roots[roots.len() - 1])?;
            roots.push(next);
        }
        Ok(RootChain { roots })
    }

    /// Every version in the file, the oldest first.
    pub fn roots(&self) -> &[SignedRoot] {
        &self.roots
    }

    /// The version that is trusted.
    pub fn newest(&self) -> &SignedRoot {
        &self.roots[self.roots.len() - 1]
    }

    /// Adds the next version, without the signatures of strangers.
    ///
    /// # Errors
    /// A version that does not follow (R2 to R5), or does not fit into a file with those before it (R1).
    pub fn push(&mut self, next: SignedRoot) -> Result<(), Error> {
        self.walk_to(&[next])
    }

    /// Adds versions, all or nothing.
    fn walk_to(&mut self, next: &[SignedRoot]) -> Result<(), Error> {
        let mut walked = self.clone();
        for root in next {
            root.check_follows(walked.newest())?;
            let mut root = root.clone();
            root.drop_strangers(Some(&walked.newest().root));
            walked.roots.push(root);
        }
        // What could not be read again must not take the place of what is trusted.
        if walked.render().len() > MAX_TEXT {
            let text = format!("the file would be longer than {MAX_TEXT} bytes: begin a new chain");
            return Err(Error::new(ErrorKind::Root, text));
        }
        *self = walked;
        Ok(())
    }

    /// Walks on to a newer file, from the version that is trusted (R7); says how many steps that were.
    ///
    /// # Errors
    /// A file that is older, of another chain, or says otherwise about the version that is trusted.
    pub fn advance(&mut self, newer: &RootChain) -> Result<usize, Error> {
        let trusted = self.newest();
        let version = trusted.root.version;
        let fault = |text: String| Err(Error::new(ErrorKind::Root, text));
        if newer.newest().chain() != trusted.chain() {
            return fault(format!("it is of another chain, {}", newer.newest().chain()));
        }
        let (first, last) = (newer.roots[0].root.version, newer.newest().root.version);
        if last < version {
            return fault(format!("it ends with root {last}, and root {version} is trusted already"));
        }
        let next: Vec<SignedRoot> = if version.checked_add(1) == Some(first) {
            newer.roots.clone()
        } else {
            match newer.roots.iter().position(|one| one.root.version == version) {
                Some(at) if newer.roots[at].text == trusted.text => newer.roots[at + 1..].to_vec(),
                Some(_) => {
                    return fault(format!("its root {version} is another than the one that is trusted"));
                }
                None => return fault(format!("it begins with root {first}, and root {version} is trusted")),
            }
        };
        self.walk_to(&next)?;
        Ok(next.len())
    }

    /// The file's text.
    pub fn render(&self) -> String {
        self.roots.iter().map(SignedRoot::render).collect()
    }

    /// R9: the newest version holds at `now`.
    pub(super) fn check_expiry(&self, now: u64) -> Result<(), Error> {
        let root = &self.newest().root;
        if root.expires == 0 || now < root.expires {
            return Ok(());
        }
        let text = format!("root {} expired on {}", root.version, render_time(root.expires));
        Err(Error::new(ErrorKind::Expired, text))
    }
}
