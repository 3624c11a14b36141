//! The hash behind the id index and the path tables.
//!
//! Part of the format: writer and reader must agree on every bit of it. After
//! wyhash (Wang Yi, public domain): two 8-byte words at a time, mixed by a
//! multiplication of 64 by 64 bits. Not for secrets and not against collisions
//! made on purpose: a look-up always compares the text itself.

const K0: u64 = 0xa076_1d64_78bd_642f;
const K1: u64 = 0xe703_7ed1_a0b4_28db;

/// The two halves of `a * b`, folded by exclusive or.
#[inline]
pub(crate) const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    (product as u64) ^ ((product >> 64) as u64)
}

/// Spreads the bits of `value`.
#[inline]
pub(crate) const fn mix(value: u64) -> u64 {
    fold(value ^ K0, K1)
}

/// Maps a hash to `0..len` without a division.
#[inline]
pub(crate) const fn reduce(hash: u64, len: u32) -> u32 {
    (((hash >> 32) * len as u64) >> 32) as u32
}

/// Hashes a string.
#[inline]
pub(crate) fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut state = seed ^ K0;
    let mut rest = bytes;
    while rest.len() > 16 {
        let (head, tail) = rest.split_at(16);
        state = fold(first_word(head) ^ K1, last_word(head) ^ state);
        rest = tail;
    }
    fold(K1 ^ bytes.len() as u64, fold(first_word(rest) ^ K1, last_word(rest) ^ state))
}

/// The first eight bytes, the first of them lowest; shorter text is filled with zeros above.
#[inline]
pub(crate) fn first_word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => short_word(bytes),
    }
}

/// The last eight bytes, the last of them highest; shorter text is filled with zeros below.
#[inline]
pub(crate) fn last_word(bytes: &[u8]) -> u64 {
    match bytes.last_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None if bytes.is_empty() => 0,
        None => short_word(bytes) << (8 * (8 - bytes.len())),
    }
}

/// At most seven bytes: two loads that overlap instead of a loop.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) | u64::from(last) << (8 * (len - 4));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let (first, last) = (u16::from_le_bytes(*first), u16::from_le_bytes(*last));
        return u64::from(first) | u64::from(last) << (8 * (len - 2));
    }
    bytes.first().map_or(0, |&byte| u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_bytes_in_order() {
        for len in 0..=12usize {
            let text = &b"abcdefghijkl"[..len];
            let mut first = [0; 8];
            let mut last = [0; 8];
            let kept = len.min(8);
            first[..kept].copy_from_slice(&text[..kept]);
            last[8 - kept..].copy_from_slice(&text[len - kept..]);
            assert_eq!(first_word(text), u64::from_le_bytes(first), "first of {len}");
            assert_eq!(last_word(text), u64::from_le_bytes(last), "last of {len}");
        }
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let text: std::vec::Vec<u8> = (1..=70).collect();
        for len in 0..text.len() {
            let plain = hash(&text[..len], 7);
            assert_ne!(plain, hash(&text[..=len], 7), "length {len}");
            for at in 0..len {
                let mut other = text[..len].to_vec();
                other[at] ^= 1;
                assert_ne!(plain, hash(&other, 7), "byte {at} of {len}");
            }
        }
    }

    /// The values are frozen: packs in the field were indexed with them.
    #[test]
    fn values_never_change() {
        assert_eq!(hash(b"", 0), 0x42bc_986d_c5ee_c4d3);
        assert_eq!(hash(b"error-handling", 1), hash(b"error-handling", 1));
    }
}
