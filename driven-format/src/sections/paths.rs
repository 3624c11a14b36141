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

use alloc::format;

use crate::error::Error;
use crate::glob::matches;
use crate::hash::{first_word, fold, last_word, mix};
use crate::wire::{Record, StrRef, Table, records};

pub(crate) use build::PathsBuilder;

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
    /// A pattern that its key does not decide.
    pub struct CheckRecord {
        /// First bytes that the path must have, under the mask.
        pub head: u64,
        /// Which of the first eight bytes count.
        pub head_mask: u64,
        /// Last bytes that the path must have, under the mask.
        pub tail: u64,
        /// Which of the last eight bytes count.
        pub tail_mask: u64,
        /// Bits of pairs of bytes that the path must have.
        pub bigrams: u64,
        /// Bits of folders that the path must have.
        pub folders: u64,
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
    bigrams: u64,
    folders: u64,
    first_folder: Option<&'p [u8]>,
    name: &'p [u8],
    extension: Option<&'p [u8]>,
    double_extension: Option<&'p [u8]>,
}

impl<'p> PathFacts<'p> {
    /// Nothing when `path` is empty, absolute, or has a `..`.
    #[inline]
    fn scan(path: &'p str) -> Option<Self> {
        let mut path = path;
        while let Some(rest) = path.strip_prefix("./") {
            path = rest;
        }
        let bytes = path.as_bytes();
        if matches!(bytes.first(), None | Some(b'/')) {
            return None;
        }
        let (mut folders, mut start, mut first_folder) = (0, 0, None);
        for slash in Slashes::new(bytes) {
            let folder = &bytes[start..slash];
            if folder == b".." {
                return None;
            }
            folders |= folder_bit(folder);
            first_folder = first_folder.or(Some(folder));
            start = slash + 1;
        }
        let name = &bytes[start..];
        if name == b".." {
            return None;
        }
        let (mut extension, mut double_extension) = (None, None);
        if let Some(last) = name.iter().rposition(|&byte| byte == b'.') {
            extension = Some(&name[last + 1..]);
            double_extension =
                name[..last].iter().rposition(|&byte| byte == b'.').map(|first| &name[first + 1..]);
        }
        Some(PathFacts {
            path,
            head: first_word(bytes),
            tail: last_word(bytes),
            bigrams: bigram_bits(bytes),
            folders,
            first_folder,
            name,
            extension,
            double_extension,
        })
    }
}

/// The places of `/`, found eight bytes at a time.
struct Slashes<'b> {
    bytes: &'b [u8],
    at: usize,
    found: u64,
}

impl<'b> Slashes<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Slashes { bytes, at: 0, found: slash_bits(first_word(bytes)) }
    }
}

impl Iterator for Slashes<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            self.at += 8;
            self.found = slash_bits(first_word(self.bytes.get(self.at..)?));
        }
        let place = self.at + (self.found.trailing_zeros() / 8) as usize;
        self.found &= self.found - 1;
        Some(place)
    }
}

/// The high bit of every byte of `word` that is a `/`, exactly.
#[inline]
fn slash_bits(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const LOW: u64 = u64::from_le_bytes([0x7F; 8]);
    let other = word ^ (ONES * u64::from(b'/'));
    !(((other & LOW) + LOW) | other | LOW)
}

#[inline]
fn folder_bit(folder: &[u8]) -> u64 {
    1 << (mix(first_word(folder) ^ (folder.len() as u64) << 56) >> 58)
}

#[inline]
fn bigram_bits(bytes: &[u8]) -> u64 {
    let Some((&first, rest)) = bytes.split_first() else { return 0 };
    let (mut bits, mut before) = (0, u32::from(first));
    for &byte in rest {
        bits |= 1 << ((before * 31 + u32::from(byte)) & 63);
        before = u32::from(byte);
    }
    bits
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
                || !check.pattern.is_in(self.names)
                || end.is_none_or(|end| end > steps.len())
            {
                return fault("a check refers to what is not there");
            }
        }
        if steps.iter().any(|step| !step.pattern.is_in(self.names) || step.negated > 1) {
            return fault("a step refers to what is not there");
        }
        if keys.iter().any(|key| !key.text.is_in(self.names)) {
            return fault("a key refers to a name that is not there");
        }
        let loose = GroupRecord { check_len: self.head().loose_checks, ..GroupRecord::default() };
        let mut groups =
            keys.iter().map(|key| key.group).chain(pairs.iter().map(|pair| pair.group)).chain([loose]);
        if groups.all(|group| self.is_sorted(&group)) {
            Ok(())
        } else {
            fault("a group is out of bounds or of order")
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

    fn is_sorted(&self, group: &GroupRecord) -> bool {
        let rows = self.rows().try_part(group.row_start, group.row_len);
        let checks = self.checks().try_part(group.check_start, group.check_len);
        rows.is_some_and(|rows| rows.iter().is_sorted_by(|a, b| a.word < b.word))
            && checks.is_some_and(|checks| checks.iter().is_sorted_by(|a, b| a.rule <= b.rule))
    }
}

