//! What a reader has seen: floors, roots and timestamps, as a text.
//!
//! Knows no file; whoever keeps one writes it whole. Law: `docs/TRUST.md`,
//! "State", checks S3 and S4.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use super::root::RootChain;
use super::text::{self, Lines, digest, number};
use super::time::{parse_time, render_time};
use super::timestamp::SignedTimestamp;
use crate::digest::hash_of_text;
use crate::error::{Error, ErrorKind};
use crate::tables::Tables;
use crate::wire::Digest;

const HEAD: &str = "driven trust state v1";

/// The version of a pack below which nothing is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The version.
    pub version: u64,
    /// The root digest that this version had, when it was seen.
    pub digest: Option<Digest>,
    /// When its statement ends to hold, in seconds since 1970; 0 for never.
    pub expires: u64,
    /// The version of the root when it was seen.
    pub root: u64,
}

/// A timestamp that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    issued: u64,
    expires: u64,
    digest: Digest,
    /// The version of the root when it was seen.
    root: u64,
}

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    roots: BTreeMap<[u8; 32], (u64, Digest)>,
    packs: BTreeMap<([u8; 32], String), Floor>,
    timestamps: BTreeMap<([u8; 32], String), Seen>,
}

impl State {
    /// Reads what [`render`](Self::render) wrote.
    ///
    /// # Errors
    /// Anything else (S3).
    pub fn read(text: &str) -> Result<Self, Error> {
        let mut lines = Lines::new("state of trust", ErrorKind::State, text)?;
        let mut state = State::default();
        lines.line(HEAD)?;
        for (chain, root) in lines.fields("root", "CHAIN VERSION DIGEST", |rest| {
            let [chain, version, root] = words(rest)?;
            Some((digest(chain)?.0, (number(version)?, digest(root)?)))
        })? {
            state.roots.insert(chain, root);
        }
        for (key, floor) in lines.fields("pack", "CHAIN VERSION DIGEST EXPIRES ROOT NAME", |rest| {
            let [chain, version, pack, expires, root, name] = words(rest)?;
            let digest_of = if pack == "-" { None } else { Some(digest(pack)?) };
            let expires =
                if expires == "never" { 0 } else { parse_time(expires).or_else(|| number(expires))? };
            let floor = Floor { version: number(version)?, digest: digest_of, expires, root: number(root)? };
            Some(((digest(chain)?.0, text::name(name)?.into()), floor))
        })? {
            state.packs.insert(key, floor);
        }
        for (key, seen) in lines.fields("timestamp", "CHAIN ISSUED EXPIRES DIGEST ROOT NAME", |rest| {
            let [chain, issued, expires, of, root, name] = words(rest)?;
            let seen = Seen {
                issued: parse_time(issued)?,
                expires: parse_time(expires)?,
                digest: digest(of)?,
                root: number(root)?,
            };
            Some(((digest(chain)?.0, text::name(name)?.into()), seen))
        })? {
            state.timestamps.insert(key, seen);
        }
        // The one form, and with it the check, is what would be written.
        if state.render() == text {
            return Ok(state);
        }
        Err(Error::new(ErrorKind::State, "state of trust: it is damaged, or was changed by hand"))
    }

    /// The text to keep.
    pub fn render(&self) -> String {
        let mut text = format!("{HEAD}\n");
        // Writing to a String can't fail.
        for (chain, (version, digest)) in &self.roots {
            let _ = writeln!(text, "root {} {version} {digest}", Digest(*chain));
        }
        for ((chain, name), Floor { version, digest, expires, root }) in &self.packs {
            let expires = if *expires == 0 { "never".into() } else { render_time(*expires) };
            let digest = digest.map_or_else(|| "-".into(), |digest| format!("{digest}"));
            let _ = writeln!(text, "pack {} {version} {digest} {expires} {root} {name}", Digest(*chain));
        }
        for ((chain, name), Seen { issued, expires, digest, root }) in &self.timestamps {
            let (issued, expires) = (render_time(*issued), render_time(*expires));
            let _ = writeln!(text, "timestamp {} {issued} {expires} {digest} {root} {name}", Digest(*chain));
        }
        let check = hash_of_text("driven trust state v1", &text);
        let _ = writeln!(text, "check {check}");
        text
    }

    /// S4: the chain is not older than what was seen of it, nor another.
    ///
    /// # Errors
    /// A chain that ends before, or says otherwise about, the newest root that was seen.
    pub fn check_root(&self, chain: &RootChain) -> Result<(), Error> {
        let newest = chain.newest();
        let Some(&(version, seen)) = self.roots.get(&newest.chain().0) else { return Ok(()) };
        let found = chain.roots().iter().find(|root| root.root().version == version);
        match found {
            Some(root) if root.digest() == seen => Ok(()),
            Some(_) => {
                let text = format!("root {version} is another than the one that was seen before");
                Err(Error::new(ErrorKind::Equivocation, text))
            }
            // A file that begins later goes on from what was seen only if it says so.
            None if newest.root().version > version => {
                let text = format!("the root file leaves out root {version}, which was seen last");
                Err(Error::new(ErrorKind::Root, text))
            }
            None => {
                let text =
                    format!("root {} is older than root {version}, which was seen", newest.root().version);
                Err(Error::new(ErrorKind::RolledBack, text))
            }
        }
    }

