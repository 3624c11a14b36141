//! The path tables: from a path to the set of rules that speak about it.
//!
//! Real globs are mostly of a few shapes. Each is filed under the most telling
//! thing that it fixes in a path: the file's name, its last two extensions, its
//! last, its first folder, folder and extension, or nothing. Where that decides
//! the match, the rule's bit stands in the key's *row*; otherwise the key has a
//! *check*: words and bit sets of the path that nearly always refuse it, and the
//! plain pattern for the rest. A query scans the path once, finds at most six
//! groups, and merges their rows and checks 64 rules at a time.
//!
//! Law: `docs/FORMAT.md`, "Paths". Knows patterns and rows, no rules.

mod build;
mod kept;

use alloc::format;
use alloc::vec::Vec;

use crate::error::Error;
use crate::glob::{MAX_PLAIN, matches};
use crate::hash::{first_word, fold, last_word, mix};
use crate::wire::{Record, StrRef, Table, records};

pub(crate) use build::PathsBuilder;
pub(crate) use kept::{GONE, KeptPaths};

/// What a path is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyKind {
    /// What follows the last dot of the file's name.
    Extension = 1,
    /// What follows the last dot but one.
    DoubleExtension = 2,
    /// The file's name.
    Name = 3,
    /// The first folder.
    Folder = 4,
}

impl KeyKind {
    /// Every kind, in the order of the codes.
    const ALL: [KeyKind; 4] = [KeyKind::Extension, KeyKind::DoubleExtension, KeyKind::Name, KeyKind::Folder];
}

records! {
    /// The head of the path tables. The keys' slots follow it; each further table begins at its
    /// offset from the start of the section, which is where the one before it ends.
    pub struct PathsRecord {
        /// Keys.
        pub keys_at: u32,
        /// Slots of the pairs.
        pub pair_slots_at: u32,
        /// Pairs.
        pub pairs_at: u32,
        /// Words of 64 rules for every path, one for each 64 rules of the pack.
        pub everywhere_at: u32,
        /// Rows.
        pub rows_at: u32,
        /// Checks.
        pub checks_at: u32,
        /// Steps.
        pub steps_at: u32,
        /// How many of the checks, from the first on, are of patterns that fix nothing.
        pub loose_checks: u32,
    }
}

records! {
    /// The rules of one key.
    pub struct GroupRecord {
        /// First word of the row.
        pub row_start: u32,
        /// Words in the row.
        pub row_len: u32,
        /// First check.
        pub check_start: u32,
        /// How many checks.
        pub check_len: u32,
    }
}

records! {
    /// An extension, a file name or a first folder.
    pub struct KeyRecord {
        /// The first eight bytes of the text.
        pub head: u64,
        /// The last eight bytes of the text.
        pub tail: u64,
        /// The text.
        pub text: StrRef,
        /// Which of the four it is.
        pub kind: u32,
        /// Its rules.
        pub group: GroupRecord,
    }
}

records! {
    /// A first folder together with an extension.
    pub struct PairRecord {
        /// Index of the folder's key.
        pub folder: u32,
        /// Index of the extension's key.
        pub extension: u32,
        /// Its rules.
        pub group: GroupRecord,
    }
}

records! {
    /// Up to 64 rules that a key decides.
    pub struct RowRecord {
        /// Rules `64 * word ..`.
        pub word: u32,
        /// One bit a rule.
        pub bits: u64,
    }
}

records! {
    /// What every path of a pattern has: what nearly every other path fails.
    pub struct SieveRecord {
        /// Bits of pairs of neighbouring bytes that the path must have.
        pub pairs: u64,
        /// Bits of pairs of bytes with one between them that the path must have.
        pub spaced_pairs: u64,
        /// First bytes that the path must have, under the mask.
        pub head: u64,
        /// Which of the first eight bytes count.
        pub head_mask: u64,
        /// Last bytes that the path must have, under the mask.
        pub tail: u64,
        /// Which of the last eight bytes count.
        pub tail_mask: u64,
    }
}

records! {
    /// A pattern that its key does not decide.
    pub struct CheckRecord {
        /// What a path must have to be looked at.
        pub sieve: SieveRecord,
        /// The rule's row.
        pub rule: u32,
        /// How many steps decide; 0 when the pattern does.
        pub steps_len: u32,
        /// The first step, when steps decide.
        pub steps_start: u32,
        /// The plain pattern.
        pub pattern: StrRef,
    }
}