/// Linear probing from the slot of `hash` to the first free one.
#[inline]
fn probe(slots: Table<'_, u32>, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
    let mask = slots.len().checked_sub(1)?;
    let mut slot = hash as usize & mask;
    for _ in 0..slots.len() {
        let index = slots.at(slot).checked_sub(1)?;
        if is_it(index) {
            return Some(index);
        }
        slot = (slot + 1) & mask;
    }
    None
}

/// What is left of one group while groups are merged: places in the rows and in the checks.
#[derive(Clone, Copy)]
struct Cursor {
    row: u32,
    row_end: u32,
    check: u32,
    check_end: u32,
    /// Word of the next row, and of the next check; none is left at `u32::MAX`.
    row_word: u32,
    check_word: u32,
}

const EMPTY: Cursor =
    Cursor { row: 0, row_end: 0, check: 0, check_end: 0, row_word: u32::MAX, check_word: u32::MAX };

/// How many groups a path can have.
const MAX_GROUPS: usize = 6;

/// The rules of a path as words of 64 bits, in rising order.
#[derive(Clone)]
pub struct PathWords<'a, 'p> {
    everywhere: Table<'a, u64>,
    word: u32,
    rows: Table<'a, RowRecord>,
    checks: Table<'a, CheckRecord>,
    facts: Facts<'a, 'p>,
    cursors: [Cursor; MAX_GROUPS],
    count: usize,
}

/// What checks need of a path.
#[derive(Clone, Copy)]
struct Facts<'a, 'p> {
    tables: PathTables<'a>,
    path: &'p str,
    head: u64,
    tail: u64,
    bigrams: u64,
    folders: u64,
}

impl<'a, 'p> PathWords<'a, 'p> {
    /// Scans `path` and finds its groups.
    #[inline(always)]
    pub(crate) fn new(tables: PathTables<'a>, path: &'p str) -> Self {
        let Some(found) = PathFacts::scan(path) else {
            return PathWords {
                everywhere: Table::new(&[]),
                word: 0,
                rows: Table::new(&[]),
                checks: Table::new(&[]),
                facts: Facts { tables, path: "", head: 0, tail: 0, bigrams: 0, folders: 0 },
                cursors: [EMPTY; MAX_GROUPS],
                count: 0,
            };
        };
        let PathFacts { path, head, tail, bigrams, folders, .. } = found;
        let mut words = PathWords {
            everywhere: tables.everywhere(),
            word: 0,
            rows: tables.rows(),
            checks: tables.checks(),
            facts: Facts { tables, path, head, tail, bigrams, folders },
            cursors: [EMPTY; MAX_GROUPS],
            count: 0,
        };
        words.push(&GroupRecord { check_len: tables.head().loose_checks, ..GroupRecord::default() });
        let keys = KeyIndex { slots: tables.key_slots(), keys: tables.keys(), names: tables.names };
        if !keys.slots.is_empty() {
            words.push_keyed(&keys, &found);
        }
        words
    }

    #[inline]
    fn push_keyed(&mut self, keys: &KeyIndex<'a>, facts: &PathFacts<'p>) {
        let mut find = |kind, text: &[u8]| {
            let index = keys.find(kind, text)?;
            self.push(&keys.keys.at(index as usize).group);
            Some(index)
        };
        find(KeyKind::Name, facts.name);
        let extension = facts.extension.and_then(|text| find(KeyKind::Extension, text));
        facts.double_extension.and_then(|text| find(KeyKind::DoubleExtension, text));
        let folder = facts.first_folder.and_then(|text| find(KeyKind::Folder, text));
        if let (Some(folder), Some(extension)) = (folder, extension) {
            self.push_pair(folder, extension);
        }
    }

    #[inline]
    fn push_pair(&mut self, folder: u32, extension: u32) {
        let tables = self.facts.tables;
        let pairs = tables.pairs();
        let found = probe(tables.pair_slots(), pair_hash(folder, extension), |index| {
            let pair = pairs.at(index as usize);
            pair.folder == folder && pair.extension == extension
        });
        if let Some(index) = found {
            self.push(&pairs.at(index as usize).group);
        }
    }

