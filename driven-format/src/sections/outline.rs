//! The outline: headings and list items of a body, as ranges of it.
//!
//! Records of eight bytes, each placed by its distance from the one before; a
//! body's first record counts from the body's start. A record is one word: it
//! is proved and read without a branch. Law: `docs/FORMAT.md`, "Outline".

use alloc::format;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind};
use crate::model::{NodeKind, OutlineNode};
use crate::wire::{Record, Table, U24, records};

/// The deepest level that a node may have.
pub const MAX_LEVEL: u8 = 15;
/// The longest body, in bytes.
pub const MAX_BODY: usize = U24::MAX as usize;

/// The highest code of a kind.
const MAX_KIND: u8 = 4;

records! {
    /// One node.
    pub struct OutlineRecord {
        /// Distance from the start of the node before, in bytes.
        pub gap: u32,
        /// Length of the node in bytes.
        pub len: U24,
        /// Kind in the upper four bits, level in the lower.
        pub tag: u8,
    }
}

/// The nodes of one body, in order.
#[derive(Clone, Copy, Debug)]
pub struct Nodes<'a> {
    records: Table<'a, OutlineRecord>,
    at: u32,
}

impl<'a> Nodes<'a> {
    /// The nodes of an outline as it is laid out, which was proved.
    #[doc(hidden)]
    #[inline]
    pub const fn of_bytes(bytes: &'a [u8]) -> Self {
        Nodes { records: Table::new(bytes), at: 0 }
    }
}

impl Iterator for Nodes<'_> {
    type Item = OutlineNode;

    #[inline]
    fn next(&mut self) -> Option<OutlineNode> {
        let (first, rest) = self.records.split_first_raw()?;
        self.records = rest;
        Some(step(&mut self.at, first))
    }

    #[inline]
    fn fold<B, F: FnMut(B, OutlineNode) -> B>(self, init: B, mut f: F) -> B {
        let mut at = self.at;
        self.records.raw().fold(init, |value, record| f(value, step(&mut at, record)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.records.len(), Some(self.records.len()))
    }
}

impl ExactSizeIterator for Nodes<'_> {}

/// Moves on to a record's node; one load gives it whole.
#[inline(always)]
fn step(at: &mut u32, record: &[u8]) -> OutlineNode {
    let word = u64::read(record);
    let (gap, len, tag) = (word as u32, (word >> 32) as u32 & U24::MAX, (word >> 56) as u8);
    *at = at.wrapping_add(gap);
    let kind = match tag >> 4 {
        1 => NodeKind::Section,
        2 => NodeKind::Title,
        3 => NodeKind::Bullet,
        // Other codes were refused when the body was proved.
        _ => NodeKind::Numbered,
    };
    OutlineNode { kind, level: tag & MAX_LEVEL, start: *at, len }
}

/// Appends the records of the nodes of one body.
pub(crate) fn encode(nodes: &[OutlineNode], body: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut at = 0;
    for node in nodes {
        let refuse = |why| Error::new(ErrorKind::Model, format!("outline node at {}: {why}", node.start));
        let gap = node.start.checked_sub(at).ok_or_else(|| refuse("nodes are not in order"))?;
        if body.get(node.range()).is_none() {
            return Err(refuse("it is no range of the body"));
        }
        if node.level > MAX_LEVEL {
            return Err(refuse("its level is above 15"));
        }
        let len = U24::new(node.len).ok_or_else(|| refuse("the body is too long"))?;
        OutlineRecord { gap, len, tag: node.kind.code() << 4 | node.level }.write(out);
        at = node.start;
    }
    Ok(())
}

/// Proves kinds, and that every node is a range of a body that cuts no character.
///
/// `is_ascii` says that no range of the body can cut a character. The loops have no branch that depends on the
/// data: what is wrong is summed up and told at the end.
#[inline]
pub(crate) fn check(records: Table<'_, OutlineRecord>, bytes: &[u8], is_ascii: bool) -> Result<(), Error> {
    let (mut at, mut furthest, mut strange, mut cut) = (0_u64, 0_u64, 0_u8, false);
    // The first byte of a character is no continuation byte; nor may the body end within one.
    let cuts = |at: u64| bytes.get(at as usize).is_some_and(|&byte| byte & 0xC0 == 0x80);
    let (records, _) = records.bytes().as_chunks::<{ OutlineRecord::SIZE }>();
    for record in records {
        let word = u64::from_le_bytes(*record);
        let (gap, len, tag) = (word as u32, (word >> 32) as u32 & U24::MAX, (word >> 56) as u8);
        at += u64::from(gap);
        let end = at + u64::from(len);
        furthest = furthest.max(end);
        strange |= u8::from(tag.wrapping_sub(0x10) >= MAX_KIND << 4);
        if !is_ascii {
            cut |= cuts(at) | cuts(end);
        }
    }
    if furthest <= bytes.len() as u64 && strange == 0 && !cut {
        return Ok(());
    }
    Err(Error::malformed("outline: a node has no kind, ends outside its body, or cuts a character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: NodeKind, start: u32, len: u32) -> OutlineNode {
        OutlineNode { kind, level: 1, start, len }
    }

    #[test]
    fn nodes_survive_the_trip() {
        let body = "x".repeat(300_000);
        let nodes = [
            node(NodeKind::Section, 0, 300_000),
            node(NodeKind::Title, 2, 7),
            node(NodeKind::Bullet, 65_537, 3),
            node(NodeKind::Numbered, 65_539, 0),
            node(NodeKind::Bullet, 299_999, 1),
        ];
        let mut bytes = Vec::new();
        encode(&nodes, &body, &mut bytes).expect("they are in order");
        let table = Table::new(&bytes);
        check(table, body.as_bytes(), false).expect("what was written is in order");
        assert_eq!(Nodes::of_bytes(table.bytes()).collect::<Vec<_>>(), nodes);
        assert!(check(table, &body.as_bytes()[1..], true).is_err(), "the outer section now ends outside");
    }

    #[test]
    fn what_is_no_range_of_the_body_is_refused() {
        let mut records = Vec::new();
        assert!(encode(&[node(NodeKind::Bullet, 1, 1)], "é", &mut records).is_err());
        assert!(encode(&[node(NodeKind::Bullet, 0, 3)], "é", &mut records).is_err());
        let back = [node(NodeKind::Bullet, 1, 0), node(NodeKind::Bullet, 0, 1)];
        assert!(encode(&back, "ab", &mut records).is_err());
    }
}