records! {
    /// One pattern of a rule that also takes away; the first of its steps that matches decides.
    pub struct PatternRecord {
        /// The plain pattern.
        pub pattern: StrRef,
        /// 1 when it takes away.
        pub negated: u32,
    }
}

/// What one scan of a path tells.
struct PathFacts<'p> {
    path: &'p str,
    head: u64,
    tail: u64,
    pairs: u64,
    first_folder: Option<Part<'p>>,
    name: Part<'p>,
    extension: Option<Part<'p>>,
    double_extension: Option<Part<'p>>,
}

/// A text with its first and its last word.
#[derive(Clone, Copy)]
struct Part<'p> {
    text: &'p [u8],
    head: u64,
    tail: u64,
}

/// The bytes of a path as words. The rest behind a word's place comes out of the path's last word, so that
/// no branch depends on how long a part is: their lengths are what a processor can't foretell.
#[derive(Clone, Copy)]
struct Words<'p> {
    bytes: &'p [u8],
    tail: u64,
}

impl<'p> Words<'p> {
    #[inline(always)]
    fn new(bytes: &'p [u8]) -> Self {
        Words { bytes, tail: last_word(bytes) }
    }

    /// The word from `at` on, zeros above what is left.
    #[inline(always)]
    fn at(&self, at: usize) -> u64 {
        match self.bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => self.tail.checked_shr(8 * (at + 8 - self.bytes.len()) as u32).unwrap_or(0),
        }
    }

    /// What begins at `start` and ends the path.
    #[inline(always)]
    fn suffix(&self, start: usize) -> Part<'p> {
        let text = &self.bytes[start..];
        let tail = self.tail & !(u64::MAX.checked_shr(8 * text.len() as u32).unwrap_or(0));
        Part { text, head: self.at(start), tail }
    }

    /// What begins the path and ends at `end`.
    #[inline(always)]
    fn prefix(&self, end: usize) -> Part<'p> {
        let text = &self.bytes[..end];
        let head = self.at(0) & low_bytes(end);
        let tail =
            text.last_chunk().map_or(head << (8 * (8 - end.min(8)) % 64), |chunk| u64::from_le_bytes(*chunk));
        Part { text, head, tail }
    }
}

/// A mask of the first `count` bytes of a word.
#[inline(always)]
fn low_bytes(count: usize) -> u64 {
    !u64::MAX.checked_shl(8 * count as u32).unwrap_or(0)
}

impl<'p> PathFacts<'p> {
    /// Nothing when `path` is empty, absolute, or has a `..`.
    #[inline]
    fn scan(path: &'p str) -> Option<Self> {
        const UP: u64 = u16::from_le_bytes(*b"..") as u64;
        let mut path = path;
        while let Some(rest) = path.strip_prefix("./") {
            path = rest;
        }
        let bytes = path.as_bytes();
        if matches!(bytes.first(), None | Some(b'/')) {
            return None;
        }
        let words = Words::new(bytes);
        let (mut pairs, mut start, mut first_folder) = (0, 0, 0);
        // Of the file's name: where the text behind the last dot and the last dot but one begins.
        let (mut extension, mut double_extension) = (0, 0);
        let (mut at, mut word) = (0, words.at(0));
        while at < bytes.len() {
            let next = words.at(at + 8);
            pairs |= pair_bits(word, word >> 8 | next << 56);
            let mut slashes = bits_of(b'/', word);
            let mut dots = bits_of(b'.', word);
            while slashes != 0 {
                let slash = at + (slashes.trailing_zeros() / 8) as usize;
                if slash - start == 2 && words.at(start) & low_bytes(2) == UP {
                    return None;
                }
                first_folder = if start == 0 { slash } else { first_folder };
                start = slash + 1;
                (extension, double_extension) = (0, 0);
                dots &= !(slashes ^ (slashes - 1));
                slashes &= slashes - 1;
            }
            while dots != 0 {
                double_extension = extension;
                extension = at + (dots.trailing_zeros() / 8) as usize + 1;
                dots &= dots - 1;
            }
            at += 8;
            word = next;
        }
        let name = words.suffix(start);
        if name.text == b".." {
            return None;
        }
        Some(PathFacts {
            path,
            head: words.at(0),
            tail: words.tail,
            pairs,
            first_folder: (first_folder != 0).then(|| words.prefix(first_folder)),
            name,
            extension: (extension != 0).then(|| words.suffix(extension)),
            double_extension: (double_extension != 0).then(|| words.suffix(double_extension)),
        })
    }
}

