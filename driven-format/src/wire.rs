//! Records and references as they lie in a pack.
//!
//! A record is read field by field from little-endian bytes, which compiles to
//! plain loads where the machine allows them and is right at every address on
//! every machine: no cast, no alignment, no `unsafe`. Knows nothing of what the
//! numbers mean.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

/// Something of fixed size on the wire.
pub trait Record: Copy {
    /// How many bytes it takes.
    const SIZE: usize;

    /// Reads it from the front of `bytes`, which are at least [`SIZE`](Self::SIZE) long.
    fn read(bytes: &[u8]) -> Self;

    /// Reads it at `at`, with at least [`SIZE`](Self::SIZE) bytes from there on. No slice is taken: that is a chain of
    /// calls where nothing is optimised.
    fn read_at<const N: usize>(bytes: &[u8; N], at: usize) -> Self;

    /// Writes it to the front of `out`, which is at least [`SIZE`](Self::SIZE) long.
    fn put(self, out: &mut [u8]);

    /// Appends its bytes.
    fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + Self::SIZE, 0);
        self.put(&mut out[start..]);
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl Record for $int {
            const SIZE: usize = size_of::<$int>();

            #[inline(always)]
            fn read(bytes: &[u8]) -> Self {
                match bytes.first_chunk() {
                    Some(chunk) => <$int>::from_le_bytes(*chunk),
                    None => unreachable!("callers give whole records"),
                }
            }

            #[inline(always)]
            fn read_at<const N: usize>(bytes: &[u8; N], at: usize) -> Self {
                let mut own = [0; size_of::<$int>()];
                let mut index = 0;
                while index < size_of::<$int>() {
                    own[index] = bytes[at + index];
                    index += 1;
                }
                <$int>::from_le_bytes(own)
            }

            #[inline(always)]
            fn put(self, out: &mut [u8]) {
                out[..Self::SIZE].copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

integers!(u8 u16 u32 u64);

impl<T: Record + Default, const N: usize> Record for [T; N] {
    const SIZE: usize = N * T::SIZE;

    #[inline(always)]
    fn read(bytes: &[u8]) -> Self {
        let mut all = [T::default(); N];
        for (one, bytes) in all.iter_mut().zip(bytes.chunks_exact(T::SIZE)) {
            *one = T::read(bytes);
        }
        all
    }

    #[inline(always)]
    fn read_at<const M: usize>(bytes: &[u8; M], at: usize) -> Self {
        let mut all = [T::default(); N];
        let mut index = 0;
        while index < N {
            all[index] = T::read_at(bytes, at + index * T::SIZE);
            index += 1;
        }
        all
    }

    #[inline(always)]
    fn put(self, out: &mut [u8]) {
        for (one, out) in self.into_iter().zip(out.chunks_exact_mut(T::SIZE)) {
            one.put(out);
        }
    }
}

/// Declares records: the fields lie in this order, without gaps.
macro_rules! records {
    ($(
        $(#[$doc:meta])*
        pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $type:ty,)* }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl $name {
            /// Name and size in bytes of every field, in order.
            pub const FIELDS: &'static [(&'static str, usize)] =
                &[$((stringify!($field), <$type as $crate::wire::Record>::SIZE)),*];
        }

        impl $crate::wire::Record for $name {
            const SIZE: usize = 0 $(+ <$type as $crate::wire::Record>::SIZE)*;

            #[inline(always)]
            fn read(bytes: &[u8]) -> Self {
                match bytes.first_chunk::<{ <$name as $crate::wire::Record>::SIZE }>() {
                    Some(record) => Self::read_at(record, 0),
                    None => unreachable!("callers give whole records"),
                }
            }

            #[inline(always)]
            fn read_at<const N: usize>(bytes: &[u8; N], at: usize) -> Self {
                $(
                    let $field = <$type as $crate::wire::Record>::read_at(bytes, at);
                    let at = at + <$type as $crate::wire::Record>::SIZE;
                )*
                let _ = at;
                $name { $($field,)* }
            }

            #[inline(always)]
            fn put(self, out: &mut [u8]) {
                let rest = &mut out[..Self::SIZE];
                $(
                    let ($field, rest) = rest.split_at_mut(<$type as $crate::wire::Record>::SIZE);
                    $crate::wire::Record::put(self.$field, $field);
                )*
                let _ = rest;
            }
        }
    )*};
}
pub(crate) use records;

