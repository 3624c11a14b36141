//! Whether enough of the keys that count signed some bytes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::keys::{KeyId, PublicKey};
use super::text::TextSignature;
use crate::error::{Error, ErrorKind};
use crate::wire::Digest;

/// How many keys an error names.
const SHOWN: usize = 8;

/// The keys that count for something, and how many of them must sign.
#[derive(Clone, Debug)]
pub(super) struct Signers {
    /// Keys with their names; no key twice.
    pub(super) keys: Vec<(PublicKey, String)>,
    pub(super) threshold: u32,
    /// Fingerprints of keys that count no more.
    pub(super) revoked: Vec<Digest>,
}

impl Signers {
    /// The keys that signed `message`, when they are enough.
    ///
    /// Signatures of other keys are passed over; one of these keys that does not hold is refused.
    pub(super) fn check(
        &self,
        what: &str,
        message: &[u8],
        signatures: &[TextSignature],
    ) -> Result<Vec<KeyId>, Error> {
        if signatures.is_empty() {
            return Err(Error::new(ErrorKind::Unsigned, format!("{what} is not signed")));
        }
        let mut good = Vec::new();
        for (key, name) in &self.keys {
            let id = key.id();
            let Some(own) = signatures.iter().find(|signature| signature.key == id) else { continue };
            if !key.verify(message, &own.signature) {
                let text = format!("{what}: the signature by {} does not hold", shown(id, name));
                return Err(Error::new(ErrorKind::Signature, text));
            }
            good.push(id);
        }
        if good.len() >= self.threshold as usize {
            return Ok(good);
        }
        Err(self.too_few(what, &good, signatures))
    }

    fn too_few(&self, what: &str, good: &[KeyId], signatures: &[TextSignature]) -> Error {
        let gone = |signature: &&TextSignature| {
            self.revoked.iter().any(|fingerprint| fingerprint.0.starts_with(&signature.key.0))
        };
        let (found, asked) = (good.len(), self.threshold);
        let missing = self.keys.iter().filter(|(key, _)| !good.contains(&key.id()));
        let missing: Vec<String> = missing.take(SHOWN).map(|(key, name)| shown(key.id(), name)).collect();
        let missing = missing.join(" or ");
        if let Some(revoked) = signatures.iter().find(gone) {
            let text = format!(
                "{what} is signed by {}, which was revoked; {found} of {asked} keys are left, missing is {missing}",
                revoked.key
            );
            return Error::new(ErrorKind::Revoked, text);
        }
        if found > 0 {
            let text = format!(
                "{what} is signed by {found} of the {asked} keys that it needs, missing is {missing}"
            );
            return Error::new(ErrorKind::TooFewKeys, text);
        }
        let by: Vec<String> = signatures.iter().take(SHOWN).map(|one| one.key.to_string()).collect();
        let text = format!("{what} is signed by {}, not by {missing}", by.join(", "));
        Error::new(ErrorKind::UnknownKey, text)
    }
}

/// A key as people are shown it.
pub(super) fn shown(id: KeyId, name: &str) -> String {
    if name.is_empty() { id.to_string() } else { format!("{id} ({name})") }
}