/// The high bit of every byte of `word` that is `byte`, which is ASCII.
#[inline]
fn bits_of(byte: u8, word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const LOW: u64 = u64::from_le_bytes([0x7F; 8]);
    let other = word ^ (ONES * u64::from(byte));
    !(((other & LOW) + LOW) | other | LOW)
}

/// The bits of the eight pairs of bytes of which `first` has the first ones and `second` the second ones.
#[inline(always)]
fn pair_bits(first: u64, second: u64) -> u64 {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let places = ((first & !HIGH) << 1) ^ second;
    (0..8).fold(0, |bits, lane| bits | 1 << (places >> (8 * lane) & 63))
}

/// The bits of the pairs of bytes with one between them.
fn spaced_pair_bits(bytes: &[u8]) -> u64 {
    bytes.windows(3).fold(0, |bits, triple| bits | pair_bit(triple[0], triple[2]))
}

/// The bit of one pair of bytes.
fn pair_bit(first: u8, second: u8) -> u64 {
    1 << ((u64::from(first) << 1 ^ u64::from(second)) & 63)
}

fn key_hash(kind: KeyKind, text: &[u8]) -> u64 {
    key_hash_of(kind, first_word(text), last_word(text), text.len())
}

#[inline]
fn key_hash_of(kind: KeyKind, head: u64, tail: u64, len: usize) -> u64 {
    fold(
        head ^ 0x9E37_79B9_7F4A_7C15,
        tail ^ (kind as u64) << 56 ^ (len as u64) << 32 ^ 0x8EBC_6AF0_9C88_C6E3,
    )
}

fn pair_hash(folder: u32, extension: u32) -> u64 {
    mix(u64::from(folder) << 32 | u64::from(extension))
}

/// The tables of a section that was checked.
#[derive(Clone, Copy)]
pub(crate) struct PathTables<'a> {
    section: &'a [u8],
    names: &'a str,
}

const HEAD: usize = PathsRecord::SIZE;

impl<'a> PathTables<'a> {
    #[inline]
    pub(crate) fn new(section: &'a [u8], names: &'a str) -> Self {
        PathTables { section, names }
    }

    #[inline]
    fn head(&self) -> PathsRecord {
        PathsRecord::read(self.section)
    }

