//! Keys, and signing and verifying the statement of a pack.
//!
//! Ed25519 alone, and always the strict verification of `ed25519-dalek`. No file
//! and no clock. Law: `docs/FORMAT.md`, "Statement".

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, string::ToString};
use core::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};
use crate::signatures::{self, SignatureRecord, SignaturesRecord};
use crate::tables::Tables;
use crate::wire::{Digest, to_bytes};

/// What names a key in a pack: the first 16 bytes of its [fingerprint](PublicKey::fingerprint).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// An Ed25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads `SubjectPublicKeyInfo` in PEM.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let key = VerifyingKey::from_public_key_pem(pem.trim_start_matches('\u{FEFF}')).map_err(|err| {
            let hint = if pem.contains("PRIVATE KEY") {
                "; this is a private key, give the `.pub` file"
            } else {
                ""
            };
            Error::new(ErrorKind::Key, format!("no Ed25519 public key in PEM: {err}{hint}"))
        })?;
        if key.is_weak() {
            return Err(Error::new(ErrorKind::Key, "a weak public key: anybody could sign for it"));
        }
        Ok(PublicKey(key))
    }

    /// Writes `SubjectPublicKeyInfo` in PEM.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("32 bytes have a DER form")
    }

    /// The whole hash of the key, to be shown to people and compared.
    pub fn fingerprint(&self) -> Digest {
        let der = self.0.to_public_key_der().expect("32 bytes have a DER form");
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"driven key v1\0").update(der.as_bytes());
        Digest(*hasher.finalize().as_bytes())
    }

    /// The short name of the key in packs.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.fingerprint().0[..16]);
        KeyId(id)
    }

    /// Whether `signature` over `message` is this key's, by the strict rules.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// An Ed25519 private key; wiped from memory when dropped, and never shown.
pub struct SecretKey(SigningKey);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key().id())
    }
}

impl SecretKey {
    /// The key of a seed of 32 random bytes.
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        SecretKey(SigningKey::from_bytes(seed))
    }

    /// Reads PKCS#8 in PEM. The error never quotes the text.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        SigningKey::from_pkcs8_pem(pem.trim_start_matches('\u{FEFF}')).map(SecretKey).map_err(|_| {
            let hint = if pem.contains("ENCRYPTED") {
                "; it is encrypted, which is not read"
            } else if pem.contains("PUBLIC KEY") {
                "; this is a public key, give the `.key` file"
            } else {
                "; `driven keygen` makes one"
            };
            Error::new(ErrorKind::Key, format!("no Ed25519 private key as PKCS#8 in PEM{hint}"))
        })
    }

    /// Writes PKCS#8 version 1 in PEM, which OpenSSL reads too.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).expect("32 bytes have a DER form")
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    fn sign(&self, message: &[u8]) -> SignatureRecord {
        let signature = self.0.sign(message);
        SignatureRecord {
            key_id: self.public_key().id().0,
            signature: [*signature.r_bytes(), *signature.s_bytes()],
        }
    }
}

/// Signs a pack: gives its bytes with one more signature, or with this key's renewed.
///
/// Signatures over another expiry sign another statement, so they are dropped
/// when `expires` (seconds since 1970, 0 for never) differs from theirs.
pub fn sign(tables: &Tables<'_>, key: &SecretKey, expires: u64) -> Result<Vec<u8>, Error> {
    let own = key.sign(&tables.statement(expires));
    let kept = tables.signatures().iter().filter(|_| tables.expires().unwrap_or(0) == expires);
    let mut all: Vec<SignatureRecord> = kept.filter(|other| other.key_id != own.key_id).collect();
    all.push(own);
    all.sort_by_key(|signature| signature.key_id);
    if all.len() > signatures::MAX_SIGNATURES as usize {
        return Err(Error::new(ErrorKind::Model, "a pack has at most 64 signatures"));
    }
    Ok(with_signatures(tables, expires, &all))
}

/// The pack with these signatures instead of those it has.
fn with_signatures(tables: &Tables<'_>, expires: u64, signatures: &[SignatureRecord]) -> Vec<u8> {
    let head = SignaturesRecord {
        magic: signatures::SIGNATURES_MAGIC,
        count: signatures.len() as u32,
        reserved: 0,
        expires,
    };
    [tables.digested_bytes(), &to_bytes(&[head]), &to_bytes(signatures)].concat()
}

/// Proves that `key` signed the statement of the pack.
///
/// The statement names the root digest that the pack *states*; that the content
/// has it is for [`Tables::check_root`] and what follows it.
pub fn verify(tables: &Tables<'_>, key: &PublicKey) -> Result<(), Error> {
    let signatures = tables.signatures();
    if signatures.is_empty() {
        return Err(Error::new(ErrorKind::Unsigned, "the pack is not signed"));
    }
    let id = key.id();
    let Some(own) = signatures.iter().find(|signature| signature.key_id == id.0) else {
        let by = KeyId(signatures.at(0).key_id).to_string();
        return Err(Error::new(ErrorKind::UnknownKey, format!("the pack is signed by {by}, not by {id}")));
    };
    if key.verify(&tables.statement(tables.expires().unwrap_or(0)), &own.signature_bytes()) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Signature,
        format!("the signature by {id} does not hold: pack or signature was changed"),
    ))
}
