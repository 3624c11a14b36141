//! The signature block: what follows the digested part of a signed pack.
//!
//! Proves its shape alone; whether a signature holds is for `trust`. Law:
//! `docs/FORMAT.md`, "Signature block".

use alloc::format;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind};
use crate::tables::Tables;
use crate::wire::{Record, Table, records};

/// The first eight bytes of a signature block.
pub(crate) const SIGNATURES_MAGIC: [u8; 8] = *b"DRVSIGN\n";
/// The most signatures that a pack may have.
pub const MAX_SIGNATURES: u32 = 64;

records! {
    /// The head of the signature block; the signatures follow it to the end of the pack.
    pub struct SignaturesRecord {
        /// `DRVSIGN\n`.
        pub magic: [u8; 8],
        /// How many signatures.
        pub count: u32,
        /// Zero.
        pub reserved: u32,
        /// When the statement ends to hold, in seconds since 1970; 0 for never.
        pub expires: u64,
    }
}

records! {
    /// One signature of the statement.
    pub struct SignatureRecord {
        /// Which key.
        pub key_id: [u8; 16],
        /// The Ed25519 signature: R, then S.
        pub signature: [[u8; 32]; 2],
    }
}

impl SignatureRecord {
    /// The signature as RFC 8032 writes it: R, then S.
    pub fn signature_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let (r, s) = bytes.split_at_mut(32);
        r.copy_from_slice(&self.signature[0]);
        s.copy_from_slice(&self.signature[1]);
        bytes
    }
}

pub(crate) const HEAD: usize = SignaturesRecord::SIZE;

/// Proves the shape of what follows the digested part: nothing, or one whole block.
pub(crate) fn check(block: &[u8]) -> Result<(), Error> {
    if block.is_empty() {
        return Ok(());
    }
    let Some((head, entries)) = block.split_at_checked(HEAD) else {
        return Err(Error::new(ErrorKind::Truncated, "signatures: the block is cut off"));
    };
    let head = SignaturesRecord::read(head);
    if head.magic != SIGNATURES_MAGIC || head.reserved != 0 {
        return Err(Error::malformed("signatures: something else follows the digested part"));
    }
    let count = head.count;
    if count == 0 || count > MAX_SIGNATURES {
        return Err(Error::malformed(format!("signatures: {count} of them, expected 1 to {MAX_SIGNATURES}")));
    }
    if entries.len() != count as usize * SignatureRecord::SIZE {
        return Err(Error::new(
            ErrorKind::Truncated,
            "signatures: the block has not the length that it states",
        ));
    }
    let entries: Table<'_, SignatureRecord> = Table::new(entries);
    if !entries.iter().is_sorted_by(|a, b| a.key_id < b.key_id) {
        return Err(Error::malformed("signatures: they are not sorted by key, each key once"));
    }
    Ok(())
}

impl<'a> Tables<'a> {
    fn signatures_head(&self) -> Option<SignaturesRecord> {
        self.signature_bytes().get(..HEAD).map(SignaturesRecord::read)
    }

    /// The signatures, sorted by key id.
    pub fn signatures(&self) -> Table<'a, SignatureRecord> {
        Table::new(self.signature_bytes().get(HEAD..).unwrap_or_default())
    }

    /// When the signed statement ends to hold, in seconds since 1970.
    pub fn expires(&self) -> Option<u64> {
        self.signatures_head().map(|head| head.expires).filter(|&expires| expires != 0)
    }

    /// The statement that every signature of the pack signs, with this expiry (0 for none).
    pub fn statement(&self, expires: u64) -> Vec<u8> {
        let manifest = self.manifest();
        let mut statement = b"driven pack statement v1\0".to_vec();
        statement.extend_from_slice(&u32::from(self.format_version()).to_le_bytes());
        statement.extend_from_slice(&(manifest.name().len() as u32).to_le_bytes());
        statement.extend_from_slice(manifest.name().as_bytes());
        statement.extend_from_slice(&manifest.version().to_le_bytes());
        statement.extend_from_slice(&expires.to_le_bytes());
        statement.extend_from_slice(self.root_digest().as_bytes());
        statement.extend_from_slice(&(self.digested_len() as u64).to_le_bytes());
        statement
    }
}
