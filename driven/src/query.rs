//! Queries: iterators over the rules of a pack, always in order of falling priority.

use driven_format::{PathWords, Table};

use crate::pack::Pack;
use crate::view::RuleView;

/// All rules of a pack.
#[derive(Clone)]
pub struct Rules<'a> {
    pack: Pack<'a>,
    rows: core::ops::Range<u32>,
}

impl<'a> Rules<'a> {
    #[inline]
    pub(crate) fn new(pack: Pack<'a>) -> Self {
        Rules { pack, rows: 0..pack.len() as u32 }
    }
}

impl<'a> Iterator for Rules<'a> {
    type Item = RuleView<'a>;

    #[inline]
    fn next(&mut self) -> Option<RuleView<'a>> {
        self.pack.rule_at(self.rows.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl DoubleEndedIterator for Rules<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.pack.rule_at(self.rows.next_back()?)
    }
}

impl ExactSizeIterator for Rules<'_> {}

/// The rules that speak about a path.
#[derive(Clone)]
pub struct PathRules<'a, 'p> {
    pack: Pack<'a>,
    words: PathWords<'a, 'p>,
    word: u32,
    bits: u64,
}

impl<'a, 'p> PathRules<'a, 'p> {
    #[inline(always)]
    pub(crate) fn new(pack: Pack<'a>, path: &'p str) -> Self {
        PathRules { pack, words: pack.tables().path_words(path), word: 0, bits: 0 }
    }

    /// What is left, as index and bits of words of 64 rules: for those who combine sets.
    ///
    /// Bit `b` of word `w` is the rule in row `64 * w + b`, counted in the order of [`Pack::rules`].
    #[inline(always)]
    pub fn into_words(self) -> impl Iterator<Item = (u32, u64)> + use<'a, 'p> {
        let mut words = self.words;
        words.put_back(self.bits);
        words
    }
}

impl<'a> Iterator for PathRules<'a, '_> {
    type Item = RuleView<'a>;

    #[inline]
    fn next(&mut self) -> Option<RuleView<'a>> {
        while self.bits == 0 {
            (self.word, self.bits) = self.words.next()?;
        }
        let row = self.word * 64 + self.bits.trailing_zeros();
        self.bits &= self.bits - 1;
        self.pack.rule_at(row)
    }

    #[inline]
    fn count(self) -> usize {
        self.into_words().map(|(_, bits)| bits.count_ones() as usize).sum()
    }
}

/// The rows that words of 64 bits stand for.
pub(crate) fn bits<'a, 'p>(words: PathWords<'a, 'p>) -> impl Iterator<Item = u32> + use<'a, 'p> {
    words.flat_map(|(word, mut bits)| {
        core::iter::from_fn(move || {
            let bit = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(word * 64 + bit)
        })
    })
}

/// The rules that a tag, a category, a language or an activation selects.
#[derive(Clone)]
pub struct RowRules<'a> {
    pack: Pack<'a>,
    rows: Table<'a, u32>,
    next: usize,
}

impl<'a> RowRules<'a> {
    pub(crate) fn new(pack: Pack<'a>, rows: Table<'a, u32>) -> Self {
        RowRules { pack, rows, next: 0 }
    }
}

impl<'a> Iterator for RowRules<'a> {
    type Item = RuleView<'a>;

    fn next(&mut self) -> Option<RuleView<'a>> {
        let row = self.rows.get(self.next)?;
        self.next += 1;
        self.pack.rule_at(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rows.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for RowRules<'_> {}
