//! What changed between two packs, as sets of rows.

use alloc::vec;
use alloc::vec::Vec;

use crate::pack::Pack;

/// A set of rules by row, a bit each: to mark and to ask costs the same however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
}

impl RowSet {
    /// A set for so many rows, with none in it.
    pub(crate) fn of_rows(rows: usize) -> Self {
        RowSet { words: vec![0; rows.div_ceil(64)] }
    }

    /// Puts a row that the set is for into it.
    #[inline]
    pub(crate) fn insert(&mut self, row: u32) {
        self.words[row as usize / 64] |= 1 << (row % 64);
    }

    /// Whether a row is in it.
    #[inline]
    pub fn contains(&self, row: u32) -> bool {
        self.words.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// How many rows are in it.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no row is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The rows, rising.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let mut bits = word;
            core::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }

    /// The words of 64 rows, to combine with those of [`PathRules::into_words`](crate::PathRules::into_words).
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

/// Which rules two packs differ in. Rules are the same when their digests are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rows of the new pack whose rule the old one has too, and says otherwise.
    pub changed: RowSet,
    /// Rows of the new pack whose rule the old one does not have.
    pub added: RowSet,
    /// Rows of the old pack whose rule the new one does not have.
    pub removed: RowSet,
}

impl Changes {
    /// Which rules changed from one pack to another.
    pub fn between(old: &Pack<'_>, new: &Pack<'_>) -> Self {
        let mut changes = Changes {
            changed: RowSet::of_rows(new.len()),
            added: RowSet::of_rows(new.len()),
            removed: RowSet::of_rows(old.len()),
        };
        let (before, after) = (old.tables(), new.tables());
        for rule in after.rules() {
            match before.find_rule(rule.id()) {
                None => changes.added.insert(rule.row()),
                Some(known) if known.digest() != rule.digest() => changes.changed.insert(rule.row()),
                Some(_) => {}
            }
        }
        for rule in before.rules() {
            if after.find_rule(rule.id()).is_none() {
                changes.removed.insert(rule.row());
            }
        }
        changes
    }

    /// Whether no rule differs.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }
}
