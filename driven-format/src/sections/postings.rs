//! The postings: from a tag, category, language or activation to its rules.
//!
//! Keys are sorted by kind and text, so that a look-up is a binary search; each
//! names a run of rows in rising order. Law: `docs/FORMAT.md`, "Postings".

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::paths::GONE;
use crate::error::Error;
use crate::wire::{Record, StrRef, Table, may_refer_to, records, to_bytes};

/// What rules are selected by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PostingKind {
    Tag = 1,
    Category = 2,
    Language = 3,
    Activation = 4,
}

records! {
    /// The head of the postings; keys and rows follow it.
    pub struct PostingsRecord {
        /// How many keys.
        pub keys: u32,
        /// How many rows.
        pub rows: u32,
    }
}

records! {
    /// One tag, category, language or activation.
    pub struct PostingRecord {
        /// Which of the four it is.
        pub kind: u32,
        /// The word.
        pub text: StrRef,
        /// Its first row.
        pub start: u32,
        /// How many rows.
        pub len: u32,
    }
}

const HEAD: usize = PostingsRecord::SIZE;

fn tables(section: &[u8]) -> Option<(Table<'_, PostingRecord>, Table<'_, u32>)> {
    let (head, rest) = section.split_at_checked(HEAD)?;
    let head = PostingsRecord::read(head);
    let keys = (head.keys as usize).checked_mul(PostingRecord::SIZE)?;
    let (keys, rows) = rest.split_at_checked(keys)?;
    let len = (head.rows as usize).checked_mul(u32::SIZE)?;
    (rows.len() == len).then(|| (Table::new(keys), Table::new(rows)))
}

/// The rows that have the word, in rising order.
pub(crate) fn find<'a>(section: &'a [u8], names: &str, kind: PostingKind, text: &str) -> Table<'a, u32> {
    let (keys, rows) = tables(section).expect("lengths were checked with the tables");
    let (mut low, mut high) = (0, keys.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let key = keys.at(middle);
        match (key.kind, key.text.of(names)).cmp(&(kind as u32, text)) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return rows.part(key.start, key.len),
            Ordering::Greater => high = middle,
        }
    }
    rows.part(0, 0)
}

/// Every word of one kind with its rows, in order.
pub(crate) fn all<'a>(
    section: &'a [u8],
    names: &'a str,
    kind: PostingKind,
) -> impl Iterator<Item = (&'a str, Table<'a, u32>)> {
    let (keys, rows) = tables(section).expect("lengths were checked with the tables");
    let keys = keys.iter().filter(move |key| key.kind == kind as u32);
    keys.map(move |key| (key.text.of(names), rows.part(key.start, key.len)))
}

/// Proves lengths, references, and that keys are sorted and tile the rows.
pub(crate) fn check(section: &[u8], names: &str, rule_count: u32) -> Result<(), Error> {
    let fault = |what: &str| Err(Error::malformed(format!("postings: {what}")));
    let Some((keys, rows)) = tables(section) else {
        return fault("their lengths do not add up");
    };
    let (mut next, mut referred) = (0u64, 0u64);
    for key in keys.iter() {
        if !key.text.is_in(names) || u64::from(key.start) != next {
            return fault("a key refers to what is not there");
        }
        next += u64::from(key.len);
        referred += u64::from(key.text.len);
    }
    if !may_refer_to(referred, names) {
        return fault("keys refer to too much text too often");
    }
    if next != rows.len() as u64 || rows.iter().any(|row| row >= rule_count) {
        return fault("a row names a rule that is not there");
    }
    if !keys.iter().map(|key| (key.kind, key.text.of(names))).is_sorted_by(|a, b| a < b) {
        return fault("keys are not in order");
    }
    Ok(())
}

/// The postings of a pack of which rules are kept.
pub(crate) struct KeptPostings<'k> {
    section: &'k [u8],
    names: &'k str,
    /// By row of that pack: the row that the rule has now, or [`GONE`].
    rows: &'k [u32],
}

impl<'k> KeptPostings<'k> {
    pub(crate) fn new(section: &'k [u8], names: &'k str, rows: &'k [u32]) -> Self {
        KeptPostings { section, names, rows }
    }

    fn keys(&self) -> impl Iterator<Item = (PostingRecord, &'k str)> {
        let (keys, _) = tables(self.section).expect("lengths were checked with the tables");
        let names = self.names;
        keys.iter().map(move |key| (key, key.text.of(names)))
    }

    fn rows_of(&self, key: &PostingRecord) -> impl Iterator<Item = u32> {
        let (_, rows) = tables(self.section).expect("lengths were checked with the tables");
        rows.part(key.start, key.len).iter().map(|row| self.rows[row as usize]).filter(|&row| row != GONE)
    }
}

/// Gathers words and rows.
#[derive(Default)]
pub(crate) struct PostingsBuilder {
    words: BTreeMap<(PostingKind, String), Vec<u32>>,
}

impl PostingsBuilder {
    /// Files `row` under a word; rows come in rising order.
    pub(crate) fn add(&mut self, kind: PostingKind, text: &str, row: u32) {
        let rows = self.words.entry((kind, text.into())).or_default();
        if rows.last() != Some(&row) {
            rows.push(row);
        }
    }

    /// Writes the section; `kept` is what another one says of rules that are not filed here.
    pub(crate) fn finish(
        self,
        kept: Option<&KeptPostings<'_>>,
        intern: &mut impl FnMut(&str) -> StrRef,
    ) -> Vec<u8> {
        let (mut keys, mut rows) = (Vec::new(), Vec::new());
        let mut add = |kind: u32, text: &str, [first, second]: [&[u32]; 2]| {
            let start = rows.len();
            rows.extend_from_slice(first);
            rows.extend_from_slice(second);
            if !first.is_empty() && !second.is_empty() {
                rows[start..].sort_unstable();
            }
            let (start, len) = (start as u32, (rows.len() - start) as u32);
            if len > 0 {
                keys.push(PostingRecord { kind, text: intern(text), start, len });
            }
        };
        let mut words = self.words.iter().peekable();
        let mut old_rows = Vec::new();
        for (old, text) in kept.iter().flat_map(|kept| kept.keys()) {
            let earlier =
                |(kind, word): &(PostingKind, String)| (*kind as u32, &**word).cmp(&(old.kind, text));
            while let Some(((kind, word), list)) = words.next_if(|(word, _)| earlier(word).is_lt()) {
                add(*kind as u32, word, [list, &[]]);
            }
            old_rows.clear();
            old_rows.extend(kept.iter().flat_map(|kept| kept.rows_of(&old)));
            let own = words.next_if(|(word, _)| earlier(word).is_eq());
            add(old.kind, text, [&old_rows, own.map_or(&[], |(_, list)| list)]);
        }
        for ((kind, word), list) in words {
            add(*kind as u32, word, [list, &[]]);
        }
        let head = PostingsRecord { keys: keys.len() as u32, rows: rows.len() as u32 };
        [to_bytes(&[head]), to_bytes(&keys), to_bytes(&rows)].concat()
    }
}
