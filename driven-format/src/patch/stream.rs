//! The stream of a patch: operations as numbers, then their texts.

#[cfg(feature = "diff")]
use alloc::vec::Vec;

use super::edit::too_long;
use super::{Operation, Sort};
use crate::error::Error;
use crate::tables::utf8;
use crate::wire::{Digest, Record};

/// Bytes that are read from the front; nothing is taken that is not there.
#[derive(Clone, Copy)]
pub(super) struct Input<'s> {
    bytes: &'s [u8],
}

impl<'s> Input<'s> {
    pub(super) fn new(bytes: &'s [u8]) -> Self {
        Input { bytes }
    }

    pub(super) fn rest(&self) -> &'s [u8] {
        self.bytes
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'s [u8], Error> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or_else(cut_off)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    /// A varint: seven bits a byte, the lowest first.
    pub(super) fn number(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::damaged("a number is longer than it may be"))
    }

    pub(super) fn size(&mut self) -> Result<usize, Error> {
        usize::try_from(self.number()?).map_err(|_| cut_off())
    }

    /// A folded signed number.
    pub(super) fn signed(&mut self) -> Result<i64, Error> {
        let folded = self.number()?;
        Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }
}

#[cold]
fn cut_off() -> Error {
    Error::damaged("the patch is cut off")
}

/// The stream: where the operations are read, and where their texts.
pub(super) struct Stream<'s> {
    pub(super) operations: Input<'s>,
    texts: Input<'s>,
    /// Behind the row that was named last, by sort.
    rows: [i64; 3],
    /// What the records that are read may still take in the target, in bytes.
    room: usize,
}

/// An operation's first byte.
pub(super) struct Opening {
    pub(super) operation: Operation,
    pub(super) sort: Sort,
    pub(super) variant: u8,
}

impl<'s> Stream<'s> {
    /// A stream that leads to at most `limit` bytes.
    pub(super) fn new(bytes: &'s [u8], limit: usize) -> Result<Self, Error> {
        let mut input = Input::new(bytes);
        let len = input.size()?;
        let operations = Input::new(input.take(len)?);
        Ok(Stream { operations, texts: input, rows: [0; 3], room: limit })
    }

    pub(super) fn opening(&mut self) -> Result<Opening, Error> {
        let byte = self.operations.byte()?;
        let operation =
            Operation::from_code(byte & 0xF).ok_or_else(|| Error::damaged("an unknown operation"))?;
        let sort = match byte >> 4 & 3 {
            0 => Sort::Rule,
            1 => Sort::Persona,
            2 => Sort::Workflow,
            _ => Sort::Pack,
        };
        Ok(Opening { operation, sort, variant: byte >> 6 })
    }

    /// The row that an operation names.
    pub(super) fn row(&mut self, sort: Sort) -> Result<usize, Error> {
        let next = self.rows.get_mut(sort as usize).ok_or_else(|| Error::damaged("the pack has no rows"))?;
        let row = next.checked_add(self.operations.signed()?).and_then(|row| u32::try_from(row).ok());
        let row = row.ok_or_else(|| Error::damaged("a row that is not there"))?;
        *next = i64::from(row) + 1;
        Ok(row as usize)
    }

    /// Counts a record of the target, before it is made: in memory it takes three times as much, and in a packed stream next
    /// to nothing.
    pub(super) fn take_record(&mut self, len: usize) -> Result<(), Error> {
        self.room = self.room.checked_sub(len).ok_or_else(too_long)?;
        Ok(())
    }

    pub(super) fn bytes(&mut self) -> Result<&'s [u8], Error> {
        let len = self.operations.size()?;
        self.texts.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'s str, Error> {
        utf8(self.bytes()?, "patch").map_err(|_| Error::damaged("a text of the patch is not UTF-8"))
    }

    /// A digest, which lies among the texts.
    pub(super) fn digest(&mut self) -> Result<Digest, Error> {
        self.texts.take(Digest::SIZE).map(Digest::read)
    }

    /// Proves that everything was read.
    pub(super) fn end(&self) -> Result<(), Error> {
        if self.operations.rest().is_empty() && self.texts.rest().is_empty() {
            return Ok(());
        }
        Err(Error::damaged("something follows the last operation of the patch"))
    }
}

/// A stream as it is written.
#[cfg(feature = "diff")]
#[derive(Default)]
pub(super) struct Output {
    operations: Vec<u8>,
    texts: Vec<u8>,
    rows: [i64; 3],
}

#[cfg(feature = "diff")]
impl Output {
    pub(super) fn opening(&mut self, operation: Operation, sort: Sort, variant: u8) {
        self.operations.push(operation as u8 | (sort as u8) << 4 | variant << 6);
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.operations.push(byte);
    }

    pub(super) fn number(&mut self, value: u64) {
        put_number(&mut self.operations, value);
    }

    pub(super) fn signed(&mut self, value: i64) {
        self.number(fold(value));
    }

    pub(super) fn row(&mut self, sort: Sort, row: u32) {
        let next = &mut self.rows[sort as usize];
        let gap = i64::from(row) - *next;
        *next = i64::from(row) + 1;
        self.signed(gap);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.texts.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn digest(&mut self, digest: Digest) {
        self.texts.extend_from_slice(digest.as_bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut stream = Vec::with_capacity(self.operations.len() + self.texts.len() + 4);
        put_number(&mut stream, self.operations.len() as u64);
        stream.extend(self.operations);
        stream.extend(self.texts);
        stream
    }
}

/// Appends a varint.
#[cfg(feature = "diff")]
pub(super) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The number that a signed one is written as.
#[cfg(feature = "diff")]
pub(super) fn fold(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}