    #[inline]
    fn table<R: Record>(&self, start: usize, end: u32) -> Table<'a, R> {
        Table::new(&self.section[start..end as usize])
    }

    #[inline]
    fn key_slots(&self) -> Table<'a, u32> {
        self.table(HEAD, self.head().keys_at)
    }

    #[inline]
    fn keys(&self) -> Table<'a, KeyRecord> {
        self.table(self.head().keys_at as usize, self.head().pair_slots_at)
    }

    #[inline]
    fn pair_slots(&self) -> Table<'a, u32> {
        self.table(self.head().pair_slots_at as usize, self.head().pairs_at)
    }

    #[inline]
    fn pairs(&self) -> Table<'a, PairRecord> {
        self.table(self.head().pairs_at as usize, self.head().everywhere_at)
    }

    #[inline]
    fn everywhere(&self) -> Table<'a, u64> {
        self.table(self.head().everywhere_at as usize, self.head().rows_at)
    }

    #[inline]
    fn rows(&self) -> Table<'a, RowRecord> {
        self.table(self.head().rows_at as usize, self.head().checks_at)
    }

    #[inline]
    fn checks(&self) -> Table<'a, CheckRecord> {
        self.table(self.head().checks_at as usize, self.head().steps_at)
    }

    #[inline]
    fn steps(&self) -> Table<'a, PatternRecord> {
        self.table(self.head().steps_at as usize, self.section.len() as u32)
    }

    /// Proves every index and reference, and the order that merging relies on.
    pub(crate) fn check(&self, rule_count: u32) -> Result<(), Error> {
        let fault = |what: &str| Err(Error::malformed(format!("paths: {what}")));
        if !self.has_tables() {
            return fault("the lengths do not add up");
        }
        let (keys, pairs) = (self.keys(), self.pairs());
        for (slots, count) in [(self.key_slots(), keys.len()), (self.pair_slots(), pairs.len())] {
            let len = slots.len();
            let sized = len == 0 && count == 0 || len.is_power_of_two() && len > count;
            if !sized || slots.iter().any(|slot| slot as usize > count) {
                return fault("a slot names an entry that is not there");
            }
        }
        let known = |word: u32, bits: u64| {
            let highest = (bits | 1).ilog2();
            word.checked_mul(64).is_some_and(|first| first + highest < rule_count || bits == 0)
        };
        let everywhere = self.everywhere();
        let words = everywhere.iter().enumerate().all(|(word, bits)| known(word as u32, bits));
        if everywhere.len() != rule_count.div_ceil(64) as usize || !words {
            return fault("the rules for every path are not those of the pack");
        }
        if !self.rows().iter().all(|row| known(row.word, row.bits)) {
            return fault("a row names a rule that is not there");
        }
        let steps = self.steps();
        for check in self.checks().iter() {
            let end = (check.steps_start as usize).checked_add(check.steps_len as usize);
            if check.rule >= rule_count
                || !self.has_pattern(check.pattern)
                || end.is_none_or(|end| end > steps.len())
            {
                return fault("a check refers to what is not there");
            }
        }
        if steps.iter().any(|step| !self.has_pattern(step.pattern) || step.negated > 1) {
            return fault("a step refers to what is not there");
        }
        if keys.iter().any(|key| !self.has_pattern(key.text)) {
            return fault("a key refers to a name that is not there");
        }
        let loose = GroupRecord { check_len: self.head().loose_checks, ..GroupRecord::default() };
        let groups = keys.iter().map(|key| key.group).chain(pairs.iter().map(|pair| pair.group));
        self.check_groups([loose].into_iter().chain(groups))
    }

    /// Whether a pattern, or a part of one, lies in the names and is no longer than one may be.
    fn has_pattern(&self, text: StrRef) -> bool {
        text.len as usize <= MAX_PLAIN && text.is_in(self.names)
    }

    /// Proves that rows and checks of every group are in order, and that groups tile the checks; rows may be shared.
    fn check_groups(&self, groups: impl Iterator<Item = GroupRecord>) -> Result<(), Error> {
        let (rows, checks) = (self.rows(), self.checks());
        // Rows that are shared are read again and again, which is quick, up to here; only beyond is anything allocated.
        let mut budget = SHARED * (rows.len() + checks.len() + 64);
        let mut falls = None;
        let mut next = 0;
        for group in groups {
            let row = rows.try_part(group.row_start, group.row_len);
            let rising = row.is_some_and(|row| {
                let words = row.iter().map(|row| row.word);
                budget = budget.saturating_sub(row.len());
                if budget > 0 {
                    return words.is_sorted_by(|a, b| a < b);
                }
                let falls = falls.get_or_insert_with(|| falls_of(rows.iter().map(|row| row.word)));
                let start = group.row_start as usize;
                row.is_empty() || falls[start] == falls[start + row.len() - 1]
            });
            let own = (group.check_start == next).then(|| checks.try_part(next, group.check_len)).flatten();
            if !rising || own.is_none_or(|own| !are_in_order(own)) {
                return Err(Error::malformed("paths: a group is out of bounds or of order"));
            }
            next += group.check_len;
        }
        if next as usize == checks.len() {
            Ok(())
        } else {
            Err(Error::malformed("paths: a check is of no group"))
        }
    }

    /// Whether the section is cut into whole tables.
    fn has_tables(&self) -> bool {
        if self.section.len() < HEAD {
            return false;
        }
        let head = self.head();
        let cuts = [
            (HEAD as u32, head.keys_at, u32::SIZE),
            (head.keys_at, head.pair_slots_at, KeyRecord::SIZE),
            (head.pair_slots_at, head.pairs_at, u32::SIZE),
            (head.pairs_at, head.everywhere_at, PairRecord::SIZE),
            (head.everywhere_at, head.rows_at, u64::SIZE),
            (head.rows_at, head.checks_at, RowRecord::SIZE),
            (head.checks_at, head.steps_at, CheckRecord::SIZE),
            (head.steps_at, self.section.len() as u32, PatternRecord::SIZE),
        ];
        cuts.iter().all(|&(start, end, size)| start <= end && (end - start).is_multiple_of(size as u32))
    }
}

/// Whether the rules of a group's checks rise, and each rule with steps has a run of its own behind those before it:
/// then no group makes more steps for a path than there are.
fn are_in_order(checks: Table<'_, CheckRecord>) -> bool {
    let mut last = 0;
    // The rule that had steps last, and where they are.
    let mut stepped = (None, 0..0);
    checks.iter().all(|check| {
        let rises = check.rule >= last;
        last = check.rule;
        if check.steps_len == 0 {
            return rises;
        }
        let own = check.steps_start..check.steps_start.saturating_add(check.steps_len);
        let (rule, steps) = core::mem::replace(&mut stepped, (Some(check.rule), own.clone()));
        rises && if rule == Some(check.rule) { own == steps } else { own.start >= steps.end }
    })
}

