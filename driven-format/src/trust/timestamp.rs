//! Timestamps: which version of a pack is current, and how long that holds.
//!
//! Law: `docs/TRUST.md`, "Timestamp", checks T1 to T5.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::keys::{PublicKey, SecretKey};
use super::root::{Role, RootChain};
use super::text::{self, Lines, TextSignature, render_signatures};
use super::time::{parse_time, render_time};
use crate::digest::hash_of_text;
use crate::error::{Error, ErrorKind};
use crate::wire::Digest;

const HEAD: &str = "driven timestamp v1";
/// How far ahead of the reader's clock a timestamp may be issued, in seconds.
const MOST_AHEAD: u64 = 24 * 60 * 60;

/// What a timestamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The chain of the root that it belongs to.
    pub chain: Digest,
    /// The version that is current.
    pub version: u64,
    /// The root digest of that pack.
    pub digest: Digest,
    /// When it was issued, in seconds since 1970.
    pub issued: u64,
    /// When it ends to hold, in seconds since 1970.
    pub expires: u64,
    /// The pack's name.
    pub pack: String,
}

/// A timestamp with the text that was signed, and its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTimestamp {
    timestamp: Timestamp,
    text: String,
    signatures: Vec<TextSignature>,
}

impl SignedTimestamp {
    /// A timestamp that nobody signed yet.
    ///
    /// # Errors
    /// A name that does not fit a line, or an expiry before the issue.
    pub fn new(timestamp: &Timestamp) -> Result<Self, Error> {
        let Timestamp { chain, version, digest, issued, expires, pack } = timestamp;
        if issued >= expires {
            return Err(Error::new(ErrorKind::Timestamp, "timestamp: it would expire before it is issued"));
        }
        let (issued, expires) = (render_time(*issued), render_time(*expires));
        SignedTimestamp::read(&format!(
            "{HEAD}\nchain {chain}\nversion {version}\ndigest {digest}\nissued {issued}\nexpires {expires}\npack {pack}\n"
        ))
    }

    /// Reads a timestamp, signed by whomever.
    ///
    /// # Errors
    /// A text that does not have the one form (T1).
    pub fn read(text: &str) -> Result<Self, Error> {
        let mut lines = Lines::new("timestamp", ErrorKind::Timestamp, text)?;
        lines.line(HEAD)?;
        let timestamp = Timestamp {
            chain: lines.field("chain", "DIGEST", text::digest)?,
            version: lines.field("version", "NUMBER", text::number)?,
            digest: lines.field("digest", "DIGEST", text::digest)?,
            issued: lines.field("issued", "TIME", parse_time)?,
            expires: lines.field("expires", "TIME", parse_time)?,
            pack: lines.field("pack", "NAME", text::name)?.into(),
        };
        let text = String::from(lines.since(0));
        let signatures = lines.signatures()?;
        if !lines.is_at_end() {
            return Err(lines.fault("the end of the file"));
        }
        Ok(SignedTimestamp { timestamp, text, signatures })
    }

    /// What it says.
    pub fn timestamp(&self) -> &Timestamp {
        &self.timestamp
    }

    /// What names it.
    pub fn digest(&self) -> Digest {
        hash_of_text(HEAD, &self.text)
    }

    /// Signs it.
    pub fn sign(&mut self, key: &SecretKey) {
        let one = TextSignature { key: key.public_key().id(), signature: key.sign(self.text.as_bytes()) };
        text::put(&mut self.signatures, one);
    }

    /// The bytes that are signed.
    pub fn signed_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Takes a signature that was made elsewhere.
    ///
    /// # Errors
    /// A signature that does not hold.
    pub fn add_signature(&mut self, key: &PublicKey, signature: [u8; 64]) -> Result<(), Error> {
        text::add(&mut self.signatures, &self.text, key, signature)
    }

    /// Takes the signatures of a copy that were made elsewhere; those of keys that signed this one stay.
    ///
    /// # Errors
    /// A timestamp that says something else.
    pub fn merge(&mut self, other: &SignedTimestamp) -> Result<(), Error> {
        if self.text != other.text {
            return Err(Error::new(ErrorKind::Timestamp, "these are two timestamps, not two copies of one"));
        }
        text::merge(&mut self.signatures, &other.signatures);
        Ok(())
    }

    /// Drops the signatures of keys that may sign no timestamps: anybody can add such, and a later root may list a key.
    pub fn drop_strangers(&mut self, chain: &RootChain) {
        let root = chain.newest().root();
        let may_sign =
            |id| root.keys.iter().any(|one| one.roles.contains(&Role::Timestamp) && one.key.id() == id);
        self.signatures.retain(|signature| may_sign(signature.key));
    }

    /// The file's text: what is signed, and the signatures.
    pub fn render(&self) -> String {
        format!("{}{}", self.text, render_signatures(&self.signatures))
    }

    /// Proves that those signed it who may, and enough of them (T2).
    ///
    /// # Errors
    /// Too few of them, wrong signatures, or a root by which nobody may.
    pub fn check_signed(&self, chain: &RootChain) -> Result<(), Error> {
        let signers = chain.newest().root().signers(Role::Timestamp);
        if signers.threshold == 0 {
            let text = "the root lists no key that may sign timestamps: `driven trust add --role timestamp` lists one";
            return Err(Error::new(ErrorKind::Timestamp, text));
        }
        signers.check("the timestamp", self.text.as_bytes(), &self.signatures).map(|_| ())
    }

    /// T3: about this pack.
    pub(super) fn check_subject(&self, chain: &RootChain, name: &str) -> Result<(), Error> {
        let pack = &self.timestamp.pack;
        if self.timestamp.chain != chain.newest().chain() || pack != name {
            let name = name.escape_debug();
            let text = format!("the timestamp is about `{pack}`, or of another root, and not about `{name}`");
            return Err(Error::new(ErrorKind::Timestamp, text));
        }
        Ok(())
    }

    /// T4: not expired.
    pub(super) fn check_expiry(&self, now: Option<u64>) -> Result<(), Error> {
        let Timestamp { issued, expires, .. } = self.timestamp;
        match now {
            // Clocks differ; a timestamp from far ahead would keep out all honest ones that follow.
            Some(now) if issued > now.saturating_add(MOST_AHEAD) => {
                let text = format!("the timestamp is issued in the future, on {}", render_time(issued));
                Err(Error::new(ErrorKind::Timestamp, text))
            }
            Some(now) if now >= expires => {
                let text = format!("the timestamp expired on {}", render_time(expires));
                Err(Error::new(ErrorKind::Expired, text))
            }
            _ => Ok(()),
        }
    }
}