/// A table of records, in place.
pub struct Table<'a, R> {
    bytes: &'a [u8],
    record: PhantomData<R>,
}

impl<R> Clone for Table<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Table<'_, R> {}

impl<R: Record + fmt::Debug> fmt::Debug for Table<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, R: Record> Table<'a, R> {
    /// The table in `bytes`; a last record that is cut off does not count.
    #[inline(always)]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Table { bytes, record: PhantomData }
    }

    /// How many records.
    #[inline(always)]
    pub const fn len(&self) -> usize {
        self.bytes.len() / R::SIZE
    }

    /// Whether there is none.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The record at `index`.
    #[inline(always)]
    pub fn get(&self, index: usize) -> Option<R> {
        let start = index.checked_mul(R::SIZE)?;
        self.bytes.get(start..)?.get(..R::SIZE).map(R::read)
    }

    /// The record at `index`, which is in the table.
    #[inline(always)]
    pub(crate) fn at(&self, index: usize) -> R {
        R::read(&self.bytes[index * R::SIZE..][..R::SIZE])
    }

    /// `len` records from `start` on, which are in the table.
    #[inline(always)]
    pub(crate) fn part(&self, start: u32, len: u32) -> Table<'a, R> {
        Table::new(&self.bytes[start as usize * R::SIZE..][..len as usize * R::SIZE])
    }

    /// `len` records from `start` on.
    pub(crate) fn try_part(&self, start: u32, len: u32) -> Option<Table<'a, R>> {
        let end = (start as usize).checked_add(len as usize)?;
        (end <= self.len()).then(|| self.part(start, len))
    }

    /// The bytes of all records.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of the first record, and the other records.
    #[inline(always)]
    pub(crate) fn split_first_raw(&self) -> Option<(&'a [u8], Table<'a, R>)> {
        let (first, rest) = self.bytes.split_at_checked(R::SIZE)?;
        Some((first, Table::new(rest)))
    }

    /// The records in front, up to the first that is `beyond`; they are sorted by that.
    pub(crate) fn before(&self, beyond: impl Fn(&R) -> bool) -> Table<'a, R> {
        let len = self.iter().position(|record| beyond(&record)).unwrap_or(self.len());
        self.part(0, len as u32)
    }

    /// The bytes of each record in order, for those who look at a part of it first.
    #[inline(always)]
    pub(crate) fn raw(&self) -> core::slice::ChunksExact<'a, u8> {
        self.bytes.chunks_exact(R::SIZE)
    }

    /// The records in order.
    #[inline(always)]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = R> + DoubleEndedIterator + Clone + use<'a, R> {
        self.bytes.chunks_exact(R::SIZE).map(R::read)
    }
}

/// The bytes of records, one after another.
pub(crate) fn to_bytes<R: Record>(records: &[R]) -> Vec<u8> {
    let mut bytes = vec![0; records.len() * R::SIZE];
    for (record, out) in records.iter().zip(bytes.chunks_exact_mut(R::SIZE)) {
        record.put(out);
    }
    bytes
}

/// A 24-bit unsigned integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct U24(u32);

impl U24 {
    /// The largest value: 16 MiB less one.
    pub const MAX: u32 = 0x00FF_FFFF;

    /// Stores `value`, or nothing when it needs more than 24 bits.
    pub const fn new(value: u32) -> Option<Self> {
        if value > Self::MAX { None } else { Some(U24(value)) }
    }

    /// The value.
    #[inline(always)]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Record for U24 {
    const SIZE: usize = 3;

    #[inline(always)]
    fn read(bytes: &[u8]) -> Self {
        U24(u32::from(u16::read(bytes)) | u32::from(bytes[2]) << 16)
    }

    #[inline(always)]
    fn read_at<const N: usize>(bytes: &[u8; N], at: usize) -> Self {
        U24(u32::from(u16::read_at(bytes, at)) | u32::from(bytes[at + 2]) << 16)
    }

    #[inline(always)]
    fn put(self, out: &mut [u8]) {
        out[..3].copy_from_slice(&self.0.to_le_bytes()[..3]);
    }
}

