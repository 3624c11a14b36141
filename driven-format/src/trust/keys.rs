//! Keys: read, written, named, and the two things that they do.
//!
//! Ed25519 alone, and always the strict verification of `ed25519-dalek`. Law:
//! `docs/TRUST.md`, "Keys".

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};
use ed25519::pkcs8::KeypairBytes;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::text::hex;
use crate::error::{Error, ErrorKind};
use crate::wire::Digest;

/// What an OpenSSH key begins with: its type, and the length of the 32 bytes that end it.
const OPENSSH_HEAD: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
const OPENSSH_LEN: usize = 51;
/// What a minisign key begins with; a number of eight bytes and the key follow.
const MINISIGN_HEAD: &[u8] = b"Ed";
const MINISIGN_LEN: usize = 42;

/// What names a key in a pack: the first 16 bytes of its [fingerprint](PublicKey::fingerprint).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
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
    /// Reads a public key in any form that is known: `SubjectPublicKeyInfo` in PEM, a line of OpenSSH, or minisign's.
    ///
    /// # Errors
    /// Another text, a key of another kind, or one that anybody could sign for.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let text = text.trim_start_matches('\u{FEFF}');
        if text.trim_start().starts_with("-----BEGIN") {
            return PublicKey::from_pem(text);
        }
        // `TYPE KEY COMMENT` of OpenSSH; minisign has the key alone, below a comment.
        let mut lines = text.lines().filter(|line| !line.starts_with("untrusted comment:"));
        let line = lines.find(|line| !line.trim().is_empty()).unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        let key = match words.next() {
            Some(blob) if first == "ssh-ed25519" => {
                decode(blob, OPENSSH_LEN).filter(|blob| blob.starts_with(OPENSSH_HEAD))
            }
            None => decode(first, MINISIGN_LEN).filter(|blob| blob.starts_with(MINISIGN_HEAD)),
            _ => None,
        };
        match key.as_ref().and_then(|blob| blob.last_chunk()) {
            Some(key) => PublicKey::from_bytes(key),
            None => Err(Error::new(
                ErrorKind::Key,
                "no Ed25519 public key: expected PEM (`BEGIN PUBLIC KEY`), `ssh-ed25519 ...` or a key of minisign",
            )),
        }
    }

    /// Takes the 32 bytes of a key, as RFC 8032 writes it.
    ///
    /// # Errors
    /// Bytes that are no point, or one that anybody could sign for.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        let key = VerifyingKey::from_bytes(bytes);
        let key =
            key.map_err(|_| Error::new(ErrorKind::Key, "no Ed25519 public key: the bytes are no point"))?;
        PublicKey::strong(key)
    }

    fn strong(key: VerifyingKey) -> Result<Self, Error> {
        if key.is_weak() {
            return Err(Error::new(ErrorKind::Key, "a weak public key: anybody could sign for it"));
        }
        Ok(PublicKey(key))
    }

    /// The 32 bytes of the key.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    fn from_pem(pem: &str) -> Result<Self, Error> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|err| {
            let hint = if pem.contains("PRIVATE KEY") {
                "; this is a private key, give the `.pub` file"
            } else {
                ""
            };
            Error::new(ErrorKind::Key, format!("no Ed25519 public key in PEM: {err}{hint}"))
        })?;
        PublicKey::strong(key)
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

    /// The signature over `message`: R, then S.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// Base64 of exactly so many bytes.
fn decode(text: &str, len: usize) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok().filter(|bytes| bytes.len() == len)
}