    #[inline(always)]
    fn push(&mut self, group: &GroupRecord) {
        if group.row_len | group.check_len == 0 || self.count == MAX_GROUPS {
            return;
        }
        let mut cursor = Cursor {
            row: group.row_start,
            row_end: group.row_start + group.row_len,
            check: group.check_start,
            check_end: group.check_start + group.check_len,
            ..EMPTY
        };
        cursor.see_row(self.rows);
        cursor.see_check(self.checks);
        self.cursors[self.count] = cursor;
        self.count += 1;
    }
}

impl Cursor {
    #[inline(always)]
    fn see_row(&mut self, rows: Table<'_, RowRecord>) {
        self.row_word = if self.row < self.row_end { rows.at(self.row as usize).word } else { u32::MAX };
    }

    #[inline(always)]
    fn see_check(&mut self, checks: Table<'_, CheckRecord>) {
        self.check_word =
            if self.check < self.check_end { checks.at(self.check as usize).rule / 64 } else { u32::MAX };
    }

    /// The bits of the row's next word.
    #[inline(always)]
    fn take_row(&mut self, rows: Table<'_, RowRecord>) -> u64 {
        let bits = rows.at(self.row as usize).bits;
        self.row += 1;
        self.see_row(rows);
        bits
    }

    /// The bits of the next word whose checks match; `known` has bits that need no check.
    #[inline]
    fn take_checks(&mut self, checks: Table<'_, CheckRecord>, known: u64, facts: &Facts<'_, '_>) -> u64 {
        let word = self.check_word;
        let (mut bits, mut seen) = (0, 0);
        for check in checks.part(self.check, self.check_end - self.check).iter() {
            if check.rule / 64 != word {
                break;
            }
            seen += 1;
            if check.may_match(facts) {
                let bit = 1 << (check.rule % 64);
                if (known | bits) & bit == 0 && check.matches(facts) {
                    bits |= bit;
                }
            }
        }
        self.check += seen;
        self.see_check(checks);
        bits
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
    fn find(&self, kind: KeyKind, text: &[u8]) -> Option<u32> {
        let (head, tail) = (first_word(text), last_word(text));
        let hash = key_hash_of(kind, head, tail, text.len());
        probe(self.slots, hash, |index| {
            let key = self.keys.at(index as usize);
            key.head == head
                && key.tail == tail
                && key.text.len as usize == text.len()
                && key.kind == kind as u32
                && (text.len() <= 16 || key.text.of(self.names).as_bytes() == text)
        })
    }
}

impl Iterator for PathWords<'_, '_> {
    /// Index of the word, and its bits; never zero bits.
    type Item = (u32, u64);

    #[inline]
    fn next(&mut self) -> Option<(u32, u64)> {
        while let Some(everywhere) = self.everywhere.get(self.word as usize) {
            let word = self.word;
            self.word += 1;
            let cursors = &mut self.cursors[..self.count];
            let mut bits = everywhere;
            for cursor in cursors.iter_mut() {
                if cursor.row_word == word {
                    bits |= cursor.take_row(self.rows);
                }
            }
            for cursor in cursors {
                if cursor.check_word == word {
                    bits |= cursor.take_checks(self.checks, bits, &self.facts);
                }
            }
            if bits != 0 {
                return Some((word, bits));
            }
        }
        None
    }
}

impl CheckRecord {
    /// Whether nothing that was found in the scan speaks against a match.
    #[inline]
    fn may_match(&self, facts: &Facts<'_, '_>) -> bool {
        let missing = self.bigrams & !facts.bigrams | self.folders & !facts.folders;
        if missing != 0 {
            return false;
        }
        let head = (self.head ^ facts.head) & self.head_mask;
        let tail = (self.tail ^ facts.tail) & self.tail_mask;
        head | tail == 0
    }

    #[inline(never)]
    fn matches(&self, facts: &Facts<'_, '_>) -> bool {
        let names = facts.tables.names;
        if self.steps_len == 0 {
            return matches(self.pattern.of(names), facts.path);
        }
        let steps = facts.tables.steps().part(self.steps_start, self.steps_len);
        let decisive = steps.iter().find(|step| matches(step.pattern.of(names), facts.path));
        decisive.is_some_and(|step| step.negated == 0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
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
        (builder.finish(rules.len(), &mut intern), names)
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
}
