//! The outline: headings and list items of a body, as ranges of it.
//!
//! Records of six bytes, each placed by its distance from the one before; a
//! body's first record counts from the body's start. Law: `docs/FORMAT.md`,
//! "Outline".

use alloc::format;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind};
use crate::model::{NodeKind, OutlineNode};
use crate::wire::{Table, U24, records};

/// The deepest level that a node may have.
pub const MAX_LEVEL: u8 = 15;
/// The longest body, in bytes.
pub const MAX_BODY: usize = U24::MAX as usize;

/// The highest code of a kind.
const MAX_KIND: u8 = 4;
/// `tag` of a record that only moves on.
const SKIP: u8 = 0;

records! {
    /// One node, or a step over bytes that no node begins in.
    pub struct OutlineRecord {
        /// Distance from the start of the node before, in bytes.
        pub gap: u16,
        /// Length of the node in bytes; of a skip, the distance.
        pub len: U24,
        /// Kind in the upper four bits, level in the lower; 0 for a skip.
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
    pub(crate) fn new(records: Table<'a, OutlineRecord>) -> Self {
        Nodes { records, at: 0 }
    }
}

impl Iterator for Nodes<'_> {
    type Item = OutlineNode;

    #[inline]
    fn next(&mut self) -> Option<OutlineNode> {
        loop {
            let (record, rest) = self.records.split_first()?;
            self.records = rest;
            if let Some(node) = step(&mut self.at, record) {
                return Some(node);
            }
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, OutlineNode) -> B>(self, init: B, mut f: F) -> B {
        let mut at = self.at;
        self.records.iter().fold(init, |value, record| match step(&mut at, record) {
            Some(node) => f(value, node),
            None => value,
        })
    }
}

/// Moves on by a record; gives its node, unless it is a skip.
#[inline(always)]
fn step(at: &mut u32, record: OutlineRecord) -> Option<OutlineNode> {
    let Some(kind) = NodeKind::from_code(record.tag >> 4) else {
        *at += record.len.get();
        return None;
    };
    *at += u32::from(record.gap);
    Some(OutlineNode { kind, level: record.tag & MAX_LEVEL, start: *at, len: record.len.get() })
}

/// Appends the nodes of one body of `body_len` bytes; gives how many records it took.
pub(crate) fn encode(nodes: &[OutlineNode], body: &str, out: &mut Vec<OutlineRecord>) -> Result<u32, Error> {
    let before = out.len();
    let mut at = 0;
    for node in nodes {
        let refuse = |why| Error::new(ErrorKind::Model, format!("outline node at {}: {why}", node.start));
        let mut gap = node.start.checked_sub(at).ok_or_else(|| refuse("nodes are not in order"))?;
        if body.get(node.range()).is_none() {
            return Err(refuse("it is no range of the body"));
        }
        if node.level > MAX_LEVEL {
            return Err(refuse("its level is above 15"));
        }
        if gap > u32::from(u16::MAX) {
            let len = U24::new(gap).ok_or_else(|| refuse("the body is too long"))?;
            out.push(OutlineRecord { gap: 0, len, tag: SKIP });
            gap = 0;
        }
        out.push(OutlineRecord {
            gap: gap as u16,
            len: U24::new(node.len).ok_or_else(|| refuse("the body is too long"))?,
            tag: node.kind.code() << 4 | node.level,
        });
        at = node.start;
    }
    Ok((out.len() - before) as u32)
}

/// Proves kinds, and that every node is a range of a body that cuts no character.
///
/// `is_ascii` says that no range of the body can cut a character. The loop has no branch that depends on the
/// data: what is wrong is summed up and told at the end.
#[inline]
pub(crate) fn check(records: Table<'_, OutlineRecord>, bytes: &[u8], is_ascii: bool) -> Result<(), Error> {
    // The first byte of a character is no continuation byte; nor may the body end within one.
    let begins = |at: usize| bytes.get(at).map_or(at == bytes.len(), |&byte| byte & 0xC0 != 0x80);
    let sound = if is_ascii { walk(records, |at| at <= bytes.len()) } else { walk(records, begins) };
    if sound {
        return Ok(());
    }
    Err(Error::malformed("outline: a node has no kind, ends outside its body, or cuts a character"))
}

/// Whether every record has a meaning and every node begins and ends where it may.
#[inline]
#[allow(clippy::needless_bitwise_bool)]
fn walk(records: Table<'_, OutlineRecord>, is_boundary: impl Fn(usize) -> bool) -> bool {
    let (mut at, mut sound) = (0_usize, true);
    for record in records.iter() {
        let len = record.len.get() as usize;
        let skips = record.tag == SKIP;
        at += if skips { len } else { usize::from(record.gap) };
        let end = if skips { at } else { at + len };
        sound &= is_boundary(at) & is_boundary(end);
        let has_kind = record.tag.wrapping_sub(0x10) < MAX_KIND << 4;
        let is_skip = skips & (record.gap == 0);
        sound &= has_kind | is_skip;
    }
    sound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: NodeKind, start: u32, len: u32) -> OutlineNode {
        OutlineNode { kind, level: 1, start, len }
    }

    #[test]
    fn nodes_survive_the_trip_also_over_wide_gaps() {
        let body = "x".repeat(300_000);
        let nodes = [
            node(NodeKind::Section, 0, 300_000),
            node(NodeKind::Title, 2, 7),
            node(NodeKind::Bullet, 65_537, 3),
            node(NodeKind::Numbered, 65_539, 0),
            node(NodeKind::Bullet, 299_999, 1),
        ];
        let mut records = Vec::new();
        assert_eq!(encode(&nodes, &body, &mut records), Ok(6), "one skip, before the last");
        let bytes = crate::wire::to_bytes(&records);
        let table = Table::new(&bytes);
        check(table, body.as_bytes(), false).expect("what was written is in order");
        assert_eq!(Nodes::new(table).collect::<Vec<_>>(), nodes);
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