    /// The floor of a pack, recoveries of the root taken into account (R8); nothing on first use.
    pub fn floor(&self, chain: &RootChain, name: &str) -> Option<Floor> {
        let newest = chain.newest();
        let floor = *self.packs.get(&(newest.chain().0, name.into()))?;
        match newest.root().recovery(name, floor.root) {
            Some(version) if version != floor.version => Some(Floor { version, digest: None, ..floor }),
            _ => Some(floor),
        }
    }

    /// T5: the timestamp is not older than the newest that was seen, recoveries of the root taken into account (R8).
    ///
    /// # Errors
    /// One that was issued before, or at the same time and says otherwise.
    pub fn check_timestamp(&self, chain: &RootChain, timestamp: &SignedTimestamp) -> Result<(), Error> {
        let said = timestamp.timestamp();
        let Some(seen) = self.seen(timestamp).filter(|seen| !is_forgotten(seen, chain, &said.pack)) else {
            return Ok(());
        };
        if said.issued < seen.issued {
            let text = format!(
                "a timestamp issued on {} was seen before this one; if a stolen key made it, a root that says \
                 `recover` forgets it",
                render_time(seen.issued)
            );
            return Err(Error::new(ErrorKind::RolledBack, text));
        }
        if said.issued == seen.issued && timestamp.digest() != seen.digest {
            let text = "two timestamps were issued at one time";
            return Err(Error::new(ErrorKind::Equivocation, text));
        }
        Ok(())
    }

    /// Whether a timestamp is the newest of its pack that was seen, and not forgotten by the root (R8).
    pub fn remembers(&self, chain: &RootChain, timestamp: &SignedTimestamp) -> bool {
        let seen = self.seen(timestamp);
        seen.is_some_and(|seen| {
            seen.digest == timestamp.digest() && !is_forgotten(seen, chain, &timestamp.timestamp().pack)
        })
    }

    /// Whether a newer timestamp of its pack was seen, and is not forgotten by the root (R8).
    pub fn outdates(&self, chain: &RootChain, timestamp: &SignedTimestamp) -> bool {
        let said = timestamp.timestamp();
        let seen = self.seen(timestamp);
        seen.is_some_and(|seen| seen.issued > said.issued && !is_forgotten(seen, chain, &said.pack))
    }

    /// Whether a timestamp is the one that was seen and that the root forgets (R8).
    pub fn forgets(&self, chain: &RootChain, timestamp: &SignedTimestamp) -> bool {
        let seen = self.seen(timestamp);
        seen.is_some_and(|seen| {
            seen.digest == timestamp.digest() && is_forgotten(seen, chain, &timestamp.timestamp().pack)
        })
    }

    fn seen(&self, timestamp: &SignedTimestamp) -> Option<&Seen> {
        let said = timestamp.timestamp();
        self.timestamps.get(&(said.chain.0, said.pack.clone()))
    }

    /// Writes down the newest root, once [`check_root`](Self::check_root) let it pass.
    pub fn saw_root(&mut self, chain: &RootChain) {
        let newest = chain.newest();
        self.roots.insert(newest.chain().0, (newest.root().version, newest.digest()));
    }

    /// Writes down a timestamp, once it was proved and [`check_timestamp`](Self::check_timestamp) let it pass. The one that
    /// the root forgets stays forgotten, however often it is seen, until another was.
    pub fn saw_timestamp(&mut self, chain: &RootChain, timestamp: &SignedTimestamp) {
        if self.forgets(chain, timestamp) {
            return;
        }
        let said = timestamp.timestamp();
        let root = chain.newest().root().version;
        let seen = Seen { issued: said.issued, expires: said.expires, digest: timestamp.digest(), root };
        self.timestamps.insert((said.chain.0, said.pack.clone()), seen);
    }

    /// Writes down what was accepted: a pack of which a policy with this state has proved every digest, bodies included.
    ///
    /// # Errors
    /// A pack without a name, or with one that does not fit a line.
    pub fn accept(
        &mut self,
        chain: &RootChain,
        pack: &Tables<'_>,
        timestamp: Option<&SignedTimestamp>,
    ) -> Result<(), Error> {
        let newest = chain.newest();
        let name = text::name(pack.manifest().name()).ok_or_else(|| {
            Error::new(
                ErrorKind::WrongPack,
                "the pack has no name in one line, so no version of it can be kept",
            )
        })?;
        let id = newest.chain().0;
        self.saw_root(chain);
        let floor = Floor {
            version: pack.manifest().version(),
            digest: Some(pack.root_digest()),
            expires: pack.expires().unwrap_or(0),
            root: newest.root().version,
        };
        self.packs.insert((id, name.into()), floor);
        if let Some(one) = timestamp {
            self.saw_timestamp(chain, one);
        }
        Ok(())
    }
}

/// R8
fn is_forgotten(seen: &Seen, chain: &RootChain, name: &str) -> bool {
    chain.newest().root().recovery(name, seen.root).is_some()
}

/// Words parted by one space; the last may have more.
fn words<const N: usize>(rest: &str) -> Option<[&str; N]> {
    let mut words = [""; N];
    let mut parts = rest.splitn(N, ' ');
    for word in &mut words {
        *word = parts.next()?;
    }
    Some(words)
}