records! {
    /// A string in the names area: where it starts and how many bytes it has.
    pub struct StrRef {
        /// Offset in the names area, in bytes.
        pub offset: u32,
        /// Length in bytes.
        pub len: u32,
    }
}

impl StrRef {
    /// Whether the range lies in `names` and cuts no character.
    #[inline]
    pub(crate) fn is_in(self, names: &str) -> bool {
        let start = self.offset as usize;
        match start.checked_add(self.len as usize) {
            Some(end) => names.is_char_boundary(start) && names.is_char_boundary(end),
            None => false,
        }
    }

    /// The string. The range was proved when the tables were checked.
    #[inline]
    pub(crate) fn of(self, names: &str) -> &str {
        let start = self.offset as usize;
        &names[start..start + self.len as usize]
    }
}

/// How many bytes the strings of a pack may have, each as often as it is referred to, beyond those of its names.
///
/// References are short and what they name may be long: without a bound a small pack could ask for years of hashing.
const MAX_REPEATED: u64 = 256 << 20;

/// Whether strings of `referred` bytes, each as often as it is referred to, may be those of these names.
pub(crate) fn may_refer_to(referred: u64, names: &str) -> bool {
    referred <= MAX_REPEATED + names.len() as u64
}

/// A BLAKE3 digest of 32 bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Record for Digest {
    const SIZE: usize = 32;

    #[inline(always)]
    fn read(bytes: &[u8]) -> Self {
        Digest(Record::read(bytes))
    }

    #[inline(always)]
    fn read_at<const N: usize>(bytes: &[u8; N], at: usize) -> Self {
        Digest(Record::read_at(bytes, at))
    }

    #[inline(always)]
    fn put(self, out: &mut [u8]) {
        out[..32].copy_from_slice(&self.0);
    }
}

impl Digest {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = (high * 16 + low) as u8;
        }
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Reads a `u32` at `at`, in a context where the bytes were measured before.
#[inline]
pub(crate) const fn u32_at(bytes: &[u8], at: usize) -> u32 {
    match bytes.split_at(at).1.first_chunk() {
        Some(chunk) => u32::from_le_bytes(*chunk),
        None => panic!("the bytes were measured"),
    }
}

/// Reads two `u32`s at `at`, as [`u32_at`].
#[inline]
pub(crate) const fn u32_pair_at(bytes: &[u8], at: usize) -> (u32, u32) {
    match bytes.split_at(at).1.first_chunk() {
        Some(chunk) => {
            let pair = u64::from_le_bytes(*chunk);
            (pair as u32, (pair >> 32) as u32)
        }
        None => panic!("the bytes were measured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_values_and_byte_order() {
        let mut bytes = Vec::new();
        StrRef { offset: 0x0102_0304, len: 5 }.write(&mut bytes);
        assert_eq!(bytes, [4, 3, 2, 1, 5, 0, 0, 0]);
        assert_eq!(StrRef::read(&bytes), StrRef { offset: 0x0102_0304, len: 5 });
        assert_eq!(U24::new(U24::MAX + 1), None);
        let mut bytes = Vec::new();
        U24::new(0x0001_0203).expect("24 bits").write(&mut bytes);
        assert_eq!((bytes.as_slice(), U24::read(&bytes).get()), ([3, 2, 1].as_slice(), 0x0001_0203));
    }

    #[test]
    fn a_reference_never_cuts_a_character() {
        let names = "aé";
        assert!(StrRef { offset: 0, len: 3 }.is_in(names));
        assert!(!StrRef { offset: 0, len: 2 }.is_in(names));
        assert!(!StrRef { offset: 3, len: 1 }.is_in(names));
        assert!(!StrRef { offset: u32::MAX, len: u32::MAX }.is_in(names));
    }

    #[test]
    fn digests_read_back_from_hexadecimal() {
        let digest = Digest([0xA7; 32]);
        let text = std::format!("{digest}");
        assert_eq!(Digest::from_hex(&text), Some(digest));
        assert_eq!(Digest::from_hex(&text[1..]), None);
        assert_eq!(Digest::from_hex(&text.replace('a', "g")), None);
    }
}
