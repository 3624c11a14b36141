//! Signing the statement of a pack, and bringing signatures together.
//!
//! Law: `docs/FORMAT.md`, "Signature block" and "Statement".

use alloc::format;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding};

use super::keys::{KeyId, PublicKey, SecretKey};
use super::text::{self, TextSignature};
use crate::error::{Error, ErrorKind};
use crate::signatures::{self, MAX_SIGNATURES, SignatureRecord, SignaturesRecord};
use crate::tables::Tables;
use crate::wire::{Table, to_bytes};

/// Who signs: a key at hand, or somebody who gives a public key and a signature.
#[derive(Debug)]
pub enum Signer<'k> {
    /// A private key.
    Key(&'k SecretKey),
    /// A signature that was made elsewhere.
    Made(&'k PublicKey, [u8; 64]),
}

/// Signs a pack: gives its bytes with one more signature, or with this key's renewed.
///
/// Whoever signs vouches for every digest that the pack states: [`Tables::prove`] computes them.
///
/// `expires` is in seconds since 1970, 0 for never.
///
/// # Errors
/// A pack with signatures over another expiry, which is another statement; more than 64 signatures.
pub fn sign(tables: &Tables<'_>, key: &SecretKey, expires: u64) -> Result<Vec<u8>, Error> {
    add_signature(tables, &Signer::Key(key), expires)
}

/// As [`sign`], by a key or with a signature that was made elsewhere.
///
/// # Errors
/// As [`sign`]; and a signature that does not hold.
pub fn add_signature(tables: &Tables<'_>, signer: &Signer<'_>, expires: u64) -> Result<Vec<u8>, Error> {
    let statement = tables.statement(expires);
    let one = match signer {
        Signer::Key(key) => TextSignature { key: key.public_key().id(), signature: key.sign(&statement) },
        Signer::Made(key, signature) if key.verify(&statement, signature) => {
            TextSignature { key: key.id(), signature: *signature }
        }
        Signer::Made(key, _) => {
            let text = format!("the signature by {} is not one over this pack's statement", key.id());
            return Err(Error::new(ErrorKind::Signature, text));
        }
    };
    let mut all = of(tables);
    if !all.is_empty() && tables.expires().unwrap_or(0) != expires {
        return Err(Error::new(
            ErrorKind::Model,
            "the pack has signatures with another expiry, and one pack has one: sign with theirs, or drop them",
        ));
    }
    text::put(&mut all, one);
    with_signatures(tables, expires, &all)
}

/// Reads a signature as tools print it: its 64 bytes, or these in hex or in base64.
pub fn read_signature(printed: &[u8]) -> Option<[u8; 64]> {
    if let Ok(raw) = printed.try_into() {
        return Some(raw);
    }
    let text = core::str::from_utf8(printed).ok()?.trim();
    text::from_hex(text).or_else(|| {
        let bytes = Base64::decode_vec(text).ok()?;
        bytes.try_into().ok()
    })
}

/// The signatures of a pack.
pub(super) fn of(tables: &Tables<'_>) -> Vec<TextSignature> {
    let one = |record: SignatureRecord| TextSignature {
        key: KeyId(record.key_id),
        signature: record.signature_bytes(),
    };
    tables.signatures().iter().map(one).collect()
}

/// The pack with these signatures instead of those it has; with none it is unsigned.
///
/// # Errors
/// More than 64 signatures.
pub fn with_signatures(
    tables: &Tables<'_>,
    expires: u64,
    signatures: &[TextSignature],
) -> Result<Vec<u8>, Error> {
    if signatures.is_empty() {
        return Ok(tables.digested_bytes().to_vec());
    }
    if signatures.len() > MAX_SIGNATURES as usize {
        return Err(Error::new(ErrorKind::Model, "a pack has at most 64 signatures"));
    }
    let head = SignaturesRecord {
        magic: signatures::SIGNATURES_MAGIC,
        count: signatures.len() as u32,
        reserved: 0,
        expires,
    };
    let record = |one: &TextSignature| {
        let mut halves = [[0; 32]; 2];
        halves.as_flattened_mut().copy_from_slice(&one.signature);
        SignatureRecord { key_id: one.key.0, signature: halves }
    };
    let records: Vec<SignatureRecord> = signatures.iter().map(record).collect();
    Ok([tables.digested_bytes(), &to_bytes(&[head]), &to_bytes(&records)].concat())
}

/// The signatures of a pack as bytes of their own, to be kept beside it or sent to be merged.
pub fn detach(tables: &Tables<'_>) -> Vec<u8> {
    tables.signature_bytes().to_vec()
}

/// Brings detached signatures together with those that the pack has.
///
/// # Errors
/// Bytes that are no signatures, another expiry, or two signatures by one key.
pub fn attach(tables: &Tables<'_>, detached: &[u8]) -> Result<Vec<u8>, Error> {
    signatures::check(detached)?;
    let Some((head, records)) = detached.split_at_checked(signatures::HEAD) else {
        return Err(Error::new(ErrorKind::Unsigned, "there are no signatures to attach"));
    };
    let expires = <SignaturesRecord as crate::wire::Record>::read(head).expires;
    let mut all = of(tables);
    if !all.is_empty() && tables.expires().unwrap_or(0) != expires {
        return Err(Error::new(
            ErrorKind::Model,
            "the signatures sign another expiry than those of the pack: one pack has one",
        ));
    }
    let records: Table<'_, SignatureRecord> = Table::new(records);
    for record in records.iter() {
        let one = TextSignature { key: KeyId(record.key_id), signature: record.signature_bytes() };
        match all.iter().find(|other| other.key == one.key) {
            // Ed25519 signs in one way: two signatures of one statement by one key do not both hold.
            Some(other) if *other != one => {
                let text = format!(
                    "there are two signatures by {}, which can't both be over this pack: one may be over another version",
                    one.key
                );
                return Err(Error::new(ErrorKind::Signature, text));
            }
            _ => text::put(&mut all, one),
        }
    }
    with_signatures(tables, expires, &all)
}