/// By place: how many of the words up to there are not above the one before them. A part rises when none of those
/// behind its first is one of them; parts may share words, and each word is read once.
fn falls_of(words: impl Iterator<Item = u32>) -> Vec<u32> {
    let (mut before, mut count) = (None, 0);
    let each = words.map(|word| {
        count += u32::from(before >= Some(word));
        before = Some(word);
        count
    });
    each.collect()
}

/// Linear probing from the slot of `hash` to the first free one.
#[inline]
fn probe<T>(slots: Table<'_, u32>, hash: u64, find: impl Fn(u32) -> Option<T>) -> Option<T> {
    let mask = slots.len().checked_sub(1)?;
    let mut slot = hash as usize & mask;
    for _ in 0..slots.len() {
        let index = slots.at(slot).checked_sub(1)?;
        if let Some(found) = find(index) {
            return Some(found);
        }
        slot = (slot + 1) & mask;
    }
    None
}

/// What is left of one group while groups are merged: places in the rows and in the checks.
#[derive(Clone, Copy, Default)]
struct Cursor {
    row: u32,
    row_end: u32,
    check: u32,
    check_end: u32,
}

/// How many groups a path can have.
const MAX_GROUPS: usize = 6;

/// How often rows may be shared, about, before it pays to do otherwise than to read them each time.
const SHARED: usize = 16;

/// How many words of 64 rules are merged at once: most packs have fewer rules than that, so each group is
/// walked once, without a comparison a word.
const WINDOW: usize = 16;

/// The rules of a path as words of 64 bits, in rising order.
#[derive(Clone)]
pub struct PathWords<'a, 'p> {
    tables: PathTables<'a>,
    facts: Facts<'p>,
    everywhere: Table<'a, u64>,
    window: [u64; WINDOW],
    /// Index of the first word of the window, of the word that comes next, and of the first behind the window.
    base: u32,
    next: u32,
    end: u32,
    cursors: [Cursor; MAX_GROUPS],
    count: usize,
}

/// What checks need of a path.
#[derive(Clone, Copy, Default)]
struct Facts<'p> {
    path: &'p str,
    head: u64,
    tail: u64,
    pairs: u64,
}

impl<'a, 'p> PathWords<'a, 'p> {
    /// Scans `path` and finds its groups. The first words are merged when they are asked for: what was just
    /// written is slow to move.
    #[inline(always)]
    pub(crate) fn new(tables: PathTables<'a>, path: &'p str) -> Self {
        let mut words = PathWords {
            tables,
            facts: Facts::default(),
            everywhere: Table::new(&[]),
            window: [0; WINDOW],
            base: 0,
            next: 0,
            end: 0,
            cursors: [Cursor::default(); MAX_GROUPS],
            count: 0,
        };
        if let Some(found) = PathFacts::scan(path) {
            words.begin(&found);
        }
        words
    }

    #[inline(always)]
    fn begin(&mut self, found: &PathFacts<'p>) {
        let &PathFacts { path, head, tail, pairs, .. } = found;
        let tables = self.tables;
        self.facts = Facts { path, head, tail, pairs };
        self.everywhere = tables.everywhere();
        self.push(&GroupRecord { check_len: tables.head().loose_checks, ..GroupRecord::default() });
        let keys = KeyIndex { slots: tables.key_slots(), keys: tables.keys(), names: tables.names };
        if !keys.slots.is_empty() {
            self.push_keyed(&keys, found);
        }
    }

