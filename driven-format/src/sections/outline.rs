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
            let Some(kind) = NodeKind::from_code(record.tag >> 4) else {
                self.at += record.len.get();
                continue;
            };
            self.at += u32::from(record.gap);
            return Some(OutlineNode {
                kind,
                level: record.tag & MAX_LEVEL,
                start: self.at,
                len: record.len.get(),
            });
        }
    }
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

/// Proves kinds, and that every node lies within `body_len` bytes.
pub(crate) fn check(records: Table<'_, OutlineRecord>, body_len: u32) -> Result<(), Error> {
    let mut at = 0u64;
    for record in records.iter() {
        let len = u64::from(record.len.get());
        let gap = u64::from(record.gap);
        if record.tag == SKIP && gap == 0 {
            at += len;
        } else if NodeKind::from_code(record.tag >> 4).is_some() {
            at += gap;
            if at + len > u64::from(body_len) {
                return Err(Error::malformed(format!(
                    "outline: a node ends outside its body of {body_len} bytes"
                )));
            }
        } else {
            return Err(Error::malformed(format!("outline: tag {} has no meaning", record.tag)));
        }
    }
    if at > u64::from(body_len) {
        return Err(Error::malformed("outline: a skip ends outside its body"));
    }
    Ok(())
}

/// Proves that no node of a checked outline cuts a character of `body`.
pub(crate) fn check_boundaries(records: Table<'_, OutlineRecord>, body: &str) -> Result<(), Error> {
    let whole = Nodes::new(records).fold(true, |whole, node| {
        let range = node.range();
        whole & body.is_char_boundary(range.start) & body.is_char_boundary(range.end)
    });
    if whole { Ok(()) } else { Err(Error::malformed("outline: a node cuts a character of its body")) }
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
        check(table, 300_000).expect("what was written is in order");
        assert_eq!(Nodes::new(table).collect::<Vec<_>>(), nodes);
        assert!(check(table, 299_999).is_err(), "the outer section now ends outside");
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