    #[inline]
    fn push_keyed(&mut self, keys: &KeyIndex<'a>, facts: &PathFacts<'p>) {
        let mut find = |kind, part: Part<'p>| {
            let (index, group) = keys.find(kind, part)?;
            self.push(&group);
            Some(index)
        };
        find(KeyKind::Name, facts.name);
        let extension = facts.extension.and_then(|part| find(KeyKind::Extension, part));
        facts.double_extension.and_then(|part| find(KeyKind::DoubleExtension, part));
        let folder = facts.first_folder.and_then(|part| find(KeyKind::Folder, part));
        if let (Some(folder), Some(extension)) = (folder, extension) {
            self.push_pair(folder, extension);
        }
    }

    #[inline]
    fn push_pair(&mut self, folder: u32, extension: u32) {
        let pairs = self.tables.pairs();
        let found = probe(self.tables.pair_slots(), pair_hash(folder, extension), |index| {
            let pair = pairs.at(index as usize);
            (pair.folder == folder && pair.extension == extension).then_some(pair.group)
        });
        if let Some(group) = found {
            self.push(&group);
        }
    }

    #[inline]
    fn push(&mut self, group: &GroupRecord) {
        if let Some(cursor) = self.cursors.get_mut(self.count) {
            *cursor = Cursor {
                row: group.row_start,
                row_end: group.row_start + group.row_len,
                check: group.check_start,
                check_end: group.check_start + group.check_len,
            };
            self.count += 1;
        }
    }

    /// Fills the next window: what every path has, what rows say, and what checks find.
    #[inline]
    fn merge(&mut self) {
        self.base = self.end;
        let len = (self.everywhere.len() - self.base as usize).min(WINDOW) as u32;
        for (word, bits) in self.window.iter_mut().zip(self.everywhere.part(self.base, len).iter()) {
            *word = bits;
        }
        let end = self.base + len;
        self.end = end;
        let is_last = end as usize == self.everywhere.len();
        let (rows, checks) = (self.tables.rows(), self.tables.checks());
        for index in 0..self.count.min(MAX_GROUPS) {
            let cursor = &mut self.cursors[index];
            let mut left = rows.part(cursor.row, cursor.row_end - cursor.row);
            if !is_last {
                left = left.before(|row| row.word >= end);
                cursor.row += left.len() as u32;
            }
            for row in left.iter() {
                self.window[(row.word - self.base) as usize % WINDOW] |= row.bits;
            }
        }
        for index in 0..self.count.min(MAX_GROUPS) {
            let mut refused = None;
            let cursor = &mut self.cursors[index];
            let mut left = checks.part(cursor.check, cursor.check_end - cursor.check);
            if !is_last {
                left = left.before(|check| check.rule / 64 >= end);
                cursor.check += left.len() as u32;
            }
            for record in left.raw() {
                if SieveRecord::read(record).lets_pass(&self.facts) {
                    self.decide(&CheckRecord::read(record), &mut refused);
                }
            }
        }
    }

    /// Looks closer at a check whose sieve let the path pass, unless its rule is found already, or is `refused`: its
    /// steps say no, whichever of its checks asks.
    #[inline(never)]
    fn decide(&mut self, check: &CheckRecord, refused: &mut Option<u32>) {
        let word = &mut self.window[(check.rule / 64 - self.base) as usize % WINDOW];
        let bit = 1 << (check.rule % 64);
        let lacks = check.sieve.spaced_pairs & !spaced_pair_bits(self.facts.path.as_bytes());
        if *word & bit != 0 || lacks != 0 || check.steps_len > 0 && *refused == Some(check.rule) {
            return;
        }
        if check.matches(&self.tables, self.facts.path) {
            *word |= bit;
        } else if check.steps_len > 0 {
            *refused = Some(check.rule);
        }
    }

    /// Puts back what is left of the word that was given last.
    #[inline]
    pub fn put_back(&mut self, bits: u64) {
        if bits != 0 {
            self.next -= 1;
            self.window[(self.next - self.base) as usize % WINDOW] = bits;
        }
    }
}

/// The keys and their slots.
struct KeyIndex<'a> {
    slots: Table<'a, u32>,
    keys: Table<'a, KeyRecord>,
    names: &'a str,
}

impl KeyIndex<'_> {
    #[inline]
    fn find(&self, kind: KeyKind, part: Part<'_>) -> Option<(u32, GroupRecord)> {
        let Part { text, head, tail } = part;
        let hash = key_hash_of(kind, head, tail, text.len());
        probe(self.slots, hash, |index| {
            let key = self.keys.at(index as usize);
            let is_it = key.head == head
                && key.tail == tail
                && key.text.len as usize == text.len()
                && key.kind == kind as u32
                && (text.len() <= 16 || key.text.of(self.names).as_bytes() == text);
            is_it.then_some((index, key.group))
        })
    }
}

impl Iterator for PathWords<'_, '_> {
    /// Index of the word, and its bits; never zero bits.
    type Item = (u32, u64);

    #[inline]
    fn next(&mut self) -> Option<(u32, u64)> {
        loop {
            while self.next < self.end {
                let word = self.next;
                self.next += 1;
                let bits = self.window[(word - self.base) as usize % WINDOW];
                if bits != 0 {
                    return Some((word, bits));
                }
            }
            if self.end as usize == self.everywhere.len() {
                return None;
            }
            self.merge();
        }
    }
}

impl SieveRecord {
    /// Whether nothing that was found in the scan speaks against a match.
    #[inline(always)]
    fn lets_pass(&self, facts: &Facts<'_>) -> bool {
        if self.pairs & !facts.pairs != 0 {
            return false;
        }
        let head = (self.head ^ facts.head) & self.head_mask;
        let tail = (self.tail ^ facts.tail) & self.tail_mask;
        head | tail == 0
    }
}

impl CheckRecord {
    fn matches(&self, tables: &PathTables<'_>, path: &str) -> bool {
        if self.steps_len == 0 {
            return matches(self.pattern.of(tables.names), path);
        }
        let steps = tables.steps().part(self.steps_start, self.steps_len);
        let decisive = steps.iter().find(|step| matches(step.pattern.of(tables.names), path));
        decisive.is_some_and(|step| step.negated == 0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::glob::GlobList;

    fn tables(rules: &[&[&str]]) -> (Vec<u8>, String) {
        let mut names = String::new();
        let mut intern = |text: &str| {
            let offset = names.len() as u32;
            names.push_str(text);
            StrRef { offset, len: text.len() as u32 }
        };
        let mut builder = PathsBuilder::default();
        for (rule, globs) in rules.iter().enumerate() {
            builder.scoped(rule as u32, &GlobList::parse(globs).expect("in order"), &mut intern);
        }
        (builder.finish(rules.len(), None, &mut intern), names)
    }

    fn ask(rules: &[&[&str]], path: &str) -> Vec<u32> {
        let (section, names) = tables(rules);
        let tables = PathTables::new(&section, &names);
        tables.check(rules.len() as u32).expect("what was built is in order");
        let words = PathWords::new(tables, path);
        words
            .flat_map(|(word, bits)| {
                (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
            })
            .collect()
    }

    /// What is written is read, also where plain forms are longer than what was written, and where keys collide.
    #[test]
    fn the_longest_globs_and_colliding_keys_are_read_again() {
        let names: Vec<String> = (0..500).map(|number| format!("{number:06}")).collect();
        let globs = [
            format!("?{}", "a".repeat(4095)),
            format!("[{}]?", "*".repeat(2000)),
            format!("**/aaaaaaaa{{{}}}bbbbbbbb", names.join(",")),
        ];
        let rules = globs.iter().enumerate().map(|(number, glob)| {
            let mut rule = crate::model::Rule::new(format!("rule-{number}"), "Text.\n");
            rule.activation = crate::model::Activation::Globs;
            rule.globs = vec![glob.clone(), "!**/c".into()];
            rule
        });
        let set = crate::model::RuleSet { rules: rules.collect(), ..Default::default() };
        let pack = crate::builder::write_pack(&set).expect("each glob has a meaning");
        let tables = crate::Tables::check(&pack).expect("it was written");
        let found = |path: &str| -> Vec<(u32, u64)> { tables.path_words(path).collect() };
        assert_eq!(found(&format!("x{}", "a".repeat(4095))), [(0, 1)]);
        assert_eq!(found("a/b/**"), [(0, 2)]);
        assert_eq!(found("src/aaaaaaaa000123bbbbbbbb"), [(0, 4)]);
        assert_eq!(found("src/aaaaaaaa999999bbbbbbbb"), []);
    }

    #[test]
    fn every_shape_is_found() {
        let rules: &[&[&str]] = &[
            &["**"],
            &["*.rs"],
            &["**/*.d.ts"],
            &["Makefile"],
            &["src/**"],
            &["src/**/*.rs"],
            &["src/*.rs"],
            &["src/parser/**"],
            &["docker-compose*.yml"],
            &["**/tests/**"],
            &["a/b/c.rs"],
            &["*.rs", "!src/gen/**"],
        ];
        assert_eq!(ask(rules, "src/parser/lexer.rs"), [0, 1, 4, 5, 7, 11]);
        assert_eq!(ask(rules, "./src/main.rs"), [0, 1, 4, 5, 6, 11]);
        assert_eq!(ask(rules, "src/gen/a.rs"), [0, 1, 4, 5]);
        assert_eq!(ask(rules, "x/y.d.ts"), [0, 2]);
        assert_eq!(ask(rules, "deep/Makefile"), [0, 3]);
        assert_eq!(ask(rules, "docker-compose.prod.yml"), [0, 8]);
        assert_eq!(ask(rules, "x/tests/y"), [0, 9]);
        assert_eq!(ask(rules, "a/b/c.rs"), [0, 1, 10, 11]);
        assert_eq!(ask(rules, "src"), [0]);
    }

    #[test]
    fn paths_that_are_not_below_the_project_match_nothing() {
        for path in ["", "/src/a.rs", "..", "../a.rs", "src/../a.rs", "src/.."] {
            assert_eq!(ask(&[&["**"], &["*.rs"]], path), [0; 0], "{path}");
        }
    }

    #[test]
    fn each_rule_that_takes_away_has_steps_of_its_own() {
        // All checks are in the group of one extension.
        let rules: [&[&str]; 2] = [&["a*.rs", "b*.rs", "!b.rs"], &["c*.rs", "!c.rs"]];
        let (section, names) = tables(&rules);
        let check = |section: &[u8]| PathTables::new(section, &names).check(2);
        assert_eq!(check(&section), Ok(()));
        let checks_at = PathsRecord::read(&section).checks_at as usize;
        let with = |index: usize, change: &dyn Fn(&mut CheckRecord)| {
            let at = checks_at + index * CheckRecord::SIZE;
            let (mut bent, mut bytes) = (section.clone(), Vec::new());
            let mut record = CheckRecord::read(&section[at..]);
            change(&mut record);
            record.write(&mut bytes);
            bent[at..at + CheckRecord::SIZE].copy_from_slice(&bytes);
            check(&bent).is_err()
        };
        assert!(!with(0, &|_| ()));
        assert!(with(0, &|check| check.steps_len -= 1), "the other check of its rule says otherwise");
        assert!(with(2, &|check| check.steps_start = 2), "a step of the rule before it");
        assert!(with(2, &|check| check.steps_len = u32::MAX));
    }

    #[test]
    fn groups_share_rows_and_nothing_else() {
        let rules: Vec<Vec<&str>> = (0..200)
            .map(|rule| if rule % 2 == 0 { vec!["*.ts", "*.tsx", "src/a*"] } else { vec!["*.rs"] })
            .collect();
        let rules: Vec<&[&str]> = rules.iter().map(Vec::as_slice).collect();
        let (section, names) = tables(&rules);
        let check = |section: &[u8]| PathTables::new(section, &names).check(200);
        assert_eq!(check(&section), Ok(()));
        let head = PathsRecord::read(&section);
        let group = |key: usize| head.keys_at as usize + key * KeyRecord::SIZE + 28;
        let word = |at: usize| u32::read(&section[at..]);
        let with = |at: usize, value: u32| {
            let mut bent = section.clone();
            bent[at..at + 4].copy_from_slice(&value.to_le_bytes());
            check(&bent).is_err()
        };
        // The keys are rs, ts, tsx and src.
        assert_eq!((word(group(0)), word(group(0) + 4)), (0, 4));
        assert_eq!((word(group(1)), word(group(2))), (4, 4), "equal rows are stored once");
        assert!(!with(group(1), 0), "other rows of other rules: the root digest is for that");
        assert!(with(group(1), 2), "words 2, 3, 0, 1");
        assert!(with(group(1), 5), "beyond the rows");
        assert!(with(group(0) + 4, u32::MAX) && with(group(0), u32::MAX));
        assert_eq!((word(group(3) + 8), word(group(3) + 12)), (0, 100));
        assert!(with(group(3) + 12, 99), "a check of no group");
        assert!(with(group(0) + 12, 1), "a check of two groups");
    }

    #[test]
    fn rows_that_very_many_share_are_proved_all_the_same() {
        let many: Vec<String> = (0..700).map(|number| alloc::format!("*.e{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let rules: Vec<&[&str]> =
            (0..200).map(|rule| if rule % 64 == 0 { &many[..] } else { &["*.zz"][..] }).collect();
        let (section, names) = tables(&rules);
        let check = |section: &[u8]| PathTables::new(section, &names).check(200);
        assert_eq!(check(&section), Ok(()));
        let head = PathsRecord::read(&section);
        let last = head.keys_at as usize + 699 * KeyRecord::SIZE + 28;
        let row = |at: usize| (u32::read(&section[at..]), u32::read(&section[at + 4..]));
        assert_eq!((row(last), row(last + KeyRecord::SIZE)), ((0, 4), (4, 4)));
        for (start, is_in_order) in [(0, true), (2, false), (4, true), (5, false), (u32::MAX, false)] {
            let mut bent = section.clone();
            bent[last..last + 4].copy_from_slice(&start.to_le_bytes());
            assert_eq!(check(&bent).is_ok(), is_in_order, "{start}");
        }
    }
}
